/* SPDX-License-Identifier: Apache-2.0 */
/* What a file's text becomes: the decoders of all kinds, and what they say. */
#include "kube/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kube/edge_text.h"
#include "kube/object/config.h"
#include "kube/object/ingress.h"
#include "kube/object/service.h"

static struct manifest parse(const char *text)
{
	struct edge_text edge = edge_text_new(span_from(text));
	struct manifest manifest;

	manifest_parse(&manifest, S("web.yaml"), edge.text, DOCUMENT_ANY);
	edge_text_free(&edge);
	return manifest;
}

/* The only object of a text without fault. */
static const void *parse_one(struct manifest *manifest, const char *text)
{
	*manifest = parse(text);
	assert_null(manifest->diagnostics.first);
	assert_int_equal(manifest->count, 1);
	return manifest->entries[0].object;
}

static void assert_span(struct span is, const char *expected)
{
	assert_int_equal(is.len, strlen(expected));
	assert_memory_equal(is.len == 0 ? "" : is.ptr, expected, is.len);
}

static void assert_said(const char *text, const char *expected)
{
	struct manifest manifest = parse(text);
	struct buf all = {0};

	for (const struct diagnostic *at = manifest.diagnostics.first; at != NULL; at = at->next) {
		diagnostic_write(at, &all);
		buf_add_byte(&all, '\n');
	}
	assert_string_equal(buf_text(&all), expected);
	buf_fini(&all);
	manifest_fini(&manifest);
}

static void metadata_is_read(void **state)
{
	struct manifest manifest;
	const struct object *object = parse_one(
		&manifest,
		"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web.v2\n  namespace: shop\n"
		"  uid: u-1\n  resourceVersion: '7'\n"
		"  creationTimestamp: 2026-01-02T03:04:05Z\n"
		"  labels: {app: web}\n  annotations: {a.example/b: ''}\n");

	(void)state;
	assert_span(object->by_name.key, "shop/web.v2");
	assert_span(object->uid, "u-1");
	assert_span(object->resource_version, "7");
	assert_int_equal(object->created, 1767323045);
	assert_span(pairs_find(&object->labels, S("app")), "web");
	assert_non_null(pairs_find(&object->annotations, S("a.example/b")).ptr);
	assert_null(pairs_find(&object->annotations, S("other")).ptr);
	assert_span(object->origin.file, "web.yaml");
	assert_int_equal(object->origin.line, 1);
	manifest_fini(&manifest);
}

static void times_of_other_zones_and_with_fractions_are_read(void **state)
{
	struct manifest manifest;
	const struct object *object = parse_one(
		&manifest,
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\","
		"\"creationTimestamp\":\"2026-01-02T04:04:05.123456+01:00\"}}");

	(void)state;
	assert_int_equal(object->created, 1767323045);
	assert_span(object->by_name.key, "a");
	manifest_fini(&manifest);
}

