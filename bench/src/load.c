/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "loopback.h"
#include "program.h"
#include "response.h"

enum {
	EVENTS = 256,
	READ_MAX = 1 << 18,
	REQUEST_MAX = 1024,
	FAILURES_MAX = 10000 /* where a tenth of all fails as well, there is nothing to measure */
};

/* CONNECTING -> IDLE -> WAITING -> IDLE …; with one request a connection WAITING -> ENDING, where the server is
 * left to close first, so that the ports of closed connections rest on its side. */
enum line_state { LINE_CONNECTING, LINE_IDLE, LINE_WAITING, LINE_ENDING };

struct line {
	struct list idle; /* in load.idle while LINE_IDLE and nothing is due */
	uint64_t due_ns;
	int fd;
	enum line_state state;
	struct response response;
};

struct load {
	const struct load_options *options;
	struct load_result *result;
	struct line *lines;
	struct list idle; /* the one that waits longest first, so that all are used */
	uint64_t start_ns;
	uint64_t measure_ns;
	uint64_t end_ns;
	uint64_t begun; /* open loop: requests that were due so far and went out */
	uint32_t idle_count;
	uint32_t next_source;
	int epoll;
	int request_length;
	bool resting; /* at the gate: no request begins */
	char request[REQUEST_MAX];
};

static volatile sig_atomic_t stopped;
static char read_buffer[READ_MAX];

void load_stop(void)
{
	stopped = 1;
}

static bool is_open_loop(const struct load *load)
{
	return load->options->rate > 0;
}

static void line_open(struct load *load, struct line *line);

static void check_failures(const struct load *load)
{
	const struct load_result *result = load->result;
	uint64_t failures = result->cut + result->refused + result->unexpected;

	if (failures > FAILURES_MAX && failures > result->requests / 10)
		program_fail("%llu failures beside %llu answers: %llu cut, %llu refused, %llu "
			     "unexpected",
			     (unsigned long long)failures, (unsigned long long)result->requests,
			     (unsigned long long)result->cut, (unsigned long long)result->refused,
			     (unsigned long long)result->unexpected);
}

static void line_reopen(struct load *load, struct line *line)
{
	if (line->state == LINE_IDLE && line->idle.next != &line->idle) {
		list_remove(&line->idle);
		load->idle_count--;
	}
	close(line->fd);
	line_open(load, line);
}

static void line_fail(struct load *load, struct line *line, uint64_t *counter)
{
	(*counter)++;
	check_failures(load);
	line_reopen(load, line);
}

static void line_send(struct load *load, struct line *line, uint64_t due_ns)
{
	line->due_ns = due_ns;
	line->state = LINE_WAITING;
	response_init(&line->response);
	/* a failure is seen when the connection is read */
	(void)send(line->fd, load->request, (size_t)load->request_length, MSG_NOSIGNAL);
}

/* The connection can take a request. */
static void line_ready(struct load *load, struct line *line)
{
	if (!is_open_loop(load) && !load->resting) {
		line_send(load, line,
			  load->options->one_request ? line->due_ns : clock_monotonic_ns());
		return;
	}
	line->state = LINE_IDLE;
	list_add_last(&load->idle, &line->idle);
	load->idle_count++;
}

static void line_open(struct load *load, struct line *line)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = line};

	line->state = LINE_CONNECTING;
	line->due_ns = clock_monotonic_ns();
	line->fd = loopback_connect(load->options->port, load->next_source, LOOPBACK_NON_BLOCKING);
	load->next_source = (load->next_source + 1) % load->options->sources;
	if (line->fd == -1)
		program_fail_sys("cannot connect to port %u", load->options->port);
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, line->fd, &event) == -1)
		program_fail_sys("cannot wait for a connection");
}

static void on_connected(struct load *load, struct line *line)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1 || error != 0) {
		line_fail(load, line, &load->result->refused);
		return;
	}
	if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, line->fd, &event) == -1)
		program_fail_sys("cannot wait for an answer");
	line_ready(load, line);
}

static void count_answer(struct load *load, const struct line *line)
{
	uint64_t now_ns = clock_monotonic_ns();

	load->result->requests++;
	if (now_ns >= load->measure_ns && now_ns < load->end_ns)
		histogram_add(&load->result->latency, now_ns - line->due_ns);
}

static void on_answer(struct load *load, struct line *line)
{
	if (load->options->one_request) {
		line->state = LINE_ENDING;
		return;
	}
	count_answer(load, line);
	if (line->response.ends_connection) {
		load->result->reconnects++;
		line_reopen(load, line);
	} else {
		line_ready(load, line);
	}
}

static void on_end(struct load *load, struct line *line)
{
	if (line->state == LINE_WAITING) {
		line_fail(load, line, &load->result->cut);
		return;
	}
	if (line->state == LINE_ENDING)
		count_answer(load, line);
	else
		load->result->reconnects++;
	line_reopen(load, line);
}

