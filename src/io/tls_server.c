/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_server.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "base/bug.h"
#include "io/tls.h"
#include "io/tls_ticket.h"

/* Two to three milliseconds of a turn at most, whatever the kind of the keys. */
enum { STEPS_PER_TURN = 6 };

/* A client whose handshake did not begin by then will soon come again. */
static const uint64_t wait_max_ns = 1000000000;

struct tls_server {
	struct tls_server_options options;
	SSL_CTX *base;
	struct tls_tickets tickets;
	struct loop_task task;
	struct list queue; /* struct tls, who came first at the front */
};

/*
 * The first message
 */

static int refuse(struct tls *tls, const char *failure, int *alert, int number)
{
	tls->failure = failure;
	*alert = number;
	return SSL_CLIENT_HELLO_ERROR;
}

static const char *alert_word(enum tls_alert alert)
{
	switch (alert) {
	case TLS_ALERT_HANDSHAKE_FAILURE:
		return "refused";
	case TLS_ALERT_ACCESS_DENIED:
		return "access denied";
	case TLS_ALERT_INTERNAL_ERROR:
		return "no certificate";
	case TLS_ALERT_UNRECOGNIZED_NAME:
		return "unknown server name";
	}
	BUG_ON(true);
	return NULL;
}

static int choose(struct tls_server *server, struct tls *tls, const struct tls_hello *hello,
		  int *alert)
{
	enum tls_alert number = TLS_ALERT_INTERNAL_ERROR;
	struct tls_context *context = server->options.choose(server->options.owner, hello, &number);

	if (context == NULL)
		return refuse(tls, alert_word(number), alert, (int)number);
	tls->context = tls_context_hold(context);
	tls->extends_secret = hello->extends_secret;
	if (!tls_context_apply(context, tls->ssl) || !tls_set_server_name(tls, hello->server_name))
		return refuse(tls, "out of memory", alert, TLS_ALERT_INTERNAL_ERROR);
	return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_hello(SSL *ssl, int *alert, void *owner)
{
	struct tls *tls = tls_of(ssl);
	struct tls_hello hello;

	/* after a HelloRetryRequest the first choice stands */
	if (tls->context != NULL)
		return SSL_CLIENT_HELLO_SUCCESS;
	switch (tls_hello_read(&hello, ssl)) {
	case TLS_HELLO_OK:
		return choose(owner, tls, &hello, alert);
	case TLS_HELLO_BAD_NAME:
		return refuse(tls, "bad server name", alert, SSL_AD_ILLEGAL_PARAMETER);
	case TLS_HELLO_BAD:
		return refuse(tls, "protocol error", alert, SSL_AD_DECODE_ERROR);
	}
	BUG_ON(true);
	return SSL_CLIENT_HELLO_ERROR;
}

/*
 * Turns
 */

static void on_turn_end(struct loop_task *task)
{
	struct tls_server *server = container_of(task, struct tls_server, task);
	uint64_t now_ns = loop_now_ns(server->options.loop);

	for (int steps = 0; steps < STEPS_PER_TURN && !list_is_empty(&server->queue);) {
		struct tls *tls = container_of(list_first(&server->queue), struct tls, link);

		list_remove(&tls->link);
		if (now_ns - tls->queued_ns > wait_max_ns) {
			tls_refuse_turn(tls);
		} else {
			steps++;
			tls_take_turn(tls);
		}
	}
	if (!list_is_empty(&server->queue))
		loop_defer(server->options.loop, task);
}

void tls_server_queue(struct tls_server *server, struct tls *tls)
{
	if (!list_is_empty(&tls->link))
		return;
	tls->queued_ns = loop_now_ns(server->options.loop);
	list_add_last(&server->queue, &tls->link);
	loop_defer(server->options.loop, &server->task);
}

/*
 * Life
 */

static SSL_CTX *base_new(struct tls_server *server, struct error *err)
{
	SSL_CTX *base = tls_context_base(err);

	if (base == NULL)
		return NULL;
	SSL_CTX_set_client_hello_cb(base, on_hello, server);
	/* tickets of TLS 1.3 go out with the first answer: see tls.c */
	SSL_CTX_set_num_tickets(base, 0);
	SSL_CTX_set_timeout(base, server->options.ticket_lifetime_s);
	tls_tickets_attach(base);
	return base;
}

struct tls_server *tls_server_new(const struct tls_server_options *options, struct error *err)
{
	struct tls_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		error_set(err, "TLS cannot be set up: out of memory");
		return NULL;
	}
	server->options = *options;
	if (options->handshake_timeout_ms == 0)
		server->options.handshake_timeout_ms = TLS_HANDSHAKE_TIMEOUT_MS;
	if (options->ticket_lifetime_s == 0)
		server->options.ticket_lifetime_s = TLS_TICKET_LIFETIME_S;
	list_init(&server->queue);
	loop_task_init(&server->task, on_turn_end);
	tls_tickets_init(&server->tickets);
	server->base = base_new(server, err);
	if (server->base == NULL) {
		tls_server_free(server);
		return NULL;
	}
	return server;
}

void tls_server_free(struct tls_server *server)
{
	BUG_ON(!list_is_empty(&server->queue));
	loop_task_cancel(&server->task);
	tls_tickets_fini(&server->tickets);
	SSL_CTX_free(server->base);
	free(server);
}

void tls_server_set_ticket_keys(struct tls_server *server, const struct tls_ticket_key *keys,
				uint32_t count)
{
	tls_tickets_set_keys(&server->tickets, keys, count);
}

void tls_server_set_handshake_timeout(struct tls_server *server, uint32_t timeout_ms)
{
	server->options.handshake_timeout_ms = timeout_ms;
}

void tls_server_set_ticket_lifetime(struct tls_server *server, uint32_t lifetime_s)
{
	if (lifetime_s == 0)
		lifetime_s = TLS_TICKET_LIFETIME_S;
	/* RFC 8446, 4.6.1 */
	if (lifetime_s > TLS_TICKET_LIFETIME_MAX_S)
		lifetime_s = TLS_TICKET_LIFETIME_MAX_S;
	SSL_CTX_set_timeout(server->base, (long)lifetime_s);
}

SSL_CTX *tls_server_base(struct tls_server *server)
{
	return server->base;
}

const struct tls_tickets *tls_server_tickets(const struct tls_server *server)
{
	return &server->tickets;
}

uint32_t tls_server_handshake_timeout_ms(const struct tls_server *server)
{
	return server->options.handshake_timeout_ms;
}