static void an_object_without_namespace_is_in_default(void **state)
{
	struct manifest manifest;
	const struct object *object = parse_one(
		&manifest, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n");

	(void)state;
	assert_span(object->by_name.key, "default/a");
	assert_int_equal(object->created, INT64_MAX);
	manifest_fini(&manifest);
}

static void positions_lead_to_a_field_or_its_nearest_parent(void **state)
{
	struct manifest manifest;
	const struct object *object = parse_one(
		&manifest, "---\n"
			   "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n"
			   "  annotations:\n    a.example/b: x\n"
			   "spec:\n  ports:\n  - port: 80\n    name: http\n"
			   "status:\n  loadBalancer: {}\n");
	struct position port = object_position(object, S("spec.ports[0].name"));
	struct position missing = object_position(object, S("spec.ports[0].protocol"));
	struct position annotation = object_position(object,
						     S("metadata.annotations[a.example/b]"));
	struct position nowhere = object_position(object, S("data[x.y]"));

	(void)state;
	assert_int_equal(port.line, 11);
	assert_int_equal(port.column, 5);
	assert_int_equal(missing.line, 10);
	assert_int_equal(missing.column, 5);
	assert_int_equal(annotation.line, 7);
	assert_int_equal(annotation.column, 5);
	assert_int_equal(nowhere.line, 2);
	assert_int_equal(nowhere.column, 1);
	assert_int_equal(object_position(object, S("status.loadBalancer")).line, 2);
	manifest_fini(&manifest);
}

static void positions_within_a_list_count_from_the_item(void **state)
{
	struct manifest manifest = parse(
		"apiVersion: v1\nkind: List\nitems:\n"
		"- {apiVersion: v1, kind: Service, metadata: {name: a}}\n"
		"- apiVersion: v1\n  kind: Service\n  metadata: {name: b}\n"
		"  spec: {}\n");

	(void)state;
	assert_int_equal(manifest.count, 2);
	assert_int_equal(manifest.entries[0].object->origin.line, 4);
	assert_int_equal(manifest.entries[1].object->origin.line, 5);
	assert_int_equal(object_position(manifest.entries[1].object, S("spec")).line, 8);
	manifest_fini(&manifest);
}

static void an_ingress_is_read(void **state)
{
	struct manifest manifest;
	const struct ingress *ingress = parse_one(
		&manifest,
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n"
		"  ingressClassName: nginx\n"
		"  defaultBackend: {resource: {kind: Bucket, name: b}}\n"
		"  tls: [{hosts: [a.example, b.example], secretName: s}, {}]\n"
		"  rules:\n  - host: a.example\n    http:\n      paths:\n"
		"      - {path: /x, pathType: Exact, backend: {service: {name: s, port: {number: "
		"80}}}}\n"
		"      - {backend: {service: {name: t, port: {name: http}}}}\n"
		"  - {}\n");

	(void)state;
	assert_span(ingress->class_name, "nginx");
	assert_true(ingress->has_default_backend && ingress->default_backend.has_resource);
	assert_false(ingress->default_backend.has_service);
	assert_span(ingress->default_backend.resource_kind, "Bucket");
	assert_int_equal(ingress->tls_count, 2);
	assert_span(ingress->tls[0].hosts[1], "b.example");
	assert_span(ingress->tls[0].secret_name, "s");
	assert_int_equal(ingress->rule_count, 2);
	assert_int_equal(ingress->rules[0].path_count, 2);
	assert_span(ingress->rules[0].paths[0].path_type, "Exact");
	assert_int_equal(ingress->rules[0].paths[0].backend.port_number, 80);
	assert_span(ingress->rules[0].paths[1].backend.port_name, "http");
	assert_false(ingress->rules[1].has_http);
	manifest_fini(&manifest);
}

static void a_service_is_read_with_its_defaults(void **state)
{
	struct manifest manifest;
	const struct service *service = parse_one(
		&manifest, "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n"
			   "  clusterIP: None\n  ports:\n  - {port: 80}\n"
			   "  - {port: 53, protocol: UDP, name: dns, targetPort: 5353}\n"
			   "  - {port: 1, targetPort: metrics, appProtocol: kubernetes.io/h2c}\n"
			   "  - {port: 2, targetPort: '8080'}\n");

	(void)state;
	assert_int_equal(service->type, SERVICE_CLUSTER_IP);
	assert_true(service->headless);
	assert_int_equal(service->ports[0].protocol, SERVICE_TCP);
	assert_int_equal(service->ports[0].target_number, 0);
	assert_int_equal(service->ports[1].protocol, SERVICE_UDP);
	assert_int_equal(service->ports[1].target_number, 5353);
	assert_span(service->ports[2].target_name, "metrics");
	assert_span(service->ports[2].app_protocol, "kubernetes.io/h2c");
	assert_int_equal(service->ports[3].target_number, 8080);
	manifest_fini(&manifest);
}

static void a_slice_is_read_with_its_defaults(void **state)
{
	struct manifest manifest;
	const struct endpoint_slice *slice = parse_one(
		&manifest,
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		"metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n"
		"addressType: IPv6\nports: [{name: null, port: 8080}, {protocol: SCTP}]\n"
		"endpoints:\n- {addresses: [fd00::1, fd00::2], zone: z, nodeName: node,\n"
		"   targetRef: {kind: Pod, namespace: default, name: p}}\n"
		"- {addresses: [fd00::3], conditions: {ready: false, serving: null}}\n");

	(void)state;
	assert_true(slice->usable);
	assert_span(slice->service_name, "web");
	assert_int_equal(slice->port_count, 2);
	assert_int_equal(slice->ports[1].port, 0);
	assert_int_equal(slice->endpoint_count, 2);
	assert_true(slice->endpoints[0].ready && slice->endpoints[0].serving);
	assert_false(slice->endpoints[0].terminating);
	assert_span(slice->endpoints[0].target_name, "p");
	assert_false(slice->endpoints[1].ready);
	assert_true(slice->endpoints[1].serving);
	manifest_fini(&manifest);
}

static void a_secret_is_decoded_and_plain_text_stands_over_it(void **state)
{
	struct manifest manifest;
	const struct secret *secret = parse_one(
		&manifest,
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/tls\n"
		"data:\n  tls.crt: |\n    Q0VS\n    VA==\n  tls.key: S0VZ\n  none: ''\n  bin: "
		"AAECAw==\n"
		"stringData: {tls.key: plain, more: text}\n");

	(void)state;
	assert_span(secret->type, "kubernetes.io/tls");
	assert_int_equal(secret->data.count, 5);
	assert_span(pairs_find(&secret->data, S("tls.crt")), "CERT");
	assert_span(pairs_find(&secret->data, S("tls.key")), "plain");
	assert_span(pairs_find(&secret->data, S("more")), "text");
	assert_span(pairs_find(&secret->data, S("none")), "");
	assert_int_equal(pairs_find(&secret->data, S("bin")).len, 4);
	assert_memory_equal(pairs_find(&secret->data, S("bin")).ptr, "\0\1\2\3", 4);
	manifest_fini(&manifest);
}

static void what_is_no_base64_is_refused_without_showing_it(void **state)
{
	static const char *const values[] = {
		"Q", "Q===", "QQ=", "QQ==QQ==", "=QQ=", "Q!==", "QQ Q="};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: '%s'}\n",
			 values[i]);
		assert_said(text, "web.yaml:4:8: error IGT1005: Secret default/a: data.k: is not "
				  "base64; write "
				  "plain text under stringData instead\n");
	}
	assert_said("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: 12345}\n",
		    "web.yaml:4:14: error IGT1005: Secret default/a: stringData.k: must be text: "
		    "put the "
		    "value in quotes, as in \"80\" or \"true\"; found another type\n");
}

