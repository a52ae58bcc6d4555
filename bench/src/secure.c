/* SPDX-License-Identifier: Apache-2.0 */
#include "secure.h"

#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

enum { ANSWER_MAX = 4096 };

static _Noreturn void fail(const char *what)
{
	program_fail("%s: %s", what, ERR_reason_error_string(ERR_peek_error()));
}

SSL_CTX *secure_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		fail("TLS cannot be set up");
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

SSL *secure_connect(SSL_CTX *ctx, int fd, const char *name, SSL_SESSION *session)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1 ||
	    (session != NULL && SSL_set_session(ssl, session) != 1))
		fail("a connection cannot be set up");
	if (SSL_connect(ssl) != 1)
		fail("the handshake failed");
	return ssl;
}

bool secure_ask(SSL *ssl, const char *request)
{
	static const char wanted[] = "HTTP/1.1 200";
	char answer[ANSWER_MAX];

	return SSL_write(ssl, request, (int)strlen(request)) > 0 &&
	       SSL_read(ssl, answer, sizeof(answer)) > (int)strlen(wanted) &&
	       memcmp(answer, wanted, strlen(wanted)) == 0;
}

void secure_close(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	if (SSL_shutdown(ssl) < 0)
		ERR_clear_error(); /* the proxy was first */
	SSL_free(ssl);
	close(fd);
}
