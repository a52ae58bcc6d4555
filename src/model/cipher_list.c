/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cipher_list.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/scalar.h"

/* One context for all lists: to make it costs ten times what a list does. */
struct cipher_judge {
	SSL_CTX *ssl_ctx;
	int security_level; /* that a list may change by @SECLEVEL */
};

struct cipher_judge *cipher_judge_new(void)
{
	struct cipher_judge *judge = memory_new(sizeof(*judge));

	judge->ssl_ctx = SSL_CTX_new(TLS_server_method());
	if (judge->ssl_ctx != NULL)
		judge->security_level = SSL_CTX_get_security_level(judge->ssl_ctx);
	return judge;
}

void cipher_judge_free(struct cipher_judge *judge)
{
	if (judge == NULL)
		return;
	SSL_CTX_free(judge->ssl_ctx);
	free(judge);
}

/* As libssl takes it: ends with NUL; the caller frees it. NULL: not its alphabet. */
static char *terminate(struct span list)
{
	return scalar_is_words(list) ? strndup(list.ptr, list.len) : NULL;
}

/* TLS 1.3 has its own, which no list changes. */
static bool is_bad(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null ||
	       SSL_CIPHER_get_bits(cipher, NULL) == 0;
}

/* Of TLS 1.2. */
static bool has_certificate(const SSL_CIPHER *cipher)
{
	int kind = SSL_CIPHER_get_auth_nid(cipher);

	return kind == NID_auth_rsa || kind == NID_auth_ecdsa;
}

/* Of those that would be agreed on: "HIGH" names anonymous ones too, which the security level keeps out. */
static const char *judge_each(SSL_CTX *ssl_ctx)
{
	const char *fault = "names no cipher for a certificate of ECDSA or RSA";
	SSL *ssl = SSL_new(ssl_ctx);
	STACK_OF(SSL_CIPHER) *ciphers = ssl == NULL ? NULL : SSL_get1_supported_ciphers(ssl);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		if (has_certificate(sk_SSL_CIPHER_value(ciphers, i)))
			fault = NULL;
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
		if (is_bad(sk_SSL_CIPHER_value(ciphers, i)))
			fault = "names ciphers that do not encrypt, or do not say who the server "
				"is";
	sk_SSL_CIPHER_free(ciphers);
	SSL_free(ssl);
	return fault;
}

const char *cipher_judge_ciphers(struct cipher_judge *judge, struct span list)
{
	char *text = terminate(list);
	const char *fault = "is no list of ciphers with colons, as OpenSSL has them";

	SSL_CTX_set_security_level(judge->ssl_ctx, judge->security_level);
	if (text != NULL && SSL_CTX_set_cipher_list(judge->ssl_ctx, text) == 1)
		fault = judge_each(judge->ssl_ctx);
	else if (text != NULL)
		fault = "names no cipher that exists";
	free(text);
	ERR_clear_error();
	return fault;
}

const char *cipher_judge_curves(struct cipher_judge *judge, struct span list)
{
	char *text = terminate(list);
	const char *fault = "is no list of curves with colons, as OpenSSL has them";

	if (text != NULL)
		fault = SSL_CTX_set1_groups_list(judge->ssl_ctx, text) == 1
				? NULL
				: "names a curve that does not exist";
	free(text);
	ERR_clear_error();
	return fault;
}
