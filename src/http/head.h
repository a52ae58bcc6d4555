/* SPDX-License-Identifier: Apache-2.0 */
/* The message form in which the protocols of both sides meet: a head, a body that flows, trailers.
 *
 * HTTP/1.1 and HTTP/2 fill it; exchange reads nothing else. Spans of HTTP/1.1 are borrowed from the
 * bytes that were parsed and live as long as those stay where they are; those of HTTP/2 lie in the
 * arena of the stream's owner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "http/fault.h"
#include "http/header.h"

enum method {
	METHOD_OTHER,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_PATCH,
	METHOD_COUNT
};

/* How the end of a body is known (RFC 9112, 6.3). */
enum body_framing {
	BODY_NONE,    /* there is none */
	BODY_LENGTH,  /* content_length bytes; at least 1 */
	BODY_CHUNKED, /* until the last chunk; in HTTP/2 until the end of the stream */
	BODY_CLOSE,   /* responses only: until the connection ends */
};

enum { HEAD_REQUEST_FIELDS_MAX = 100, HEAD_RESPONSE_FIELDS_MAX = 200 };

struct request_head {
	struct span method;
	struct span target; /* as received, of any form */
	struct span
		host; /* value of Host, or :authority, as received; {NULL, 0} only in HTTP/1.0 */
	uint64_t content_length; /* with BODY_LENGTH; 0 with BODY_NONE */
	enum method method_id;
	enum body_framing framing;
	uint8_t version_minor;   /* of HTTP/1: 0 or 1 */
	bool keep_alive;         /* what version and Connection ask for */
	bool expect_continue;    /* HTTP/1.1, a body is to come, Expect: 100-continue */
	bool has_content_length; /* a Content-Length was there, maybe 0 */
	bool wants_websocket; /* H58: a valid WebSocket upgrade; D9: an extended CONNECT, given as GET */
	bool accepts_trailers;     /* TE: trailers */
	struct span websocket_key; /* with wants_websocket; empty from HTTP/2, which has none */
	struct header *headers;    /* storage of the caller, HEAD_REQUEST_FIELDS_MAX elements */
	uint32_t header_count;
	uint64_t present[(HEADER_COUNT + 63) / 64]; /* bit id: a field with that id is there */
};

struct response_head {
	uint16_t status; /* 100 … 599 */
	uint8_t version_minor;
	struct span reason;        /* may be empty */
	enum body_framing framing; /* by fields and request method (RFC 9112, 6.3) */
	uint64_t content_length;
	bool has_content_length; /* also for HEAD, whose framing is BODY_NONE */
	bool keep_alive;
	struct span upgrade;          /* value of Upgrade with status 101 */
	bool connection_upgrade;      /* Connection holds "upgrade" */
	struct span websocket_accept; /* value of Sec-WebSocket-Accept, or empty */
	struct header *headers;       /* storage of the caller, HEAD_RESPONSE_FIELDS_MAX elements */
	uint32_t header_count;
	uint64_t present[(HEADER_COUNT + 63) / 64];
};

/* GET, HEAD, OPTIONS, PUT and DELETE; for others false, though RFC 9110, 9.2.2 has TRACE too. */
bool method_is_idempotent(enum method method);

/* The id of a method that is a token (RFC 9110, 5.6.2), and whether it is served: H17 to H19. */
enum fault method_parse(struct span method, enum method *id);

/* "GET" … or "_OTHER": a label with few values. */
const char *method_label(enum method method);

/* The first field with that id, or NULL. */
const struct header *request_head_find(const struct request_head *head, enum header_id id);
const struct header *response_head_find(const struct response_head *head, enum header_id id);

static inline bool request_head_has(const struct request_head *head, enum header_id id)
{
	return (head->present[id / 64] >> (id % 64) & 1) != 0;
}

static inline bool response_head_has(const struct response_head *head, enum header_id id)
{
	return (head->present[id / 64] >> (id % 64) & 1) != 0;
}
