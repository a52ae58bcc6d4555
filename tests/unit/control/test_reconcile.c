/* SPDX-License-Identifier: Apache-2.0 */
#include "control/reconcile.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/state_key.h"
#include "given.h"
#include "kube/source_dir.h"

struct world {
	struct loop *loop;
	struct publisher *publisher;
	struct given_directory directory; /* manifests, read by hand with sync() */
	struct given_directory state_directory;
	struct state *state;
	struct model_options model;
	struct reconcile *reconcile;
	struct source_sink sink;
	struct fake_worker worker;
	unsigned routes_seen; /* how often on_routes was called */
};

static void on_obeyed(void *owner, uint64_t routes_generation)
{
	struct world *world = owner;

	reconcile_on_obeyed(world->reconcile, routes_generation);
}

static void on_routes(void *owner, const struct routes *routes)
{
	struct world *world = owner;

	assert_true(routes->host_count > 0);
	world->routes_seen++;
}

static void given_reconcile(struct world *world, uint64_t generation_floor)
{
	struct reconcile_options options = {
		.model = &world->model,
		.state = world->state,
		.generation_floor = generation_floor,
	};
	struct publisher_events events = {
		.owner = world, .on_routes = on_routes, .on_obeyed = on_obeyed};

	world->publisher = publisher_new(world->loop, 1, &events);
	world->reconcile = reconcile_new(&options, world->publisher);
	world->sink = reconcile_sink(world->reconcile);
	world->worker = given_worker(world->publisher, 0);
}

static void end_reconcile(struct world *world)
{
	reconcile_free(world->reconcile);
	if (world->state != NULL)
		state_close(world->state);
	world->state = NULL;
	publisher_free(world->publisher);
	fake_worker_end(&world->worker);
}

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct error err;

	world->loop = loop_new(&err);
	given_directory(&world->directory);
	given_directory(&world->state_directory);
	world->model = (struct model_options){
		.ingress_class = S("nginx"),
		.controller_class = S("k8s.io/ingress-nginx"),
		.watch_without_class = true,
		.allow_external_name = true,
		.tenant_destinations_free = true,
	};
	given_reconcile(world, 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	end_reconcile(world);
	given_directory_end(&world->directory);
	given_directory_end(&world->state_directory);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static void put(struct world *world, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.yaml", world->directory.path, name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
}

/* A round of the source: each object is given anew, as a list after a lost watch does. */
static void sync_all(struct world *world)
{
	const char *path = world->directory.path;

	source_dir_read_once(&path, 1, &world->sink);
}

static void put_service(struct world *world, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop}\n"
		 "spec: {ports: [{port: 80, targetPort: 8080}]}\n",
		 name);
	put(world, name, text);
}

static void put_slice(struct world *world, const char *service, const char *addresses)
{
	char name[64];
	char text[512];

	snprintf(name, sizeof(name), "%s-slice", service);
	snprintf(text, sizeof(text),
		 "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		 "metadata: {name: %s, namespace: shop, labels: {kubernetes.io/service-name: %s}}\n"
		 "addressType: IPv4\nports: [{port: 8080}]\nendpoints: [%s]\n",
		 name, service, addresses);
	put(world, name, text);
}

static void put_ingress(struct world *world, const char *name, const char *host,
			const char *service)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
		 "metadata: {name: %s, namespace: shop}\n"
		 "spec: {rules: [{host: %s, http: {paths: [{path: /, pathType: Prefix, backend: "
		 "{service: {name: %s, port: {number: 80}}}}]}}]}\n",
		 name, host, service);
	put(world, name, text);
}

#define ONE_POD  "{addresses: [192.0.2.1]}"
#define TWO_PODS "{addresses: [192.0.2.1]}, {addresses: [192.0.2.2]}"

static void given_shop(struct world *world)
{
	put_service(world, "cart");
	put_slice(world, "cart", ONE_POD);
	put_ingress(world, "web", "shop.example", "cart");
	sync_all(world);
	fake_worker_drain(&world->worker);
}

static uint64_t generation(struct world *world, enum table_kind kind)
{
	return publisher_generation(world->publisher, kind);
}

static const struct shards *table(struct world *world, enum table_kind kind)
{
	return publisher_table(world->publisher, kind);
}

