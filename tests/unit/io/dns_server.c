/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"

enum {
	MESSAGE_MAX = 2048,
	HEADER_SIZE = 12,
	FLAG_RESPONSE = 0x80,
	FLAG_TRUNCATED = 0x02,
	CODE_FAILED = 2,
	CODE_ABSENT = 3,
};

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t length;
};

static void add(struct message *message, const void *bytes, size_t length)
{
	assert_true(message->length + length <= sizeof(message->bytes));
	memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

static void add_number(struct message *message, uint32_t number, unsigned size)
{
	uint32_t ordered = htonl(number);

	add(message, (const char *)&ordered + sizeof(ordered) - size, size);
}

static void add_name(struct message *message, const char *name)
{
	while (*name != '\0') {
		size_t length = strcspn(name, ".");

		add_number(message, (uint32_t)length, 1);
		add(message, name, length);
		name += length + (name[length] == '.');
	}
	add_number(message, 0, 1);
}

/* The name of the question, with dots; returns where its type is. */
static size_t read_name(const struct message *question, char *name)
{
	size_t at = HEADER_SIZE;

	while (question->bytes[at] != 0) {
		uint8_t length = question->bytes[at];

		assert_true(at + length + 5 <= question->length);
		memcpy(name, question->bytes + at + 1, length);
		name += length;
		*name++ = '.';
		at += length + 1U;
	}
	name[-1] = '\0';
	return at + 1;
}

static void add_record(struct message *message, const struct dns_record *record)
{
	uint8_t bytes[16];

	add_name(message, record->name);
	add_number(message, record->type, 2);
	add_number(message, 1, 2);
	add_number(message, record->ttl_s, 4);
	if (record->type == DNS_TYPE_CNAME) {
		add_number(message, (uint32_t)strlen(record->value) + 2, 2);
		add_name(message, record->value);
		return;
	}
	add_number(message, record->type == DNS_TYPE_A ? 4 : 16, 2);
	assert_int_equal(
		inet_pton(record->type == DNS_TYPE_A ? AF_INET : AF_INET6, record->value, bytes),
		1);
	add(message, bytes, record->type == DNS_TYPE_A ? 4 : 16);
}

/* The records of a name, behind its aliases. Returns whether the name is there at all. */
static bool add_records(const struct dns_server *server, struct message *answer, const char *name,
			unsigned type, unsigned *count)
{
	bool is_there = false;

	for (size_t i = 0; i < server->record_count; i++) {
		const struct dns_record *record = &server->records[i];

		if (strcasecmp(record->name, name) != 0)
			continue;
		is_there = true;
		if (record->type != type && record->type != DNS_TYPE_CNAME)
			continue;
		add_record(answer, record);
		++*count;
		if (record->type == DNS_TYPE_CNAME)
			add_records(server, answer, record->value, type, count);
	}
	return is_there;
}

static void answer_question(struct dns_server *server, const struct message *question,
			    struct message *answer)
{
	char name[256];
	size_t type_at = read_name(question, name);
	unsigned type = question->bytes[type_at] * 256U + question->bytes[type_at + 1];
	unsigned count = 0;

	server->questions++;
	answer->length = 0;
	add(answer, question->bytes, type_at + 4);
	memset(answer->bytes + 6, 0, HEADER_SIZE - 6);
	answer->bytes[2] |= FLAG_RESPONSE;
	answer->bytes[3] = 0;
	if (server->mood == DNS_FAILS)
		answer->bytes[3] = CODE_FAILED;
	else if (!add_records(server, answer, name, type, &count))
		answer->bytes[3] = CODE_ABSENT;
	answer->bytes[7] = (uint8_t)count;
}

static void on_datagram(struct loop_source *source, uint32_t events)
{
	struct dns_server *server = container_of(source, struct dns_server, datagrams);
	struct message question;
	struct message answer;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(source->fd, question.bytes, sizeof(question.bytes), 0,
			       (struct sockaddr *)&from, &size);

	(void)events;
	assert_true(got > HEADER_SIZE);
	question.length = (size_t)got;
	answer_question(server, &question, &answer);
	if (server->mood == DNS_SILENT)
		return;
	if (server->mood == DNS_MUMBLES)
		answer.length = HEADER_SIZE / 2;
	if (server->mood == DNS_TRUNCATES) {
		answer.bytes[2] |= FLAG_TRUNCATED;
		answer.bytes[7] = 0;
		answer.length = question.length;
	}
	sendto(source->fd, answer.bytes, answer.length, 0, (struct sockaddr *)&from, size);
}

/* A stream brings whole questions: they are small, and this is the loopback interface. */
static void on_stream(struct loop_source *source, uint32_t events)
{
	struct dns_server *server = container_of(source, struct dns_stream, source)->server;
	struct message question;
	struct message answer;
	struct message framed = {.length = 0};
	uint8_t prefix[2];
	ssize_t got = recv(source->fd, prefix, sizeof(prefix), 0);

	(void)events;
	if (got <= 0) {
		loop_close(server->loop, source);
		return;
	}
	got = recv(source->fd, question.bytes, prefix[0] * 256U + prefix[1], MSG_WAITALL);
	assert_true(got > HEADER_SIZE);
	question.length = (size_t)got;
	server->by_tcp++;
	answer_question(server, &question, &answer);
	add_number(&framed, (uint32_t)answer.length, 2);
	add(&framed, answer.bytes, answer.length);
	send(source->fd, framed.bytes, framed.length, MSG_NOSIGNAL);
}

static void on_connection(struct loop_source *source, uint32_t events)
{
	struct dns_server *server = container_of(source, struct dns_server, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	assert_int_not_equal(fd, -1);
	for (unsigned i = 0; i < DNS_STREAMS_MAX; i++) {
		struct dns_stream *stream = &server->streams[i];

		if (stream->source.fd == -1) {
			loop_add_level(server->loop, &stream->source, fd, on_stream);
			return;
		}
	}
	fail_msg("more streams than the test has room for");
}

static int bound_socket(int type, struct sockaddr_in *at)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A port that is free for both protocols. */
static void bind_both(int *datagrams, int *listener, struct sockaddr_in *at)
{
	do {
		socklen_t size = sizeof(*at);

		*at = (struct sockaddr_in){.sin_family = AF_INET,
					   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		*datagrams = bound_socket(SOCK_DGRAM, at);
		assert_int_equal(getsockname(*datagrams, (struct sockaddr *)at, &size), 0);
		*listener = bound_socket(SOCK_STREAM, at);
		if (*listener == -1)
			close(*datagrams);
	} while (*listener == -1);
	assert_int_equal(listen(*listener, DNS_STREAMS_MAX), 0);
}

void dns_server_start(struct dns_server *server, struct loop *loop,
		      const struct dns_record *records, size_t record_count)
{
	struct sockaddr_in at;
	int datagrams;
	int listener;

	*server = (struct dns_server){
		.loop = loop, .records = records, .record_count = record_count};
	bind_both(&datagrams, &listener, &at);
	snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(loop_add_level(loop, &server->datagrams, datagrams, on_datagram), 0);
	assert_int_equal(loop_add_level(loop, &server->listener, listener, on_connection), 0);
	for (unsigned i = 0; i < DNS_STREAMS_MAX; i++)
		server->streams[i] = (struct dns_stream){.source.fd = -1, .server = server};
}

void dns_server_stop(struct dns_server *server)
{
	loop_close(server->loop, &server->datagrams);
	loop_close(server->loop, &server->listener);
	for (unsigned i = 0; i < DNS_STREAMS_MAX; i++)
		loop_close(server->loop, &server->streams[i].source);
}
