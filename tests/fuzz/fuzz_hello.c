/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a client sends first: libssl takes the ClientHello apart as far as it does, and we the rest. A name
 * that is accepted must be one that routes can be asked for.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "io/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int on_hello(SSL *ssl, int *alert, void *owner)
{
	struct tls_hello hello;

	(void)owner;
	if (tls_hello_read(&hello, ssl) == TLS_HELLO_OK) {
		struct span name = hello.server_name;

		for (size_t i = 0; i < name.len; i++)
			BUG_ON(name.ptr[i] <= ' ' || (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z'));
	}
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

static SSL_CTX *new_context(void)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

	BUG_ON(ssl_ctx == NULL);
	SSL_CTX_set_client_hello_cb(ssl_ctx, on_hello, NULL);
	return ssl_ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static SSL_CTX *ssl_ctx;
	SSL *ssl;

	if (ssl_ctx == NULL)
		ssl_ctx = new_context();
	ssl = SSL_new(ssl_ctx);
	BUG_ON(ssl == NULL);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_null()));
	BIO_write(SSL_get_rbio(ssl), bytes, (int)size);
	(void)SSL_accept(ssl); /* nobody gets further than the hello */
	SSL_free(ssl);
	ERR_clear_error();
	return 0;
}
