/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the codec h2.h share. Private to them. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/h2.h"

/* Takes from the glitch budget, and does what the mood asks for. */
void h2_session_glitch(struct h2_session *session, enum h2_glitch glitch);
void h2_session_react(struct h2_session *session, enum h2_mood mood);

/* The whole connection ends: the fault stays if there was none. */
void h2_session_fail(struct h2_session *session, enum fault fault, enum h2_error code);

/* The owner of a stream holds more, or gave back. */
void h2_session_hold(struct h2_session *session, struct h2_stream *stream, size_t bytes);
void h2_session_let_go(struct h2_session *session, struct h2_stream *stream, size_t bytes);

/* The peer has acknowledged SETTINGS. */
void h2_session_on_ack(struct h2_session *session);

/* Something was submitted: the owner is told. */
void h2_session_note_output(const struct h2_session *session);

/* Of a connection whose peer broke the rules of frames. */
enum fault h2_session_broken_fault(const struct h2_session *session);

/* The stream ends because of the peer. */
void h2_stream_fail(struct h2_stream *stream, enum fault fault, enum h2_error code);

/* The stream ends, and that is ours: it costs the peer nothing. */
void h2_stream_give_up(struct h2_stream *stream, enum fault fault);

/* The object of a stream that is not closed, or NULL. */
struct h2_stream *h2_session_stream(const struct h2_session *session, int32_t id);

/* Sets what of a stream is ours. */
void h2_stream_init(struct h2_session *session, struct h2_stream *stream);

/* Client: HEADERS of the request went out, or never will. Nothing happens when that is known. */
void h2_stream_request_sent(struct h2_session *session, struct h2_stream *stream);

/* What nghttp2 calls; the caller deletes them. NULL: no memory. */
nghttp2_session_callbacks *h2_callbacks_new(void);

/* nghttp2 asks read_body through this one. */
ssize_t h2_read_data(nghttp2_session *ng, int32_t id, uint8_t *buffer, size_t length,
		     uint32_t *flags, nghttp2_data_source *source, void *session);

enum { H2_ROOM_MIN = 512 }; /* less is left of a buffer: DATA waits for the next */
