/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/state_key.h"
#include "control/state_writer.h"
#include "table/layout.h"
#include "table/shards.h"

struct state {
	struct loop *loop;
	char *directory;
	int lock; /* descriptor of the directory */
	struct state_content content;
	struct state_key *key;          /* NULL: what is secret is not stored */
	bool waiting[TABLE_KIND_COUNT]; /* to be written */
	struct state_writer writer;
	bool writing[TABLE_KIND_COUNT];
	struct timer pause;
	struct state_figures figures;
};

static void write_path(char path[static PATH_MAX], const char *directory, enum table_kind kind,
		       const char *suffix)
{
	/* state_open refused directories that leave no room for names */
	snprintf(path, PATH_MAX, "%s/%s.segment%s", directory, table_layouts[kind].name, suffix);
}

/* Borrows the bundle, which must be complete. */
static int verify(enum table_kind kind, struct span bundle, struct error *err)
{
	struct shards shards;
	int result;

	shards_init(&shards, kind);
	result = shards_apply(&shards, bundle, NULL, err);
	shards_fini(&shards);
	return result;
}

enum stored { STORED_GOOD, STORED_NONE, STORED_BAD, STORED_UNDER_OTHER_KEY };

static enum stored read_plain(const char *path, struct buf *out, struct error *err)
{
	return file_read(path, TABLE_SEGMENT_MAX, out, err) == 0 ? STORED_GOOD : STORED_NONE;
}

static enum stored read_sealed(const char *path, enum table_kind kind, const struct state_key *key,
			       struct buf *out, struct error *err)
{
	struct buf sealed = {0};
	enum stored stored = STORED_NONE;

	if (file_read(path, (size_t)TABLE_SEGMENT_MAX + STATE_KEY_OVERHEAD, &sealed, err) == 0) {
		switch (state_key_unseal(key, kind, buf_span(&sealed), out, err)) {
		case STATE_KEY_OPENED:
			stored = STORED_GOOD;
			break;
		case STATE_KEY_OTHER:
			stored = STORED_UNDER_OTHER_KEY;
			break;
		case STATE_KEY_BAD:
			stored = STORED_BAD;
			break;
		}
	}
	buf_fini(&sealed);
	return stored;
}

/* key: for what is secret. *out is empty, and is so afterwards unless the table is good. */
static enum stored read_one(const char *path, enum table_kind kind, const struct state_key *key,
			    struct buf *out, struct error *err)
{
	enum stored stored = table_is_secret(kind) ? read_sealed(path, kind, key, out, err)
						   : read_plain(path, out, err);

	if (stored == STORED_GOOD && verify(kind, buf_span(out), err) == -1)
		stored = STORED_BAD;
	if (stored == STORED_BAD)
		error_prefix(err, "%s: ", path);
	if (stored != STORED_GOOD)
		buf_wipe(out);
	return stored;
}

int state_read(const char *directory, enum table_kind kind, struct buf *out, struct error *err)
{
	struct error older;
	char path[PATH_MAX];

	BUG_ON(table_is_secret(kind));
	write_path(path, directory, kind, "");
	if (read_one(path, kind, NULL, out, err) == STORED_GOOD)
		return 0;
	write_path(path, directory, kind, ".previous");
	return read_one(path, kind, NULL, out, &older) == STORED_GOOD ? 0 : -1;
}

static void set_aside(const char *path, const char *directory, enum table_kind kind,
		      const struct error *why)
{
	char aside[PATH_MAX];

	write_path(aside, directory, kind, ".bad");
	log_warn("a stored table is damaged and set aside", "file=\"%s\" to=\"%s\" reason=\"%s\"",
		 path, aside, log_quote(span_from(why->text)));
	if (rename(path, aside) == -1)
		log_warn("the damaged table cannot be renamed", "file=\"%s\" error=%s", path,
			 strerrorname_np(errno));
}

static bool may_be_stored(const struct state *state, enum table_kind kind)
{
	return !table_is_secret(kind) || state->key != NULL;
}

bool state_load(struct state *state, enum table_kind kind, struct buf *out)
{
	static const char *const suffixes[] = {"", ".previous"};
	struct error err;
	char path[PATH_MAX];

	if (!may_be_stored(state, kind))
		return false;
	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		write_path(path, state->directory, kind, suffixes[i]);
		switch (read_one(path, kind, state->key, out, &err)) {
		case STORED_GOOD:
			return true;
		case STORED_BAD:
			set_aside(path, state->directory, kind, &err);
			break;
		case STORED_UNDER_OTHER_KEY:
			log_warn("a stored table is not used, and will be written anew",
				 "file=\"%s\" reason=\"%s\"", path, err.text);
			break;
		case STORED_NONE:
			log_debug("no stored table", "reason=\"%s\"", err.text);
			break;
		}
	}
	return false;
}

