/* SPDX-License-Identifier: Apache-2.0 */
/* What nghttp2 tells of frames, and what becomes of it: the events of the owner, the rules that a stream
 * must keep, the glitches. */
#include <string.h>

#include "base/bug.h"
#include "http/h2_session.h"

enum { SMALL_WINDOW_UPDATE_BYTES = 1024, DATA_BYTES_MAX = 16384 };

static bool is_server(const struct h2_session *session)
{
	return session->options.side == H2_SERVER;
}

/* RFC 9113, 8.1.1: a stream error, whatever it was. */
static void fail_malformed(struct h2_session *session, struct h2_stream *stream, enum fault fault)
{
	h2_stream_fail(stream, fault, H2_PROTOCOL_ERROR);
	h2_session_glitch(session, H2_GLITCH_MALFORMED);
}

/* ---- sections ---- */

static void begin_response(struct h2_session *session, struct h2_stream *stream)
{
	struct response_head *head = stream->response;

	*head = (struct response_head){.headers = head->headers};
	h2_block_begin(&session->block, H2_SECTION_RESPONSE,
		       stream->head_limits != NULL ? stream->head_limits : &session->options.head,
		       stream->arena, head->headers, head->present);
}

static void begin_request(struct h2_session *session, struct h2_stream *stream)
{
	struct request_head *head = stream->request;

	*head = (struct request_head){.headers = head->headers};
	h2_block_begin(&session->block, H2_SECTION_REQUEST, &session->options.head, stream->arena,
		       head->headers, head->present);
}

static void refuse(struct h2_session *session, int32_t id)
{
	/* without memory the stream stays open and silent, and ends with the connection */
	(void)nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, id, H2_REFUSED_STREAM);
}

/* A new stream, or NULL where it was refused. */
static struct h2_stream *begin_stream(struct h2_session *session, int32_t id)
{
	const nghttp2_extpri turns = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
	struct h2_stream *stream;

	session->highest_id = (uint32_t)id;
	h2_abuse_stream_begun(&session->abuse);
	if (session->streams >= session->options.streams_max) {
		refuse(session, id);
		h2_session_glitch(session, H2_GLITCH_RESET_SENT);
		return NULL;
	}
	stream = session->calls->on_begin(session->owner);
	if (stream == NULL) {
		refuse(session, id);
		h2_abuse_stream_ended(&session->abuse);
		return NULL;
	}
	stream->id = (uint32_t)id;
	h2_stream_init(session, stream);
	nghttp2_session_set_stream_user_data(session->ng, id, stream);
	/* bodies share the connection evenly; without memory they come one after the other */
	(void)nghttp2_session_change_extpri_stream_priority(session->ng, id, &turns, 1);
	return stream;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	struct h2_session *session = user;
	int32_t id = frame->hd.stream_id;
	struct h2_stream *stream;

	(void)ng;
	session->block_stream = NULL;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		stream = begin_stream(session, id);
		if (stream != NULL)
			begin_request(session, stream);
	} else {
		stream = h2_session_stream(session, id);
		if (stream == NULL || stream->resetting)
			return 0;
		if (stream->head_done)
			h2_block_begin_trailers(&session->block, &session->options.head,
						stream->arena, !is_server(session));
		else
			begin_response(session, stream);
	}
	session->block_stream = stream;
	return 0;
}

static struct h2_text text_of(nghttp2_rcbuf *buffer)
{
	nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);

	return (struct h2_text){
		.text = {(const char *)bytes.base, bytes.len},
		.is_static = nghttp2_rcbuf_is_static(buffer) != 0,
	};
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
	struct h2_session *session = user;

	(void)ng;
	(void)frame;
	(void)flags;
	if (session->block_stream != NULL)
		h2_block_field(&session->block, text_of(name), text_of(value));
	return 0;
}

/* ---- the peer's side of a stream ---- */

/* D7. Tunnels have no length. */
static bool has_whole_body(const struct h2_stream *stream)
{
	return stream->expected_bytes == UINT64_MAX ||
	       stream->expected_bytes == stream->received_bytes;
}

static enum fault length_fault(const struct h2_session *session)
{
	return is_server(session) ? FAULT_BODY_LENGTH : FAULT_BAD_RESPONSE_BODY;
}

