/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics.h"

#include <string.h>
#include <unistd.h>

#include "exposition_reader.h"
#include "given.h"
#include "stats/row.h"

enum { WORKERS = 2 };

struct world {
	struct loop *loop;
	int stats_fd;
	struct stats_map stats;
	struct publisher *publisher;
	struct reconcile *reconcile;
	struct model_options model;
	struct fake_worker worker;
	struct metrics metrics;
	struct buf text;
	struct exposition page;
};

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct reconcile_options options = {.model = &world->model};
	struct error err;

	world->loop = loop_new(&err);
	world->stats_fd = stats_new(WORKERS, &err);
	assert_int_equal(stats_map(&world->stats, world->stats_fd, STATS_WRITE, &err), 0);
	world->publisher = publisher_new(world->loop, WORKERS, &(struct publisher_events){0});
	world->reconcile = reconcile_new(&options, world->publisher);
	world->worker = given_worker(world->publisher, 0);
	world->metrics = (struct metrics){
		.publisher = world->publisher,
		.reconcile = world->reconcile,
		.stats = &world->stats,
		.meanings = traffic_meanings_new(),
		.controller_class = S("k8s.io/ingress-nginx"),
		.controller_namespace = S("ingress"),
		.controller_pod = S("ingot-0"),
		.run_pid = getppid(),
	};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	exposition_end(&world->page);
	buf_fini(&world->text);
	traffic_meanings_free((struct traffic_meanings *)(uintptr_t)world->metrics.meanings);
	reconcile_free(world->reconcile);
	publisher_free(world->publisher);
	fake_worker_end(&world->worker);
	stats_unmap(&world->stats);
	close(world->stats_fd);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static const struct given_rule rules[] = {{"shop.example", "/", "web", "cart", 1},
					  {"api.example", "/", "web", "cart", 2}};

static void given_table(struct world *world)
{
	struct buf content = {0};

	given_endpoints(&content, 3, 4);
	publisher_offer(world->publisher, TABLE_ENDPOINTS, buf_span(&content), 1);
	buf_clear(&content);
	given_routes(&content, 2, rules, 2);
	publisher_offer(world->publisher, TABLE_ROUTES, buf_span(&content), 1);
	publisher_send(world->publisher);
	buf_fini(&content);
}

static void request(struct world *world, uint32_t row, uint16_t status, uint8_t method)
{
	const struct row_request one = {.status = status,
					.method = method,
					.protocol = 11,
					.duration_us = 20000,
					.request_bytes = 100,
					.response_bytes = 1000};

	row_count(&stats_worker(&world->stats, 0)->routes[row], &one);
}

static const struct exposition *read_page(struct world *world)
{
	exposition_end(&world->page);
	buf_clear(&world->text);
	metrics_write(&world->metrics, &world->text);
	exposition_read(&world->page, buf_span(&world->text));
	return &world->page;
}

static void assert_value(const struct exposition *page, const char *name, const char *labels,
			 double expected)
{
	double value = exposition_value(page, name, labels);

	if (value < expected || value > expected)
		fail_msg("%s{%s} is %g, not %g", name, labels, value, expected);
}

static void an_instance_without_a_table_has_a_page(void **state)
{
	const struct exposition *page = read_page(*state);

	assert_value(page, "ingot_build_info", "", 1);
	assert_value(page, "ingot_table_generation", "segment=\"routes\"", 0);
	assert_value(page, "ingot_workers", "", 1);
	assert_int_equal(exposition_matches(page, "ingot_requests_total", ""), 0);
}

static void requests_are_counted_by_host_status_and_method(void **state)
{
	struct world *world = *state;
	const struct exposition *page;

	given_table(world);
	request(world, 1, 200, 1);
	request(world, 1, 200, 1);
	request(world, 1, 200, 3);
	request(world, 2, 404, 1);

	page = read_page(world);

	assert_value(page, "ingot_requests_total",
		     "namespace=\"shop\",ingress=\"web\",service=\"cart\",host=\"shop.example\","
		     "status=\"200\",method=\"GET\",protocol=\"1.1\"",
		     2);
	assert_value(page, "ingot_requests_total", "host=\"shop.example\",method=\"POST\"", 1);
	assert_value(page, "ingot_requests_total", "host=\"api.example\",status=\"404\"", 1);
}

