/* SPDX-License-Identifier: Apache-2.0 */
/* Which upstreams share a context of TLS, and what is not spoken where something is missing. */
#include "proxy/upstream_tls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bug.h"
#include "given_certificates.h"
#include "io/tls_context.h"
#include "table/builder.h"

static const struct certificate_id trust_id = {{1, 1}};
static const struct certificate_id pair_id = {{2, 2}};

/* A store over a table of certificates, and the settings of an upstream. */
static struct upstream_tls_store *store;
static struct shards certificates;
static struct buf bundle;
static struct upstream_record upstream;
static struct upstream_tls tls;
static struct endpoints endpoints;
static _Alignas(16) char segment[TABLE_HEADER_SIZE + 64]; /* the texts behind the header */

/* Of libcrypto. */
static bool has_memory = true;

static void *take_memory(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	errno = has_memory ? errno : ENOMEM;
	return has_memory ? malloc(size) : NULL;
}

static void *grow_memory(void *bytes, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	errno = has_memory ? errno : ENOMEM;
	return has_memory ? realloc(bytes, size) : NULL;
}

static void give_memory(void *bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	free(bytes);
}

static void add_record(struct builder *builder, struct certificate_id id,
		       enum certificate_kind kind, struct span chain, struct span key,
		       uint8_t digest)
{
	const struct certificate_record record = {
		.id = id,
		.digest = {digest},
		.chain = builder_text(builder, chain),
		.key = builder_text(builder, key),
		.kind = (uint8_t)kind,
	};

	builder_add(builder, CERTIFICATES_RECORDS, &record);
}

/* The table holds these, told apart by digest. */
static void given_table(struct span authorities, uint8_t digest)
{
	const struct table_stamp stamp = {.generation = 1, .set = 1, .shard_count = 1};
	struct tls_identity identity = given_identity(
		NULL, &(struct given_certificate){.name = "ingot", .form = GIVEN_DER});
	struct builder builder;
	struct error err = {0};

	buf_clear(&bundle);
	builder_init(&builder, TABLE_CERTIFICATES);
	builder_reserve_text(&builder, authorities.len + identity.chain.len + identity.key.len);
	add_record(&builder, trust_id, CERTIFICATE_AUTHORITIES, authorities, S(""), digest);
	add_record(&builder, pair_id, CERTIFICATE_ECDSA, identity.chain, identity.key, digest);
	builder_finish(&builder, &stamp, &bundle);
	builder_fini(&builder);
	shards_init(&certificates, TABLE_CERTIFICATES);
	if (shards_apply(&certificates, buf_span(&bundle), NULL, &err) == -1)
		fail_msg("%s", err.text);
}

static int begin(void **state)
{
	(void)state;
	given_table(given_trust(given_authority("root")), 1);
	store = upstream_tls_store_new(&certificates);
	memcpy(segment + TABLE_HEADER_SIZE, "web.shop.svc", 12);
	endpoints = (struct endpoints){
		.header = (const void *)segment, .tls = &tls, .tls_count = 1};
	upstream = (struct upstream_record){.incarnation = 1};
	tls = (struct upstream_tls){.digest = {1},
				    .versions = BIT(UPSTREAM_TLS_1_2) | BIT(UPSTREAM_TLS_1_3),
				    .verify_depth = 1};
	return 0;
}

static int end(void **state)
{
	(void)state;
	upstream_tls_store_free(store);
	shards_fini(&certificates);
	buf_fini(&bundle);
	return 0;
}

static bool find(struct tls_context **context)
{
	const struct upstream_match match = {.upstream = &upstream, .endpoints = &endpoints};

	struct upstream_way way;
	bool found = upstream_tls_find(store, &match, &way);

	*context = way.tls;
	assert_int_equal(way.protocol, upstream.protocol);
	return found;
}

static struct tls_context *get(void)
{
	struct tls_context *context;

	assert_true(find(&context));
	assert_non_null(context);
	return context;
}

static void a_plain_upstream_has_no_context(void **state)
{
	struct tls_context *context;

	(void)state;
	upstream.tls = TABLE_NONE;

	assert_true(find(&context));
	assert_null(context);
}

static void equal_settings_share_a_context_and_others_do_not(void **state)
{
	struct tls_context *first = get();

	(void)state;
	assert_ptr_equal(get(), first);
	tls.digest[0]++;
	assert_ptr_not_equal(get(), first);
	tls.digest[0]--;
	assert_ptr_equal(get(), first);
}

static void http2_is_asked_for_and_has_a_context_of_its_own(void **state)
{
	struct tls_context *http1 = get();
	struct tls_context *http2;

	(void)state;
	upstream.protocol = UPSTREAM_HTTP2;
	http2 = get();

	assert_ptr_not_equal(http2, http1);
	assert_int_equal(http1->protocols_length, 0);
	assert_int_equal(http2->protocols_length, 3);
	assert_memory_equal(http2->protocols, "\x02h2", 3);
	upstream.protocol = UPSTREAM_HTTP1;
	assert_ptr_equal(get(), http1);
}

