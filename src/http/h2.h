/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 on one connection, as server or as client: bytes in, bytes out (RFC 9113; security spec, 4 and 5.1).
 * nghttp2 reads and writes frames; what they mean, what is refused and what is counted is decided here.
 *
 *   bytes of the peer --h2_receive--> on_begin, on_head, on_body, on_end, on_closed
 *   h2_respond, h2_request, h2_reset, h2_consume, ... --h2_pull--> bytes for the peer
 *
 * The owner is the connection. It has an object of its own for each stream, with a struct h2_stream in
 * it: given out by on_begin (server) or passed to h2_request (client), and known to the session until
 * h2_release. HTTP/2 may be done with a stream (on_closed) long before the owner is: until released it
 * counts against streams_max, whoever reset it, so that resetting streams makes no room for new ones
 * (CVE-2023-44487, CVE-2025-8671).
 *
 *   on_begin / h2_request --> on_head [more than once with 1xx] --> on_body ... --> on_end
 *        \______________________\________________________\______________\--> on_closed --> h2_release
 *
 * Body bytes that came are owed back by h2_consume. The window of a stream bounds what its owner has to
 * hold, that of the connection what all owners hold: never more than window_bytes.
 *
 *   WIDE --held bytes pile up--> NARROWING --the peer's ACK--> NARROW
 *
 * WIDE: each stream has stream_window_bytes from its first byte on, so that no upload waits for a round
 * trip; all of them together have half of window_bytes. When owners hold half of that, the peer is told
 * that streams begin with stream_window_first_bytes, and once it knows (NARROW) the connection has twice
 * window_bytes, because nghttp2 gives back by halves. From then on no stream can take the window of the
 * connection from the others: each is sure of the first bytes; what window_bytes has beyond streams_max
 * times that, and beyond what streams from before still hold, is lent, up to stream_window_bytes each, to
 * streams that consume, and comes back when they are released. So any number of stalled streams can slow
 * the others down to the first window for each round trip, and never stop them. A peer that sends no ACK
 * stays with the half. (A peer that ignores the window of a stream may get one frame through to the owner
 * before the stream is reset.)
 *
 * There are no clocks and no timers: time comes in as a number, and h2_tick is called about once a
 * second. Callbacks may call anything but h2_receive, h2_pull, h2_tick and h2_session_fini, and from
 * read_body also h2_release may not be called.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/span.h"
#include "http/fault.h"
#include "http/h2_abuse.h"
#include "http/h2_error.h"
#include "http/h2_frames.h"
#include "http/h2_head.h"
#include "http/head.h"

struct nghttp2_session;
struct h2_session;

enum h2_side { H2_SERVER, H2_CLIENT };

enum h2_windows { H2_WIDE, H2_NARROWING, H2_NARROW };

/* One stream. Lies in an object of the owner and must not move. */
struct h2_stream {
	/* set by the owner before the stream is used; kept until on_closed */
	struct arena *arena; /* where texts of heads and trailers go */
	struct request_head
		*request; /* server: filled before on_head; its headers are set, with room
					   for limits.fields */
	struct response_head *response; /* client: the same */
	const struct h2_head_limits
		*head_limits; /* client: of its responses; NULL: those of the session */

	/* may be read */
	struct header *trailers; /* in on_end: those that came, in the arena; or NULL */
	uint32_t trailer_count;
	uint32_t id;              /* 0: not opened yet (client) */
	size_t held_bytes;        /* body bytes that were delivered and not consumed */
	uint32_t head_bytes;      /* of the peer's heads as they came, frame heads too */
	uint64_t wire_sent_bytes; /* of HEADERS and DATA that went out, frame heads too */
	bool is_tunnel;    /* extended CONNECT: DATA is no body, and the two directions end apart */
	bool remote_ended; /* the peer's side ended */
	bool local_ended;  /* our END_STREAM was sent */
	bool closed;       /* on_closed was called */

	/* private to the codec */
	struct list link;           /* of the session */
	struct h2_session *session; /* NULL when that has ended */
	enum method request_method; /* client: decides on the framing of the response */
	enum fault fault;           /* why it is being reset */
	bool head_done;             /* request or final response came */
	bool resetting; /* RST_STREAM came or was submitted: nothing more is delivered */
	bool reset_by_peer;
	bool reset_by_owner;
	bool request_sent;       /* client: HEADERS went out, or never will */
	bool has_body;           /* read_body will be asked, or is */
	bool waits;              /* read_body had nothing */
	bool is_wide;            /* it may hold what it got before the session was NARROW */
	uint32_t lent_bytes;     /* its window beyond the first */
	uint64_t expected_bytes; /* Content-Length, or UINT64_MAX */
	uint64_t received_bytes;
	uint64_t sent_bytes;
	uint64_t progress_bytes; /* sent when progress was last seen, and when that was */
	uint64_t progress_ns;
	struct span piece; /* of read_body, about to be sent */
};