static void hosts_of_one_service_share_durations_and_bytes(void **state)
{
	struct world *world = *state;
	const char *labels = "namespace=\"shop\",ingress=\"web\",service=\"cart\"";
	const struct exposition *page;

	given_table(world);
	request(world, 1, 200, 1);
	request(world, 2, 200, 1);

	page = read_page(world);

	assert_value(page, "ingot_request_duration_seconds_count", labels, 2);
	assert_value(page, "ingot_request_duration_seconds_sum", labels, 0.04);
	assert_value(page, "ingot_request_duration_seconds_bucket", "le=\"0.01\"", 0);
	assert_value(page, "ingot_request_duration_seconds_bucket", "le=\"0.025\"", 2);
	assert_value(page, "ingot_request_bytes_total", labels, 200);
	assert_value(page, "ingot_response_bytes_total", labels, 2000);
}

static void statuses_may_be_told_by_class(void **state)
{
	struct world *world = *state;
	const struct exposition *page;

	given_table(world);
	world->metrics.status_form = WORD_STATUS_CLASS;
	request(world, 1, 200, 1);
	request(world, 1, 204, 1);
	request(world, 1, 503, 1);

	page = read_page(world);

	assert_value(page, "ingot_requests_total", "status=\"2xx\"", 2);
	assert_value(page, "ingot_requests_total", "status=\"5xx\"", 1);
}

static void numbers_that_are_no_words_of_ours_are_other(void **state)
{
	struct world *world = *state;
	struct status_cell *cell = &stats_worker(&world->stats, 0)->routes[1].cells[0];
	const struct exposition *page;

	given_table(world);
	*cell = (struct status_cell){.status = 200, .method = 99, .protocol = 77, .count = 5};

	page = read_page(world);

	assert_value(page, "ingot_requests_total",
		     "status=\"200\",method=\"_OTHER\",protocol=\"_OTHER\"", 5);
}

static void two_kinds_of_noise_are_one_series(void **state)
{
	struct world *world = *state;
	struct status_cell *cells = stats_worker(&world->stats, 0)->routes[1].cells;
	const struct exposition *page;

	given_table(world);
	cells[0] = (struct status_cell){.status = 200, .method = 99, .protocol = 11, .count = 5};
	cells[1] = (struct status_cell){.status = 200, .method = 98, .protocol = 11, .count = 6};

	page = read_page(world);

	assert_value(page, "ingot_requests_total", "method=\"_OTHER\"", 11);
}

static void the_whole_memory_full_of_noise_makes_a_legal_page(void **state)
{
	struct world *world = *state;

	given_table(world);
	world->metrics.compat = true;
	memset(stats_worker(&world->stats, 0), 0xa5, sizeof(struct worker_area));
	memset(stats_worker(&world->stats, 1), 0xff, sizeof(struct worker_area));

	read_page(world);
}

static void local_answers_are_counted_by_reason(void **state)
{
	struct world *world = *state;
	unsigned no_route = 0;

	while (strcmp(word_fault(no_route), "no_route") != 0)
		no_route++;
	stats_worker(&world->stats, 0)->faults[no_route] = 3;
	stats_worker(&world->stats, 1)->faults[no_route] = 4;

	assert_value(read_page(world), "ingot_local_responses_total",
		     "reason=\"no_route\",status=\"404\"", 7);
}

