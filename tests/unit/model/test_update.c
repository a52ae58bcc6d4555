/* SPDX-License-Identifier: Apache-2.0 */
/* A model that follows its store is what a model made at once would be, whatever happened before. */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "given_certificates.h"
#include "kube/manifest.h"

static const struct model_options options = {
	.ingress_class = {"nginx", 5},
	.controller_class = {"k8s.io/ingress-nginx", 20},
	.config_map = {"ingress/settings", 16},
	.default_backend = {"ingress/fallback", 16},
	.watch_without_class = true,
	.allow_external_name = true,
};

/* 2026-11-24: by which certificates are judged */
#define NOW_S INT64_C(1795478400)

/* Two authorities, P-256. */
static const char *const authorities[2] = {
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBfDCCASOgAwIBAgIUEjBYM7/ZLpGQVM/ue7nGnydYbp8wCgYIKoZIzj0EAwIw\n"
	"DDEKMAgGA1UEAwwBYTAeFw0yNjExMjQxMzI5MDRaFw0yNzExMjQxMzI5MDRaMAwx\n"
	"CjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQTDh+7zZU8L0qC\n"
	"34QZfQ7qStZLn499gqqCdPfX3FDDSP77w90K6dbxHCl/2qA2PY5nJoeIiv8M5G0a\n"
	"+pPsNZQgo2MwYTAdBgNVHQ4EFgQUFjqlG9KraWpwzZk2SgFXgnfEUckwHwYDVR0j\n"
	"BBgwFoAUFjqlG9KraWpwzZk2SgFXgnfEUckwDwYDVR0TAQH/BAUwAwEB/zAOBgNV\n"
	"HQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDRwAwRAIgTeh/XK2LccslOKO7FW3GzvtH\n"
	"CEOPztPVsMEeMG3JwiQCICVO3rd402alhl/clEQuTs56GFz8eaL30DdHmZU2rL35\n"
	"-----END CERTIFICATE-----\n",
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBfjCCASOgAwIBAgIUWcTs8/8uDFxXZr1jKP3euPh069YwCgYIKoZIzj0EAwIw\n"
	"DDEKMAgGA1UEAwwBYjAeFw0yNjExMjQxMzI5MDRaFw0yNzExMjQxMzI5MDRaMAwx\n"
	"CjAIBgNVBAMMAWIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARU2WJKIVTkhRlA\n"
	"ZssvnHURX0M+cMUCVuvzjFQflQk2FHWOgxP35Dvh1SUqyLca6jhmWYaRVEUlhl8B\n"
	"UWl9qwj7o2MwYTAdBgNVHQ4EFgQUqS4Bipzg5TvsZVNiRtMREaNkY8gwHwYDVR0j\n"
	"BBgwFoAUqS4Bipzg5TvsZVNiRtMREaNkY8gwDwYDVR0TAQH/BAUwAwEB/zAOBgNV\n"
	"HQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSQAwRgIhALSKS0v7AsASc9nciqlMDyCH\n"
	"0937DWM6Xz0SQ1Q8pH6jAiEA11/0L/E1OgQOImq6TetWZUCkBjgvxg3sAZoA6yTj\n"
	"41s=\n"
	"-----END CERTIFICATE-----\n",
};

struct world {
	struct store store;
	struct model *model;
	struct diagnostic_sink sink;
	struct map told; /* struct line: what is wrong now */
	const struct model_changes *changes;
};

struct line {
	struct map_entry by_text;
	unsigned count;
	char text[];
};

static struct line *find_line(struct world *world, struct span text)
{
	struct map_entry *entry = map_find(&world->told, text);

	return entry == NULL ? NULL : container_of(entry, struct line, by_text);
}

static struct line *add_line(struct world *world, struct span text)
{
	struct line *line = memory_new(sizeof(*line) + text.len);

	memcpy(line->text, text.ptr, text.len);
	line->by_text.key = span_make(line->text, text.len);
	map_add(&world->told, &line->by_text);
	return line;
}

static void on_new(void *owner, const struct diagnostics *list)
{
	for (const struct diagnostic *at = list->first; at != NULL; at = at->next) {
		struct buf text = {0};
		struct line *line;

		diagnostic_write(at, &text);
		line = find_line(owner, buf_span(&text));
		if (line == NULL)
			line = add_line(owner, buf_span(&text));
		line->count++;
		buf_fini(&text);
	}
}

