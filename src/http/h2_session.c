/* SPDX-License-Identifier: Apache-2.0 */
/* The connection as a whole: begin and end, bytes in and out, what is counted and what time does. */
#include "http/h2_session.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	CONTINUATIONS_MAX = 8,
	CONTROL_FRAMES_MAX = 64, /* waiting to be sent: no more is read */
	ACKS_MAX = 1000,         /* of nghttp2, never reached before the one above */
	STALL_BYTES = 4096,      /* what counts as progress */
	SETTINGS_SECONDS = 5,
	ACK_SECONDS = 10,
	SECTION_SECONDS = 5,
	DRAIN_SECONDS = 1,
	STALL_SECONDS = 60,
	SETTINGS_COUNT_MAX = 5,
	/* of window_bytes: what all may send while windows are wide, and what makes them narrow */
	WIDE_PART = 2,
	WIDE_HELD_PART = 4,
	SENT_HEAD_BYTES_MAX = 288 *
			      1024, /* a response of the largest proxy-buffer-size, and some */
};

static uint32_t fields_max(enum h2_side side)
{
	return side == H2_SERVER ? HEAD_REQUEST_FIELDS_MAX : HEAD_RESPONSE_FIELDS_MAX;
}

struct h2_options h2_options_usual(enum h2_side side)
{
	bool is_server = side == H2_SERVER;

	return (struct h2_options){
		.side = side,
		.websocket = true,
		.streams_max = is_server ? 128 : 100,
		.window_bytes = 1024 * 1024,
		.stream_window_bytes = 64 * 1024,
		.stream_window_first_bytes = 4096,
		.memory_bytes = 1024 * 1024,
		.head =
			{
				.path_bytes = 8192,
				.field_bytes = 8192,
				.head_bytes = 32768,
				.fields = fields_max(side),
			},
		.stall_ns = STALL_SECONDS * SECOND_NS,
	};
}

/* ---- memory of nghttp2, counted and bounded ---- */

static void *count_new(struct h2_session *session, void *memory)
{
	if (memory != NULL)
		session->memory += malloc_usable_size(memory);
	return memory;
}

static bool has_room(const struct h2_session *session, size_t size)
{
	return size <= session->options.memory_bytes &&
	       session->memory <= session->options.memory_bytes - size;
}

static void *memory_malloc(size_t size, void *session)
{
	return has_room(session, size) ? count_new(session, malloc(size)) : NULL;
}

static void *memory_calloc(size_t count, size_t size, void *session)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || !has_room(session, bytes))
		return NULL;
	return count_new(session, calloc(count, size));
}

static void memory_free(void *memory, void *user)
{
	struct h2_session *session = user;

	if (memory != NULL)
		session->memory -= malloc_usable_size(memory);
	free(memory);
}

static void *memory_realloc(void *memory, size_t size, void *user)
{
	struct h2_session *session = user;
	size_t old = memory == NULL ? 0 : malloc_usable_size(memory);
	void *moved;

	BUG_ON(size == 0);
	if (size > old && !has_room(session, size - old))
		return NULL;
	moved = realloc(memory, size);
	if (moved == NULL)
		return NULL;
	session->memory -= old;
	return count_new(session, moved);
}

/* ---- begin and end ---- */

