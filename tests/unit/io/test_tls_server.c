/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_server.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given_tls.h"

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

static int begin(void **state)
{
	(void)state;
	given_tls_init(&given);
	server = given_shop_context();
	client = given_plain_client();
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

static void ask_for(const char *name)
{
	const struct tls_settings settings = {.server_name = name};

	given_tls_close(&given);
	tls_context_drop(client);
	client = given_client_context(&settings);
	given_tls_connect(&given, server, client);
	given_tls_shake(&given);
}

static void the_owner_chooses_by_the_name_that_the_client_asks_for(void **state)
{
	struct tls_identity identity;
	const struct given_certificate bank = {.name = "bank.example"};
	struct tls_settings settings = {.identities = &identity, .identity_count = 1};
	struct given_raw raw;

	(void)state;
	identity = given_identity(given_shop_authority(), &bank);
	tls_context_drop(server);
	server = given_server_context(&settings);
	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	assert_true(given_raw_shake(&raw, &given));

	assert_string_equal(given.asked_name, "shop.example");
	assert_int_equal(
		X509_check_host(SSL_get0_peer_certificate(raw.ssl), "bank.example", 0, 0, NULL), 1);
	assert_ptr_equal(given_facts(&given.server).context, server);
	given_raw_fini(&raw);
}

static void a_name_is_levelled_before_it_is_looked_for(void **state)
{
	(void)state;
	ask_for("SHOP.Example.");

	assert_null(transport_failure(&given.server.transport));
	assert_string_equal(given.asked_name, "shop.example");
	assert_true(span_equals(given_facts(&given.server).server_name, S("shop.example")));
}

static void a_name_that_no_host_can_have_is_refused_unasked(void **state)
{
	static const char *const names[] = {"a/b.example",         "a b",       "shop.example\n",
					    "sh\xc3\xb6p.example", "*.example", "."};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ask_for(names[i]);
		assert_string_equal(transport_failure(&given.server.transport), "bad server name");
		assert_int_equal(given.asked, 0);
	}
}

static void a_name_with_an_underscore_is_asked_for(void **state)
{
	(void)state;
	ask_for("my_shop.example");

	assert_string_equal(given.asked_name, "my_shop.example");
}

static void who_is_refused_learns_why(void **state)
{
	(void)state;
	given.alert = TLS_ALERT_UNRECOGNIZED_NAME;
	tls_context_drop(server);
	server = NULL;
	ask_for("bank.example");

	assert_string_equal(transport_failure(&given.server.transport), "unknown server name");
	assert_string_equal(transport_failure(&given.client.transport),
			    "peer does not know the name");

	given.alert = TLS_ALERT_ACCESS_DENIED;
	ask_for("bank.example");
	assert_string_equal(transport_failure(&given.server.transport), "access denied");
	assert_string_equal(transport_failure(&given.client.transport), "peer denied access");
}

/* The client's first key is of a curve that the server does not take. */
static void the_choice_is_made_once_when_the_client_must_say_hello_again(void **state)
{
	const struct tls_settings settings = {.server_name = "shop.example",
					      .groups = "X448:X25519"};

	(void)state;
	tls_context_drop(client);
	client = given_client_context(&settings);
	given_tls_open(&given, server, client);

	assert_int_equal(given.asked, 1);
	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
}

static void a_first_message_without_end_is_cut_off(void **state)
{
	/* a record of a hello that says it has 100,000 bytes, again and again */
	static char record[5 + 16384] = "\x16\x03\x01\x40\x00\x01\x01\x86\xa0\x03\x03";
	ssize_t put;

	(void)state;
	given_tls_accept(&given);
	for (int i = 0; i < 8 && transport_failure(&given.server.transport) == NULL; i++) {
		put = send(given.client_fd, record, sizeof(record), MSG_NOSIGNAL);
		assert_true(put != 0);
		run_turns(&given.loop, 2);
	}

	assert_string_equal(transport_failure(&given.server.transport), "client hello too long");
	assert_int_equal(given.asked, 0);
}

