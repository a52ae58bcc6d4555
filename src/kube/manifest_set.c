/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/manifest_set.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "kube/manifest.h"

/* An object as a name, and the files that say something about it. */
struct identity {
	struct map_entry by_key;    /* "Ingress/shop/web" */
	struct list claims;         /* struct claim of_identity, by file name */
	struct list touched;        /* in set->touched, or alone */
	struct list contested;      /* in set->contested while there are two claims or more */
	const struct claim *served; /* whose object the sink has; NULL: that claim is gone */
	uint64_t served_digest;
	bool delivered; /* the sink has an object */
	enum object_kind kind;
	struct span namespace; /* into the key */
	struct span name;
};

/* What one file says about one object. */
struct claim {
	struct list of_file;
	struct list of_identity;
	struct identity *identity;
	struct file *file;
	struct object *object; /* NULL once it was given to the sink */
	uint64_t digest;
	uint32_t line;
	uint32_t round; /* of the file when it was last seen in it */
};

struct file {
	struct map_entry by_name;
	struct list claims; /* in the order of the text */
	struct list noted;  /* in set->noted while there is something to say */
	uint64_t digest;    /* of the text; 0: parse whatever comes */
	uint32_t round;
	bool parsed; /* the last text was understood, or there was none */
	struct diagnostics diagnostics;
	struct manifest_unknown *unknown;
	size_t unknown_count;
	struct arena arena; /* texts of unknown; parsed anew with it */
	char name[];
};

struct manifest_set {
	const struct source_sink *sink;
	manifest_set_read *read;
	void *owner;
	struct map files;
	struct map identities;
	struct list touched;
	struct list contested;
	struct list noted;
	const struct claim *fetching; /* NULL once it is gone */
	bool notes_changed;
	struct diagnostics diagnostics;
};

struct manifest_set *manifest_set_new(const struct source_sink *sink, manifest_set_read *read,
				      void *owner)
{
	struct manifest_set *set = memory_new(sizeof(*set));

	set->sink = sink;
	set->read = read;
	set->owner = owner;
	list_init(&set->touched);
	list_init(&set->contested);
	list_init(&set->noted);
	diagnostics_init(&set->diagnostics);
	return set;
}

/* Identities. */

static struct identity *get_identity(struct manifest_set *set, const struct manifest_entry *entry)
{
	struct buf key = {0};
	struct map_entry *found;
	struct identity *identity;
	char *text;

	buf_printf(&key, "%s/%.*s/%.*s", object_kind_name(entry->kind), (int)entry->namespace.len,
		   entry->namespace.ptr == NULL ? "" : entry->namespace.ptr, (int)entry->name.len,
		   entry->name.ptr);
	found = map_find(&set->identities, buf_span(&key));
	if (found != NULL) {
		buf_fini(&key);
		return container_of(found, struct identity, by_key);
	}
	identity = memory_new(sizeof(*identity) + key.len);
	text = (char *)(identity + 1);
	memcpy(text, key.ptr, key.len);
	identity->by_key.key = span_make(text, key.len);
	identity->name = span_make(text + key.len - entry->name.len, entry->name.len);
	identity->namespace = span_make(identity->name.ptr - 1 - entry->namespace.len,
					entry->namespace.len);
	identity->kind = entry->kind;
	list_init(&identity->claims);
	list_init(&identity->touched);
	list_init(&identity->contested);
	map_add(&set->identities, &identity->by_key);
	buf_fini(&key);
	return identity;
}

static void touch(struct manifest_set *set, struct identity *identity)
{
	if (list_is_empty(&identity->touched))
		list_add_last(&set->touched, &identity->touched);
}

static void note_contest(struct manifest_set *set, struct identity *identity)
{
	bool contested = identity->claims.next != identity->claims.prev;

	if (!contested && list_is_empty(&identity->contested))
		return;
	set->notes_changed = true;
	list_remove(&identity->contested);
	if (contested)
		list_add_last(&set->contested, &identity->contested);
}

static void free_identity(struct manifest_set *set, struct identity *identity)
{
	map_remove(&set->identities, &identity->by_key);
	list_remove(&identity->touched);
	list_remove(&identity->contested);
	free(identity);
}

static struct claim *first_claim(const struct identity *identity)
{
	struct list *first = list_first(&identity->claims);

	return first == NULL ? NULL : container_of(first, struct claim, of_identity);
}

/* Claims. */

static struct claim *find_claim(const struct identity *identity, const struct file *file)
{
	list_for_each (link, &identity->claims) {
		struct claim *claim = container_of(link, struct claim, of_identity);

		if (claim->file == file)
			return claim;
	}
	return NULL;
}