static nghttp2_option *new_option(void)
{
	nghttp2_option *option;

	if (nghttp2_option_new(&option) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(option, 1);
	/* The rules of messages are ours, so that heads of both protocols meet the same: nghttp2 would
	 * drop what it takes for invalid, and reset where HTTP/1.1 answers. */
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
	nghttp2_option_set_max_send_header_block_length(option, SENT_HEAD_BYTES_MAX);
	/* judge_section counts them; nghttp2 counts pieces in which the head of one comes, so that a slow
	 * client with one CONTINUATION would be one too many */
	nghttp2_option_set_max_continuations(option, SIZE_MAX);
	return option;
}

static int new_session(struct h2_session *session, const nghttp2_session_callbacks *callbacks,
		       const nghttp2_option *option)
{
	nghttp2_mem memory = {
		.mem_user_data = session,
		.malloc = memory_malloc,
		.free = memory_free,
		.calloc = memory_calloc,
		.realloc = memory_realloc,
	};

	if (callbacks == NULL || option == NULL)
		return -1;
	if (session->options.side == H2_SERVER)
		return nghttp2_session_server_new3(&session->ng, callbacks, session, option,
						   &memory);
	return nghttp2_session_client_new3(&session->ng, callbacks, session, option, &memory);
}

static size_t fill_settings(const struct h2_options *options,
			    nghttp2_settings_entry entries[static SETTINGS_COUNT_MAX])
{
	size_t count = 0;

	entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
						    options->stream_window_bytes};
	entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
						    options->head.head_bytes};
	if (options->side == H2_CLIENT) {
		entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
		return count;
	}
	entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
						    options->streams_max};
	/* no tree of priorities: streams take turns */
	entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1};
	if (options->websocket)
		entries[count++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
	return count;
}

static int submit_settings(struct h2_session *session)
{
	nghttp2_settings_entry entries[SETTINGS_COUNT_MAX];
	size_t count = fill_settings(&session->options, entries);

	if (nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, entries, count) != 0)
		return -1;
	session->settings_unacked = 1;
	return nghttp2_session_set_local_window_size(
		session->ng, NGHTTP2_FLAG_NONE, 0,
		(int32_t)(session->options.window_bytes / WIDE_PART));
}

int h2_session_init(struct h2_session *session, const struct h2_options *options,
		    const struct h2_calls *calls, void *owner, uint64_t now_ns)
{
	nghttp2_session_callbacks *callbacks = h2_callbacks_new();
	nghttp2_option *option = new_option();
	int result;

	BUG_ON(options->streams_max == 0 || options->head.fields > fields_max(options->side));
	BUG_ON(options->window_bytes > INT32_MAX / 2);
	BUG_ON((uint64_t)options->streams_max * options->stream_window_first_bytes >
	       options->window_bytes / WIDE_PART);
	*session = (struct h2_session){
		.calls = calls,
		.owner = owner,
		.options = *options,
		.frames = h2_frames_start(options->side == H2_SERVER ? H2_PREFACE_BYTES : 0),
		.now_ns = now_ns,
		.started_ns = now_ns,
	};
	list_init(&session->all);
	h2_abuse_init(&session->abuse, now_ns);
	result = new_session(session, callbacks, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	if (result == 0 && submit_settings(session) == 0)
		return 0;
	nghttp2_session_del(session->ng);
	session->ng = NULL;
	return -1;
}

static void close_stream(struct h2_session *session, struct h2_stream *stream, enum fault fault)
{
	stream->closed = true;
	session->calls->on_closed(session->owner, stream,
				  stream->fault != FAULT_NONE ? stream->fault : fault,
				  H2_INTERNAL_ERROR);
}

void h2_session_fini(struct h2_session *session, enum fault fault)
{
	struct list *link;

	while ((link = list_first(&session->all)) != NULL) {
		struct h2_stream *stream = container_of(link, struct h2_stream, link);

		list_remove(link);
		stream->session = NULL;
		if (!stream->closed)
			close_stream(session, stream, fault);
	}
	nghttp2_session_del(session->ng);
	session->ng = NULL;
}

void h2_session_note_output(const struct h2_session *session)
{
	if (session->calls->on_output != NULL)
		session->calls->on_output(session->owner);
}

/* ---- what goes wrong ---- */

void h2_session_fail(struct h2_session *session, enum fault fault, enum h2_error code)
{
	if (session->fault == FAULT_NONE)
		session->fault = fault;
	h2_end(session, code);
}

enum fault h2_session_broken_fault(const struct h2_session *session)
{
	return session->options.side == H2_SERVER ? FAULT_H2_BROKEN : FAULT_UPSTREAM_H2_BROKEN;
}

static void give_up(struct h2_session *session)
{
	session->broken = true;
	if (session->fault == FAULT_NONE)
		session->fault = h2_session_broken_fault(session);
}

static void narrow(struct h2_session *session)
{
	nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
					session->options.stream_window_first_bytes};

	session->windows = H2_NARROWING;
	session->settings_unacked++;
	if (nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, &entry, 1) != 0)
		give_up(session);
	h2_session_note_output(session);
}

