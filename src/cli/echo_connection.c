/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/echo_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/echo_answer.h"
#include "cli/echo_websocket.h"
#include "http/chunked.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

/*   HEAD ---> BODY ---> DELAYED ---> ANSWERING ---> HEAD (keep-alive)
 *     | |       |                     ^     |
 *     | +-------+------ refused ------+     +-----> LINGERING ---> ENDED
 *     +-------> WEBSOCKET --------------------------^
 *
 * HEAD       bytes of a head are awaited, or none
 * BODY       the head is taken; its spans are not used any more
 * DELAYED    the request is whole; the timer runs
 * ANSWERING  out and filler are on their way; nothing is parsed meanwhile
 * WEBSOCKET  frames come back until one of them closes
 * LINGERING  everything is sent and shut down; what still comes is thrown away, for a while
 * ENDED      to be freed at the end of the turn's work
 */
enum echo_state {
	ECHO_HEAD,
	ECHO_BODY,
	ECHO_DELAYED,
	ECHO_ANSWERING,
	ECHO_WEBSOCKET,
	ECHO_LINGERING,
	ECHO_ENDED,
};

enum { IN_SIZE = 48 << 10, OUT_MANY = 256 << 10, FILLER_SIZE = 16 << 10, LINGER_MS = 2000 };

struct echo_connection {
	struct list link;
	struct echo_server *server;
	struct loop_source source;
	struct timer timer; /* the delay of an answer, or the end of lingering */
	struct ip_port peer;
	enum echo_state state;
	bool readable;   /* the kernel may have more bytes */
	bool at_end;     /* the client sends nothing more */
	bool keep_alive; /* of the request in progress */
	bool bodiless;   /* its answer has no body: HEAD */
	struct h1_progress progress;
	struct request_head head;
	struct header headers[HEAD_REQUEST_FIELDS_MAX];
	struct chunked_decoder chunks;
	uint64_t body_left; /* of a body with a length */
	struct echo_switches switches;
	struct echo_answer answer;
	struct buf out; /* made and not sent yet, from out_sent on */
	size_t out_sent;
	uint64_t filler_left; /* letters to send behind out */
	size_t in_length;
	char in[IN_SIZE]; /* received and not used yet */
};

static const struct h1_limits limits = {
	.line_bytes = 32 << 10,
	.field_bytes = 32 << 10,
	.head_bytes = 40 << 10,
	.fields = HEAD_REQUEST_FIELDS_MAX,
	.underscores = true,
	.keep_odd_names = true,
};

static void connection_end(struct echo_connection *c)
{
	struct echo_server *server = c->server;

	list_remove(&c->link);
	timer_stop(loop_timers(server->loop), &c->timer);
	loop_close(server->loop, &c->source);
	echo_answer_fini(&c->answer);
	buf_fini(&c->out);
	free(c);
	if (server->stopping && list_is_empty(&server->connections))
		loop_stop(server->loop);
}

static void connection_linger(struct echo_connection *c)
{
	c->state = ECHO_LINGERING;
	shutdown(c->source.fd, SHUT_WR);
	timer_start(loop_timers(c->server->loop), &c->timer, LINGER_MS);
}

/* Bytes at the front of `in` were used. */
static void connection_consume(struct echo_connection *c, size_t count)
{
	c->in_length -= count;
	memmove(c->in, c->in + count, c->in_length);
}

/* Reads what there is room for. False: the connection broke. */
static bool connection_fill(struct echo_connection *c)
{
	while (c->readable && !c->at_end && c->in_length < IN_SIZE) {
		ssize_t got = recv(c->source.fd, c->in + c->in_length, IN_SIZE - c->in_length, 0);

		if (got == -1) {
			c->readable = false;
			return errno == EAGAIN;
		}
		c->at_end = got == 0;
		c->in_length += (size_t)got;
	}
	return true;
}

/* Sends bytes; returns how many the kernel took, or -1 when the connection broke. */
static ssize_t send_some(struct echo_connection *c, const char *bytes, size_t length)
{
	ssize_t sent = send(c->source.fd, bytes, length, MSG_NOSIGNAL);

	return sent == -1 && errno == EAGAIN ? 0 : sent;
}

static bool flush_out(struct echo_connection *c)
{
	while (c->out_sent < c->out.len) {
		ssize_t sent = send_some(c, c->out.ptr + c->out_sent, c->out.len - c->out_sent);

		if (sent <= 0)
			return sent == 0;
		c->out_sent += (size_t)sent;
	}
	buf_clear(&c->out);
	c->out_sent = 0;
	return true;
}

