/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_session.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "io/tls.h"
#include "io/tls_context.h"

static const uint64_t trust_ns = (uint64_t)TLS_SESSION_TRUST_S * 1000000000;

/* Bytes are compared: nothing of it may be left unset. */
struct session_key {
	const struct tls_context *context;
	struct ip_port peer;
	uint8_t zero[6];
};

static_assert(sizeof(struct session_key) == 32, "no padding");

struct session {
	struct map_entry by_key;
	struct list used;       /* of all, the one used last comes last */
	struct list of_context; /* of its context */
	struct session_key key;
	SSL_SESSION *session;
	uint64_t trusted_ns; /* when a full handshake found the peer good */
};

static struct {
	struct map by_key;
	struct list used;
} kept = {.used = {&kept.used, &kept.used}};

static void drop(struct session *session)
{
	map_remove(&kept.by_key, &session->by_key);
	list_remove(&session->used);
	list_remove(&session->of_context);
	SSL_SESSION_free(session->session);
	free(session);
}

/* NULL: there is none. */
static struct session *find(const struct tls *tls)
{
	const struct session_key key = {.context = tls->context, .peer = tls->peer};
	struct map_entry *entry = map_find(&kept.by_key,
					   span_make((const char *)&key, sizeof(key)));

	return entry == NULL ? NULL : container_of(entry, struct session, by_key);
}

/* NULL: no memory; then the next handshake is a full one. */
static struct session *add(const struct tls *tls)
{
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	while (kept.by_key.count >= TLS_SESSIONS_MAX)
		drop(container_of(list_first(&kept.used), struct session, used));
	session->key = (struct session_key){.context = tls->context, .peer = tls->peer};
	session->by_key.key = span_make((const char *)&session->key, sizeof(session->key));
	map_add(&kept.by_key, &session->by_key);
	list_add_last(&kept.used, &session->used);
	list_add_last(&tls->context->sessions, &session->of_context);
	return session;
}

/* 1: the reference is ours. */
static int on_session(SSL *ssl, SSL_SESSION *given)
{
	const struct tls *tls = tls_of(ssl);
	struct session *session;

	if (tls->peer.port == 0 || SSL_SESSION_is_resumable(given) != 1)
		return 0;
	session = find(tls);
	if (session == NULL)
		session = add(tls);
	if (session == NULL)
		return 0;
	SSL_SESSION_free(session->session);
	session->session = given;
	/* of TLS 1.2 it comes within the handshake, which is a full one then */
	session->trusted_ns = tls->has_opened ? tls->trusted_ns : loop_now_ns(tls->loop);
	return 1;
}

void tls_sessions_attach(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl_ctx, on_session);
}

static bool is_good(const struct session *session, const struct tls *tls)
{
	return loop_now_ns(tls->loop) - session->trusted_ns < trust_ns &&
	       SSL_SESSION_is_resumable(session->session) == 1;
}

void tls_session_offer(struct tls *tls, const struct ip_port *peer)
{
	struct session *session;

	tls->peer = *peer;
	session = find(tls);
	if (session == NULL)
		return;
	if (!is_good(session, tls) || SSL_set_session(tls->ssl, session->session) != 1) {
		ERR_clear_error();
		drop(session);
		return;
	}
	tls->trusted_ns = session->trusted_ns;
	list_remove(&session->used);
	list_add_last(&kept.used, &session->used);
}

void tls_session_forget(const struct tls *tls)
{
	struct session *session = find(tls);

	if (session != NULL)
		drop(session);
}

/* Without the extended master secret a session of TLS 1.2 can be joined to another one (RFC 7627, 5.4). Not asked when
 * it is given: libssl does not say before the end of the handshake. */
static bool may_resume(SSL *ssl)
{
	return SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) == 1;
}

void tls_session_note_open(struct tls *tls)
{
	if (SSL_session_reused(tls->ssl) != 1)
		tls->trusted_ns = loop_now_ns(tls->loop);
	if (!may_resume(tls->ssl))
		tls_session_forget(tls);
}

void tls_sessions_drop(struct tls_context *context)
{
	list_for_each_safe (link, &context->sessions)
		drop(container_of(link, struct session, of_context));
}
