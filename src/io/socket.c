/* SPDX-License-Identifier: Apache-2.0 */
#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

enum { V4_AT = 12 }; /* where the IPv4 address lies in a mapped one */

static socklen_t to_kernel(const struct ip_port *at, union socket_address *address)
{
	memset(address, 0, sizeof(*address));
	if (ip_is_v4(&at->ip)) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(at->port);
		memcpy(&address->v4.sin_addr, at->ip.bytes + V4_AT, 4);
		return sizeof(address->v4);
	}
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = htons(at->port);
	memcpy(&address->v6.sin6_addr, at->ip.bytes, 16);
	return sizeof(address->v6);
}

static void from_kernel(const union socket_address *address, struct ip_port *at)
{
	if (address->any.sa_family == AF_INET) {
		memset(at->ip.bytes, 0, 10);
		memset(at->ip.bytes + 10, 0xff, 2);
		memcpy(at->ip.bytes + V4_AT, &address->v4.sin_addr, 4);
		at->port = ntohs(address->v4.sin_port);
		return;
	}
	memcpy(at->ip.bytes, &address->v6.sin6_addr, 16);
	at->port = ntohs(address->v6.sin6_port);
}

static int new_socket(const union socket_address *address)
{
	return socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int set_flag(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

static int bind_error(const struct ip_port *at, struct error *err)
{
	char text[IP_PORT_TEXT_SIZE];

	ip_port_write(text, at);
	if (errno == EADDRINUSE)
		return error_set(err,
				 "cannot listen on %s: another program has the port (EADDRINUSE)",
				 text);
	if (errno == EACCES)
		return error_set(err,
				 "cannot listen on %s: ports below 1024 need CAP_NET_BIND_SERVICE "
				 "(EACCES)",
				 text);
	return error_sys(err, "cannot listen on %s", text);
}

static int open_bound(const struct ip_port *at, bool shared, struct error *err)
{
	union socket_address address;
	socklen_t size = to_kernel(at, &address);
	int fd = new_socket(&address);

	if (fd == -1)
		return error_sys(err, "cannot make a socket");
	if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR) == -1 ||
	    (shared && set_flag(fd, SOL_SOCKET, SO_REUSEPORT) == -1) ||
	    (address.any.sa_family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1) ||
	    set_flag(fd, IPPROTO_TCP, TCP_NODELAY) == -1)
		error_sys(err, "cannot set options of a listening socket");
	else if (bind(fd, &address.any, size) == -1)
		bind_error(at, err);
	else
		return fd;
	close(fd);
	return -1;
}

int socket_listen(const struct ip_port *at, int backlog, struct error *err)
{
	int fd = open_bound(at, true, err);

	if (fd == -1)
		return -1;
	if (listen(fd, backlog) == -1) {
		bind_error(at, err);
		close(fd);
		return -1;
	}
	return fd;
}

int socket_check_free(const struct ip_port *at, struct error *err)
{
	int fd = open_bound(at, false, err);

	if (fd == -1)
		return -1;
	/* binding succeeds beside a listener that has SO_REUSEADDR; listening does not */
	if (listen(fd, 1) == -1) {
		bind_error(at, err);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

int socket_accept(int listener, struct ip_port *peer)
{
	union socket_address address;
	socklen_t size = sizeof(address);
	int fd = accept4(listener, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1)
		from_kernel(&address, peer);
	return fd;
}

int socket_connect(const struct ip_port *to, bool *pending)
{
	union socket_address address;
	socklen_t size = to_kernel(to, &address);
	int fd = new_socket(&address);
	int reason;

	if (fd == -1)
		return -1;
	*pending = false;
	if (set_flag(fd, IPPROTO_TCP, TCP_NODELAY) == 0) {
		if (connect(fd, &address.any, size) == 0)
			return fd;
		if (errno == EINPROGRESS) {
			*pending = true;
			return fd;
		}
	}
	reason = errno;
	close(fd);
	errno = reason;
	return -1;
}

bool socket_is_exhausted(int reason)
{
	return reason == EMFILE || reason == ENFILE || reason == ENOMEM || reason == ENOBUFS ||
	       reason == ENOSPC;
}

int socket_connect_result(int fd)
{
	int reason = 0;
	socklen_t size = sizeof(reason);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) == -1)
		return errno;
	return reason;
}

int socket_local(int fd, struct ip_port *local)
{
	union socket_address address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) == -1)
		return -1;
	from_kernel(&address, local);
	return 0;
}

bool socket_has_news(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1 ||
	       (errno != EAGAIN && errno != EWOULDBLOCK);
}

void socket_reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	/* an orderly close is what is left where this fails */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}
