/* SPDX-License-Identifier: Apache-2.0 */
/* The upstream of every measurement: one thread, HTTP/1.1.
 *
 *   usage: responder PORT [NAME]
 *
 *   GET /big/N           200 with N bytes, sent from a memory file
 *   Upgrade: websocket   101, then each small message comes back
 *   anything else        200 with 13 bytes; with NAME a field `Pod: NAME`
 *
 * It does as little as a correct keep-alive server can, so that it is not what limits. Requests that
 * are pipelined are answered in order; request bodies with a length are dropped, others refused.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/span.h"
#include "head_field.h"
#include "loopback.h"
#include "program.h"

enum {
	INPUT_MAX = 8192,
	OUTPUT_MAX = 512,
	EVENTS = 256,
	MEMORY_FILE = 1 << 20,
	FRAME_HEAD = 6, /* of a masked frame with less than 126 bytes: 2, and the mask */
	FRAME_MAX = 125
};

enum after { AFTER_KEEP, AFTER_CLOSE, AFTER_WEBSOCKET };

struct client {
	int fd;
	enum after after; /* what the connection is once its answer is out */
	bool waits_to_write;
	uint64_t skip;      /* bytes of a request body still to be dropped */
	uint64_t body_left; /* of an answer from the memory file */
	size_t output_at;
	size_t output_length;
	size_t input_length;
	char output[OUTPUT_MAX];
	char input[INPUT_MAX];
};

static int epoll;
static int memory_file;
static char small_answer[OUTPUT_MAX];
static size_t small_length;

static void make_answers(const char *name)
{
	static char block[MEMORY_FILE];

	small_length = (size_t)snprintf(small_answer, sizeof(small_answer),
					"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n%s%s%s"
					"Content-Length: 13\r\n\r\nHello, world\n",
					name == NULL ? "" : "Pod: ", name == NULL ? "" : name,
					name == NULL ? "" : "\r\n");
	if (small_length >= sizeof(small_answer))
		program_fail("the name is too long");
	memset(block, 'x', sizeof(block));
	memory_file = memfd_create("body", MFD_CLOEXEC);
	if (memory_file == -1 || write(memory_file, block, sizeof(block)) != sizeof(block))
		program_fail_sys("cannot make a memory file");
}

