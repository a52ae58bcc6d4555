/* SPDX-License-Identifier: Apache-2.0 */
/* What golden pairs do not show: tables that must be in order, ages, speed, what is asked again and again. */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kube/manifest.h"

static const struct model_options options = {
	.ingress_class = {"nginx", 5},
	.controller_class = {"k8s.io/ingress-nginx", 20},
	.watch_without_class = true,
	.allow_external_name = true,
};

/* 2026-11-24: by which certificates are judged */
#define NOW_S INT64_C(1795478400)

struct given {
	struct store store;
	struct diagnostics diagnostics;
	struct model *model;
};

static void given_objects(struct given *given, struct span text)
{
	struct manifest manifest;

	manifest_parse(&manifest, S("given.yaml"), text, DOCUMENT_ANY);
	store_init(&given->store);
	diagnostics_init(&given->diagnostics);
	assert_null(manifest.diagnostics.first);
	for (size_t i = 0; i < manifest.count; i++) {
		store_upsert(&given->store, manifest.entries[i].object);
		manifest.entries[i].object = NULL;
	}
	manifest_fini(&manifest);
}

static void free_given(struct given *given)
{
	model_free(given->model);
	diagnostics_fini(&given->diagnostics);
	store_fini(&given->store);
}

static const char annotations[] =
#define ANNOTATION_VALUE(name, field)  name "\n"
#define ANNOTATION_TEXT(name, field)   name "\n"
#define ANNOTATION(name, class, inert) name "\n"
#include "model/annotation.def"
#undef ANNOTATION
#undef ANNOTATION_TEXT
#undef ANNOTATION_VALUE
	;

static const char keys[] =
#define KEY_VALUE(name, type, field) name "\n"
#define KEY(name, class)             name "\n"
#define KEY_NEVER(name, why)         name "\n"
#include "model/config_key.def"
#undef KEY_VALUE
#undef KEY_NEVER
#undef KEY
	;

static void assert_sorted(const char *lines)
{
	struct span rest = span_from(lines);
	struct span last = {NULL, 0};

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');

		assert_true(span_compare(last, line) < 0);
		last = line;
	}
}

static void annotations_and_keys_stand_in_the_order_of_the_alphabet(void **state)
{
	(void)state;
	assert_sorted(annotations);
	assert_sorted(keys);
}

static void every_annotation_of_the_index_is_known(void **state)
{
	struct given given;
	struct buf text = {0};
	struct span rest = span_from(annotations);
	unsigned unknown = 0;

	(void)state;
	buf_add(&text, S("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\n  "
			 "annotations:\n"));
	while (rest.len > 0) {
		struct span name = span_cut(&rest, '\n');

		buf_printf(&text, "    nginx.ingress.kubernetes.io/%.*s: x\n", (int)name.len,
			   name.ptr);
	}
	buf_add(&text, S("spec: {rules: [{host: a}]}\n"));
	given_objects(&given, buf_span(&text));

	given.model = model_build(&given.store, &options, NOW_S, &given.diagnostics);

	for (const struct diagnostic *at = given.diagnostics.first; at != NULL; at = at->next)
		unknown += at->id == DIAGNOSTIC_UNKNOWN_ANNOTATION;
	assert_int_equal(unknown, 0);
	assert_true(given.diagnostics.counts[DIAGNOSTIC_LEVEL_ERROR] > 30);
	free_given(&given);
	buf_fini(&text);
}

static const struct model_host *host_of_rules(const struct given *given)
{
	struct map_entry *entry = map_find(&given->model->hosts_by_name, S("x.example"));

	assert_non_null(entry);
	return container_of(entry, struct model_host, by_name);
}