static void end_remote(struct h2_session *session, struct h2_stream *stream)
{
	if (!stream->head_done) { /* RFC 9113, 8.1: a response has a final head */
		fail_malformed(session, stream, FAULT_BAD_RESPONSE);
		return;
	}
	if (!has_whole_body(stream)) {
		fail_malformed(session, stream, length_fault(session));
		return;
	}
	stream->remote_ended = true;
	session->calls->on_end(session->owner, stream);
}

static void count_head(const struct h2_session *session, struct h2_stream *stream)
{
	stream->head_bytes += session->block_bytes +
			      H2_FRAME_HEAD_BYTES * (1 + (uint32_t)session->continuations);
}

static void end_request_head(struct h2_session *session, struct h2_stream *stream, bool is_last)
{
	struct h2_request_rules rules = {
		.https = session->options.https,
		.websocket = session->options.websocket,
	};
	struct h2_block *block = &session->block;

	h2_block_request(block, rules, is_last, stream->request);
	if (block->malformed) {
		fail_malformed(session, stream, block->fault);
		return;
	}
	if (block->fault != FAULT_NONE)
		h2_session_glitch(session, H2_GLITCH_MALFORMED);
	else if (stream->request->wants_websocket)
		stream->is_tunnel = true;
	else if (stream->request->has_content_length)
		stream->expected_bytes = stream->request->content_length;
	stream->head_done = true;
	count_head(session, stream);
	session->calls->on_head(session->owner, stream, block->fault);
}

static void end_response_head(struct h2_session *session, struct h2_stream *stream, bool is_last)
{
	struct response_head *head = stream->response;
	struct h2_block *block = &session->block;

	h2_block_response(block, stream->request_method, stream->is_tunnel, is_last, head);
	if (block->malformed) {
		fail_malformed(session, stream, block->fault);
		return;
	}
	if (head->status >= 200) {
		stream->head_done = true;
		stream->is_tunnel = stream->is_tunnel && head->status < 300;
		if (head->framing == BODY_LENGTH)
			stream->expected_bytes = head->content_length;
		else if (head->framing == BODY_NONE)
			stream->expected_bytes = 0;
	}
	count_head(session, stream);
	session->calls->on_head(session->owner, stream, FAULT_NONE);
}

static void end_trailers(struct h2_session *session, struct h2_stream *stream, bool is_last)
{
	struct h2_block *block = &session->block;

	/* RFC 9113, 8.1: trailers end the stream; a tunnel has none */
	if (!is_last || stream->is_tunnel || block->fault != FAULT_NONE) {
		fail_malformed(session, stream,
			       is_server(session) ? FAULT_BAD_TRAILER : FAULT_BAD_RESPONSE_BODY);
		return;
	}
	stream->trailers = block->headers;
	stream->trailer_count = block->header_count;
}

static void on_section(struct h2_session *session, const nghttp2_frame *frame)
{
	bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_stream *stream = session->block_stream;

	session->block_stream = NULL;
	if (stream == NULL || stream->resetting)
		return;
	switch (session->block.section) {
	case H2_SECTION_REQUEST:
		end_request_head(session, stream, is_last);
		break;
	case H2_SECTION_RESPONSE:
		end_response_head(session, stream, is_last);
		break;
	case H2_SECTION_TRAILERS:
		end_trailers(session, stream, is_last);
		break;
	}
	/* the owner may have let it go */
	stream = h2_session_stream(session, frame->hd.stream_id);
	if (is_last && stream != NULL && !stream->resetting)
		end_remote(session, stream);
}

static bool may_come(struct h2_session *session, struct h2_stream *stream, size_t length)
{
	if (!stream->head_done) {
		fail_malformed(session, stream, FAULT_BAD_RESPONSE);
		return false;
	}
	if (length > stream->expected_bytes - stream->received_bytes) {
		fail_malformed(session, stream, length_fault(session));
		return false;
	}
	return true;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *bytes,
			 size_t length, void *user)
{
	struct h2_session *session = user;
	struct h2_stream *stream = h2_session_stream(session, id);

	(void)flags;
	if (stream == NULL || stream->resetting || !may_come(session, stream, length))
		return nghttp2_session_consume_connection(ng, length);
	stream->received_bytes += length;
	h2_session_hold(session, stream, length);
	session->calls->on_body(session->owner, stream, span_make((const char *)bytes, length));
	return 0;
}

