/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/certificate.h"
#include "model/cipher_list.h"
#include "model/class.h"
#include "model/from_ingress.h"
#include "model/host.h"
#include "model/settings.h"
#include "model/upstream.h"

/* Ingresses whose intents are to be made anew. */
struct revision {
	struct build *build;
	const struct ingress **ingresses;
	size_t count;
	size_t room;
};

struct model *model_new(const struct store *store, const struct model_options *options,
			const struct diagnostic_sink *sink)
{
	struct build *build = memory_new(sizeof(*build));

	build->store = store;
	build->options = options;
	build->sink = sink;
	build->judge = cipher_judge_new();
	map_init(&build->model.hosts_by_name);
	list_init(&build->model.hosts);
	map_init(&build->model.upstreams_by_key);
	list_init(&build->model.upstreams);
	map_init(&build->model.certificates_by_name);
	list_init(&build->model.certificates);
	arena_init(&build->lasting, NULL, 0, SIZE_MAX);
	arena_init(&build->arena, NULL, 0, SIZE_MAX);
	map_init(&build->intents);
	list_map_init(&build->intents_by_service);
	list_map_init(&build->intents_by_secret);
	list_map_init(&build->intents_by_miss);
	list_map_init(&build->upstreams_by_service);
	map_init(&build->refused);
	map_init(&build->certificates);
	list_init(&build->unheld_certificates);
	list_init(&build->gone_certificates);
	list_init(&build->unheld);
	list_init(&build->undecided);
	list_init(&build->old_hosts);
	list_init(&build->gone_hosts);
	list_init(&build->gone_upstreams);
	return &build->model;
}

static struct build *build_of(struct model *model)
{
	return container_of(model, struct build, model);
}

struct span build_join(struct arena *arena, const struct span *parts, size_t count)
{
	size_t length = 0;
	char *text;
	char *at;

	for (size_t i = 0; i < count; i++)
		length += parts[i].len;
	text = at = arena_take_bytes(arena, length + 1);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].ptr, parts[i].len);
		at += parts[i].len;
	}
	*at = '\0';
	return span_make(text, length);
}

static void note(const struct span **names, size_t *count, size_t *room, struct span name)
{
	struct span *grown = memory_grow_array((void *)(uintptr_t)*names, room, *count + 1,
					       sizeof(**names));

	grown[(*count)++] = name;
	*names = grown;
}

void build_note_host(struct build *build, struct span name)
{
	struct model_changes *changes = &build->changes;

	if (!changes->everything)
		note(&changes->hosts, &changes->host_count, &build->host_room, name);
}

void build_note_upstream(struct build *build, struct span key)
{
	struct model_changes *changes = &build->changes;

	if (!changes->everything)
		note(&changes->upstreams, &changes->upstream_count, &build->upstream_room, key);
}

void build_note_certificate(struct build *build, struct span name)
{
	struct model_changes *changes = &build->changes;

	if (!changes->everything)
		note(&changes->certificates, &changes->certificate_count, &build->certificate_room,
		     name);
}

static void free_intents(struct build *build)
{
	struct map_entry *entry = map_next(&build->intents, NULL);

	while (entry != NULL) {
		struct intent *intent = container_of(entry, struct intent, by_name);

		entry = map_next(&build->intents, entry);
		intent_free(build, intent);
	}
}

/* The only secret of the settings; its memory is ours. */
static void wipe_ticket_key(struct build *build)
{
	struct span *key = &build->model.settings.ticket_key;

	if (key->len > 0)
		explicit_bzero((char *)(uintptr_t)key->ptr, key->len);
	*key = S("");
}

/* The model is empty, but for certificates, of which those that are not asked for again go at the end. */
static void clear(struct build *build)
{
	free_intents(build);
	host_free_all(build);
	upstream_free_all(build);
	certificate_release_all(build);
	diagnostics_drop(&build->general, build->sink);
	wipe_ticket_key(build);
	arena_fini(&build->lasting);
	arena_init(&build->lasting, NULL, 0, SIZE_MAX);
}