static void on_gone(void *owner, const struct diagnostics *list)
{
	struct world *world = owner;

	for (const struct diagnostic *at = list->first; at != NULL; at = at->next) {
		struct buf text = {0};
		struct line *line;

		diagnostic_write(at, &text);
		line = find_line(world, buf_span(&text));
		assert_non_null(line); /* it was told */
		if (--line->count == 0) {
			map_remove(&world->told, &line->by_text);
			free(line);
		}
		buf_fini(&text);
	}
}

static struct world *given_world(void)
{
	struct world *world = memory_new(sizeof(*world));

	store_init(&world->store);
	map_init(&world->told);
	world->sink = (struct diagnostic_sink){world, on_new, on_gone};
	world->model = model_new(&world->store, &options, &world->sink);
	return world;
}

static void told_end(struct world *world)
{
	struct map_entry *entry = map_next(&world->told, NULL);

	while (entry != NULL) {
		struct line *line = container_of(entry, struct line, by_text);

		entry = map_next(&world->told, entry);
		free(line);
	}
	map_fini(&world->told);
}

static void world_end(struct world *world)
{
	model_free(world->model);
	store_fini(&world->store);
	told_end(world);
	free(world);
}

/* The objects of a manifest are there from now on. */
static void apply(struct world *world, const char *text)
{
	struct manifest manifest;

	manifest_parse(&manifest, S("given.yaml"), span_from(text), DOCUMENT_ANY);
	for (size_t i = 0; i < manifest.count; i++) {
		assert_non_null(manifest.entries[i].object);
		store_upsert(&world->store, manifest.entries[i].object);
		manifest.entries[i].object = NULL;
	}
	manifest_fini(&manifest);
}

static void update(struct world *world)
{
	world->changes = model_update(world->model, NOW_S);
	store_forget_changes(&world->store);
}

/* Lines in the order of the alphabet. */
struct text {
	struct buf lines;
	char **sorted;
	size_t count;
	size_t room;
};

