/* SPDX-License-Identifier: Apache-2.0 */
/* What owners ask of a stream. */
#include "base/bug.h"
#include "http/h2_session.h"
#include "http/h2_write.h"
#include "http/scan.h"
#include "http/token.h"

enum { LENT_PART = 4, LENT_STEP_BYTES = 1024 };

void h2_stream_init(struct h2_session *session, struct h2_stream *stream)
{
	stream->session = session;
	stream->expected_bytes = UINT64_MAX;
	stream->progress_ns = session->now_ns;
	stream->is_wide = session->windows != H2_NARROW;
	list_add_last(&session->all, &stream->link);
	session->streams++;
}

/* FAULT_NONE: it can still send. */
static enum fault judge_open(const struct h2_stream *stream)
{
	if (stream->session != NULL && !stream->session->broken && !stream->closed &&
	    !stream->resetting)
		return FAULT_NONE;
	if (stream->fault != FAULT_NONE)
		return stream->fault;
	return stream->request != NULL ? FAULT_CLIENT_CLOSED : FAULT_UPSTREAM_CLOSED;
}

static nghttp2_data_provider *provider(enum h2_then then)
{
	static nghttp2_data_provider data = {.read_callback = h2_read_data};

	return then == H2_THEN_BODY ? &data : NULL;
}

/* ---- heads ---- */

static bool is_sound_request(const struct h2_request *request)
{
	struct span path = request->path;

	return token_is(request->method, TOKEN_CHAR) && token_is(request->scheme, TOKEN_PLAIN) &&
	       path.len > 0 && scan_target(path.ptr, path.ptr + path.len) == path.ptr + path.len &&
	       (request->authority.len == 0 || token_is(request->authority, TOKEN_HOST)) &&
	       (request->protocol.len == 0 || token_is(request->protocol, TOKEN_CHAR));
}

static struct h2_writer write_request(struct arena *arena, const struct h2_request *request,
				      const struct header *headers, uint32_t count)
{
	struct h2_writer writer = h2_writer_begin(arena);

	if (!is_sound_request(request))
		writer.fault = FAULT_WRITER_CHECK;
	h2_write_pseudo(&writer, S(":method"), request->method);
	h2_write_pseudo(&writer, S(":scheme"), request->scheme);
	if (request->authority.len > 0)
		h2_write_pseudo(&writer, S(":authority"), request->authority);
	h2_write_pseudo(&writer, S(":path"), request->path);
	if (request->protocol.len > 0)
		h2_write_pseudo(&writer, S(":protocol"), request->protocol);
	h2_write_headers(&writer, headers, count);
	return writer;
}

enum fault h2_request(struct h2_session *session, struct h2_stream *stream,
		      const struct h2_request *request, const struct header *headers,
		      uint32_t count, enum h2_then then)
{
	struct h2_writer writer = write_request(stream->arena, request, headers, count);
	int32_t id;

	BUG_ON(session->options.side != H2_CLIENT || h2_streams_allowed(session) == 0);
	if (writer.fault != FAULT_NONE)
		return writer.fault;
	id = nghttp2_submit_request(session->ng, NULL, writer.fields, writer.count, provider(then),
				    stream);
	if (id < 0)
		return FAULT_OUT_OF_MEMORY;
	h2_stream_init(session, stream);
	stream->id = session->highest_id = (uint32_t)id;
	stream->is_tunnel = request->protocol.len > 0;
	stream->has_body = then == H2_THEN_BODY;
	(void)method_parse(request->method,
			   &stream->request_method); /* served or not, it was sent */
	session->unsent++;
	h2_session_note_output(session);
	return FAULT_NONE;
}

