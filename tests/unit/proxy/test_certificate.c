/* SPDX-License-Identifier: Apache-2.0 */
/* Which contexts of certificates a worker makes, keeps and lets go of. */
#include "proxy/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "given.h"
#include "given_certificates.h"
#include "given_loop.h"
#include "proxy/worker.h"

static const struct certificate_id shop_id = {{1, 1}};
static const struct certificate_id other_id = {{2, 2}};

/* As much of a worker as its certificates need. What the store gives to TLS is caught (linked with --wrap). */
static struct given_loop given;
static struct worker *worker;
static struct certificate_store *store;
static struct given_pages routes;
static struct given_pages certificates;
static struct tls_server_options options;
static unsigned attempts; /* to make a context */
static bool has_memory;

struct tls_server *__real_tls_server_new(const struct tls_server_options *with, struct error *err);
struct tls_server *__wrap_tls_server_new(const struct tls_server_options *with, struct error *err);

struct tls_server *__wrap_tls_server_new(const struct tls_server_options *with, struct error *err)
{
	options = *with;
	return __real_tls_server_new(with, err);
}

struct tls_context *__real_tls_context_new_server(const struct tls_settings *settings,
						  struct error *err);
struct tls_context *__wrap_tls_context_new_server(const struct tls_settings *settings,
						  struct error *err);

struct tls_context *__wrap_tls_context_new_server(const struct tls_settings *settings,
						  struct error *err)
{
	attempts++;
	if (has_memory)
		return __real_tls_context_new_server(settings, err);
	error_set(err, "out of memory");
	errno = ENOMEM;
	return NULL;
}

static void apply(struct shards *shards, struct given_pages *pages, struct buf *bundle)
{
	struct error err = {0};

	*pages = given_pages(buf_span(bundle));
	buf_fini(bundle);
	if (shards_apply(shards, pages->bytes, NULL, &err) == -1)
		fail_msg("%s", err.text);
}

/* The host shop.example with a certificate of its own, and another one for everybody else. */
static void given_hosts(void)
{
	const struct host_tls shop = {.certificates = {shop_id}};
	const struct host_tls other = {.certificates = {other_id}};
	const struct table_stamp stamp = given_stamp(0, 1);
	struct routes_builder builder;
	struct buf bundle = {0};

	given_builder(&builder);
	routes_builder_set_tls(
		&builder, routes_builder_add_host(&builder, S("shop.example"), HOST_EXACT, NULL, 0),
		&shop);
	routes_builder_set_tls(
		&builder, routes_builder_add_host(&builder, S(""), HOST_EXACT, NULL, 0), &other);
	routes_builder_finish(&builder, &stamp, &bundle);
	routes_builder_fini(&builder);
	apply(&worker->tables.routes, &routes, &bundle);
	certificate_store_on_routes(store);
}

static void add_record(struct builder *builder, struct certificate_id id, struct span chain,
		       struct span key, uint8_t digest)
{
	const struct certificate_record record = {
		.id = id,
		.digest = {digest},
		.chain = builder_text(builder, chain),
		.key = builder_text(builder, key),
		.kind = CERTIFICATE_ECDSA,
	};

	builder_add(builder, CERTIFICATES_RECORDS, &record);
}

/* Of the shop with that digest, which has the key of another one where it is not sound; of everybody else always under
 * the same digest. */
static void given_table(uint8_t digest, bool is_sound)
{
	const struct given_certificate wanted = {.name = "shop.example", .form = GIVEN_DER};
	const struct table_stamp stamp = given_stamp(0, 1);
	struct tls_identity shop = given_identity(NULL, &wanted);
	struct tls_identity other = given_identity(NULL, &wanted);
	struct builder builder;
	struct buf bundle = {0};

	builder_init(&builder, TABLE_CERTIFICATES);
	builder_reserve_text(&builder, shop.chain.len + other.chain.len + 2 * shop.key.len +
					       2 * other.key.len);
	add_record(&builder, shop_id, shop.chain, is_sound ? shop.key : other.key, digest);
	add_record(&builder, other_id, other.chain, other.key, 7);
	builder_finish(&builder, &stamp, &bundle);
	builder_fini(&builder);
	shards_fini(&worker->tables.certificates);
	shards_init(&worker->tables.certificates, TABLE_CERTIFICATES);
	if (certificates.pages != NULL)
		given_pages_end(&certificates);
	apply(&worker->tables.certificates, &certificates, &bundle);
	certificate_store_on_certificates(store);
}

static int begin(void **state)
{
	struct error err;

	(void)state;
	attempts = 0;
	has_memory = true;
	given_loop_init(&given);
	worker = calloc(1, sizeof(*worker));
	assert_non_null(worker);
	worker->loop = given.loop;
	tables_init(&worker->tables);
	store = certificate_store_new(worker, &err);
	assert_non_null(store);
	worker->certificates = store;
	given_hosts();
	return 0;
}

static int end(void **state)
{
	(void)state;
	certificate_store_free(store);
	tables_fini(&worker->tables);
	free(worker);
	given_pages_end(&routes);
	given_pages_end(&certificates);
	certificates = (struct given_pages){0};
	given_loop_fini(&given);
	return 0;
}

static struct tls_context *choose(struct span name)
{
	const struct tls_hello hello = {.server_name = name};
	enum tls_alert alert = TLS_ALERT_INTERNAL_ERROR;

	return options.choose(options.owner, &hello, &alert);
}

static void each_is_decoded_once(void **state)
{
	struct tls_context *shop;

	(void)state;
	given_table(1, true);

	shop = choose(S("shop.example"));
	assert_non_null(shop);
	assert_ptr_equal(choose(S("shop.example")), shop);
	assert_ptr_not_equal(choose(S("other.example")), shop);
	assert_int_equal(attempts, 2);
}

static void one_that_was_replaced_is_kept_by_nobody_but_its_connections(void **state)
{
	struct tls_context *shop;
	struct tls_context *other;

	(void)state;
	given_table(1, true);
	shop = tls_context_hold(choose(S("shop.example")));
	other = choose(S("other.example"));
	certificate_store_on_certificates(store);
	assert_int_equal(shop->holders, 2);

	given_table(2, true);

	assert_int_equal(shop->holders, 1);
	assert_ptr_equal(choose(S("other.example")), other);
	assert_ptr_not_equal(choose(S("shop.example")), shop);
	assert_int_equal(attempts, 3);
	tls_context_drop(shop);
}

static void one_that_cannot_be_used_is_tried_once_and_the_default_serves(void **state)
{
	struct tls_context *other;

	(void)state;
	given_table(1, false);

	other = choose(S("shop.example"));
	assert_non_null(other);
	assert_ptr_equal(choose(S("shop.example")), other);
	assert_ptr_equal(choose(S("shop.example")), other);
	assert_int_equal(attempts, 2);
	given_table(2, true);
	assert_ptr_not_equal(choose(S("shop.example")), other);
	assert_int_equal(attempts, 3);
}

static void what_failed_for_want_of_memory_is_tried_again(void **state)
{
	(void)state;
	given_table(1, true);
	has_memory = false;
	assert_null(choose(S("shop.example")));
	has_memory = true;

	assert_non_null(choose(S("shop.example")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_decoded_once),
		TEST(one_that_was_replaced_is_kept_by_nobody_but_its_connections),
		TEST(one_that_cannot_be_used_is_tried_once_and_the_default_serves),
		TEST(what_failed_for_want_of_memory_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
