/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/access_log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "observe/word.h"

/* A value is cut to so many bytes before it is escaped, and to so many after it, so that a line has an end. */
enum {
	VALUE_MAX = 2048,
	ESCAPED_MAX = 4096,
	ESCAPE_BYTES = 6, /* the longest */
	VALUES_MAX = 12,  /* in a line, of either format */
	REST_MAX = 2048,  /* names, numbers, addresses */
	LINE_MAX_BYTES = VALUES_MAX * ESCAPED_MAX + REST_MAX,
};

static_assert((int)LINE_MAX_BYTES <= (int)ACCESS_LOG_ROOM, "a line fits");

static const uint64_t ns_per_s = 1000000000;

static bool is_pipe(int fd)
{
	struct stat st;

	return fd != -1 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

void access_log_init(struct access_log *log, int fd, enum access_log_format format,
		     uint64_t *lines_written, uint64_t *lines_dropped)
{
	log->fd = fd;
	log->format = format;
	log->is_pipe = is_pipe(fd);
	log->lines = 0;
	log->clock_second = 0;
	log->used = 0;
	log->lines_written = lines_written;
	log->lines_dropped = lines_dropped;
}

void access_log_switch(struct access_log *log, int fd)
{
	access_log_flush(log);
	if (log->fd != -1)
		close(log->fd);
	log->fd = fd;
	log->is_pipe = is_pipe(fd);
}

/* A pipe takes up to PIPE_BUF bytes whole or not at all: blocks of whole lines up to that size are not torn
 * between the lines of other workers. Files get everything at once. */
static size_t block_length(const struct access_log *log, size_t from)
{
	size_t left = log->used - from;
	const char *end;

	if (!log->is_pipe || left <= PIPE_BUF)
		return left;
	end = memrchr(log->buffer + from, '\n', PIPE_BUF);
	if (end == NULL)
		end = memchr(log->buffer + from, '\n', left);
	return end == NULL ? left : (size_t)(end - (log->buffer + from)) + 1;
}

static uint32_t count_lines(const char *from, size_t length)
{
	uint32_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += from[i] == '\n';
	return lines;
}

void access_log_flush(struct access_log *log)
{
	size_t from = 0;
	uint32_t written = log->lines;

	while (from < log->used) {
		size_t length = block_length(log, from);
		ssize_t put = write(log->fd, log->buffer + from, length);

		if (put == -1 && errno == EINTR)
			continue;
		if (put <= 0) {
			written -= count_lines(log->buffer + from, log->used - from);
			*log->lines_dropped += log->lines - written;
			break;
		}
		from += (size_t)put;
	}
	*log->lines_written += written;
	log->used = 0;
	log->lines = 0;
}

/* Appending: room was made for a whole line before. */
static void add(struct access_log *log, struct span text)
{
	if (text.len == 0) /* its pointer may be NULL, which memcpy may not get */
		return;
	memcpy(log->buffer + log->used, text.ptr, text.len);
	log->used += text.len;
}

static void add_literal(struct access_log *log, const char *text)
{
	add(log, span_from(text));
}

static void add_number(struct access_log *log, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	add(log, span_make(digits + at, sizeof(digits) - at));
}

/* Seconds with three decimals, as nginx has them. */
static void add_seconds(struct access_log *log, uint32_t us)
{
	uint32_t ms = us / 1000 % 1000;
	char decimals[4] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
			    (char)('0' + ms % 10)};

	add_number(log, us / 1000000);
	add(log, span_make(decimals, sizeof(decimals)));
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Length of the beginning that needs no escape. */
static size_t plain_length(struct span text)
{
	size_t n = 0;

	while (n < text.len && is_plain((unsigned char)text.ptr[n]))
		n++;
	return n;
}

/* nginx: "\xHH"; JSON: "\u00HH", of bytes above 0x7f as if they were Latin-1, which keeps the line valid
 * whatever a client sends. */
static void add_escaped(struct access_log *log, struct span text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t end = log->used + ESCAPED_MAX;

	text = span_take(text, VALUE_MAX);
	for (;;) {
		size_t n = plain_length(text);
		unsigned char c;

		n = n < end - log->used ? n : end - log->used;
		add(log, span_take(text, n));
		text = span_skip(text, n);
		if (text.len == 0 || end - log->used < ESCAPE_BYTES)
			return;
		c = (unsigned char)text.ptr[0];
		if (log->format == ACCESS_LOG_JSON && (c == '"' || c == '\\')) {
			add(log, span_make((const char[]){'\\', (char)c}, 2));
		} else {
			add(log, log->format == ACCESS_LOG_JSON ? S("\\u00") : S("\\x"));
			add(log, span_make((const char[]){hex[c >> 4], hex[c & 15]}, 2));
		}
		text = span_skip(text, 1);
	}
}

static void add_or_dash(struct access_log *log, struct span text)
{
	if (text.len == 0)
		add(log, S("-"));
	else
		add_escaped(log, text);
}

static void add_ip(struct access_log *log, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];

	add(log, span_make(text, ip_write(text, ip)));
}