void model_free(struct model *model)
{
	struct build *build;

	if (model == NULL)
		return;
	build = build_of(model);
	build->sink = NULL;
	clear(build);
	certificate_free_all(build);
	map_fini(&model->certificates_by_name);
	map_fini(&build->certificates);
	list_map_fini(&build->intents_by_secret);
	map_fini(&model->hosts_by_name);
	map_fini(&model->upstreams_by_key);
	map_fini(&build->intents);
	map_fini(&build->refused);
	list_map_fini(&build->intents_by_service);
	list_map_fini(&build->intents_by_miss);
	list_map_fini(&build->upstreams_by_service);
	arena_fini(&build->lasting);
	arena_fini(&build->arena);
	free((void *)(uintptr_t)build->changes.hosts);
	free((void *)(uintptr_t)build->changes.upstreams);
	free((void *)(uintptr_t)build->changes.certificates);
	cipher_judge_free(build->judge);
	free(build);
}

/*
 * What everything depends on
 */

static void read_config(struct build *build)
{
	struct config *config = arena_take_zero(&build->lasting, sizeof(*config));
	struct span name = build->options->config_map;
	struct span namespace = span_cut(&name, '/');
	const struct config_map *map = store_find_config_map(build->store, namespace, name);

	build->denied = false;
	build->dh_secret = S("");
	settings_default(config, &build->lasting);
	if (map != NULL)
		settings_read(build, map, config);
	build->model.settings = config->settings;
	build->policy = &config->policy;
}

static void read_general(struct build *build)
{
	build->diagnostics = diagnostics_new();
	read_config(build);
	build->classes = class_read(build);
	build->default_target = upstream_default(build);
	certificate_read_defaults(build);
	diagnostics_replace(&build->general, build->diagnostics, build->sink);
}

static bool has_changed(const struct build *build, enum object_kind kind, struct span name)
{
	return name.len > 0 && map_find(&build->store->changes.changed[kind], name) != NULL;
}

static bool concerns_everything(const struct build *build)
{
	const struct store_changes *changes = &build->store->changes;

	return changes->everything || changes->changed[OBJECT_INGRESS_CLASS].count > 0 ||
	       has_changed(build, OBJECT_CONFIG_MAP, build->options->config_map) ||
	       has_changed(build, OBJECT_SERVICE, build->options->default_backend) ||
	       has_changed(build, OBJECT_SECRET, build->options->default_certificate) ||
	       has_changed(build, OBJECT_SECRET, build->dh_secret);
}

/*
 * What is to be made anew
 */

static void revise(struct revision *revision, const struct object *object)
{
	struct span watched = revision->build->options->watch_namespace;

	if (watched.len > 0 && !span_equals(watched, object->namespace))
		return;
	revision->ingresses = memory_grow_array(revision->ingresses, &revision->room,
						revision->count + 1, sizeof(*revision->ingresses));
	revision->ingresses[revision->count++] = (const struct ingress *)object;
}

static void revise_all(struct revision *revision)
{
	struct build *build = revision->build;
	const struct map *all = &build->store->objects[OBJECT_INGRESS];

	clear(build);
	for (struct map_entry *at = map_next(all, NULL); at != NULL; at = map_next(all, at))
		revise(revision, container_of(at, struct object, by_name));
	host_add_other(build);
	read_general(build);
}

/* Those that did not change themselves: their intents go, to be made anew. */
static void revise_intent(struct revision *revision, struct intent *intent)
{
	revise(revision, &intent->ingress->object);
	intent_free(revision->build, intent);
}

static void revise_changed(struct revision *revision)
{
	const struct map *changed = &revision->build->store->changes.changed[OBJECT_INGRESS];

	for (struct map_entry *at = map_next(changed, NULL); at != NULL;
	     at = map_next(changed, at)) {
		struct store_change *change = container_of(at, struct store_change, by_name);
		struct intent *intent = intent_find(revision->build, at->key);

		if (intent != NULL)
			intent_free(revision->build, intent);
		if (change->after != NULL)
			revise(revision, change->after);
	}
}

