/* SPDX-License-Identifier: Apache-2.0 */
/* Connects with TLS 1.3, over and over, each connection after the one before.
 *
 *   usage: handshaker PORT SECONDS [OPTION…]
 *     -r       resume: the first connection asks and gets a ticket, all others show it
 *     -q       a request on each connection, not its handshake alone
 *     -H NAME  host to ask for (bench.example)
 *
 * Prints a line of JSON: how many connections, and how many of them were resumed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "loopback.h"
#include "program.h"
#include "secure.h"

enum { PORTS_PER_SOURCE = 20000, TEXT_MAX = 512 };

struct handshaker {
	SSL_CTX *ctx;
	SSL_SESSION *session; /* to be resumed; NULL: none */
	const char *host;
	char request[TEXT_MAX];
	uint64_t connections;
	uint64_t resumed;
	uint16_t port;
	bool asks;
};

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* A session is complete once its ticket has come. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct handshaker *shaker = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (shaker->session != NULL || !SSL_SESSION_is_resumable(session))
		return 0;
	shaker->session = session;
	return 1; /* it is kept */
}

static SSL *begin(const struct handshaker *shaker)
{
	uint32_t source = (uint32_t)(shaker->connections / PORTS_PER_SOURCE);
	int fd = loopback_connect(shaker->port, source % LOOPBACK_SOURCES_MAX, LOOPBACK_BLOCKING);

	if (fd == -1)
		program_fail_sys("cannot connect");
	return secure_connect(shaker->ctx, fd, shaker->host, shaker->session);
}

static void ask(const struct handshaker *shaker, SSL *ssl)
{
	if (!secure_ask(ssl, shaker->request))
		program_fail("no answer");
}

static void connect_once(struct handshaker *shaker)
{
	SSL *ssl = begin(shaker);

	shaker->connections++;
	shaker->resumed += SSL_session_reused(ssl) == 1;
	if (shaker->asks)
		ask(shaker, ssl);
	secure_close(ssl);
}

static void get_ticket(struct handshaker *shaker)
{
	SSL *ssl;

	SSL_CTX_set_session_cache_mode(shaker->ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(shaker->ctx, on_session);
	ssl = begin(shaker);
	ask(shaker, ssl);
	secure_close(ssl);
	if (shaker->session == NULL)
		program_fail("no ticket came");
	/* with a cache libssl lets no ticket be used twice */
	SSL_CTX_set_session_cache_mode(shaker->ctx, SSL_SESS_CACHE_OFF);
	shaker->connections = 1;
}

int main(int argc, char **argv)
{
	struct handshaker shaker = {.ctx = secure_new(), .host = "bench.example"};
	bool resumes = false;
	double end;
	int option;

	SSL_CTX_set_app_data(shaker.ctx, &shaker);
	while ((option = getopt(argc, argv, "rqH:")) != -1) {
		resumes |= option == 'r';
		shaker.asks |= option == 'q';
		if (option == 'H')
			shaker.host = optarg;
		if (option == '?')
			return EXIT_FAILURE;
	}
	if (argc - optind != 2)
		program_fail("usage: handshaker [-r] [-q] [-H NAME] PORT SECONDS");
	shaker.port = (uint16_t)program_number(argv[optind], 1, UINT16_MAX);
	end = now() + program_decimal(argv[optind + 1]);
	if (snprintf(shaker.request, TEXT_MAX, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", shaker.host) >=
	    TEXT_MAX)
		program_fail("the host is too long");
	if (resumes)
		get_ticket(&shaker);
	while (now() < end)
		connect_once(&shaker);
	printf("{\"connections\": %lu, \"resumed\": %lu}\n", shaker.connections, shaker.resumed);
	return 0;
}