static void add_text(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_text(struct text *text, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	assert_true(vasprintf(&line, format, args) >= 0);
	va_end(args);
	text->sorted = memory_grow_array(text->sorted, &text->room, text->count + 1,
					 sizeof(*text->sorted));
	text->sorted[text->count++] = line;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *finish(struct text *text)
{
	qsort(text->sorted, text->count, sizeof(*text->sorted), compare);
	for (size_t i = 0; i < text->count; i++)
		buf_printf(&text->lines, "%s\n", text->sorted[i]);
	return buf_text(&text->lines);
}

static void text_end(struct text *text)
{
	for (size_t i = 0; i < text->count; i++)
		free(text->sorted[i]);
	free(text->sorted);
	buf_fini(&text->lines);
}

#define SPAN(span) (int)(span).len, (span).ptr == NULL ? "" : (span).ptr

static void add_route(struct text *text, const struct model_host *host, unsigned index,
		      const struct model_route *route)
{
	add_text(text,
		 "host '%.*s' %02u %s %.*s answer %d upstream %.*s of %.*s/%.*s -> %.*s:%.*s %s%s",
		 SPAN(host->by_name.key), index, route->type == MODEL_EXACT ? "Exact" : "Prefix",
		 SPAN(route->path), (int)route->answer,
		 SPAN(route->upstream == NULL ? S("-") : route->upstream->by_key.key),
		 SPAN(route->namespace), SPAN(route->ingress), SPAN(route->service),
		 SPAN(route->service_port), route->implicit ? "implicit " : "",
		 route->default_backend ? "default" : "");
}

static void add_host(struct text *text, const struct model_host *host)
{
	unsigned index = 0;

	for (const struct model_route *route = host->first; route != NULL; route = route->next)
		add_route(text, host, index++, route);
	assert_int_equal(index, host->route_count);
	for (unsigned kind = 0; kind < MODEL_KEY_KIND_COUNT; kind++) {
		const struct model_certificate *certificate = host->certificates[kind];

		add_text(text, "host '%.*s' tls %d certificate %u '%.*s'", SPAN(host->by_name.key),
			 host->has_tls, kind,
			 SPAN(certificate == NULL ? S("-") : certificate->by_name.key));
	}
	add_text(text, "host '%.*s' clients %d %s %.*s depth %u", SPAN(host->by_name.key),
		 (int)host->client.verify, host->client.refuses ? "refused" : "let in",
		 SPAN(host->client.authorities), host->client.verify_depth);
}

static void add_upstream(struct text *text, const struct model_upstream *upstream)
{
	add_text(text, "upstream %.*s name %.*s of %.*s/%.*s port %.*s target %u external %.*s:%u",
		 SPAN(upstream->by_key.key), SPAN(upstream->name), SPAN(upstream->namespace),
		 SPAN(upstream->service), SPAN(upstream->port_name), upstream->target_number,
		 SPAN(upstream->external_name), upstream->external_port);
	add_text(text, "upstream %.*s by %u %.*s %u %u", SPAN(upstream->by_key.key),
		 (unsigned)upstream->balance.algorithm, SPAN(upstream->balance.hash_by),
		 upstream->balance.subset_size, upstream->balance.bound_percent);
	if (upstream->tls.is_used)
		add_text(text, "upstream %.*s tls %.*s %.*s %.*s %.*s", SPAN(upstream->by_key.key),
			 SPAN(upstream->tls.certificate), SPAN(upstream->tls.authorities),
			 SPAN(upstream->tls.server_name), SPAN(upstream->tls.verify_name));
}

static void add_certificate(struct text *text, const struct model_certificate *certificate)
{
	add_text(text, "certificate %.*s kind %d chain %zu digest %02x%02x%02x%02x",
		 SPAN(certificate->by_name.key), (int)certificate->kind, certificate->chain.len,
		 certificate->digest[0], certificate->digest[1], certificate->digest[2],
		 certificate->digest[3]);
}

static void describe(struct text *text, const struct model *model)
{
	uint32_t routes = 0;

	list_for_each (link, &model->hosts) {
		const struct model_host *host = container_of(link, struct model_host, link);

		assert_ptr_equal(map_find(&model->hosts_by_name, host->by_name.key),
				 &host->by_name);
		add_host(text, host);
		routes += host->route_count;
	}
	list_for_each (link, &model->upstreams)
		add_upstream(text, container_of(link, struct model_upstream, link));
	list_for_each (link, &model->certificates)
		add_certificate(text, container_of(link, struct model_certificate, link));
	assert_int_equal(model->route_count, routes);
	add_text(text, "ingresses %u, hosts %zu, upstreams %zu, timeout %u", model->ingress_count,
		 model->hosts_by_name.count, model->upstreams_by_key.count,
		 model->settings.keep_alive_timeout_ms);
}

static void describe_told(struct text *text, struct world *world)
{
	for (struct map_entry *at = map_next(&world->told, NULL); at != NULL;
	     at = map_next(&world->told, at))
		add_text(text, "%u times %.*s", container_of(at, struct line, by_text)->count,
			 SPAN(at->key));
}

/* As one made at once. */
static void assert_as_fresh(struct world *world)
{
	struct world fresh = {.sink = {&fresh, on_new, on_gone}};
	struct text found = {0};
	struct text expected = {0};
	struct store_changes changes = world->store.changes;

	map_init(&fresh.told);
	world->store.changes = (struct store_changes){.everything = true};
	fresh.model = model_new(&world->store, &options, &fresh.sink);
	model_update(fresh.model, NOW_S);
	world->store.changes = changes;
	describe(&found, world->model);
	describe_told(&found, world);
	describe(&expected, fresh.model);
	describe_told(&expected, &fresh);
	if (strcmp(finish(&found), finish(&expected)) != 0) {
		printf("%s\nis not\n%s", buf_text(&found.lines), buf_text(&expected.lines));
		fail();
	}
	text_end(&found);
	text_end(&expected);
	told_end(&fresh);
	model_free(fresh.model);
}

static bool has_name(const struct span *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (span_equals(names[i], span_from(name)))
			return true;
	return false;
}

#define SERVICE(name)                                                                       \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name ", namespace: shop}\n" \
	"spec: {ports: [{name: http, port: 80}]}\n"

#define INGRESS(name, host, service)                                                      \
	"---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: " name    \
	", namespace: shop}\nspec: {rules: [{host: " host                                 \
	", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: " service \
	", port: {number: 80}}}}]}}]}\n"

static void a_changed_ingress_makes_its_hosts_anew_and_no_other(void **state)
{
	struct world *world = given_world();

	(void)state;
	apply(world, SERVICE("a") SERVICE("b") INGRESS("one", "one.example", "a")
			     INGRESS("two", "two.example", "b"));
	update(world);
	assert_true(world->changes->everything);

	apply(world, INGRESS("one", "uno.example", "b"));
	update(world);

	assert_false(world->changes->everything);
	assert_int_equal(world->changes->host_count, 2);
	assert_true(has_name(world->changes->hosts, 2, "one.example"));
	assert_true(has_name(world->changes->hosts, 2, "uno.example"));
	assert_int_equal(world->changes->upstream_count, 1);
	assert_true(has_name(world->changes->upstreams, 1, "shop/a:80"));
	assert_as_fresh(world);
	world_end(world);
}

static void a_service_that_comes_is_found_by_those_who_miss_it(void **state)
{
	struct world *world = given_world();

	(void)state;
	apply(world,
	      SERVICE("a") INGRESS("one", "one.example", "a") INGRESS("two", "two.example", "b"));
	update(world);

	apply(world, SERVICE("b"));
	update(world);

	assert_int_equal(world->changes->host_count, 1);
	assert_true(has_name(world->changes->hosts, 1, "two.example"));
	assert_int_equal(world->changes->upstream_count, 1);
	assert_as_fresh(world);
	world_end(world);
}

static void apply_secret(struct world *world, const char *pem)
{
	struct buf text = {0};

	buf_add(&text, S("apiVersion: v1\nkind: Secret\nmetadata: {name: trust, namespace: shop}\n"
			 "stringData: {ca.crt: \""));
	buf_add_json(&text, span_from(pem));
	buf_add(&text, S("\"}\n"));
	apply(world, buf_text(&text));
	buf_fini(&text);
}

static void nothing_changed_makes_nothing(void **state)
{
	struct world *world = given_world();

	(void)state;
	apply(world, SERVICE("a") INGRESS("one", "one.example", "a"));
	update(world);

	update(world);

	assert_false(world->changes->everything);
	assert_int_equal(world->changes->host_count, 0);
	assert_int_equal(world->changes->upstream_count, 0);
	world_end(world);
}

enum { MANY = 16000 };

/* An Ingress that names one host so many times. */
static void apply_many_rules(struct world *world, const char *name, unsigned year, unsigned version)
{
	struct buf text = {0};

	buf_printf(
		&text,
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: %s, namespace: "
		"shop, creationTimestamp: \"%u-01-01T00:00:00Z\"}\nspec:\n  rules:\n",
		name, year);
	for (unsigned i = 0; i < MANY; i++)
		buf_printf(&text,
			   "  - {host: a.example, http: {paths: [{path: /%s%u/%u, pathType: Exact, "
			   "backend: {service: {name: a, port: {number: 80}}}}]}}\n",
			   name, version, i);
	apply(world, buf_text(&text));
	buf_fini(&text);
}

static int64_t cpu_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The least that a change of that Ingress took. */
static int64_t measure_change(struct world *world, const char *name, unsigned year)
{
	int64_t least = INT64_MAX;

	for (unsigned version = 1; version <= 3; version++) {
		int64_t took;

		apply_many_rules(world, name, year, version);
		took = -cpu_ns();
		update(world);
		took += cpu_ns();
		least = took < least ? took : least;
	}
	return least;
}

static void a_change_of_the_older_costs_no_more_than_one_of_the_younger(void **state)
{
	struct world *world = given_world();
	int64_t old;
	int64_t young;

	(void)state;
	apply(world, SERVICE("a"));
	apply_many_rules(world, "old", 2025, 0);
	apply_many_rules(world, "young", 2026, 0);
	update(world);

	young = measure_change(world, "young", 2026);
	old = measure_change(world, "old", 2025);

	/* the square of their number is a hundred times as much */
	assert_in_range(old, 0, 8 * young);
	world_end(world);
}

static void a_renewed_secret_is_another_certificate_and_nothing_else(void **state)
{
	static const char ingress[] =
		"---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: one, "
		"namespace: shop, "
		"annotations: {nginx.ingress.kubernetes.io/backend-protocol: HTTPS, "
		"nginx.ingress.kubernetes.io/proxy-ssl-secret: trust, "
		"nginx.ingress.kubernetes.io/proxy-ssl-verify: \"on\"}}\n"
		"spec: {rules: [{host: one.example, http: {paths: [{path: /, pathType: Prefix, "
		"backend: "
		"{service: {name: a, port: {number: 80}}}}]}}]}\n";
	struct world *world = given_world();

	(void)state;
	apply(world, SERVICE("a"));
	apply(world, ingress);
	apply_secret(world, authorities[0]);
	update(world);
	assert_int_equal(world->model->certificates_by_name.count, 1);

	apply_secret(world, authorities[1]);
	update(world);

	assert_int_equal(world->changes->certificate_count, 1);
	assert_true(has_name(world->changes->certificates, 1, "shop/trust/ca.crt"));
	assert_as_fresh(world);
	world_end(world);
}

/*
 * Whatever happens
 */

enum { ROUNDS = 400, NAMES = 12, HOSTS = 9, SERVICES = 7 };

static unsigned pick(unsigned below)
{
	return (unsigned)random() % below;
}

static void add_backend(struct buf *text)
{
	switch (pick(12)) {
	case 0:
		buf_printf(text, "{resource: {kind: Bucket, name: b}}");
		break;
	case 1:
		buf_printf(text, "{service: {name: s%u, port: {name: admin}}}", pick(SERVICES));
		break;
	case 2:
		buf_printf(text, "{service: {name: s%u, port: {name: http}}}", pick(SERVICES));
		break;
	case 3:
		buf_printf(text, "{service: {name: s%u}}", pick(SERVICES));
		break;
	default:
		buf_printf(text, "{service: {name: s%u, port: {number: 80}}}", pick(SERVICES));
	}
}

static void add_paths(struct buf *text)
{
	static const char *const types[] = {"Prefix", "Prefix", "Exact", "ImplementationSpecific",
					    "Wrong"};
	static const char *const paths[] = {"/", "/", "/a", "/a/", "/a/b", "/%7Ea", "nope"};
	unsigned count = pick(4);

	buf_add(text, S("["));
	for (unsigned i = 0; i < count; i++) {
		buf_printf(text, "%s{path: %s, pathType: %s, backend: ", i > 0 ? ", " : "",
			   paths[pick(7)], types[pick(5)]);
		add_backend(text);
		buf_add(text, S("}"));
	}
	buf_add(text, S("]"));
}

static void add_host_name(struct buf *text)
{
	static const char *const hosts[HOSTS] = {
		"\"\"",          "a.example",       "b.example", "c.example", "d.example",
		"\"*.example\"", "\"*.a.example\"", "bad_host",  "e.example"};

	buf_add(text, span_from(hosts[pick(HOSTS)]));
}

static void add_annotations(struct buf *text)
{
#define NGINX "nginx.ingress.kubernetes.io/"
	static const char *const kinds[] = {
		"",
		"",
		"",
		"",
		NGINX "auth-url: http://x",
		NGINX "canary: \"true\"",
		NGINX "backend-protocol: HTTPS",
		(NGINX "backend-protocol: HTTPS, " NGINX "proxy-ssl-secret: k0, " NGINX
		       "proxy-ssl-verify: \"on\""),
		(NGINX "proxy-ssl-secret: n0/k1, " NGINX "proxy-ssl-verify: \"on\""),
		NGINX "auth-tls-secret: k0",
		NGINX "auth-tls-secret: n1/k1",
		NGINX "unknown-one: x",
		NGINX "load-balance: round_robin",
		NGINX "load-balance: nonsense",
		NGINX "upstream-hash-by: \"$arg_a\"",
		(NGINX "upstream-hash-by: \"$http_b\", " NGINX "upstream-hash-by-subset: \"true\", "
		       "ingot/upstream-hash-balance-factor: \"1.5\""),
		"kubernetes.io/ingress.class: other",
		"kubernetes.io/ingress.class: nginx",
	};
#undef NGINX

	buf_printf(text, ", annotations: {%s}", kinds[pick(18)]);
}

static void add_tls(struct buf *text)
{
	unsigned entries = pick(3);

	if (pick(3) > 0 || entries == 0)
		return;
	buf_add(text, S("  tls:\n"));
	for (unsigned i = 0; i < entries; i++) {
		buf_add(text, S("  - hosts: ["));
		add_host_name(text);
		buf_printf(text, "]\n    secretName: t%u\n", pick(4));
	}
}

/* An Ingress of one of two namespaces and of one of few ages. */
static void write_ingress(struct buf *text)
{
	unsigned rules = pick(4);

	buf_printf(text,
		   "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i%u, "
		   "namespace: n%u, creationTimestamp: \"2026-01-0%uT00:00:00Z\"",
		   pick(NAMES), pick(2), 1 + pick(4));
	add_annotations(text);
	buf_add(text, S("}\nspec:\n"));
	if (pick(8) == 0)
		buf_printf(text, "  ingressClassName: c%u\n", pick(3));
	if (pick(4) == 0) {
		buf_add(text, S("  defaultBackend: "));
		add_backend(text);
		buf_add(text, S("\n"));
	}
	add_tls(text);
	if (rules > 0)
		buf_add(text, S("  rules:\n"));
	for (unsigned i = 0; i < rules; i++) {
		buf_add(text, S("  - host: "));
		add_host_name(text);
		buf_add(text, S("\n    http: {paths: "));
		add_paths(text);
		buf_add(text, S("}\n"));
	}
}

static void write_service(struct buf *text)
{
	static const char *const specs[] = {
		"{ports: [{name: http, port: 80}]}",
		"{ports: [{name: http, port: 80}]}",
		"{ports: [{name: http, port: 80, targetPort: web}, {name: admin, port: 81}]}",
		"{ports: [{name: http, port: 80, appProtocol: kubernetes.io/h2c}]}",
		"{ports: [{name: http, port: 80, appProtocol: https}]}",
		"{ports: [{port: 80, protocol: UDP}]}",
		"{type: ExternalName, externalName: db.example}",
		"{type: ExternalName, externalName: not_a_name}"};
	bool fallback = pick(15) == 0;

	buf_printf(text,
		   "apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s}\nspec: %s\n",
		   fallback ? "fallback" : (char[]){'s', (char)('0' + pick(SERVICES)), '\0'},
		   fallback       ? "ingress"
		   : pick(2) == 0 ? "n0"
				  : "n1",
		   specs[pick(8)]);
}

/* One of few, with authorities or without. What cannot be read is left out: then the last good one stays, and the
 * history counts. */
static void write_authorities(struct buf *text)
{
	unsigned content = pick(3);

	buf_printf(text,
		   "apiVersion: v1\nkind: Secret\nmetadata: {name: k%u, namespace: n%u}\n"
		   "stringData:\n  password: x\n",
		   pick(2), pick(2));
	if (content < 2) {
		buf_add(text, S("  ca.crt: \""));
		buf_add_json(text, span_from(authorities[content]));
		buf_add(text, S("\"\n"));
	}
}

/* Lines of a PEM text within a block of YAML. */
static void add_pem(struct buf *text, struct span pem)
{
	while (pem.len > 0)
		buf_printf(text, "    %.*s\n", SPAN(span_cut(&pem, '\n')));
}

/* Always a good one: a bad one would leave the last good one in service, which a fresh start does not know. */
static void write_secret(struct buf *text)
{
	static const char *const names[] = {"a.example", "*.example", "b.example"};
	static struct tls_identity identities[3];
	unsigned which = pick(3);

	if (identities[which].key.len == 0)
		identities[which] = given_identity(
			NULL, &(struct given_certificate){
				      .name = names[which], .days_from = -3000, .days_to = 3000});
	buf_printf(text,
		   "apiVersion: v1\nkind: Secret\nmetadata: {name: t%u, namespace: n%u}\n"
		   "stringData:\n  tls.crt: |\n",
		   pick(4), pick(2));
	add_pem(text, identities[which].chain);
	buf_add(text, S("  tls.key: |\n"));
	add_pem(text, identities[which].key);
}

static void write_other(struct buf *text)
{
	static const char *const extras[] = {"", ", global-auth-url: http://x",
					     ", load-balance: ewma",
					     ", load-balance: least_requests"};

	switch (pick(8)) {
	case 3 ... 5:
		write_secret(text);
		break;
	case 6 ... 7:
		write_authorities(text);
		break;
	case 0:
		buf_printf(text,
			   "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: "
			   "c%u}\n"
			   "spec: {controller: %s}\n",
			   pick(3), pick(2) == 0 ? "k8s.io/ingress-nginx" : "other.example/one");
		break;
	case 1:
		buf_printf(text,
			   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: "
			   "%s}\ndata: {keep-alive: \"%u\"%s}\n",
			   pick(2) == 0 ? "ingress" : "n0", pick(90), extras[pick(4)]);
		break;
	default:
		buf_printf(
			text,
			"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: "
			"e%u, "
			"namespace: n0, labels: {kubernetes.io/service-name: s%u}}\naddressType: "
			"IPv4\nendpoints: []\nports: []\n",
			pick(3), pick(SERVICES));
	}
}

static void change_something(struct world *world)
{
	struct buf text = {0};
	char namespace[] = {'n', (char)('0' + pick(2)), '\0'};
	char name[16];

	switch (pick(24)) {
	case 20 ... 22:
		write_secret(&text);
		break;
	case 23:
		snprintf(name, sizeof(name), "k%u", pick(2));
		store_delete(&world->store, OBJECT_SECRET, span_from(namespace), span_from(name));
		break;
	case 0 ... 4:
		snprintf(name, sizeof(name), "i%u", pick(NAMES));
		store_delete(&world->store, OBJECT_INGRESS, span_from(namespace), span_from(name));
		break;
	case 5 ... 6:
		snprintf(name, sizeof(name), "s%u", pick(SERVICES));
		store_delete(&world->store, OBJECT_SERVICE, span_from(namespace), span_from(name));
		break;
	case 7 ... 10:
		write_service(&text);
		break;
	case 11 ... 12:
		write_other(&text);
		break;
	case 13:
		snprintf(name, sizeof(name), "t%u", pick(4));
		store_delete(&world->store, OBJECT_SECRET, span_from(namespace), span_from(name));
		break;
	default:
		write_ingress(&text);
	}
	if (text.len > 0)
		apply(world, buf_text(&text));
	buf_fini(&text);
}

static void any_history_makes_the_model_of_a_fresh_start(void **state)
{
	const char *given = getenv("SEED");
	unsigned seed = given != NULL ? (unsigned)atoi(given) : (unsigned)clock_wall_ns();
	struct world *world = given_world();

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned changes = 1 + pick(5); changes > 0; changes--)
			change_something(world);
		update(world);
		assert_as_fresh(world);
	}
	world_end(world);
}

