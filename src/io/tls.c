/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "io/socket.h"
#include "io/tls_context.h"
#include "io/tls_failure.h"
#include "io/tls_server.h"
#include "io/tls_session.h"
#include "io/tls_ticket.h"
#include "io/tls_wire.h"
#include "io/transport.h"

/* Plaintext of a record at most (RFC 8446, 5.1), and of one call. */
enum { RECORD_BYTES = 16384, WRITE_BYTES = TLS_WIRE_RECORDS * RECORD_BYTES };

/* Who updates its keys does so after gigabytes, or hours. Each costs fifteen microseconds for 27 bytes. */
enum { UPDATES_MAX = 32 };
static const uint64_t updates_span_ns = 1000000000;

struct tls *tls_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* What the transport's user may do now. */
static void tell(struct tls *tls)
{
	struct transport *transport = tls->transport;

	if (tls->state == TLS_HANDSHAKING) {
		transport->can_read = false;
		transport->can_write = false;
		return;
	}
	transport->can_read = tls->state != TLS_OPEN || tls->is_cut || tls->can_receive ||
			      tls->holds_bytes;
	transport->can_write = tls->unsent == NULL;
}

const char *tls_failure(const struct tls *tls)
{
	if (tls->failure != NULL)
		return tls->failure;
	if (tls->is_cut)
		return "truncated";
	return tls->reason != 0 ? "connection lost" : NULL;
}

bool tls_is_distrusted(const struct tls *tls)
{
	return tls->state == TLS_FAILED && tls->verdict != X509_V_OK && tls->context != NULL &&
	       tls->context->verify == TLS_VERIFY_REQUIRED;
}

static void fail(struct tls *tls)
{
	const char *reason = tls_failure_take();

	if (tls->server == NULL && tls->state == TLS_HANDSHAKING)
		tls_session_forget(tls);
	tls->failure = tls_failure(tls);
	if (tls->failure == NULL)
		tls->failure = reason;
	tls->state = TLS_FAILED;
	timer_stop(loop_timers(tls->loop), &tls->timer);
	loop_task_cancel(&tls->rest);
	list_remove(&tls->link);
}

/* A call of libssl had no success. That it wants more bytes is no failure, unless there will be none. */
static void judge(struct tls *tls, int result)
{
	if (tls->failure != NULL) {
		fail(tls); /* we are the one who wants no more */
		return;
	}
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		tls->holds_bytes = false;
		if (tls->is_cut && tls->state == TLS_HANDSHAKING)
			fail(tls);
		break;
	case SSL_ERROR_ZERO_RETURN:
		tls->transport->peer_done = true;
		if (tls->state == TLS_HANDSHAKING)
			fail(tls);
		else
			tls->state = TLS_ENDED;
		break;
	default: /* the list of libssl's reasons grows; what they have in common is the end */
		fail(tls);
	}
}

/*
 * Life
 */

static void on_expired(struct timer *timer)
{
	struct tls *tls = container_of(timer, struct tls, timer);
	struct loop_source *source = &tls->transport->source;

	tls->failure = "handshake timeout";
	fail(tls);
	source->on_ready(source, 0);
}

/* What it left in the kernel is as good as what has just come. */
static void on_rest(struct loop_task *task)
{
	struct tls *tls = container_of(task, struct tls, rest);
	struct loop_source *source = &tls->transport->source;

	source->on_ready(source, EPOLLIN);
}

static void count_update(struct tls *tls)
{
	uint64_t now_ns = loop_now_ns(tls->loop);

	if (now_ns - tls->updates_since_ns > updates_span_ns) {
		tls->updates_since_ns = now_ns;
		tls->updates = 0;
	}
	if (++tls->updates <= UPDATES_MAX)
		return;
	tls->failure = "too many key updates";
	/* libssl looks at this before each record that it has, and gets no other: it comes back at once */
	SSL_set_shutdown(tls->ssl, SSL_RECEIVED_SHUTDOWN);
}

