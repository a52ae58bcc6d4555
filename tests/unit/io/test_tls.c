/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "given_tls.h"
#include "io/socket.h"
#include "io/tls_wire.h"

static struct given_tls given;
static struct tls_context *server;
static struct tls_context *client;
static uint32_t sends;
static uint32_t receives;
static size_t received_bytes;

ssize_t __real_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
	sends++;
	return __real_send(fd, bytes, size, flags);
}

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
	ssize_t got = __real_recv(fd, bytes, size, flags);

	receives++;
	received_bytes += got > 0 ? (size_t)got : 0;
	return got;
}

static int begin(void **state)
{
	(void)state;
	given_tls_init(&given);
	server = given_shop_context();
	client = given_plain_client();
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_tls_fini(&given);
	tls_context_drop(server);
	tls_context_drop(client);
	/* whoever calls libssl next must not find what is not its own */
	assert_int_equal(ERR_peek_error(), 0);
	return 0;
}

static void use_version(enum tls_version version)
{
	const struct tls_settings settings = {
		.server_name = "shop.example", .version_min = version, .version_max = version};

	tls_context_drop(client);
	client = given_client_context(&settings);
}

static void talk(void)
{
	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
	given_tls_say(&given, &given.server, "good day");
	given_tls_expect(&given, &given.client, "good day");
}

static bool can_read(void *owner)
{
	return ((struct given_side *)owner)->transport.can_read;
}

static ssize_t write_text(struct given_side *side, const char *text)
{
	struct iovec piece = {(char *)text, strlen(text)};

	return transport_write(&side->transport, &piece, 1);
}

/*
 * The handshake
 */

static void both_sides_talk_by_tls_1_3(void **state)
{
	(void)state;
	use_version(TLS_VERSION_1_3);
	given_tls_open(&given, server, client);

	talk();
	assert_string_equal(given_facts(&given.server).version, "TLSv1.3");
	assert_string_equal(given_facts(&given.client).cipher, "TLS_AES_128_GCM_SHA256");
}

