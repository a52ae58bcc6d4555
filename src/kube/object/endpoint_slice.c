/* SPDX-License-Identifier: Apache-2.0 */
/* EndpointSlices are many and machine-made: an endpoint that makes no sense is left out, the others serve. */
#include "kube/object/kinds.h"
#include "kube/object/service.h"

enum { PORT_MAX = 65535 };

static void decode_conditions(struct fields *fields, const json_t *json,
			      struct slice_endpoint *endpoint)
{
	const json_t *conditions = fields_map(fields, json, "conditions");
	size_t before = fields_enter(fields, "conditions");

	endpoint->ready = fields_bool(fields, conditions, "ready", true);
	endpoint->serving = fields_bool(fields, conditions, "serving", true);
	endpoint->terminating = fields_bool(fields, conditions, "terminating", false);
	fields_leave(fields, before);
}

static void decode_target(struct fields *fields, const json_t *json,
			  struct slice_endpoint *endpoint)
{
	const json_t *target = fields_map(fields, json, "targetRef");
	size_t before = fields_enter(fields, "targetRef");

	endpoint->target_kind = fields_text(fields, target, "kind");
	endpoint->target_namespace = fields_text(fields, target, "namespace");
	endpoint->target_name = fields_text(fields, target, "name");
	fields_leave(fields, before);
}

static bool fits_type(const struct ip *ip, struct span address_type)
{
	return ip_is_v4(ip) == span_equals(address_type, S("IPv4"));
}

/* The first address alone has a meaning. */
static bool decode_address(struct fields *fields, const json_t *json, struct span address_type,
			   struct slice_endpoint *endpoint)
{
	const json_t *list = fields_list(fields, json, "addresses", "address");
	const char *text = json_string_value(json_array_get(list, 0));

	if (text != NULL && ip_parse(span_from(text), &endpoint->ip) &&
	    fits_type(&endpoint->ip, address_type))
		return true;
	if (text != NULL)
		fields_wrong(fields, DIAGNOSTIC_BAD_ENDPOINT, "addresses",
			     "%s is no %.*s address; this endpoint is left out",
			     diagnostic_quote(span_from(text)), (int)address_type.len,
			     address_type.ptr);
	else
		fields_wrong(fields, DIAGNOSTIC_BAD_ENDPOINT, "addresses",
			     "holds no address; this endpoint is left out");
	return false;
}

/* Whether the endpoint is usable as an endpoint. */
static bool decode_endpoint(struct fields *fields, const json_t *json, struct span address_type,
			    struct slice_endpoint *endpoint)
{
	bool refused = fields->refused;
	bool usable;

	if (fields_is_map(fields, json)) {
		endpoint->zone = fields_text(fields, json, "zone");
		endpoint->node_name = fields_text(fields, json, "nodeName");
		decode_conditions(fields, json, endpoint);
		decode_target(fields, json, endpoint);
	}
	usable = json_is_object(json) && !(fields->refused && !refused) &&
		 decode_address(fields, json, address_type, endpoint);
	/* it stands on its own */
	fields->refused = refused;
	return usable;
}

static void decode_endpoints(struct fields *fields, const json_t *json, struct span address_type,
			     struct endpoint_slice *slice)
{
	const json_t *list = fields_list(fields, json, "endpoints", "endpoint");
	struct slice_endpoint *endpoints = fields_array(fields, json_array_size(list),
							sizeof(*endpoints));
	size_t before = fields_enter(fields, "endpoints");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		struct slice_endpoint *endpoint = &endpoints[slice->endpoint_count];
		size_t list_path = fields_enter_index(fields, index);

		*endpoint = (struct slice_endpoint){.index = (uint32_t)index};
		slice->endpoint_count += decode_endpoint(fields, entry, address_type, endpoint);
		fields_leave(fields, list_path);
	}
	slice->endpoints = endpoints;
	fields_leave(fields, before);
}

static enum service_protocol decode_protocol(struct fields *fields, const json_t *json)
{
	struct span text = fields_text(fields, json, "protocol");

	if (text.len == 0 || span_equals(text, S("TCP")))
		return SERVICE_TCP;
	return span_equals(text, S("UDP")) ? SERVICE_UDP : SERVICE_SCTP;
}

static void decode_ports(struct fields *fields, const json_t *json, struct endpoint_slice *slice)
{
	const json_t *list = fields_list(fields, json, "ports", "port");
	struct endpoint_port *ports = fields_array(fields, json_array_size(list), sizeof(*ports));
	size_t before = fields_enter(fields, "ports");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		struct endpoint_port *port = &ports[index];
		size_t list_path = fields_enter_index(fields, index);

		if (fields_is_map(fields, entry)) {
			port->name = fields_text(fields, entry, "name");
			port->protocol = decode_protocol(fields, entry);
			port->port = (uint16_t)fields_number(fields, entry, "port", 0, PORT_MAX, 0);
			port->app_protocol = fields_text(fields, entry, "appProtocol");
		}
		fields_leave(fields, list_path);
	}
	slice->ports = ports;
	slice->port_count = (uint32_t)json_array_size(list);
	fields_leave(fields, before);
}

void endpoint_slice_decode(struct fields *fields, const json_t *json)
{
	struct endpoint_slice *slice = (struct endpoint_slice *)fields->object;
	struct span address_type = fields_text(fields, json, "addressType");

	slice->service_name = pairs_find(&slice->object.labels, S("kubernetes.io/service-name"));
	slice->usable = span_equals(address_type, S("IPv4")) ||
			span_equals(address_type, S("IPv6"));
	if (address_type.len == 0) {
		fields->refused = true;
		fields_wrong(fields, DIAGNOSTIC_MISSING_FIELD, NULL,
			     "has no \"addressType\"; it is IPv4 or IPv6");
	}
	/* FQDN has no semantics any more: such a slice is kept, and nothing of it is used */
	if (slice->usable) {
		decode_endpoints(fields, json, address_type, slice);
		decode_ports(fields, json, slice);
	}
}
