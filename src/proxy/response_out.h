/* SPDX-License-Identifier: Apache-2.0 */
/* Response heads as the client gets them: an endpoint's, made anew, and Ingot's own. */
#pragma once

#include "base/span.h"
#include "proxy/message_sender.h"

struct exchange;

/* How the body of an endpoint's response is framed for this client. */
enum message_framing response_out_framing(const struct exchange *exchange);

/* Writes an endpoint's head into the worker's scratch. {NULL, 0}: as request_out_write. */
struct span response_out_write(struct exchange *exchange, enum message_framing framing);

/* A whole answer of Ingot's own, head and page, in the worker's scratch. fields: more of them, each with CRLF. */
struct span response_out_own(struct exchange *exchange, unsigned status, struct span fields);
