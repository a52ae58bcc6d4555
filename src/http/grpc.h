/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC says by means of HTTP (gRPC over HTTP2; gRPC-Web is ordinary HTTP and none of this). */
#pragma once

#include <stdbool.h>

#include "http/head.h"

/* Codes of grpc-status that stand for statuses of HTTP. */
enum grpc_status {
	GRPC_UNKNOWN = 2,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16,
};

/* Whether who sent it reads the outcome from grpc-status, and not from the status of HTTP. */
bool grpc_is_request(const struct request_head *request);

/* What a client would make of a response with that status that is not one of gRPC (HTTP to gRPC Status Code
 * Mapping). */
enum grpc_status grpc_status_of(unsigned http_status);
