/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table_source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "compile/compile.h"
#include "control/handout.h"
#include "control/state.h"
#include "io/loop.h"
#include "ipc/channel.h"
#include "kube/source_dir.h"
#include "table/layout.h"
#include "table/seal.h"

/* An instance answers at once or hangs. */
enum { ANSWER_MAX_MS = 5000 };

static void init(struct table_source *source)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		shards_init(&source->tables[kind], kind);
}

static void give_back(struct span bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}

/* bytes are taken. */
static int take_bytes(struct table_source *source, enum table_kind kind, struct buf *bytes,
		      struct error *err)
{
	return shards_apply(&source->tables[kind], buf_span(bytes), give_back, err);
}

static int take_memory(struct table_source *source, enum table_kind kind, int fd, struct error *err)
{
	struct span bytes;

	if (seal_map(fd, &bytes, err) == -1)
		return -1;
	return shards_apply(&source->tables[kind], bytes, seal_unmap, err);
}

/* What a running instance hands out, as it comes in. */
struct receiving {
	struct channel channel;
	struct timer timer;
	struct loop *loop;
	struct table_source *source;
	struct error *err;
	int result;
};

static void on_message(struct channel *channel, const struct message *message, int fd)
{
	struct receiving *receiving = channel->owner;
	struct table_source *source = receiving->source;

	if (fd == -1)
		return;
	if (message->kind == MESSAGE_SEGMENT && message->table < TABLE_KIND_COUNT &&
	    !table_source_has(source, message->table)) {
		if (take_memory(source, message->table, fd, receiving->err) == -1)
			receiving->result = -1;
	}
	close(fd);
}

static void on_closed(struct channel *channel)
{
	struct receiving *receiving = channel->owner;

	loop_stop(receiving->loop);
}

static void on_late(struct timer *timer)
{
	struct receiving *receiving = container_of(timer, struct receiving, timer);

	receiving->result = error_set(receiving->err, "the running instance does not answer");
	loop_stop(receiving->loop);
}

/* fd is taken. */
static int receive(struct table_source *source, int fd, struct error *err)
{
	struct receiving receiving = {.source = source, .err = err};

	receiving.loop = loop_new(err);
	if (receiving.loop == NULL) {
		close(fd);
		return -1;
	}
	receiving.channel.owner = &receiving;
	receiving.channel.on_message = on_message;
	receiving.channel.on_closed = on_closed;
	receiving.result = channel_start(&receiving.channel, receiving.loop, fd, err);
	if (receiving.result == 0) {
		timer_init(&receiving.timer, on_late);
		timer_start(loop_timers(receiving.loop), &receiving.timer, ANSWER_MAX_MS);
		loop_run(receiving.loop);
		timer_stop(loop_timers(receiving.loop), &receiving.timer);
		channel_stop(&receiving.channel);
	}
	loop_free(receiving.loop);
	return receiving.result;
}

static int read_stored(struct table_source *source, const char *directory, struct error *err)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++) {
		struct buf bytes = {0};

		if (table_is_secret(kind))
			continue;
		if (state_read(directory, kind, &bytes, err) == -1 ||
		    take_bytes(source, kind, &bytes, err) == -1)
			return -1;
	}
	return 0;
}

int table_source_open_state(struct table_source *source, const char *directory, struct error *err)
{
	struct error not_running;
	int fd;
	int result;

	init(source);
	fd = handout_connect(directory, &not_running);
	result = fd != -1 ? receive(source, fd, err) : read_stored(source, directory, err);
	if (result == 0 && !table_source_has(source, TABLE_ROUTES) &&
	    !table_source_has(source, TABLE_ENDPOINTS))
		result = error_set(err, "the running instance has no table yet");
	if (result == -1)
		table_source_close(source);
	return result;
}

static int find_kind(struct span bytes, const char *path, struct error *err)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		if (span_starts_with(bytes, span_make(table_layouts[kind].magic,
						      sizeof(((struct table_header *)0)->magic))))
			return (int)kind;
	return error_set(err, "%s is not a segment of a table", path);
}

int table_source_open_file(struct table_source *source, const char *path, struct error *err)
{
	struct buf bytes = {0};
	int kind;

	init(source);
	if (file_read(path, TABLE_SEGMENT_MAX, &bytes, err) == -1) {
		buf_fini(&bytes);
		return -1;
	}
	kind = find_kind(buf_span(&bytes), path, err);
	if (kind == -1) {
		buf_fini(&bytes);
		return -1;
	}
	if (take_bytes(source, (enum table_kind)kind, &bytes, err) == -1)
		return error_prefix(err, "%s: ", path);
	return 0;
}

struct objects {
	struct store store;
	struct diagnostics diagnostics; /* for `ingot check`, not for us */
};

static void on_upsert(void *owner, struct object *object)
{
	struct objects *objects = owner;

	store_upsert(&objects->store, object);
}

static void on_delete(void *owner, enum object_kind kind, struct span namespace, struct span name)
{
	struct objects *objects = owner;

	store_delete(&objects->store, kind, namespace, name);
}

static void on_listed(void *owner)
{
	(void)owner;
}

static void on_settled(void *owner, const struct diagnostics *diagnostics)
{
	(void)owner;
	(void)diagnostics;
}

static int compile(struct table_source *source, struct objects *objects,
		   const struct model_options *options, struct error *err)
{
	int64_t now_s = (int64_t)(clock_wall_ns() / 1000000000);
	struct model *model = model_build(&objects->store, options, now_s, &objects->diagnostics);
	struct compiler *compiler = compiler_new(NULL);
	struct buf routes = {0};
	struct buf endpoints = {0};
	int result = 0;

	/* a part that is too large is missed below */
	compiler_note(compiler, model, NULL, 1);
	(void)compile_routes(compiler, model, options, 1, clock_wall_ns(), &routes);
	(void)compile_endpoints(compiler, &objects->store, options, 1, clock_wall_ns(), &endpoints);
	if (take_bytes(source, TABLE_ROUTES, &routes, err) == -1)
		result = -1;
	if (take_bytes(source, TABLE_ENDPOINTS, &endpoints, err) == -1)
		result = -1;
	compiler_free(compiler);
	model_free(model);
	return result;
}

int table_source_open_manifests(struct table_source *source, const char *directory,
				const char *ingress_class, struct error *err)
{
	struct model_options options = {
		.ingress_class = span_from(ingress_class),
		.controller_class = S("k8s.io/ingress-nginx"),
		.allow_external_name = true,
		.tenant_destinations_free = true,
	};
	struct objects objects;
	struct source_sink sink = {
		.owner = &objects,
		.on_upsert = on_upsert,
		.on_delete = on_delete,
		.on_listed = on_listed,
		.on_settled = on_settled,
	};
	int result;

	init(source);
	if (access(directory, R_OK) == -1)
		return error_sys(err, "cannot read %s", directory);
	store_init(&objects.store);
	diagnostics_init(&objects.diagnostics);
	source_dir_read_once(&directory, 1, &sink);
	result = compile(source, &objects, &options, err);
	store_fini(&objects.store);
	diagnostics_fini(&objects.diagnostics);
	if (result == -1)
		table_source_close(source);
	return result;
}

void table_source_close(struct table_source *source)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		shards_fini(&source->tables[kind]);
}
