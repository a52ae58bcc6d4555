/* SPDX-License-Identifier: Apache-2.0 */
/* First lines, and what the fields of a complete head mean together. How lines and fields are read is
 * in h1_reader.c. */
#include "http/h1_parse.h"

#include <string.h>

#include "http/field.h"
#include "http/h1_reader.h"
#include "http/scan.h"
#include "http/token.h"
#include "http/websocket.h"

enum {
	VERSION_BYTES = 8,
	STATUS_MIN = 100,
	STATUS_MAX = 599,
};

/* ---- the request ---- */

/* What can be said of a request before its first line is complete: H5, H10, H16. */
static enum fault judge_first_byte(char byte, bool after_empty_line)
{
	enum { TLS_HANDSHAKE = 0x16 };

	if (token_byte_is(byte, TOKEN_CHAR))
		return FAULT_NONE;
	if (byte == '\r')
		return after_empty_line ? FAULT_BAD_REQUEST_LINE : FAULT_NONE;
	if (byte == '\n')
		return FAULT_BAD_LINE_END;
	return byte == TLS_HANDSHAKE ? FAULT_TLS_ON_PLAIN_PORT : FAULT_BAD_METHOD;
}

/* H12 to H15. "PRI * HTTP/2.0" of HTTP/2 ends here as well (H10). */
static enum fault read_version(struct span version, uint8_t *minor)
{
	const char *at = version.ptr;

	if (version.len != VERSION_BYTES || memcmp(at, "HTTP/", 5) != 0 || at[5] < '0' ||
	    at[5] > '9' || at[6] != '.' || at[7] < '0' || at[7] > '9')
		return FAULT_BAD_VERSION;
	if (at[5] != '1' || at[7] > '1')
		return FAULT_VERSION_NOT_SUPPORTED;
	*minor = (uint8_t)(at[7] - '0');
	return FAULT_NONE;
}

/* H11 to H19, H27, H28. Grammar before meaning: 400 before 505, 501 and 405. */
static enum fault read_request_line(struct span line, struct request_head *head)
{
	const char *end = line.ptr + line.len;
	const char *at = line.ptr;
	enum fault fault;

	while (token_byte_is(*at, TOKEN_CHAR))
		at++;
	head->method = (struct span){line.ptr, (size_t)(at - line.ptr)};
	if (at == end)
		return FAULT_BAD_REQUEST_LINE;
	if (*at != ' ' || head->method.len == 0)
		return FAULT_BAD_METHOD;
	head->target.ptr = ++at;
	at = scan_target(at, end);
	head->target.len = (size_t)(at - head->target.ptr);
	if (at == end || head->target.len == 0)
		return FAULT_BAD_REQUEST_LINE;
	if (*at != ' ')
		return FAULT_BAD_TARGET;
	at++;
	fault = read_version((struct span){at, (size_t)(end - at)}, &head->version_minor);
	if (fault != FAULT_NONE)
		return fault;
	return method_parse(head->method, &head->method_id);
}

/* The request line, behind at most one empty line (H5). */
static enum fault read_first_line(const struct h1_reader *reader, struct request_head *head)
{
	struct h1_progress *progress = reader->progress;

	while (progress->line_at < reader->bytes.len) {
		struct span line;
		enum fault fault = judge_first_byte(reader->bytes.ptr[progress->line_at],
						    progress->empty_lines > 0);

		if (fault == FAULT_NONE)
			fault = h1_reader_next_line(reader, &line);
		if (fault != FAULT_NONE || line.ptr == NULL)
			return fault;
		if (line.len == 0) {
			progress->empty_lines++;
			continue;
		}
		progress->phase = H1_PHASE_FIELDS;
		return read_request_line(line, head);
	}
	return FAULT_NONE;
}

/* H56, H57. */
static enum fault read_expectation(const struct h1_reader *reader, struct request_head *head)
{
	if (!h1_reader_has(reader, HEADER_EXPECT))
		return FAULT_NONE;
	if (!field_each_says(reader->headers, *reader->header_count, HEADER_EXPECT,
			     S("100-continue")))
		return FAULT_EXPECTATION_FAILED;
	head->expect_continue = head->version_minor == 1 && head->framing != BODY_NONE;
	return FAULT_NONE;
}

/* H58. One field of each kind with one value; anything else is an ordinary request. */
static void read_websocket(const struct h1_reader *reader, const struct h1_connection *connection,
			   struct request_head *head)
{
	struct span key;

