/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its response, whatever the protocol on either side. It pins its table and owns its
 * arena, its attempts and its log record.
 *
 *   HEAD --> ROUTING --> CONNECTING --> WAITING --> RELAYING ----> DONE
 *    |         |  ^          |  ^         |    +--> TUNNELLING ----^
 *    |         |  +----------+--+---------+ retry                  |
 *    +---------+-------------+------------+------> ANSWERING ------+
 *
 * HEAD        -> ROUTING      exchange_on_head      the head is complete
 * ROUTING     -> CONNECTING   attempt_start         an endpoint is picked, its connection is being made
 * CONNECTING  -> WAITING      attempt_send          the request begins to go out
 * WAITING     -> RELAYING     exchange_on_response  the response head goes to the client: no retry from here
 * WAITING     -> TUNNELLING   tunnel_start          101 was the right answer
 * WAITING, CONNECTING -> ROUTING  attempt_fail      another attempt is allowed
 * any before  -> ANSWERING    exchange_answer       Ingot answers itself
 * RELAYING    -> ANSWERING    exchange_answer       only while nothing of the response has left
 * any         -> DONE         exchange_end
 *
 * In HEAD no table is pinned. From ROUTING on the head is whole and the table is pinned once a route was
 * looked up; server is NULL but in CONNECTING, WAITING, RELAYING and TUNNELLING, and there it is not.
 */
#pragma once

#include "base/arena.h"
#include "http/fault.h"
#include "http/h1_parse.h"
#include "http/head.h"
#include "http/uri.h"
#include "io/loop.h"
#include "observe/access_log.h"
#include "proxy/deadline.h"
#include "proxy/names.h"
#include "proxy/relay.h"
#include "table/routes.h"

struct worker;
struct client;
struct server;
struct shard;

enum exchange_state {
	EXCHANGE_HEAD,
	EXCHANGE_ROUTING,
	EXCHANGE_CONNECTING,
	EXCHANGE_WAITING,
	EXCHANGE_RELAYING,
	EXCHANGE_TUNNELLING,
	EXCHANGE_ANSWERING,
	EXCHANGE_DONE,
};

enum { EXCHANGE_ARENA_FIRST = 2048, EXCHANGE_ARENA_MAX = 384 * 1024, REQUEST_ID_SIZE = 32 };

/* proxy-next-upstream-tries 0 asks for no limit; an endless loop is nobody's wish. */
enum { EXCHANGE_TRIES_MAX = 16 };

struct exchange {
	struct worker *worker;
	struct client *client;
	struct server *server;     /* of the attempt under way */
	enum exchange_state state; /* moved by exchange_move alone */
	enum fault fault;          /* why the client did not get an endpoint's whole answer */
	enum fault failure; /* of the last attempt that failed; NONE: its status was not wanted */

	bool peer_trusted;     /* forwarded fields of the peer are believed */
	bool head_started;     /* a byte of the request has come */
	bool keep_alive;       /* the client may send another request after the response */
	bool continue_sent;    /* 100 went out */
	bool request_sent;     /* all of the request is with the endpoint */
	bool request_given_up; /* the rest of it is not wanted any more (U10), or cannot be sent */
	bool response_started; /* bytes of a final response may have gone to the client */
	bool fresh_connection; /* the next attempt does not use the pool */
	uint8_t informational; /* 1xx responses of this attempt */
	uint8_t hints_passed;  /* 103s that went to the client */
	uint8_t tried_count;   /* endpoints in tried */
	uint16_t status;       /* that the client gets; 0: none yet */

	struct shard *table; /* of routes, pinned; NULL before the head was complete */
	const struct route *route;
	const struct route_policy *policy;
	struct loop_task task; /* goes on in the next turn (RELAY_TURN_OVER) */
	struct name_waiter name_waiter;

