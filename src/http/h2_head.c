/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_head.h"

#include <string.h>

#include "http/field.h"
#include "http/scan.h"
#include "http/token.h"
#include "http/uri.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443, STATUS_MIN = 100, STATUS_MAX = 599 };

/* ---- faults ---- */

static void set_malformed(struct h2_block *block, enum fault fault)
{
	if (block->malformed)
		return;
	block->malformed = true;
	block->fault = fault;
}

/* The first one stays, but for a malformed section. */
static void set_fault(struct h2_block *block, enum fault fault)
{
	if (block->fault == FAULT_NONE)
		block->fault = fault;
}

/* ---- fields as they come ---- */

void h2_block_begin(struct h2_block *block, enum h2_section section,
		    const struct h2_head_limits *limits, struct arena *arena,
		    struct header *headers, uint64_t *present)
{
	*block = (struct h2_block){
		.section = section,
		.limits = *limits,
		.arena = arena,
		.headers = headers,
		.present = present,
		.is_response = section == H2_SECTION_RESPONSE,
	};
}

void h2_block_begin_trailers(struct h2_block *block, const struct h2_head_limits *limits,
			     struct arena *arena, bool is_response)
{
	struct header *headers = arena_take(arena, H2_TRAILER_FIELDS_MAX * sizeof(*headers));

	h2_block_begin(block, H2_SECTION_TRAILERS, limits, arena, headers, NULL);
	block->limits.fields = H2_TRAILER_FIELDS_MAX;
	block->limits.head_bytes = H2_TRAILER_BYTES_MAX;
	block->is_response = is_response;
	if (headers == NULL)
		set_malformed(block, FAULT_OUT_OF_MEMORY);
}

static struct span store(struct h2_block *block, struct h2_text from)
{
	struct span copy;

	if (from.is_static || from.text.len == 0)
		return (struct span){from.text.len == 0 ? "" : from.text.ptr, from.text.len};
	copy = arena_copy(block->arena, from.text);
	if (copy.ptr == NULL)
		set_fault(block, FAULT_OUT_OF_MEMORY);
	return copy;
}

/* Limits are looked at before anything is stored (CVE-2016-6581 and its kin). */
static bool fits(struct h2_block *block, struct span name, struct span value)
{
	size_t bytes = name.len + value.len;

	if (block->fault != FAULT_NONE)
		return false;
	block->field_count++;
	if (bytes > block->limits.field_bytes) {
		/* H20: as a request line that is too long */
		set_fault(block, span_equals(name, S(":path")) ? FAULT_LINE_TOO_LONG
							       : FAULT_HEAD_TOO_LARGE);
		return false;
	}
	block->weight += (uint32_t)bytes + FIELD_OVERHEAD_BYTES;
	if (block->weight > block->limits.head_bytes)
		set_fault(block, FAULT_HEAD_TOO_LARGE);
	else if (block->field_count > block->limits.fields)
		set_fault(block, FAULT_TOO_MANY_FIELDS);
	return block->fault == FAULT_NONE;
}

/* D1: no control byte, no blank at either end. */
static bool is_value(struct span value)
{
	const char *end = value.ptr + value.len;

	if (value.len == 0)
		return true;
	if (value.ptr[0] == ' ' || value.ptr[0] == '\t' || end[-1] == ' ' || end[-1] == '\t')
		return false;
	return scan_control(value.ptr, end) == end;
}

/* D1: a token without capitals. *is_plain: letters, digits and '-' alone. */
static bool is_name(struct span name, bool *is_plain)
{
	const unsigned looked_at = TOKEN_CHAR | TOKEN_PLAIN | TOKEN_UPPER;
	unsigned all = TOKEN_CHAR | TOKEN_PLAIN;

	for (size_t i = 0; i < name.len; i++) {
		unsigned classes = token_classes[(unsigned char)name.ptr[i]] & looked_at;

		if ((classes & TOKEN_UPPER) != 0)
			return false;
		all &= classes;
	}
	*is_plain = (all & TOKEN_PLAIN) != 0;
	return name.len > 0 && (all & TOKEN_CHAR) != 0;
}