static struct claim *add_claim(struct manifest_set *set, struct file *file,
			       struct identity *identity)
{
	struct claim *claim = memory_new(sizeof(*claim));
	struct list *before = &identity->claims;

	claim->identity = identity;
	claim->file = file;
	list_init(&claim->of_file);
	list_for_each (link, &identity->claims) {
		struct claim *each = container_of(link, struct claim, of_identity);

		if (span_compare(each->file->by_name.key, file->by_name.key) > 0)
			break;
		before = link;
	}
	list_insert(before, &claim->of_identity);
	note_contest(set, identity);
	return claim;
}

static void remove_claim(struct manifest_set *set, struct claim *claim)
{
	struct identity *identity = claim->identity;

	list_remove(&claim->of_file);
	list_remove(&claim->of_identity);
	if (identity->served == claim)
		identity->served = NULL;
	if (set->fetching == claim)
		set->fetching = NULL;
	note_contest(set, identity);
	touch(set, identity);
	object_free(claim->object);
	free(claim);
}

/* Files. */

static struct file *find_file(const struct manifest_set *set, struct span name)
{
	struct map_entry *entry = map_find(&set->files, name);

	return entry == NULL ? NULL : container_of(entry, struct file, by_name);
}

static struct file *get_file(struct manifest_set *set, struct span name)
{
	struct file *file = find_file(set, name);

	if (file != NULL)
		return file;
	file = memory_new(sizeof(*file) + name.len);
	memcpy(file->name, name.ptr, name.len);
	file->by_name.key = span_make(file->name, name.len);
	file->parsed = true;
	list_init(&file->claims);
	list_init(&file->noted);
	diagnostics_init(&file->diagnostics);
	arena_init(&file->arena, NULL, 0, SIZE_MAX);
	map_add(&set->files, &file->by_name);
	return file;
}

static bool has_notes(const struct file *file)
{
	return file->diagnostics.first != NULL || file->unknown_count > 0;
}

/* What was to be said about the file is said no more. */
static void clear_notes(struct manifest_set *set, struct file *file)
{
	if (has_notes(file))
		set->notes_changed = true;
	list_remove(&file->noted);
	diagnostics_fini(&file->diagnostics);
	diagnostics_init(&file->diagnostics);
	arena_fini(&file->arena);
	arena_init(&file->arena, NULL, 0, SIZE_MAX);
	file->unknown = NULL;
	file->unknown_count = 0;
}

static void list_notes(struct manifest_set *set, struct file *file)
{
	if (!has_notes(file))
		return;
	set->notes_changed = true;
	list_add_last(&set->noted, &file->noted);
}

static void free_file(struct manifest_set *set, struct file *file)
{
	list_for_each_safe (link, &file->claims)
		remove_claim(set, container_of(link, struct claim, of_file));
	clear_notes(set, file);
	diagnostics_fini(&file->diagnostics);
	arena_fini(&file->arena);
	map_remove(&set->files, &file->by_name);
	free(file);
}

void manifest_set_free(struct manifest_set *set)
{
	struct map_entry *next;
	struct map_entry *at;

	if (set == NULL)
		return;
	for (at = map_next(&set->files, NULL); at != NULL; at = next) {
		next = map_next(&set->files, at);
		free_file(set, container_of(at, struct file, by_name));
	}
	for (at = map_next(&set->identities, NULL); at != NULL; at = next) {
		next = map_next(&set->identities, at);
		free_identity(set, container_of(at, struct identity, by_key));
	}
	map_fini(&set->files);
	map_fini(&set->identities);
	diagnostics_fini(&set->diagnostics);
	free(set);
}

/* Putting a file. */

static void report_twice(struct file *file, const struct manifest_entry *entry)
{
	if (entry->object != NULL)
		diagnostics_add(&file->diagnostics, DIAGNOSTIC_DUPLICATE_OBJECT, entry->object,
				(struct span){NULL, 0},
				"stands twice in this file; the first one holds");
}

/* forced: the object is needed although it is the same as before. */
static void take_entry(struct manifest_set *set, struct file *file, struct manifest_entry *entry,
		       bool forced)
{
	struct identity *identity = get_identity(set, entry);
	struct claim *claim = find_claim(identity, file);

	if (claim != NULL && claim->round == file->round) {
		report_twice(file, entry);
		return;
	}
	if (entry->object == NULL) {
		/* it was refused: what it was before still holds */
		if (claim != NULL)
			claim->round = file->round;
		else
			touch(set, identity);
		return;
	}
	if (claim == NULL)
		claim = add_claim(set, file, identity);
	list_remove(&claim->of_file);
	list_add_last(&file->claims, &claim->of_file);
	claim->round = file->round;
	claim->line = entry->object->origin.line;
	if (claim->digest == entry->digest && !forced && claim->digest != 0)
		return;
	object_free(claim->object);
	claim->object = entry->object;
	entry->object = NULL;
	claim->digest = entry->digest;
	touch(set, identity);
}

