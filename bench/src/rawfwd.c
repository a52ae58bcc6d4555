/* SPDX-License-Identifier: Apache-2.0 */
/* The practical limit: a TCP forwarder that knows nothing of HTTP.
 *
 *   usage: rawfwd LISTEN_PORT UPSTREAM_PORT [splice]
 *
 * One thread, one upstream connection for each client connection. A small request costs a receive and a send towards
 * the upstream, the same back, and a share of a wait: what a proxy on sockets cannot do without. With
 * "splice" bytes move through a pipe and are never copied to this process: the limit for large bodies.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/span.h"
#include "loopback.h"
#include "program.h"

enum { READ_MAX = 1 << 16, PIPE_BYTES = 1 << 18, EVENTS = 256 };

/* One socket of a pair. What was read from it and waits for its peer is in `waiting` or in the pipe. */
struct side {
	struct side *peer;
	int fd;
	uint32_t events; /* asked for */
	bool at_end;     /* nothing more comes from fd */
	bool is_shut;    /* its peer's end was passed on to fd */
	bool is_dead;    /* freed when the batch of events is over */
	int pipe[2];
	size_t piped;
	char *waiting;
	size_t waiting_at;
	size_t waiting_length;
};

static int epoll;
static bool splices;
static uint16_t upstream_port;
static char read_buffer[READ_MAX];
static struct side *dead[2 * EVENTS];
static size_t dead_count;

static size_t backlog(const struct side *side)
{
	return splices ? side->piped : side->waiting_length;
}

static void side_wait(struct side *side)
{
	uint32_t wanted = (!side->at_end && backlog(side) == 0 ? EPOLLIN : 0) |
			  (backlog(side->peer) > 0 ? EPOLLOUT : 0);
	struct epoll_event event = {.events = wanted, .data.ptr = side};

	if (wanted == side->events)
		return;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, side->fd, &event) == -1)
		program_fail_sys("cannot wait");
	side->events = wanted;
}

static void side_bury(struct side *side)
{
	close(side->fd);
	if (splices) {
		close(side->pipe[0]);
		close(side->pipe[1]);
	}
	free(side->waiting);
	side->is_dead = true;
	dead[dead_count++] = side;
}

static void pair_bury(struct side *side)
{
	side_bury(side->peer);
	side_bury(side);
}

/* ENOTCONN: the upstream is still being connected to. */
static bool would_block(void)
{
	return errno == EAGAIN || errno == ENOTCONN;
}

static bool push_pipe(struct side *side)
{
	while (side->piped > 0) {
		ssize_t moved = splice(side->pipe[0], NULL, side->peer->fd, NULL, side->piped,
				       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (moved == -1)
			return would_block();
		side->piped -= (size_t)moved;
	}
	return true;
}

static bool push_waiting(struct side *side)
{
	while (side->waiting_length > 0) {
		ssize_t sent = send(side->peer->fd, side->waiting + side->waiting_at,
				    side->waiting_length, MSG_NOSIGNAL);

		if (sent == -1)
			return would_block();
		side->waiting_at += (size_t)sent;
		side->waiting_length -= (size_t)sent;
	}
	free(side->waiting);
	side->waiting = NULL;
	return true;
}

/* What was read from side goes to its peer; false: the pair is broken. */
static bool push(struct side *side)
{
	return splices ? push_pipe(side) : push_waiting(side);
}

static void keep(struct side *side, struct span rest)
{
	side->waiting = memory_resize(NULL, rest.len);
	memcpy(side->waiting, rest.ptr, rest.len);
	side->waiting_at = 0;
	side->waiting_length = rest.len;
}

static bool pull_bytes(struct side *side)
{
	ssize_t length = recv(side->fd, read_buffer, READ_MAX, 0);
	ssize_t sent;

	if (length == -1)
		return errno == EAGAIN;
	if (length == 0) {
		side->at_end = true;
		return true;
	}
	sent = send(side->peer->fd, read_buffer, (size_t)length, MSG_NOSIGNAL);
	if (sent == -1 && !would_block())
		return false;
	sent = sent == -1 ? 0 : sent;
	if (sent < length)
		keep(side, span_make(read_buffer + sent, (size_t)(length - sent)));
	return true;
}

static bool pull_pipe(struct side *side)
{
	ssize_t length = splice(side->fd, NULL, side->pipe[1], NULL, PIPE_BYTES,
				SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (length == -1)
		return errno == EAGAIN;
	side->piped += (size_t)length;
	side->at_end = length == 0;
	return push_pipe(side);
}

static bool pull(struct side *side)
{
	return splices ? pull_pipe(side) : pull_bytes(side);
}

static struct side *side_new(int fd)
{
	struct side *side = memory_new(sizeof(*side));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = side};

	side->fd = fd;
	side->events = EPOLLIN;
	if (splices && (pipe2(side->pipe, O_NONBLOCK | O_CLOEXEC) == -1 ||
			fcntl(side->pipe[1], F_SETPIPE_SZ, PIPE_BYTES) == -1))
		program_fail_sys("cannot make a pipe");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		program_fail_sys("cannot wait");
	return side;
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = loopback_accept(listener)) != -1) {
		int upstream = loopback_connect(upstream_port, 0, LOOPBACK_NON_BLOCKING);
		struct side *side;

		if (upstream == -1) {
			close(fd);
			continue;
		}
		side = side_new(fd);
		side->peer = side_new(upstream);
		side->peer->peer = side;
	}
}

/* Passes an end on, once the bytes before it are out. */
static void pass_end(struct side *side)
{
	if (!side->at_end || backlog(side) > 0 || side->peer->is_shut)
		return;
	shutdown(side->peer->fd, SHUT_WR);
	side->peer->is_shut = true;
}

static bool on_side(struct side *side, uint32_t events)
{
	if ((events & EPOLLOUT) && !push(side->peer))
		return false;
	if (events & EPOLLIN) {
		if (!pull(side))
			return false;
	} else if ((events & (EPOLLERR | EPOLLHUP)) && !(side->events & EPOLLIN)) {
		return false;
	}
	pass_end(side);
	pass_end(side->peer);
	return !side->is_shut || !side->peer->is_shut;
}

static void on_event(struct side *side, uint32_t events)
{
	if (side->is_dead)
		return;
	if (!on_side(side, events)) {
		pair_bury(side);
		return;
	}
	side_wait(side);
	side_wait(side->peer);
}

static void serve(int listener)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(listener);
			else
				on_event(events[i].data.ptr, events[i].events);
		}
		while (dead_count > 0)
			free(dead[--dead_count]);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	int listener;

	if (argc < 3)
		program_fail("usage: rawfwd LISTEN_PORT UPSTREAM_PORT [splice]");
	program_need_descriptors(1024);
	signal(SIGPIPE, SIG_IGN); /* splice has no MSG_NOSIGNAL */
	upstream_port = (uint16_t)program_number(argv[2], 1, UINT16_MAX);
	splices = argc > 3 && strcmp(argv[3], "splice") == 0;
	listener = loopback_listen((uint16_t)program_number(argv[1], 1, UINT16_MAX));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == -1)
		program_fail_sys("cannot wait");
	serve(listener);
}
