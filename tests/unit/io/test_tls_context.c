/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_context.h"

#include <openssl/err.h>
#include <string.h>

#include "base/bug.h"
#include "given_tls.h"

static struct given_tls given;
static struct tls_context *server;
static struct tls_context *client;
static struct tls_identity ec;
static struct tls_identity rsa;

static int begin_all(void **state)
{
	const struct given_certificate of_rsa = {.name = "shop.example", .key = GIVEN_RSA};

	(void)state;
	tls_init();
	ec = given_shop();
	rsa = given_identity(given_shop_authority(), &of_rsa);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	given_tls_init(&given);
	server = NULL;
	client = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_tls_fini(&given);
	tls_context_drop(server);
	tls_context_drop(client);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static void given_server(struct tls_settings settings)
{
	if (settings.identity_count == 0) {
		settings.identities = &ec;
		settings.identity_count = 1;
	}
	server = given_server_context(&settings);
}

static void given_client(struct tls_settings settings)
{
	if (settings.server_name == NULL)
		settings.server_name = "shop.example";
	client = given_client_context(&settings);
}

static void shake(void)
{
	given_tls_connect(&given, server, client);
	given_tls_shake(&given);
}

static void expect_failures(const char *of_server, const char *of_client)
{
	const char *server_word = transport_failure(&given.server.transport);
	const char *client_word = transport_failure(&given.client.transport);

	assert_non_null(server_word);
	assert_non_null(client_word);
	assert_string_equal(server_word, of_server);
	assert_string_equal(client_word, of_client);
}

static void expect_open(void)
{
	assert_null(transport_failure(&given.server.transport));
	assert_null(transport_failure(&given.client.transport));
}

static void a_version_below_the_lowest_is_refused(void **state)
{
	(void)state;
	given_server((struct tls_settings){.version_min = TLS_VERSION_1_3});
	given_client((struct tls_settings){.version_max = TLS_VERSION_1_2});
	shake();

	expect_failures("unsupported version", "peer refused the version");
}

static void the_highest_version_of_the_choice_counts_and_not_that_of_the_listener(void **state)
{
	(void)state;
	given_server((struct tls_settings){.version_max = TLS_VERSION_1_2});
	given_client((struct tls_settings){0});
	shake();

	expect_open();
	assert_string_equal(given_facts(&given.client).version, "TLSv1.2");
}

static void the_ciphers_of_the_choice_count(void **state)
{
	(void)state;
	given_server((struct tls_settings){.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305",
					   .suites = "TLS_CHACHA20_POLY1305_SHA256"});
	given_client((struct tls_settings){0});
	shake();
	assert_string_equal(given_facts(&given.server).cipher, "TLS_CHACHA20_POLY1305_SHA256");
	given_tls_close(&given);

	tls_context_drop(client);
	given_client((struct tls_settings){.version_max = TLS_VERSION_1_2});
	shake();
	assert_string_equal(given_facts(&given.server).cipher, "ECDHE-ECDSA-CHACHA20-POLY1305");
}

static void a_client_without_a_cipher_in_common_is_refused(void **state)
{
	(void)state;
	given_server((struct tls_settings){0});
	given_client((struct tls_settings){.version_max = TLS_VERSION_1_2,
					   .ciphers = "ECDHE-ECDSA-AES128-SHA256"});
	shake();

	expect_failures("no shared cipher", "peer refused the handshake");
}

static void the_curves_of_the_choice_count(void **state)
{
	(void)state;
	given_server((struct tls_settings){.groups = "P-384"});
	given_client((struct tls_settings){.groups = "X25519:P-256"});
	shake();
	expect_failures("no shared group", "peer refused the handshake");
	given_tls_close(&given);

	tls_context_drop(client);
	given_client((struct tls_settings){.groups = "X25519:P-384"});
	shake();
	expect_open();
}

static int key_shown_to(const char *signatures, int version_max)
{
	struct given_raw raw;
	int kind;

	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	assert_int_equal(SSL_set1_sigalgs_list(raw.ssl, signatures), 1);
	SSL_set_max_proto_version(raw.ssl, version_max);
	assert_true(given_raw_shake(&raw, &given));
	kind = EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(raw.ssl)));
	given_raw_fini(&raw);
	given_tls_close(&given);
	return kind;
}

static void of_two_keys_the_client_gets_ecdsa_where_it_can_and_else_rsa(void **state)
{
	const struct tls_identity both[2] = {rsa, ec};

	(void)state;
	given_server((struct tls_settings){.identities = both, .identity_count = 2});

	assert_int_equal(key_shown_to("RSA-PSS+SHA256:ECDSA+SHA256", 0), EVP_PKEY_EC);
	assert_true(given.hello.takes_ecdsa);
	assert_true(given.hello.takes_rsa);
	assert_int_equal(key_shown_to("RSA-PSS+SHA256", 0), EVP_PKEY_RSA);
	assert_false(given.hello.takes_ecdsa);
	assert_int_equal(key_shown_to("RSA+SHA256:ECDSA+SHA256", TLS1_2_VERSION), EVP_PKEY_EC);
	assert_int_equal(key_shown_to("RSA+SHA256", TLS1_2_VERSION), EVP_PKEY_RSA);
	assert_int_equal(key_shown_to("ECDSA+SHA256", 0), EVP_PKEY_EC);
	assert_false(given.hello.takes_rsa);
}