static void keep_unknown(struct file *file, const struct manifest *manifest)
{
	file->unknown_count = manifest->unknown_count;
	file->unknown = arena_take(&file->arena,
				   (file->unknown_count + 1) * sizeof(*file->unknown));
	for (size_t i = 0; i < file->unknown_count; i++) {
		file->unknown[i] = manifest->unknown[i];
		file->unknown[i].kind = arena_copy(&file->arena, manifest->unknown[i].kind);
	}
}

/* Claims that the text does not make any more. */
static void sweep(struct manifest_set *set, struct file *file)
{
	list_for_each_safe (link, &file->claims) {
		struct claim *claim = container_of(link, struct claim, of_file);

		if (claim->round != file->round)
			remove_claim(set, claim);
	}
}

static void take_manifest(struct manifest_set *set, struct file *file, struct manifest *manifest,
			  bool forced)
{
	/* half a file says nothing about what stood in its other half */
	bool keeps_all = !manifest->well_formed && !list_is_empty(&file->claims);

	file->round++;
	diagnostics_append(&file->diagnostics, &manifest->diagnostics);
	keep_unknown(file, manifest);
	if (keeps_all)
		return;
	for (size_t i = 0; i < manifest->count; i++)
		take_entry(set, file, &manifest->entries[i], forced);
	if (!manifest->nameless && manifest->well_formed)
		sweep(set, file);
}

static uint64_t digest_of(struct span text)
{
	uint64_t digest = XXH3_64bits(text.len == 0 ? "" : text.ptr, text.len);

	return digest == 0 ? 1 : digest;
}

void manifest_set_put(struct manifest_set *set, struct span name, struct span text,
		      enum document_format format)
{
	struct file *file = get_file(set, name);
	uint64_t digest = digest_of(text);
	struct manifest manifest;

	if (file->digest == digest)
		return;
	clear_notes(set, file);
	manifest_parse(&manifest, file->by_name.key, text, format);
	take_manifest(set, file, &manifest, file->digest == 0);
	file->digest = digest;
	manifest_fini(&manifest);
	list_notes(set, file);
}

void manifest_set_fail(struct manifest_set *set, struct span name, const char *why)
{
	struct file *file = get_file(set, name);

	clear_notes(set, file);
	diagnostics_add_place(
		&file->diagnostics, DIAGNOSTIC_UNREADABLE, file->by_name.key, 0, 0, "%s%s", why,
		list_is_empty(&file->claims) ? "" : "; what it said last is still served");
	file->digest = 0;
	list_notes(set, file);
}

void manifest_set_remove(struct manifest_set *set, struct span name)
{
	struct file *file = find_file(set, name);

	if (file != NULL)
		free_file(set, file);
}

/* Settling. */

static void deliver(struct manifest_set *set, struct identity *identity, struct claim *claim)
{
	struct object *object = claim->object;

	claim->object = NULL;
	identity->served = claim;
	identity->served_digest = claim->digest;
	identity->delivered = true;
	set->sink->on_upsert(set->sink->owner, object);
}

/* The object was given away when this claim was served before; its file has it still, or the claim goes. */
static void fetch_again(struct manifest_set *set, struct claim *claim)
{
	struct file *file = claim->file;

	set->fetching = claim;
	file->digest = 0;
	set->read(set->owner, file->by_name.key);
	if (set->fetching != NULL && claim->object == NULL)
		remove_claim(set, claim);
	set->fetching = NULL;
}

/* True when the sink was told something. An identity that nobody claims is freed. */
static bool settle(struct manifest_set *set, struct identity *identity)
{
	struct claim *claim = first_claim(identity);
	bool delivered = identity->delivered;

	if (claim == NULL) {
		if (delivered)
			set->sink->on_delete(set->sink->owner, identity->kind, identity->namespace,
					     identity->name);
		free_identity(set, identity);
		return delivered;
	}
	if (claim == identity->served && claim->digest == identity->served_digest) {
		object_free(claim->object); /* read again for another identity's sake */
		claim->object = NULL;
		return false;
	}
	if (claim->object == NULL) {
		touch(set, identity);
		fetch_again(set, claim);
		return false;
	}
	deliver(set, identity, claim);
	return true;
}

static int compare_files(const void *a, const void *b)
{
	return span_compare((*(const struct file *const *)a)->by_name.key,
			    (*(const struct file *const *)b)->by_name.key);
}