enum h2_body_status {
	H2_BODY_WAIT, /* nothing now: h2_body_ready will be called */
	H2_BODY_MORE, /* bytes, and more to come */
	H2_BODY_END,  /* the last bytes, maybe none, and then trailers */
};

struct h2_body {
	enum h2_body_status status;
	struct span bytes; /* kept by the owner until body_sent, which comes in the same h2_pull */
	const struct header *trailers; /* with H2_BODY_END; kept until on_closed */
	uint32_t trailer_count;
};

/* What the owner is told and asked. All must be set, but for on_begin in a client, on_sent and on_output. */
struct h2_calls {
	/* A request begins. Returns a stream whose fields of the owner are set, the others zeroed; or NULL,
	 * and the stream is refused with REFUSED_STREAM. */
	struct h2_stream *(*on_begin)(void *owner);

	/* Server: stream->request is complete; with a fault it must be answered with the status of that, and
	 * not be acted on. Client: stream->response is complete; it is not the last one while its status is
	 * below 200 (the next is written over it). */
	void (*on_head)(void *owner, struct h2_stream *stream, enum fault fault);

	/* Body bytes, borrowed; each must be given back by h2_consume, now or later. */
	void (*on_body)(void *owner, struct h2_stream *stream, struct span bytes);

	/* The peer's side has ended as its head promised; trailers that may not go on are marked dropped. */
	void (*on_end)(void *owner, struct h2_stream *stream);

	/* HTTP/2 is done with the stream. FAULT_NONE: both sides ended, the response is complete, or the owner
	 * has reset it; else the peer is at fault or has reset it, or trailers could not be written
	 * (WRITER_CHECK, OUT_OF_MEMORY). code: of RST_STREAM, or NO_ERROR.
	 * STREAM_REFUSED: the peer has done nothing with it. */
	void (*on_closed)(void *owner, struct h2_stream *stream, enum fault fault, uint32_t code);

	/* Body bytes to be sent, at most max. Each call is followed by body_sent for all that it returned,
	 * if that was something. */
	struct h2_body (*read_body)(void *owner, struct h2_stream *stream, size_t max);
	void (*body_sent)(void *owner, struct h2_stream *stream, size_t bytes);

	/* The last of our side of the stream has gone out: stream->local_ended. */
	void (*on_sent)(void *owner, struct h2_stream *stream);

	/* The peer's SETTINGS came: h2_streams_allowed may be another. */
	void (*on_settings)(void *owner);

	/* The peer begins no more streams, and takes none beyond last_id; those were closed, or are about to
	 * be, with STREAM_REFUSED. */
	void (*on_goaway)(void *owner, uint32_t last_id, uint32_t code);

	/* A call of the owner has made something for h2_pull; often more than once before that. */
	void (*on_output)(void *owner);
};

struct h2_options {
	enum h2_side side;
	bool https;            /* server: what :scheme must be */
	bool websocket;        /* server: extended CONNECT is announced and taken (RFC 8441) */
	uint32_t streams_max;  /* open at a time; not below 1 */
	uint32_t window_bytes; /* of all streams: what owners hold at most */
	uint32_t stream_window_bytes;       /* of a stream, if none stalls or this one consumes */
	uint32_t stream_window_first_bytes; /* of a new one in any case; times streams_max not
						above half of window_bytes */
	size_t memory_bytes;                /* of nghttp2: beyond it the session is broken */
	struct h2_head_limits head;
	uint64_t
		stall_ns; /* a stream that has bytes to send makes no progress for so long: reset */
};

/* The numbers of the security spec, for plain connections. */
struct h2_options h2_options_usual(enum h2_side side);

struct h2_session {
	/* may be read */
	uint32_t streams;      /* begun and not released */
	enum fault fault;      /* why it ends; FAULT_NONE while nothing is wrong */
	size_t memory;         /* bytes that nghttp2 holds now */
	bool draining;         /* a GOAWAY of ours was begun, or the peer's came */
	bool extended_connect; /* client: the peer's SETTINGS allow it */
	bool settings_came;    /* the peer's first */