/* Libssl calls it for each message of a handshake, and for those that come later. */
static void on_message(int is_ours, int version, int type, const void *bytes, size_t length,
		       SSL *ssl, void *owner)
{
	(void)version;
	(void)ssl;
	if (!is_ours && type == SSL3_RT_HANDSHAKE && length > 0 &&
	    *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE)
		count_update(owner);
}

static struct tls *tls_new(struct transport *transport, struct loop *loop, SSL_CTX *ssl_ctx)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return NULL;
	tls->transport = transport;
	tls->loop = loop;
	list_init(&tls->link);
	timer_init(&tls->timer, on_expired);
	loop_task_init(&tls->rest, on_rest);
	tls->can_receive = transport->can_read;
	tls->has_started = transport->can_write;
	tls->ssl = SSL_new(ssl_ctx);
	if (tls->ssl == NULL || SSL_set_app_data(tls->ssl, tls) != 1) {
		ERR_clear_error();
		tls_abandon(tls);
		return NULL;
	}
	SSL_set_msg_callback(tls->ssl, on_message);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	tls_wire_attach(tls);
	tell(tls);
	return tls;
}

struct tls *tls_new_server(struct transport *transport, struct loop *loop,
			   struct tls_server *server)
{
	struct tls *tls = tls_new(transport, loop, tls_server_base(server));

	if (tls == NULL)
		return NULL;
	tls->server = server;
	SSL_set_accept_state(tls->ssl);
	timer_start(loop_timers(loop), &tls->timer, tls_server_handshake_timeout_ms(server));
	return tls;
}

struct tls *tls_new_client(struct transport *transport, struct loop *loop,
			   struct tls_context *context)
{
	struct tls *tls = tls_new(transport, loop, context->ssl_ctx);

	BUG_ON(!context->is_client);
	if (tls == NULL)
		return NULL;
	tls->context = tls_context_hold(context);
	SSL_set_connect_state(tls->ssl);
	if (context->server_name != NULL &&
	    SSL_set_tlsext_host_name(tls->ssl, context->server_name) != 1) {
		ERR_clear_error();
		tls_abandon(tls);
		return NULL;
	}
	return tls;
}

void tls_resume(struct tls *tls, const struct ip_port *peer)
{
	BUG_ON(tls->server != NULL || tls->state != TLS_HANDSHAKING);
	tls_session_offer(tls, peer);
}

void tls_abandon(struct tls *tls)
{
	timer_stop(loop_timers(tls->loop), &tls->timer);
	loop_task_cancel(&tls->rest);
	list_remove(&tls->link);
	tls_wire_drop(tls);
	SSL_free(tls->ssl);
	tls_context_drop(tls->context);
	free(tls->server_name);
	free(tls);
}

