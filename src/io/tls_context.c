/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "io/tls.h"
#include "io/tls_session.h"

/* AES-128 first: it is strong enough, and every byte of every body pays for the cipher. */
static const char default_ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
				      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
				      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
/* Behind them, where there are parameters. */
static const char dhe_ciphers[] = ":DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256";
static const char default_suites[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/* The second one needs OpenSSL 3.5: what is recorded today shall not be read by the machines of tomorrow. */
static const char default_groups[] = "X25519:P-256:P-384";
static const char hybrid_groups[] = "X25519MLKEM768:X25519:P-256:P-384";

/* ssl_verify_depth of nginx */
enum { DEFAULT_VERIFY_DEPTH = 1 };

void tls_init(void)
{
	BUG_ON(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1);
	/* the first context of a kind makes tables that the others use */
	SSL_CTX_free(SSL_CTX_new(TLS_method()));
	ERR_clear_error();
}

/* The list as ALPN writes it: each name behind its length, h2 before HTTP/1.1. Returns the length. */
static uint8_t write_protocols(unsigned char list[static TLS_PROTOCOLS_MAX], uint32_t alpn)
{
	uint8_t length = 0;

	if ((alpn & BIT(TLS_ALPN_H2)) != 0) {
		memcpy(list, "\x02h2", 3);
		length = 3;
	}
	if ((alpn & BIT(TLS_ALPN_HTTP1)) != 0) {
		memcpy(list + length, "\x08http/1.1", 9);
		length = (uint8_t)(length + 9);
	}
	return length;
}

/* An offer without overlap ends the handshake (security spec, T4). */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length,
			   const unsigned char *offer, unsigned offer_length, void *owner)
{
	const struct tls_context *context = owner;
	unsigned char *match;

	(void)ssl;
	if (SSL_select_next_proto(&match, chosen_length, context->protocols,
				  context->protocols_length, offer,
				  offer_length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = match;
	return SSL_TLSEXT_ERR_OK;
}

static int version_of(enum tls_version version)
{
	switch (version) {
	case TLS_VERSION_ANY:
		return 0;
	case TLS_VERSION_1_2:
		return TLS1_2_VERSION;
	case TLS_VERSION_1_3:
		return TLS1_3_VERSION;
	}
	BUG_ON(true);
	return 0;
}

static int verify_mode(enum tls_verify verify)
{
	switch (verify) {
	case TLS_VERIFY_OFF:
		return SSL_VERIFY_NONE;
	case TLS_VERIFY_OPTIONAL:
	case TLS_VERIFY_OPTIONAL_NO_CA:
		return SSL_VERIFY_PEER;
	case TLS_VERIFY_REQUIRED:
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	}
	BUG_ON(true);
	return 0;
}

/*
 * What is common to all contexts
 */

static SSL_CTX *new_ssl_ctx(const SSL_METHOD *method, struct error *err)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(method);

	if (ssl_ctx == NULL) {
		tls_certificates_error(err, "TLS cannot be set up");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ssl_ctx, 0);
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA);
	/* buffers only while they are filled; a chain is what was given and nothing that a store has */
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	/* one recv for a record and its head. Without it there are three for a request, one of which learns that
	 * nothing follows: a fifth more of CPU, and a tenth for large bodies */
	SSL_CTX_set_read_ahead(ssl_ctx, 1);
	return ssl_ctx;
}

/* NULL: the best that libssl has. False: the list is not valid. */
static bool set_groups(SSL_CTX *ssl_ctx, const char *groups)
{
	if (groups != NULL)
		return SSL_CTX_set1_groups_list(ssl_ctx, groups) == 1;
	if (SSL_CTX_set1_groups_list(ssl_ctx, hybrid_groups) == 1)
		return true;
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(ssl_ctx, default_groups) == 1;
}

static bool set_ciphers(SSL_CTX *ssl_ctx, const struct tls_settings *settings)
{
	char list[sizeof(default_ciphers) + sizeof(dhe_ciphers)];

	if (settings->ciphers != NULL)
		return SSL_CTX_set_cipher_list(ssl_ctx, settings->ciphers) == 1;
	snprintf(list, sizeof(list), "%s%s", default_ciphers,
		 settings->dh_parameters.len > 0 ? dhe_ciphers : "");
	return SSL_CTX_set_cipher_list(ssl_ctx, list) == 1;
}