static void on_data(struct h2_session *session, const nghttp2_frame *frame)
{
	struct h2_stream *stream = h2_session_stream(session, frame->hd.stream_id);
	size_t bytes = frame->hd.length - frame->data.padlen;

	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
		if (stream != NULL && !stream->resetting)
			end_remote(session, stream);
		return;
	}
	h2_session_react(session, h2_abuse_data(&session->abuse, (uint32_t)bytes, session->now_ns));
}

/* ---- other frames that came ---- */

static void on_reset(struct h2_session *session, const nghttp2_frame *frame)
{
	struct h2_stream *stream = h2_session_stream(session, frame->hd.stream_id);
	bool was_complete;

	if (stream == NULL)
		return;
	was_complete = is_server(session) ? stream->local_ended : stream->remote_ended;
	if (!was_complete)
		h2_session_glitch(session, H2_GLITCH_RESET_RECEIVED);
	stream->reset_by_peer = !stream->resetting;
	stream->resetting = true;
}

static void on_settings(struct h2_session *session, const nghttp2_frame *frame)
{
	if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
		h2_session_on_ack(session);
		return;
	}
	session->settings_came = true;
	session->extended_connect = nghttp2_session_get_remote_settings(
					    session->ng,
					    NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
	session->calls->on_settings(session->owner);
}

static void on_goaway(struct h2_session *session, const nghttp2_frame *frame)
{
	session->draining = true;
	session->calls->on_goaway(session->owner, (uint32_t)frame->goaway.last_stream_id,
				  frame->goaway.error_code);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	struct h2_session *session = user;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_section(session, frame);
		break;
	case NGHTTP2_DATA:
		on_data(session, frame);
		break;
	case NGHTTP2_RST_STREAM:
		on_reset(session, frame);
		break;
	case NGHTTP2_SETTINGS:
		on_settings(session, frame);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway(session, frame);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		if (frame->window_update.window_size_increment < SMALL_WINDOW_UPDATE_BYTES)
			h2_session_glitch(session, H2_GLITCH_SMALL_WINDOW_UPDATE);
		break;
	default: /* a number of the peer */
		break;
	}
	return 0;
}

/* ---- frames that were sent ---- */

/* RFC 9113, 8.1: a complete response ends what is left of the request. */
static void on_local_end(struct h2_session *session, struct h2_stream *stream)
{
	stream->local_ended = true;
	if (session->calls->on_sent != NULL)
		session->calls->on_sent(session->owner, stream);
	if (is_server(session) && !stream->remote_ended && !stream->is_tunnel)
		h2_reset(stream, H2_NO_ERROR);
}

static bool has_window(const struct h2_session *session, int32_t id)
{
	return nghttp2_session_get_remote_window_size(session->ng) > 0 &&
	       nghttp2_session_get_stream_remote_window_size(session->ng, id) > 0;
}

static void on_message_sent(struct h2_session *session, const nghttp2_frame *frame)
{
	struct h2_stream *stream = h2_session_stream(session, frame->hd.stream_id);

	h2_abuse_sent(&session->abuse);
	if (frame->hd.type == NGHTTP2_DATA && has_window(session, frame->hd.stream_id))
		h2_abuse_sent_within_windows(&session->abuse);
	if (stream == NULL)
		return;
	stream->wire_sent_bytes += H2_FRAME_HEAD_BYTES + frame->hd.length;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2_stream_request_sent(session, stream);
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		on_local_end(session, stream);
}

static void on_reset_sent(struct h2_session *session, const nghttp2_frame *frame)
{
	struct h2_stream *stream = h2_session_stream(session, frame->hd.stream_id);

	if (stream != NULL && !stream->reset_by_owner)
		h2_session_glitch(session, H2_GLITCH_RESET_SENT);
}