static void the_table_is_described(void **state)
{
	struct world *world = *state;
	const struct exposition *page;

	given_table(world);
	fake_worker_ack(&world->worker, TABLE_ROUTES, 2, ACK_APPLIED);
	fake_worker_ack(&world->worker, TABLE_ENDPOINTS, 3, ACK_REFUSED);
	run_once(world->loop);

	page = read_page(world);

	assert_value(page, "ingot_table_generation", "segment=\"routes\"", 2);
	assert_value(page, "ingot_table_generation", "segment=\"endpoints\"", 3);
	assert_value(page, "ingot_worker_table_generation", "worker=\"0\",segment=\"routes\"", 2);
	assert_value(page, "ingot_worker_table_generation", "worker=\"1\",segment=\"routes\"", 0);
	assert_value(page, "ingot_table_refused_total", "segment=\"endpoints\"", 1);
	assert_value(page, "ingot_table_refused_total", "segment=\"routes\"", 0);
	assert_value(page, "ingot_table_entries", "kind=\"routes\"", 2);
	assert_value(page, "ingot_table_entries", "kind=\"hosts\"", 3);
	assert_value(page, "ingot_table_entries", "kind=\"endpoints\"", 4);
	assert_true(exposition_value(page, "ingot_table_bytes", "segment=\"routes\"") > 100);
	assert_value(page, "ingot_table_propagation_seconds_count", "segment=\"routes\"", 0);
}

static void endpoints_are_counted_by_service_and_once(void **state)
{
	struct world *world = *state;

	given_table(world);

	assert_value(read_page(world), "ingot_endpoints",
		     "namespace=\"shop\",service=\"cart\",state=\"ready\"", 4);
}

static void gauges_and_counters_of_workers_are_summed(void **state)
{
	struct world *world = *state;
	const struct exposition *page;

	stats_worker(&world->stats, 0)->counters.downstream_active_now = 2;
	stats_worker(&world->stats, 1)->counters.downstream_active_now = 3;
	stats_worker(&world->stats, 1)->counters.downstream_idle_now = 7;
	stats_worker(&world->stats, 0)->counters.retries = 4;
	stats_worker(&world->stats, 1)->counters.log_lines_dropped = 9;

	page = read_page(world);

	assert_value(page, "ingot_downstream_connections", "state=\"active\"", 5);
	assert_value(page, "ingot_downstream_connections", "state=\"idle\"", 7);
	assert_value(page, "ingot_retries_total", "", 4);
	assert_value(page, "ingot_access_log_lines_dropped_total", "", 9);
}

static void processes_are_told_by_role(void **state)
{
	struct world *world = *state;
	struct error err;
	int fds[2];
	const struct exposition *page;

	/* this test stands in for a worker as well */
	assert_int_equal(channel_pair(fds, &err), 0);
	publisher_set_peer(world->publisher, 1, fds[0], getpid());
	publisher_drop_peer(world->publisher, 0, 6);
	page = read_page(world);
	close(fds[1]);

	assert_true(exposition_value(page, "process_resident_memory_bytes",
				     "role=\"proxy\",worker=\"1\"") > 1 << 18);
	assert_true(exposition_value(page, "process_start_time_seconds", "role=\"control\"") > 1e9);
	assert_true(exposition_value(page, "process_open_fds", "role=\"control\"") > 3);
	assert_int_equal(exposition_matches(page, "process_cpu_seconds_total", "role=\"proxy\""),
			 1);
	assert_value(page, "ingot_worker_restarts_total", "role=\"proxy\"", 6);
}

static void the_order_is_constant(void **state)
{
	struct world *world = *state;
	struct buf first = {0};
	struct span rest;
	const char *at;

	given_table(world);
	request(world, 2, 500, 1);
	request(world, 1, 200, 1);
	read_page(world);
	buf_add(&first, buf_span(&world->text));

	read_page(world);

	rest = buf_span(&first);
	at = buf_text(&world->text);
	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		size_t same = strcspn(line.ptr, "} \n");

		/* names and labels; figures of processes change */
		assert_memory_equal(line.ptr, at, same);
		at = strchr(at, '\n') + 1;
	}
	buf_fini(&first);
}