static enum h2_pseudo find_pseudo(struct span name)
{
	static const struct span names[H2_PSEUDO_COUNT] = {
		[H2_PSEUDO_METHOD] = S(":method"),       [H2_PSEUDO_SCHEME] = S(":scheme"),
		[H2_PSEUDO_AUTHORITY] = S(":authority"), [H2_PSEUDO_PATH] = S(":path"),
		[H2_PSEUDO_PROTOCOL] = S(":protocol"),   [H2_PSEUDO_STATUS] = S(":status"),
	};

	for (unsigned i = 0; i < H2_PSEUDO_COUNT; i++)
		if (span_equals(name, names[i]))
			return (enum h2_pseudo)i;
	return H2_PSEUDO_COUNT;
}

/* D3. */
static void add_pseudo(struct h2_block *block, struct span name, struct h2_text value)
{
	enum h2_pseudo pseudo = find_pseudo(name);
	bool belongs = pseudo != H2_PSEUDO_COUNT && block->section != H2_SECTION_TRAILERS &&
		       (pseudo == H2_PSEUDO_STATUS) == (block->section == H2_SECTION_RESPONSE);

	if (!belongs || block->has_regular || block->pseudo[pseudo].ptr != NULL) {
		set_malformed(block, FAULT_BAD_PSEUDO_FIELD);
		return;
	}
	if (pseudo == H2_PSEUDO_PATH && value.text.len > block->limits.path_bytes) {
		set_fault(block, FAULT_LINE_TOO_LONG);
		return;
	}
	block->pseudo[pseudo] = store(block, value);
}

/* D2. */
static bool is_of_connection(enum header_id id, struct span value)
{
	if (id == HEADER_TE)
		return !span_equals_nocase(value, S("trailers"));
	return id == HEADER_CONNECTION || id == HEADER_KEEP_ALIVE ||
	       id == HEADER_PROXY_CONNECTION || id == HEADER_TRANSFER_ENCODING ||
	       id == HEADER_UPGRADE;
}

static bool is_second(const struct h2_block *block, enum header_id id)
{
	return block->present != NULL && (block->present[id / 64] >> (id % 64) & 1) != 0;
}

static void judge_repeated(struct h2_block *block, enum header_id id)
{
	if (id == HEADER_CONTENT_LENGTH && is_second(block, id))
		set_malformed(block, FAULT_BAD_CONTENT_LENGTH); /* D7 */
	if (id == HEADER_HOST && !block->is_response && is_second(block, id))
		set_fault(block, FAULT_BAD_HOST); /* H33 */
}

static void judge_name(struct h2_block *block, struct header *header, bool is_plain)
{
	if (!is_plain) {
		struct field_names rules = {
			.underscores = block->limits.underscores,
			.keep_odd = block->limits.keep_odd_names || block->is_response,
			.is_response = block->is_response,
		};
		enum fault fault = field_judge_odd_name(rules, header);

		if (fault != FAULT_NONE)
			set_fault(block, fault);
	}
	if (block->section == H2_SECTION_TRAILERS && !field_may_trail((enum header_id)header->id))
		header->dropped = true;
}

static void add_regular(struct h2_block *block, struct h2_text name, struct h2_text value)
{
	enum header_id id = header_find(name.text);
	struct header *header = &block->headers[block->header_count];
	bool is_plain;

	block->has_regular = true;
	if (!is_name(name.text, &is_plain)) {
		set_malformed(block, FAULT_BAD_FIELD);
		return;
	}
	if (is_of_connection(id, value.text)) {
		set_malformed(block, FAULT_CONNECTION_FIELD);
		return;
	}
	judge_repeated(block, id);
	*header = (struct header){
		.name = store(block, name), .value = store(block, value), .id = (uint16_t)id};
	judge_name(block, header, is_plain);
	if (block->fault != FAULT_NONE)
		return;
	block->header_count++;
	block->cookies += id == HEADER_COOKIE;
	if (block->present != NULL)
		block->present[id / 64] |= UINT64_C(1) << (id % 64);
}