void h2_session_hold(struct h2_session *session, struct h2_stream *stream, size_t bytes)
{
	stream->held_bytes += bytes;
	if (!stream->is_wide)
		return;
	session->wide_held_bytes += bytes;
	if (session->windows == H2_WIDE &&
	    session->wide_held_bytes > session->options.window_bytes / WIDE_HELD_PART)
		narrow(session);
}

void h2_session_let_go(struct h2_session *session, struct h2_stream *stream, size_t bytes)
{
	stream->held_bytes -= bytes;
	if (!stream->is_wide)
		return;
	session->wide_held_bytes -= bytes;
	/* what comes from now on is within its narrow window */
	if (session->windows == H2_NARROW && stream->held_bytes == 0)
		stream->is_wide = false;
}

/* Windows of streams are narrow now, by nghttp2: there is room for all of them. */
static void open_connection_window(struct h2_session *session)
{
	session->windows = H2_NARROW;
	/* without memory the connection has what it had, and others may have to wait */
	(void)nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0,
						    (int32_t)session->options.window_bytes * 2);
}

void h2_session_on_ack(struct h2_session *session)
{
	session->settings_acked = true;
	session->settings_unacked--;
	if (session->windows == H2_NARROWING && session->settings_unacked == 0)
		open_connection_window(session);
}

void h2_session_react(struct h2_session *session, enum h2_mood mood)
{
	if (mood == H2_UNEASY && !session->draining)
		h2_drain(session, session->now_ns);
	if (mood == H2_ANGRY)
		h2_session_fail(session,
				session->options.side == H2_SERVER ? FAULT_H2_ABUSE
								   : FAULT_UPSTREAM_H2_BROKEN,
				H2_ENHANCE_YOUR_CALM);
}

void h2_session_glitch(struct h2_session *session, enum h2_glitch glitch)
{
	h2_session_react(session, h2_abuse_add(&session->abuse, glitch, session->now_ns));
}

/* ---- frames of the peer, before nghttp2 reads them ---- */

static bool is_for_closed_stream(const struct h2_session *session, const struct h2_frame *frame)
{
	return frame->stream_id != 0 && frame->stream_id <= session->highest_id &&
	       h2_session_stream(session, (int32_t)frame->stream_id) == NULL;
}

/* CVE-2024-27316 and kin: a section has an end, and soon. */
static void judge_section(struct h2_session *session, const struct h2_frame *frame)
{
	if (frame->type == H2_FRAME_HEADERS) {
		session->block_since_ns = session->now_ns > 0 ? session->now_ns : 1;
		session->block_bytes = 0;
		session->continuations = 0;
	} else {
		session->continuations++;
	}
	session->block_bytes += frame->length;
	session->block_ends = (frame->flags & H2_FLAG_END_HEADERS) != 0;
	if (session->continuations > CONTINUATIONS_MAX ||
	    session->block_bytes > session->options.head.head_bytes)
		h2_session_react(session, H2_ANGRY);
}

/* RFC 9113, 3.4: an endpoint begins with its SETTINGS. What else it says is another protocol, and mostly HTTP/1.1. */
static void judge_first_frame(struct h2_session *session, const struct h2_frame *frame)
{
	bool is_settings = frame->type == H2_FRAME_SETTINGS && (frame->flags & H2_FLAG_ACK) == 0;

	if (session->options.side == H2_CLIENT && !is_settings)
		h2_session_fail(session, FAULT_UPSTREAM_NOT_H2, H2_PROTOCOL_ERROR);
}

/* An answer to one of ours costs nothing. */
static void judge_ping(struct h2_session *session, const struct h2_frame *frame)
{
	if ((frame->flags & H2_FLAG_ACK) != 0 && session->pings > 0)
		session->pings--;
	else
		h2_session_glitch(session, H2_GLITCH_PING);
}