static void add_ip_port(struct access_log *log, const struct ip_port *at)
{
	char text[IP_PORT_TEXT_SIZE];

	add(log, span_make(text, ip_port_write(text, at)));
}

/* Made once a second. */
static struct span time_text(struct access_log *log, uint64_t wall_ns)
{
	if (log->clock_second != wall_ns / ns_per_s) {
		log->clock_second = wall_ns / ns_per_s;
		clock_log_time(log->time_text, wall_ns);
	}
	return span_from(log->time_text);
}

static void add_request(struct access_log *log, const struct access_record *r)
{
	if (r->method.len == 0)
		return;
	add_escaped(log, r->method);
	add(log, S(" "));
	add_escaped(log, r->target);
	switch (r->protocol) {
	case 10:
		add(log, S(" HTTP/1.0"));
		break;
	case 20:
		add(log, S(" HTTP/2.0"));
		break;
	default:
		add(log, S(" HTTP/1.1"));
		break;
	}
}

enum attempt_figure { FIGURE_ADDRESS, FIGURE_LENGTH, FIGURE_TIME, FIGURE_STATUS };

/* All attempts, separated by ", "; "-" where there was none. */
static void add_attempts(struct access_log *log, const struct access_record *r,
			 enum attempt_figure figure)
{
	uint32_t kept = r->attempt_count < ACCESS_ATTEMPTS_MAX ? r->attempt_count
							       : ACCESS_ATTEMPTS_MAX;

	if (kept == 0)
		add(log, S("-"));
	for (uint32_t i = 0; i < kept; i++) {
		const struct access_attempt *attempt = &r->attempts[i];

		if (i > 0)
			add(log, S(", "));
		switch (figure) {
		case FIGURE_ADDRESS:
			add_ip_port(log, &attempt->endpoint);
			break;
		case FIGURE_LENGTH:
			add_number(log, attempt->response_bytes);
			break;
		case FIGURE_TIME:
			add_seconds(log, attempt->duration_us);
			break;
		case FIGURE_STATUS:
			if (attempt->status == 0)
				add(log, S("-"));
			else
				add_number(log, attempt->status);
			break;
		}
	}
}

static void add_nginx(struct access_log *log, const struct access_record *r)
{
	add_ip(log, &r->client.ip);
	add(log, S(" - - ["));
	add(log, time_text(log, r->wall_ns));
	add(log, S("] \""));
	add_request(log, r);
	add(log, S("\" "));
	add_number(log, r->status);
	add(log, S(" "));
	add_number(log, r->body_bytes_sent);
	add(log, S(" \""));
	add_or_dash(log, r->referer);
	add(log, S("\" \""));
	add_or_dash(log, r->user_agent);
	add(log, S("\" "));
	add_number(log, r->request_bytes);
	add(log, S(" "));
	add_seconds(log, r->duration_us);
	add(log, S(" ["));
	add_or_dash(log, r->upstream);
	add(log, S("] [] "));
	add_attempts(log, r, FIGURE_ADDRESS);
	add(log, S(" "));
	add_attempts(log, r, FIGURE_LENGTH);
	add(log, S(" "));
	add_attempts(log, r, FIGURE_TIME);
	add(log, S(" "));
	add_attempts(log, r, FIGURE_STATUS);
	add(log, S(" "));
	add_or_dash(log, r->request_id);
	add(log, S("\n"));
}

static void add_json_text(struct access_log *log, const char *key, struct span value)
{
	if (value.len == 0)
		return;
	add(log, S(",\""));
	add_literal(log, key);
	add(log, S("\":\""));
	add_escaped(log, value);
	add(log, S("\""));
}

static void add_json_number(struct access_log *log, const char *key, uint64_t value)
{
	add(log, S(",\""));
	add_literal(log, key);
	add(log, S("\":"));
	add_number(log, value);
}

static void add_json_seconds(struct access_log *log, const char *key, uint32_t us)
{
	char decimals[7] = ".";

	for (uint32_t i = 6, rest = us % 1000000; i > 0; i--, rest /= 10)
		decimals[i] = (char)('0' + rest % 10);
	add_json_number(log, key, us / 1000000);
	add(log, span_make(decimals, sizeof(decimals)));
}