static bool flush_filler(struct echo_connection *c)
{
	static char filler[FILLER_SIZE];

	if (filler[0] == '\0')
		memset(filler, 'x', sizeof(filler));
	while (c->filler_left > 0 && c->out.len == 0) {
		size_t part = c->filler_left < FILLER_SIZE ? (size_t)c->filler_left : FILLER_SIZE;
		ssize_t sent = send_some(c, filler, part);

		if (sent <= 0)
			return sent == 0;
		c->filler_left -= (uint64_t)sent;
	}
	return true;
}

/* Sends until the kernel takes no more. False: the connection broke. */
static bool connection_flush(struct echo_connection *c)
{
	return flush_out(c) && flush_filler(c);
}

/* The head of an answer and, where it has one, its body. */
static void write_answer(struct echo_connection *c, unsigned status, struct span text)
{
	bool has_body = status != 204 && status != 304;
	uint64_t size = c->switches.has_bytes ? c->switches.bytes : text.len;
	char memory[512];
	char date[CLOCK_HTTP_SIZE];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	size_t date_length = clock_http_date(date, loop_wall_ns(c->server->loop));

	h1_write_status_line(&writer, status, span_make(NULL, 0));
	h1_write_field(&writer, HEADER_DATE, span_make(date, date_length));
	if (has_body) {
		h1_write_field(&writer, HEADER_CONTENT_TYPE,
			       c->switches.has_bytes ? S("text/plain") : S("application/json"));
		h1_write_field_number(&writer, HEADER_CONTENT_LENGTH, size);
	}
	if (!c->keep_alive)
		h1_write_field(&writer, HEADER_CONNECTION, S("close"));
	h1_write_end(&writer);
	buf_add(&c->out, h1_written(&writer));
	c->state = ECHO_ANSWERING;
	if (!has_body || c->bodiless)
		return;
	if (c->switches.has_bytes)
		c->filler_left = size;
	else
		buf_add(&c->out, text);
}

static bool connection_refuse(struct echo_connection *c, unsigned status, const char *reason)
{
	c->keep_alive = false;
	c->switches = (struct echo_switches){.status = 200};
	write_answer(c, status, echo_answer_refuse(&c->answer, c->server->name, span_from(reason)));
	return true;
}

static void answer_request(struct echo_connection *c)
{
	write_answer(c, c->switches.status, echo_answer_end(&c->answer));
}

static bool request_complete(struct echo_connection *c)
{
	if (c->switches.delay_ms == 0) {
		answer_request(c);
		return true;
	}
	c->state = ECHO_DELAYED;
	timer_start(loop_timers(c->server->loop), &c->timer, c->switches.delay_ms);
	return false;
}

static void begin_websocket(struct echo_connection *c)
{
	char accept[ECHO_ACCEPT_SIZE];
	char memory[256];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

	echo_websocket_accept(c->head.websocket_key, accept);
	h1_write_status_line(&writer, 101, span_make(NULL, 0));
	h1_write_field(&writer, HEADER_UPGRADE, S("websocket"));
	h1_write_field(&writer, HEADER_CONNECTION, S("Upgrade"));
	h1_write_field(&writer, HEADER_SEC_WEBSOCKET_ACCEPT, span_from(accept));
	h1_write_end(&writer);
	buf_add(&c->out, h1_written(&writer));
	c->state = ECHO_WEBSOCKET;
}

/* The head is whole: everything that its spans are needed for is done here. */
static void connection_begin_request(struct echo_connection *c)
{
	struct error err;

	c->keep_alive = c->head.keep_alive && c->head.version_minor == 1 && !c->server->stopping;
	c->bodiless = c->head.method_id == METHOD_HEAD;
	if (echo_switches_parse(c->head.target, &c->switches, &err) == -1) {
		connection_refuse(c, 400, err.text);
		return;
	}
	if (c->head.wants_websocket) {
		begin_websocket(c);
		return;
	}
	echo_answer_begin(&c->answer, c->server->name, &c->peer, &c->head);
	if (c->head.expect_continue)
		buf_add(&c->out, S("HTTP/1.1 100 Continue\r\n\r\n"));
	c->chunks = (struct chunked_decoder){0};
	c->body_left = c->head.content_length;
	c->state = ECHO_BODY;
}

/* Each step does one thing with what has come; true: it got somewhere, so another may follow. */

static bool step_head(struct echo_connection *c)
{
	struct h1_result result;

	if (c->in_length == 0 && c->at_end) {
		c->state = ECHO_ENDED;
		return false;
	}
	if (c->in_length == 0)
		return false;
	c->head = (struct request_head){.headers = c->headers};
	result = h1_parse_request(span_make(c->in, c->in_length), &limits, &c->progress, &c->head);
	if (result.status == H1_MORE) {
		if (c->at_end)
			c->state = ECHO_ENDED;
		return false;
	}
	c->progress = (struct h1_progress){0};
	if (result.status == H1_BAD) {
		const struct fault_facts *facts = fault_facts(result.fault);

		return connection_refuse(c, facts->status, facts->text);
	}
	connection_begin_request(c);
	connection_consume(c, result.consumed);
	return true;
}