static void equal_stores_make_equal_models_whatever_the_order(void **state)
{
	static const char service[] = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: "
				      "{ports: [{port: 80}]}\n---\n";
	static const char ingress[] =
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: %s}\nspec:\n  "
		"rules:\n"
		"  - host: x.example\n    http: {paths: [{path: /, pathType: Prefix, backend: "
		"{service: {name: web, port: {number: 80}}}}]}\n---\n";
	static const char *const orders[][3] = {{"a", "b", "c"}, {"c", "a", "b"}, {"b", "c", "a"}};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct given given;
		struct buf text = {0};

		for (int k = 0; k < 3; k++) {
			char one[512];

			snprintf(one, sizeof(one), ingress, orders[i][k]);
			buf_printf(&text, "%s", one);
		}
		buf_add(&text, span_from(service));
		given_objects(&given, buf_span(&text));

		given.model = model_build(&given.store, &options, NOW_S, &given.diagnostics);

		assert_int_equal(given.model->route_count,
				 2); /* with the root of every other host */
		assert_int_equal(host_of_rules(&given)->first->ingress.ptr[0], 'c');
		assert_int_equal(given.diagnostics.counts[DIAGNOSTIC_LEVEL_WARNING], 2);
		free_given(&given);
		buf_fini(&text);
	}
}

static void add_world(struct buf *text, unsigned ingresses, bool services)
{
	for (unsigned i = 0; i < ingresses; i++) {
		buf_printf(
			text,
			"{\"apiVersion\":\"networking.k8s.io/"
			"v1\",\"kind\":\"Ingress\",\"metadata\":"
			"{\"name\":\"i%u\",\"namespace\":\"shop\"},\"spec\":{\"rules\":[{\"host\":"
			"\"h%u.example\",\"http\":{\"paths\":[{\"path\":\"/"
			"\",\"pathType\":\"Prefix\","
			"\"backend\":{\"service\":{\"name\":\"service-%u\",\"port\":{\"number\":80}"
			"}}},"
			"{\"path\":\"/a/b\",\"pathType\":\"Exact\",\"backend\":{\"service\":"
			"{\"name\":\"service-%u\",\"port\":{\"name\":\"http\"}}}}]}}]}}\n",
			i, i, i, i);
		if (services)
			buf_printf(text,
				   "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{"
				   "\"name\":"
				   "\"service-%u\",\"namespace\":\"shop\"},\"spec\":{\"ports\":[{"
				   "\"name\":"
				   "\"http\",\"port\":80}]}}\n",
				   i);
	}
}

static uint64_t build_ms(struct given *given, struct span text)
{
	uint64_t started_ns;

	given_objects(given, text);
	started_ns = clock_monotonic_ns();
	given->model = model_build(&given->store, &options, NOW_S, &given->diagnostics);
	return (clock_monotonic_ns() - started_ns) / 1000000;
}

static void ten_thousand_ingresses_are_modelled_quickly(void **state)
{
	struct given given;
	struct buf text = {0};
	uint64_t ms;

	(void)state;
	add_world(&text, 10000, true);

	ms = build_ms(&given, buf_span(&text));

	printf("10,000 Ingresses and Services in %llu ms\n", (unsigned long long)ms);
	assert_int_equal(given.model->upstreams_by_key.count, 20000);
	assert_int_equal(given.model->hosts_by_name.count, 10001);
	assert_null(given.diagnostics.first);
	assert_true(ms < 1000); /* a loop within a loop would take longer, and so may a sanitizer */
	free_given(&given);
	buf_fini(&text);
}

static void ten_thousand_missing_services_are_reported_quickly(void **state)
{
	struct given given;
	struct buf text = {0};
	uint64_t ms;

	(void)state;
	add_world(&text, 10000, false);
	for (unsigned i = 0; i < 10000; i++)
		buf_printf(&text,
			   "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":"
			   "\"servise-%u\",\"namespace\":\"shop\"}}\n",
			   i);

	ms = build_ms(&given, buf_span(&text));

	printf("20,000 missing Services in %llu ms\n", (unsigned long long)ms);
	assert_int_equal(given.diagnostics.counts[DIAGNOSTIC_LEVEL_WARNING], 20000);
	assert_true(ms < 5000);
	free_given(&given);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(annotations_and_keys_stand_in_the_order_of_the_alphabet),
		cmocka_unit_test(every_annotation_of_the_index_is_known),
		cmocka_unit_test(equal_stores_make_equal_models_whatever_the_order),
		cmocka_unit_test(ten_thousand_ingresses_are_modelled_quickly),
		cmocka_unit_test(ten_thousand_missing_services_are_reported_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
