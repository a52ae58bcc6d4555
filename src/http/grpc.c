/* SPDX-License-Identifier: Apache-2.0 */
#include "http/grpc.h"

bool grpc_is_request(const struct request_head *request)
{
	const struct span type = S("application/grpc");
	const struct header *header;
	struct span rest;

	if (!request_head_has(request, HEADER_CONTENT_TYPE))
		return false;
	header = request_head_find(request, HEADER_CONTENT_TYPE);
	if (header == NULL || !span_equals_nocase(span_take(header->value, type.len), type))
		return false;
	rest = span_skip(header->value, type.len);
	/* "application/grpc+proto", "application/grpc; …"; but not "application/grpc-web" */
	return rest.len == 0 || rest.ptr[0] == '+' || rest.ptr[0] == ';' || rest.ptr[0] == ' ';
}

enum grpc_status grpc_status_of(unsigned http_status)
{
	switch (http_status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default: /* a number, and not one of ours alone */
		return GRPC_UNKNOWN;
	}
}
