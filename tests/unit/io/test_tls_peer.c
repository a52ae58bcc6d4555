/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "given_tls.h"

static struct given_tls given;
static struct tls_context *server;
static struct tls_context *client;
static struct arena arena;
static struct tls_identity ann;

static int begin(void **state)
{
	const struct given_certificate of_ann = {.name = "Ann"};

	(void)state;
	given_tls_init(&given);
	ann = given_identity(given_shop_authority(), &of_ann);
	server = client = NULL;
	arena_init(&arena, NULL, 0, SIZE_MAX);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_fini(&arena);
	given_tls_fini(&given);
	tls_context_drop(server);
	tls_context_drop(client);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

/* A server that wants certificates of the shop's authority, and a client that shows this one (NULL: none). */
static void shake(enum tls_verify verify, const struct tls_identity *shown,
		  enum tls_version version)
{
	const struct tls_identity identity = given_shop();
	const struct tls_settings of_server = {.identities = &identity,
					       .identity_count = 1,
					       .verify = verify,
					       .authorities = given_trust(given_shop_authority())};
	const struct tls_settings of_client = {.identities = shown,
					       .identity_count = shown == NULL ? 0 : 1,
					       .version_max = version,
					       .server_name = "shop.example"};

	given_tls_close(&given);
	tls_context_drop(server);
	tls_context_drop(client);
	server = given_server_context(&of_server);
	client = given_client_context(&of_client);
	given_tls_connect(&given, server, client);
	given_tls_shake(&given);
}

static void expect_open(enum tls_peer_status status, const char *failure)
{
	assert_null(transport_failure(&given.server.transport));
	assert_int_equal(tls_peer_status(&given.server.transport), status);
	if (failure == NULL)
		assert_null(tls_peer_failure(&given.server.transport));
	else
		assert_string_equal(tls_peer_failure(&given.server.transport), failure);
	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
}

/* The client learns of it when it reads: with TLS 1.3 its own side was done before. */
static void expect_refused(const char *failure, const char *of_client)
{
	assert_string_equal(transport_failure(&given.server.transport), failure);
	assert_int_equal(given_tls_read_end(&given, &given.client), TRANSPORT_BROKEN);
	assert_string_equal(transport_failure(&given.client.transport), of_client);
}

static const enum tls_version versions[2] = {TLS_VERSION_1_2, TLS_VERSION_1_3};

static struct tls_identity given_stranger(void)
{
	const struct given_certificate of_bob = {.name = "Bob"};

	return given_identity(given_authority("Other Authority"), &of_bob);
}

static void who_need_not_show_a_certificate_is_not_asked(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		shake(TLS_VERIFY_OFF, &ann, versions[i]);
		expect_open(TLS_PEER_NONE, NULL);
	}
}

static void a_required_certificate_that_is_good_opens_the_door(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		shake(TLS_VERIFY_REQUIRED, &ann, versions[i]);
		expect_open(TLS_PEER_VERIFIED, NULL);
	}
}

static void a_required_certificate_that_is_not_shown_ends_the_handshake(void **state)
{
	(void)state;
	shake(TLS_VERIFY_REQUIRED, NULL, TLS_VERSION_1_3);
	expect_refused("certificate required", "peer wants a certificate");
	shake(TLS_VERIFY_REQUIRED, NULL, TLS_VERSION_1_2);
	expect_refused("certificate required", "peer refused the handshake");
}

static void a_required_certificate_of_another_authority_ends_the_handshake(void **state)
{
	const struct tls_identity bob = given_stranger();

	(void)state;
	for (int i = 0; i < 2; i++) {
		shake(TLS_VERIFY_REQUIRED, &bob, versions[i]);
		expect_refused("certificate of an unknown authority",
			       "peer refused the certificate");
	}
}

static void an_optional_certificate_counts_when_it_is_good(void **state)
{
	(void)state;
	shake(TLS_VERIFY_OPTIONAL, &ann, TLS_VERSION_ANY);
	expect_open(TLS_PEER_VERIFIED, NULL);
	shake(TLS_VERIFY_OPTIONAL, NULL, TLS_VERSION_ANY);
	expect_open(TLS_PEER_NONE, NULL);
}

static void an_optional_certificate_that_is_bad_lets_in_and_counts_for_nothing(void **state)
{
	const struct given_certificate late = {.name = "Ann", .days_from = -10, .days_to = -1};
	const struct tls_identity expired = given_identity(given_shop_authority(), &late);
	const struct tls_identity bob = given_stranger();

	(void)state;
	for (int i = 0; i < 2; i++) {
		shake(TLS_VERIFY_OPTIONAL, &expired, versions[i]);
		expect_open(TLS_PEER_UNVERIFIED, "certificate expired");
		shake(TLS_VERIFY_OPTIONAL, &bob, versions[i]);
		expect_open(TLS_PEER_UNVERIFIED, "certificate of an unknown authority");
	}
}

static void without_an_authority_nothing_counts_as_verified(void **state)
{
	(void)state;
	shake(TLS_VERIFY_OPTIONAL_NO_CA, &ann, TLS_VERSION_ANY);

	expect_open(TLS_PEER_UNVERIFIED, "not verified");
}

static void a_certificate_is_told_in_the_forms_of_headers(void **state)
{
	struct tls_peer peer;
	BIO *bio;
	X509 *again;

	(void)state;
	shake(TLS_VERIFY_REQUIRED, &ann, TLS_VERSION_ANY);
	assert_true(tls_peer_read(&given.server.transport, &arena, &peer));

	assert_true(span_equals(peer.subject, S("CN=Ann,O=Ingot\\, Tests")));
	assert_true(span_equals(peer.issuer, S("CN=Shop Authority,O=Ingot\\, Tests")));
	bio = BIO_new_mem_buf(peer.pem.ptr, (int)peer.pem.len);
	again = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(again);
	X509_free(again);
	BIO_free(bio);
}

static void where_there_is_no_certificate_there_is_nothing_to_tell(void **state)
{
	struct tls_peer peer;
	const struct transport plain = {.source.fd = -1};

	(void)state;
	shake(TLS_VERIFY_OPTIONAL, NULL, TLS_VERSION_ANY);
	assert_false(tls_peer_read(&given.server.transport, &arena, &peer));
	assert_false(tls_peer_read(&plain, &arena, &peer));
	assert_int_equal(tls_peer_status(&plain), TLS_PEER_NONE);
	assert_null(tls_peer_failure(&plain));
}

static void a_certificate_that_the_arena_has_no_room_for_is_not_told(void **state)
{
	struct tls_peer peer;
	struct arena small;

	(void)state;
	shake(TLS_VERIFY_REQUIRED, &ann, TLS_VERSION_ANY);
	arena_init(&small, NULL, 0, 0);

	assert_false(tls_peer_read(&given.server.transport, &small, &peer));
	arena_fini(&small);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(who_need_not_show_a_certificate_is_not_asked),
		TEST(a_required_certificate_that_is_good_opens_the_door),
		TEST(a_required_certificate_that_is_not_shown_ends_the_handshake),
		TEST(a_required_certificate_of_another_authority_ends_the_handshake),
		TEST(an_optional_certificate_counts_when_it_is_good),
		TEST(an_optional_certificate_that_is_bad_lets_in_and_counts_for_nothing),
		TEST(without_an_authority_nothing_counts_as_verified),
		TEST(a_certificate_is_told_in_the_forms_of_headers),
		TEST(where_there_is_no_certificate_there_is_nothing_to_tell),
		TEST(a_certificate_that_the_arena_has_no_room_for_is_not_told),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