void h2_block_field(struct h2_block *block, struct h2_text name, struct h2_text value)
{
	if (!fits(block, name.text, value.text))
		return;
	if (!is_value(value.text)) {
		set_malformed(block, FAULT_BAD_FIELD_VALUE);
		return;
	}
	if (name.text.len > 0 && name.text.ptr[0] == ':')
		add_pseudo(block, name.text, value);
	else
		add_regular(block, name, value);
}

/* ---- what both kinds of heads have ---- */

static const struct header *find(const struct h2_block *block, enum header_id id)
{
	for (uint32_t i = 0; i < block->header_count; i++)
		if (block->headers[i].id == id)
			return &block->headers[i];
	return NULL;
}

/* D7, as far as the section alone can tell. */
static bool read_length(struct h2_block *block, uint64_t *length)
{
	const struct header *header = find(block, HEADER_CONTENT_LENGTH);

	*length = 0;
	if (header != NULL && !field_length_parse(header->value, length))
		set_malformed(block, FAULT_BAD_CONTENT_LENGTH);
	return header != NULL;
}

static enum body_framing framing_of(bool is_last, bool has_length, uint64_t length)
{
	if (is_last)
		return BODY_NONE;
	if (!has_length)
		return BODY_CHUNKED;
	return length > 0 ? BODY_LENGTH : BODY_NONE;
}

/* ---- the request ---- */

static bool has(const struct h2_block *block, enum h2_pseudo pseudo)
{
	return block->pseudo[pseudo].ptr != NULL;
}

/* D5. */
static void read_scheme(struct h2_block *block, bool https)
{
	struct span scheme = block->pseudo[H2_PSEUDO_SCHEME];
	bool says_https = span_equals_nocase(scheme, S("https"));

	if (!says_https && !span_equals_nocase(scheme, S("http")))
		set_fault(block, FAULT_BAD_TARGET);
	else if (says_https != https)
		set_fault(block, FAULT_WRONG_SCHEME);
}

/* D4. What the path means is for uri.h, as with HTTP/1.1. */
static void read_path(struct h2_block *block, struct request_head *head)
{
	struct span path = block->pseudo[H2_PSEUDO_PATH];
	const char *end = path.ptr + path.len;
	bool is_asterisk = head->method_id == METHOD_OPTIONS && span_equals(path, S("*"));

	head->target = path;
	if (path.len == 0 || (path.ptr[0] != '/' && !is_asterisk))
		set_malformed(block, FAULT_BAD_TARGET);
	else if (scan_target(path.ptr, end) != end)
		set_fault(block, FAULT_BAD_TARGET);
}

static bool same_host(struct span a, struct span b, bool https)
{
	struct host first;
	struct host second;

	return host_parse(a, &first) && host_parse(b, &second) &&
	       host_equals(&first, &second, https ? HTTPS_PORT : HTTP_PORT);
}

static bool hosts_agree(const struct h2_block *block, const struct header *host, bool https)
{
	struct span authority = block->pseudo[H2_PSEUDO_AUTHORITY];

	return host == NULL || !has(block, H2_PSEUDO_AUTHORITY) ||
	       span_equals(host->value, authority) || same_host(host->value, authority, https);
}

/* D6. The grammar of the host is for uri.h. */
static void read_host(struct h2_block *block, bool https, struct request_head *head)
{
	const struct header *host = find(block, HEADER_HOST);

	head->host = has(block, H2_PSEUDO_AUTHORITY) || host == NULL
			     ? block->pseudo[H2_PSEUDO_AUTHORITY]
			     : host->value;
	if (head->host.len == 0 || !hosts_agree(block, host, https))
		set_fault(block, FAULT_BAD_HOST);
}