static void both_sides_talk_by_tls_1_2(void **state)
{
	(void)state;
	use_version(TLS_VERSION_1_2);
	given_tls_open(&given, server, client);

	talk();
	assert_string_equal(given_facts(&given.server).version, "TLSv1.2");
	assert_string_equal(given_facts(&given.client).cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void nothing_is_read_or_written_before_the_handshake_is_over(void **state)
{
	char byte;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	run_turns(&given.loop, 2);

	assert_int_equal(transport_read(&given.server.transport, &byte, 1), TRANSPORT_AGAIN);
	assert_int_equal(write_text(&given.server, "x"), TRANSPORT_AGAIN);
	assert_false(given.server.transport.can_read);
	assert_false(given.server.transport.can_write);
	assert_null(transport_failure(&given.server.transport));
}

/* A client over two buffers: what it says is handed on as the test likes. */
static SSL *given_client_over_memory(SSL_CTX *ssl_ctx)
{
	SSL *ssl = SSL_new(ssl_ctx);

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(ssl);
	return ssl;
}

/* What the client has to say goes out, a byte a turn; what the server answers goes in. */
static void exchange_bytes(SSL *ssl)
{
	char bytes[8192];
	char byte;
	ssize_t got;

	while (BIO_read(SSL_get_wbio(ssl), &byte, 1) == 1) {
		assert_int_equal(write(given.client_fd, &byte, 1), 1);
		run_turns(&given.loop, 2);
	}
	while ((got = read(given.client_fd, bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(ssl), bytes, (int)got), got);
}

static void a_handshake_may_come_byte_by_byte(void **state)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = given_client_over_memory(ssl_ctx);

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	for (int flight = 0; flight < 4 && SSL_do_handshake(ssl) != 1; flight++)
		exchange_bytes(ssl);
	ERR_clear_error();
	assert_int_equal(SSL_write(ssl, "hello", 5), 5);
	exchange_bytes(ssl);

	given_tls_expect(&given, &given.server, "hello");
	assert_int_equal(given.asked, 1);
	SSL_free(ssl);
	SSL_CTX_free(ssl_ctx);
}

/* No edge will tell of what came along with the end of the handshake. */
static void a_request_that_comes_with_the_end_of_the_handshake_can_be_read(void **state)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = given_client_over_memory(ssl_ctx);
	char bytes[8192];
	int length;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	exchange_bytes(ssl);
	assert_int_equal(SSL_do_handshake(ssl), 1);
	assert_int_equal(SSL_write(ssl, "hello", 5), 5);
	length = BIO_read(SSL_get_wbio(ssl), bytes, sizeof(bytes));
	assert_int_equal(write(given.client_fd, bytes, (size_t)length), length);
	run_turns(&given.loop, 2);

	assert_true(given.server.transport.can_read);
	given_tls_expect(&given, &given.server, "hello");
	SSL_free(ssl);
	SSL_CTX_free(ssl_ctx);
}

static void a_client_that_says_nothing_is_given_up(void **state)
{
	(void)state;
	tls_server_set_handshake_timeout(given.tls_server, 20);
	given_tls_accept(&given);
	run_until(&given.loop, can_read, &given.server);

	assert_int_equal(given_tls_read_end(&given, &given.server), TRANSPORT_BROKEN);
	assert_string_equal(transport_failure(&given.server.transport), "handshake timeout");
	assert_int_equal(write_text(&given.server, "x"), TRANSPORT_BROKEN);
}

static void an_open_connection_has_no_time_limit_of_its_own(void **state)
{
	(void)state;
	tls_server_set_handshake_timeout(given.tls_server, 20000);
	given_tls_open(&given, server, client);

	assert_int_equal(loop_timers(given.loop.loop)->count, 0);
}

static void fail_server_with(const char *bytes)
{
	given_tls_accept(&given);
	assert_int_equal(write(given.client_fd, bytes, strlen(bytes)), strlen(bytes));
	assert_int_equal(given_tls_read_end(&given, &given.server), TRANSPORT_BROKEN);
	assert_int_equal(errno, EPROTO);
}

static void plain_http_is_told_from_other_noise(void **state)
{
	(void)state;
	fail_server_with("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
	assert_string_equal(transport_failure(&given.server.transport), "plain http");
	given_tls_close(&given);

	fail_server_with("\x16\x47nothing that TLS would say");
	assert_string_equal(transport_failure(&given.server.transport), "not tls");
}

static void a_client_that_leaves_in_the_handshake_is_cut(void **state)
{
	(void)state;
	given_tls_accept(&given);
	assert_int_equal(write(given.client_fd, "\x16\x03\x01", 3), 3);
	close(given.client_fd);
	given.client_fd = -1;
	run_until(&given.loop, can_read, &given.server);

	assert_int_equal(given_tls_read_end(&given, &given.server), TRANSPORT_BROKEN);
	assert_non_null(transport_failure(&given.server.transport));
}

/*
 * Bytes
 */

enum { BODY_BYTES = 3 * 1024 * 1024 + 12345 };

static char body[BODY_BYTES];
static char copy[BODY_BYTES];

static void fill_body(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < BODY_BYTES; i++) {
		x = x * 1664525 + 1013904223;
		body[i] = (char)(x >> 24);
	}
	memset(copy, 0, sizeof(copy));
}

/* What is left of the body, as a head, a body and an end, of which the first may be empty. */
static int pieces_from(struct iovec pieces[static 3], size_t done)
{
	size_t left = BODY_BYTES - done;
	size_t head = left < 300 ? left : 300;

	pieces[0] = (struct iovec){body + done, head};
	pieces[1] = (struct iovec){body + done + head, (left - head) / 2};
	pieces[2] = (struct iovec){body + done + head + pieces[1].iov_len,
				   left - head - pieces[1].iov_len};
	return 3;
}

/* Moves what can be moved from one side to the other, at most `step` bytes a read. */
static void carry(struct given_side *from, struct given_side *to, size_t step)
{
	size_t put = 0;
	size_t got = 0;

	while (got < BODY_BYTES) {
		struct iovec pieces[3];
		ssize_t n = 0;

		while (put < BODY_BYTES && (n = transport_write(&from->transport, pieces,
								pieces_from(pieces, put))) > 0)
			put += (size_t)n;
		assert_int_not_equal(n, TRANSPORT_BROKEN);
		/* the reader is slower than the writer, which has to wait again and again */
		n = transport_read(&to->transport, copy + got,
				   step < BODY_BYTES - got ? step : BODY_BYTES - got);
		if (n > 0)
			got += (size_t)n;
		else
			assert_int_equal(n, TRANSPORT_AGAIN);
		run_turns(&given.loop, 1);
	}
	assert_int_equal(put, BODY_BYTES);
	assert_memory_equal(copy, body, BODY_BYTES);
}

static void a_large_body_arrives_whole_whoever_sends_it(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	fill_body();
	carry(&given.server, &given.client, 50000);
	memset(copy, 0, sizeof(copy));
	carry(&given.client, &given.server, 7777);

	assert_null(given.server.transport.tls->unsent);
	assert_null(given.client.transport.tls->unsent);
}

/* Writes pieces of the body until the stream is full; returns how much was reported. */
static size_t fill_stream(struct given_side *side, size_t done)
{
	struct iovec pieces[3];
	ssize_t n;

	while ((n = transport_write(&side->transport, pieces, pieces_from(pieces, done))) > 0)
		done += (size_t)n;
	assert_int_equal(n, TRANSPORT_AGAIN);
	return done;
}

static void bytes_count_as_written_only_once_the_kernel_has_them(void **state)
{
	struct iovec last = {body, 20000};
	size_t reported;
	size_t taken;

	(void)state;
	given_tls_open(&given, server, client);
	fill_body();
	reported = fill_stream(&given.server, 0);
	assert_non_null(given.server.transport.tls->unsent);
	assert_false(given.server.transport.can_write);
	taken = given.server.transport.tls->owed;

	/* the same bytes are offered, and no more of them are reported */
	last.iov_base = body + reported;
	last.iov_len = taken;
	assert_true(taken > 0);
	assert_int_equal(transport_write(&given.server.transport, &last, 1), TRANSPORT_AGAIN);

	while (given.server.transport.tls->unsent != NULL) {
		(void)transport_read(&given.client.transport, copy, 16384);
		run_turns(&given.loop, 1);
	}
	assert_int_equal(transport_write(&given.server.transport, &last, 1), taken);
}

static void what_is_unsent_goes_with_the_connection(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	fill_body();
	(void)fill_stream(&given.server, 0);
	assert_non_null(given.server.transport.tls->unsent);
	transport_close(&given.server.transport, given.loop.loop);

	/* it was cut in the middle, and the client is not told otherwise */
	while (given_tls_read_end(&given, &given.client) > 0)
		(void)transport_read(&given.client.transport, copy, sizeof(copy));
	assert_int_equal(given_tls_read_end(&given, &given.client), TRANSPORT_BROKEN);
	assert_true(transport_is_cut(&given.client.transport));
}

static void a_request_and_its_answer_cost_a_call_each_as_in_plain(void **state)
{
	char bytes[100];

	(void)state;
	given_tls_open(&given, server, client);
	talk();
	sends = receives = 0;

	assert_int_equal(write_text(&given.client, "request"), 7);
	assert_int_equal(sends, 1);
	run_until(&given.loop, can_read, &given.server);
	assert_int_equal(transport_read(&given.server.transport, bytes, sizeof(bytes)), 7);
	assert_int_equal(receives, 1);
	assert_false(given.server.transport.can_read);
}

static void pieces_leave_together_in_full_records(void **state)
{
	struct iovec pieces[3] = {{body, 300}, {body + 300, 40000}, {body + 40300, 2}};
	size_t got = 0;

	(void)state;
	given_tls_open(&given, server, client);
	fill_body();
	talk();
	sends = receives = 0;

	assert_int_equal(transport_write(&given.server.transport, pieces, 3), 40302);
	assert_int_equal(sends, 1);
	while (got < 40302) {
		ssize_t n = transport_read(&given.client.transport, copy + got, 40302 - got);

		if (n > 0)
			got += (size_t)n;
		run_turns(&given.loop, 1);
	}
	assert_memory_equal(copy, body, 40302);
	/* three records */
	assert_true(receives <= 4);
}

static void a_small_room_gets_a_record_in_parts_and_no_edge_is_missed(void **state)
{
	char byte;
	size_t count = 0;

	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.client, "hello");
	run_until(&given.loop, can_read, &given.server);
	while (transport_read(&given.server.transport, &byte, 1) == 1) {
		assert_int_equal(byte, "hello"[count++]);
		assert_true(given.server.transport.can_read == (count < 5));
	}

	assert_int_equal(count, 5);
}