static bool step_chunks(struct echo_connection *c)
{
	struct chunked_result result;

	if (c->in_length == 0) {
		if (c->at_end)
			c->state = ECHO_ENDED;
		return false;
	}
	result = chunked_decode(&c->chunks, c->in, c->in_length);
	if (result.status == CHUNKED_BAD)
		return connection_refuse(c, 400, fault_facts(result.fault)->text);
	echo_answer_add_body(&c->answer, span_make(c->in, result.produced));
	connection_consume(c, result.consumed);
	return result.status == CHUNKED_DONE ? request_complete(c) : true;
}

static bool step_body(struct echo_connection *c)
{
	size_t part = c->body_left < c->in_length ? (size_t)c->body_left : c->in_length;

	if (c->head.framing == BODY_CHUNKED)
		return step_chunks(c);
	if (c->at_end && c->body_left > 0 && part == 0) {
		c->state = ECHO_ENDED;
		return false;
	}
	echo_answer_add_body(&c->answer, span_make(c->in, part));
	connection_consume(c, part);
	c->body_left -= part;
	return c->body_left == 0 ? request_complete(c) : part > 0;
}

static bool step_answering(struct echo_connection *c)
{
	if (c->out.len > 0 || c->filler_left > 0)
		return false;
	if (!c->keep_alive || c->server->stopping)
		connection_linger(c);
	else
		c->state = ECHO_HEAD;
	return true;
}

static bool step_websocket(struct echo_connection *c)
{
	enum echo_frame frame;
	size_t used;

	if (c->out.len > OUT_MANY)
		return false;
	frame = echo_websocket_frame(c->in, c->in_length, &c->out, &used);
	connection_consume(c, used);
	if (frame == ECHO_FRAME_CLOSE) {
		c->keep_alive = false;
		c->state = ECHO_ANSWERING;
	} else if (frame == ECHO_FRAME_MORE && c->at_end) {
		c->state = ECHO_ENDED;
	}
	return frame != ECHO_FRAME_MORE;
}

static bool step_lingering(struct echo_connection *c)
{
	bool got = c->in_length > 0;

	c->in_length = 0;
	if (c->at_end)
		c->state = ECHO_ENDED;
	return got;
}

static bool connection_step(struct echo_connection *c)
{
	switch (c->state) {
	case ECHO_HEAD:
		return step_head(c);
	case ECHO_BODY:
		return step_body(c);
	case ECHO_ANSWERING:
		return step_answering(c);
	case ECHO_WEBSOCKET:
		return step_websocket(c);
	case ECHO_LINGERING:
		return step_lingering(c);
	case ECHO_DELAYED:
	case ECHO_ENDED:
		return false;
	}
	return false;
}

/* Everything that can be done now. c may be gone afterwards. */
static void connection_work(struct echo_connection *c)
{
	bool more = true;

	while (more) {
		if (!connection_fill(c) || !connection_flush(c)) {
			connection_end(c);
			return;
		}
		more = connection_step(c);
	}
	if (!connection_flush(c) || c->state == ECHO_ENDED)
		connection_end(c);
}

static void connection_on_ready(struct loop_source *source, uint32_t events)
{
	struct echo_connection *c = container_of(source, struct echo_connection, source);

	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		c->readable = true;
	connection_work(c);
}

static void connection_on_timer(struct timer *timer)
{
	struct echo_connection *c = container_of(timer, struct echo_connection, timer);

	if (c->state == ECHO_LINGERING)
		c->state = ECHO_ENDED;
	else
		answer_request(c);
	connection_work(c);
}

void echo_connection_start(struct echo_server *server, int fd, const struct ip_port *peer)
{
	struct echo_connection *c = memory_new(sizeof(*c));

	c->server = server;
	c->peer = *peer;
	c->source.fd = -1;
	timer_init(&c->timer, connection_on_timer);
	list_add_last(&server->connections, &c->link);
	if (loop_add(server->loop, &c->source, fd, connection_on_ready) == -1) {
		c->source.fd = fd;
		connection_end(c);
	}
}

void echo_server_stop(struct echo_server *server)
{
	server->stopping = true;
	list_for_each_safe (link, &server->connections) {
		struct echo_connection *c = container_of(link, struct echo_connection, link);

		/* a request may lie in the socket whose news are still to be delivered */
		c->readable = true;
		if (!connection_fill(c) || (c->state == ECHO_HEAD && c->in_length == 0))
			connection_end(c);
		else
			connection_work(c);
	}
	if (list_is_empty(&server->connections))
		loop_stop(server->loop);
}

void echo_server_abort(struct echo_server *server)
{
	while (!list_is_empty(&server->connections))
		connection_end(container_of(list_first(&server->connections),
					    struct echo_connection, link));
}
