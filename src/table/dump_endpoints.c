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

void dump_upstream(struct json *json, const char *key, const struct endpoints *endpoints,
		   uint32_t id)
{
	const struct upstream_record *upstream = &endpoints->upstreams[id];

	json_open_object(json, key, JSON_BLOCK);
	json_number(json, "id", id);
	json_number(json, "incarnation", upstream->incarnation);
	json_text(json, "name", endpoints_text(endpoints, upstream->name));
	json_text(json, "protocol", S("http1"));
	json_text(json, "algorithm", S("round_robin"));
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

/* Free ids and slots are not listed: they are what the numbers of the others leave out. */
void dump_endpoints(const struct endpoints *endpoints, enum dump_detail detail, struct buf *out)
{
	struct json json;

	json_init(&json, out);
	json_open_object(&json, NULL, JSON_BLOCK);
	dump_header(&json, endpoints->header, TABLE_ENDPOINTS, detail);
	json_open_list(&json, "upstreams", JSON_BLOCK);
	for (uint32_t i = 0; i < endpoints->upstream_count; i++)
		if (endpoints->upstreams[i].incarnation != 0)
			dump_upstream(&json, NULL, endpoints, i);
	json_close_list(&json);
	json_close_object(&json);
}