/* Two records in one segment: the second lies in libssl, and the kernel has nothing to tell any more. */
static void records_that_came_together_are_read_one_after_the_other(void **state)
{
	char bytes[3];

	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.client, "one");
	given_tls_say(&given, &given.client, "two");
	run_until(&given.loop, can_read, &given.server);

	assert_int_equal(transport_read(&given.server.transport, bytes, 3), 3);
	assert_memory_equal(bytes, "one", 3);
	assert_true(given.server.transport.can_read);
	assert_int_equal(transport_read(&given.server.transport, bytes, 3), 3);
	assert_memory_equal(bytes, "two", 3);
	assert_false(given.server.transport.can_read);
}

/* Bytes that came while nobody turned the loop. */
static void who_asks_without_an_edge_gets_what_the_kernel_has(void **state)
{
	char bytes[100];

	(void)state;
	given_tls_open(&given, server, client);
	talk();
	assert_int_equal(write_text(&given.client, "answer"), 6);
	assert_int_equal(transport_read(&given.server.transport, bytes, sizeof(bytes)),
			 TRANSPORT_AGAIN);
	given.server.transport.can_read = true;

	assert_int_equal(transport_read(&given.server.transport, bytes, sizeof(bytes)), 6);
}

/*
 * Ends
 */

static void an_end_that_was_said_is_orderly_and_the_other_way_stays_open(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.server, "bye");
	transport_finish(&given.server.transport);

	given_tls_expect(&given, &given.client, "bye");
	assert_int_equal(given_tls_read_end(&given, &given.client), 0);
	assert_true(given.client.transport.peer_done);
	assert_false(transport_is_cut(&given.client.transport));
	given_tls_say(&given, &given.client, "late");
	given_tls_expect(&given, &given.server, "late");
}