static void a_key_of_a_config_map_that_is_no_text_is_left_out_alone(void **state)
{
	struct manifest manifest = parse("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
					 "data: {keep-alive: 75, server-tokens: 'true'}\n");
	const struct config_map *map = (const struct config_map *)manifest.entries[0].object;

	(void)state;
	assert_non_null(map);
	assert_int_equal(map->data.count, 1);
	assert_int_equal(manifest.diagnostics.counts[DIAGNOSTIC_LEVEL_ERROR], 1);
	manifest_fini(&manifest);
}

static void names_are_checked(void **state)
{
	(void)state;
	assert_said("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a..b}\n",
		    "web.yaml:3:12: error IGT1005: ConfigMap default/a..b: metadata.name: \"a..b\" "
		    "is no DNS "
		    "name (lower case letters, digits and '-', labels with dots between); the "
		    "object is not "
		    "taken\n");
	assert_said("apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\n",
		    "web.yaml:3:12: error IGT1005: Service default/a.b: metadata.name: \"a.b\" is "
		    "no DNS label "
		    "(lower case letters, digits and '-'); the object is not taken\n");
	assert_said("apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: B}\n",
		    "web.yaml:3:21: error IGT1005: Service B/a: metadata.namespace: \"B\" is no "
		    "DNS label "
		    "(lower case letters, digits and '-'); the object is not taken\n");
	assert_said("apiVersion: v1\nkind: Service\n",
		    "web.yaml:1:1: error IGT1006: Service default/<no name>: metadata: has no "
		    "\"name\"; the "
		    "object is not taken\n");
}

