/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "control/state_key.h"
#include "table/layout.h"

/* Where the child finds its descriptor: all others are closed. */
enum { CHILD_WORDS = 3 };

void state_writer_init(struct state_writer *writer,
		       void (*on_written)(struct state_writer *writer, const char *failure))
{
	*writer = (struct state_writer){.on_written = on_written, .words = -1};
	writer->child.fd = -1;
}

static int sync_directory(const char *directory, struct error *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int synced;

	if (fd == -1)
		return error_sys(err, "cannot open %s", directory);
	synced = fsync(fd);
	if (synced == -1)
		error_sys(err, "cannot sync %s", directory);
	close(fd);
	return synced;
}

/* The one that was there moves only after the new one is whole: a full disk costs nothing that was stored. */
static int write_table(const char *directory, enum table_kind kind, struct span content,
		       struct error *err)
{
	const char *name = table_layouts[kind].name;
	char path[PATH_MAX];
	char fresh[PATH_MAX];
	char previous[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.segment", directory, name);
	snprintf(fresh, sizeof(fresh), "%s/%s.segment.new", directory, name);
	snprintf(previous, sizeof(previous), "%s/%s.segment.previous", directory, name);
	if (file_replace(fresh, content, 0600, err) == -1)
		return -1;
	if (rename(path, previous) == -1 && errno != ENOENT)
		return error_sys(err, "cannot rename %s", path);
	if (rename(fresh, path) == -1)
		return error_sys(err, "cannot rename %s", fresh);
	return sync_directory(directory, err);
}

static int write_sealed(const char *directory, enum table_kind kind, struct span content,
			const struct state_key *key, struct error *err)
{
	struct buf sealed = {0};
	int written = state_key_seal(key, kind, content, &sealed, err);

	if (written == 0)
		written = write_table(directory, kind, buf_span(&sealed), err);
	buf_fini(&sealed);
	return written;
}

static int write_kind(const char *directory, enum table_kind kind,
		      const struct state_content *content, const struct state_key *key,
		      struct error *err)
{
	struct buf bytes = {0};
	int written;

	content->write(content->owner, kind, &bytes);
	written = table_is_secret(kind) ? write_sealed(directory, kind, buf_span(&bytes), key, err)
					: write_table(directory, kind, buf_span(&bytes), err);
	buf_wipe(&bytes);
	return written;
}

static int write_tables(const char *directory, const bool kinds[static TABLE_KIND_COUNT],
			const struct state_content *content, const struct state_key *key,
			struct error *err)
{
	/* what routes name goes before them: without it they would answer 503 after a crash in between */
	static const enum table_kind order[] = {TABLE_ENDPOINTS, TABLE_CERTIFICATES, TABLE_ROUTES};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (kinds[order[i]] && write_kind(directory, order[i], content, key, err) == -1)
			return -1;
	return 0;
}

_Noreturn static void run_child(const char *directory, int words,
				const bool kinds[static TABLE_KIND_COUNT],
				const struct state_content *content, const struct state_key *key)
{
	struct error err;

	/* sockets of the parent must not live on in the child */
	words = dup2(words, CHILD_WORDS);
	close_range(CHILD_WORDS + 1, ~0U, 0);
	/* tells the parent that its descriptors are its own again */
	if (write(words, "", 1) != 1)
		_exit(1);
	if (write_tables(directory, kinds, content, key, &err) == 0)
		_exit(0);
	/* without these words the status alone says that it failed */
	(void)!write(words, err.text, strlen(err.text));
	_exit(1);
}

/* Until the child closed its copies: a loop_source of the parent that is closed meanwhile would stay registered. */
static void wait_for_child(int words)
{
	char byte;

	while (read(words, &byte, 1) == -1 && errno == EINTR)
		;
}

static void forget(struct state_writer *writer)
{
	loop_close(writer->loop, &writer->child);
	close(writer->words);
	writer->words = -1;
	writer->pid = 0;
}

static void on_child_end(struct loop_source *source, uint32_t events)
{
	struct state_writer *writer = container_of(source, struct state_writer, child);
	char text[sizeof(((struct error *)NULL)->text)];
	int status = -1;
	ssize_t len;

	(void)events; /* a pid descriptor knows one event only */
	if (waitpid(writer->pid, &status, WNOHANG) == 0)
		return;
	len = read(writer->words, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	forget(writer);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		writer->on_written(writer, NULL);
	else
		writer->on_written(writer,
				   text[0] == '\0' ? "the writing process ended early" : text);
}

int state_writer_start(struct state_writer *writer, struct loop *loop, const char *directory,
		       const bool kinds[static TABLE_KIND_COUNT],
		       const struct state_content *content, const struct state_key *key,
		       struct error *err)
{
	int words[2];
	int pid_fd;
	pid_t pid;

	if (pipe2(words, O_CLOEXEC) == -1)
		return error_sys(err, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		run_child(directory, words[1], kinds, content, key);
	close(words[1]);
	if (pid == -1) {
		error_sys(err, "cannot start the writing process");
		close(words[0]);
		return -1;
	}
	wait_for_child(words[0]);
	pid_fd = pidfd_open(pid, 0);
	writer->loop = loop;
	writer->pid = pid;
	writer->words = words[0];
	if (pid_fd == -1 || loop_add_level(loop, &writer->child, pid_fd, on_child_end) == -1) {
		error_sys(err, "cannot watch the writing process");
		if (pid_fd != -1)
			close(pid_fd);
		/* it ends by itself; waiting is all that is left */
		waitpid(pid, NULL, 0);
		forget(writer);
		return -1;
	}
	return 0;
}

bool state_writer_is_busy(const struct state_writer *writer)
{
	return writer->pid != 0;
}

bool state_writer_finish(struct state_writer *writer, int timeout_ms)
{
	struct pollfd waiting = {.fd = writer->child.fd, .events = POLLIN};

	if (writer->pid == 0)
		return true;
	if (poll(&waiting, 1, timeout_ms) != 1) {
		forget(writer);
		return false;
	}
	on_child_end(&writer->child, 0);
	return true;
}
