/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/manifest.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/list.h"
#include "base/memory.h"
#include "kube/object/decode.h"

struct unknown {
	struct map_entry by_kind;
	size_t index;
};

/* An object within a file, and where it stands. */
struct candidate {
	const json_t *json;
	struct span api_version;
	struct span kind;
	const struct document_node *node; /* NULL: it came by an alias */
	const struct document_node *base;
	struct span file;
};

enum { MANIFEST_FAULTS_MAX = 1000 };

static struct span text_of(const json_t *parent, const char *key)
{
	const json_t *value = json_object_get(parent, key);

	return json_is_string(value)
		       ? span_make(json_string_value(value), json_string_length(value))
		       : (struct span){NULL, 0};
}

/* The digest says whether an object is the same as before. Keys count in their order. */

static void digest_bytes(XXH3_state_t *state, json_type type, const void *bytes, size_t size)
{
	uint64_t head = (uint64_t)type << 56 | size;

	XXH3_64bits_update(state, &head, sizeof(head));
	XXH3_64bits_update(state, bytes, size);
}

static void digest_value(XXH3_state_t *state, json_t *json)
{
	json_type type = json_typeof(json);
	const char *key;
	json_t *each;
	size_t index;

	if (type == JSON_OBJECT) {
		digest_bytes(state, type, "", 0);
		json_object_foreach(json, key, each)
		{
			digest_bytes(state, JSON_NULL, key, strlen(key));
			digest_value(state, each);
		}
	} else if (type == JSON_ARRAY) {
		digest_bytes(state, type, "", 0);
		json_array_foreach(json, index, each) digest_value(state, each);
	} else if (type == JSON_STRING) {
		digest_bytes(state, type, json_string_value(json), json_string_length(json));
	} else if (type == JSON_INTEGER) {
		json_int_t number = json_integer_value(json);

		digest_bytes(state, type, &number, sizeof(number));
	} else if (type == JSON_REAL) {
		double number = json_real_value(json);

		digest_bytes(state, type, &number, sizeof(number));
	} else {
		digest_bytes(state, type, "", 0);
	}
	/* an end, so that [[a],b] and [[a,b]] differ */
	digest_bytes(state, type, "", 0);
}

static uint64_t digest_of(const json_t *json)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	digest_value(&state,
		     (json_t *)json); /* jansson walks objects by pointers that are not const */
	return XXH3_64bits_digest(&state);
}

static uint32_t line_of(const struct candidate *candidate)
{
	return candidate->node == NULL ? 0 : candidate->node->line;
}

static uint32_t column_of(const struct candidate *candidate)
{
	return candidate->node == NULL ? 0 : candidate->node->column;
}

static void note_unknown(struct manifest *manifest, const struct candidate *candidate)
{
	struct span key = arena_printf(&manifest->arena, "kind %s of %s",
				       diagnostic_quote(candidate->kind),
				       diagnostic_quote(candidate->api_version));
	struct map_entry *entry = map_find(&manifest->unknown_by_kind, key);
	struct unknown *unknown;

	if (entry != NULL) {
		manifest->unknown[container_of(entry, struct unknown, by_kind)->index].count++;
		return;
	}
	unknown = arena_take_zero(&manifest->arena, sizeof(*unknown));
	unknown->by_kind.key = key;
	unknown->index = manifest->unknown_count++;
	map_add(&manifest->unknown_by_kind, &unknown->by_kind);
	manifest->unknown = memory_grow_array(manifest->unknown, &manifest->unknown_capacity,
					      manifest->unknown_count, sizeof(*manifest->unknown));
	manifest->unknown[unknown->index] = (struct manifest_unknown){key, 1, line_of(candidate),
								      column_of(candidate)};
}

static void take_object(struct manifest *manifest, const struct candidate *candidate,
			enum object_kind kind)
{
	struct object_name name = object_name_of(kind, candidate->json);
	struct decode_place place = {candidate->file, candidate->node, candidate->base};
	struct object *object = object_decode(kind, candidate->json, &place,
					      &manifest->diagnostics);

	if (name.name.len == 0) {
		manifest->nameless = true;
		object_free(object);
		return;
	}
	manifest->entries = memory_grow_array(manifest->entries, &manifest->capacity,
					      manifest->count + 1, sizeof(*manifest->entries));
	manifest->entries[manifest->count++] = (struct manifest_entry){
		.kind = kind,
		.namespace = arena_copy(&manifest->arena, name.namespace),
		.name = arena_copy(&manifest->arena, name.name),
		.object = object,
		.digest = digest_of(candidate->json),
	};
}

static void refuse(struct manifest *manifest, const struct candidate *candidate,
		   enum diagnostic_id id, const char *text)
{
	manifest->nameless = true;
	diagnostics_add_place(&manifest->diagnostics, id, candidate->file, line_of(candidate),
			      column_of(candidate), "%s", text);
}

static void note_unsupported(struct manifest *manifest, const struct candidate *candidate,
			     enum object_kind kind)
{
	struct span name = text_of(json_object_get(candidate->json, "metadata"), "name");

	diagnostics_add_place(
		&manifest->diagnostics, DIAGNOSTIC_UNSUPPORTED_VERSION, candidate->file,
		line_of(candidate), column_of(candidate),
		"%s %s has apiVersion %s, which is not served; the object is not taken. "
		"Write apiVersion: %s",
		object_kind_name(kind), diagnostic_quote(name),
		diagnostic_quote(candidate->api_version),
		kind == OBJECT_ENDPOINT_SLICE  ? "discovery.k8s.io/v1"
		: kind <= OBJECT_INGRESS_CLASS ? "networking.k8s.io/v1"
					       : "v1");
}