/* Behind what was sent, once. False: it is too late for that. */
static bool say_goodbye(struct tls *tls)
{
	if ((tls->state != TLS_OPEN && tls->state != TLS_ENDED) || tls->send_failed ||
	    tls->owed > 0 || (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return false;
	tls_wire_enter(tls);
	if (SSL_shutdown(tls->ssl) < 0)
		ERR_clear_error();
	return tls_wire_send(tls);
}

bool tls_finish(struct tls *tls)
{
	tls->finishing = say_goodbye(tls) && tls->unsent != NULL;
	tell(tls);
	return !tls->finishing;
}

void tls_free(struct tls *tls)
{
	(void)say_goodbye(tls); /* the socket is closed next, whatever became of it */
	tls_abandon(tls);
}

/*
 * The handshake
 */

bool tls_set_server_name(struct tls *tls, struct span name)
{
	if (name.len == 0)
		return true;
	tls->server_name = strndup(name.ptr, name.len);
	return tls->server_name != NULL;
}

/* The first fault counts. A client whose certificate is optional is let in all the same, and is not verified. */
int tls_on_verified(int is_valid, X509_STORE_CTX *store)
{
	struct tls *tls = tls_of(
		X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
	int verdict = X509_STORE_CTX_get_error(store);

	if (is_valid)
		return 1;
	if (tls->verdict == X509_V_OK)
		tls->verdict = verdict;
	if (tls->context->verify != TLS_VERIFY_REQUIRED)
		return 1;
	tls->failure = tls_failure_of_certificate(verdict);
	return 0;
}

static void on_open(struct tls *tls)
{
	timer_stop(loop_timers(tls->loop), &tls->timer);
	if (tls->server == NULL)
		tls_session_note_open(tls);
	tls->state = TLS_OPEN;
	tls->has_opened = true;
	tls->holds_bytes = SSL_has_pending(tls->ssl) == 1;
	tls->owes_ticket = tls->server != NULL && tls->context->tickets &&
			   SSL_version(tls->ssl) == TLS1_3_VERSION;
}

static void shake(struct tls *tls)
{
	int result;

	tls_wire_enter(tls);
	result = SSL_do_handshake(tls->ssl);
	if (result == 1)
		on_open(tls);
	else
		judge(tls, result);
	/* an alert too; that nobody can be told any more is seen by whoever reads or writes */
	(void)tls_wire_send(tls);
	if (tls->send_failed && tls->state == TLS_HANDSHAKING)
		fail(tls);
}

static void go_on(struct tls *tls, uint32_t events)
{
	if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
		/* why is left for who asks the socket (socket_connect_result) */
		tls->failure = "connection lost";
		fail(tls);
	} else if (tls->server == NULL) {
		if (tls->has_started)
			shake(tls);
	} else if (tls->has_turn) {
		tls->has_turn = false;
		shake(tls);
	} else if (tls->can_receive) {
		tls_server_queue(tls->server, tls);
	}
}

void tls_take_turn(struct tls *tls)
{
	struct loop_source *source = &tls->transport->source;

	tls->has_turn = true;
	source->on_ready(source, 0);
}

void tls_refuse_turn(struct tls *tls)
{
	struct loop_source *source = &tls->transport->source;

	tls->failure = "too many handshakes";
	fail(tls);
	source->on_ready(source, 0);
}

static void send_unsent(struct tls *tls)
{
	if (tls_wire_send(tls) && tls->finishing && tls->unsent == NULL)
		(void)shutdown(tls->transport->source.fd, SHUT_WR); /* fails where all is gone */
}

void tls_note(struct tls *tls, uint32_t events)
{
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		tls->can_receive = true;
	if ((events & EPOLLOUT) != 0)
		tls->has_started = true;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && tls->unsent != NULL)
		send_unsent(tls);
	if (tls->state == TLS_HANDSHAKING)
		go_on(tls, events);
	tell(tls);
}

/*
 * Reading
 */

static ssize_t broken(const struct tls *tls)
{
	errno = tls->reason != 0 ? tls->reason : EPROTO;
	return TRANSPORT_BROKEN;
}

/* Nothing could be read: why? */
static ssize_t read_end(const struct tls *tls)
{
	switch (tls->state) {
	case TLS_HANDSHAKING:
		return TRANSPORT_AGAIN;
	case TLS_OPEN:
		return tls->is_cut ? broken(tls) : TRANSPORT_AGAIN;
	case TLS_ENDED:
		return 0;
	case TLS_FAILED:
		return broken(tls);
	}
	BUG_ON(true);
	return TRANSPORT_BROKEN;
}

/* Reads once, at most one record. 0: nothing, and all that is known of it is noted. */
static size_t read_record(struct tls *tls, char *bytes, size_t size)
{
	size_t got = 0;
	int result;

	result = SSL_read_ex(tls->ssl, bytes, size, &got);
	if (result != 1) {
		judge(tls, result);
		return 0;
	}
	tls->holds_bytes = SSL_has_pending(tls->ssl) == 1;
	return got;
}

ssize_t tls_read(struct tls *tls, char *bytes, size_t size)
{
	size_t total = 0;

	/* who asks although no edge told anything wants the kernel to be asked */
	if (!tls->holds_bytes)
		tls->can_receive = true;
	tls_wire_enter(tls);
	while (tls->state == TLS_OPEN && total < size && (tls->holds_bytes || tls->can_receive)) {
		size_t got = read_record(tls, bytes + total, size - total);

		if (got == 0)
			break;
		total += got;
	}
	/* answers to updates of keys, or an alert */
	(void)tls_wire_send(tls);
	tell(tls);
	return total > 0 ? (ssize_t)total : read_end(tls);
}

bool tls_has_begun(const struct tls *tls)
{
	return tls->state == TLS_HANDSHAKING && tls->hello_bytes > 0;
}

bool tls_has_news(struct tls *tls)
{
	size_t got;
	char byte;
	int result;

	/* who waits in line for the next step has said something; so has who came to an end */
	if (loop_task_is_queued(&tls->rest))
		return true;
	if (tls->state == TLS_HANDSHAKING)
		return !list_is_empty(&tls->link) || socket_has_news(tls->transport->source.fd);
	if (tls->state != TLS_OPEN || tls->is_cut)
		return true;
	if (!tls->holds_bytes && !socket_has_news(tls->transport->source.fd)) {
		tls->can_receive = false;
		return false;
	}
	/* it may be nothing but tickets or an update of keys */
	tls->can_receive = true;
	tls_wire_enter(tls);
	result = SSL_peek_ex(tls->ssl, &byte, 1, &got);
	if (result == 1)
		tls->holds_bytes = true;
	else
		judge(tls, result);
	(void)tls_wire_send(tls);
	tell(tls);
	return result == 1 || tls->state != TLS_OPEN || tls->is_cut ||
	       loop_task_is_queued(&tls->rest);
}

/*
 * Writing
 */

/* How far the pieces have been encrypted. */
struct walk {
	const struct iovec *piece;
	const struct iovec *end;
	size_t offset; /* in *piece */
};

static void walk_on(struct walk *walk, size_t length)
{
	walk->offset += length;
	while (walk->piece != walk->end && walk->offset == walk->piece->iov_len) {
		walk->piece++;
		walk->offset = 0;
	}
}

static struct span rest_of_piece(const struct walk *walk)
{
	return span_make((const char *)walk->piece->iov_base + walk->offset,
			 walk->piece->iov_len - walk->offset);
}

/* Small pieces fill a record together. */
static struct span gather(struct walk *walk)
{
	static char record[RECORD_BYTES];
	size_t length = 0;

	while (walk->piece != walk->end && length < sizeof(record)) {
		struct span part = span_take(rest_of_piece(walk), sizeof(record) - length);

		memcpy(record + length, part.ptr, part.len);
		length += part.len;
		walk_on(walk, part.len);
	}
	return span_make(record, length);
}

/* The next part that makes whole records, or all that is left; max is a multiple of a record. */
static struct span next_part(struct walk *walk, size_t max)
{
	struct span rest = rest_of_piece(walk);

	if (walk->piece + 1 != walk->end) {
		if (rest.len < RECORD_BYTES)
			return gather(walk);
		rest.len -= rest.len % RECORD_BYTES;
	}
	rest = span_take(rest, max);
	walk_on(walk, rest.len);
	return rest;
}

/* Into the buffer of what is to be sent. False: the connection has failed. */
static bool encrypt(struct tls *tls, struct span part)
{
	size_t done;
	int result;

	result = SSL_write_ex(tls->ssl, part.ptr, part.len, &done);
	if (result != 1) {
		fail(tls);
		return false;
	}
	BUG_ON(done != part.len);
	tls->owed += (uint32_t)part.len;
	return true;
}

/* A ticket goes out with the first answer and not with a packet of its own, and who never asks gets none. Whether one
 * was made. */
static bool give_ticket(struct tls *tls)
{
	if (!tls->owes_ticket || tls_server_tickets(tls->server)->count == 0)
		return false;
	tls->owes_ticket = false;
	/* without one the client comes again in full */
	return SSL_new_session_ticket(tls->ssl) == 1;
}

/* libssl takes a buffer for reading to write a ticket, 16 KiB, and lets go of it when it finds nothing to read: it
 * does so now. SSL_free_buffers would not look whether half a record is in there (CVE-2024-4741). */
static void let_go_of_buffer(struct tls *tls)
{
	bool can_receive = tls->can_receive;
	size_t got;
	char byte;

	if (tls->holds_bytes)
		return;
	tls->can_receive = false;
	if (SSL_peek_ex(tls->ssl, &byte, 1, &got) == 1)
		tls->holds_bytes = true;
	tls->can_receive = can_receive;
}

/* As many records as fit into one send. False: the connection has failed. */
static bool encrypt_pieces(struct tls *tls, const struct iovec *pieces, int count)
{
	struct walk walk = {.piece = pieces, .end = pieces + count};
	bool gives_ticket;

	tls->gone = 0;
	tls_wire_enter(tls);
	gives_ticket = give_ticket(tls);
	walk_on(&walk, 0);
	while (walk.piece != walk.end && tls->owed < WRITE_BYTES)
		if (!encrypt(tls, next_part(&walk, WRITE_BYTES - tls->owed)))
			return false;
	if (gives_ticket)
		let_go_of_buffer(tls);
	return true;
}

/* How much of what was encrypted counts as written: all of it once the kernel has all of its records; before, as
 * much as it took, but never the last byte. At least a byte of what is fresh: it cannot be taken back. */
static uint32_t reportable(const struct tls *tls, bool fresh)
{
	uint32_t most = tls->owed - 1;

	if (tls->unsent == NULL)
		return tls->owed;
	if (fresh && (tls->gone == 0 || most == 0))
		return 1;
	return tls->gone < most ? tls->gone : most;
}

static ssize_t report(struct tls *tls, bool fresh)
{
	uint32_t written = reportable(tls, fresh);

	tls->owed -= written;
	tls->gone = 0;
	return written == 0 ? TRANSPORT_AGAIN : (ssize_t)written;
}

static size_t total(const struct iovec *pieces, int count)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += pieces[i].iov_len;
	return sum;
}