static void answer_websocket(struct client *client, struct span key)
{
	static const struct span guid = {"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36};
	unsigned char digest[SHA_DIGEST_LENGTH];
	char accept[(SHA_DIGEST_LENGTH + 2) / 3 * 4 + 1];
	char both[128];

	key = span_take(key, sizeof(both) - guid.len);
	memcpy(both, key.ptr, key.len);
	memcpy(both + key.len, guid.ptr, guid.len);
	SHA1((const unsigned char *)both, key.len + guid.len, digest);
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
	client->output_length = (size_t)snprintf(
		client->output, sizeof(client->output),
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n\r\n",
		accept);
	client->after = AFTER_WEBSOCKET;
}

static void answer_big(struct client *client, struct span digits)
{
	if (!span_to_u64(digits, &client->body_left))
		client->body_left = 0;
	client->output_length = (size_t)snprintf(
		client->output, sizeof(client->output),
		"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: "
		"%llu\r\n\r\n",
		(unsigned long long)client->body_left);
}

static void answer_small(struct client *client)
{
	memcpy(client->output, small_answer, small_length);
	client->output_length = small_length;
}

/* head: of one request, with its empty line. */
static void answer(struct client *client, struct span head)
{
	struct span line = head;
	struct span path;

	span_cut(&line, ' ');
	path = span_cut(&line, ' ');
	if (!span_to_u64(head_field(head, S("Content-Length:")), &client->skip))
		client->skip = 0;
	if (span_equals_nocase(head_field(head, S("Connection:")), S("close")) ||
	    head_field(head, S("Transfer-Encoding:")).len > 0)
		client->after = AFTER_CLOSE;
	client->output_at = 0;
	if (span_equals_nocase(head_field(head, S("Upgrade:")), S("websocket")))
		answer_websocket(client, head_field(head, S("Sec-WebSocket-Key:")));
	else if (span_starts_with(path, S("/big/")))
		answer_big(client, span_skip(path, 5));
	else
		answer_small(client);
}

enum progress { PROGRESS_DONE, PROGRESS_BLOCKED, PROGRESS_OVER };

static enum progress blocked_or_over(void)
{
	return errno == EAGAIN ? PROGRESS_BLOCKED : PROGRESS_OVER;
}

/* Sends what waits. */
static enum progress write_out(struct client *client)
{
	while (client->output_at < client->output_length) {
		ssize_t sent = send(client->fd, client->output + client->output_at,
				    client->output_length - client->output_at,
				    MSG_NOSIGNAL | (client->body_left > 0 ? MSG_MORE : 0));

		if (sent == -1)
			return blocked_or_over();
		client->output_at += (size_t)sent;
	}
	while (client->body_left > 0) {
		uint64_t length = client->body_left < MEMORY_FILE ? client->body_left : MEMORY_FILE;
		off_t from = 0;
		ssize_t sent = sendfile(client->fd, memory_file, &from, length);

		if (sent == -1)
			return blocked_or_over();
		client->body_left -= (uint64_t)sent;
	}
	return PROGRESS_DONE;
}

static void drop_input(struct client *client, size_t length)
{
	client->input_length -= length;
	memmove(client->input, client->input + length, client->input_length);
}

static void skip_body(struct client *client)
{
	size_t length = client->skip < client->input_length ? (size_t)client->skip
							    : client->input_length;

	drop_input(client, length);
	client->skip -= length;
}

/* Puts the answer to the next request into the output; false: it is not there yet. */
static bool next_request(struct client *client)
{
	const char *end;
	size_t length;

	skip_body(client);
	if (client->skip > 0 || client->input_length == 0)
		return false;
	end = memmem(client->input, client->input_length, "\r\n\r\n", 4);
	if (end == NULL)
		return false;
	length = (size_t)(end - client->input) + 4;
	answer(client, span_make(client->input, length));
	drop_input(client, length);
	return true;
}

/* The same for a message of a WebSocket: a frame of RFC 6455 with less than 126 bytes comes back unmasked. */
static bool next_frame(struct client *client)
{
	const unsigned char *frame = (const unsigned char *)client->input;
	size_t length;

	if (client->input_length < FRAME_HEAD)
		return false;
	length = frame[1] & 0x7f;
	if (length > FRAME_MAX) {
		client->after = AFTER_CLOSE;
		return false;
	}
	if (client->input_length < FRAME_HEAD + length)
		return false;
	client->output[0] = (char)frame[0];
	client->output[1] = (char)length;
	for (size_t i = 0; i < length; i++)
		client->output[2 + i] = (char)(frame[FRAME_HEAD + i] ^ frame[2 + i % 4]);
	client->output_at = 0;
	client->output_length = 2 + length;
	drop_input(client, FRAME_HEAD + length);
	return true;
}

static bool next(struct client *client)
{
	return client->after == AFTER_WEBSOCKET ? next_frame(client) : next_request(client);
}

static void wait_for(struct client *client, bool write)
{
	struct epoll_event event = {.events = write ? EPOLLOUT : EPOLLIN, .data.ptr = client};

	if (client->waits_to_write == write)
		return;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &event) == -1)
		program_fail_sys("cannot wait");
	client->waits_to_write = write;
}

/* Answers all that is there; false: the connection is over. */
static bool serve(struct client *client)
{
	do {
		enum progress progress = write_out(client);

		if (progress == PROGRESS_OVER)
			return false;
		wait_for(client, progress == PROGRESS_BLOCKED);
		if (progress == PROGRESS_BLOCKED)
			return true;
		if (client->after == AFTER_CLOSE)
			return false;
	} while (next(client));
	return client->after != AFTER_CLOSE && client->input_length < INPUT_MAX;
}

static bool read_in(struct client *client)
{
	ssize_t length = recv(client->fd, client->input + client->input_length,
			      INPUT_MAX - client->input_length, 0);

	if (length == -1)
		return errno == EAGAIN;
	client->input_length += (size_t)length;
	return length > 0;
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = loopback_accept(listener)) != -1) {
		struct client *client = memory_new(sizeof(*client));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

		client->fd = fd;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
			program_fail_sys("cannot wait");
	}
}

static void on_event(struct client *client, uint32_t events)
{
	bool is_open = true;

	if (events & EPOLLIN)
		is_open = read_in(client);
	if (!is_open || !serve(client)) {
		close(client->fd);
		free(client);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct epoll_event events[EVENTS];
	int listener;

	if (argc < 2)
		program_fail("usage: responder PORT [NAME]");
	program_need_descriptors(1024);
	signal(SIGPIPE, SIG_IGN); /* sendfile has no MSG_NOSIGNAL */
	make_answers(argc > 2 ? argv[2] : NULL);
	listener = loopback_listen((uint16_t)program_number(argv[1], 1, UINT16_MAX));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == -1)
		program_fail_sys("cannot wait");
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				accept_all(listener);
			else
				on_event(events[i].data.ptr, events[i].events);
		}
	}
}
