/* SPDX-License-Identifier: Apache-2.0 */
/* Responses as the client gets them: an endpoint's head, made anew, and Ingot's own answers. Which fields there are is
 * decided once; they are written as bytes of HTTP/1.1, or handed to the client's stream of HTTP/2.
 */
#pragma once

#include <stdbool.h>

#include "http/fault.h"
#include "http/header.h"
#include "proxy/message_sender.h"

struct exchange;

/* How the body of an endpoint's response is framed for this client. */
enum message_framing response_out_framing(const struct exchange *exchange);

/* Begins the response with the endpoint's head, exchange->response: sets to_downstream.sender, behind which the body
 * goes. False: it does not fit, or a value did not pass the writer's check. */
bool response_out_begin(struct exchange *exchange, enum message_framing framing);

/* An answer of Ingot's own, head and page, with one field besides (or NULL): sets to_downstream.sender, which only
 * has to be flushed. Who speaks gRPC is told an error by grpc-status. A fault: nothing can be answered. */
enum fault response_out_own(struct exchange *exchange, unsigned status, const struct header *field);

/* An interim response: 100, or 103 with the fields of exchange->response that may go on. Nothing is owed of
 * another. What the client's connection has no room for is not sent, or owed. A fault: nothing can follow what has
  * gone. */
enum fault response_out_inform(struct exchange *exchange, unsigned status);
