/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a seqpacket Unix socket in the loop: messages with at most one descriptor each. */
#pragma once

#include "io/loop.h"
#include "ipc/message.h"

/* How many messages may wait for room in the socket before the other end is taken for dead. */
enum { CHANNEL_WAITING_MAX = 256 };

struct channel {
	struct loop_source source; /* private to channel.c */
	struct loop *loop;         /* private */
	void *owner;               /* the caller's own */
	/* fd: a descriptor that came along, or -1; the callee takes it. The message is well-formed: its
	 * kind is known, and text is NUL-terminated. May stop the channel, but must leave its memory alone. */
	void (*on_message)(struct channel *channel, const struct message *message, int fd);
	/* The other end is gone, or spoke nonsense (another size). The channel is stopped already. */
	void (*on_closed)(struct channel *channel);
	struct list waiting; /* private: messages that the socket had no room for; bounded */
	uint32_t waiting_count;
	bool broken;           /* private: closed at the end of the turn */
	struct loop_task task; /* private: what is left to read, or the end */
};

/* Two connected ends, close-on-exec and non-blocking. 0 or -1. */
int channel_pair(int fds[static 2], struct error *err);

/* Watches fd, which the channel takes, also where this fails; kept until channel_stop. owner and callbacks
 * are set by the caller before. */
int channel_start(struct channel *channel, struct loop *loop, int fd, struct error *err);

/* Closes this end and drops what waits. Harmless for a channel that is closed, or all zero. */
void channel_stop(struct channel *channel);

bool channel_is_open(const struct channel *channel);

/* Sends, or queues where the socket is full. fd is borrowed (duplicated where it must wait); -1: none. A channel whose
 * other end takes nothing is closed and told so by on_closed at the end of the turn. Harmless for a closed one. */
void channel_send(struct channel *channel, const struct message *message, int fd);
