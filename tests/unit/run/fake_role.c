/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for both roles in tests of run: takes the same command line, and says on standard error what happens to
 * it, one line an event. FAKE_MODE, given by the build, is how it misbehaves.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"
#include "io/socket.h"
#include "ipc/channel.h"
#include "run/sandbox.h"

enum { GOOD, FAILING, DEAF, CRASHING, HANGING_UP, BABBLING, EXPELLING };

/* A stand-in that hung up has nothing left that would tell it of its parent's end. */
enum { PEERS_MAX = 8, LISTENERS_MAX = 8, ALARM_S = 120 };

static struct {
	struct loop *loop;
	bool is_control;
	unsigned worker;
	struct channel run;
	struct channel peers[PEERS_MAX];
	struct loop_source listeners[LISTENERS_MAX];
	unsigned listener_count;
	int access_log;
	unsigned fd_count;
} fake = {.access_log = -1};

#define SAY(event, format, ...)                                                    \
	fprintf(stderr, "fake=%s worker=%u pid=%d at=%llu event=%s " format "\n",  \
		fake.is_control ? "control" : "proxy", fake.worker, (int)getpid(), \
		(unsigned long long)clock_monotonic_ns(), event, ##__VA_ARGS__)

static void list_descriptors(char *text, size_t size)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t used = 0;

	text[0] = '\0';
	while ((entry = readdir(directory)) != NULL) {
		char path[300];
		char target[256];
		ssize_t len;

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		target[strcspn(target, ":[")] = '\0';
		used += (size_t)snprintf(text + used, size - used, "%s=%s,", entry->d_name, target);
	}
	closedir(directory);
}

static void say_start(char **argv)
{
	char fds[1024];
	struct rlimit core;
	const char *secret = getenv("FAKE_SECRET");

	list_descriptors(fds, sizeof(fds));
	getrlimit(RLIMIT_CORE, &core);
	SAY("started", "name=%s fds=%s secret=%s core=%llu argv=%s", argv[0], fds,
	    secret == NULL ? "none" : secret, (unsigned long long)core.rlim_cur, argv[1]);
}

static void on_peer_message(struct channel *channel, const struct message *message, int fd)
{
	struct message ack = {.kind = MESSAGE_ACK, .worker = fake.worker};
	struct message ready = {.kind = MESSAGE_READY};

	if (fd != -1)
		close(fd);
	if (fake.is_control) {
		SAY("ack", "from=%u", message->worker);
		return;
	}
	SAY("segment", "");
	channel_send(channel, &ack, -1);
	channel_send(&fake.run, &ready, -1);
}

static void on_peer_closed(struct channel *channel)
{
	SAY("peer-closed", "peer=%d", (int)(channel - fake.peers));
}

/* The first process of worker 0, again and again; its successors are not meant. */
static void expel(const struct message *peer)
{
	static uint64_t first_pid;
	struct message message = {.kind = MESSAGE_EXPEL, .worker = 0, .text = "it is a fake"};

	if (first_pid == 0)
		first_pid = peer->number;
	message.number = first_pid;
	channel_send(&fake.run, &message, -1);
}

static void meet(const struct message *message, int fd)
{
	struct channel *peer = &fake.peers[fake.is_control ? message->worker : 0];
	struct message segment = {.kind = MESSAGE_SEGMENT};
	struct error err;

	SAY("peer", "peer=%u number=%llu", message->worker, (unsigned long long)message->number);
	channel_stop(peer);
	peer->on_message = on_peer_message;
	peer->on_closed = on_peer_closed;
	if (channel_start(peer, fake.loop, fd, &err) == -1)
		exit(99);
	if (fake.is_control)
		channel_send(peer, &segment, -1);
	if (fake.is_control && FAKE_MODE == EXPELLING)
		expel(message);
}

static void take_access_log(int fd, const char *line)
{
	if (fake.access_log != -1)
		close(fake.access_log);
	fake.access_log = fd;
	if (write(fd, line, strlen(line)) == -1)
		SAY("log-failed", "");
}