static void add_json_attempts(struct access_log *log, const struct access_record *r)
{
	const struct access_attempt *last;

	if (r->attempt_count == 0)
		return;
	last = &r->attempts[(r->attempt_count < ACCESS_ATTEMPTS_MAX ? r->attempt_count
								    : ACCESS_ATTEMPTS_MAX) -
			    1];
	add(log, S(",\"endpoint\":\""));
	add_ip_port(log, &last->endpoint);
	add(log, S("\""));
	add_json_number(log, "attempts", r->attempt_count);
	if (last->status != 0)
		add_json_number(log, "upstream_status", last->status);
}

static void add_json_stages(struct access_log *log, const struct access_record *r)
{
	const struct access_attempt *last;

	if (r->attempt_count == 0 || r->attempt_count > ACCESS_ATTEMPTS_MAX)
		return;
	last = &r->attempts[r->attempt_count - 1];
	add(log, S(",\"stages\":{\"connect\":"));
	add_seconds(log, last->connect_us);
	add_json_seconds(log, "first_byte", last->header_us);
	add(log, S("}"));
}

static void add_json_begin(struct access_log *log, const struct access_record *r)
{
	char time[CLOCK_RFC3339_SIZE];
	char address[IP_TEXT_SIZE];

	add(log, S("{\"time\":\""));
	add(log, span_make(time, clock_rfc3339(time, r->wall_ns)));
	add(log, S("\""));
	add_json_text(log, "request_id", r->request_id);
	add_json_text(log, "client.address", span_make(address, ip_write(address, &r->client.ip)));
	add_json_number(log, "client.port", r->client.port);
}

static void add_json_route(struct access_log *log, const struct access_record *r)
{
	add_json_text(log, "k8s.namespace.name", r->namespace);
	add_json_text(log, "ingress", r->ingress);
	add_json_text(log, "http.route", r->path);
	add_json_text(log, "service", r->service);
	add_json_text(log, "service_port", r->service_port);
}

static void add_json_end(struct access_log *log, const struct access_record *r)
{
	add_json_text(log, "reason", r->reason);
	add_json_number(log, "generation", r->generation);
	add(log, S("}\n"));
}

static void add_json(struct access_log *log, const struct access_record *r)
{
	size_t query = span_find(r->target, '?');

	add_json_begin(log, r);
	add_json_text(log, "http.request.method", r->method);
	add_json_text(log, "url.scheme", S("http"));
	add_json_text(log, "server.address", r->host);
	add_json_text(log, "url.path", span_take(r->target, query));
	add_json_text(log, "network.protocol.version", span_from(word_protocol(r->protocol)));
	add_json_number(log, "http.response.status_code", r->status);
	add_json_number(log, "http.response.body.size", r->body_bytes_sent);
	add_json_number(log, "http.request.size", r->request_bytes);
	add_json_text(log, "user_agent.original", r->user_agent);
	add_json_text(log, "http.request.referrer", r->referer);
	add_json_route(log, r);
	add_json_attempts(log, r);
	add_json_seconds(log, "duration", r->duration_us);
	add_json_stages(log, r);
	add_json_end(log, r);
}

static void add_nginx_stream(struct access_log *log, const struct access_record *r)
{
	add(log, S("["));
	add_ip(log, &r->client.ip);
	add(log, S("] ["));
	add(log, time_text(log, r->wall_ns));
	add(log, S("] TCP "));
	add_number(log, r->status);
	add(log, S(" "));
	add_number(log, r->response_bytes);
	add(log, S(" "));
	add_number(log, r->request_bytes);
	add(log, S(" "));
	add_seconds(log, r->duration_us);
	add(log, S("\n"));
}

static void add_json_stream(struct access_log *log, const struct access_record *r)
{
	add_json_begin(log, r);
	add_json_text(log, "network.transport", S("tcp"));
	add_json_text(log, "server.address", r->host);
	add_json_number(log, "bytes_sent", r->response_bytes);
	add_json_number(log, "bytes_received", r->request_bytes);
	add_json_route(log, r);
	add_json_attempts(log, r);
	add_json_seconds(log, "duration", r->duration_us);
	add_json_end(log, r);
}

/* Room for a line. False: there is no log. */
static bool begin_line(struct access_log *log)
{
	if (log->fd == -1)
		return false;
	if (sizeof(log->buffer) - log->used < LINE_MAX_BYTES)
		access_log_flush(log);
	log->lines++;
	return true;
}

void access_log_add(struct access_log *log, const struct access_record *record)
{
	if (!begin_line(log))
		return;
	if (log->format == ACCESS_LOG_JSON)
		add_json(log, record);
	else
		add_nginx(log, record);
}

void access_log_add_stream(struct access_log *log, const struct access_record *record)
{
	if (!begin_line(log))
		return;
	if (log->format == ACCESS_LOG_JSON)
		add_json_stream(log, record);
	else
		add_nginx_stream(log, record);
}