/*
 * ALPN
 */

static enum tls_alpn settled(uint32_t offer, uint32_t spoken)
{
	enum tls_alpn alpn;

	tls_context_drop(server);
	tls_context_drop(client);
	given_server((struct tls_settings){.alpn = spoken});
	given_client((struct tls_settings){.alpn = offer});
	shake();
	expect_open();
	alpn = given_facts(&given.server).alpn;
	assert_int_equal(given_facts(&given.client).alpn, alpn);
	given_tls_close(&given);
	return alpn;
}

static void both_sides_settle_on_the_best_protocol_that_both_speak(void **state)
{
	const uint32_t http1 = BIT(TLS_ALPN_HTTP1);
	const uint32_t both = BIT(TLS_ALPN_HTTP1) | BIT(TLS_ALPN_H2);

	(void)state;
	assert_int_equal(settled(both, both), TLS_ALPN_H2);
	assert_int_equal(settled(both, http1), TLS_ALPN_HTTP1);
	assert_int_equal(settled(http1, both), TLS_ALPN_HTTP1);
	assert_int_equal(settled(0, both), TLS_ALPN_NONE);
	assert_int_equal(settled(both, 0), TLS_ALPN_NONE);
}

static void an_offer_without_overlap_ends_the_handshake(void **state)
{
	(void)state;
	given_server((struct tls_settings){.alpn = BIT(TLS_ALPN_HTTP1)});
	given_client((struct tls_settings){.alpn = BIT(TLS_ALPN_H2)});
	shake();

	expect_failures("no application protocol", "peer refused the application protocol");
}

/*
 * Clients
 */

static const char *verify_failure(struct tls_identity shown, struct tls_settings settings)
{
	const struct tls_settings of_server = {.identities = &shown, .identity_count = 1};

	settings.verify = TLS_VERIFY_REQUIRED;
	if (settings.authorities.len == 0)
		settings.authorities = given_trust(given_shop_authority());
	tls_context_drop(server);
	tls_context_drop(client);
	given_tls_close(&given);
	server = given_server_context(&of_server);
	given_client(settings);
	shake();
	return transport_failure(&given.client.transport);
}

static void a_server_is_who_it_is_asked_to_be(void **state)
{
	(void)state;
	assert_null(verify_failure(ec, (struct tls_settings){.verify_name = "shop.example"}));
	assert_null(verify_failure(ec, (struct tls_settings){.verify_name = "192.0.2.7"}));
	assert_null(verify_failure(ec, (struct tls_settings){0}));
}

static void a_server_of_another_name_is_refused(void **state)
{
	(void)state;
	assert_string_equal(
		verify_failure(ec, (struct tls_settings){.verify_name = "bank.example"}),
		"certificate of another name");
	assert_string_equal(verify_failure(ec, (struct tls_settings){.verify_name = "192.0.2.8"}),
			    "certificate of another name");
	assert_string_equal(transport_failure(&given.server.transport),
			    "peer refused the certificate");
}

static void a_server_out_of_its_time_is_refused(void **state)
{
	const struct given_certificate late = {
		.name = "shop.example", .days_from = -10, .days_to = -1};
	const struct given_certificate early = {
		.name = "shop.example", .days_from = 2, .days_to = 9};

	(void)state;
	assert_string_equal(verify_failure(given_identity(given_shop_authority(), &late),
					   (struct tls_settings){0}),
			    "certificate expired");
	assert_string_equal(verify_failure(given_identity(given_shop_authority(), &early),
					   (struct tls_settings){0}),
			    "certificate not yet valid");
}

static void a_server_of_another_authority_is_refused(void **state)
{
	const struct given_certificate alone = {.name = "shop.example"};
	struct span other = given_trust(given_authority("Other Authority"));

	(void)state;
	assert_string_equal(verify_failure(ec, (struct tls_settings){.authorities = other}),
			    "certificate of an unknown authority");
	assert_string_equal(verify_failure(given_identity(NULL, &alone), (struct tls_settings){0}),
			    "certificate signed by itself");
}

static void a_chain_has_no_more_authorities_than_allowed(void **state)
{
	const struct given_certificate leaf = {.name = "shop.example"};
	struct given_issuer *first = given_intermediate(given_shop_authority(), "First");
	struct given_issuer *second = given_intermediate(first, "Second");
	struct tls_identity identity = given_identity(second, &leaf);

	(void)state;
	assert_null(verify_failure(given_identity(first, &leaf), (struct tls_settings){0}));
	assert_non_null(verify_failure(identity, (struct tls_settings){0}));
	assert_null(verify_failure(identity, (struct tls_settings){.verify_depth = 2}));
}

