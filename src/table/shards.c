/* SPDX-License-Identifier: Apache-2.0 */
#include "table/shards.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/memory.h"
#include "table/hash.h"

void shards_init(struct shards *shards, enum table_kind kind)
{
	*shards = (struct shards){.kind = kind};
	list_init(&shards->replaced);
}

/* How many bytes that gave back. */
static size_t leave_memory(struct shard_memory *memory)
{
	size_t size = memory->bytes.len;

	if (--memory->shards > 0)
		return 0;
	if (memory->give_back != NULL)
		memory->give_back(memory->bytes);
	free(memory);
	return size;
}

/* As leave_memory. */
static size_t free_shard(struct shard *shard)
{
	size_t freed = leave_memory(shard->memory);

	free(shard);
	return freed;
}

void shards_fini(struct shards *shards)
{
	list_for_each_safe (link, &shards->replaced)
		free_shard(container_of(link, struct shard, link));
	for (uint32_t i = 0; i < shards->count; i++)
		free_shard(shards->at[i]);
	free(shards->at);
	shards_init(shards, shards->kind);
}

bool bundle_cut(struct span *rest, struct span *segment)
{
	const struct table_header *header = (const void *)rest->ptr;

	if (rest->len < sizeof(*header) || header->size < sizeof(*header) ||
	    header->size > rest->len || header->size % TABLE_ALIGN != 0)
		return false;
	*segment = span_take(*rest, header->size);
	*rest = span_skip(*rest, header->size);
	return true;
}

static int verify(enum table_kind kind, struct span segment, struct shard *shard, struct error *err)
{
	switch (kind) {
	case TABLE_ROUTES:
		return routes_verify(segment, &shard->routes, err);
	case TABLE_ENDPOINTS:
		return endpoints_verify(segment, &shard->endpoints, err);
	case TABLE_CERTIFICATES:
		return certificates_verify(segment, &shard->certificates, err);
	case TABLE_KIND_COUNT:
		break;
	}
	BUG_ON(true);
	return -1;
}

static int add_fresh(struct shards_change *change, size_t *room, enum table_kind kind,
		     struct span segment, struct shard_memory *memory, struct error *err)
{
	struct shard *shard = memory_new(sizeof(*shard));

	if (verify(kind, segment, shard, err) == -1) {
		free(shard);
		return -1;
	}
	shard->memory = memory;
	memory->shards++;
	list_init(&shard->link);
	change->fresh = memory_grow_array(change->fresh, room, (size_t)change->count + 1,
					  sizeof(struct shard *));
	change->fresh[change->count++] = shard;
	return 0;
}

static int read_bundle(enum table_kind kind, struct shard_memory *memory,
		       struct shards_change *change, struct error *err)
{
	struct span rest = memory->bytes;
	struct span segment;
	size_t room = 0;

	while (bundle_cut(&rest, &segment))
		if (add_fresh(change, &room, kind, segment, memory, err) == -1)
			return -1;
	if (rest.len > 0 || change->count == 0)
		return error_set(err, "%zu bytes at the end of the bundle are no segment",
				 rest.len);
	return 0;
}

/* One set, in ascending order, none twice. */
static int check_order(struct shards_change *change, struct error *err)
{
	const struct table_header *first = change->fresh[0]->header;

	change->set = first->set;
	change->shard_count = first->shard_count;
	for (uint32_t i = 0; i < change->count; i++) {
		const struct table_header *header = change->fresh[i]->header;

		if (header->set != first->set || header->shard_count != first->shard_count)
			return error_set(err, "the bundle has shards of two sets");
		if (i > 0 && header->shard <= change->fresh[i - 1]->header->shard)
			return error_set(err, "shard %u of the bundle is out of order",
					 header->shard);
		if (header->generation > change->generation)
			change->generation = header->generation;
	}
	return 0;
}

static bool is_complete(const struct shards_change *change)
{
	return change->count == change->shard_count;
}

static int check_set(const struct shards *shards, const struct shards_change *change,
		     struct error *err)
{
	if (is_complete(change))
		return 0;
	if (shards->count == 0 || shards->set != change->set ||
	    shards->count != change->shard_count)
		return error_set(err, "%u of %u shards of another set are not all of it",
				 change->count, change->shard_count);
	return 0;
}

static bool same_text(const struct routes *a, struct table_span in_a, const struct routes *b,
		      struct table_span in_b)
{
	return span_equals(routes_text(a, in_a), routes_text(b, in_b));
}

static bool agree(const struct routes *a, const struct routes *b)
{
	const struct table_settings *in_a = a->settings;
	const struct table_settings *in_b = b->settings;

	/* texts are the last; they lie elsewhere in each segment */
	return memcmp(in_a, in_b, offsetof(struct table_settings, ssl_ciphers)) == 0 &&
	       same_text(a, in_a->ssl_ciphers, b, in_b->ssl_ciphers) &&
	       same_text(a, in_a->ssl_curves, b, in_b->ssl_curves) &&
	       same_text(a, in_a->hsts, b, in_b->hsts) && a->network_count == b->network_count &&
	       (a->network_count == 0 ||
		memcmp(a->networks, b->networks, a->network_count * sizeof(*a->networks)) == 0);
}

/* Whichever shard a request takes them from, settings and trusted networks are the same. */
static int check_settings(const struct shards *shards, const struct shards_change *change,
			  struct error *err)
{
	const struct shard *reference = is_complete(change) ? change->fresh[0] : shards->at[0];