static const struct upstream_record *upstream_of(struct world *world, const char *host)
{
	struct route_match match = routes_find(table(world, TABLE_ROUTES), span_from(host), S("/"));

	if (match.route == NULL)
		return NULL;
	return endpoints_find(table(world, TABLE_ENDPOINTS), match.route->upstream,
			      match.route->upstream_incarnation)
		.upstream;
}

static void obey(struct world *world)
{
	fake_worker_drain(&world->worker);
	fake_worker_ack(&world->worker, TABLE_ENDPOINTS, generation(world, TABLE_ENDPOINTS),
			ACK_APPLIED);
	fake_worker_ack(&world->worker, TABLE_ROUTES, generation(world, TABLE_ROUTES), ACK_APPLIED);
	run_once(world->loop);
}

static void objects_become_a_table(void **state)
{
	struct world *world = *state;

	given_shop(world);

	assert_int_equal(generation(world, TABLE_ROUTES), 1);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 1);
	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 1);
	assert_int_equal(world->routes_seen, 1);
	assert_true(reconcile_is_listed(world->reconcile));
}

static void an_empty_list_is_a_table_too(void **state)
{
	struct world *world = *state;

	sync_all(world);

	assert_non_null(table(world, TABLE_ROUTES));
	assert_non_null(table(world, TABLE_ENDPOINTS));
	assert_int_equal(fake_worker_receive(&world->worker).message.table, TABLE_ENDPOINTS);
	assert_int_equal(fake_worker_receive(&world->worker).message.table, TABLE_CERTIFICATES);
	assert_int_equal(fake_worker_receive(&world->worker).message.table, TABLE_ROUTES);
}

static void nothing_is_published_before_everything_was_listed(void **state)
{
	struct world *world = *state;
	struct diagnostics none;

	diagnostics_init(&none);

	world->sink.on_settled(world->sink.owner, &none);

	assert_null(table(world, TABLE_ROUTES));
	assert_false(fake_worker_receive(&world->worker).has_message);
	diagnostics_fini(&none);
}

static void the_same_again_is_not_published(void **state)
{
	struct world *world = *state;

	given_shop(world);

	sync_all(world);

	assert_int_equal(generation(world, TABLE_ROUTES), 1);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 1);
	assert_false(fake_worker_receive(&world->worker).has_message);
}

static void pods_alone_do_not_touch_the_routes(void **state)
{
	struct world *world = *state;

	given_shop(world);
	put_slice(world, "cart", TWO_PODS);

	sync_all(world);

	assert_int_equal(generation(world, TABLE_ROUTES), 1);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 2);
	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 2);
	assert_int_equal(world->routes_seen, 1);
}

/* A source that gives only what changed, as the directory and a watch do. */
static void a_slice_alone_is_compiled_from_the_model_that_is_there(void **state)
{
	struct world *world = *state;
	char path[256];
	const char *paths = path;

	given_shop(world);
	put_slice(world, "cart", TWO_PODS);
	snprintf(path, sizeof(path), "%s/cart-slice.yaml", world->directory.path);

	source_dir_read_once(&paths, 1, &world->sink);

	assert_int_equal(generation(world, TABLE_ROUTES), 1);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 2);
	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 2);
}

static void the_slice_of_an_ingress_that_changed_in_the_same_batch_is_seen(void **state)
{
	struct world *world = *state;

	given_shop(world);
	put_service(world, "core");
	put_slice(world, "core", TWO_PODS);
	put_ingress(world, "web", "other.example", "core");

	sync_all(world);

	assert_null(upstream_of(world, "shop.example"));
	assert_int_equal(upstream_of(world, "other.example")->endpoint_count, 2);
}

static void old_upstreams_stay_until_the_last_worker_obeys(void **state)
{
	struct world *world = *state;
	uint32_t old;

	given_shop(world);
	obey(world);
	old = routes_find(table(world, TABLE_ROUTES), S("shop.example"), S("/")).route->upstream;
	put_service(world, "core");
	put_slice(world, "core", TWO_PODS);
	put_ingress(world, "web", "shop.example", "core");

	sync_all(world);
	assert_int_not_equal(
		table(world, TABLE_ENDPOINTS)->at[0]->endpoints.upstreams[old].incarnation, 0);
	assert_int_equal(
		table(world, TABLE_ENDPOINTS)->at[0]->endpoints.upstreams[old].endpoint_count, 1);

	obey(world);
	assert_int_equal(table(world, TABLE_ENDPOINTS)->at[0]->endpoints.upstreams[old].incarnation,
			 0);
	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 2);
}

