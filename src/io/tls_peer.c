/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_peer.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "io/tls.h"
#include "io/tls_context.h"
#include "io/tls_failure.h"
#include "io/transport.h"

static X509 *certificate_of(const struct transport *transport)
{
	return transport->tls == NULL ? NULL : SSL_get0_peer_certificate(transport->tls->ssl);
}

/* What stands against it; X509_V_OK: nothing. */
static long verdict_of(const struct tls *tls)
{
	return tls->verdict != X509_V_OK ? tls->verdict : SSL_get_verify_result(tls->ssl);
}

/* Whether a certificate could count for anything here. */
static bool is_judged(const struct tls *tls)
{
	return tls->context->verify == TLS_VERIFY_OPTIONAL ||
	       tls->context->verify == TLS_VERIFY_REQUIRED;
}

enum tls_peer_status tls_peer_status(const struct transport *transport)
{
	const struct tls *tls = transport->tls;

	if (certificate_of(transport) == NULL)
		return TLS_PEER_NONE;
	return is_judged(tls) && verdict_of(tls) == X509_V_OK ? TLS_PEER_VERIFIED
							      : TLS_PEER_UNVERIFIED;
}

const char *tls_peer_failure(const struct transport *transport)
{
	const char *word;

	if (tls_peer_status(transport) != TLS_PEER_UNVERIFIED)
		return NULL;
	word = tls_failure_of_certificate(verdict_of(transport->tls));
	return word == NULL ? "not verified" : word;
}

/* What was written into bio, which goes. False: that had failed, or there is no room. */
static bool take(BIO *bio, bool is_written, struct arena *arena, struct span *text)
{
	char *bytes;
	long length;

	if (bio == NULL)
		return false;
	length = BIO_get_mem_data(bio, &bytes);
	*text = is_written && length >= 0 ? arena_copy(arena, span_make(bytes, (size_t)length))
					  : (struct span){0};
	BIO_free(bio);
	return text->ptr != NULL;
}

static bool write_pem(X509 *certificate, struct arena *arena, struct span *text)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take(bio, bio != NULL && PEM_write_bio_X509(bio, certificate) == 1, arena, text);
}

static bool write_name(const X509_NAME *name, struct arena *arena, struct span *text)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take(bio, bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0,
		    arena, text);
}

bool tls_peer_read(const struct transport *transport, struct arena *arena, struct tls_peer *peer)
{
	X509 *certificate = certificate_of(transport);
	bool is_read;

	*peer = (struct tls_peer){0};
	if (certificate == NULL)
		return false;
	is_read = write_pem(certificate, arena, &peer->pem) &&
		  write_name(X509_get_subject_name(certificate), arena, &peer->subject) &&
		  write_name(X509_get_issuer_name(certificate), arena, &peer->issuer);
	ERR_clear_error();
	return is_read;
}
