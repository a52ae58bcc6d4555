/* SPDX-License-Identifier: Apache-2.0 */
#include "io/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "io/pipe_pool.h"
#include "io/socket.h"
#include "io/tls.h"

/* What is sent as one piece although it lies in several. */
enum { GATHER_MAX = 4096 };

int transport_open(struct transport *transport, struct loop *loop, int fd,
		   void (*on_ready)(struct loop_source *source, uint32_t events))
{
	*transport = (struct transport){.source.fd = -1};
	return loop_add(loop, &transport->source, fd, on_ready);
}

/* Who opens a transport keeps the descriptor where that fails. */
static int give_back(struct transport *transport, struct loop *loop)
{
	(void)loop_forget(loop, &transport->source);
	errno = ENOMEM;
	return -1;
}

int transport_open_server_tls(struct transport *transport, struct loop *loop, int fd,
			      void (*on_ready)(struct loop_source *source, uint32_t events),
			      struct tls_server *server)
{
	if (transport_open(transport, loop, fd, on_ready) == -1)
		return -1;
	transport->tls = tls_new_server(transport, loop, server);
	return transport->tls == NULL ? give_back(transport, loop) : 0;
}

int transport_open_client_tls(struct transport *transport, struct loop *loop, int fd,
			      void (*on_ready)(struct loop_source *source, uint32_t events),
			      struct tls_context *context)
{
	if (transport_open(transport, loop, fd, on_ready) == -1)
		return -1;
	transport->tls = tls_new_client(transport, loop, context);
	return transport->tls == NULL ? give_back(transport, loop) : 0;
}

void transport_resume(struct transport *transport, const struct ip_port *peer)
{
	tls_resume(transport->tls, peer);
}

int transport_start_server_tls(struct transport *transport, struct loop *loop,
			       struct tls_server *server)
{
	transport->tls = tls_new_server(transport, loop, server);
	return transport->tls == NULL ? -1 : 0;
}

void transport_close(struct transport *transport, struct loop *loop)
{
	if (transport->tls != NULL)
		tls_free(transport->tls);
	transport->tls = NULL;
	loop_close(loop, &transport->source);
}

void transport_reset(struct transport *transport, struct loop *loop)
{
	if (transport->tls != NULL)
		tls_abandon(transport->tls);
	transport->tls = NULL;
	if (transport_is_open(transport))
		socket_reset_on_close(transport->source.fd);
	loop_close(loop, &transport->source);
}

void transport_note(struct transport *transport, uint32_t events)
{
	if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		transport->peer_done = true;
	if (transport->tls != NULL) {
		tls_note(transport->tls, events);
		return;
	}
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		transport->can_read = true;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		transport->can_write = true;
}

ssize_t transport_read(struct transport *transport, char *bytes, size_t size)
{
	ssize_t got;

	if (!transport->can_read)
		return TRANSPORT_AGAIN;
	if (transport->tls != NULL)
		return tls_read(transport->tls, bytes, size);
	do
		got = recv(transport->source.fd, bytes, size, 0);
	while (got == -1 && errno == EINTR);
	if (got == 0) {
		transport->peer_done = true;
		return 0;
	}
	if (got == -1) {
		transport->can_read = false;
		return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_AGAIN : TRANSPORT_BROKEN;
	}
	/* fewer bytes than asked for: the queue is empty, and what comes next is a new edge, unless the end
	 * has been announced already */
	if ((size_t)got < size && !transport->peer_done)
		transport->can_read = false;
	return got;
}

ssize_t transport_peek(struct transport *transport, char *bytes, size_t size)
{
	ssize_t got;

	BUG_ON(transport->tls != NULL);
	do
		got = recv(transport->source.fd, bytes, size, MSG_PEEK);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		transport->peer_done = true;
	if (got != -1)
		return got;
	transport->can_read = false;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_AGAIN : TRANSPORT_BROKEN;
}