static void a_refused_object_is_known_by_its_name(void **state)
{
	struct manifest named = parse(
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: []\n");
	struct manifest nameless = parse("apiVersion: v1\nkind: Service\nspec: {}\n");

	(void)state;
	assert_int_equal(named.count, 1);
	assert_null(named.entries[0].object);
	assert_span(named.entries[0].name, "a");
	assert_false(named.nameless);
	assert_int_equal(nameless.count, 0);
	assert_true(nameless.nameless);
	manifest_fini(&named);
	manifest_fini(&nameless);
}

static void the_digest_is_that_of_the_content_alone(void **state)
{
	struct manifest a = parse(
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n");
	struct manifest moved = parse(
		"# moved\n\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, "
		"data: {x: \"1\"}}\n");
	struct manifest other = parse(
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '2'}\n");

	(void)state;
	assert_true(a.entries[0].digest == moved.entries[0].digest);
	assert_true(a.entries[0].digest != other.entries[0].digest);
	manifest_fini(&a);
	manifest_fini(&moved);
	manifest_fini(&other);
}

static void a_file_that_is_wrong_all_over_is_not_described(void **state)
{
	struct buf text = {0};
	struct manifest manifest;

	(void)state;
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "---\nno object\n");
	manifest = parse(buf_text(&text));

	assert_int_equal(manifest.diagnostics.counts[DIAGNOSTIC_LEVEL_ERROR], 1001);
	assert_false(manifest.well_formed);
	manifest_fini(&manifest);
	buf_fini(&text);
}

static void objects_that_are_too_large_are_refused(void **state)
{
	struct buf text = {0};
	struct manifest manifest;

	(void)state;
	buf_printf(&text,
		   "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": "
		   "\"a\"}, \"data\": {\"k\": \"");
	for (int i = 0; i <= 1 << 20; i++)
		buf_add_byte(&text, 'x');
	buf_printf(&text, "\"}}");
	manifest = parse(buf_text(&text));

	assert_int_equal(manifest.count, 1);
	assert_null(manifest.entries[0].object);
	manifest_fini(&manifest);
	buf_fini(&text);
}

static void found_text_is_quoted_shortened_and_escaped(void **state)
{
	char wide[401];
	const char *quoted;

	(void)state;
	memset(wide, 'x', 400);
	wide[400] = '\0';
	assert_string_equal(diagnostic_quote(S("a\n\x1b\"b")), "\"a\\x0a\\x1b\"b\"");
	quoted = diagnostic_quote(span_from(wide));
	assert_int_equal(strlen(quoted), 2 + 40 + 3 + 39);
	memset(wide, '\x80', 400); /* never reached by text that was read, and survived */
	assert_non_null(diagnostic_quote(span_from(wide)));
	memset(wide, '\1', 400);
	assert_int_equal(strlen(diagnostic_quote(span_from(wide))), 2 + 79 * 4 + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_read),
		cmocka_unit_test(times_of_other_zones_and_with_fractions_are_read),
		cmocka_unit_test(an_object_without_namespace_is_in_default),
		cmocka_unit_test(positions_lead_to_a_field_or_its_nearest_parent),
		cmocka_unit_test(positions_within_a_list_count_from_the_item),
		cmocka_unit_test(an_ingress_is_read),
		cmocka_unit_test(a_service_is_read_with_its_defaults),
		cmocka_unit_test(a_slice_is_read_with_its_defaults),
		cmocka_unit_test(a_secret_is_decoded_and_plain_text_stands_over_it),
		cmocka_unit_test(what_is_no_base64_is_refused_without_showing_it),
		cmocka_unit_test(a_key_of_a_config_map_that_is_no_text_is_left_out_alone),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_refused_object_is_known_by_its_name),
		cmocka_unit_test(the_digest_is_that_of_the_content_alone),
		cmocka_unit_test(a_file_that_is_wrong_all_over_is_not_described),
		cmocka_unit_test(objects_that_are_too_large_are_refused),
		cmocka_unit_test(found_text_is_quoted_shortened_and_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
