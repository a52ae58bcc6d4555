/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include "base/bug.h"

static void each_rule_leads_to_the_upstream_of_its_service(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /cart -> cart:80\n"
					  "*.shop.example Exact /w -> wild:http\n"
					  "- Prefix / -> other:80");
	struct compiled *table = compiled(compiler, model, 1);

	assert_text(endpoints_text(&table->endpoints,
				   compiled_upstream(table, "shop.example", "/cart/1")->name),
		    "shop-cart-80");
	assert_text(endpoints_text(&table->endpoints,
				   compiled_upstream(table, "a.shop.example", "/w")->name),
		    "shop-wild-http");
	assert_text(endpoints_text(&table->endpoints,
				   compiled_upstream(table, "else.where", "/x")->name),
		    "shop-other-80");

	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void a_route_knows_its_object_its_type_and_its_path(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Exact /cart/ -> cart:http\n"
					  "shop.example Root / -> 404");
	struct compiled *table = compiled(compiler, model, 1);
	const struct route *route = compiled_route(table, "shop.example", "/cart/");
	const struct route_object *object = &table->routes.objects[route->object];

	assert_text(routes_text(&table->routes, object->namespace), "shop");
	assert_text(routes_text(&table->routes, object->ingress), "web");
	assert_text(routes_text(&table->routes, object->service), "cart");
	assert_text(routes_text(&table->routes, object->service_port), "http");
	assert_text(routes_text(&table->routes, route->path), "/cart/");
	assert_int_equal(route->path_type, ROUTE_EXACT);
	assert_int_equal(route->implicit, 0);
	assert_int_equal(compiled_route(table, "shop.example", "/")->implicit, 1);

	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void what_does_not_go_to_a_service_has_no_upstream(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix / -> 404\n"
					  "shop.example Prefix /missing -> 503\n"
					  "shop.example Prefix /guarded -> denied");
	struct compiled *table = compiled(compiler, model, 1);

	assert_int_equal(compiled_route(table, "shop.example", "/")->answer, ROUTE_NOT_FOUND);
	assert_int_equal(compiled_route(table, "shop.example", "/missing")->answer,
			 ROUTE_NO_SERVICE);
	assert_int_equal(compiled_route(table, "shop.example", "/guarded")->answer, ROUTE_DENIED);
	assert_int_equal(compiled_route(table, "shop.example", "/")->upstream, TABLE_NONE);

	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void equal_policies_and_objects_are_stored_once(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("a.example Prefix / -> cart:80\n"
					  "b.example Prefix / -> cart:80\n"
					  "b.example Prefix /x -> other:80");
	struct compiled *table = compiled(compiler, model, 1);

	assert_int_equal(table->routes.policy_count, 1);
	assert_int_equal(table->routes.object_count, 2);
	assert_int_equal(compiled_route(table, "a.example", "/")->object,
			 compiled_route(table, "b.example", "/")->object);

	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void settings_of_the_model_are_those_of_the_table(void **state)
{
	const struct model_options options = {.tenant_destinations_free = true};
	struct ip_network network = {.prefix_bits = 104, .ip.bytes[10] = 0xff};
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("");
	struct buf bytes = {0};
	struct routes routes;
	struct error err;

	network.ip.bytes[11] = 0xff;
	network.ip.bytes[12] = 10;
	model->settings = (struct model_settings){
		.client_header_timeout_ms = 1,
		.client_body_timeout_ms = 2,
		.keep_alive_timeout_ms = 3,
		.keep_alive_requests = 4,
		.header_line_bytes = 5,
		.header_total_bytes = 6,
		.upstream_keepalive_connections = 7,
		.upstream_keepalive_timeout_ms = 8,
		.upstream_keepalive_time_ms = 9,
		.upstream_keepalive_requests = 10,
		.drain_timeout_ms = 11,
		.proxy_header_timeout_ms = 13,
		.stream_idle_timeout_ms = 14,
		.stream_retry_timeout_ms = 15,
		.stream_tries = 16,
		.use_proxy_protocol = true,
		.ignore_invalid_headers = true,
		.server_tokens = true,
		.ssl_redirect = true,
		.use_http2 = true,
		.hsts = true,
		.hsts_preload = true,
		.hsts_max_age = S("60"),
		.tls_versions = 2,
		.http_redirect_code = 302,
		.http2_concurrent_streams = 12,
		.ssl_ciphers = S("A:B"),
		.trusted = &network,
		.trusted_count = 1,
	};
	compiler_note(compiler, model, NULL, 1);
	compile_routes(compiler, model, &options, 1, 2, &bytes);
	assert_int_equal(routes_verify(buf_span(&bytes), &routes, &err), 0);

	assert_int_equal(routes.settings->client_header_timeout_ms, 1);
	assert_int_equal(routes.settings->client_body_timeout_ms, 2);
	assert_int_equal(routes.settings->keep_alive_timeout_ms, 3);
	assert_int_equal(routes.settings->keep_alive_requests, 4);
	assert_int_equal(routes.settings->header_line_bytes, 5);
	assert_int_equal(routes.settings->header_total_bytes, 6);
	assert_int_equal(routes.settings->upstream_keepalive_connections, 7);
	assert_int_equal(routes.settings->upstream_keepalive_timeout_ms, 8);
	assert_int_equal(routes.settings->upstream_keepalive_time_ms, 9);
	assert_int_equal(routes.settings->upstream_keepalive_requests, 10);
	assert_int_equal(routes.settings->drain_timeout_ms, 11);
	assert_int_equal(routes.settings->proxy_header_timeout_ms, 13);
	assert_int_equal(routes.settings->stream_idle_timeout_ms, 14);
	assert_int_equal(routes.settings->stream_retry_timeout_ms, 15);
	assert_int_equal(routes.settings->stream_tries, 16);
	assert_int_equal(routes.settings->use_proxy_protocol, 1);
	assert_int_equal(routes.settings->stream_retry, 0);
	assert_int_equal(routes.settings->client_stall_timeout_ms, 60000);
	assert_int_equal(routes.settings->ignore_invalid_headers, 1);
	assert_int_equal(routes.settings->server_tokens, 1);
	assert_int_equal(routes.settings->use_http2, 1);
	assert_int_equal(routes.settings->tls_versions, BIT(HOST_TLS_1_3));
	assert_int_equal(routes.settings->redirect_status, 302);
	assert_int_equal(routes.settings->http2_streams, 12);
	assert_text(routes_text(&routes, routes.settings->ssl_ciphers), "A:B");
	assert_text(routes_text(&routes, routes.settings->hsts), "max-age=60; preload");
	assert_int_equal(routes.settings->access_log, 0);
	assert_int_equal(routes.settings->tenant_destinations_free, 1);
	assert_int_equal(routes.network_count, 1);
	assert_memory_equal(&routes.networks[0], &network, sizeof(network));
	buf_fini(&bytes);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void routes_of_one_ingress_service_and_host_share_a_row(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("a.example Prefix /1 -> cart:80\n"
					  "a.example Prefix /2 -> cart:80\n"
					  "a.example Prefix /3 -> other:80\n"
					  "b.example Prefix /1 -> cart:80");
	struct compiled *table = compiled(compiler, model, 1);
	uint32_t row = compiled_route(table, "a.example", "/1")->stat_row;

	assert_int_not_equal(row, 0);
	assert_int_equal(compiled_route(table, "a.example", "/2")->stat_row, row);
	assert_int_not_equal(compiled_route(table, "a.example", "/3")->stat_row, row);
	assert_int_not_equal(compiled_route(table, "b.example", "/1")->stat_row, row);

	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void a_route_of_no_ingress_has_row_zero_and_no_object(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("- Root / -> built-in");

	struct compiled *table = compiled(compiler, model, 1);

	assert_int_equal(compiled_route(table, "any", "/")->stat_row, 0);
	assert_int_equal(compiled_route(table, "any", "/")->object, TABLE_NONE);
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void equal_models_make_equal_bytes(void **state)
{
	const char *text = "shop.example Prefix /cart -> cart:80\n*.shop.example Exact /w -> w:80\n"
			   "shop.example Prefix /cart/items -> items:80";
	struct compiler *compilers[2] = {compiler_new(NULL), compiler_new(NULL)};
	struct model *models[2] = {given_model(text), given_model(text)};
	struct compiled *tables[2];

	given_endpoints("cart:80 10.0.0.1:80 10.0.0.2:80\nw:80 10.0.0.2:80");
	for (int i = 0; i < 2; i++)
		tables[i] = compiled(compilers[i], models[i], 1);

	assert_true(span_equals(buf_span(&tables[0]->routes_bytes),
				buf_span(&tables[1]->routes_bytes)));
	assert_true(span_equals(buf_span(&tables[0]->endpoints_bytes),
				buf_span(&tables[1]->endpoints_bytes)));
	for (int i = 0; i < 2; i++) {
		compiled_end(tables[i]);
		given_model_end(models[i]);
		compiler_free(compilers[i]);
	}
	(void)state;
}

static const struct host_tls *tls_of(const struct compiled *table, const char *host)
{
	return routes_find_host(&table->routes_table, span_from(host)).tls;
}

static struct model_host *model_host_of(struct model *model, const char *name)
{
	return container_of(map_find(&model->hosts_by_name, span_from(name)), struct model_host,
			    by_name);
}

static void hosts_that_ask_the_same_of_clients_have_one_policy(void **state)
{
	const struct model_client_tls asks = {.verify = MODEL_VERIFY_ON,
					      .verify_depth = 1,
					      .authorities = S("shop/clients/ca.crt")};
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("a.example Prefix / -> a:80\n"
					  "b.example Prefix / -> a:80\n"
					  "c.example Prefix / -> a:80\n"
					  "d.example Prefix / -> a:80\n"
					  "e.example Prefix / -> a:80");
	struct compiled *table;

	model_host_of(model, "a.example")->client = asks;
	model_host_of(model, "b.example")->client = asks;
	model_host_of(model, "b.example")->client.subject_pattern = S("CN=ann");
	model_host_of(model, "c.example")->client = asks;
	model_host_of(model, "c.example")->client.verify_depth = 2;
	model_host_of(model, "d.example")->client.refuses = true;
	table = compiled(compiler, model, 1);

	assert_memory_equal(&tls_of(table, "a.example")->client_policy,
			    &tls_of(table, "b.example")->client_policy,
			    sizeof(struct certificate_id));
	assert_int_not_equal(certificate_id_compare(tls_of(table, "a.example")->client_policy,
						    tls_of(table, "c.example")->client_policy),
			     0);
	assert_int_equal(tls_of(table, "c.example")->verify_depth, 2);
	assert_int_equal(tls_of(table, "d.example")->refuses, 1);
	assert_int_equal(tls_of(table, "d.example")->verify, HOST_TLS_VERIFY_OFF);
	assert_null(tls_of(table, "e.example"));
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static struct certificate_id ciphers_of(const struct compiled *table, const char *host)
{
	return tls_of(table, host)->cipher_policy;
}

static void hosts_with_the_same_ciphers_have_one_policy(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("a.example Prefix / -> a:80\n"
					  "b.example Prefix / -> a:80\n"
					  "c.example Prefix / -> a:80\n"
					  "d.example Prefix / -> a:80\n"
					  "e.example Prefix / -> a:80");
	struct compiled *table;

	model_host_of(model, "a.example")->ciphers = S("HIGH");
	model_host_of(model, "b.example")->ciphers = S("HIGH");
	model_host_of(model, "b.example")->client.refuses = true;
	model_host_of(model, "c.example")->ciphers = S("HIGH");
	model_host_of(model, "c.example")->client_prefers = true;
	model_host_of(model, "d.example")->client_prefers = true;
	table = compiled(compiler, model, 1);

	assert_int_equal(certificate_id_compare(ciphers_of(table, "a.example"),
						ciphers_of(table, "b.example")),
			 0);
	assert_int_not_equal(certificate_id_compare(ciphers_of(table, "a.example"),
						    ciphers_of(table, "c.example")),
			     0);
	assert_int_not_equal(certificate_id_compare(ciphers_of(table, "c.example"),
						    ciphers_of(table, "d.example")),
			     0);
	assert_false(certificate_id_is_none(ciphers_of(table, "d.example")));
	assert_null(tls_of(table, "e.example"));
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_leads_to_the_upstream_of_its_service),
		cmocka_unit_test(a_route_knows_its_object_its_type_and_its_path),
		cmocka_unit_test(what_does_not_go_to_a_service_has_no_upstream),
		cmocka_unit_test(equal_policies_and_objects_are_stored_once),
		cmocka_unit_test(settings_of_the_model_are_those_of_the_table),
		cmocka_unit_test(routes_of_one_ingress_service_and_host_share_a_row),
		cmocka_unit_test(a_route_of_no_ingress_has_row_zero_and_no_object),
		cmocka_unit_test(equal_models_make_equal_bytes),
		cmocka_unit_test(hosts_that_ask_the_same_of_clients_have_one_policy),
		cmocka_unit_test(hosts_with_the_same_ciphers_have_one_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