	for (uint32_t i = 0; shards->kind == TABLE_ROUTES && i < change->count; i++)
		if (!agree(&change->fresh[i]->routes, &reference->routes))
			return error_set(err, "the settings of shard %u are not those of all",
					 change->fresh[i]->header->shard);
	return 0;
}

int shards_prepare(const struct shards *shards, struct span bytes,
		   void (*give_back)(struct span bytes), struct shards_change *change,
		   struct error *err)
{
	struct shard_memory *memory = memory_new(sizeof(*memory));
	int result = -1;

	*change = (struct shards_change){0};
	/* held until the end of this function, for it may have no shard */
	*memory = (struct shard_memory){bytes, give_back, 1};
	if (read_bundle(shards->kind, memory, change, err) == 0 && check_order(change, err) == 0 &&
	    check_set(shards, change, err) == 0)
		result = check_settings(shards, change, err);
	if (result == -1)
		shards_drop(change);
	(void)leave_memory(memory); /* what is not in effect is not counted */
	return result;
}

void shards_drop(struct shards_change *change)
{
	for (uint32_t i = 0; i < change->count; i++)
		free_shard(change->fresh[i]);
	free(change->fresh);
	*change = (struct shards_change){0};
}

/* What look-ups must know of all shards together. change: 1 or UINT32_MAX: it comes, or it goes. */
static void count_kinds_of_hosts(struct shards *shards, const struct shard *shard, uint32_t change)
{
	if (shards->kind != TABLE_ROUTES)
		return;
	shards->many_labels += shard->routes.many_labels ? change : 0;
	shards->passthrough += shard->routes.passthrough ? change : 0;
}

static void retire(struct shards *shards, struct shard *shard)
{
	shard->in_effect = false;
	shards->bytes -= shard->header->size;
	count_kinds_of_hosts(shards, shard, UINT32_MAX);
	if (shard->pins > 0) {
		list_add_last(&shards->replaced, &shard->link);
		return;
	}
	shards->held -= free_shard(shard);
	shards->mapped--;
}

static void install(struct shards *shards, struct shard *shard)
{
	struct shard **at = &shards->at[shard->header->shard];

	if (*at != NULL)
		retire(shards, *at);
	*at = shard;
	shard->in_effect = true;
	shards->mapped++;
	shards->bytes += shard->header->size;
	count_kinds_of_hosts(shards, shard, 1);
}

/* Room for another number of shards, all of which are about to come. */
static void resize(struct shards *shards, uint32_t count)
{
	for (uint32_t i = 0; i < shards->count; i++)
		retire(shards, shards->at[i]);
	free(shards->at);
	shards->at = memory_new_array(count, sizeof(struct shard *));
	shards->count = count;
	shards->bits = (uint32_t)__builtin_ctz(count);
}

void shards_commit(struct shards *shards, struct shards_change *change)
{
	shards->held += change->fresh[0]->memory->bytes.len;
	if (shards->count != change->shard_count)
		resize(shards, change->shard_count);
	for (uint32_t i = 0; i < change->count; i++)
		install(shards, change->fresh[i]);
	shards->set = change->set;
	shards->generation = change->generation;
	if (shards->kind == TABLE_ROUTES)
		shards->host_seed = shards_settings(shards)->host_seed;
	free(change->fresh);
	*change = (struct shards_change){0};
}

int shards_apply(struct shards *shards, struct span bytes, void (*give_back)(struct span bytes),
		 struct error *err)
{
	struct shards_change change;

	if (shards_prepare(shards, bytes, give_back, &change, err) == -1)
		return -1;
	shards_commit(shards, &change);
	return 0;
}

void shard_unpin(struct shards *shards, struct shard *shard)
{
	BUG_ON(shard->pins == 0);
	if (--shard->pins > 0 || shard->in_effect)
		return;
	list_remove(&shard->link);
	shards->held -= free_shard(shard);
	shards->mapped--;
}

uint64_t shards_built_wall_ns(const struct shards *shards)
{
	uint64_t latest = 0;

	for (uint32_t i = 0; i < shards->count; i++)
		if (shards->at[i]->header->built_wall_ns > latest)
			latest = shards->at[i]->header->built_wall_ns;
	return latest;
}

uint64_t shards_checksum(const struct shards *shards)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shards->count; i++) {
		uint64_t checksum = shards->at[i]->header->checksum;

		sum = table_hash((struct span){(const char *)&checksum, sizeof(checksum)}, sum);
	}
	return sum;
}

void shards_write(const struct shards *shards, struct buf *out)
{
	buf_reserve(out, shards->bytes);
	for (uint32_t i = 0; i < shards->count; i++) {
		const struct table_header *header = shards->at[i]->header;

		buf_add(out, (struct span){(const char *)header, header->size});
	}
}

struct certificate_match certificates_find(const struct shards *certificates,
					   struct certificate_id id)
{
	const struct certificates *shard;
	uint32_t low = 0;
	uint32_t high;

	if (certificates->count == 0 || certificate_id_is_none(id))
		return (struct certificate_match){0};
	shard = &certificates->at[certificate_id_shard(id, certificates->count)]->certificates;
	high = shard->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = certificate_id_compare(shard->records[middle].id, id);

		if (order == 0)
			return (struct certificate_match){&shard->records[middle], shard};
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (struct certificate_match){0};
}

bool certificates_hold(const struct shards *certificates, struct certificate_id id,
		       const uint8_t digest[static 32])
{
	const struct certificate_record *record = certificates_find(certificates, id).record;

	if (certificate_id_is_none(id))
		return true;
	return record != NULL && memcmp(record->digest, digest, sizeof(record->digest)) == 0;
}