/* 0, or -1: a list names nothing that exists. */
static int set_lists(SSL_CTX *ssl_ctx, const struct tls_settings *settings, struct error *err)
{
	const char *suites = settings->suites == NULL ? default_suites : settings->suites;

	if (!set_ciphers(ssl_ctx, settings))
		return tls_certificates_error(err, "the list of ciphers names none that exists");
	if (SSL_CTX_set_ciphersuites(ssl_ctx, suites) != 1)
		return tls_certificates_error(err, "the list of TLS 1.3 ciphers is not valid");
	if (!set_groups(ssl_ctx, settings->groups))
		return tls_certificates_error(err, "the list of curves is not valid");
	return 0;
}

static int set_versions(struct tls_context *context, const struct tls_settings *settings,
			struct error *err)
{
	context->version_min = version_of(settings->version_min);
	context->version_max = version_of(settings->version_max);
	if (context->version_min == 0)
		context->version_min = TLS1_2_VERSION;
	if (context->version_max != 0 && context->version_max < context->version_min)
		return error_set(err, "the lowest TLS version is higher than the highest");
	SSL_CTX_set_min_proto_version(context->ssl_ctx, context->version_min);
	SSL_CTX_set_max_proto_version(context->ssl_ctx, context->version_max);
	return 0;
}

static int set_trust(struct tls_context *context, const struct tls_settings *settings,
		     struct error *err)
{
	context->verify = settings->verify;
	context->verify_depth = settings->verify_depth == 0 ? DEFAULT_VERIFY_DEPTH
							    : settings->verify_depth;
	SSL_CTX_set_verify_depth(context->ssl_ctx, (int)context->verify_depth);
	if (settings->authorities.len > 0 &&
	    tls_certificates_trust(context->ssl_ctx, settings->authorities, err) == -1)
		return -1;
	if (settings->revocations.len > 0 &&
	    tls_certificates_revoke(context->ssl_ctx, settings->revocations, err) == -1)
		return -1;
	return 0;
}

static int set_identities(SSL_CTX *ssl_ctx, const struct tls_settings *settings, struct error *err)
{
	for (uint32_t i = 0; i < settings->identity_count; i++)
		if (tls_certificates_use(ssl_ctx, &settings->identities[i], err) == -1)
			return -1;
	return 0;
}

static int set_common(struct tls_context *context, const struct tls_settings *settings,
		      struct error *err)
{
	context->tag = settings->tag;
	context->protocols_length = write_protocols(context->protocols, settings->alpn);
	if (set_versions(context, settings, err) == -1 ||
	    set_lists(context->ssl_ctx, settings, err) == -1 ||
	    set_identities(context->ssl_ctx, settings, err) == -1)
		return -1;
	return set_trust(context, settings, err);
}

/* A copy, or NULL for NULL. False: no memory. */
static bool keep_text(char **copy, const char *text)
{
	*copy = text == NULL ? NULL : strdup(text);
	return text == NULL || *copy != NULL;
}

static struct tls_context *context_new(const SSL_METHOD *method, struct error *err)
{
	struct tls_context *context = calloc(1, sizeof(*context));

	if (context == NULL) {
		error_set(err, "TLS cannot be set up: out of memory");
		return NULL;
	}
	context->holders = 1;
	list_init(&context->sessions);
	context->ssl_ctx = new_ssl_ctx(method, err);
	if (context->ssl_ctx == NULL) {
		free(context);
		return NULL;
	}
	return context;
}

/*
 * Servers
 */

static int set_session_context(struct tls_context *context, const struct tls_settings *settings,
			       struct error *err)
{
	struct span bytes = settings->session_context;

	if (bytes.len > TLS_SESSION_CONTEXT_MAX)
		return error_set(err, "a session context has at most %d bytes",
				 TLS_SESSION_CONTEXT_MAX);
	if (bytes.len > 0)
		memcpy(context->session_context, bytes.ptr, bytes.len);
	context->session_context_length = (uint8_t)bytes.len;
	context->tickets = settings->tickets && settings->verify == TLS_VERIFY_OFF;
	context->client_prefers = settings->client_prefers;
	return 0;
}

static int set_dh_parameters(SSL_CTX *ssl_ctx, struct span der, struct error *err)
{
	const unsigned char *bytes = (const unsigned char *)der.ptr;
	EVP_PKEY *parameters = d2i_KeyParams(EVP_PKEY_DH, NULL, &bytes, (long)der.len);

	/* which takes them */
	if (parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(ssl_ctx, parameters) == 1)
		return 0;
	EVP_PKEY_free(parameters);
	return tls_certificates_error(err, "the parameters of DHE cannot be used");
}