static void stop(const struct message *message)
{
	SAY("stop", "number=%llu", (unsigned long long)message->number);
	if (fake.is_control)
		return;
	for (unsigned i = 0; i < fake.listener_count; i++)
		loop_close(fake.loop, &fake.listeners[i]);
	if (FAKE_MODE != DEAF)
		exit(0);
}

static void on_run_message(struct channel *channel, const struct message *message, int fd)
{
	(void)channel;
	switch ((enum message_kind)message->kind) {
	case MESSAGE_PEER:
		meet(message, fd);
		break;
	case MESSAGE_STOP:
		stop(message);
		break;
	case MESSAGE_REREAD:
		SAY("reread", "");
		break;
	case MESSAGE_ACCESS_LOG:
		take_access_log(fd, "again\n");
		SAY("access-log", "");
		break;
	case MESSAGE_WORKER_GONE:
		SAY("worker-gone", "gone=%u deaths=%llu", message->worker,
		    (unsigned long long)message->number);
		break;
	case MESSAGE_READY:
	case MESSAGE_EXPEL:
	case MESSAGE_SEGMENT:
	case MESSAGE_ACK:
	case MESSAGE_KIND_COUNT:
		SAY("nonsense", "kind=%u", message->kind);
		break;
	}
}

static void on_run_closed(struct channel *channel)
{
	(void)channel;
	SAY("end", "");
	exit(0);
}

static void on_connection(struct loop_source *source, uint32_t events)
{
	struct ip_port peer;
	char answer[64];
	int fd = socket_accept(source->fd, &peer);
	int len = snprintf(answer, sizeof(answer), "worker %u pid %d\n", fake.worker,
			   (int)getpid());

	(void)events;
	if (fd == -1)
		return;
	if (write(fd, answer, (size_t)len) == -1)
		SAY("write-failed", "");
	close(fd);
}

static void take_arguments(char **argv)
{
	for (char **at = argv + 2; *at != NULL && strcmp(*at, "--") != 0; at += 2) {
		int number = atoi(at[1]);

		if (strcmp(*at, "--worker") == 0)
			fake.worker = (unsigned)number;
		fake.fd_count += strstr(*at, "-fd") != NULL;
		if (strcmp(*at, "--channel-fd") == 0)
			fake.run.source.fd = number;
		if (strcmp(*at, "--access-log-fd") == 0)
			take_access_log(number, "started\n");
		if (strcmp(*at, "--listener-fd") == 0)
			fake.listeners[fake.listener_count++].fd = number;
	}
}

static void misbehave(void)
{
	struct message nonsense = {.kind = MESSAGE_STOP};

	if (FAKE_MODE == CRASHING)
		exit(1);
	if (FAKE_MODE == HANGING_UP)
		channel_stop(&fake.run);
	if (FAKE_MODE == BABBLING)
		channel_send(&fake.run, &nonsense, -1);
}

int main(int argc, char **argv)
{
	struct error err;
	struct message ready = {.kind = MESSAGE_READY};

	setvbuf(stderr, NULL, _IOLBF, 1024);
	alarm(ALARM_S);
	fake.is_control = argc > 1 && strcmp(argv[1], "control") == 0;
	take_arguments(argv);
	say_start(argv);
	if (FAKE_MODE == FAILING)
		return 2;
	if (sandbox_enter_role(fake.fd_count, &err) == -1)
		return 98;
	fake.loop = loop_new(&err);
	fake.run.on_message = on_run_message;
	fake.run.on_closed = on_run_closed;
	if (channel_start(&fake.run, fake.loop, fake.run.source.fd, &err) == -1)
		return 97;
	for (unsigned i = 0; i < fake.listener_count; i++)
		loop_add_level(fake.loop, &fake.listeners[i], fake.listeners[i].fd, on_connection);
	if (fake.is_control)
		channel_send(&fake.run, &ready, -1);
	misbehave();
	loop_run(fake.loop);
	return 0;
}