static void closing_says_the_end(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.server, "bye");
	transport_close(&given.server.transport, given.loop.loop);

	given_tls_expect(&given, &given.client, "bye");
	assert_int_equal(given_tls_read_end(&given, &given.client), 0);
}

static void a_reset_says_no_end(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.server, "by");
	transport_reset(&given.server.transport, given.loop.loop);

	given_tls_expect(&given, &given.client, "by");
	assert_int_equal(given_tls_read_end(&given, &given.client), TRANSPORT_BROKEN);
}

/* Whoever can send a FIN can cut a stream: only the peer can say that it is whole. */
static void a_stream_that_is_cut_is_broken_behind_its_bytes_and_still_written_to(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.client, "reques");
	shutdown(given.client.transport.source.fd, SHUT_WR);

	given_tls_expect(&given, &given.server, "reques");
	assert_int_equal(given_tls_read_end(&given, &given.server), TRANSPORT_BROKEN);
	assert_true(transport_is_cut(&given.server.transport));
	assert_string_equal(transport_failure(&given.server.transport), "truncated");
	given_tls_say(&given, &given.server, "answer all the same");
	given_tls_expect(&given, &given.client, "answer all the same");
}

static void a_record_that_was_changed_on_the_way_breaks_the_connection(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	talk();
	assert_int_equal(write(given.client.transport.source.fd,
			       "\x17\x03\x03\x00\x15"
			       "twenty-one bytes long",
			       26),
			 26);

	assert_int_equal(given_tls_read_end(&given, &given.server), TRANSPORT_BROKEN);
	assert_string_equal(transport_failure(&given.server.transport), "bad record");
	assert_int_equal(given_tls_read_end(&given, &given.client), TRANSPORT_BROKEN);
}