	if (!connection->upgrade || head->method_id != METHOD_GET || head->version_minor != 1 ||
	    head->framing != BODY_NONE || !h1_reader_has(reader, HEADER_UPGRADE))
		return;
	key = h1_reader_kept_value(reader, HEADER_SEC_WEBSOCKET_KEY);
	if (!websocket_key_is_valid(key) ||
	    !span_equals(h1_reader_kept_value(reader, HEADER_SEC_WEBSOCKET_VERSION), S("13")))
		return;
	if (!span_equals_nocase(h1_reader_only_value(reader, HEADER_UPGRADE), S("websocket")))
		return;
	head->wants_websocket = true;
	head->websocket_key = key;
}

static bool accepts_trailers(const struct h1_reader *reader)
{
	const struct header *header;
	uint32_t at = 0;

	if (!h1_reader_has(reader, HEADER_TE))
		return false;
	while ((header = h1_reader_next(reader, HEADER_TE, &at)) != NULL) {
		struct span rest = header->value;

		do {
			struct span piece = span_cut(&rest, ',');

			if (span_equals_nocase(span_trim(piece), S("trailers")))
				return true;
		} while (rest.ptr != NULL);
	}
	return false;
}

/* What the fields of a complete request say together. */
static enum fault settle_request(const struct h1_reader *reader, struct request_head *head)
{
	const struct header *host = h1_reader_find(reader, HEADER_HOST);
	struct h1_framing framing;
	struct h1_connection connection;
	enum fault fault;

	if (host == NULL ? head->version_minor == 1 : host->value.len == 0)
		return FAULT_BAD_HOST; /* H33, H35, H37 */
	if (host != NULL)
		head->host = host->value;
	fault = h1_reader_framing(reader, head->version_minor, &framing);
	if (fault != FAULT_NONE)
		return fault;
	head->has_content_length = framing.has_length;
	head->content_length = framing.length;
	if (framing.chunked)
		head->framing = BODY_CHUNKED;
	else
		head->framing = framing.length > 0 ? BODY_LENGTH : BODY_NONE;
	fault = h1_reader_connection(reader, &connection);
	if (fault != FAULT_NONE)
		return fault;
	head->keep_alive = head->version_minor == 1 && !connection.close; /* H51, H53 */
	fault = read_expectation(reader, head);
	if (fault != FAULT_NONE)
		return fault;
	read_websocket(reader, &connection, head);
	head->accepts_trailers = head->version_minor == 1 && accepts_trailers(reader);
	return FAULT_NONE;
}

static struct h1_result bad(enum fault fault)
{
	return (struct h1_result){.status = H1_BAD, .fault = fault};
}

struct h1_result h1_parse_request(struct span bytes, const struct h1_limits *limits,
				  struct h1_progress *progress, struct request_head *head)
{
	struct h1_reader reader = {
		.bytes = bytes,
		.limits = limits,
		.progress = progress,
		.headers = head->headers,
		.header_count = &head->header_count,
		.present = head->present,
		.once = H1_ONCE_IN_REQUEST,
		.keep_odd_names = limits->keep_odd_names,
	};
	enum fault fault = FAULT_NONE;
	bool complete = false;

	if (progress->phase == H1_PHASE_START) {
		*head = (struct request_head){.headers = reader.headers};
		progress->phase = H1_PHASE_FIRST_LINE;
	}
	if (progress->phase == H1_PHASE_FIRST_LINE)
		fault = read_first_line(&reader, head);
	if (fault == FAULT_NONE && progress->phase == H1_PHASE_FIELDS)
		fault = h1_reader_fields(&reader, &complete);
	if (fault == FAULT_NONE && complete)
		fault = settle_request(&reader, head);
	if (fault != FAULT_NONE)
		return bad(fault);
	if (!complete)
		return (struct h1_result){.status = H1_MORE};
	return (struct h1_result){.status = H1_DONE, .consumed = progress->line_at};
}

/* ---- the response ---- */

/* U2: "HTTP/1.1 200 OK". The blank before an empty reason may be absent. */
static bool read_status_line(struct span line, struct response_head *head)
{
	enum { STATUS_AT = VERSION_BYTES + 1, REASON_AT = STATUS_AT + 4 };
	unsigned status = 0;

	if (line.len < STATUS_AT + 3 || line.ptr[VERSION_BYTES] != ' ' ||
	    read_version((struct span){line.ptr, VERSION_BYTES}, &head->version_minor) !=
		    FAULT_NONE)
		return false;
	for (size_t i = STATUS_AT; i < STATUS_AT + 3; i++) {
		if (line.ptr[i] < '0' || line.ptr[i] > '9')
			return false;
		status = status * 10 + (unsigned)(line.ptr[i] - '0');
	}
	if (status < STATUS_MIN || status > STATUS_MAX)
		return false;
	head->status = (uint16_t)status;
	head->reason = span_skip(line, REASON_AT);
	return line.len < REASON_AT || line.ptr[REASON_AT - 1] == ' ';
}

