/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_hello.h"

#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#include "given_tls.h"

enum { HELLO_MAX = 2048 };

static struct given_tls given;
static struct tls_context *server;
static unsigned char hello[HELLO_MAX];
static size_t hello_length;

/* A first message as libssl makes it, of the name that is 12 bytes long. */
static void make_hello(void)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ssl_ctx);
	BIO *out = BIO_new(BIO_s_mem());

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_tlsext_host_name(ssl, "shop.example");
	SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	hello_length = (size_t)BIO_read(out, hello, sizeof(hello));
	assert_true(hello_length > 100 && hello_length < HELLO_MAX);
	SSL_free(ssl);
	SSL_CTX_free(ssl_ctx);
	ERR_clear_error();
}

static int begin(void **state)
{
	(void)state;
	given_tls_init(&given);
	server = given_shop_context();
	make_hello();
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_tls_fini(&given);
	tls_context_drop(server);
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static unsigned char *find(const char *text)
{
	unsigned char *at = memmem(hello, hello_length, text, strlen(text));

	assert_non_null(at);
	return at;
}

/* The server hears it. */
static void say_hello(void)
{
	given.chosen = server;
	given.asked = 0;
	given_tls_accept(&given);
	assert_int_equal(write(given.client_fd, hello, hello_length), hello_length);
	run_turns(&given.loop, 3);
}

static void all_that_a_choice_needs_is_read(void **state)
{
	(void)state;
	say_hello();

	assert_int_equal(given.asked, 1);
	assert_string_equal(given.asked_name, "shop.example");
	assert_int_equal(given.hello.server_name.len, 12);
	assert_int_equal(given.hello.alpn.len, 12);
	assert_true(given.hello.takes_ecdsa);
	assert_true(given.hello.takes_rsa);
	assert_true(given.hello.extends_secret);
}

static void expect_failure(const char *failure)
{
	say_hello();
	assert_int_equal(given.asked, 0);
	assert_string_equal(transport_failure(&given.server.transport), failure);
	given_tls_close(&given);
	make_hello();
}

/*  extension's length | list's length | type | name's length | name  */
static void a_name_whose_lengths_disagree_is_refused(void **state)
{
	(void)state;
	find("shop.example")[-1] = 11;
	expect_failure("protocol error");
	find("shop.example")[-1] = 13;
	expect_failure("protocol error");
	find("shop.example")[-2] = 1;
	expect_failure("protocol error");
	find("shop.example")[-3] = 1; /* no host name */
	expect_failure("protocol error");
	find("shop.example")[-4] = 14;
	expect_failure("protocol error");
	find("shop.example")[-4] = 16;
	expect_failure("protocol error");
}

static void a_name_with_a_byte_of_no_name_is_refused(void **state)
{
	(void)state;
	find("shop.example")[4] = '\0';
	expect_failure("bad server name");
	find("shop.example")[4] = 0x80;
	expect_failure("bad server name");
}

/* Whatever a client says, it is let in or refused, and nothing else happens. */
static void a_hello_with_any_byte_changed_does_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < hello_length; i++) {
		for (unsigned change = 1; change < 256; change *= 16) {
			hello[i] ^= (unsigned char)change;
			say_hello();
			hello[i] ^= (unsigned char)change;
			assert_true(given.asked <= 1);
			given_tls_close(&given);
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(all_that_a_choice_needs_is_read),
		TEST(a_name_whose_lengths_disagree_is_refused),
		TEST(a_name_with_a_byte_of_no_name_is_refused),
		TEST(a_hello_with_any_byte_changed_does_no_harm),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