static int set_server(struct tls_context *context, const struct tls_settings *settings,
		      struct error *err)
{
	if (settings->identity_count == 0)
		return error_set(err, "a server needs a certificate");
	if (settings->verify == TLS_VERIFY_REQUIRED && settings->authorities.len == 0)
		return error_set(err,
				 "client certificates are required, and no authority is named");
	if (set_common(context, settings, err) == -1 ||
	    set_session_context(context, settings, err) == -1)
		return -1;
	if (settings->dh_parameters.len > 0 &&
	    set_dh_parameters(context->ssl_ctx, settings->dh_parameters, err) == -1)
		return -1;
	context->record_bytes = settings->record_bytes;
	if (!keep_text(&context->groups, settings->groups))
		return error_set(err, "TLS cannot be set up: out of memory");
	if (context->protocols_length > 0)
		SSL_CTX_set_alpn_select_cb(context->ssl_ctx, choose_protocol, context);
	return 0;
}

struct tls_context *tls_context_new_server(const struct tls_settings *settings, struct error *err)
{
	struct tls_context *context;

	errno = 0;
	context = context_new(TLS_server_method(), err);

	if (context == NULL || set_server(context, settings, err) == 0)
		return context;
	tls_context_drop(context);
	return NULL;
}

SSL_CTX *tls_context_base(struct error *err)
{
	const struct tls_settings defaults = {0};
	SSL_CTX *ssl_ctx = new_ssl_ctx(TLS_server_method(), err);

	if (ssl_ctx != NULL && set_lists(ssl_ctx, &defaults, err) == -1) {
		SSL_CTX_free(ssl_ctx);
		return NULL;
	}
	return ssl_ctx;
}

/* libssl moves identities, ciphers, ALPN and authorities along with the context. All else it copies once, when the
 * connection is made, and it is for us to set it again. */
bool tls_context_apply(const struct tls_context *context, SSL *ssl)
{
	BUG_ON(context->is_client);
	if (SSL_set_SSL_CTX(ssl, context->ssl_ctx) == NULL ||
	    SSL_set_session_id_context(ssl, context->session_context,
				       context->session_context_length) != 1 ||
	    SSL_set_min_proto_version(ssl, context->version_min) != 1 ||
	    SSL_set_max_proto_version(ssl, context->version_max) != 1)
		return false;
	if (context->groups != NULL && SSL_set1_groups_list(ssl, context->groups) != 1)
		return false;
	if (context->record_bytes != 0 &&
	    SSL_set_max_send_fragment(ssl, context->record_bytes) != 1)
		return false;
	SSL_set_verify(ssl, verify_mode(context->verify), tls_on_verified);
	SSL_set_verify_depth(ssl, (int)context->verify_depth);
	if (!context->tickets)
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
	if (context->client_prefers)
		SSL_clear_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	return true;
}

/*
 * Clients
 */

static int set_verify_name(SSL_CTX *ssl_ctx, const char *name, struct error *err)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return 0;
	ERR_clear_error();
	if (X509_VERIFY_PARAM_set1_host(param, name, 0) == 1)
		return 0;
	return tls_certificates_error(err, "the name to verify is not valid");
}

static int set_client(struct tls_context *context, const struct tls_settings *settings,
		      struct error *err)
{
	bool verifies = settings->verify == TLS_VERIFY_REQUIRED;

	context->is_client = true;
	if (!verifies && settings->verify != TLS_VERIFY_OFF)
		return error_set(err, "a client verifies its server or does not");
	if (verifies && settings->authorities.len == 0)
		return error_set(err, "the server is to be verified, and no authority is named");
	if (set_common(context, settings, err) == -1)
		return -1;
	if (verifies && settings->verify_name != NULL &&
	    set_verify_name(context->ssl_ctx, settings->verify_name, err) == -1)
		return -1;
	if (!keep_text(&context->server_name, settings->server_name) ||
	    SSL_CTX_set_alpn_protos(context->ssl_ctx, context->protocols,
				    context->protocols_length) != 0)
		return error_set(err, "TLS cannot be set up: out of memory");
	SSL_CTX_set_verify(context->ssl_ctx, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
			   tls_on_verified);
	tls_sessions_attach(context->ssl_ctx);
	return 0;
}

struct tls_context *tls_context_new_client(const struct tls_settings *settings, struct error *err)
{
	struct tls_context *context;

	errno = 0;
	context = context_new(TLS_client_method(), err);

	if (context == NULL || set_client(context, settings, err) == 0)
		return context;
	tls_context_drop(context);
	return NULL;
}

/*
 * Life
 */

struct tls_tag tls_context_tag(const struct tls_context *context)
{
	return context->tag;
}

struct tls_context *tls_context_hold(struct tls_context *context)
{
	context->holders++;
	return context;
}

void tls_context_drop(struct tls_context *context)
{
	if (context == NULL || --context->holders > 0)
		return;
	tls_sessions_drop(context);
	SSL_CTX_free(context->ssl_ctx);
	free(context->groups);
	free(context->server_name);
	free(context);
}