/* A batch at whose end there is memory for so many bytes of a table. */
static void sync_with_memory(struct world *world, rlim_t bytes)
{
	struct rlimit before;
	struct rlimit small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = bytes, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	sync_all(world);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* A Service with so many pods that its endpoints are larger than the routes. */
static void put_large_service(struct world *world, const char *name)
{
	enum { PODS = 200 };
	struct buf text = {0};

	put_service(world, name);
	buf_printf(&text,
		   "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		   "metadata: {name: %s-slice, namespace: shop, labels: "
		   "{kubernetes.io/service-name: %s}}\n"
		   "addressType: IPv4\nports: [{port: 8080}]\nendpoints:\n",
		   name, name);
	for (unsigned i = 0; i < PODS; i++)
		buf_printf(&text, "- {addresses: [192.0.2.%u]}\n", i + 1);
	put(world, "large-slice", buf_text(&text));
	buf_fini(&text);
}

static void what_did_not_get_through_is_tried_again_without_a_change(void **state)
{
	struct world *world = *state;

	given_shop(world);
	put_large_service(world, "core");
	put_ingress(world, "web", "shop.example", "core");
	sync_with_memory(world, 4096);
	assert_int_equal(generation(world, TABLE_ROUTES), 1);

	reconcile_retry(world->reconcile);

	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 200);
	reconcile_retry(world->reconcile); /* nothing is left to be done */
	assert_int_equal(generation(world, TABLE_ROUTES), 2);
}

static void routes_wait_for_endpoints_that_did_not_get_through(void **state)
{
	struct world *world = *state;

	given_shop(world);
	put_large_service(world, "core");
	put_ingress(world, "web", "shop.example", "core");
	sync_with_memory(world, 4096);

	assert_int_equal(generation(world, TABLE_ENDPOINTS), 1);
	assert_int_equal(generation(world, TABLE_ROUTES), 1);
	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 1);

	sync_all(world);

	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 200);
}

static void what_did_not_get_through_is_not_published_in_part(void **state)
{
	struct world *world = *state;

	given_shop(world);
	obey(world);
	put_service(world, "core");
	put_slice(world, "core", TWO_PODS);
	put_ingress(world, "web", "shop.example", "core");
	sync_all(world);
	put_large_service(world, "media");
	put_ingress(world, "large", "large.example", "media");
	sync_with_memory(world, 4096);

	/* the upstream of cart goes now */
	obey(world);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 2);

	sync_all(world);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 3);
	assert_int_equal(upstream_of(world, "large.example")->endpoint_count, 200);
}

static void ids_of_another_life_are_not_taken_for_ours(void **state)
{
	struct world *world = *state;
	uint32_t before;

	given_shop(world);
	before = upstream_of(world, "shop.example")->incarnation;
	end_reconcile(world);
	given_reconcile(world, 0);

	sync_all(world);

	assert_int_not_equal(upstream_of(world, "shop.example")->incarnation, before);
}

static void generations_begin_above_what_workers_obey(void **state)
{
	struct world *world = *state;

	end_reconcile(world);
	given_reconcile(world, 41);

	sync_all(world);

	assert_int_equal(generation(world, TABLE_ROUTES), 42);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 42);
}

static void write_table(void *owner, enum table_kind kind, struct buf *out)
{
	struct world *world = owner;

	shards_write(publisher_table(world->publisher, kind), out);
}

static void with_state(struct world *world)
{
	struct state_content content = {.owner = world, .write = write_table};
	struct error err;

	end_reconcile(world);
	world->state = state_open(world->loop, world->state_directory.path, &content, &err);
	assert_non_null(world->state);
	given_reconcile(world, 0);
	reconcile_publish_stored(world->reconcile);
}

static void a_stored_table_is_published_before_anything_is_listed(void **state)
{
	struct world *world = *state;

	with_state(world);
	given_shop(world);

	with_state(world);

	assert_false(reconcile_is_listed(world->reconcile));
	assert_int_equal(upstream_of(world, "shop.example")->endpoint_count, 1);
	assert_int_equal(fake_worker_receive(&world->worker).message.table, TABLE_ENDPOINTS);
	assert_int_equal(fake_worker_receive(&world->worker).message.table, TABLE_ROUTES);
	assert_int_equal(world->routes_seen, 2);
}