bool transport_skip(struct transport *transport, size_t count)
{
	ssize_t got;

	/* MSG_TRUNC: TCP drops them without a copy (tcp(7)) */
	do
		got = recv(transport->source.fd, NULL, count, MSG_TRUNC);
	while (got == -1 && errno == EINTR);
	return got == (ssize_t)count;
}

/* Pieces that are small together leave as one: copying them costs less than the kernel's own walk over
 * an array of them. 0: they are not small. */
static size_t gather(char *bytes, const struct iovec *pieces, int count)
{
	size_t length = 0;

	for (int i = 0; i < count; i++) {
		if (pieces[i].iov_len > GATHER_MAX - length)
			return 0;
		memcpy(bytes + length, pieces[i].iov_base, pieces[i].iov_len);
		length += pieces[i].iov_len;
	}
	return length;
}

static ssize_t send_pieces(int fd, const struct iovec *pieces, int count)
{
	static char gathered[GATHER_MAX];
	struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
	size_t length;

	if (count == 1)
		return send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
	length = gather(gathered, pieces, count);
	if (length > 0)
		return send(fd, gathered, length, MSG_NOSIGNAL);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ssize_t transport_write(struct transport *transport, const struct iovec *pieces, int count)
{
	ssize_t put;

	if (transport->tls != NULL)
		return tls_write(transport->tls, pieces, count);
	if (!transport->can_write)
		return TRANSPORT_AGAIN;
	do
		put = send_pieces(transport->source.fd, pieces, count);
	while (put == -1 && errno == EINTR);
	if (put != -1)
		return put;
	transport->can_write = false;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_AGAIN : TRANSPORT_BROKEN;
}

ssize_t transport_splice_from(struct transport *transport, struct pipe *pipe, size_t max)
{
	ssize_t got;

	if (!transport->can_read)
		return TRANSPORT_AGAIN;
	do
		got = splice(transport->source.fd, NULL, pipe->write_fd, NULL, max,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (got == -1 && errno == EINTR);
	if (got > 0) {
		pipe->filled += (uint32_t)got;
		return got;
	}
	if (got == 0) {
		transport->peer_done = true;
		return 0;
	}
	transport->can_read = false;
	return errno == EAGAIN ? TRANSPORT_AGAIN : TRANSPORT_BROKEN;
}

ssize_t transport_splice_to(struct transport *transport, struct pipe *pipe)
{
	ssize_t put;

	if (!transport->can_write)
		return TRANSPORT_AGAIN;
	do
		put = splice(pipe->read_fd, NULL, transport->source.fd, NULL, pipe->filled,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (put == -1 && errno == EINTR);
	if (put > 0) {
		pipe->filled -= (uint32_t)put;
		return put;
	}
	transport->can_write = false;
	return put == -1 && errno == EAGAIN ? TRANSPORT_AGAIN : TRANSPORT_BROKEN;
}

void transport_finish(struct transport *transport)
{
	if (transport->tls != NULL && !tls_finish(transport->tls))
		return;
	/* fails only where the connection is gone already */
	(void)shutdown(transport->source.fd, SHUT_WR);
}

bool transport_has_news(struct transport *transport)
{
	if (transport->tls != NULL)
		return tls_has_news(transport->tls);
	return socket_has_news(transport->source.fd);
}

bool transport_has_begun(const struct transport *transport)
{
	return transport->tls != NULL && tls_has_begun(transport->tls);
}

bool transport_is_cut(const struct transport *transport)
{
	return transport->tls != NULL && transport->tls->is_cut;
}

const char *transport_failure(const struct transport *transport)
{
	return transport->tls == NULL ? NULL : tls_failure(transport->tls);
}

bool transport_is_distrusted(const struct transport *transport)
{
	return transport->tls != NULL && tls_is_distrusted(transport->tls);
}

bool transport_tls(const struct transport *transport, struct transport_tls *facts)
{
	return transport->tls != NULL && tls_facts(transport->tls, facts);
}
