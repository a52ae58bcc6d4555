/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_wire.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "io/tls.h"
#include "io/transport.h"

/* A record's head, its nonce, tag and type are less than that, whatever the cipher; and a ticket goes before them. */
enum {
	RECORD_OVERHEAD = 64,
	TICKET_BYTES = 2048,
	OUTBOX_BYTES = TLS_WIRE_RECORDS * (16384 + RECORD_OVERHEAD) + TICKET_BYTES,
};

/* A connection that answers faster than its peer takes, in a handshake or to key updates, is none to keep. */
enum { UNSENT_MAX = 512 * 1024 };

/* A first message is at most that long (security spec, T2), and what came along with its end. */
enum { HELLO_MAX = 16 * 1024 + 1024 };

struct tls_unsent {
	size_t start;
	size_t end;
	char bytes[];
};

static struct tls *at_work;
static size_t received; /* by the connection at work, in this call */

/* What the connection at work has to send; empty between calls. */
static struct {
	size_t length;
	char bytes[OUTBOX_BYTES];
} outbox;

void tls_wire_enter(struct tls *tls)
{
	BUG_ON(outbox.length > 0);
	at_work = tls;
	received = 0;
	/* who finds a reason in the queue must know that it is of the call that comes */
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

void tls_wire_drop(struct tls *tls)
{
	free(tls->unsent);
	tls->unsent = NULL;
}

static void stop_sending(struct tls *tls, int reason)
{
	tls_wire_drop(tls);
	outbox.length = 0;
	tls->send_failed = true;
	tls->reason = reason;
}

/* Bytes that the kernel took, 0 when it has no room, -1: errno. */
static ssize_t send_some(const struct tls *tls, const char *bytes, size_t length)
{
	ssize_t put;

	do
		put = send(tls->transport->source.fd, bytes, length, MSG_NOSIGNAL);
	while (put == -1 && errno == EINTR);
	return put == -1 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : put;
}

/* Behind what is unsent already. False: that is too much, or there is no memory. */
static bool keep(struct tls *tls, const char *bytes, size_t length)
{
	struct tls_unsent *unsent = tls->unsent;
	size_t kept = unsent == NULL ? 0 : unsent->end - unsent->start;
	struct tls_unsent *larger;

	if (length == 0)
		return true;
	if (kept + length > UNSENT_MAX)
		return false;
	larger = malloc(sizeof(*larger) + kept + length);
	if (larger == NULL)
		return false;
	larger->start = 0;
	larger->end = kept + length;
	if (kept > 0)
		memcpy(larger->bytes, unsent->bytes + unsent->start, kept);
	memcpy(larger->bytes + kept, bytes, length);
	free(unsent);
	tls->unsent = larger;
	return true;
}

/* 0: all of it is gone, or the rest must wait; -1: errno. */
static int send_unsent(struct tls *tls)
{
	struct tls_unsent *unsent = tls->unsent;
	ssize_t put = send_some(tls, unsent->bytes + unsent->start, unsent->end - unsent->start);

	if (put == -1)
		return -1;
	tls->gone += (uint32_t)put;
	unsent->start += (size_t)put;
	if (unsent->start == unsent->end)
		tls_wire_drop(tls);
	return 0;
}

/* The same for what was gathered. */
static int send_outbox(struct tls *tls)
{
	ssize_t put = 0;

	if (outbox.length > 0 && tls->unsent == NULL) {
		put = send_some(tls, outbox.bytes, outbox.length);
		if (put == -1)
			return -1;
		tls->gone += (uint32_t)put;
	}
	if (!keep(tls, outbox.bytes + put, outbox.length - (size_t)put)) {
		errno = ENOBUFS;
		return -1;
	}
	outbox.length = 0;
	return 0;
}

bool tls_wire_send(struct tls *tls)
{
	if (tls->send_failed) {
		outbox.length = 0;
		return false;
	}
	if ((tls->unsent != NULL && send_unsent(tls) == -1) || send_outbox(tls) == -1) {
		stop_sending(tls, errno);
		return false;
	}
	return true;
}

/*
 * What libssl calls
 */

/* A flight of a handshake with long chains may be more than fits: the socket gets it in several pieces. */
static int on_write(BIO *bio, const char *bytes, int length)
{
	size_t left = (size_t)length;

	(void)bio;
	while (left > 0) {
		size_t room = OUTBOX_BYTES - outbox.length;
		size_t part = left < room ? left : room;

		memcpy(outbox.bytes + outbox.length, bytes, part);
		outbox.length += part;
		bytes += part;
		left -= part;
		if (left > 0 && !tls_wire_send(at_work))
			return -1;
	}
	return length;
}

static ssize_t receive(const struct tls *tls, char *bytes, size_t room)
{
	ssize_t got;

	do
		got = recv(tls->transport->source.fd, bytes, room, 0);
	while (got == -1 && errno == EINTR);
	return got;
}

/* The first message is longer than any that makes sense. */
static bool is_hello_too_long(const struct tls *tls)
{
	return tls->context == NULL && tls->hello_bytes > HELLO_MAX;
}

static int on_received(struct tls *tls, size_t got, size_t room)
{
	/* as in transport_read: the queue is empty, unless its end has been announced */
	if (got < room && !tls->transport->peer_done)
		tls->can_receive = false;
	received += got;
	if (tls->context == NULL)
		tls->hello_bytes += (uint32_t)got;
	return (int)got;
}

/* There will be no edge for what is left in the kernel: it is repeated. */
static void leave_rest(struct tls *tls)
{
	tls->can_receive = false;
	loop_defer(tls->loop, &tls->rest);
}

static int on_read(BIO *bio, char *bytes, int room)
{
	struct tls *tls = at_work;
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (is_hello_too_long(tls))
		tls->failure = "client hello too long";
	if (tls->failure != NULL)
		return -1;
	if (tls->can_receive && received >= TLS_WIRE_SHARE)
		leave_rest(tls);
	if (!tls->can_receive) {
		BIO_set_retry_read(bio);
		return -1;
	}
	got = receive(tls, bytes, (size_t)room);
	if (got > 0)
		return on_received(tls, (size_t)got, (size_t)room);
	tls->can_receive = false;
	/* libssl is not told of a stream that is cut, so that it goes on writing */
	tls->is_cut = got == 0;
	if (got == 0 || errno == EAGAIN || errno == EWOULDBLOCK)
		BIO_set_retry_read(bio);
	else
		tls->reason = errno;
	return -1;
}

/* To flush is all that libssl asks for and needs: it is done at the end of the call. */
static long on_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO *new_bio(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	BIO *bio;

	BUG_ON(method == NULL);
	BIO_meth_set_read(method, on_read);
	BIO_meth_set_write(method, on_write);
	BIO_meth_set_ctrl(method, on_control);
	bio = BIO_new(method);
	BUG_ON(bio == NULL);
	BIO_set_init(bio, 1);
	return bio;
}

void tls_wire_attach(struct tls *tls)
{
	static BIO *shared;

	if (shared == NULL)
		shared = new_bio();
	BUG_ON(BIO_up_ref(shared) != 1);
	SSL_set_bio(tls->ssl, shared, shared);
}