static void use_key(struct world *world)
{
	const struct state_key key = {.bytes = {1}, .id = {1}};

	state_use_key(world->state, &key);
	reconcile_publish_stored(world->reconcile);
}

static void stored_certificates_are_published_too_where_there_is_a_key(void **state)
{
	struct world *world = *state;

	with_state(world);
	use_key(world);
	given_shop(world);
	with_state(world);
	assert_null(table(world, TABLE_CERTIFICATES));

	use_key(world);

	assert_false(reconcile_is_listed(world->reconcile));
	assert_non_null(table(world, TABLE_CERTIFICATES));
}

static void the_list_replaces_the_stored_table(void **state)
{
	struct world *world = *state;

	with_state(world);
	given_shop(world);
	with_state(world);
	put_ingress(world, "web", "new.example", "cart");

	sync_all(world);

	assert_true(generation(world, TABLE_ROUTES) > 1);
	assert_null(upstream_of(world, "shop.example"));
	assert_int_equal(upstream_of(world, "new.example")->endpoint_count, 1);
}

static void diagnostics_are_counted_once_and_go(void **state)
{
	struct world *world = *state;
	const uint32_t *counts = reconcile_diagnostic_counts(world->reconcile);

	given_shop(world);
	put_ingress(world, "lost", "lost.example", "nobody");
	put(world, "broken", "kind: [\n");

	sync_all(world);
	assert_int_equal(counts[DIAGNOSTIC_MISSING_SERVICE], 1);
	assert_int_equal(counts[DIAGNOSTIC_SYNTAX], 1);
	sync_all(world);
	assert_int_equal(counts[DIAGNOSTIC_MISSING_SERVICE], 1);

	put_service(world, "nobody");
	put(world, "broken", "");
	sync_all(world);
	assert_int_equal(counts[DIAGNOSTIC_MISSING_SERVICE], 0);
	assert_int_equal(counts[DIAGNOSTIC_SYNTAX], 0);
}

static void a_change_is_measured_from_its_beginning(void **state)
{
	struct world *world = *state;
	const struct propagation *propagation;

	given_shop(world);
	obey(world);

	propagation = publisher_propagation(world->publisher, TABLE_ROUTES);
	assert_true(propagation->sum > 0 && propagation->sum < 5);
	assert_int_equal(propagation->waiting_count, 0);
}

static void what_goes_because_all_obey_is_no_change_of_anybody(void **state)
{
	struct world *world = *state;
	uint64_t measured = 0;

	given_shop(world);
	obey(world);
	put_service(world, "core");
	put_ingress(world, "web", "shop.example", "core");
	sync_all(world);
	obey(world); /* frees the old upstream: one more generation of endpoints */
	obey(world);

	for (unsigned i = 0; i < PROPAGATION_BUCKETS; i++)
		measured += publisher_propagation(world->publisher, TABLE_ENDPOINTS)->buckets[i];
	assert_int_equal(measured, 2);
	assert_int_equal(generation(world, TABLE_ENDPOINTS), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(objects_become_a_table),
		TEST(an_empty_list_is_a_table_too),
		TEST(nothing_is_published_before_everything_was_listed),
		TEST(the_same_again_is_not_published),
		TEST(pods_alone_do_not_touch_the_routes),
		TEST(a_slice_alone_is_compiled_from_the_model_that_is_there),
		TEST(the_slice_of_an_ingress_that_changed_in_the_same_batch_is_seen),
		TEST(old_upstreams_stay_until_the_last_worker_obeys),
		TEST(what_did_not_get_through_is_tried_again_without_a_change),
		TEST(routes_wait_for_endpoints_that_did_not_get_through),
		TEST(what_did_not_get_through_is_not_published_in_part),
		TEST(ids_of_another_life_are_not_taken_for_ours),
		TEST(generations_begin_above_what_workers_obey),
		TEST(a_stored_table_is_published_before_anything_is_listed),
		TEST(stored_certificates_are_published_too_where_there_is_a_key),
		TEST(the_list_replaces_the_stored_table),
		TEST(diagnostics_are_counted_once_and_go),
		TEST(a_change_is_measured_from_its_beginning),
		TEST(what_goes_because_all_obey_is_no_change_of_anybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