static void on_goaway_sent(struct h2_session *session, const nghttp2_frame *frame)
{
	if (frame->goaway.error_code != H2_NO_ERROR && session->fault == FAULT_NONE)
		session->fault = h2_session_broken_fault(session);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		on_message_sent(user, frame);
		break;
	case NGHTTP2_RST_STREAM:
		on_reset_sent(user, frame);
		break;
	case NGHTTP2_GOAWAY:
		on_goaway_sent(user, frame);
		break;
	default: /* the others mean nothing here */
		break;
	}
	return 0;
}

/* A head that nghttp2 finds too large to be sent; a stream that is being reset ends anyway. The stream of a
 * request is closed by nghttp2, and the peer, who never saw it, must not get a RST_STREAM for it. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
	struct h2_session *session = user;
	struct h2_stream *stream = h2_session_stream(session, frame->hd.stream_id);

	(void)ng;
	(void)error;
	if (frame->hd.type != NGHTTP2_HEADERS || stream == NULL || stream->resetting)
		return 0;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		stream->fault = FAULT_HEAD_TOO_LARGE;
	else
		h2_stream_give_up(stream, is_server(session) ? FAULT_RESPONSE_HEAD_TOO_LARGE
							     : FAULT_HEAD_TOO_LARGE);
	return 0;
}

/* ---- DATA, straight into the buffer of the pull ---- */

static ssize_t on_read_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t session_window,
			      int32_t stream_window, uint32_t max_frame, void *user)
{
	const struct h2_session *session = user;
	size_t length = session->out_room - H2_FRAME_HEAD_BYTES;

	(void)ng;
	(void)type;
	(void)id;
	(void)max_frame; /* of at least DATA_BYTES_MAX; larger ones would make streams wait longer */
	if (length > DATA_BYTES_MAX)
		length = DATA_BYTES_MAX;
	if (length > (size_t)session_window)
		length = (size_t)session_window;
	return (ssize_t)(length > (size_t)stream_window ? (size_t)stream_window : length);
}

static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head,
			size_t length, nghttp2_data_source *source, void *user)
{
	struct h2_session *session = user;
	struct h2_stream *stream = h2_session_stream(session, frame->hd.stream_id);

	(void)ng;
	(void)source;
	BUG_ON(stream == NULL || stream->piece.len != length);
	BUG_ON(session->out_room < H2_FRAME_HEAD_BYTES + length);
	memcpy(session->out, head, H2_FRAME_HEAD_BYTES);
	if (length > 0)
		memcpy(session->out + H2_FRAME_HEAD_BYTES, stream->piece.ptr, length);
	session->out += H2_FRAME_HEAD_BYTES + length;
	session->out_room -= H2_FRAME_HEAD_BYTES + length;
	stream->sent_bytes += length;
	if (length > 0)
		session->calls->body_sent(session->owner, stream, length);
	return session->out_room < H2_ROOM_MIN ? NGHTTP2_ERR_PAUSE : 0;
}

/* ---- the end of a stream ---- */

static enum fault close_fault(const struct h2_session *session, const struct h2_stream *stream,
			      uint32_t code)
{
	bool was_complete = is_server(session) ? stream->local_ended : stream->remote_ended;

	if (stream->fault != FAULT_NONE || stream->reset_by_owner)
		return stream->fault;
	if (was_complete && (code == H2_NO_ERROR || stream->local_ended))
		return FAULT_NONE;
	if (code == H2_REFUSED_STREAM && !is_server(session))
		return FAULT_STREAM_REFUSED; /* of the peer, or of nghttp2 beyond a GOAWAY */
	if (!stream->reset_by_peer)
		return h2_session_broken_fault(session); /* nghttp2 has reset it */
	return is_server(session) ? FAULT_CLIENT_CLOSED : FAULT_UPSTREAM_RESET;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
	struct h2_session *session = user;
	struct h2_stream *stream = h2_session_stream(session, id);
	enum fault fault;

	(void)ng;
	if (stream == NULL)
		return 0;
	fault = close_fault(session, stream, code);
	if (fault == FAULT_NONE || stream->reset_by_owner)
		h2_abuse_stream_ended(&session->abuse);
	if (session->block_stream == stream)
		session->block_stream = NULL;
	h2_stream_request_sent(session, stream);
	stream->closed = true;
	session->calls->on_closed(session->owner, stream, fault, code);
	return 0;
}

nghttp2_session_callbacks *h2_callbacks_new(void)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
	return callbacks;
}