static void read_method(struct h2_block *block, struct request_head *head)
{
	enum fault fault = FAULT_BAD_METHOD;

	head->method = block->pseudo[H2_PSEUDO_METHOD];
	if (token_is(head->method, TOKEN_CHAR))
		fault = method_parse(head->method, &head->method_id);
	if (fault != FAULT_NONE)
		set_fault(block, fault);
}

/* D9: becomes the request that HTTP/1.1 would have been (H58); only the key is missing, which is the
 * sender's to make (RFC 8441, 5). */
static void read_tunnel(struct h2_block *block, struct h2_request_rules rules,
			struct request_head *head)
{
	const struct header *version = find(block, HEADER_SEC_WEBSOCKET_VERSION);

	head->method = S("GET");
	head->method_id = METHOD_GET;
	if (!rules.websocket)
		set_malformed(block, FAULT_BAD_PSEUDO_FIELD);
	else if (!span_equals_nocase(block->pseudo[H2_PSEUDO_PROTOCOL], S("websocket")))
		set_fault(block, FAULT_UNKNOWN_PROTOCOL);
	else if (head->has_content_length)
		set_malformed(block, FAULT_BAD_CONTENT_LENGTH);
	else if (version == NULL || !field_each_says(block->headers, block->header_count,
						     HEADER_SEC_WEBSOCKET_VERSION, S("13")))
		set_fault(block, FAULT_BAD_FIELD_VALUE);
	head->wants_websocket = block->fault == FAULT_NONE;
	head->framing = BODY_NONE;
}

static void read_expectation(struct h2_block *block, struct request_head *head)
{
	if (!request_head_has(head, HEADER_EXPECT))
		return;
	if (!field_each_says(block->headers, block->header_count, HEADER_EXPECT, S("100-continue")))
		set_fault(block, FAULT_EXPECTATION_FAILED);
	head->expect_continue = head->framing != BODY_NONE;
}

/* D8: one field where the first crumb was. */
static void join_cookies(struct h2_block *block)
{
	const struct span separator = S("; ");
	struct header *first = NULL;
	uint32_t kept = 0;
	size_t length = 0;
	char *at;

	if (block->cookies < 2)
		return;
	for (uint32_t i = 0; i < block->header_count; i++)
		if (block->headers[i].id == HEADER_COOKIE)
			length += block->headers[i].value.len + separator.len;
	at = arena_take_bytes(block->arena, length);
	if (at == NULL) {
		set_fault(block, FAULT_OUT_OF_MEMORY);
		return;
	}
	for (uint32_t i = 0; i < block->header_count; i++) {
		struct header *header = &block->headers[i];
		struct span crumb = header->value;

		if (header->id != HEADER_COOKIE || first == NULL)
			block->headers[kept++] = *header;
		if (header->id != HEADER_COOKIE)
			continue;
		if (first == NULL) {
			first = &block->headers[kept - 1];
			first->value = (struct span){at, length - separator.len};
		} else {
			memcpy(at, separator.ptr, separator.len);
			at += separator.len;
		}
		memcpy(at, crumb.ptr, crumb.len);
		at += crumb.len;
	}
	block->header_count = kept;
}

static bool has_needed_pseudo_fields(const struct h2_block *block, bool is_connect)
{
	if (!has(block, H2_PSEUDO_METHOD))
		return false;
	if (has(block, H2_PSEUDO_PROTOCOL))
		return is_connect && has(block, H2_PSEUDO_SCHEME) && has(block, H2_PSEUDO_PATH) &&
		       has(block, H2_PSEUDO_AUTHORITY);
	return is_connect || (has(block, H2_PSEUDO_SCHEME) && has(block, H2_PSEUDO_PATH));
}

static void settle_request(struct h2_block *block, struct h2_request_rules rules, bool is_last,
			   struct request_head *head)
{
	bool is_connect = span_equals(block->pseudo[H2_PSEUDO_METHOD], S("CONNECT"));