/* It may have answered before it closed: what it said counts. */
static void what_the_peer_said_before_it_went_can_be_read_after_a_write_failed(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);
	given_tls_say(&given, &given.server, "refused");
	transport_close(&given.server.transport, given.loop.loop);
	assert_int_equal(write_text(&given.client, "more"), TRANSPORT_BROKEN);
	assert_int_equal(errno, EPIPE);

	run_turns(&given.loop, 1);
	given_tls_expect(&given, &given.client, "refused");
	assert_int_equal(given_tls_read_end(&given, &given.client), 0);
}

/*
 * What TLS says to itself
 */

static void only_bytes_and_ends_are_news(void **state)
{
	struct given_raw raw;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	assert_true(given_raw_shake(&raw, &given));
	assert_false(transport_has_news(&given.server.transport));

	assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(raw.ssl), 1);
	run_turns(&given.loop, 1);
	assert_false(transport_has_news(&given.server.transport));
	given_raw_say(&raw, &given, "x");
	assert_true(transport_has_news(&given.server.transport));
	assert_true(transport_has_news(&given.server.transport));
	given_tls_expect(&given, &given.server, "x");
	assert_false(transport_has_news(&given.server.transport));
	assert_int_equal(SSL_shutdown(raw.ssl), 0);
	assert_true(transport_has_news(&given.server.transport));
	given_raw_fini(&raw);
}

static void a_client_that_leaves_a_handshake_waiting_has_no_news(void **state)
{
	struct given_raw raw;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	assert_false(transport_has_news(&given.server.transport));
	assert_false(transport_has_begun(&given.server.transport));

	/* its first message: in the kernel, in line, answered */
	assert_int_equal(SSL_do_handshake(raw.ssl), -1);
	assert_true(transport_has_news(&given.server.transport));
	transport_note(&given.server.transport, EPOLLIN);
	assert_true(transport_has_news(&given.server.transport));
	run_turns(&given.loop, 2);
	assert_false(transport_has_news(&given.server.transport));
	assert_true(transport_has_begun(&given.server.transport));
	assert_true(given_raw_shake(&raw, &given));
	assert_false(transport_has_begun(&given.server.transport));
	given_raw_fini(&raw);
}

static void new_keys_may_be_asked_for_in_the_middle(void **state)
{
	struct given_raw raw;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	assert_true(given_raw_shake(&raw, &given));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		given_raw_say(&raw, &given, "hello");
		given_tls_expect(&given, &given.server, "hello");
		given_tls_say(&given, &given.server, "good day");
		given_raw_expect(&raw, &given, "good day");
	}
	given_raw_fini(&raw);
}