enum fault h2_respond(struct h2_stream *stream, unsigned status, const struct header *headers,
		      uint32_t count, enum h2_then then)
{
	enum fault fault = judge_open(stream);
	struct h2_writer writer;

	if (fault != FAULT_NONE)
		return fault;
	writer = h2_writer_begin(stream->arena);
	h2_write_status(&writer, status);
	h2_write_headers(&writer, headers, count);
	if (status < 200)
		writer.fault = FAULT_WRITER_CHECK;
	if (writer.fault != FAULT_NONE)
		return writer.fault;
	if (nghttp2_submit_response(stream->session->ng, (int32_t)stream->id, writer.fields,
				    writer.count, provider(then)) != 0)
		return FAULT_OUT_OF_MEMORY;
	stream->has_body = then == H2_THEN_BODY;
	if (status >= 300)
		stream->is_tunnel = false;
	h2_session_note_output(stream->session);
	return FAULT_NONE;
}

enum fault h2_inform(struct h2_stream *stream, unsigned status, const struct header *headers,
		     uint32_t count)
{
	enum fault fault = judge_open(stream);
	struct h2_writer writer;

	if (fault != FAULT_NONE)
		return fault;
	writer = h2_writer_begin(stream->arena);
	h2_write_status(&writer, status);
	h2_write_headers(&writer, headers, count);
	if (status >= 200)
		writer.fault = FAULT_WRITER_CHECK;
	if (writer.fault != FAULT_NONE)
		return writer.fault;
	if (nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, (int32_t)stream->id,
				   NULL, writer.fields, writer.count, NULL) != 0)
		return FAULT_OUT_OF_MEMORY;
	h2_session_note_output(stream->session);
	return FAULT_NONE;
}

/* ---- the body that is sent ---- */

void h2_body_ready(struct h2_stream *stream)
{
	if (!stream->waits || judge_open(stream) != FAULT_NONE)
		return;
	stream->waits = false;
	stream->progress_ns = stream->session->now_ns;
	/* fails only for a stream that has nothing to resume */
	(void)nghttp2_session_resume_data(stream->session->ng, (int32_t)stream->id);
	h2_session_note_output(stream->session);
}

static enum fault submit_trailers(struct h2_stream *stream, const struct h2_body *body, bool *any)
{
	struct h2_writer writer = h2_writer_begin(stream->arena);

	h2_write_headers(&writer, body->trailers, body->trailer_count);
	*any = writer.count > 0;
	if (writer.fault != FAULT_NONE || !*any)
		return writer.fault;
	return nghttp2_submit_trailer(stream->session->ng, (int32_t)stream->id, writer.fields,
				      writer.count) == 0
		       ? FAULT_NONE
		       : FAULT_OUT_OF_MEMORY;
}

/* The end of the body: *flags say that it is one, and whether trailers follow. */
static enum fault end_body(struct h2_stream *stream, const struct h2_body *body, uint32_t *flags)
{
	bool has_trailers;
	enum fault fault = submit_trailers(stream, body, &has_trailers);

	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (has_trailers)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return fault;
}

ssize_t h2_read_data(nghttp2_session *ng, int32_t id, uint8_t *buffer, size_t length,
		     uint32_t *flags, nghttp2_data_source *source, void *session)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
	struct h2_body body;
	enum fault fault = FAULT_NONE;

	(void)buffer; /* the bytes go straight into the buffer of h2_pull */
	(void)source;
	(void)session;
	if (stream == NULL || stream->resetting)
		return NGHTTP2_ERR_DEFERRED;
	body = stream->session->calls->read_body(stream->session->owner, stream, length);
	BUG_ON(body.bytes.len > length);
	BUG_ON(body.status == H2_BODY_MORE && body.bytes.len == 0);
	if (body.status == H2_BODY_WAIT || stream->resetting) {
		stream->waits = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (body.status == H2_BODY_END)
		fault = end_body(stream, &body, flags);
	if (fault != FAULT_NONE) {
		h2_stream_give_up(stream, fault);
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	stream->piece = body.bytes;
	return (ssize_t)body.bytes.len;
}

/* ---- the body that comes ---- */

/* What may be lent to that stream, with what it has been lent already. A stream that is wide may have been lent
 * something since, and hold it: that is counted twice. */
static uint32_t lendable(const struct h2_session *session, const struct h2_stream *stream)
{
	const struct h2_options *options = &session->options;
	uint64_t taken = (uint64_t)options->streams_max * options->stream_window_first_bytes +
			 session->lent_bytes - stream->lent_bytes + session->wide_held_bytes;

	return taken < options->window_bytes ? options->window_bytes - (uint32_t)taken : 0;
}

/* A stream that consumes is lent what a quarter of the rest is, so that there is always some rest. */
static void widen(struct h2_session *session, struct h2_stream *stream)
{
	const struct h2_options *options = &session->options;
	uint32_t first = options->stream_window_first_bytes;
	uint32_t own = stream->lent_bytes;
	uint32_t part = lendable(session, stream) / LENT_PART;
	uint32_t most = options->stream_window_bytes - first;
	uint32_t target = part < most ? part : most;

	if (session->windows != H2_NARROW || stream->remote_ended || target < own + LENT_STEP_BYTES)
		return;
	if (nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE,
						  (int32_t)stream->id,
						  (int32_t)(first + target)) != 0)
		return;
	stream->lent_bytes = target;
	session->lent_bytes += target - own;
}