static void a_server_whose_certificate_was_revoked_is_refused(void **state)
{
	const struct given_certificate leaf = {.name = "shop.example"};
	struct tls_identity stolen = given_identity(given_shop_authority(), &leaf);
	struct span list = given_revocation(given_shop_authority(), &stolen);

	(void)state;
	assert_string_equal(verify_failure(stolen, (struct tls_settings){.revocations = list}),
			    "certificate revoked");
	assert_null(verify_failure(ec, (struct tls_settings){.revocations = list}));
}

static void without_verification_any_server_will_do(void **state)
{
	const struct given_certificate alone = {
		.name = "other.example", .days_from = -10, .days_to = -1};
	const struct tls_identity identity = given_identity(NULL, &alone);

	(void)state;
	given_server((struct tls_settings){.identities = &identity, .identity_count = 1});
	given_client((struct tls_settings){.verify_name = "shop.example"});
	shake();

	expect_open();
}

static void a_client_that_is_to_send_no_name_sends_none(void **state)
{
	const struct tls_settings settings = {0};

	(void)state;
	given_server((struct tls_settings){0});
	client = given_client_context(&settings);
	shake();

	expect_open();
	assert_string_equal(given.asked_name, "");
	assert_int_equal(given_facts(&given.server).server_name.len, 0);
}

/*
 * Life and settings
 */

static void a_connection_keeps_its_context_when_the_owner_lets_go(void **state)
{
	const struct tls_tag tag = {"known again"};

	(void)state;
	given_server((struct tls_settings){.tag = tag});
	given_client((struct tls_settings){0});
	shake();
	tls_context_drop(server);
	tls_context_drop(client);
	server = client = NULL;

	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
	assert_true(tls_tag_equals(tls_context_tag(given_facts(&given.server).context), tag));
}

static void expect_error(struct tls_context *context, const struct error *err, const char *text)
{
	assert_null(context);
	if (strstr(err->text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err->text, text);
}

static void expect_server_error(struct tls_settings settings, const char *text)
{
	struct error err = {0};

	if (settings.identity_count == 0) {
		settings.identities = &ec;
		settings.identity_count = 1;
	}
	expect_error(tls_context_new_server(&settings, &err), &err, text);
}

static void settings_that_make_no_sense_are_refused_with_the_reason(void **state)
{
	const struct tls_settings none = {0};
	const struct tls_settings blind = {.verify = TLS_VERIFY_REQUIRED};
	const struct tls_settings undecided = {.verify = TLS_VERIFY_OPTIONAL};
	const struct tls_identity twice[2] = {ec, ec};
	struct error err = {0};

	(void)state;
	expect_error(tls_context_new_server(&none, &err), &err, "needs a certificate");
	expect_error(tls_context_new_client(&blind, &err), &err, "no authority is named");
	expect_error(tls_context_new_client(&undecided, &err), &err, "verifies its server or does");
	expect_server_error((struct tls_settings){.version_min = TLS_VERSION_1_3,
						  .version_max = TLS_VERSION_1_2},
			    "lowest TLS version");
	expect_server_error((struct tls_settings){.ciphers = "ROT13"}, "ciphers");
	expect_server_error((struct tls_settings){.suites = "TLS_ROT13"}, "TLS 1.3 ciphers");
	expect_server_error((struct tls_settings){.groups = "P-1"}, "curves");
	expect_server_error((struct tls_settings){.verify = TLS_VERIFY_REQUIRED}, "no authority");
	expect_server_error(
		(struct tls_settings){.session_context = S("a text of more than thirty-two bytes")},
		"session context");
	expect_server_error((struct tls_settings){.identities = twice, .identity_count = 2},
			    "cannot be used");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_version_below_the_lowest_is_refused),
		TEST(the_highest_version_of_the_choice_counts_and_not_that_of_the_listener),
		TEST(the_ciphers_of_the_choice_count),
		TEST(a_client_without_a_cipher_in_common_is_refused),
		TEST(the_curves_of_the_choice_count),
		TEST(of_two_keys_the_client_gets_ecdsa_where_it_can_and_else_rsa),
		TEST(both_sides_settle_on_the_best_protocol_that_both_speak),
		TEST(an_offer_without_overlap_ends_the_handshake),
		TEST(a_server_is_who_it_is_asked_to_be),
		TEST(a_server_of_another_name_is_refused),
		TEST(a_server_out_of_its_time_is_refused),
		TEST(a_server_of_another_authority_is_refused),
		TEST(a_chain_has_no_more_authorities_than_allowed),
		TEST(a_server_whose_certificate_was_revoked_is_refused),
		TEST(without_verification_any_server_will_do),
		TEST(a_client_that_is_to_send_no_name_sends_none),
		TEST(a_connection_keeps_its_context_when_the_owner_lets_go),
		TEST(settings_that_make_no_sense_are_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, begin_all, NULL);
}