/* Notes of files in the order of their names. The caller frees the array. */
static struct file **sorted_notes(const struct manifest_set *set, size_t *count)
{
	struct file **files = NULL;
	size_t capacity = 0;

	*count = 0;
	list_for_each (link, &set->noted) {
		files = memory_grow_array(files, &capacity, *count + 1, sizeof(struct file *));
		files[(*count)++] = container_of(link, struct file, noted);
	}
	if (*count > 1)
		qsort(files, *count, sizeof(struct file *), compare_files);
	return files;
}

struct sum {
	struct map_entry by_kind;
	const struct file *file; /* of the first */
	const struct manifest_unknown *first;
	uint32_t count;
};

static void count_unknown(struct map *sums, struct sum *sum, const struct file *file, size_t index)
{
	struct map_entry *entry = map_find(sums, file->unknown[index].kind);

	if (entry != NULL) {
		container_of(entry, struct sum, by_kind)->count += file->unknown[index].count;
		return;
	}
	*sum = (struct sum){
		.by_kind.key = file->unknown[index].kind,
		.file = file,
		.first = &file->unknown[index],
		.count = file->unknown[index].count,
	};
	map_add(sums, &sum->by_kind);
}

/* Kinds that are not read, each once for all files. */
static void list_unknown(struct manifest_set *set, struct file **files, size_t count)
{
	struct map sums;
	struct sum *all;
	size_t most = 0;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		most += files[i]->unknown_count;
	all = memory_new_array(most + 1, sizeof(*all));
	map_init(&sums);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < files[i]->unknown_count; k++) {
			count_unknown(&sums, &all[used], files[i], k);
			used = sums.count;
		}
	}
	for (size_t i = 0; i < used; i++)
		diagnostics_add_place(
			&set->diagnostics, DIAGNOSTIC_UNKNOWN_KIND, all[i].file->by_name.key,
			all[i].first->line, all[i].first->column,
			"%s is not read by Ingot; %u object%s skipped", all[i].first->kind.ptr,
			all[i].count, all[i].count == 1 ? " is" : "s are");
	map_fini(&sums);
	free(all);
}

static int compare_identities(const void *a, const void *b)
{
	return span_compare((*(const struct identity *const *)a)->by_key.key,
			    (*(const struct identity *const *)b)->by_key.key);
}

static void list_contest(struct manifest_set *set, const struct identity *identity)
{
	const struct claim *first = first_claim(identity);

	list_for_each (link, &identity->claims) {
		const struct claim *claim = container_of(link, struct claim, of_identity);

		if (claim != first)
			diagnostics_add_place(
				&set->diagnostics, DIAGNOSTIC_DUPLICATE_OBJECT,
				claim->file->by_name.key, claim->line, 1,
				"%s %.*s%s%.*s stands in %.*s too, which comes first by name; this "
				"one is not used",
				object_kind_name(identity->kind), (int)identity->namespace.len,
				identity->namespace.ptr, identity->namespace.len == 0 ? "" : "/",
				(int)identity->name.len, identity->name.ptr,
				(int)first->file->by_name.key.len, first->file->by_name.key.ptr);
	}
}

static void list_contests(struct manifest_set *set)
{
	const struct identity **all = NULL;
	size_t capacity = 0;
	size_t count = 0;

	list_for_each (link, &set->contested) {
		all = memory_grow_array(all, &capacity, count + 1, sizeof(*all));
		all[count++] = container_of(link, struct identity, contested);
	}
	if (count > 1)
		qsort(all, count, sizeof(*all), compare_identities);
	for (size_t i = 0; i < count; i++)
		list_contest(set, all[i]);
	free(all);
}

static void list_diagnostics(struct manifest_set *set)
{
	size_t count;
	struct file **files = sorted_notes(set, &count);

	diagnostics_fini(&set->diagnostics);
	diagnostics_init(&set->diagnostics);
	for (size_t i = 0; i < count; i++)
		diagnostics_append(&set->diagnostics, &files[i]->diagnostics);
	list_contests(set);
	list_unknown(set, files, count);
	free(files);
}

bool manifest_set_settle(struct manifest_set *set)
{
	bool told = false;
	bool noted;

	while (!list_is_empty(&set->touched)) {
		struct list *link = list_first(&set->touched);

		list_remove(link);
		told |= settle(set, container_of(link, struct identity, touched));
	}
	noted = set->notes_changed;
	if (noted)
		list_diagnostics(set);
	set->notes_changed = false;
	return told || noted;
}

const struct diagnostics *manifest_set_diagnostics(const struct manifest_set *set)
{
	return &set->diagnostics;
}
