/* SPDX-License-Identifier: Apache-2.0 */
/* Opens connections and holds them.
 *
 *   usage: holder PORT COUNT [HOST [websocket|tls]]
 *
 * Each connection asks once when it is opened: a request that is answered with 200, over TLS or not, or the handshake
 * of a WebSocket.
 * Prints "ready COUNT" when all are open. For each line that comes then, it asks on every connection once
 * more (a request, or a message that must come back) and prints "answered N lost M"; a lost one is not opened again.
 * The end of standard input ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/memory.h"
#include "loopback.h"
#include "program.h"
#include "secure.h"

enum { PORTS_PER_SOURCE = 20000, PATIENCE_SECONDS = 10, TEXT_MAX = 512, ANSWER_MAX = 4096 };

struct held {
	int *fds;        /* -1: lost */
	SSL_CTX *secure; /* NULL: without TLS */
	SSL **ssls;      /* with it */
	const char *host;
	uint32_t count;
	bool is_websocket;
	char opening[TEXT_MAX];
};

/* A masked text frame with eight bytes (RFC 6455, 5.2), its mask all zero, and what comes back for it. */
static const char message[] = "\x81\x88\0\0\0\0still up";
static const char echo[] = "\x81\x08still up";

static void make_opening(struct held *held)
{
	const char *more = held->is_websocket ? "Connection: Upgrade\r\nUpgrade: websocket\r\n"
						"Sec-WebSocket-Version: 13\r\n"
						"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
					      : "";
	int length = snprintf(held->opening, sizeof(held->opening),
			      "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: holder\r\n%s\r\n",
			      held->host, more);

	if (length >= TEXT_MAX)
		program_fail("the host is too long");
}

/* Reads a head and, of a 200, its body: it is small and comes with it. */
static bool read_opening(const struct held *held, int fd)
{
	const char *wanted = held->is_websocket ? "HTTP/1.1 101" : "HTTP/1.1 200";
	char answer[ANSWER_MAX];
	ssize_t length = recv(fd, answer, sizeof(answer), 0);

	return length > (ssize_t)strlen(wanted) && memcmp(answer, wanted, strlen(wanted)) == 0;
}

/* On connection i. */
static bool ask_opening(const struct held *held, uint32_t i)
{
	int fd = held->fds[i];

	if (held->secure != NULL)
		return secure_ask(held->ssls[i], held->opening);
	return loopback_send(fd, held->opening, strlen(held->opening)) && read_opening(held, fd);
}

static bool ask_message(int fd)
{
	char answer[sizeof(echo)];

	return loopback_send(fd, message, sizeof(message) - 1) &&
	       recv(fd, answer, sizeof(echo) - 1, MSG_WAITALL) == sizeof(echo) - 1 &&
	       memcmp(answer, echo, sizeof(echo) - 1) == 0;
}

static void open_all(struct held *held, uint16_t port)
{
	struct timeval patience = {.tv_sec = PATIENCE_SECONDS};

	for (uint32_t i = 0; i < held->count; i++) {
		int fd = loopback_connect(port, 1 + i / PORTS_PER_SOURCE, LOOPBACK_BLOCKING);

		if (fd == -1)
			program_fail_sys("cannot open connection %u", i);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		held->fds[i] = fd;
		if (held->secure != NULL)
			held->ssls[i] = secure_connect(held->secure, fd, held->host, NULL);
		if (!ask_opening(held, i))
			program_fail_sys("no answer on connection %u", i);
	}
}

static void ask_all(struct held *held)
{
	uint32_t answered = 0;

	for (uint32_t i = 0; i < held->count; i++) {
		int fd = held->fds[i];

		if (fd == -1)
			continue;
		if (held->is_websocket ? ask_message(fd) : ask_opening(held, i)) {
			answered++;
		} else {
			close(fd);
			held->fds[i] = -1;
		}
	}
	printf("answered %u lost %u\n", answered, held->count - answered);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct held held = {0};
	char line[16];
	uint16_t port;

	if (argc < 3)
		program_fail("usage: holder PORT COUNT [HOST [websocket|tls]]");
	port = (uint16_t)program_number(argv[1], 1, UINT16_MAX);
	held.count = (uint32_t)program_number(argv[2], 1, 1 << 20);
	held.host = argc > 3 ? argv[3] : "bench.example";
	held.is_websocket = argc > 4 && strcmp(argv[4], "websocket") == 0;
	held.secure = argc > 4 && strcmp(argv[4], "tls") == 0 ? secure_new() : NULL;
	held.ssls = memory_new_array(held.count, sizeof(SSL *));
	held.fds = memory_new_array(held.count, sizeof(*held.fds));
	program_need_descriptors(held.count + 16);
	make_opening(&held);
	open_all(&held, port);
	printf("ready %u\n", held.count);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
		ask_all(&held);
	return 0;
}
