/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* Messages taken in one go; a talkative end must not starve the others. */
enum { READS_AT_ONCE = 64 };

/* A message that waits for room. */
struct waiting {
	struct list link;
	struct message message;
	int fd;
};

/* Room for one descriptor; the alignment lets the kernel deliver two, so a second one is looked for. */
union ancillary {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

enum received { RECEIVED_MESSAGE, RECEIVED_NOTHING, RECEIVED_END };

int channel_pair(int fds[static 2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1)
		return error_sys(err, "cannot make a pair of sockets between two processes");
	return 0;
}

/* Takes the descriptors of a packet: *fd becomes the only one, or -1. False where there are more. */
static bool take_descriptors(struct msghdr *header, int *fd)
{
	bool single = true;

	*fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		     at += sizeof(int)) {
			int one;

			memcpy(&one, CMSG_DATA(c) + at, sizeof(one));
			if (*fd == -1) {
				*fd = one;
				continue;
			}
			close(one);
			single = false;
		}
	}
	return single && (header->msg_flags & MSG_CTRUNC) == 0;
}

static bool is_well_formed(const struct message *message)
{
	return message->kind < MESSAGE_KIND_COUNT &&
	       memchr(message->text, '\0', sizeof(message->text)) != NULL;
}

static enum received receive(int socket, struct message *message, int *fd)
{
	struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
	union ancillary ancillary;
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &ancillary,
				.msg_controllen = sizeof(ancillary)};
	ssize_t got;

	do
		got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN ? RECEIVED_NOTHING : RECEIVED_END;
	if (take_descriptors(&header, fd) && got == (ssize_t)sizeof(*message) &&
	    (header.msg_flags & MSG_TRUNC) == 0 && is_well_formed(message))
		return RECEIVED_MESSAGE;
	if (*fd != -1)
		close(*fd);
	return RECEIVED_END;
}

static void end(struct channel *channel)
{
	channel_stop(channel);
	channel->on_closed(channel);
}

static void read_messages(struct channel *channel)
{
	struct message message;
	int fd;

	for (int i = 0; i < READS_AT_ONCE; i++) {
		switch (receive(channel->source.fd, &message, &fd)) {
		case RECEIVED_MESSAGE:
			channel->on_message(channel, &message, fd);
			break;
		case RECEIVED_NOTHING:
			return;
		case RECEIVED_END:
			end(channel);
			return;
		}
		if (!channel_is_open(channel) || channel->broken)
			return;
	}
	loop_defer(channel->loop, &channel->task);
}

/* 1: sent, or there is nobody to send to; 0: no room; -1: it will never go. */
static int try_send(int socket, const struct message *message, int fd)
{
	struct iovec part = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	union ancillary ancillary = {0};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t sent;

	if (fd != -1) {
		header.msg_control = &ancillary;
		header.msg_controllen = CMSG_SPACE(sizeof(fd));
		ancillary.header.cmsg_level = SOL_SOCKET;
		ancillary.header.cmsg_type = SCM_RIGHTS;
		ancillary.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(socket, &header, MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	/* nobody there: the end will be read, after what the other one said before it went */
	if (sent != -1 || errno == EPIPE || errno == ECONNRESET)
		return 1;
	return errno == EAGAIN ? 0 : -1;
}

static void break_at_turn_end(struct channel *channel)
{
	channel->broken = true;
	loop_defer(channel->loop, &channel->task);
}

static void drop_waiting(struct channel *channel, struct waiting *waiting)
{
	list_remove(&waiting->link);
	channel->waiting_count--;
	if (waiting->fd != -1)
		close(waiting->fd);
	free(waiting);
}

static void send_waiting(struct channel *channel)
{
	list_for_each_safe (link, &channel->waiting) {
		struct waiting *first = container_of(link, struct waiting, link);
		int sent = try_send(channel->source.fd, &first->message, first->fd);

		if (sent == 0)
			return;
		if (sent == -1) {
			break_at_turn_end(channel);
			return;
		}
		drop_waiting(channel, first);
	}
}

static void wait_for_room(struct channel *channel, const struct message *message, int fd)
{
	int kept = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct waiting *waiting;

	if (channel->waiting_count == CHANNEL_WAITING_MAX || (fd != -1 && kept == -1)) {
		if (kept != -1)
			close(kept);
		break_at_turn_end(channel);
		return;
	}
	waiting = memory_new(sizeof(*waiting));
	waiting->message = *message;
	waiting->fd = kept;
	list_add_last(&channel->waiting, &waiting->link);
	channel->waiting_count++;
}

void channel_send(struct channel *channel, const struct message *message, int fd)
{
	int sent = 0;

	if (!channel_is_open(channel) || channel->broken)
		return;
	if (list_is_empty(&channel->waiting))
		sent = try_send(channel->source.fd, message, fd);
	if (sent == 0)
		wait_for_room(channel, message, fd);
	else if (sent == -1)
		break_at_turn_end(channel);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct channel *channel = container_of(source, struct channel, source);

	if ((events & EPOLLOUT) != 0)
		send_waiting(channel);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR)) != 0 && !channel->broken)
		read_messages(channel);
}

static void on_turn_end(struct loop_task *task)
{
	struct channel *channel = container_of(task, struct channel, task);

	if (channel->broken)
		end(channel);
	else
		read_messages(channel);
}

int channel_start(struct channel *channel, struct loop *loop, int fd, struct error *err)
{
	channel->loop = loop;
	channel->waiting_count = 0;
	channel->broken = false;
	list_init(&channel->waiting);
	loop_task_init(&channel->task, on_turn_end);
	if (loop_add(loop, &channel->source, fd, on_ready) == -1) {
		error_sys(err, "cannot watch a channel");
		close(fd);
		return -1;
	}
	return 0;
}

void channel_stop(struct channel *channel)
{
	if (!channel_is_open(channel))
		return;
	loop_task_cancel(&channel->task);
	list_for_each_safe (link, &channel->waiting)
		drop_waiting(channel, container_of(link, struct waiting, link));
	loop_close(channel->loop, &channel->source);
}

bool channel_is_open(const struct channel *channel)
{
	/* all zero before the first start */
	return channel->loop != NULL && channel->source.fd != -1;
}