/* A file that is wrong all over is said to be so, not described. Its last good objects stay. */
static bool has_too_many_faults(struct manifest *manifest, const struct candidate *next)
{
	if (manifest->diagnostics.counts[DIAGNOSTIC_LEVEL_ERROR] < MANIFEST_FAULTS_MAX)
		return false;
	if (manifest->well_formed)
		diagnostics_add_place(
			&manifest->diagnostics, DIAGNOSTIC_NOT_AN_OBJECT, next->file, line_of(next),
			column_of(next),
			"more than %d faults in one file; the rest of it is not looked at",
			MANIFEST_FAULTS_MAX);
	manifest->well_formed = false;
	return true;
}

static void take_list(struct manifest *manifest, const struct candidate *list);

static void take_candidate(struct manifest *manifest, const struct candidate *candidate)
{
	enum object_kind kind;

	if (has_too_many_faults(manifest, candidate))
		return;
	if (!json_is_object(candidate->json)) {
		refuse(manifest, candidate, DIAGNOSTIC_NOT_AN_OBJECT,
		       "this is no Kubernetes object: it must be a mapping that begins with "
		       "apiVersion, kind and metadata");
		return;
	}
	if (candidate->kind.len == 0 || candidate->api_version.len == 0) {
		refuse(manifest, candidate, DIAGNOSTIC_NOT_AN_OBJECT,
		       candidate->kind.len == 0
			       ? "this is no Kubernetes object: \"kind\" is missing or no text; "
				 "write for example kind: Ingress"
			       : "this is no Kubernetes object: \"apiVersion\" is missing or no "
				 "text; "
				 "write for example apiVersion: networking.k8s.io/v1");
		return;
	}
	if (json_object_get(candidate->json, "items") != NULL &&
	    span_ends_with(candidate->kind, S("List"))) {
		take_list(manifest, candidate);
		return;
	}
	switch (object_sort_of(candidate->api_version, candidate->kind, &kind)) {
	case OBJECT_SORT_KNOWN:
		take_object(manifest, candidate, kind);
		break;
	case OBJECT_SORT_UNSUPPORTED:
		note_unsupported(manifest, candidate, kind);
		break;
	case OBJECT_SORT_UNKNOWN:
		note_unknown(manifest, candidate);
		break;
	}
}

/* The node of "items" among the fields of the list, or NULL. */
static const struct document_node *find_items(const struct candidate *list)
{
	const struct document_node *end;

	if (list->node == NULL)
		return NULL;
	end = list->base + list->node->end;
	for (const struct document_node *node = list->node + 1; node < end;
	     node = list->base + node->end)
		if (span_equals(node->key, S("items")))
			return node;
	return NULL;
}

/* Items of an IngressList may be without kind and apiVersion: the list's say it. Lists in lists are taken
 * apart too; the depth of documents bounds that. */
static void take_list(struct manifest *manifest, const struct candidate *list)
{
	const json_t *items = json_object_get(list->json, "items");
	const struct document_node *node = find_items(list);
	const struct document_node *end = node == NULL ? NULL : list->base + node->end;
	struct span item_kind = span_take(list->kind, list->kind.len - 4);
	size_t index;
	json_t *item;

	if (!json_is_array(items)) {
		refuse(manifest, list, DIAGNOSTIC_WRONG_TYPE,
		       "\"items\" must be a list; each object starts with \"- \"");
		return;
	}
	node = node == NULL ? NULL : node + 1;
	json_array_foreach(items, index, item)
	{
		struct candidate candidate = *list;

		candidate.json = item;
		candidate.kind = text_of(item, "kind");
		candidate.api_version = text_of(item, "apiVersion");
		candidate.node = node != NULL && node < end ? node : NULL;
		if (candidate.kind.len == 0 && candidate.api_version.len == 0 &&
		    item_kind.len > 0) {
			candidate.kind = arena_copy(&manifest->arena, item_kind);
			candidate.api_version = list->api_version;
		}
		take_candidate(manifest, &candidate);
		if (candidate.node != NULL)
			node = list->base + node->end;
	}
}

static void take_document(struct manifest *manifest, const struct documents *documents,
			  size_t index, struct span file)
{
	const struct document *document = &documents->items[index];
	struct candidate candidate = {
		.json = document->root,
		.api_version = text_of(document->root, "apiVersion"),
		.kind = text_of(document->root, "kind"),
		.node = documents->nodes + document->first_node,
		.base = documents->nodes,
		.file = file,
	};

	take_candidate(manifest, &candidate);
}

void manifest_parse(struct manifest *manifest, struct span file, struct span text,
		    enum document_format format)
{
	struct documents documents;
	struct document_fault fault;
	bool parsed;

	*manifest = (struct manifest){0};
	arena_init(&manifest->arena, NULL, 0, SIZE_MAX);
	diagnostics_init(&manifest->diagnostics);
	manifest->well_formed = documents_parse(&documents, text, format, &fault) == 0;
	parsed = manifest->well_formed;
	for (size_t i = 0; i < documents.count; i++)
		take_document(manifest, &documents, i, file);
	if (!parsed)
		diagnostics_add_place(&manifest->diagnostics, DIAGNOSTIC_SYNTAX, file, fault.line,
				      fault.column, "%s", fault.text);
	documents_fini(&documents);
}

void manifest_fini(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		object_free(manifest->entries[i].object);
	free(manifest->entries);
	free(manifest->unknown);
	map_fini(&manifest->unknown_by_kind);
	diagnostics_fini(&manifest->diagnostics);
	arena_fini(&manifest->arena);
	*manifest = (struct manifest){0};
}