/* Its keys that many times anew, all in one piece; then the server looks once. */
static void flood_with_updates(struct given_raw *raw, int count)
{
	for (int i = 0; i < count; i++) {
		assert_int_equal(SSL_key_update(raw->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(raw->ssl), 1);
	}
	run_turns(&given.loop, 1);
}

static void a_flood_of_new_keys_ends_the_connection(void **state)
{
	struct given_raw raw;
	char byte;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	assert_true(given_raw_shake(&raw, &given));

	flood_with_updates(&raw, 32);
	assert_int_equal(transport_read(&given.server.transport, &byte, 1), TRANSPORT_AGAIN);
	assert_null(transport_failure(&given.server.transport));
	flood_with_updates(&raw, 1);
	assert_int_equal(transport_read(&given.server.transport, &byte, 1), TRANSPORT_BROKEN);
	assert_string_equal(transport_failure(&given.server.transport), "too many key updates");
	given_raw_fini(&raw);
}

enum { TICKETS = 1300 };

static int write_whole(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t put = write(fd, bytes, length);

		if (put <= 0)
			return -1;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

/* A server that says hello, gives tickets by the hundreds, and says a word. */
static void play_generous_server(int fd)
{
	SSL *ssl = SSL_new(server->ssl_ctx);
	BIO *sent = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	SSL_set_fd(ssl, fd);
	SSL_set_num_tickets(ssl, 0);
	if (SSL_accept(ssl) != 1)
		_exit(1);
	SSL_set0_wbio(ssl, sent);
	for (int i = 0; i < TICKETS; i++)
		if (SSL_new_session_ticket(ssl) != 1 || SSL_do_handshake(ssl) != 1)
			_exit(2);
	if (SSL_write(ssl, "x", 1) != 1)
		_exit(3);
	length = BIO_get_mem_data(sent, &bytes);
	if (write_whole(fd, bytes, (size_t)length) == -1)
		_exit(4);
	_exit(read(fd, bytes, 1) < 0);
}

static bool is_open(void *owner)
{
	return ((struct given_side *)owner)->transport.can_write;
}

/* More than one share, and so all of it soon. */
static bool has_flood(void *owner)
{
	int length = 0;

	return ioctl(((struct given_side *)owner)->transport.source.fd, FIONREAD, &length) == 0 &&
	       length > TLS_WIRE_SHARE + 8192;
}

static void on_noted(struct loop_source *source, uint32_t events)
{
	transport_note(container_of(source, struct transport, source), events);
}

static void records_without_data_get_a_share_of_a_turn_at_a_time(void **state)
{
	const int room = TLS_WIRE_SHARE;
	struct given_side *side = &given.client;
	size_t before;
	int ends[2];
	pid_t child;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	child = fork();
	if (child == 0)
		play_generous_server(ends[1]);
	close(ends[1]);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(transport_open_client_tls(&side->transport, given.loop.loop, ends[0],
						   on_noted, client),
			 0);
	run_until(&given.loop, is_open, side);
	run_until(&given.loop, has_flood, side);

	before = received_bytes;
	assert_int_equal(transport_read(&side->transport, &byte, 1), TRANSPORT_AGAIN);
	assert_false(side->transport.can_read);
	assert_true(transport_has_news(&side->transport));
	assert_in_range(received_bytes - before, TLS_WIRE_SHARE, TLS_WIRE_SHARE + 20000);

	/* without any edge */
	run_turns(&given.loop, 1);
	assert_true(side->transport.can_read);
	while (transport_read(&side->transport, &byte, 1) != 1)
		run_until(&given.loop, can_read, side);
	assert_int_equal(byte, 'x');
	transport_close(&side->transport, given.loop.loop);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_client_gets_no_other_handshake_on_an_open_connection(void **state)
{
	struct given_raw raw;
	char byte;

	(void)state;
	given.chosen = server;
	given_tls_accept(&given);
	given_raw_init(&raw, &given, NULL);
	SSL_set_max_proto_version(raw.ssl, TLS1_2_VERSION);
	assert_true(given_raw_shake(&raw, &given));
	assert_int_equal(SSL_renegotiate(raw.ssl), 1);
	assert_int_not_equal(SSL_do_handshake(raw.ssl), 1);
	ERR_clear_error();
	run_until(&given.loop, can_read, &given.server);
	assert_int_equal(transport_read(&given.server.transport, &byte, 1), TRANSPORT_AGAIN);

	assert_false(given_raw_shake(&raw, &given));
	assert_int_equal(raw.error, SSL_R_NO_RENEGOTIATION);
	assert_int_equal(given.asked, 1);
	given_raw_fini(&raw);
}

/*
 * Memory
 */

enum { IDLE = 64, IDLE_BYTES_MAX = 14 * 1024 + 512 };

/* Plays clients that shake hands, ask, and then wait until the streams end. */
static void play_idle_clients(const int fds[static IDLE])
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl[IDLE];
	char bytes[8];

	for (int i = 0; i < IDLE; i++) {
		ssl[i] = SSL_new(ssl_ctx);
		SSL_set_fd(ssl[i], fds[i]);
		SSL_set_tlsext_host_name(ssl[i], "shop.example");
		if (SSL_connect(ssl[i]) != 1 || SSL_write(ssl[i], "request", 7) != 7 ||
		    SSL_read(ssl[i], bytes, 6) != 6)
			_exit(1);
	}
	/* a goodbye is more than nothing */
	_exit(read(fds[0], bytes, 1) < 0);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct given_side *side = container_of(source, struct given_side, transport.source);
	struct iovec answer = {(char *)"answer", 6};
	char bytes[100];

	transport_note(&side->transport, events);
	if (transport_read(&side->transport, bytes, sizeof(bytes)) == 7)
		side->calls += transport_write(&side->transport, &answer, 1) == 6;
}

static struct given_side idle[IDLE];

static bool are_idle(void *owner)
{
	(void)owner;
	for (int i = 0; i < IDLE; i++)
		if (idle[i].calls == 0)
			return false;
	return true;
}

static void an_idle_connection_owns_what_libssl_needs_and_little_more(void **state)
{
	int ends[IDLE][2];
	int theirs[IDLE];
	size_t before;
	size_t used;
	pid_t child;

	(void)state;
	memset(idle, 0, sizeof(idle));
	given.chosen = server;
	for (int i = 0; i < IDLE; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]), 0);
		theirs[i] = ends[i][1];
	}
	child = fork();
	if (child == 0)
		play_idle_clients(theirs);
	before = mallinfo2().uordblks;
	for (int i = 0; i < IDLE; i++) {
		close(ends[i][1]);
		assert_int_equal(fcntl(ends[i][0], F_SETFL, O_NONBLOCK), 0);
		assert_int_equal(transport_open_server_tls(&idle[i].transport, given.loop.loop,
							   ends[i][0], on_ready, given.tls_server),
				 0);
	}
	run_until(&given.loop, are_idle, NULL);
	used = (mallinfo2().uordblks - before) / IDLE;
	print_message("an idle connection: %zu bytes\n", used);

	for (int i = 0; i < IDLE; i++)
		transport_close(&idle[i].transport, given.loop.loop);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(used <= IDLE_BYTES_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(both_sides_talk_by_tls_1_3),
		TEST(both_sides_talk_by_tls_1_2),
		TEST(nothing_is_read_or_written_before_the_handshake_is_over),
		TEST(a_handshake_may_come_byte_by_byte),
		TEST(a_request_that_comes_with_the_end_of_the_handshake_can_be_read),
		TEST(a_client_that_says_nothing_is_given_up),
		TEST(an_open_connection_has_no_time_limit_of_its_own),
		TEST(plain_http_is_told_from_other_noise),
		TEST(a_client_that_leaves_in_the_handshake_is_cut),
		TEST(a_large_body_arrives_whole_whoever_sends_it),
		TEST(bytes_count_as_written_only_once_the_kernel_has_them),
		TEST(what_is_unsent_goes_with_the_connection),
		TEST(a_request_and_its_answer_cost_a_call_each_as_in_plain),
		TEST(pieces_leave_together_in_full_records),
		TEST(a_small_room_gets_a_record_in_parts_and_no_edge_is_missed),
		TEST(records_that_came_together_are_read_one_after_the_other),
		TEST(who_asks_without_an_edge_gets_what_the_kernel_has),
		TEST(an_end_that_was_said_is_orderly_and_the_other_way_stays_open),
		TEST(closing_says_the_end),
		TEST(a_reset_says_no_end),
		TEST(a_stream_that_is_cut_is_broken_behind_its_bytes_and_still_written_to),
		TEST(a_record_that_was_changed_on_the_way_breaks_the_connection),
		TEST(what_the_peer_said_before_it_went_can_be_read_after_a_write_failed),
		TEST(only_bytes_and_ends_are_news),
		TEST(a_client_that_leaves_a_handshake_waiting_has_no_news),
		TEST(new_keys_may_be_asked_for_in_the_middle),
		TEST(a_flood_of_new_keys_ends_the_connection),
		TEST(records_without_data_get_a_share_of_a_turn_at_a_time),
		TEST(a_client_gets_no_other_handshake_on_an_open_connection),
		TEST(an_idle_connection_owns_what_libssl_needs_and_little_more),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