static void the_old_names_are_there_only_when_asked_for(void **state)
{
	struct world *world = *state;

	given_table(world);
	request(world, 1, 200, 1);

	read_page(world);
	assert_null(strstr(buf_text(&world->text), "nginx_ingress_controller_"));

	world->metrics.compat = true;
	read_page(world);
	assert_non_null(strstr(buf_text(&world->text), "nginx_ingress_controller_requests{"));
}

static void the_old_names_have_the_old_labels(void **state)
{
	struct world *world = *state;
	const struct exposition *page;

	given_table(world);
	world->metrics.compat = true;
	request(world, 1, 200, 1);
	request(world, 0, 404, 1); /* of no Ingress: not in these figures */

	page = read_page(world);

	assert_value(page, "nginx_ingress_controller_requests",
		     "controller_namespace=\"ingress\",controller_class=\"k8s.io/ingress-nginx\","
		     "controller_pod=\"ingot-0\",host=\"shop.example\",path=\"/\","
		     "namespace=\"shop\",ingress=\"web\",service=\"cart\",canary=\"\","
		     "status=\"200\",method=\"GET\"",
		     1);
	assert_int_equal(exposition_matches(page, "nginx_ingress_controller_requests", ""), 1);
	assert_value(page, "nginx_ingress_controller_request_duration_seconds_count", "", 1);
	assert_value(page, "nginx_ingress_controller_response_size_sum", "", 1000);
	assert_value(page, "nginx_ingress_controller_bytes_sent_bucket", "le=\"1000\"", 1);
	assert_value(page, "nginx_ingress_controller_request_size_sum", "", 100);
}

static void the_last_reload_is_successful_until_a_worker_refuses(void **state)
{
	struct world *world = *state;
	const char *name = "nginx_ingress_controller_config_last_reload_successful";

	world->metrics.compat = true;
	assert_value(read_page(world), name, "", 0);
	given_table(world);
	assert_value(read_page(world), name, "", 1);
	assert_value(read_page(world), "nginx_ingress_controller_success", "", 1);

	fake_worker_ack(&world->worker, TABLE_ROUTES, 2, ACK_REFUSED);
	run_once(world->loop);

	assert_value(read_page(world), name, "", 0);
	assert_value(read_page(world), "nginx_ingress_controller_errors", "", 1);
}

static void an_ingress_without_endpoints_is_an_orphan(void **state)
{
	struct world *world = *state;
	const char *name = "nginx_ingress_controller_orphan_ingress";
	struct buf content = {0};

	world->metrics.compat = true;
	given_table(world);
	assert_value(read_page(world), name, "ingress=\"web\",type=\"no-endpoint\"", 0);

	given_endpoints(&content, 4, 0);
	publisher_offer(world->publisher, TABLE_ENDPOINTS, buf_span(&content), 1);
	buf_fini(&content);

	assert_value(read_page(world), name, "ingress=\"web\",type=\"no-endpoint\"", 1);
	assert_value(read_page(world), name, "ingress=\"web\",type=\"no-service\"", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(an_instance_without_a_table_has_a_page),
		TEST(requests_are_counted_by_host_status_and_method),
		TEST(hosts_of_one_service_share_durations_and_bytes),
		TEST(statuses_may_be_told_by_class),
		TEST(numbers_that_are_no_words_of_ours_are_other),
		TEST(two_kinds_of_noise_are_one_series),
		TEST(the_whole_memory_full_of_noise_makes_a_legal_page),
		TEST(local_answers_are_counted_by_reason),
		TEST(the_table_is_described),
		TEST(endpoints_are_counted_by_service_and_once),
		TEST(gauges_and_counters_of_workers_are_summed),
		TEST(processes_are_told_by_role),
		TEST(the_order_is_constant),
		TEST(the_old_names_are_there_only_when_asked_for),
		TEST(the_old_names_have_the_old_labels),
		TEST(the_last_reload_is_successful_until_a_worker_refuses),
		TEST(an_ingress_without_endpoints_is_an_orphan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
