/* SPDX-License-Identifier: Apache-2.0 */
/* How a head is read: line by line, each in two steps. First the end of the line is looked for, and
 * with it every control byte, sixteen bytes at a time; what breaks the rules of lines is told at
 * the byte that breaks them, so that it makes no difference in which pieces the bytes came. A line
 * that is complete is then taken apart. When the empty line has come, what the fields mean together
 * is settled: framing, Connection, Expect, Upgrade.
 */
#include "http/h1_parse.h"

#include <assert.h>
#include <string.h>

#include "http/scan.h"
#include "http/token.h"
#include "http/websocket.h"

enum phase { PHASE_START, PHASE_FIRST_LINE, PHASE_FIELDS };

enum {
	CRLF_BYTES = 2,
	FIELD_OVERHEAD_BYTES =
		32,             /* counted for each field beside its bytes (security spec, 3.7) */
	METHOD_BYTES_MAX = 24,  /* H17 */
	LENGTH_DIGITS_MAX = 19, /* H41 */
	CONNECTION_OPTIONS_MAX = 64, /* each is compared with each field: bounds that work */
	STATUS_MIN = 100,
	STATUS_MAX = 599,
	VERSION_BYTES = 8,
};

#define ID_BIT(id) (UINT64_C(1) << (id))

/* Fields that may come once, by the bits of the first word of `present`. */
#define ONCE_IN_RESPONSE (ID_BIT(HEADER_CONTENT_LENGTH) | ID_BIT(HEADER_TRANSFER_ENCODING))
#define ONCE_IN_REQUEST  (ID_BIT(HEADER_HOST) | ONCE_IN_RESPONSE)

static_assert(HEADER_HOST < 64 && HEADER_CONTENT_LENGTH < 64 && HEADER_TRANSFER_ENCODING < 64,
	      "fields that may come once are in the first word");

/* What requests and responses have in common while they are read. */
struct reader {
	struct span bytes;
	const struct h1_limits *limits;
	struct h1_progress *progress;
	struct header *headers;
	uint32_t *header_count;
	uint64_t *present;
	uint64_t once;       /* ONCE_IN_… */
	bool keep_odd_names; /* token names beyond H9 pass */
};

static bool has(const struct reader *reader, enum header_id id)
{
	return (reader->present[id / 64] >> (id % 64) & 1) != 0;
}

/* The first field with that id from *at on, or NULL; *at is then behind it. */
static struct header *next_field(const struct reader *reader, enum header_id id, uint32_t *at)
{
	while (*at < *reader->header_count) {
		struct header *header = &reader->headers[(*at)++];

		if (header->id == id)
			return header;
	}
	return NULL;
}

static const struct header *find_field(const struct reader *reader, enum header_id id)
{
	uint32_t at = 0;

	return has(reader, id) ? next_field(reader, id, &at) : NULL;
}

/* The field with that id if it is there once, else NULL. */
static const struct header *only_field(const struct reader *reader, enum header_id id)
{
	uint32_t at = 0;
	const struct header *header = has(reader, id) ? next_field(reader, id, &at) : NULL;

	return header != NULL && next_field(reader, id, &at) == NULL ? header : NULL;
}

/* The value of a field that is there once and was not named in Connection; else empty. */
static struct span only_kept_value(const struct reader *reader, enum header_id id)
{
	const struct header *header = only_field(reader, id);

	return header == NULL || header->dropped ? (struct span){NULL, 0} : header->value;
}

/* The value of Upgrade if it is there once; that Connection names it is as it must be. */
static struct span upgrade_value(const struct reader *reader)
{
	const struct header *header = only_field(reader, HEADER_UPGRADE);

	return header == NULL ? (struct span){NULL, 0} : header->value;
}

/* ---- lines ---- */

/* What a control byte at `at` means in the line that begins at `begin`. */
static enum fault control_fault(const struct reader *reader, const char *begin, const char *at)
{
	if (*at == '\r' || *at == '\n')
		return FAULT_BAD_LINE_END; /* H1, H2 */
	if (reader->progress->phase != PHASE_FIELDS)
		return FAULT_BAD_REQUEST_LINE;
	return memchr(begin, ':', (size_t)(at - begin)) == NULL ? FAULT_BAD_FIELD        /* H8 */
								: FAULT_BAD_FIELD_VALUE; /* H3 */
}

static enum fault check_line_size(const struct reader *reader, size_t length)
{
	const struct h1_limits *limits = reader->limits;