static bool has_waiting(const struct state *state)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		if (state->waiting[kind])
			return true;
	return false;
}

static void pause_for(struct state *state, uint32_t ms)
{
	timer_start(loop_timers(state->loop), &state->pause, ms);
}

static void note_success(struct state *state)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		state->figures.written += state->writing[kind];
	if (state->figures.failing)
		log_info("tables are stored again", "directory=\"%s\"", state->directory);
	state->figures.failing = false;
	pause_for(state, STATE_INTERVAL_MS);
}

/* What could not be written waits again. */
static void note_failure(struct state *state, const char *why)
{
	state->figures.failures++;
	if (!state->figures.failing)
		log_warn("tables cannot be stored; traffic is not affected, it is tried again",
			 "directory=\"%s\" reason=\"%s\"", state->directory,
			 log_quote(span_from(why)));
	state->figures.failing = true;
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		state->waiting[kind] |= state->writing[kind];
	pause_for(state, STATE_RETRY_MS);
}

static void on_written(struct state_writer *writer, const char *failure)
{
	struct state *state = container_of(writer, struct state, writer);

	if (failure == NULL)
		note_success(state);
	else
		note_failure(state, failure);
}

/* At once, when nothing is being written and the last time is long enough ago. */
static void write_waiting(struct state *state)
{
	struct error err;

	if (state_writer_is_busy(&state->writer) || timer_is_running(&state->pause) ||
	    !has_waiting(state))
		return;
	memcpy(state->writing, state->waiting, sizeof(state->writing));
	memset(state->waiting, 0, sizeof(state->waiting));
	if (state_writer_start(&state->writer, state->loop, state->directory, state->writing,
			       &state->content, state->key, &err) == -1)
		note_failure(state, err.text);
}

static void on_pause_over(struct timer *timer)
{
	write_waiting(container_of(timer, struct state, pause));
}

void state_store(struct state *state, enum table_kind kind)
{
	if (!may_be_stored(state, kind))
		return;
	state->waiting[kind] = true;
	/* both kinds of one change in one go, and not before they were sent */
	if (!timer_is_running(&state->pause) && !state_writer_is_busy(&state->writer))
		pause_for(state, 0);
}

void state_remove(struct state *state, enum table_kind kind)
{
	static const char *const suffixes[] = {"", ".previous", ".bad", ".new", ".new.tmp"};
	char path[PATH_MAX];

	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		write_path(path, state->directory, kind, suffixes[i]);
		if (unlink(path) == 0)
			log_info("a stored table is removed", "file=\"%s\"", path);
		else if (errno != ENOENT)
			log_warn("a stored table cannot be removed", "file=\"%s\" error=%s", path,
				 strerrorname_np(errno));
	}
}

static void forget_key(struct state *state)
{
	if (state->key != NULL)
		state_key_wipe(state->key);
	free(state->key);
	state->key = NULL;
}

void state_use_key(struct state *state, const struct state_key *key)
{
	forget_key(state);
	state->key = memory_new(sizeof(*state->key));
	*state->key = *key;
}

static int lock_directory(const char *directory, struct error *err)
{
	int fd;

	if (strlen(directory) > PATH_MAX - 64)
		return error_set(err, "the path %.200s… is too long", directory);
	if (mkdir(directory, 0700) == -1 && errno != EEXIST)
		return error_sys(err, "cannot make the state directory %s", directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return error_sys(err, "cannot open the state directory %s", directory);
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		error_set(err, "the state directory %s is in use by another instance", directory);
		close(fd);
		return -1;
	}
	return fd;
}

struct state *state_open(struct loop *loop, const char *directory,
			 const struct state_content *content, struct error *err)
{
	int lock = lock_directory(directory, err);
	struct state *state;

	if (lock == -1)
		return NULL;
	state = memory_new(sizeof(*state));
	state->loop = loop;
	state->lock = lock;
	state->directory = strdup(directory);
	state->content = *content;
	state_writer_init(&state->writer, on_written);
	timer_init(&state->pause, on_pause_over);
	return state;
}

struct state_figures state_figures(const struct state *state)
{
	return state->figures;
}

void state_close(struct state *state)
{
	bool idle = state_writer_finish(&state->writer, STATE_STOP_MS);

	timer_stop(loop_timers(state->loop), &state->pause);
	if (idle && has_waiting(state)) {
		write_waiting(state);
		state_writer_finish(&state->writer, STATE_STOP_MS);
	}
	timer_stop(loop_timers(state->loop), &state->pause);
	close(state->lock);
	forget_key(state);
	free(state->directory);
	free(state);
}
