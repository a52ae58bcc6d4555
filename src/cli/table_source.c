/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table_source.h"

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

static int verify(struct table_source *source, enum table_kind kind, struct span bytes,
		  struct error *err)
{
	if (kind == TABLE_ROUTES) {
		if (routes_verify(bytes, &source->routes, err) == -1)
			return -1;
		source->has_routes = true;
	} else {
		if (endpoints_verify(bytes, &source->endpoints, err) == -1)
			return -1;
		source->has_endpoints = true;
	}
	return 0;
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
	    source->mapped[message->table].ptr == NULL) {
		if (seal_map(fd, &source->mapped[message->table], receiving->err) == -1 ||
		    verify(source, message->table, source->mapped[message->table],
			   receiving->err) == -1)
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
		if (state_read(directory, kind, &source->bytes[kind], err) == -1 ||
		    verify(source, kind, buf_span(&source->bytes[kind]), err) == -1)
			return -1;
	}
	return 0;
}

int table_source_open_state(struct table_source *source, const char *directory, struct error *err)
{
	struct error not_running;
	int fd;
	int result;

	*source = (struct table_source){0};
	fd = handout_connect(directory, &not_running);
	result = fd != -1 ? receive(source, fd, err) : read_stored(source, directory, err);
	if (result == 0 && !source->has_routes && !source->has_endpoints)
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

	*source = (struct table_source){0};
	if (file_read(path, TABLE_SEGMENT_MAX, &bytes, err) == -1) {
		buf_fini(&bytes);
		return -1;
	}
	kind = find_kind(buf_span(&bytes), path, err);
	if (kind == -1 || verify(source, (enum table_kind)kind, buf_span(&bytes), err) == -1) {
		if (kind != -1)
			error_prefix(err, "%s: ", path);
		buf_fini(&bytes);
		return -1;
	}
	source->bytes[kind] = bytes;
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

static void compile(struct table_source *source, struct objects *objects,
		    const struct model_options *options)
{
	struct model *model = model_build(&objects->store, options, &objects->diagnostics);
	struct ids *ids = ids_new();

	compile_routes(model, options, ids, 1, clock_wall_ns(), &source->bytes[TABLE_ROUTES]);
	compile_endpoints(model, &objects->store, options, ids, 1, clock_wall_ns(),
			  &source->bytes[TABLE_ENDPOINTS], &objects->diagnostics);
	ids_free(ids);
	model_free(model);
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
	int result = 0;

	*source = (struct table_source){0};
	if (access(directory, R_OK) == -1)
		return error_sys(err, "cannot read %s", directory);
	store_init(&objects.store);
	diagnostics_init(&objects.diagnostics);
	source_dir_read_once(&directory, 1, &sink);
	compile(source, &objects, &options);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT && result == 0; kind++)
		result = verify(source, kind, buf_span(&source->bytes[kind]), err);
	store_fini(&objects.store);
	diagnostics_fini(&objects.diagnostics);
	if (result == -1)
		table_source_close(source);
	return result;
}

void table_source_close(struct table_source *source)
{
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++) {
		if (source->mapped[kind].ptr != NULL)
			seal_unmap(source->mapped[kind]);
		buf_fini(&source->bytes[kind]);
	}
	*source = (struct table_source){0};
}