	if (reader->progress->phase != PHASE_FIELDS)
		return length > limits->line_bytes ? FAULT_LINE_TOO_LONG : FAULT_NONE;
	if (length > limits->field_bytes || reader->progress->line_at + length > limits->head_bytes)
		return FAULT_HEAD_TOO_LARGE;
	return FAULT_NONE;
}

/* The next line, without its CRLF. A NULL pointer: its end has not come yet. A line that is returned
 * holds no control byte but HTAB, and the bytes behind it can be read: they are CR and LF. */
static enum fault next_line(const struct reader *reader, struct span *line)
{
	struct h1_progress *progress = reader->progress;
	const char *begin = reader->bytes.ptr + progress->line_at;
	const char *end = reader->bytes.ptr + reader->bytes.len;
	const char *at = scan_control(begin + progress->scanned, end);
	size_t length = (size_t)(at - begin);
	enum fault fault = check_line_size(reader, length);

	*line = (struct span){NULL, 0};
	if (fault != FAULT_NONE)
		return fault;
	if (at == end || (*at == '\r' && at + 1 == end)) {
		progress->scanned = (uint32_t)length;
		return FAULT_NONE;
	}
	if (at[0] != '\r' || at[1] != '\n')
		return control_fault(reader, begin, at);
	progress->line_at += (uint32_t)length + CRLF_BYTES;
	progress->scanned = 0;
	*line = (struct span){begin, length};
	return FAULT_NONE;
}

/* ---- fields ---- */

static inline bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static inline struct span trim(const char *begin, const char *end)
{
	while (begin < end && is_blank(*begin))
		begin++;
	while (end > begin && is_blank(end[-1]))
		end--;
	return (struct span){begin, (size_t)(end - begin)};
}

static enum fault repeated_fault(enum header_id id)
{
	if (id == HEADER_HOST)
		return FAULT_BAD_HOST;                                    /* H33 */
	return id == HEADER_CONTENT_LENGTH ? FAULT_BAD_CONTENT_LENGTH     /* H39 */
					   : FAULT_BAD_TRANSFER_ENCODING; /* H43 */
}

/* Whether a backend that reads '_' (and its like) as '-' takes the name for a field that we own. */
static bool looks_like_ours(struct span name)
{
	char plain[64];
	enum header_way way;

	if (name.len > sizeof(plain))
		return false;
	for (size_t i = 0; i < name.len; i++)
		plain[i] = token_byte_is(name.ptr[i], TOKEN_PLAIN) ? name.ptr[i] : '-';
	way = header_request_way(header_find((struct span){plain, name.len}));
	return way != HEADER_WAY_PASS;
}

/* H9: a name of other characters than letters, digits and '-'. */
static enum fault judge_odd_name(const struct reader *reader, struct header *header)
{
	bool keep = reader->keep_odd_names;

	if (!keep && reader->limits->underscores) {
		keep = true;
		for (size_t i = 0; i < header->name.len; i++)
			keep &= header->name.ptr[i] == '_' ||
				token_byte_is(header->name.ptr[i], TOKEN_PLAIN);
	}
	header->dropped = !keep;
	return keep && looks_like_ours(header->name) ? FAULT_BAD_FIELD : FAULT_NONE;
}

/* Takes a line apart (H6 to H9) and adds it to the list. */
static enum fault add_field(const struct reader *reader, struct span line)
{
	const struct h1_limits *limits = reader->limits;
	struct h1_progress *progress = reader->progress;
	const char *end = reader->bytes.ptr + reader->bytes.len;
	const char *colon = scan_plain(line.ptr, end);
	struct header *header;
	bool is_plain = *colon == ':';
	uint64_t bit;

	/* the CR behind the line is no token character and ends this at last */
	while (token_byte_is(*colon, TOKEN_CHAR))
		colon++;
	if (*colon != ':' || colon == line.ptr)
		return FAULT_BAD_FIELD;
	if (*reader->header_count == limits->fields)
		return FAULT_TOO_MANY_FIELDS;
	header = &reader->headers[*reader->header_count];
	header->name = (struct span){line.ptr, (size_t)(colon - line.ptr)};
	header->value = trim(colon + 1, line.ptr + line.len);
	header->id = (uint16_t)header_find(header->name);
	header->dropped = false;
	progress->weight += (uint32_t)(header->name.len + header->value.len) + FIELD_OVERHEAD_BYTES;
	if (progress->weight > limits->head_bytes)
		return FAULT_HEAD_TOO_LARGE;
	bit = ID_BIT(header->id % 64);
	if (header->id < 64 && (bit & reader->once & reader->present[0]) != 0)
		return repeated_fault((enum header_id)header->id);
	reader->present[header->id / 64] |= bit;
	(*reader->header_count)++;
	return is_plain ? FAULT_NONE : judge_odd_name(reader, header);
}

