/* SPDX-License-Identifier: Apache-2.0 */
#include "loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program.h"

enum { BACKLOG = 4096 };

static struct sockaddr_in address(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(host),
	};
}

static bool set_one(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one)) == 0;
}

int loopback_listen(uint16_t port)
{
	struct sockaddr_in at = address(INADDR_ANY, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1 || !set_one(fd, SOL_SOCKET, SO_REUSEADDR) ||
	    !set_one(fd, IPPROTO_TCP, TCP_NODELAY) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) == -1 || listen(fd, BACKLOG) == -1)
		program_fail_sys("cannot listen on port %u", port);
	return fd;
}

int loopback_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int loopback_connect(uint16_t port, uint32_t source, enum loopback_wait wait)
{
	struct sockaddr_in from = address(INADDR_LOOPBACK + source, 0);
	struct sockaddr_in to = address(INADDR_LOOPBACK, port);
	int type = SOCK_STREAM | SOCK_CLOEXEC | (wait == LOOPBACK_NON_BLOCKING ? SOCK_NONBLOCK : 0);
	int fd = socket(AF_INET, type, 0);

	if (fd == -1)
		return -1;
	/* the port is chosen at connect, where it need be free only for this pair of addresses */
	if (set_one(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) &&
	    set_one(fd, IPPROTO_TCP, TCP_NODELAY) &&
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0 &&
	    (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}

bool loopback_send(int fd, const void *bytes, uint64_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}