/* Whether one of two texts begins with the other. */
static bool agree(struct span a, struct span b)
{
	return span_starts_with(a, span_take(b, a.len));
}

static enum fault read_first_response_line(const struct h1_reader *reader,
					   struct response_head *head)
{
	struct span line;
	enum fault fault;

	/* text of another protocol is told before it ends its line, if it ever does */
	if (!agree(reader->bytes, S("HTTP/1.")))
		return FAULT_BAD_RESPONSE;
	fault = h1_reader_next_line(reader, &line);
	if (fault != FAULT_NONE || line.ptr == NULL)
		return fault;
	reader->progress->phase = H1_PHASE_FIELDS;
	return read_status_line(line, head) ? FAULT_NONE : FAULT_BAD_RESPONSE;
}

/* RFC 9112, 6.3; U7. */
static void settle_framing(const struct h1_framing *framing, enum method request_method,
			   struct response_head *head)
{
	bool interim_or_empty = head->status < 200 || head->status == 204;

	head->has_content_length = framing->has_length && !interim_or_empty;
	head->content_length = head->has_content_length ? framing->length : 0;
	if (request_method == METHOD_HEAD || interim_or_empty || head->status == 304)
		head->framing = BODY_NONE;
	else if (framing->chunked)
		head->framing = BODY_CHUNKED;
	else if (!framing->has_length)
		head->framing = BODY_CLOSE;
	else
		head->framing = framing->length > 0 ? BODY_LENGTH : BODY_NONE;
}

static enum fault settle_response(const struct h1_reader *reader, enum method request_method,
				  struct response_head *head)
{
	struct h1_framing framing;
	struct h1_connection connection;
	enum fault fault = h1_reader_framing(reader, head->version_minor, &framing);

	if (fault == FAULT_NONE)
		fault = h1_reader_connection(reader, &connection);
	if (fault != FAULT_NONE)
		return fault;
	settle_framing(&framing, request_method, head);
	head->keep_alive = head->framing != BODY_CLOSE && !connection.close &&
			   (head->version_minor == 1 || connection.keep_alive);
	head->connection_upgrade = connection.upgrade;
	if (head->status == 101)
		head->upgrade = h1_reader_only_value(reader, HEADER_UPGRADE);
	head->websocket_accept = h1_reader_kept_value(reader, HEADER_SEC_WEBSOCKET_ACCEPT);
	return FAULT_NONE;
}

/* A client hears no more of a backend's mistake than these two. */
static enum fault response_fault(enum fault fault)
{
	if (fault == FAULT_LINE_TOO_LONG || fault == FAULT_HEAD_TOO_LARGE ||
	    fault == FAULT_TOO_MANY_FIELDS)
		return FAULT_RESPONSE_HEAD_TOO_LARGE;
	return FAULT_BAD_RESPONSE;
}

struct h1_result h1_parse_response(struct span bytes, const struct h1_limits *limits,
				   enum method request_method, struct h1_progress *progress,
				   struct response_head *head)
{
	struct h1_reader reader = {
		.bytes = bytes,
		.limits = limits,
		.progress = progress,
		.headers = head->headers,
		.header_count = &head->header_count,
		.present = head->present,
		.once = H1_ONCE_IN_RESPONSE,
		.keep_odd_names = true,
		.is_response = true,
	};
	enum fault fault = FAULT_NONE;
	bool complete = false;

	if (progress->phase == H1_PHASE_START) {
		*head = (struct response_head){.headers = reader.headers};
		progress->phase = H1_PHASE_FIRST_LINE;
	}
	if (progress->phase == H1_PHASE_FIRST_LINE && bytes.len > 0)
		fault = read_first_response_line(&reader, head);
	if (fault == FAULT_NONE && progress->phase == H1_PHASE_FIELDS)
		fault = h1_reader_fields(&reader, &complete);
	if (fault == FAULT_NONE && complete)
		fault = settle_response(&reader, request_method, head);
	if (fault != FAULT_NONE)
		return bad(response_fault(fault));
	if (!complete)
		return (struct h1_result){.status = H1_MORE};
	return (struct h1_result){.status = H1_DONE, .consumed = progress->line_at};
}