/* What a frame costs by its head alone; what lies in its payload is judged by the callbacks. */
static void judge_frame(struct h2_session *session, const struct h2_frame *frame)
{
	switch (frame->type) {
	case H2_FRAME_HEADERS:
	case H2_FRAME_CONTINUATION:
		judge_section(session, frame);
		break;
	case H2_FRAME_SETTINGS:
		if (session->settings_came && (frame->flags & H2_FLAG_ACK) == 0)
			h2_session_glitch(session, H2_GLITCH_SETTINGS);
		break;
	case H2_FRAME_PING:
		judge_ping(session, frame);
		break;
	case H2_FRAME_PRIORITY:
	case H2_FRAME_PRIORITY_UPDATE:
		h2_session_glitch(session, H2_GLITCH_PRIORITY);
		return;
	case H2_FRAME_DATA:
	case H2_FRAME_RST_STREAM:
	case H2_FRAME_WINDOW_UPDATE:
		break;
	default: /* a number of the peer: GOAWAY, PUSH_PROMISE, and what nobody knows */
		h2_session_glitch(session, H2_GLITCH_UNKNOWN_FRAME);
		return;
	}
	if (frame->type != H2_FRAME_CONTINUATION && is_for_closed_stream(session, frame))
		h2_session_glitch(session, H2_GLITCH_CLOSED_STREAM);
}

/* ---- bytes in ---- */

static size_t receive_piece(struct h2_session *session, struct span bytes)
{
	struct h2_frames_result piece = h2_frames_next(&session->frames, bytes);
	ssize_t taken;

	if (piece.begun && !session->settings_came)
		judge_first_frame(session, &piece.frame);
	if (piece.begun)
		judge_frame(session, &piece.frame);
	taken = nghttp2_session_mem_recv(session->ng, (const uint8_t *)bytes.ptr, piece.consumed);
	if (taken < 0 || (size_t)taken != piece.consumed)
		give_up(session);
	if (session->block_ends && h2_frames_at_boundary(&session->frames)) {
		session->block_ends = false;
		session->block_since_ns = 0;
	}
	return piece.consumed;
}

static bool is_full(const struct h2_session *session)
{
	return nghttp2_session_get_outbound_queue_size(session->ng) >=
	       CONTROL_FRAMES_MAX + session->unsent;
}

static bool is_deaf(const struct h2_session *session)
{
	return session->broken || nghttp2_session_want_read(session->ng) == 0;
}

size_t h2_receive(struct h2_session *session, struct span bytes, uint64_t now_ns)
{
	size_t done = 0;

	session->now_ns = now_ns;
	while (done < bytes.len && !is_deaf(session) && !is_full(session))
		done += receive_piece(session, span_skip(bytes, done));
	return is_deaf(session) ? bytes.len : done;
}

bool h2_wants_read(const struct h2_session *session)
{
	return !is_deaf(session) && !is_full(session);
}

/* ---- bytes out ---- */

static void put_pending(struct h2_session *session)
{
	size_t length = session->pending.len < session->out_room ? session->pending.len
								 : session->out_room;

	if (length == 0)
		return;
	memcpy(session->out, session->pending.ptr, length);
	session->pending = span_skip(session->pending, length);
	session->out += length;
	session->out_room -= length;
}

/* The next frames that are not DATA, or all DATA that fits, which h2_callbacks.c writes itself. */
static bool put_frames(struct h2_session *session)
{
	const uint8_t *bytes;
	ssize_t length = nghttp2_session_mem_send(session->ng, &bytes);

	if (length < 0)
		give_up(session);
	if (length <= 0)
		return false;
	session->pending = span_make((const char *)bytes, (size_t)length);
	put_pending(session);
	return true;
}

size_t h2_pull(struct h2_session *session, char *buffer, size_t size, uint64_t now_ns)
{
	BUG_ON(size < H2_PULL_MIN);
	session->now_ns = now_ns;
	session->out = buffer;
	session->out_room = size;
	put_pending(session);
	while (!session->broken && session->pending.len == 0 && session->out_room >= H2_ROOM_MIN)
		if (!put_frames(session))
			break;
	session->out = NULL;
	return size - session->out_room;
}

bool h2_wants_write(const struct h2_session *session)
{
	return !session->broken &&
	       (session->pending.len > 0 || nghttp2_session_want_write(session->ng) != 0);
}