/* Results are those of memory that is out; the next call that sends sees it again and gives up. */
static void give_back(struct h2_session *session, struct h2_stream *stream, size_t bytes)
{
	if (session->broken)
		return;
	(void)nghttp2_session_consume_connection(session->ng, bytes);
	if (!stream->closed)
		(void)nghttp2_session_consume_stream(session->ng, (int32_t)stream->id, bytes);
}

void h2_consume(struct h2_stream *stream, size_t bytes)
{
	struct h2_session *session = stream->session;

	BUG_ON(bytes > stream->held_bytes);
	if (session == NULL) {
		stream->held_bytes -= bytes;
		return;
	}
	h2_session_let_go(session, stream, bytes);
	if (bytes == 0)
		return;
	give_back(session, stream, bytes);
	if (!stream->closed && !session->broken)
		widen(session, stream);
	if (h2_wants_write(session))
		h2_session_note_output(session);
}

/* ---- the end ---- */

static void submit_reset(struct h2_stream *stream, enum h2_error code)
{
	stream->resetting = true;
	/* fails only without memory, and then so does what is sent next */
	(void)nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, (int32_t)stream->id,
					code);
	h2_session_note_output(stream->session);
}

void h2_reset(struct h2_stream *stream, enum h2_error code)
{
	if (judge_open(stream) != FAULT_NONE)
		return;
	stream->reset_by_owner = true;
	submit_reset(stream, code);
}

void h2_stream_fail(struct h2_stream *stream, enum fault fault, enum h2_error code)
{
	if (judge_open(stream) != FAULT_NONE)
		return;
	stream->fault = fault;
	submit_reset(stream, code);
}

void h2_stream_give_up(struct h2_stream *stream, enum fault fault)
{
	h2_reset(stream, H2_INTERNAL_ERROR);
	stream->fault = fault;
}

void h2_stream_request_sent(struct h2_session *session, struct h2_stream *stream)
{
	if (session->options.side == H2_SERVER || stream->request_sent)
		return;
	stream->request_sent = true;
	session->unsent--;
}

static void give_back_all(struct h2_session *session, struct h2_stream *stream)
{
	if (stream->held_bytes > 0)
		give_back(session, stream, stream->held_bytes);
	h2_session_let_go(session, stream, stream->held_bytes);
	session->lent_bytes -= stream->lent_bytes;
}

void h2_release(struct h2_stream *stream)
{
	struct h2_session *session = stream->session;

	if (session == NULL)
		return;
	h2_reset(stream, H2_CANCEL);
	if (!stream->closed && !session->broken) {
		nghttp2_session_set_stream_user_data(session->ng, (int32_t)stream->id, NULL);
		h2_abuse_stream_ended(&session->abuse);
	}
	if (session->block_stream == stream)
		session->block_stream = NULL;
	h2_stream_request_sent(session, stream);
	give_back_all(session, stream);
	list_remove(&stream->link);
	session->streams--;
	stream->session = NULL;
}
