/* SPDX-License-Identifier: Apache-2.0 */
#include "given_tls.h"

#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct given_side *side = container_of(source, struct given_side, transport.source);

	side->calls++;
	transport_note(&side->transport, events);
}

static struct tls_context *choose(void *owner, const struct tls_hello *hello, enum tls_alert *alert)
{
	struct given_tls *given = owner;

	given->hello = *hello;
	given->asked++;
	memcpy(given->asked_name, hello->name, hello->server_name.len);
	given->asked_name[hello->server_name.len] = '\0';
	if (given->chosen == NULL && given->alert != 0)
		*alert = given->alert;
	return given->chosen;
}

void given_tls_init(struct given_tls *given)
{
	struct tls_server_options options = {.choose = choose, .owner = given};
	struct error err;

	*given = (struct given_tls){.client_fd = -1,
				    .server.transport.source.fd = -1,
				    .client.transport.source.fd = -1};
	given_loop_init(&given->loop);
	options.loop = given->loop.loop;
	given->tls_server = tls_server_new(&options, &err);
	assert_non_null(given->tls_server);
}

void given_tls_close(struct given_tls *given)
{
	transport_close(&given->client.transport, given->loop.loop);
	transport_close(&given->server.transport, given->loop.loop);
	if (given->client_fd != -1)
		close(given->client_fd);
	given->client_fd = -1;
}

void given_tls_fini(struct given_tls *given)
{
	given_tls_close(given);
	tls_server_free(given->tls_server);
	given_loop_fini(&given->loop);
}

struct tls_context *given_server_context(const struct tls_settings *settings)
{
	struct error err = {0};
	struct tls_context *context = tls_context_new_server(settings, &err);

	if (context == NULL)
		fail_msg("%s", err.text);
	return context;
}

struct tls_context *given_client_context(const struct tls_settings *settings)
{
	struct error err = {0};
	struct tls_context *context = tls_context_new_client(settings, &err);

	if (context == NULL)
		fail_msg("%s", err.text);
	return context;
}

void given_tls_accept(struct given_tls *given)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	assert_int_equal(transport_open_server_tls(&given->server.transport, given->loop.loop,
						   ends[0], on_ready, given->tls_server),
			 0);
	given->client_fd = ends[1];
}

void given_tls_connect(struct given_tls *given, struct tls_context *server,
		       struct tls_context *client)
{
	int fd;

	given->chosen = server;
	given_tls_accept(given);
	fd = given->client_fd;
	given->client_fd = -1;
	assert_int_equal(transport_open_client_tls(&given->client.transport, given->loop.loop, fd,
						   on_ready, client),
			 0);
}

static bool is_settled(const struct given_side *side)
{
	return side->transport.can_write || transport_failure(&side->transport) != NULL;
}

static bool are_settled(void *owner)
{
	struct given_tls *given = owner;

	return is_settled(&given->server) && (given->client_fd != -1 || is_settled(&given->client));
}

void given_tls_shake(struct given_tls *given)
{
	run_until(&given->loop, are_settled, given);
}

void given_tls_open(struct given_tls *given, struct tls_context *server, struct tls_context *client)
{
	given_tls_connect(given, server, client);
	given_tls_shake(given);
	assert_null(transport_failure(&given->server.transport));
	assert_null(transport_failure(&given->client.transport));
}

void given_tls_say(struct given_tls *given, struct given_side *side, const char *text)
{
	struct iovec piece = {(char *)text, strlen(text)};

	while (piece.iov_len > 0) {
		ssize_t put = transport_write(&side->transport, &piece, 1);

		assert_int_not_equal(put, TRANSPORT_BROKEN);
		if (put == TRANSPORT_AGAIN)
			run_turns(&given->loop, 1);
		else
			piece = (struct iovec){(char *)piece.iov_base + put,
					       piece.iov_len - (size_t)put};
	}
}

static bool can_read(void *owner)
{
	return ((struct given_side *)owner)->transport.can_read;
}

void given_tls_expect(struct given_tls *given, struct given_side *side, const char *text)
{
	char bytes[1024];
	size_t length = strlen(text);
	size_t total = 0;

	assert_true(length <= sizeof(bytes));
	while (total < length) {
		ssize_t got = transport_read(&side->transport, bytes + total, length - total);

		if (got == TRANSPORT_AGAIN) {
			run_until(&given->loop, can_read, side);
			continue;
		}
		assert_true(got > 0);
		total += (size_t)got;
	}
	assert_memory_equal(bytes, text, length);
}

ssize_t given_tls_read_end(struct given_tls *given, struct given_side *side)
{
	char byte;
	ssize_t got;

	while ((got = transport_read(&side->transport, &byte, 1)) == TRANSPORT_AGAIN)
		run_until(&given->loop, can_read, side);
	return got;
}