/* All field lines that are there. *complete: the empty line was among them. */
static enum fault read_fields(const struct reader *reader, bool *complete)
{
	*complete = false;
	for (;;) {
		struct span line;
		enum fault fault = next_line(reader, &line);

		if (fault != FAULT_NONE || line.ptr == NULL)
			return fault;
		if (line.len == 0) {
			*complete = true;
			return FAULT_NONE;
		}
		fault = add_field(reader, line);
		if (fault != FAULT_NONE)
			return fault;
	}
}

/* ---- framing ---- */

/* H40 to H42. */
static bool read_length(struct span value, uint64_t *length)
{
	uint64_t sum;

	if (value.len > LENGTH_DIGITS_MAX || !span_to_u64(value, &sum) || sum > INT64_MAX)
		return false;
	*length = sum;
	return true;
}

/* H43, for a value that is not "chunked" itself. */
static enum fault judge_codings(struct span value)
{
	bool one = span_find(value, ',') == SIZE_MAX;
	bool last_is_chunked = false;

	do {
		struct span piece = span_cut(&value, ',');
		struct span coding = trim(piece.ptr, piece.ptr + piece.len);

		if (!token_is(coding, TOKEN_CHAR) || last_is_chunked)
			return FAULT_BAD_TRANSFER_ENCODING;
		last_is_chunked = span_equals_nocase(coding, S("chunked"));
	} while (value.ptr != NULL);
	return one || last_is_chunked ? FAULT_UNKNOWN_TRANSFER_CODING : FAULT_BAD_TRANSFER_ENCODING;
}

struct framing {
	uint64_t length;
	bool has_length;
	bool chunked;
};

/* H38 to H44: what Content-Length and Transfer-Encoding say, or that they may not say it. */
static enum fault read_framing(const struct reader *reader, uint8_t version_minor,
			       struct framing *framing)
{
	const struct header *length = find_field(reader, HEADER_CONTENT_LENGTH);
	const struct header *coding = find_field(reader, HEADER_TRANSFER_ENCODING);

	*framing = (struct framing){0};
	if (length != NULL && coding != NULL)
		return FAULT_AMBIGUOUS_FRAMING;
	if (length != NULL && !read_length(length->value, &framing->length))
		return FAULT_BAD_CONTENT_LENGTH;
	framing->has_length = length != NULL;
	if (coding == NULL)
		return FAULT_NONE;
	if (version_minor == 0)
		return FAULT_BAD_TRANSFER_ENCODING;
	framing->chunked = true;
	return span_equals_nocase(coding->value, S("chunked")) ? FAULT_NONE
							       : judge_codings(coding->value);
}

/* ---- Connection ---- */

struct connection {
	unsigned options;
	bool close;
	bool keep_alive;
	bool upgrade;
};

/* H54: fields that Connection may not take away. */
static bool is_protected(enum header_id id)
{
	if (id == HEADER_AUTHORIZATION || id == HEADER_COOKIE || id == HEADER_CONTENT_TYPE)
		return true;
	switch (header_request_way(id)) {
	case HEADER_WAY_FRAMING:
	case HEADER_WAY_OURS:
	case HEADER_WAY_DROP:
		return true;
	case HEADER_WAY_PASS:
	case HEADER_WAY_HOP:
		return false;
	}
	return true;
}

static void drop_named(const struct reader *reader, struct span name, enum header_id id)
{
	if (id != HEADER_OTHER && !has(reader, id))
		return;
	for (uint32_t i = 0; i < *reader->header_count; i++) {
		struct header *header = &reader->headers[i];

		if (header->id == id &&
		    (id != HEADER_OTHER || span_equals_nocase(header->name, name)))
			header->dropped = true;
	}
}

static enum fault read_option(const struct reader *reader, struct span option,
			      struct connection *connection)
{
	enum header_id id;

	if (++connection->options > CONNECTION_OPTIONS_MAX)
		return FAULT_BAD_CONNECTION_OPTION;
	if (option.len == 0)
		return FAULT_NONE; /* RFC 9110, 5.6.1.2: empty elements are ignored */
	if (!token_is(option, TOKEN_CHAR))
		return FAULT_BAD_CONNECTION_OPTION;
	if (span_equals_nocase(option, S("close"))) {
		connection->close = true;
		return FAULT_NONE;
	}
	if (span_equals_nocase(option, S("keep-alive"))) {
		connection->keep_alive = true;
		return FAULT_NONE; /* the field of that name is always removed */
	}
	if (span_equals_nocase(option, S("upgrade")))
		connection->upgrade = true;
	id = header_find(option);
	if (is_protected(id))
		return FAULT_BAD_CONNECTION_OPTION;
	drop_named(reader, option, id);
	return FAULT_NONE;
}