bool h2_is_over(const struct h2_session *session)
{
	return session->broken ||
	       (!h2_wants_write(session) && nghttp2_session_want_read(session->ng) == 0);
}

/* ---- time ---- */

static void tick_stream(struct h2_session *session, struct h2_stream *stream)
{
	bool is_sending = stream->has_body && !stream->waits && !stream->local_ended &&
			  !stream->closed && !stream->resetting;

	if (!is_sending || stream->sent_bytes - stream->progress_bytes >= STALL_BYTES) {
		stream->progress_bytes = stream->sent_bytes;
		stream->progress_ns = session->now_ns;
	} else if (session->now_ns - stream->progress_ns >= session->options.stall_ns) {
		h2_stream_fail(stream,
			       session->options.side == H2_SERVER ? FAULT_CLIENT_STALLED
								  : FAULT_UPSTREAM_SEND_TIMEOUT,
			       H2_CANCEL);
	}
}

static void tick_handshake(struct h2_session *session)
{
	uint64_t age_ns = session->now_ns - session->started_ns;

	if (!session->settings_came && age_ns >= SETTINGS_SECONDS * SECOND_NS)
		h2_session_fail(session, h2_session_broken_fault(session), H2_PROTOCOL_ERROR);
	else if (!session->settings_acked && age_ns >= ACK_SECONDS * SECOND_NS)
		h2_session_fail(session, h2_session_broken_fault(session), H2_SETTINGS_TIMEOUT);
}

void h2_tick(struct h2_session *session, uint64_t now_ns)
{
	session->now_ns = now_ns;
	if (session->broken)
		return;
	tick_handshake(session);
	if (session->block_since_ns != 0 &&
	    now_ns - session->block_since_ns >= SECTION_SECONDS * SECOND_NS)
		h2_session_react(session, H2_ANGRY);
	if (session->drain_ns != 0 && now_ns >= session->drain_ns) {
		session->drain_ns = 0;
		(void)nghttp2_submit_goaway(
			session->ng, NGHTTP2_FLAG_NONE,
			nghttp2_session_get_last_proc_stream_id(session->ng), H2_NO_ERROR, NULL,
			0); /* without memory the connection ends by its idle time */
	}
	list_for_each_safe (link, &session->all)
		tick_stream(session, container_of(link, struct h2_stream, link));
}

bool h2_is_calm(const struct h2_session *session)
{
	return session->broken ||
	       (session->streams == 0 && session->settings_came && session->settings_acked &&
		session->block_since_ns == 0 && session->drain_ns == 0);
}

void h2_drain(struct h2_session *session, uint64_t now_ns)
{
	if (session->draining || session->broken)
		return;
	session->draining = true;
	if (session->options.side == H2_CLIENT)
		return; /* a server begins no streams that it could be told not to */
	session->drain_ns = now_ns + DRAIN_SECONDS * SECOND_NS;
	if (nghttp2_submit_shutdown_notice(session->ng) != 0)
		give_up(session);
	h2_session_note_output(session);
}

void h2_end(struct h2_session *session, enum h2_error code)
{
	session->draining = true;
	if (!session->broken && nghttp2_session_terminate_session(session->ng, code) != 0)
		give_up(session);
	h2_session_note_output(session);
}

void h2_ping(struct h2_session *session)
{
	/* without memory none goes out, and there will be no answer */
	if (!session->broken && nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, NULL) == 0)
		session->pings++;
	h2_session_note_output(session);
}

uint32_t h2_streams_limit(const struct h2_session *session)
{
	uint32_t peer = nghttp2_session_get_remote_settings(
		session->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return peer < session->options.streams_max ? peer : session->options.streams_max;
}

uint32_t h2_streams_allowed(const struct h2_session *session)
{
	uint32_t limit = h2_streams_limit(session);

	if (session->broken || session->draining ||
	    nghttp2_session_check_request_allowed(session->ng) == 0)
		return 0;
	return session->streams < limit ? limit - session->streams : 0;
}

struct h2_stream *h2_session_stream(const struct h2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session->ng, id);
}
