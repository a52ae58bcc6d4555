/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/socket.h"
#include "proxy/downstream.h"
#include "proxy/worker.h"

enum { ACCEPT_BATCH = 16, PAUSE_MS = 100, QUEUE_MAX = 4096 };

static void resume(struct timer *timer);

static int spare(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int listener_init(struct listener *listener, struct worker *worker, int fd, enum listener_kind kind,
		  struct error *err)
{
	struct ip_port local;

	*listener = (struct listener){
		.worker = worker, .kind = kind, .fd = fd, .source.fd = -1, .spare_fd = -1};
	timer_init(&listener->pause, resume);
	if (socket_local(fd, &local) == -1)
		return error_sys(err, "descriptor %d is no listening socket", fd);
	listener->port = local.port;
	listener->spare_fd = spare();
	return 0;
}

/* False: nothing more is to be had now. */
static bool accept_one(struct listener *listener)
{
	struct ip_port peer;
	int fd = socket_accept(listener->fd, &peer);

	if (fd != -1) {
		downstream_open(listener, fd, &peer);
		return true;
	}
	/* a client that went before it was accepted says nothing of the others (accept(2)) */
	return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

/* Descriptors are used up, and every connection is in use: the spare one is given up so that the client learns of
 * it at once, and accepting pauses (security spec, B1). */
static void refuse_one(struct listener *listener)
{
	struct worker *worker = listener->worker;
	struct ip_port peer;
	int fd;

	close(listener->spare_fd);
	fd = socket_accept(listener->fd, &peer);
	if (fd != -1)
		close(fd);
	listener->spare_fd = spare();
	worker->counters->downstream_refused++;
	loop_forget(worker->loop, &listener->source);
	timer_start(worker->timers, &listener->pause, PAUSE_MS);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct listener *listener = container_of(source, struct listener, source);

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		if (accept_one(listener))
			continue;
		/* the kernel looks for a descriptor before it looks into the queue: only the first
		 * time is somebody known to wait */
		if (i > 0 || errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (!socket_is_exhausted(errno) || !worker_make_room(listener->worker)) {
			refuse_one(listener);
			return;
		}
	}
}

int listener_start(struct listener *listener, struct error *err)
{
	if (loop_add_level(listener->worker->loop, &listener->source, listener->fd, on_ready) == -1)
		return error_sys(err, "cannot watch a listening socket");
	return 0;
}

static void resume(struct timer *timer)
{
	struct listener *listener = container_of(timer, struct listener, pause);
	struct error err;

	if (listener_start(listener, &err) == -1)
		timer_start(listener->worker->timers, &listener->pause, PAUSE_MS);
}

void listener_stop(struct listener *listener)
{
	struct worker *worker = listener->worker;

	timer_stop(worker->timers, &listener->pause);
	/* other processes hold the socket too, so that closing alone would not end the registration */
	loop_forget(worker->loop, &listener->source);
	close(listener->fd);
	close(listener->spare_fd);
}

void listener_drain(struct listener *listener)
{
	/* no more than a queue can hold: under a flood there would be no end */
	for (int i = 0; i < QUEUE_MAX && accept_one(listener); i++)
		;
	listener_stop(listener);
}
