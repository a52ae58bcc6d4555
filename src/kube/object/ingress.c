/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/object/ingress.h"

#include "kube/object/kinds.h"

static void decode_service_backend(struct fields *fields, const json_t *json,
				   struct ingress_backend *backend)
{
	const json_t *service = fields_map(fields, json, "service");
	size_t before = fields_enter(fields, "service");
	const json_t *port = fields_map(fields, service, "port");

	backend->has_service = service != NULL;
	backend->service_name = fields_text(fields, service, "name");
	fields_enter(fields, "port");
	backend->port_name = fields_text(fields, port, "name");
	backend->port_number = (int32_t)fields_number(fields, port, "number", INT32_MIN, INT32_MAX,
						      0);
	fields_leave(fields, before);
}

static void decode_backend(struct fields *fields, const json_t *parent, const char *key,
			   bool *given, struct ingress_backend *backend)
{
	const json_t *json = fields_map(fields, parent, key);
	size_t before = fields_enter(fields, key);
	const json_t *resource = fields_map(fields, json, "resource");

	*given = json != NULL;
	decode_service_backend(fields, json, backend);
	fields_enter(fields, "resource");
	backend->has_resource = resource != NULL;
	backend->resource_kind = fields_text(fields, resource, "kind");
	backend->resource_name = fields_text(fields, resource, "name");
	fields_leave(fields, before);
}

static void decode_path(struct fields *fields, const json_t *json, struct ingress_path *path)
{
	bool given;

	if (!fields_is_map(fields, json))
		return;
	path->path = fields_text(fields, json, "path");
	path->path_type = fields_text(fields, json, "pathType");
	decode_backend(fields, json, "backend", &given, &path->backend);
}

static void decode_paths(struct fields *fields, const json_t *http, struct ingress_rule *rule)
{
	const json_t *list = fields_list(fields, http, "paths", "path");
	struct ingress_path *paths = fields_array(fields, json_array_size(list), sizeof(*paths));
	size_t before = fields_enter(fields, "paths");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		size_t list_path = fields_enter_index(fields, index);

		decode_path(fields, entry, &paths[index]);
		fields_leave(fields, list_path);
	}
	rule->paths = paths;
	rule->path_count = (uint32_t)json_array_size(list);
	fields_leave(fields, before);
}

static void decode_rule(struct fields *fields, const json_t *json, struct ingress_rule *rule)
{
	const json_t *http;
	size_t before;

	if (!fields_is_map(fields, json))
		return;
	rule->host = fields_text(fields, json, "host");
	http = fields_map(fields, json, "http");
	rule->has_http = http != NULL;
	before = fields_enter(fields, "http");
	decode_paths(fields, http, rule);
	fields_leave(fields, before);
}

static void decode_rules(struct fields *fields, const json_t *spec, struct ingress *ingress)
{
	const json_t *list = fields_list(fields, spec, "rules", "rule");
	struct ingress_rule *rules = fields_array(fields, json_array_size(list), sizeof(*rules));
	size_t before = fields_enter(fields, "rules");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		size_t list_path = fields_enter_index(fields, index);

		decode_rule(fields, entry, &rules[index]);
		fields_leave(fields, list_path);
	}
	ingress->rules = rules;
	ingress->rule_count = (uint32_t)json_array_size(list);
	fields_leave(fields, before);
}

static void decode_tls_hosts(struct fields *fields, const json_t *json, struct ingress_tls *tls)
{
	const json_t *list = fields_list(fields, json, "hosts", "host");
	struct span *hosts = fields_array(fields, json_array_size(list), sizeof(*hosts));
	size_t before = fields_enter(fields, "hosts");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		size_t list_path = fields_enter_index(fields, index);

		if (json_is_string(entry)) {
			hosts[tls->host_count++] = arena_copy(&fields->object->arena,
							      span_from(json_string_value(entry)));
		} else {
			fields->refused = true;
			fields_wrong(fields, DIAGNOSTIC_WRONG_TYPE, NULL,
				     "must be text, a host name; found %s", fields_found(entry));
		}
		fields_leave(fields, list_path);
	}
	tls->hosts = hosts;
	fields_leave(fields, before);
}

static void decode_tls(struct fields *fields, const json_t *spec, struct ingress *ingress)
{
	const json_t *list = fields_list(fields, spec, "tls", "entry");
	struct ingress_tls *tls = fields_array(fields, json_array_size(list), sizeof(*tls));
	size_t before = fields_enter(fields, "tls");
	size_t index;
	json_t *entry;

	json_array_foreach(list, index, entry)
	{
		size_t list_path = fields_enter_index(fields, index);

		if (fields_is_map(fields, entry)) {
			decode_tls_hosts(fields, entry, &tls[index]);
			tls[index].secret_name = fields_text(fields, entry, "secretName");
		}
		fields_leave(fields, list_path);
	}
	ingress->tls = tls;
	ingress->tls_count = (uint32_t)json_array_size(list);
	fields_leave(fields, before);
}

void ingress_decode(struct fields *fields, const json_t *json)
{
	struct ingress *ingress = (struct ingress *)fields->object;
	const json_t *spec = fields_map(fields, json, "spec");
	size_t before = fields_enter(fields, "spec");

	ingress->class_name = fields_text(fields, spec, "ingressClassName");
	decode_backend(fields, spec, "defaultBackend", &ingress->has_default_backend,
		       &ingress->default_backend);
	decode_rules(fields, spec, ingress);
	decode_tls(fields, spec, ingress);
	fields_leave(fields, before);
}

void ingress_class_decode(struct fields *fields, const json_t *json)
{
	struct ingress_class *class = (struct ingress_class *)fields->object;
	const json_t *spec = fields_map(fields, json, "spec");
	size_t before = fields_enter(fields, "spec");
	struct span is_default = pairs_find(&class->object.annotations,
					    S("ingressclass.kubernetes.io/is-default-class"));

	class->controller = fields_text(fields, spec, "controller");
	class->is_default = span_equals(is_default, S("true"));
	fields_leave(fields, before);
}
