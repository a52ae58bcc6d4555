/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_ticket.h"

#include <openssl/err.h>
#include <string.h>

#include "given_tls.h"

/* Two servers, as two workers have them. */
static struct given_tls first;
static struct given_tls second;
static struct tls_context *context;
static SSL_SESSION *session;

static const struct tls_ticket_key keys[2] = {
	{.name = "the first key", .cipher = {1}, .mac = {2}},
	{.name = "the second key", .cipher = {3}, .mac = {4}},
};

static int begin(void **state)
{
	(void)state;
	given_tls_init(&first);
	given_tls_init(&second);
	tls_server_set_ticket_keys(first.tls_server, keys, 1);
	tls_server_set_ticket_keys(second.tls_server, keys, 1);
	context = NULL;
	session = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	SSL_SESSION_free(session);
	given_tls_fini(&first);
	given_tls_fini(&second);
	tls_context_drop(context);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static struct tls_context *given_context(struct span session_context, enum tls_verify verify)
{
	const struct tls_identity identity = given_shop();
	const struct tls_settings settings = {
		.identities = &identity,
		.identity_count = 1,
		.tickets = true,
		.session_context = session_context,
		.verify = verify,
		.authorities = given_trust(given_shop_authority()),
	};

	return given_server_context(&settings);
}

/* A client of this version comes, with the ticket it has, and keeps the one that it gets. Whether it was resumed, as
 * both sides see it. */
static bool comes(struct given_tls *given, int version, uint64_t options)
{
	struct given_raw raw;
	bool resumed;

	given->chosen = context;
	given_tls_accept(given);
	given_raw_init(&raw, given, session);
	SSL_set_max_proto_version(raw.ssl, version);
	SSL_set_options(raw.ssl, options);
	assert_true(given_raw_shake(&raw, given));
	given_raw_say(&raw, given, "hello");
	given_tls_expect(given, &given->server, "hello");
	given_tls_say(given, &given->server, "good day");
	given_raw_expect(&raw, given, "good day");
	resumed = SSL_session_reused(raw.ssl) == 1;
	assert_int_equal(given_facts(&given->server).resumed, resumed);
	SSL_SESSION_free(session);
	session = given_raw_session(&raw);
	/* without it the session would count as broken */
	assert_int_equal(SSL_shutdown(raw.ssl), 0);
	given_raw_fini(&raw);
	given_tls_close(given);
	return resumed;
}

static const int versions[2] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void forget_session(void)
{
	SSL_SESSION_free(session);
	session = NULL;
}

static void a_ticket_of_one_worker_resumes_at_another(void **state)
{
	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OFF);
	for (int i = 0; i < 2; i++) {
		forget_session();
		assert_false(comes(&first, versions[i], 0));
		assert_non_null(session);
		assert_true(comes(&second, versions[i], 0));
	}
	/* and the new one again */
	assert_true(comes(&first, TLS1_3_VERSION, 0));
}

static void a_ticket_does_not_resume_under_other_settings(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		forget_session();
		context = given_context(S("shop"), TLS_VERIFY_OFF);
		assert_false(comes(&first, versions[i], 0));
		tls_context_drop(context);
		context = given_context(S("bank"), TLS_VERIFY_OFF);
		assert_false(comes(&first, versions[i], 0));
		tls_context_drop(context);
		context = NULL;
	}
}

static void a_ticket_of_an_old_key_resumes_and_is_renewed(void **state)
{
	const struct tls_ticket_key rotated[2] = {keys[1], keys[0]};

	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OFF);
	for (int i = 0; i < 2; i++) {
		forget_session();
		tls_server_set_ticket_keys(first.tls_server, keys, 1);
		assert_false(comes(&first, versions[i], 0));
		tls_server_set_ticket_keys(first.tls_server, rotated, 2);
		assert_true(comes(&first, versions[i], 0));
		assert_non_null(session);

		/* the old key goes, and the new ticket is of the new one */
		tls_server_set_ticket_keys(first.tls_server, rotated, 1);
		assert_true(comes(&first, versions[i], 0));
	}
}

static void a_ticket_of_a_key_that_is_gone_does_not_resume(void **state)
{
	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OFF);
	for (int i = 0; i < 2; i++) {
		forget_session();
		tls_server_set_ticket_keys(first.tls_server, keys, 1);
		assert_false(comes(&first, versions[i], 0));
		tls_server_set_ticket_keys(first.tls_server, keys + 1, 1);
		assert_false(comes(&first, versions[i], 0));
	}
}

static void a_ticket_sealed_with_a_key_of_the_same_name_does_not_resume(void **state)
{
	struct tls_ticket_key forged = keys[0];

	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OFF);
	for (int i = 0; i < 2; i++) {
		forget_session();
		forged.mac[31] = 1;
		tls_server_set_ticket_keys(first.tls_server, &forged, 1);
		assert_false(comes(&first, versions[i], 0));
		tls_server_set_ticket_keys(first.tls_server, keys, 1);
		assert_false(comes(&first, versions[i], 0));
	}
}

static bool has_ticket(void)
{
	return session != NULL && SSL_SESSION_has_ticket(session);
}

static void without_keys_there_are_no_tickets(void **state)
{
	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OFF);
	tls_server_set_ticket_keys(first.tls_server, NULL, 0);
	for (int i = 0; i < 2; i++) {
		forget_session();
		assert_false(comes(&first, versions[i], 0));
		assert_false(has_ticket());
	}
}

static void who_must_show_a_certificate_gets_no_ticket(void **state)
{
	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OPTIONAL);
	for (int i = 0; i < 2; i++) {
		forget_session();
		assert_false(comes(&first, versions[i], 0));
		assert_false(has_ticket());
	}
}

/* CVE-2025-23419: a ticket of a host without client certificates is no way into one with them. */
static void a_ticket_leads_to_no_host_that_asks_for_a_certificate(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		forget_session();
		context = given_context(S("shop"), TLS_VERIFY_OFF);
		assert_false(comes(&first, versions[i], 0));
		tls_context_drop(context);
		context = given_context(S("shop"), TLS_VERIFY_OPTIONAL);
		assert_false(comes(&first, versions[i], 0));
		tls_context_drop(context);
		context = NULL;
	}
}

static void tls_1_2_without_the_extended_master_secret_gets_no_ticket(void **state)
{
	(void)state;
	context = given_context(S("shop"), TLS_VERIFY_OFF);
	assert_false(comes(&first, TLS1_2_VERSION, SSL_OP_NO_EXTENDED_MASTER_SECRET));

	assert_false(has_ticket());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_ticket_of_one_worker_resumes_at_another),
		TEST(a_ticket_does_not_resume_under_other_settings),
		TEST(a_ticket_of_an_old_key_resumes_and_is_renewed),
		TEST(a_ticket_of_a_key_that_is_gone_does_not_resume),
		TEST(a_ticket_sealed_with_a_key_of_the_same_name_does_not_resume),
		TEST(without_keys_there_are_no_tickets),
		TEST(who_must_show_a_certificate_gets_no_ticket),
		TEST(a_ticket_leads_to_no_host_that_asks_for_a_certificate),
		TEST(tls_1_2_without_the_extended_master_secret_gets_no_ticket),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
