/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/service.h"

#include "kube/object/kinds.h"

enum { PORT_MAX = 65535 };

static enum service_protocol decode_protocol(struct fields *fields, const json_t *json)
{
	struct span text = fields_text(fields, json, "protocol");

	if (text.len == 0 || span_equals(text, S("TCP")))
		return SERVICE_TCP;
	if (span_equals(text, S("UDP")))
		return SERVICE_UDP;
	if (!span_equals(text, S("SCTP"))) {
		fields->refused = true;
		fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, "protocol",
			     "%s is no protocol; it is TCP, UDP or SCTP", diagnostic_quote(text));
	}
	return SERVICE_SCTP;
}

/* A number, or the name of a container port. */
static void decode_target(struct fields *fields, const json_t *json, struct service_port *port)
{
	const json_t *target = json_object_get(json, "targetPort");

	if (json_is_string(target)) {
		uint64_t number;

		port->target_name = fields_text(fields, json, "targetPort");
		/* the API server takes "8080" for the name that it cannot be */
		if (span_to_u64(port->target_name, &number) && number >= 1 && number <= PORT_MAX)
			port->target_number = (uint16_t)number;
		return;
	}
	port->target_number = (uint16_t)fields_number(fields, json, "targetPort", 0, PORT_MAX, 0);
}

static void decode_port(struct fields *fields, const json_t *json, struct service_port *port)
{
	if (!fields_is_map(fields, json))
		return;
	port->name = fields_text(fields, json, "name");
	port->protocol = decode_protocol(fields, json);
	port->port = (uint16_t)fields_number(fields, json, "port", 1, PORT_MAX, 0);
	if (json_object_get(json, "port") == NULL) {
		fields->refused = true;
		fields_wrong(fields, DIAGNOSTIC_MISSING_FIELD, NULL,
			     "has no \"port\"; write for example port: 80");
	}
	port->app_protocol = fields_text(fields, json, "appProtocol");
	decode_target(fields, json, port);
}

static void decode_ports(struct fields *fields, const json_t *spec, struct service *service)
{
	const json_t *list = fields_list(fields, spec, "ports", "port");
	struct service_port *ports = fields_array(fields, json_array_size(list), sizeof(*ports));
	size_t before = fields_enter(fields, "ports");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		size_t list_path = fields_enter_index(fields, index);

		decode_port(fields, entry, &ports[index]);
		fields_leave(fields, list_path);
	}
	service->ports = ports;
	service->port_count = (uint32_t)json_array_size(list);
	fields_leave(fields, before);
}

static void decode_type(struct fields *fields, const json_t *spec, struct service *service)
{
	static const struct {
		struct span name;
		enum service_type type;
	} types[] = {
		{{"ClusterIP", 9}, SERVICE_CLUSTER_IP},
		{{"NodePort", 8}, SERVICE_NODE_PORT},
		{{"LoadBalancer", 12}, SERVICE_LOAD_BALANCER},
		{{"ExternalName", 12}, SERVICE_EXTERNAL_NAME},
	};
	struct span text = fields_text(fields, spec, "type");

	service->type = SERVICE_CLUSTER_IP;
	if (text.len == 0)
		return;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (span_equals(text, types[i].name)) {
			service->type = types[i].type;
			return;
		}
	}
	fields->refused = true;
	fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, "type",
		     "%s is no type of a Service; it is ClusterIP, NodePort, LoadBalancer or "
		     "ExternalName",
		     diagnostic_quote(text));
}

void service_decode(struct fields *fields, const json_t *json)
{
	struct service *service = (struct service *)fields->object;
	const json_t *spec = fields_map(fields, json, "spec");
	size_t before = fields_enter(fields, "spec");

	decode_type(fields, spec, service);
	service->external_name = fields_text(fields, spec, "externalName");
	service->cluster_ip = fields_text(fields, spec, "clusterIP");
	if (span_equals(service->cluster_ip, S("None"))) {
		service->headless = true;
		service->cluster_ip = (struct span){NULL, 0};
	}
	decode_ports(fields, spec, service);
	fields_leave(fields, before);
}
