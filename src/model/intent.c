/* SPDX-License-Identifier: Apache-2.0 */
#include "model/intent.h"

#include <stdlib.h>

#include "base/memory.h"
#include "model/certificate.h"
#include "model/host.h"
#include "model/upstream.h"

enum { SLACK = 16 }; /* for the alignment of each array */

static size_t measure(const struct intent_room *room)
{
	/* a mention has a claim for each of its paths, which has a backend */
	return room->mentions * sizeof(struct mention) + room->backends * sizeof(struct claim) +
	       (room->backends + room->secrets) * sizeof(struct object_use) +
	       room->backends * sizeof(struct hold) + room->secrets * sizeof(struct certificate *) +
	       room->text + 8 * SLACK;
}

static void take_room(struct intent *intent, const struct intent_room *room)
{
	struct arena *arena = &intent->arena;

	intent->mentions = arena_take_zero(arena, room->mentions * sizeof(*intent->mentions));
	intent->services.items = arena_take_zero(arena, room->backends * sizeof(struct object_use));
	intent->held = arena_take_zero(arena, room->backends * sizeof(*intent->held));
	if (room->secrets == 0)
		return;
	intent->secrets.items = arena_take_zero(arena, room->secrets * sizeof(struct object_use));
	intent->certificates = arena_take_zero(arena,
					       room->secrets * sizeof(*intent->certificates));
}

struct intent *intent_new(struct build *build, const struct ingress *ingress,
			  const struct intent_room *room)
{
	size_t first = room == NULL ? 0 : measure(room);
	struct intent *intent = memory_new(sizeof(*intent) + first);

	intent->ingress = ingress;
	intent->by_name.key = ingress->object.by_name.key;
	map_add(&build->intents, &intent->by_name);
	list_init(&intent->of_miss);
	intent->services.index = &build->intents_by_service;
	intent->secrets.index = &build->intents_by_secret;
	arena_init(&intent->arena, intent->first, first, SIZE_MAX);
	if (room == NULL)
		return intent;
	intent->is_served = true;
	build->model.ingress_count++;
	take_room(intent, room);
	return intent;
}

static void end_uses(struct object_uses *uses)
{
	for (uint32_t i = 0; i < uses->count; i++)
		list_map_remove(uses->index, uses->items[i].name, &uses->items[i].of_object);
}

void intent_free(struct build *build, struct intent *intent)
{
	for (uint32_t i = 0; i < intent->mention_count; i++)
		host_remove_mention(build, &intent->mentions[i]);
	end_uses(&intent->services);
	end_uses(&intent->secrets);
	for (uint32_t i = 0; i < intent->held_count; i++)
		upstream_release(build, intent->held[i].upstream, &intent->held[i]);
	for (uint32_t i = 0; i < intent->certificate_count; i++)
		certificate_release(build, intent->certificates[i]);
	list_map_remove(&build->intents_by_miss, intent->missed_in, &intent->of_miss);
	build->model.ingress_count -= intent->is_served;
	map_remove(&build->intents, &intent->by_name);
	diagnostics_drop(&intent->diagnostics, build->sink);
	arena_fini(&intent->arena);
	free(intent);
}

struct intent *intent_find(const struct build *build, struct span name)
{
	struct map_entry *entry = map_find(&build->intents, name);

	return entry == NULL ? NULL : container_of(entry, struct intent, by_name);
}

void intent_use(struct intent *intent, struct object_uses *uses, struct span name)
{
	struct object_use *fresh = &uses->items[uses->count];

	/* most backends of an Ingress are one Service; being noted twice does no harm */
	if (uses->count > 0 && span_equals(fresh[-1].name, name))
		return;
	fresh->intent = intent;
	fresh->name = arena_copy(&intent->arena, name);
	uses->count++;
	list_map_add(uses->index, fresh->name, &fresh->of_object);
}

void intent_miss_service(struct build *build, struct intent *intent)
{
	if (!list_is_empty(&intent->of_miss))
		return;
	/* the object may be gone by the time when this one goes */
	intent->missed_in = arena_copy(&intent->arena, intent->ingress->object.namespace);
	list_map_add(&build->intents_by_miss, intent->missed_in, &intent->of_miss);
}

void intent_hold(struct build *build, struct intent *intent, struct upstream *upstream)
{
	struct hold *hold = &intent->held[intent->held_count++];

	hold->intent = intent;
	hold->upstream = upstream;
	list_init(&hold->of_upstream);
	upstream_hold(build, upstream, hold);
}

void intent_hold_certificate(struct intent *intent, struct certificate *certificate)
{
	certificate_hold(certificate);
	intent->certificates[intent->certificate_count++] = certificate;
}