static void a_flight_longer_than_any_buffer_arrives_whole(void **state)
{
	enum { COUNT = 160 };
	struct tls_identity identity = given_shop();
	struct span more = given_trust(given_shop_authority());
	struct tls_settings settings = {.identities = &identity, .identity_count = 1};
	char *chain = malloc(identity.chain.len + COUNT * more.len);

	(void)state;
	memcpy(chain, identity.chain.ptr, identity.chain.len);
	for (size_t i = 0; i < COUNT; i++)
		memcpy(chain + identity.chain.len + i * more.len, more.ptr, more.len);
	identity.chain = span_make(chain, identity.chain.len + COUNT * more.len);
	tls_context_drop(server);
	server = given_server_context(&settings);
	free(chain);
	given_tls_open(&given, server, client);

	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
}

/*
 * Turns
 */

enum { CLIENTS = 40, PER_TURN_MAX = 6 };

struct crowd {
	struct given_side servers[CLIENTS];
	struct given_side clients[CLIENTS];
};

static struct crowd crowd;

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct given_side *side = container_of(source, struct given_side, transport.source);

	side->calls++;
	transport_note(&side->transport, events);
}

static void given_crowd(void)
{
	given.chosen = server;
	for (int i = 0; i < CLIENTS; i++) {
		int ends[2];

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			0);
		assert_int_equal(transport_open_server_tls(&crowd.servers[i].transport,
							   given.loop.loop, ends[0], on_ready,
							   given.tls_server),
				 0);
		assert_int_equal(transport_open_client_tls(&crowd.clients[i].transport,
							   given.loop.loop, ends[1], on_ready,
							   client),
				 0);
	}
}

static void crowd_leaves(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		transport_close(&crowd.clients[i].transport, given.loop.loop);
		transport_close(&crowd.servers[i].transport, given.loop.loop);
	}
}

static bool are_all_open(void *owner)
{
	(void)owner;
	for (int i = 0; i < CLIENTS; i++)
		if (!crowd.servers[i].transport.can_write)
			return false;
	return true;
}

static void a_few_handshakes_go_on_in_a_turn_and_all_come_to_their_end(void **state)
{
	uint32_t before;

	(void)state;
	given_crowd();
	run_turns(&given.loop, 2);
	for (before = given.asked; before < CLIENTS; before = given.asked) {
		run_turns(&given.loop, 1);
		assert_true(given.asked - before <= PER_TURN_MAX);
	}
	run_until(&given.loop, are_all_open, NULL);

	crowd_leaves();
}

static void who_leaves_the_line_is_not_waited_for(void **state)
{
	(void)state;
	given_crowd();
	run_turns(&given.loop, 2);
	assert_true(given.asked < CLIENTS);

	/* those in line go with it; a use of them now would be seen by the sanitizers */
	crowd_leaves();
	run_turns(&given.loop, 4);
	given_tls_open(&given, server, client);
}

static void who_waited_too_long_for_its_turn_is_refused(void **state)
{
	uint32_t refused = 0;
	uint32_t served;

	(void)state;
	given_crowd();
	run_turns(&given.loop, 2);
	served = given.asked;
	assert_true(served > 0 && served < CLIENTS);
	skipped_ns = 1100 * 1000 * 1000ULL;
	run_turns(&given.loop, 2);

	assert_int_equal(given.asked, served);
	for (int i = 0; i < CLIENTS; i++) {
		const char *failure = transport_failure(&crowd.servers[i].transport);

		if (failure == NULL)
			continue;
		assert_string_equal(failure, "too many handshakes");
		assert_true(crowd.servers[i].transport.can_read);
		refused++;
	}
	assert_true(refused > 0);
	crowd_leaves();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_owner_chooses_by_the_name_that_the_client_asks_for),
		TEST(a_name_is_levelled_before_it_is_looked_for),
		TEST(a_name_that_no_host_can_have_is_refused_unasked),
		TEST(a_name_with_an_underscore_is_asked_for),
		TEST(who_is_refused_learns_why),
		TEST(the_choice_is_made_once_when_the_client_must_say_hello_again),
		TEST(a_first_message_without_end_is_cut_off),
		TEST(a_flight_longer_than_any_buffer_arrives_whole),
		TEST(a_few_handshakes_go_on_in_a_turn_and_all_come_to_their_end),
		TEST(who_leaves_the_line_is_not_waited_for),
		TEST(who_waited_too_long_for_its_turn_is_refused),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
