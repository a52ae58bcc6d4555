/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_session.h"

#include <openssl/err.h>
#include <string.h>

#include "base/ip.h"
#include "given_tls.h"

static const struct tls_ticket_key keys[2] = {
	{.name = "the first key", .cipher = {1}, .mac = {2}},
	{.name = "the second key", .cipher = {3}, .mac = {4}},
};

static const struct ip_port pod = {.ip = {{10, 1}}, .port = 8443};

static struct given_tls given;
static struct tls_context *server;
static struct tls_context *client;
static uint64_t skipped_ns;

uint64_t __real_loop_now_ns(const struct loop *loop);
uint64_t __wrap_loop_now_ns(const struct loop *loop);

uint64_t __wrap_loop_now_ns(const struct loop *loop)
{
	return __real_loop_now_ns(loop) + skipped_ns;
}

static struct tls_context *given_server(enum tls_version version)
{
	const struct tls_identity identity = given_shop();
	const struct tls_settings settings = {
		.identities = &identity,
		.identity_count = 1,
		.version_min = version,
		.version_max = version,
		.tickets = true,
		.session_context = S("shop"),
	};

	return given_server_context(&settings);
}

static struct tls_context *given_verifying_client(struct given_issuer *authority)
{
	const struct tls_settings settings = {
		.server_name = "shop.example",
		.verify = TLS_VERIFY_REQUIRED,
		.verify_name = "shop.example",
		.authorities = given_trust(authority),
	};

	return given_client_context(&settings);
}

static int begin(void **state)
{
	(void)state;
	given_tls_init(&given);
	tls_server_set_ticket_keys(given.tls_server, keys, 1);
	server = given_server(TLS_VERSION_1_3);
	client = given_verifying_client(given_shop_authority());
	skipped_ns = 0;
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

/* Whether the handshake came to its end. */
static bool shakes(const struct ip_port *peer)
{
	given_tls_close(&given);
	given_tls_connect(&given, server, client);
	if (peer != NULL)
		transport_resume(&given.client.transport, peer);
	given_tls_shake(&given);
	return transport_failure(&given.client.transport) == NULL;
}

/* A connection that carries something both ways. Whether it was resumed, as both sides see it. */
static bool resumes(const struct ip_port *peer)
{
	bool resumed;

	assert_true(shakes(peer));
	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
	given_tls_say(&given, &given.server, "good day");
	given_tls_expect(&given, &given.client, "good day");
	resumed = given_facts(&given.client).resumed;
	assert_int_equal(given_facts(&given.server).resumed, resumed);
	given_tls_close(&given);
	return resumed;
}

static void the_next_connection_to_a_peer_resumes_in_both_versions(void **state)
{
	static const enum tls_version versions[2] = {TLS_VERSION_1_2, TLS_VERSION_1_3};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct ip_port peer = {.ip = pod.ip, .port = (uint16_t)(1 + i)};

		tls_context_drop(server);
		server = given_server(versions[i]);

		assert_false(resumes(&peer));
		assert_true(resumes(&peer));
		assert_true(resumes(&peer));
	}
}

static void another_peer_is_met_in_full(void **state)
{
	static const struct ip_port other_ip = {.ip = {{10, 2}}, .port = 8443};
	static const struct ip_port other_port = {.ip = {{10, 1}}, .port = 8444};

	(void)state;
	assert_false(resumes(&pod));

	assert_false(resumes(&other_ip));
	assert_false(resumes(&other_port));
	assert_true(resumes(&pod));
}

static void another_context_begins_in_full(void **state)
{
	struct tls_context *first = client;

	(void)state;
	assert_false(resumes(&pod));
	client = given_verifying_client(given_shop_authority());

	assert_false(resumes(&pod));

	tls_context_drop(first);
	assert_true(resumes(&pod));
}

static void who_names_no_peer_begins_in_full(void **state)
{
	(void)state;
	assert_false(resumes(NULL));
	assert_false(resumes(NULL));
	assert_false(resumes(&pod));
}

static void a_peer_that_forgot_is_met_in_full(void **state)
{
	(void)state;
	assert_false(resumes(&pod));
	tls_server_set_ticket_keys(given.tls_server, &keys[1], 1);

	assert_false(resumes(&pod));
	assert_true(resumes(&pod));
}

static void
a_certificate_is_looked_at_again_after_a_while_however_often_it_was_resumed(void **state)
{
	const uint64_t half_ns = (TLS_SESSION_TRUST_S / 2 + 1) * 1000000000ULL;

	(void)state;
	assert_false(resumes(&pod));
	skipped_ns += half_ns;
	assert_true(resumes(&pod));
	skipped_ns += half_ns;

	assert_false(resumes(&pod));
}

/* The server has another certificate now, which the client does not accept. */
static void after_a_handshake_that_failed_nothing_is_offered(void **state)
{
	struct tls_context *good = server;

	(void)state;
	assert_false(resumes(&pod));
	server = NULL;
	assert_false(shakes(&pod));
	server = good;

	assert_false(resumes(&pod));
}

static void a_peer_that_was_not_accepted_leaves_no_session(void **state)
{
	(void)state;
	tls_context_drop(client);
	client = given_verifying_client(given_authority("Bank Authority"));

	assert_false(shakes(&pod));
	assert_false(shakes(&pod));
	assert_true(transport_is_distrusted(&given.client.transport));
}

static void of_tls_1_2_nothing_is_kept_without_the_extended_master_secret(void **state)
{
	(void)state;
	tls_context_drop(server);
	server = given_server(TLS_VERSION_1_2);
	SSL_CTX_set_options(tls_server_base(given.tls_server), SSL_OP_NO_EXTENDED_MASTER_SECRET);

	assert_false(resumes(&pod));
	assert_false(resumes(&pod));
}

/* It is the last session that would count as broken. */
static void a_connection_that_was_cut_does_no_harm(void **state)
{
	(void)state;
	assert_false(resumes(&pod));
	assert_true(shakes(&pod));
	transport_reset(&given.client.transport, given.loop.loop);

	assert_true(shakes(&pod));
}

static void beyond_the_limit_the_one_used_longest_ago_goes(void **state)
{
	struct ip_port other = {.ip = {{10, 3}}};

	(void)state;
	assert_false(resumes(&pod));
	for (unsigned i = 1; i < TLS_SESSIONS_MAX; i++) {
		other.port = (uint16_t)i;
		assert_false(resumes(&other));
	}
	assert_true(resumes(&pod));

	other.port = TLS_SESSIONS_MAX;
	assert_false(resumes(&other));

	assert_true(resumes(&pod));
	other.port = 1;
	assert_false(resumes(&other));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_next_connection_to_a_peer_resumes_in_both_versions),
		TEST(another_peer_is_met_in_full),
		TEST(another_context_begins_in_full),
		TEST(who_names_no_peer_begins_in_full),
		TEST(a_peer_that_forgot_is_met_in_full),
		TEST(a_certificate_is_looked_at_again_after_a_while_however_often_it_was_resumed),
		TEST(after_a_handshake_that_failed_nothing_is_offered),
		TEST(a_peer_that_was_not_accepted_leaves_no_session),
		TEST(of_tls_1_2_nothing_is_kept_without_the_extended_master_secret),
		TEST(a_connection_that_was_cut_does_no_harm),
		TEST(beyond_the_limit_the_one_used_longest_ago_goes),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