static void without_authorities_nobody_is_verified_and_with_them_everybody(void **state)
{
	(void)state;
	assert_int_equal(get()->verify, TLS_VERIFY_OFF);

	tls.authorities = trust_id;
	tls.verify_name = (struct table_span){TABLE_HEADER_SIZE, 12};
	assert_int_equal(get()->verify, TLS_VERIFY_REQUIRED);
}

static void names_are_those_of_the_table(void **state)
{
	(void)state;
	assert_null(get()->server_name);

	tls.digest[0]++;
	tls.server_name = (struct table_span){TABLE_HEADER_SIZE, 12};
	assert_string_equal(get()->server_name, "web.shop.svc");
}

static void versions_are_those_of_the_table(void **state)
{
	(void)state;
	tls.versions = BIT(UPSTREAM_TLS_1_2);
	assert_int_equal(get()->version_max, TLS1_2_VERSION);

	tls.digest[0]++;
	tls.versions = BIT(UPSTREAM_TLS_1_3);
	assert_int_equal(get()->version_min, TLS1_3_VERSION);
}

static void a_renewed_certificate_makes_another_context(void **state)
{
	struct tls_context *before;

	(void)state;
	tls.certificate = pair_id;
	before = tls_context_hold(get());
	shards_fini(&certificates);
	given_table(given_trust(given_authority("other")), 2);

	assert_ptr_not_equal(get(), before);
	tls_context_drop(before);
}

static void a_replaced_certificate_is_kept_by_nobody_but_its_connections(void **state)
{
	struct tls_context *plain = get();
	struct tls_context *with_pair;
	struct tls_context *with_trust;

	(void)state;
	tls.digest[0]++;
	tls.certificate = pair_id;
	with_pair = tls_context_hold(get());
	tls.digest[0]++;
	tls.certificate = (struct certificate_id){{0, 0}};
	tls.authorities = trust_id;
	with_trust = tls_context_hold(get());
	upstream_tls_on_certificates(store);
	assert_int_equal(with_pair->holders, 2);
	assert_int_equal(with_trust->holders, 2);

	shards_fini(&certificates);
	given_table(given_trust(given_authority("other")), 2);
	upstream_tls_on_certificates(store);

	assert_int_equal(with_pair->holders, 1);
	assert_int_equal(with_trust->holders, 1);
	tls.digest[0] = 1;
	tls.authorities = (struct certificate_id){{0, 0}};
	assert_ptr_equal(get(), plain);
	tls_context_drop(with_pair);
	tls_context_drop(with_trust);
}

static void what_is_named_and_not_there_closes_the_upstream(void **state)
{
	struct tls_context *context;

	(void)state;
	tls.authorities = (struct certificate_id){{3, 3}};
	assert_false(find(&context));
	tls.authorities = (struct certificate_id){{0, 0}};
	tls.certificate = (struct certificate_id){{3, 3}};
	assert_false(find(&context));
}

static void settings_that_cannot_be_used_close_the_upstream(void **state)
{
	struct tls_context *context;

	(void)state;
	memcpy(segment + TABLE_HEADER_SIZE, "NO-SUCH-CIPHER", 14);
	tls.ciphers = (struct table_span){TABLE_HEADER_SIZE, 14};

	assert_false(find(&context));
	assert_false(find(&context));
}

static void what_failed_for_want_of_memory_is_tried_again(void **state)
{
	struct tls_context *context;

	(void)state;
	has_memory = false;
	assert_false(find(&context));
	has_memory = true;

	assert_true(find(&context));
	assert_non_null(context);
}

static void more_contexts_than_fit_go_in_turn(void **state)
{
	struct tls_context *first = tls_context_hold(get());

	(void)state;
	for (unsigned i = 0; i < UPSTREAM_TLS_CONTEXTS_MAX; i++) {
		memcpy(tls.digest + 1, &i, sizeof(i));
		tls.digest[5] = 1;
		get();
	}
	memset(tls.digest + 1, 0, sizeof(tls.digest) - 1);

	/* it went, and another takes its place */
	assert_ptr_not_equal(get(), first);
	assert_int_equal(first->holders, 1);
	tls_context_drop(first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_upstream_has_no_context),
		TEST(equal_settings_share_a_context_and_others_do_not),
		TEST(http2_is_asked_for_and_has_a_context_of_its_own),
		TEST(without_authorities_nobody_is_verified_and_with_them_everybody),
		TEST(names_are_those_of_the_table),
		TEST(versions_are_those_of_the_table),
		TEST(a_renewed_certificate_makes_another_context),
		TEST(a_replaced_certificate_is_kept_by_nobody_but_its_connections),
		TEST(what_is_named_and_not_there_closes_the_upstream),
		TEST(settings_that_cannot_be_used_close_the_upstream),
		TEST(what_failed_for_want_of_memory_is_tried_again),
		TEST(more_contexts_than_fit_go_in_turn),
	};

	if (CRYPTO_set_mem_functions(take_memory, grow_memory, give_memory) != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
