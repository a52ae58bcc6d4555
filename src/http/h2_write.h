/* SPDX-License-Identifier: Apache-2.0 */
/* The message form to fields of HTTP/2, checked once more: what h1_write.h is for HTTP/1.1. Private to
 * the codec h2.h.
 *
 * Nothing is copied: names and values stay where they are until the frame was sent, which for an owner
 * means until its stream was closed. The list itself is memory of this file, good until the next is
 * begun, and is copied by nghttp2_submit_… before that.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/arena.h"
#include "http/fault.h"
#include "http/header.h"

enum { H2_WRITE_FIELDS_MAX = 256 };

struct h2_writer {
	nghttp2_nv *fields; /* H2_WRITE_FIELDS_MAX elements */
	size_t count;
	enum fault fault;    /* the first: WRITER_CHECK or OUT_OF_MEMORY */
	struct arena *arena; /* for names that have to be lowered */
};

/* One list at a time in a process. */
struct h2_writer h2_writer_begin(struct arena *arena);

/* name begins with ':'. */
void h2_write_pseudo(struct h2_writer *writer, struct span name, struct span value);

/* Copied at once by nghttp2, unlike the others. */
void h2_write_status(struct h2_writer *writer, unsigned status);

/* All but those that are marked as dropped. Names in any case. A field of HTTP/1 connections, Host, and
 * whatever could not be in a head that was parsed is WRITER_CHECK. */
void h2_write_headers(struct h2_writer *writer, const struct header *headers, uint32_t count);