struct transport_tls given_facts(const struct given_side *side)
{
	struct transport_tls facts = {0};

	assert_true(transport_tls(&side->transport, &facts));
	return facts;
}

/*
 * A shop
 */

struct given_issuer *given_shop_authority(void)
{
	static struct given_issuer *authority;

	if (authority == NULL)
		authority = given_authority("Shop Authority");
	return authority;
}

struct tls_identity given_shop(void)
{
	static const struct given_certificate certificate = {.name = "shop.example",
							     .ip = "192.0.2.7"};
	static struct tls_identity identity;

	if (identity.key.len == 0)
		identity = given_identity(given_shop_authority(), &certificate);
	return identity;
}

struct tls_context *given_shop_context(void)
{
	const struct tls_identity identity = given_shop();
	const struct tls_settings settings = {.identities = &identity, .identity_count = 1};

	return given_server_context(&settings);
}

struct tls_context *given_plain_client(void)
{
	const struct tls_settings settings = {.server_name = "shop.example"};

	return given_client_context(&settings);
}

/*
 * A client that the test plays itself
 */

enum { RAW_TURNS_MAX = 10000 };

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct given_raw *raw = SSL_get_app_data(ssl);

	SSL_SESSION_free(raw->session);
	raw->session = session;
	return 1;
}

void given_raw_init(struct given_raw *raw, const struct given_tls *given, SSL_SESSION *session)
{
	*raw = (struct given_raw){.ssl_ctx = SSL_CTX_new(TLS_client_method())};
	assert_non_null(raw->ssl_ctx);
	SSL_CTX_set_session_cache_mode(raw->ssl_ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(raw->ssl_ctx, on_session);
	raw->ssl = SSL_new(raw->ssl_ctx);
	assert_non_null(raw->ssl);
	SSL_set_app_data(raw->ssl, raw);
	assert_int_equal(SSL_set_fd(raw->ssl, given->client_fd), 1);
	assert_int_equal(SSL_set_tlsext_host_name(raw->ssl, "shop.example"), 1);
	if (session != NULL)
		assert_int_equal(SSL_set_session(raw->ssl, session), 1);
	SSL_set_connect_state(raw->ssl);
}

void given_raw_fini(struct given_raw *raw)
{
	SSL_SESSION_free(raw->session);
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->ssl_ctx);
}

SSL_SESSION *given_raw_session(struct given_raw *raw)
{
	SSL_SESSION *session = raw->session;

	/* a ticket of TLS 1.3 comes after the handshake, one of TLS 1.2 within it */
	if (SSL_version(raw->ssl) == TLS1_2_VERSION)
		return SSL_get1_session(raw->ssl);
	raw->session = NULL;
	return session;
}

/* Whether the call is to be made once more, after a turn. */
static bool is_again(struct given_raw *raw, struct given_tls *given, int result)
{
	int error = SSL_get_error(raw->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		run_turns(&given->loop, 1);
		return true;
	}
	raw->error = ERR_GET_REASON(ERR_peek_last_error());
	ERR_clear_error();
	run_turns(&given->loop, 2);
	return false;
}

bool given_raw_shake(struct given_raw *raw, struct given_tls *given)
{
	for (int i = 0; i < RAW_TURNS_MAX; i++) {
		int result = SSL_do_handshake(raw->ssl);

		if (result == 1) {
			given_tls_shake(given);
			return true;
		}
		if (!is_again(raw, given, result))
			return false;
	}
	fail_msg("no end of the handshake");
	return false;
}

void given_raw_say(struct given_raw *raw, struct given_tls *given, const char *text)
{
	for (int i = 0; i < RAW_TURNS_MAX; i++) {
		int result = SSL_write(raw->ssl, text, (int)strlen(text));

		if (result > 0)
			return;
		assert_true(is_again(raw, given, result));
	}
	fail_msg("nothing can be written");
}

void given_raw_expect(struct given_raw *raw, struct given_tls *given, const char *text)
{
	char bytes[1024];
	size_t total = 0;

	for (int i = 0; i < RAW_TURNS_MAX && total < strlen(text); i++) {
		int result = SSL_read(raw->ssl, bytes + total, (int)(strlen(text) - total));

		if (result > 0)
			total += (size_t)result;
		else
			assert_true(is_again(raw, given, result));
	}
	assert_int_equal(total, strlen(text));
	assert_memory_equal(bytes, text, total);
}

int given_raw_read_end(struct given_raw *raw, struct given_tls *given)
{
	char byte;

	for (int i = 0; i < RAW_TURNS_MAX; i++) {
		int result = SSL_read(raw->ssl, &byte, 1);

		if (result <= 0 && !is_again(raw, given, result))
			return SSL_get_error(raw->ssl, result);
	}
	fail_msg("no end");
	return 0;
}