static void on_bytes(struct load *load, struct line *line, size_t length)
{
	load->result->bytes += length;
	if (line->state != LINE_WAITING) {
		line_fail(load, line, &load->result->unexpected);
		return;
	}
	switch (response_take(&line->response, span_make(read_buffer, length))) {
	case RESPONSE_MORE:
		return;
	case RESPONSE_DONE:
		on_answer(load, line);
		return;
	case RESPONSE_BAD:
		if (load->result->unexpected == 0)
			fprintf(stderr, "loadgen: unexpected answer: %.*s\n",
				(int)(length < 60 ? length : 60), read_buffer);
		line_fail(load, line, &load->result->unexpected);
		return;
	}
}

/* Large bodies are dropped in the kernel (MSG_TRUNC): the generator shares its CPU with the server that
 * sends them. */
static void on_readable(struct load *load, struct line *line)
{
	bool drops = line->state == LINE_WAITING && line->response.has_head &&
		     line->response.body_left > READ_MAX;
	ssize_t length = recv(line->fd, read_buffer, READ_MAX, drops ? MSG_TRUNC : 0);

	if (length > 0)
		on_bytes(load, line, (size_t)length);
	else if (length == 0 || (errno != EAGAIN && errno != EINTR))
		on_end(load, line);
}

static uint64_t next_due_ns(const struct load *load)
{
	return load->start_ns + (uint64_t)((double)load->begun * 1e9 / load->options->rate);
}

static struct line *take_idle(struct load *load)
{
	struct line *line = container_of(list_first(&load->idle), struct line, idle);

	list_remove(&line->idle);
	load->idle_count--;
	return line;
}

static void send_due(struct load *load)
{
	uint64_t now_ns = clock_monotonic_ns();

	while (!list_is_empty(&load->idle) && next_due_ns(load) <= now_ns) {
		uint64_t due_ns = next_due_ns(load);

		load->begun++;
		line_send(load, take_idle(load), due_ns);
	}
}

static void wait_for_events(struct load *load, uint64_t until_ns)
{
	struct epoll_event events[EVENTS];
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec timeout = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
	int count = epoll_pwait2(load->epoll, events, EVENTS, &timeout, NULL);

	for (int i = 0; i < count; i++) {
		struct line *line = events[i].data.ptr;

		if (line->state == LINE_CONNECTING)
			on_connected(load, line);
		else
			on_readable(load, line);
	}
}

static void run_until(struct load *load, uint64_t end_ns)
{
	uint64_t now_ns = clock_monotonic_ns();

	while (now_ns < end_ns && !stopped) {
		uint64_t until_ns = end_ns;

		if (is_open_loop(load) && !list_is_empty(&load->idle) && next_due_ns(load) < end_ns)
			until_ns = next_due_ns(load);
		wait_for_events(load, until_ns);
		if (is_open_loop(load))
			send_due(load);
		now_ns = clock_monotonic_ns();
	}
}

/* Every connection rests, with its answer read; then somebody says go. */
static void pass_gate(struct load *load)
{
	char byte;

	load->resting = true;
	while (load->idle_count < load->options->connections && !stopped)
		wait_for_events(load, UINT64_MAX / 2);
	puts("warm");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		return;
	load->resting = false;
	load->result->gated = load->result->requests;
	load->measure_ns = clock_monotonic_ns();
	load->end_ns = load->measure_ns + (uint64_t)(load->options->seconds * 1e9);
	while (!list_is_empty(&load->idle))
		line_ready(load, take_idle(load));
}

static void load_init(struct load *load)
{
	const struct load_options *options = load->options;

	load->request_length = snprintf(
		load->request, sizeof(load->request),
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadgen\r\nAccept: */*\r\n%s\r\n",
		options->target, options->host,
		options->one_request ? "Connection: close\r\n" : "");
	if (load->request_length >= REQUEST_MAX)
		program_fail("host and target are too long");
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll == -1)
		program_fail_sys("cannot make an epoll descriptor");
	list_init(&load->idle);
	load->lines = memory_new_array(options->connections, sizeof(*load->lines));
	load->start_ns = clock_monotonic_ns();
	load->measure_ns = load->start_ns + (uint64_t)(options->warm_seconds * 1e9);
	load->end_ns = options->seconds > 0 ? load->measure_ns + (uint64_t)(options->seconds * 1e9)
					    : UINT64_MAX / 2;
	for (uint32_t i = 0; i < options->connections; i++) {
		list_init(&load->lines[i].idle);
		line_open(load, &load->lines[i]);
	}
}

void load_run(const struct load_options *options, struct load_result *result)
{
	static struct load load;

	load.options = options;
	load.result = result;
	load_init(&load);
	if (options->gate) {
		run_until(&load, load.measure_ns);
		pass_gate(&load);
	}
	run_until(&load, load.end_ns);
	result->gated = result->requests - result->gated;
	result->seconds = (double)(clock_monotonic_ns() - load.measure_ns) / 1e9;
}
