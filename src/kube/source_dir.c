/* SPDX-License-Identifier: Apache-2.0 */
/* The directory source: the loop and inotify on one side, the tree of directories (directory_tree.c) and
 * what their files say (manifest_set.c) on the other.
 *
 * Events only tell where to look: what is there is asked of the file system when the whole batch was read, so
 * that a file that came, changed and went in one batch is looked at once.
 */
#include "kube/source_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/memory.h"
#include "kube/directory_tree.h"
#include "kube/manifest_set.h"

/* A batch of events; one is at most its struct and a file name. */
enum { EVENTS_SIZE = 64 << 10 };

struct source_dir {
	struct loop *loop;
	struct loop_source inotify;
	struct loop_task first; /* the first list, at the end of the turn */
	const struct source_sink *sink;
	struct manifest_set *set;
	struct directory_tree *tree;
	bool scanned; /* for the first time; listed, where there was a directory */
	bool listed;
	char *events;
};

static void settle(struct source_dir *source)
{
	bool changed = manifest_set_settle(source->set);

	/* a directory that is not there was not listed: nobody may take it for an empty one */
	if (!source->listed && directory_tree_has_root(source->tree)) {
		source->listed = true;
		source->sink->on_listed(source->sink->owner);
		changed = true;
	}
	if (changed)
		source->sink->on_settled(source->sink->owner,
					 manifest_set_diagnostics(source->set));
}

/* One read may hold many events. False: there are no more. */
static bool read_events(struct source_dir *source)
{
	ssize_t got = read(source->inotify.fd, source->events, EVENTS_SIZE);

	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(source->events + at);

		directory_tree_note(source->tree, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return got > 0 || (got == -1 && errno == EINTR);
}

static void on_ready(struct loop_source *inotify, uint32_t events)
{
	struct source_dir *source = container_of(inotify, struct source_dir, inotify);

	(void)events; /* an inotify descriptor has readability alone */
	while (read_events(source))
		;
	/* before the first scan everything is looked at anyway */
	if (!source->scanned)
		return;
	directory_tree_look(source->tree);
	settle(source);
}

static void on_turn_end(struct loop_task *task)
{
	struct source_dir *source = container_of(task, struct source_dir, first);

	directory_tree_scan(source->tree, TREE_READ_CHANGED);
	source->scanned = true;
	settle(source);
}

static void read_again(void *owner, struct span name)
{
	directory_tree_read(((struct source_dir *)owner)->tree, name);
}

struct source_dir *source_dir_start(struct loop *loop, const char *path,
				    const struct source_sink *sink, struct error *err)
{
	struct source_dir *source;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd == -1) {
		error_sys(err, "cannot watch %s: no inotify instance", path);
		return NULL;
	}
	source = memory_new(sizeof(*source));
	source->loop = loop;
	source->sink = sink;
	source->events = memory_new(EVENTS_SIZE);
	source->set = manifest_set_new(sink, read_again, source);
	source->tree = directory_tree_new(path, fd, source->set);
	loop_task_init(&source->first, on_turn_end);
	if (loop_add(loop, &source->inotify, fd, on_ready) == -1) {
		error_sys(err, "cannot watch %s", path);
		close(fd);
		source->inotify.fd = -1;
		source_dir_stop(source);
		return NULL;
	}
	loop_defer(loop, &source->first);
	return source;
}

void source_dir_reread(struct source_dir *source)
{
	directory_tree_scan(source->tree, TREE_READ_ALL);
	settle(source);
}

void source_dir_stop(struct source_dir *source)
{
	if (source == NULL)
		return;
	loop_task_cancel(&source->first);
	loop_close(source->loop, &source->inotify);
	directory_tree_free(source->tree);
	manifest_set_free(source->set);
	free(source->events);
	free(source);
}

/* Once, without a loop. */

/* Within one settle nothing that was given away is asked for again: all files were put before. */
static void read_never(void *owner, struct span name)
{
	(void)owner;
	(void)name;
}

static void read_input(struct manifest_set *set)
{
	enum { PIECE = 64 << 10 };
	struct buf text = {0};
	ssize_t got;

	do {
		got = read(STDIN_FILENO, buf_reserve(&text, PIECE), PIECE);
		if (got > 0)
			text.len += (size_t)got;
	} while (text.len <= SOURCE_DIR_FILE_MAX && (got > 0 || (got == -1 && errno == EINTR)));
	if (got == -1)
		manifest_set_fail(set, S("-"), "cannot read standard input");
	else if (text.len > SOURCE_DIR_FILE_MAX)
		manifest_set_fail(set, S("-"), "standard input is longer than the 16 MiB allowed");
	else
		manifest_set_put(set, S("-"), buf_span(&text), DOCUMENT_ANY);
	if (text.ptr != NULL)
		explicit_bzero(text.ptr, text.room);
	buf_fini(&text);
}

void source_dir_read_once(const char *const *paths, size_t count, const struct source_sink *sink)
{
	struct manifest_set *set = manifest_set_new(sink, read_never, NULL);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(paths[i], "-") == 0)
			read_input(set);
		else
			directory_tree_read_once(paths[i], set);
	}
	manifest_set_settle(set);
	sink->on_listed(sink->owner);
	sink->on_settled(sink->owner, manifest_set_diagnostics(set));
	manifest_set_free(set);
}