	struct h1_progress
		progress; /* of the head being read: the request's, then the response's */
	struct request_head request;
	struct uri uri;
	struct host host;
	struct response_head response;
	struct relay to_upstream;
	struct relay to_downstream;

	uint64_t started_ns;               /* first byte */
	uint64_t attempt_ns;               /* start of the attempt */
	uint64_t first_attempt_ns;         /* start of the first one */
	uint64_t request_sent_ns;          /* with request_sent */
	struct deadline client_deadline;   /* for the client's timer */
	struct deadline upstream_deadline; /* for that of the endpoint's */
	uint32_t head_bytes;               /* of the request */
	uint32_t response_head_bytes;      /* of the attempt, interim ones included */
	uint32_t interim_bytes;            /* of interim responses that went to the client */
	uint32_t tries;                    /* attempts so far, but for stale pooled connections */
	uint32_t attempt_count;            /* all of them */
	struct access_attempt attempts[ACCESS_ATTEMPTS_MAX]; /* the last one goes on changing */
	struct ip_port client_at;                            /* after trust in forwarded fields */
	struct span request_id;
	struct span owed; /* HTTP/1.1: rest of an interim response, goes out before the next head */

	struct arena arena;
	/* from here on nothing is cleared when an exchange begins */
	char request_id_text[REQUEST_ID_SIZE];
	struct ip_port tried[EXCHANGE_TRIES_MAX]; /* they failed: others come first */
	struct header request_headers[HEAD_REQUEST_FIELDS_MAX];
	struct header response_headers[HEAD_RESPONSE_FIELDS_MAX];
	_Alignas(16) char arena_first[EXCHANGE_ARENA_FIRST];
};

/* For a client from which a request is awaited; NULL at the limit. */
struct exchange *exchange_new(struct client *client);

/* The request did not come, and nothing was said of it: it leaves no trace. */
void exchange_forget(struct exchange *exchange);

/* The request head is complete: exchange->request, whose texts stay where they are. to_upstream.reader is set over
 * its body, of which some may be there already. */
void exchange_on_head(struct exchange *exchange, size_t head_bytes);

/* Something may have come from the client, or gone to it, once the head is complete. */
void exchange_on_downstream(struct exchange *exchange);

/* The client's timer: what is waited for did not come. */
void exchange_on_client_timeout(struct exchange *exchange);

/* The endpoint's response head (not 1xx) lies in exchange->response: it goes to the client. */
void exchange_on_response(struct exchange *exchange);

/* Moves bodies on, both ways, as far as they go. */
void exchange_pump(struct exchange *exchange);

/* Ingot answers itself, with the status of the fault; the attempt under way is dropped. Where a response has begun
 * already the client's connection is cut instead. */
void exchange_answer(struct exchange *exchange, enum fault fault);

/* The same with what is no fault: a status, and one field besides (NULL: none), whose texts stay until the end. */
void exchange_answer_status(struct exchange *exchange, unsigned status, const struct header *field);

/* The same with where to go. */
void exchange_redirect(struct exchange *exchange, unsigned status, struct span location);

/* Whatever of a response has gone out is not whole, and the client must notice (security spec, U9). */
void exchange_cut(struct exchange *exchange, enum fault fault);

/* Ends it: log, figures, and the client's connection goes on or not. The exchange is gone afterwards. */
void exchange_end(struct exchange *exchange);

void exchange_move(struct exchange *exchange, enum exchange_state to);

/* 10, 11 or 20: the version that the client speaks. */
unsigned exchange_protocol(const struct exchange *exchange);

/* Bytes that came from the client and that went to it for this exchange, heads and framing included. */
uint64_t exchange_received(const struct exchange *exchange);
uint64_t exchange_sent(const struct exchange *exchange);

/* Whether the response may end with trailers (security spec, U13): that of a stream, or one in chunks to who asked. */
bool exchange_takes_trailers(const struct exchange *exchange);

/* The attempt under way, in the log record. */
struct access_attempt *exchange_attempt(struct exchange *exchange);