static enum fault read_connection(const struct reader *reader, struct connection *connection)
{
	struct header *header;
	uint32_t at = 0;

	*connection = (struct connection){0};
	if (!has(reader, HEADER_CONNECTION))
		return FAULT_NONE;
	while ((header = next_field(reader, HEADER_CONNECTION, &at)) != NULL) {
		struct span rest = header->value;

		do {
			struct span piece = span_cut(&rest, ',');
			struct span option = trim(piece.ptr, piece.ptr + piece.len);
			enum fault fault = read_option(reader, option, connection);

			if (fault != FAULT_NONE)
				return fault;
		} while (rest.ptr != NULL);
	}
	return FAULT_NONE;
}

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

static enum method method_find(struct span method)
{
	static const struct {
		char name[8];
		enum method id;
	} methods[] = {
		{"GET", METHOD_GET},         {"POST", METHOD_POST},     {"HEAD", METHOD_HEAD},
		{"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
		{"OPTIONS", METHOD_OPTIONS},
	};
	char name[8] = {0};

	if (method.len >= sizeof(name))
		return METHOD_OTHER;
	for (size_t i = 0; i < method.len; i++)
		name[i] = method.ptr[i];
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (memcmp(name, methods[i].name, sizeof(name)) == 0)
			return methods[i].id;
	return METHOD_OTHER;
}

/* H17 to H19, for a method that is a token. */
static enum fault read_method(struct span method, enum method *id)
{
	*id = method_find(method);
	if (*id != METHOD_OTHER)
		return FAULT_NONE;
	if (method.len > METHOD_BYTES_MAX || !token_is(method, TOKEN_METHOD) ||
	    !token_byte_is(method.ptr[0], TOKEN_UPPER))
		return FAULT_UNKNOWN_METHOD;
	if (span_equals(method, S("CONNECT")) || span_equals(method, S("TRACE")) ||
	    span_equals(method, S("TRACK")))
		return FAULT_METHOD_NOT_ALLOWED;
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
	return read_method(head->method, &head->method_id);
}

/* The request line, behind at most one empty line (H5). */
static enum fault read_first_line(const struct reader *reader, struct request_head *head)
{
	struct h1_progress *progress = reader->progress;

	while (progress->line_at < reader->bytes.len) {
		struct span line;
		enum fault fault = judge_first_byte(reader->bytes.ptr[progress->line_at],
						    progress->empty_lines > 0);

		if (fault == FAULT_NONE)
			fault = next_line(reader, &line);
		if (fault != FAULT_NONE || line.ptr == NULL)
			return fault;
		if (line.len == 0) {
			progress->empty_lines++;
			continue;
		}
		progress->phase = PHASE_FIELDS;
		return read_request_line(line, head);
	}
	return FAULT_NONE;
}

/* H56, H57. */
static enum fault read_expectation(const struct reader *reader, struct request_head *head)
{
	const struct header *header;
	uint32_t at = 0;

	if (!has(reader, HEADER_EXPECT))
		return FAULT_NONE;
	while ((header = next_field(reader, HEADER_EXPECT, &at)) != NULL)
		if (!span_equals_nocase(header->value, S("100-continue")))
			return FAULT_EXPECTATION_FAILED;
	head->expect_continue = head->version_minor == 1 && head->framing != BODY_NONE;
	return FAULT_NONE;
}

/* H58. One field of each kind with one value: anything else is no handshake but an ordinary request. */
static void read_websocket(const struct reader *reader, const struct connection *connection,
			   struct request_head *head)
{
	struct span key;

	if (!connection->upgrade || head->method_id != METHOD_GET || head->version_minor != 1 ||
	    head->framing != BODY_NONE || !has(reader, HEADER_UPGRADE))
		return;
	key = only_kept_value(reader, HEADER_SEC_WEBSOCKET_KEY);
	if (!websocket_key_is_valid(key) ||
	    !span_equals(only_kept_value(reader, HEADER_SEC_WEBSOCKET_VERSION), S("13")))
		return;
	if (!span_equals_nocase(upgrade_value(reader), S("websocket")))
		return;
	head->wants_websocket = true;
	head->websocket_key = key;
}

static bool accepts_trailers(const struct reader *reader)
{
	const struct header *header;
	uint32_t at = 0;

	if (!has(reader, HEADER_TE))
		return false;
	while ((header = next_field(reader, HEADER_TE, &at)) != NULL) {
		struct span rest = header->value;

		do {
			struct span piece = span_cut(&rest, ',');

			if (span_equals_nocase(trim(piece.ptr, piece.ptr + piece.len),
					       S("trailers")))
				return true;
		} while (rest.ptr != NULL);
	}
	return false;
}

/* What the fields of a complete request say together. */
static enum fault settle_request(const struct reader *reader, struct request_head *head)
{
	const struct header *host = find_field(reader, HEADER_HOST);
	struct framing framing;
	struct connection connection;
	enum fault fault;