/* Where a Service came or went, others of the namespace may be told of another that they might have meant. */
static void revise_misses(struct revision *revision, const struct store_change *change)
{
	const struct object *object = change->before == NULL ? change->after : change->before;
	struct list *misses;

	if (object == NULL || (change->before != NULL && change->after != NULL))
		return;
	while ((misses = list_map_find(&revision->build->intents_by_miss, object->namespace)) !=
	       NULL)
		revise_intent(revision, container_of(misses->next, struct intent, of_miss));
}

static void revise_service(struct revision *revision, const struct store_change *change)
{
	struct build *build = revision->build;
	struct list *uses;

	while ((uses = list_map_find(&build->intents_by_service, change->by_name.key)) != NULL)
		revise_intent(revision,
			      container_of(uses->next, struct object_use, of_object)->intent);
	revise_misses(revision, change);
	upstream_forget_service(build, change->by_name.key);
}

/* Certificates first, so that who is made anew finds what the Secret holds now. */
static void read_secrets(struct build *build)
{
	const struct map *secrets = &build->store->changes.changed[OBJECT_SECRET];

	if (build->store->changes.everything)
		certificate_read_all_again(build);
	for (struct map_entry *at = map_next(secrets, NULL); at != NULL; at = map_next(secrets, at))
		certificate_read_again(build, at->key);
}

static void revise_secrets(struct revision *revision)
{
	struct build *build = revision->build;
	const struct map *secrets = &build->store->changes.changed[OBJECT_SECRET];
	struct list *uses;

	for (struct map_entry *at = map_next(secrets, NULL); at != NULL; at = map_next(secrets, at))
		while ((uses = list_map_find(&build->intents_by_secret, at->key)) != NULL)
			revise_intent(
				revision,
				container_of(uses->next, struct object_use, of_object)->intent);
}

static void revise_dependents(struct revision *revision)
{
	const struct map *services = &revision->build->store->changes.changed[OBJECT_SERVICE];

	/* first those that changed: their objects may be gone */
	revise_changed(revision);
	for (struct map_entry *at = map_next(services, NULL); at != NULL;
	     at = map_next(services, at))
		revise_service(revision, container_of(at, struct store_change, by_name));
	revise_secrets(revision);
}

static int compare(const void *a, const void *b)
{
	return host_compare_age(&(*(const struct ingress *const *)a)->object,
				&(*(const struct ingress *const *)b)->object);
}

/* Oldest first, so that most hosts find those that name them in order. */
static void make_intents(struct revision *revision)
{
	if (revision->count > 0)
		qsort(revision->ingresses, revision->count, sizeof(*revision->ingresses), compare);
	for (size_t i = 0; i < revision->count; i++)
		from_ingress(revision->build, revision->ingresses[i]);
	free(revision->ingresses);
}

static void begin(struct build *build)
{
	host_free_gone(build);
	upstream_free_gone(build);
	certificate_free_gone(build);
	build->changes.host_count = 0;
	build->changes.upstream_count = 0;
	build->changes.certificate_count = 0;
	build->changes.everything = concerns_everything(build);
	build->compared = 0;
}

const struct model_changes *model_update(struct model *model, int64_t now_s)
{
	struct build *build = build_of(model);
	struct revision revision = {.build = build};

	build->now_s = now_s;
	begin(build);
	read_secrets(build);
	if (build->changes.everything)
		revise_all(&revision);
	else
		revise_dependents(&revision);
	make_intents(&revision);
	host_make_old(build);
	upstream_forget_unheld(build);
	upstream_decide(build);
	certificate_forget_unheld(build);
	arena_fini(&build->arena);
	arena_init(&build->arena, NULL, 0, SIZE_MAX);
	return &build->changes;
}

static void append(void *owner, const struct diagnostics *list)
{
	diagnostics_append(owner, list);
}

static void ignore(void *owner, const struct diagnostics *list)
{
	(void)owner;
	(void)list;
}

struct model *model_build(const struct store *store, const struct model_options *options,
			  int64_t now_s, struct diagnostics *diagnostics)
{
	const struct diagnostic_sink sink = {diagnostics, append, ignore};
	struct model *model = model_new(store, options, &sink);

	model_update(model, now_s);
	build_of(model)->sink = NULL;
	return model;
}