	/* private to the codec */
	struct nghttp2_session *ng;
	const struct h2_calls *calls;
	void *owner;
	struct h2_options options;
	struct list all; /* of streams that are not released */
	struct h2_frames frames;
	struct h2_abuse abuse;
	struct h2_block block;
	struct h2_stream *block_stream; /* whose section is being read; NULL: of none */
	uint64_t now_ns;
	uint64_t started_ns;
	uint64_t block_since_ns; /* 0: no section is being read */
	uint64_t drain_ns;       /* when the last GOAWAY is due; 0: never */
	uint32_t block_bytes;    /* of the section, encoded */
	enum h2_windows windows;
	size_t wide_held_bytes;    /* held_bytes of streams that are wide */
	uint32_t settings_unacked; /* SETTINGS of ours */
	uint32_t lent_bytes;       /* to streams, beyond their first windows */
	uint32_t highest_id;       /* of the streams that were begun */
	uint32_t unsent;           /* client: requests whose HEADERS have not gone out */
	uint32_t pings;            /* that were sent, or will be, and were not answered */
	uint8_t continuations;
	bool block_ends; /* the frame that is being read ends the section */
	bool settings_acked;
	bool broken;         /* nghttp2 gave up: nothing more can be sent */
	struct span pending; /* bytes of a frame that did not fit into the last pull */
	char *out;           /* of the pull under way */
	size_t out_room;
};

/* ---- the session ---- */

/* In storage of the owner that must not move. calls and owner are kept until h2_session_fini. -1: no
 * memory. What is to be sent first is there for h2_pull at once. */
int h2_session_init(struct h2_session *session, const struct h2_options *options,
		    const struct h2_calls *calls, void *owner, uint64_t now_ns);

/* The connection is gone. Streams that are open are closed with that fault; what is not yet released may
 * be released later. */
void h2_session_fini(struct h2_session *session, enum fault fault);

/* Takes bytes of the peer; returns how many. Fewer than all: what has to be sent must be pulled first,
 * then the rest is given again. */
size_t h2_receive(struct h2_session *session, struct span bytes, uint64_t now_ns);

enum { H2_PULL_MIN = 1024 };

/* Writes frames into buffer, of at least H2_PULL_MIN bytes; returns how many bytes. */
size_t h2_pull(struct h2_session *session, char *buffer, size_t size, uint64_t now_ns);

bool h2_wants_read(const struct h2_session *session);
bool h2_wants_write(const struct h2_session *session);

/* All that was to be sent was pulled, and nothing more will come of it: close the connection. */
bool h2_is_over(const struct h2_session *session);

/* What depends on time: the first SETTINGS (5 s) and their ACK (10 s), a section that does not end (5 s),
 * streams that stall, the second GOAWAY of a drain (1 s after the first). */
void h2_tick(struct h2_session *session, uint64_t now_ns);

/* Nothing depends on time now: no stream is open, and nothing is awaited of the peer. h2_tick need not be called
 * until that has changed. */
bool h2_is_calm(const struct h2_session *session);

/* No new streams: GOAWAY(2^31-1), and a second later GOAWAY(last) from h2_tick. Open streams go on. */
void h2_drain(struct h2_session *session, uint64_t now_ns);

/* GOAWAY with that code, at once; nothing is read or sent after it. */
void h2_end(struct h2_session *session, enum h2_error code);

/* PING: a peer that lives answers it. Nothing is told of the answer but that bytes came. */
void h2_ping(struct h2_session *session);

/* Client: how many requests may be open at a time, by the peer's SETTINGS and our options. */
uint32_t h2_streams_limit(const struct h2_session *session);

/* Client: how many more may be made now. */
uint32_t h2_streams_allowed(const struct h2_session *session);

/* ---- streams ----
 * Those that send return FAULT_NONE; WRITER_CHECK for a head that may not be sent, OUT_OF_MEMORY, or the
 * fault of a stream that is gone. Names and values are kept until on_closed. A head of more than 288 KiB
 * is found too large when it is about to go out, and the stream is reset. */

enum h2_then { H2_THEN_END, H2_THEN_BODY };

struct h2_request {
	struct span method;
	struct span scheme;
	struct span authority;
	struct span path;     /* with its query */
	struct span protocol; /* of an extended CONNECT, where the session has it; else empty */
};

/* Client. Never more than h2_streams_allowed. */
enum fault h2_request(struct h2_session *session, struct h2_stream *stream,
		      const struct h2_request *request, const struct header *headers,
		      uint32_t count, enum h2_then then);

/* Server: the final response. Where the request has not ended when the response has, the stream is reset
 * with NO_ERROR then (RFC 9113, 8.1). */
enum fault h2_respond(struct h2_stream *stream, unsigned status, const struct header *headers,
		      uint32_t count, enum h2_then then);

/* Server: 100, 103. */
enum fault h2_inform(struct h2_stream *stream, unsigned status, const struct header *headers,
		     uint32_t count);

/* read_body has something again. */
void h2_body_ready(struct h2_stream *stream);

/* Bytes of on_body are not needed any more. */
void h2_consume(struct h2_stream *stream, size_t bytes);

/* RST_STREAM; on_closed follows from h2_pull. Nothing happens where the stream is closed. */
void h2_reset(struct h2_stream *stream, enum h2_error code);

/* The owner's object goes: the stream counts no more. A stream that is open is reset with CANCEL, and the
 * owner hears no more of it. What it held is given back to the connection. */
void h2_release(struct h2_stream *stream);