	if (host == NULL ? head->version_minor == 1 : host->value.len == 0)
		return FAULT_BAD_HOST; /* H33, H35, H37 */
	if (host != NULL)
		head->host = host->value;
	fault = read_framing(reader, head->version_minor, &framing);
	if (fault != FAULT_NONE)
		return fault;
	head->has_content_length = framing.has_length;
	head->content_length = framing.length;
	if (framing.chunked)
		head->framing = BODY_CHUNKED;
	else
		head->framing = framing.length > 0 ? BODY_LENGTH : BODY_NONE;
	fault = read_connection(reader, &connection);
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
	struct reader reader = {
		.bytes = bytes,
		.limits = limits,
		.progress = progress,
		.headers = head->headers,
		.header_count = &head->header_count,
		.present = head->present,
		.once = ONCE_IN_REQUEST,
		.keep_odd_names = limits->keep_odd_names,
	};
	enum fault fault = FAULT_NONE;
	bool complete = false;

	if (progress->phase == PHASE_START) {
		*head = (struct request_head){.headers = reader.headers};
		progress->phase = PHASE_FIRST_LINE;
	}
	if (progress->phase == PHASE_FIRST_LINE)
		fault = read_first_line(&reader, head);
	if (fault == FAULT_NONE && progress->phase == PHASE_FIELDS)
		fault = read_fields(&reader, &complete);
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

static enum fault read_first_response_line(const struct reader *reader, struct response_head *head)
{
	static const char beginning[] = "HTTP/1.";
	size_t known = sizeof(beginning) - 1;
	struct span line;
	enum fault fault;

	/* text of another protocol is told before it ends its line, if it ever does */
	if (memcmp(reader->bytes.ptr, beginning,
		   known < reader->bytes.len ? known : reader->bytes.len))
		return FAULT_BAD_RESPONSE;
	fault = next_line(reader, &line);
	if (fault != FAULT_NONE || line.ptr == NULL)
		return fault;
	reader->progress->phase = PHASE_FIELDS;
	return read_status_line(line, head) ? FAULT_NONE : FAULT_BAD_RESPONSE;
}

/* RFC 9112, 6.3; U7. */
static void settle_framing(const struct framing *framing, enum method request_method,
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

static enum fault settle_response(const struct reader *reader, enum method request_method,
				  struct response_head *head)
{
	struct framing framing;
	struct connection connection;
	enum fault fault = read_framing(reader, head->version_minor, &framing);

	if (fault == FAULT_NONE)
		fault = read_connection(reader, &connection);
	if (fault != FAULT_NONE)
		return fault;
	settle_framing(&framing, request_method, head);
	head->keep_alive = head->framing != BODY_CLOSE && !connection.close &&
			   (head->version_minor == 1 || connection.keep_alive);
	head->connection_upgrade = connection.upgrade;
	if (head->status == 101)
		head->upgrade = upgrade_value(reader);
	head->websocket_accept = only_kept_value(reader, HEADER_SEC_WEBSOCKET_ACCEPT);
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
	struct reader reader = {
		.bytes = bytes,
		.limits = limits,
		.progress = progress,
		.headers = head->headers,
		.header_count = &head->header_count,
		.present = head->present,
		.once = ONCE_IN_RESPONSE,
		.keep_odd_names = true,
	};
	enum fault fault = FAULT_NONE;
	bool complete = false;

	if (progress->phase == PHASE_START) {
		*head = (struct response_head){.headers = reader.headers};
		progress->phase = PHASE_FIRST_LINE;
	}
	if (progress->phase == PHASE_FIRST_LINE && bytes.len > 0)
		fault = read_first_response_line(&reader, head);
	if (fault == FAULT_NONE && progress->phase == PHASE_FIELDS)
		fault = read_fields(&reader, &complete);
	if (fault == FAULT_NONE && complete)
		fault = settle_response(&reader, request_method, head);
	if (fault != FAULT_NONE)
		return bad(response_fault(fault));
	if (!complete)
		return (struct h1_result){.status = H1_MORE};
	return (struct h1_result){.status = H1_DONE, .consumed = progress->line_at};
}