static void too_many_changes_at_once_make_everything_anew(void **state)
{
	struct world *world = given_world();

	(void)state;
	apply(world,
	      SERVICE("a") INGRESS("one", "one.example", "a") INGRESS("two", "two.example", "b"));
	update(world);

	for (unsigned i = 0; i <= STORE_CHANGES_MAX; i++) {
		struct buf text = {0};

		buf_printf(
			&text,
			"apiVersion: v1\nkind: Service\nmetadata: {name: x%u, namespace: shop}\n",
			i);
		apply(world, buf_text(&text));
		buf_fini(&text);
	}
	apply(world, INGRESS("one", "one.example", "b") SERVICE("b"));
	update(world);

	assert_true(world->changes->everything);
	assert_as_fresh(world);
	world_end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_ingress_makes_its_hosts_anew_and_no_other),
		cmocka_unit_test(a_service_that_comes_is_found_by_those_who_miss_it),
		cmocka_unit_test(nothing_changed_makes_nothing),
		cmocka_unit_test(a_change_of_the_older_costs_no_more_than_one_of_the_younger),
		cmocka_unit_test(a_renewed_secret_is_another_certificate_and_nothing_else),
		cmocka_unit_test(any_history_makes_the_model_of_a_fresh_start),
		cmocka_unit_test(too_many_changes_at_once_make_everything_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