/* Encrypts and sends. */
static ssize_t write_fresh(struct tls *tls, const struct iovec *pieces, int count)
{
	bool is_encrypted;
	bool is_sent;

	if (tls->unsent != NULL)
		return TRANSPORT_AGAIN;
	is_encrypted = encrypt_pieces(tls, pieces, count);
	is_sent = tls_wire_send(tls);
	return is_encrypted && is_sent ? report(tls, true) : broken(tls);
}

ssize_t tls_write(struct tls *tls, const struct iovec *pieces, int count)
{
	ssize_t written;

	if (tls->state == TLS_HANDSHAKING)
		return TRANSPORT_AGAIN;
	if (tls->state == TLS_FAILED || tls->send_failed)
		return broken(tls);
	if (tls->owed == 0) {
		written = write_fresh(tls, pieces, count);
	} else {
		/* they begin with what was encrypted already: see transport_write */
		BUG_ON(total(pieces, count) < tls->owed);
		written = report(tls, false);
	}
	tell(tls);
	return written;
}

/*
 * What was settled
 */

static enum tls_alpn alpn_of(const SSL *ssl)
{
	const unsigned char *name;
	unsigned length;

	SSL_get0_alpn_selected(ssl, &name, &length);
	if (length == 0)
		return TLS_ALPN_NONE;
	return span_equals(span_make((const char *)name, length), S("h2")) ? TLS_ALPN_H2
									   : TLS_ALPN_HTTP1;
}

bool tls_facts(const struct tls *tls, struct transport_tls *facts)
{
	if (!tls->has_opened)
		return false;
	*facts = (struct transport_tls){
		.version = SSL_get_version(tls->ssl),
		.cipher = SSL_get_cipher_name(tls->ssl),
		.alpn = alpn_of(tls->ssl),
		.resumed = SSL_session_reused(tls->ssl) == 1,
		.server_name = span_from(tls->server_name),
		.context = tls->context,
	};
	return true;
}
