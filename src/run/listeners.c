/* SPDX-License-Identifier: Apache-2.0 */
#include "run/listeners.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/memory.h"
#include "io/socket.h"

/* Connections that may wait for a worker (security spec, 7.4). */
enum { BACKLOG = 4096 };

static const struct ip every_v4 = {{[10] = 0xff, [11] = 0xff}};
static const struct ip every_v6 = {{0}};

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

uint32_t listeners_everywhere(struct ip_port at[static 2], uint16_t port)
{
	at[0] = (struct ip_port){.ip = every_v4, .port = port};
	at[1] = (struct ip_port){.ip = every_v6, .port = port};
	return has_ipv6() ? 2 : 1;
}

uint32_t listeners_queue_length(void)
{
	char text[16] = {0};
	int fd = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
	uint64_t most;

	if (fd != -1)
		close(fd);
	if (len < 1 || !span_to_u64(span_make(text, (size_t)len - 1), &most) || most > BACKLOG)
		return BACKLOG;
	return (uint32_t)most;
}

int listeners_open(struct listeners *listeners, const struct ip_port *at, uint32_t count,
		   uint32_t workers, struct error *err)
{
	*listeners = (struct listeners){.addresses = count};
	listeners->fds = memory_new_array((size_t)count * workers, sizeof(int));
	for (uint32_t i = 0; i < count; i++) {
		if (socket_check_free(&at[i], err) == -1)
			return -1;
	}
	/* worker by worker, so that `workers` always counts those that have all of theirs */
	for (; listeners->workers < workers; listeners->workers++) {
		int *fds = listeners->fds + (size_t)listeners->workers * count;

		for (uint32_t i = 0; i < count; i++) {
			fds[i] = socket_listen(&at[i], BACKLOG, err);
			if (fds[i] != -1)
				continue;
			while (i-- > 0)
				close(fds[i]);
			return -1;
		}
	}
	return 0;
}

const int *listeners_of(const struct listeners *listeners, uint32_t worker)
{
	BUG_ON(worker >= listeners->workers);
	return listeners->fds + (size_t)worker * listeners->addresses;
}

void listeners_close(struct listeners *listeners)
{
	for (uint32_t i = 0; i < listeners->workers * listeners->addresses; i++)
		close(listeners->fds[i]);
	free(listeners->fds);
	*listeners = (struct listeners){0};
}
