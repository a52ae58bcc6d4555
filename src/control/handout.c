/* SPDX-License-Identifier: Apache-2.0 */
#include "control/handout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "ipc/channel.h"

enum { HANDOUT_BACKLOG = 16, HANDOUT_PER_TURN = 16 };

struct handout {
	struct loop_source listener;
	struct loop *loop;
	struct publisher *publisher;
	int directory; /* to unlink the name at the end */
};

/* The address through a descriptor of the directory: its own path may be longer than sun_path. */
static struct sockaddr_un address_in(int directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory,
		 HANDOUT_NAME);
	return address;
}

/* The other end is a fresh socket with an empty queue: what is sent here fits. */
static void on_message(struct channel *channel, const struct message *message, int fd)
{
	(void)channel;
	(void)message; /* nothing that a reader of tables says counts */
	if (fd != -1)
		close(fd);
}

static void on_closed(struct channel *channel)
{
	(void)channel; /* is stopped right after sending anyway */
}

static void hand_out(struct handout *handout, int client)
{
	struct channel channel = {.on_message = on_message, .on_closed = on_closed};
	struct error err;

	if (channel_start(&channel, handout->loop, client, &err) == -1) {
		log_debug("cannot hand out the table", "reason=\"%s\"", err.text);
		return;
	}
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++) {
		struct message message = {
			.kind = MESSAGE_SEGMENT,
			.table = kind,
			.generation = publisher_generation(handout->publisher, kind),
		};
		int fd = table_is_secret(kind) ? -1 : publisher_bundle_fd(handout->publisher, kind);

		if (fd != -1)
			channel_send(&channel, &message, fd);
	}
	channel_stop(&channel);
}

static void on_connections(struct loop_source *source, uint32_t events)
{
	struct handout *handout = container_of(source, struct handout, listener);

	(void)events; /* level-triggered, for reading only */
	for (int i = 0; i < HANDOUT_PER_TURN; i++) {
		int client = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client == -1)
			return;
		hand_out(handout, client);
	}
}

static int listen_in(int directory, struct error *err)
{
	struct sockaddr_un address = address_in(directory);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return error_sys(err, "cannot make a Unix socket");
	/* the name gets the mode of the socket: nobody else can connect at any moment */
	if (fchmod(fd, 0600) == -1 ||
	    (unlinkat(directory, HANDOUT_NAME, 0) == -1 && errno != ENOENT) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) == -1 ||
	    fchmodat(directory, HANDOUT_NAME, 0600, 0) == -1 || listen(fd, HANDOUT_BACKLOG) == -1) {
		error_sys(err, "cannot listen on " HANDOUT_NAME " in the state directory");
		close(fd);
		return -1;
	}
	return fd;
}

static int open_directory(const char *path, struct error *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd == -1 ? error_sys(err, "cannot open the state directory %s", path) : fd;
}

struct handout *handout_start(struct loop *loop, const char *directory, struct publisher *publisher,
			      struct error *err)
{
	int parent = open_directory(directory, err);
	struct handout *handout;
	int fd;

	if (parent == -1)
		return NULL;
	fd = listen_in(parent, err);
	if (fd == -1) {
		close(parent);
		return NULL;
	}
	handout = memory_new(sizeof(*handout));
	handout->loop = loop;
	handout->publisher = publisher;
	handout->directory = parent;
	if (loop_add_level(loop, &handout->listener, fd, on_connections) == -1) {
		error_sys(err, "cannot watch " HANDOUT_NAME);
		close(fd);
		close(parent);
		free(handout);
		return NULL;
	}
	return handout;
}

void handout_stop(struct handout *handout)
{
	loop_close(handout->loop, &handout->listener);
	/* without it the next one replaces the name; it is only tidier so */
	(void)unlinkat(handout->directory, HANDOUT_NAME, 0);
	close(handout->directory);
	free(handout);
}

int handout_connect(const char *directory, struct error *err)
{
	int parent = open_directory(directory, err);
	struct sockaddr_un address;
	int fd;

	if (parent == -1)
		return -1;
	address = address_in(parent);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) == -1) {
		error_sys(err, "no instance answers in %s", directory);
		if (fd != -1)
			close(fd);
		fd = -1;
	}
	close(parent);
	return fd;
}