	if (!has_needed_pseudo_fields(block, is_connect)) {
		set_malformed(block, FAULT_BAD_PSEUDO_FIELD);
		return;
	}
	head->has_content_length = read_length(block, &head->content_length);
	if (is_last && head->content_length > 0)
		set_malformed(block, FAULT_BODY_LENGTH); /* D7 */
	head->framing = framing_of(is_last, head->has_content_length, head->content_length);
	if (has(block, H2_PSEUDO_PROTOCOL))
		read_tunnel(block, rules, head);
	else
		read_method(block, head);
	if (is_connect && !has(block, H2_PSEUDO_PROTOCOL))
		return; /* D10: it has neither scheme nor path */
	read_scheme(block, rules.https);
	read_path(block, head);
	read_host(block, rules.https, head);
	read_expectation(block, head);
	join_cookies(block);
}

void h2_block_request(struct h2_block *block, struct h2_request_rules rules, bool is_last,
		      struct request_head *head)
{
	head->version_minor = 1;
	head->keep_alive = true;
	if (block->fault == FAULT_NONE)
		settle_request(block, rules, is_last, head);
	head->accepts_trailers = request_head_has(head, HEADER_TE);
	head->header_count = block->header_count;
}

/* ---- the response ---- */

static bool read_status(struct span text, uint16_t *status)
{
	uint64_t number;

	if (text.len != 3 || !span_to_u64(text, &number) || number < STATUS_MIN ||
	    number > STATUS_MAX)
		return false;
	*status = (uint16_t)number;
	return true;
}

/* RFC 9110, 6.4.1. */
static bool has_no_content(enum method request_method, uint16_t status)
{
	return request_method == METHOD_HEAD || status < 200 || status == 204 || status == 304;
}

static void settle_response(struct h2_block *block, enum method request_method, bool is_tunnel,
			    bool is_last, struct response_head *head)
{
	uint64_t length;
	bool has_length = read_length(block, &length);

	if (!read_status(block->pseudo[H2_PSEUDO_STATUS], &head->status) || head->status == 101 ||
	    (head->status < 200 && is_last)) {
		set_malformed(block, FAULT_BAD_RESPONSE); /* RFC 9113, 8.1, 8.3.2, 8.6 */
		return;
	}
	if (has_no_content(request_method, head->status)) {
		head->framing = BODY_NONE;
		head->has_content_length = has_length && head->status >= 200 && head->status != 204;
		head->content_length = head->has_content_length ? length : 0;
		return;
	}
	if (is_last && length > 0)
		set_malformed(block, FAULT_BAD_RESPONSE_BODY);
	/* RFC 9110, 9.3.6: after CONNECT it has no meaning */
	has_length = has_length && !(is_tunnel && head->status < 300);
	head->has_content_length = has_length;
	head->content_length = has_length ? length : 0;
	head->framing = framing_of(is_last, has_length, length);
}

/* A client hears no more of an endpoint's mistake than these. */
static enum fault response_fault(enum fault fault)
{
	if (fault == FAULT_NONE || fault == FAULT_OUT_OF_MEMORY || fault == FAULT_BAD_RESPONSE_BODY)
		return fault;
	if (fault == FAULT_HEAD_TOO_LARGE || fault == FAULT_TOO_MANY_FIELDS)
		return FAULT_RESPONSE_HEAD_TOO_LARGE;
	return FAULT_BAD_RESPONSE;
}

void h2_block_response(struct h2_block *block, enum method request_method, bool is_tunnel,
		       bool is_last, struct response_head *head)
{
	head->version_minor = 1;
	head->keep_alive = true;
	if (block->fault == FAULT_NONE)
		settle_response(block, request_method, is_tunnel, is_last, head);
	head->header_count = block->header_count;
	/* nothing is answered to an endpoint: whatever is wrong, the stream is reset */
	block->malformed = block->fault != FAULT_NONE;
	block->fault = response_fault(block->fault);
}
