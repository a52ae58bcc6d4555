/* SPDX-License-Identifier: Apache-2.0 */
#include "table/dump_parts.h"

static void dump_endpoint(struct json *json, const struct endpoint_record *endpoint)
{
	struct ip_port at = {.ip = endpoint->ip, .port = endpoint->port};
	char text[IP_PORT_TEXT_SIZE];
	size_t len = ip_port_write(text, &at);

	json_open_object(json, NULL, JSON_LINE);
	json_text(json, "address", span_make(text, len));
	json_text(json, "state", endpoint->state == ENDPOINT_READY ? S("ready") : S("terminating"));
	json_number(json, "weight", endpoint->weight);
	json_number(json, "slot", endpoint->slot);
	json_number(json, "incarnation", endpoint->incarnation);
	json_close_object(json);
}

/* Whether certificates are shown and asked for, and not their ids: these are hashes of names. */
static void dump_tls(struct json *json, const struct endpoints *endpoints,
		     const struct upstream_tls *tls)
{
	json_open_object(json, "tls", JSON_LINE);
	json_bool(json, "verified", !certificate_id_is_none(tls->authorities));
	json_bool(json, "certificate", !certificate_id_is_none(tls->certificate));
	json_text(json, "serverName", endpoints_text(endpoints, tls->server_name));
	json_text(json, "verifyName", endpoints_text(endpoints, tls->verify_name));
	json_number(json, "verifyDepth", tls->verify_depth);
	json_number(json, "versions", tls->versions);
	json_text(json, "ciphers", endpoints_text(endpoints, tls->ciphers));
	json_close_object(json);
}

/* As a user writes it. */
static void dump_hash_by(struct json *json, const struct endpoints *endpoints,
			 const struct upstream_record *upstream)
{
	struct buf text = {0};

	for (uint32_t i = 0; i < upstream->hash_by.count; i++) {
		const struct template_part *part = &endpoints->parts[upstream->hash_by.first + i];

		if (part->variable != VARIABLE_NONE) {
			buf_add(&text, S("${"));
			buf_add(&text, variable_name((enum variable)part->variable));
		}
		buf_add(&text, endpoints_text(endpoints, part->text));
		if (part->variable != VARIABLE_NONE)
			buf_add(&text, S("}"));
	}
	json_text(json, "by", buf_span(&text));
	buf_fini(&text);
}

static void dump_hash(struct json *json, const struct endpoints *endpoints,
		      const struct upstream_record *upstream)
{
	json_open_object(json, "hash", JSON_LINE);
	dump_hash_by(json, endpoints, upstream);
	json_number(json, "points", upstream->point_count);
	if (upstream->subset_size > 0)
		json_number(json, "subsetSize", upstream->subset_size);
	if (upstream->bound_percent > 0)
		json_number(json, "boundPercent", upstream->bound_percent);
	json_close_object(json);
}

static struct span algorithm_word(enum upstream_algorithm algorithm)
{
	static const char *const words[UPSTREAM_ALGORITHM_COUNT] = {
		[UPSTREAM_ROUND_ROBIN] = "round_robin",
		[UPSTREAM_EWMA] = "ewma",
		[UPSTREAM_LEAST_REQUESTS] = "least_requests",
		[UPSTREAM_HASH] = "hash",
	};

	return span_from(words[algorithm]);
}

void dump_upstream(struct json *json, const char *key, const struct shards *shards, uint32_t id,
		   uint32_t incarnation)
{
	struct upstream_match match = endpoints_find(shards, id, incarnation);
	const struct upstream_record *upstream = match.upstream;
	const struct endpoints *endpoints = match.endpoints;

	json_open_object(json, key, JSON_BLOCK);
	json_number(json, "id", id);
	json_number(json, "incarnation", upstream->incarnation);
	json_text(json, "name", endpoints_text(endpoints, upstream->name));
	json_text(json, "protocol", upstream->protocol == UPSTREAM_HTTP2 ? S("http2") : S("http1"));
	json_text(json, "algorithm", algorithm_word((enum upstream_algorithm)upstream->algorithm));
	if (upstream->algorithm == UPSTREAM_HASH)
		dump_hash(json, endpoints, upstream);
	if (upstream->tls != TABLE_NONE)
		dump_tls(json, endpoints, &endpoints->tls[upstream->tls]);
	if (upstream->external_name.len > 0) {
		json_text(json, "externalName", endpoints_text(endpoints, upstream->external_name));
		json_number(json, "externalPort", upstream->external_port);
	}
	json_open_list(json, "endpoints", JSON_BLOCK);
	for (uint32_t i = 0; i < upstream->endpoint_count; i++)
		dump_endpoint(json, &endpoints->endpoints[upstream->first_endpoint + i]);
	json_close_list(json);
	json_close_object(json);
}

/* Of that id, or 0: it is free. */
static uint32_t incarnation_of(const struct shards *shards, uint32_t id)
{
	const struct endpoints *endpoints = &shards->at[id & (shards->count - 1)]->endpoints;
	uint32_t index = id >> shards->bits;

	return index < endpoints->upstream_count ? endpoints->upstreams[index].incarnation : 0;
}

/* Ids are below this. */
static uint32_t id_end(const struct shards *shards)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < shards->count; i++)
		if (shards->at[i]->endpoints.upstream_count > longest)
			longest = shards->at[i]->endpoints.upstream_count;
	return longest << shards->bits;
}

/* Free ids and slots are not listed: they are what the numbers of the others leave out. */
void dump_endpoints(const struct shards *endpoints, enum dump_detail detail, struct buf *out)
{
	uint32_t end = id_end(endpoints);
	struct json json;

	json_init(&json, out);
	json_open_object(&json, NULL, JSON_BLOCK);
	dump_header(&json, endpoints, detail);
	json_open_list(&json, "upstreams", JSON_BLOCK);
	for (uint32_t id = 0; id < end; id++)
		if (incarnation_of(endpoints, id) != 0)
			dump_upstream(&json, NULL, endpoints, id, incarnation_of(endpoints, id));
	json_close_list(&json);
	json_close_object(&json);
}
