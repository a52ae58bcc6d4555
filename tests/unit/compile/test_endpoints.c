/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints, and what numbers keep their meaning from one segment to the next. */
#include "given.h"

#include "base/bug.h"

#define SHOP "shop.example"

static void an_upstream_has_the_endpoints_that_the_model_finds(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /cart -> cart:80\n"
					  "shop.example Prefix /old -> old:80\n"
					  "shop.example Prefix /none -> none:80");
	struct compiled *table;

	given_endpoints("cart:80 10.0.0.1:80 10.0.0.2:81\nold:80 !10.0.0.3:80");
	table = compiled(compiler, model, 1);

	assert_endpoints(table, SHOP, "/cart", "10.0.0.1:80#0 10.0.0.2:81#1");
	assert_endpoints(table, SHOP, "/old", "!10.0.0.3:80#2");
	assert_endpoints(table, SHOP, "/none", "");
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void one_address_and_port_has_one_slot_in_all_upstreams(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80\n"
					  "shop.example Prefix /b -> b:80");
	struct compiled *table;

	given_endpoints("a:80 10.0.0.1:80 10.0.0.1:81\nb:80 10.0.0.1:81 10.0.0.2:80");
	table = compiled(compiler, model, 1);

	assert_endpoints(table, SHOP, "/a", "10.0.0.1:80#0 10.0.0.1:81#1");
	assert_endpoints(table, SHOP, "/b", "10.0.0.1:81#1 10.0.0.2:80#2");
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void a_slot_stays_while_its_address_does(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80");
	struct compiled *table;

	given_endpoints("a:80 10.0.0.1:80 10.0.0.2:80");
	compiled_end(compiled(compiler, model, 1));
	given_endpoints("a:80 10.0.0.0:80 10.0.0.2:80 10.0.0.3:80");
	table = compiled(compiler, model, 2);

	assert_endpoints(table, SHOP, "/a", "10.0.0.0:80#2 10.0.0.2:80#1 10.0.0.3:80#3");
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void an_address_that_comes_back_is_another_one(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80");
	struct compiled *table;

	given_endpoints("a:80 10.0.0.1:80");
	compiled_end(compiled(compiler, model, 1));
	given_endpoints("");
	compiled_end(compiled(compiler, model, 1));
	given_endpoints("a:80 10.0.0.1:80");
	table = compiled(compiler, model, 1);

	assert_endpoints(table, SHOP, "/a", "10.0.0.1:80#1");
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void an_upstream_keeps_its_id_whatever_comes_and_goes_around_it(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *before = given_model("shop.example Prefix /a -> a:80\n"
					   "shop.example Prefix /b -> b:80");
	struct model *after = given_model("shop.example Prefix /c -> c:80\n"
					  "shop.example Prefix /b -> b:80");
	struct compiled *first = compiled(compiler, before, 1);
	struct compiled *second = compiled(compiler, after, 2);
	const struct route *b1 = compiled_route(first, SHOP, "/b");
	const struct route *b2 = compiled_route(second, SHOP, "/b");

	assert_int_equal(b1->upstream, b2->upstream);
	assert_int_equal(b1->upstream_incarnation, b2->upstream_incarnation);
	assert_int_not_equal(compiled_route(second, SHOP, "/c")->upstream,
			     compiled_route(first, SHOP, "/a")->upstream);
	compiled_end(first);
	compiled_end(second);
	given_model_end(before);
	given_model_end(after);
	compiler_free(compiler);
	(void)state;
}

/* --- upstreams of routes of before --- */

struct change {
	struct compiler *compiler;
	struct model *before;
	struct model *after;
	struct compiled *old_table;
	struct compiled *new_table;
};

/* What the compiler told: '+' it is wrong now, '-' it was. */
static struct buf told;

static void tell(char sign, const struct diagnostics *list)
{
	for (const struct diagnostic *at = list->first; at != NULL; at = at->next)
		buf_printf(&told, "%c%.*s ", sign, (int)at->text.len, at->text.ptr);
}

static void on_new(void *owner, const struct diagnostics *list)
{
	(void)owner;
	tell('+', list);
}

static void on_gone(void *owner, const struct diagnostics *list)
{
	(void)owner;
	tell('-', list);
}

static const struct diagnostic_sink sink = {NULL, on_new, on_gone};

/* The upstream a:80 was in generation 1 and is not in generation 2. */
static struct change given_change(void)
{
	struct change change = {
		.compiler = compiler_new(&sink),
		.before = given_model("shop.example Prefix /a -> a:80"),
		.after = given_model("shop.example Prefix /b -> b:80"),
	};

	given_endpoints("a:80 10.0.0.1:80\nb:80 10.0.0.2:80");
	change.old_table = compiled(change.compiler, change.before, 1);
	change.new_table = compiled(change.compiler, change.after, 2);
	return change;
}

static void change_end(struct change *change)
{
	compiled_end(change->old_table);
	compiled_end(change->new_table);
	given_model_end(change->before);
	given_model_end(change->after);
	compiler_free(change->compiler);
	buf_fini(&told);
	told = (struct buf){0};
}

static const struct upstream_record *old_upstream_in(const struct change *change,
						     const struct compiled *table)
{
	return upstream_of_route(table, compiled_route(change->old_table, SHOP, "/a"));
}

static void routes_of_before_still_find_their_endpoints(void **state)
{
	struct change change = given_change();
	const struct upstream_record *upstream = old_upstream_in(&change, change.new_table);

	assert_non_null(upstream);
	assert_text(endpoints_text(&change.new_table->endpoints, upstream->name), "shop-a-80");
	assert_int_equal(upstream->endpoint_count, 1);
	assert_int_equal(
		change.new_table->endpoints.endpoints[upstream->first_endpoint].ip.bytes[15], 1);
	change_end(&change);
	(void)state;
}

static void pods_of_routes_of_before_come_and_go_as_well(void **state)
{
	struct change change = given_change();
	struct compiled *later;

	given_endpoints("a:80 10.0.0.8:80 10.0.0.9:80");
	given_model_end(change.before); /* nothing of it is needed any more */
	change.before = given_model("");
	later = compiled(change.compiler, change.after, 2);

	assert_int_equal(old_upstream_in(&change, later)->endpoint_count, 2);
	compiled_end(later);
	change_end(&change);
	(void)state;
}

static void what_is_wrong_with_an_upstream_of_before_is_not_told(void **state)
{
	struct change change;

	given_faults = true;
	change = given_change();

	assert_string_equal(buf_text(&told), "+shop-a-80 -shop-a-80 +shop-b-80 ");
	buf_clear(&told);
	given_faults = false;
	compiled_end(compiled(change.compiler, change.after, 2));
	assert_string_equal(buf_text(&told), "-shop-b-80 ");
	change_end(&change);
	(void)state;
}

static void an_upstream_goes_when_all_workers_obey_later_routes(void **state)
{
	struct change change = given_change();
	struct compiled *later;

	compiler_release(change.compiler, 1);
	later = compiled(change.compiler, change.after, 2);
	assert_non_null(old_upstream_in(&change, later));
	compiled_end(later);
	compiler_release(change.compiler, 2);
	later = compiled(change.compiler, change.after, 2);
	assert_null(old_upstream_in(&change, later));
	assert_endpoints(later, SHOP, "/b", "10.0.0.2:80#1");
	assert_int_equal(later->endpoints.endpoint_count, 1);
	compiled_end(later);
	change_end(&change);
	(void)state;
}

static void an_upstream_that_returns_in_time_is_the_same(void **state)
{
	struct change change = given_change();
	struct compiled *later = compiled(change.compiler, change.before, 3);

	compiler_release(change.compiler, 2);
	assert_int_equal(compiled_route(later, SHOP, "/a")->upstream,
			 compiled_route(change.old_table, SHOP, "/a")->upstream);
	assert_int_equal(compiled_route(later, SHOP, "/a")->upstream_incarnation,
			 compiled_route(change.old_table, SHOP, "/a")->upstream_incarnation);
	compiled_end(later);
	later = compiled(change.compiler, change.before, 3);
	assert_non_null(old_upstream_in(&change, later));
	compiled_end(later);
	change_end(&change);
	(void)state;
}

static void endpoints_compiled_before_their_routes_hold_the_ids(void **state)
{
	static const struct model_options options;
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80");
	struct shards endpoints;
	struct buf bytes = {0};
	struct compiled *table;
	const struct route *route;
	struct error err;

	given_endpoints("a:80 10.0.0.1:80");
	compiler_note(compiler, model, NULL, 1);
	compile_endpoints(compiler, NULL, &options, 1, 7, &bytes);
	shards_init(&endpoints, TABLE_ENDPOINTS);
	assert_int_equal(shards_apply(&endpoints, buf_span(&bytes), NULL, &err), 0);
	compiler_release(compiler, 100);
	table = compiled(compiler, model, 101);
	route = compiled_route(table, SHOP, "/a");

	assert_non_null(
		endpoints_find(&endpoints, route->upstream, route->upstream_incarnation).upstream);
	compiled_end(table);
	shards_fini(&endpoints);
	buf_fini(&bytes);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void an_upstream_whose_port_moves_keeps_its_id_and_is_asked_anew(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80");
	struct compiled *first = compiled(compiler, model, 1);
	struct compiled *second;
	const struct upstream_record *upstream;

	given_upstream(model, "a:80")->external_name = S("db.example");
	given_upstream(model, "a:80")->external_port = 5432;
	given_endpoints("");
	second = compiled(compiler, model, 2);
	upstream = compiled_upstream(second, SHOP, "/a");

	assert_text(endpoints_text(&second->endpoints, upstream->external_name), "db.example");
	assert_int_equal(upstream->external_port, 5432);
	assert_int_equal(compiled_route(first, SHOP, "/a")->upstream,
			 compiled_route(second, SHOP, "/a")->upstream);
	compiled_end(first);
	compiled_end(second);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void an_upstream_says_how_tls_is_spoken_to_it(void **state)
{
	struct compiler *compiler = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80\n"
					  "shop.example Prefix /b -> b:80\n"
					  "shop.example Prefix /c -> c:80");
	struct model_upstream_tls tls = {
		.is_used = true,
		.certificate = S("shop/pair"),
		.authorities = S("shop/trust/ca.crt"),
		.server_name = S("a.shop.svc"),
		.verify_name = S("a.internal"),
		.ciphers = S("A:B"),
		.versions = 2,
		.verify_depth = 3,
	};
	const struct upstream_tls *found;
	struct compiled *table;

	given_upstream(model, "a:80")->tls = tls;
	given_upstream(model, "b:80")->tls = tls;
	table = compiled(compiler, model, 1);
	found = &table->endpoints.tls[compiled_upstream(table, SHOP, "/a")->tls];

	assert_text(endpoints_text(&table->endpoints, found->server_name), "a.shop.svc");
	assert_text(endpoints_text(&table->endpoints, found->verify_name), "a.internal");
	assert_text(endpoints_text(&table->endpoints, found->ciphers), "A:B");
	assert_int_equal(found->versions, BIT(UPSTREAM_TLS_1_3));
	assert_int_equal(found->verify_depth, 3);
	assert_false(certificate_id_is_none(found->certificate));
	assert_false(certificate_id_is_none(found->authorities));
	assert_int_equal(table->endpoints.tls_count, 1);
	assert_int_equal(compiled_upstream(table, SHOP, "/b")->tls,
			 compiled_upstream(table, SHOP, "/a")->tls);
	assert_int_equal(compiled_upstream(table, SHOP, "/c")->tls, TABLE_NONE);
	compiled_end(table);
	given_model_end(model);
	compiler_free(compiler);
	(void)state;
}

static void a_row_rests_when_all_workers_obey_routes_without_it(void **state)
{
	struct change change = given_change();
	uint32_t old_row = compiled_route(change.old_table, SHOP, "/a")->stat_row;
	struct compiled *again = compiled(change.compiler, change.before, 3);

	assert_int_equal(compiled_route(again, SHOP, "/a")->stat_row, old_row);
	compiled_end(again);
	compiled_end(compiled(change.compiler, change.after, 4));
	compiler_release(change.compiler, 4);
	again = compiled(change.compiler, change.before, 5);
	assert_int_not_equal(compiled_route(again, SHOP, "/a")->stat_row, old_row);
	compiled_end(again);
	change_end(&change);
	(void)state;
}

static void another_seed_makes_ids_that_routes_of_an_earlier_life_miss(void **state)
{
	struct compiler *earlier = compiler_new(NULL);
	struct compiler *later = compiler_new(NULL);
	struct model *model = given_model("shop.example Prefix /a -> a:80");
	struct compiled *of_earlier = compiled(earlier, model, 1);
	struct compiled *of_later;
	const struct route *route = compiled_route(of_earlier, SHOP, "/a");

	compiler_seed(later, 1000, 0);
	of_later = compiled(later, model, 1);

	assert_null(upstream_of_route(of_later, route));
	compiled_end(of_earlier);
	compiled_end(of_later);
	given_model_end(model);
	compiler_free(earlier);
	compiler_free(later);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upstream_has_the_endpoints_that_the_model_finds),
		cmocka_unit_test(one_address_and_port_has_one_slot_in_all_upstreams),
		cmocka_unit_test(a_slot_stays_while_its_address_does),
		cmocka_unit_test(an_address_that_comes_back_is_another_one),
		cmocka_unit_test(an_upstream_keeps_its_id_whatever_comes_and_goes_around_it),
		cmocka_unit_test(routes_of_before_still_find_their_endpoints),
		cmocka_unit_test(pods_of_routes_of_before_come_and_go_as_well),
		cmocka_unit_test(what_is_wrong_with_an_upstream_of_before_is_not_told),
		cmocka_unit_test(an_upstream_goes_when_all_workers_obey_later_routes),
		cmocka_unit_test(an_upstream_that_returns_in_time_is_the_same),
		cmocka_unit_test(endpoints_compiled_before_their_routes_hold_the_ids),
		cmocka_unit_test(an_upstream_whose_port_moves_keeps_its_id_and_is_asked_anew),
		cmocka_unit_test(an_upstream_says_how_tls_is_spoken_to_it),
		cmocka_unit_test(a_row_rests_when_all_workers_obey_routes_without_it),
		cmocka_unit_test(another_seed_makes_ids_that_routes_of_an_earlier_life_miss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
