/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

#include <stddef.h>
#include <string.h>

#include "base/bug.h"
#include "http/token.h"

enum { METHOD_BYTES_MAX = 24 }; /* H17 */

bool method_is_idempotent(enum method method)
{
	switch (method) {
	case METHOD_GET:
	case METHOD_HEAD:
	case METHOD_PUT:
	case METHOD_DELETE:
	case METHOD_OPTIONS:
		return true;
	case METHOD_OTHER:
	case METHOD_POST:
	case METHOD_PATCH:
	case METHOD_COUNT:
		return false;
	}
	return false;
}

const char *method_label(enum method method)
{
	static const char *const labels[METHOD_COUNT] = {
		[METHOD_OTHER] = "_OTHER",    [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",
		[METHOD_POST] = "POST",       [METHOD_PUT] = "PUT",     [METHOD_DELETE] = "DELETE",
		[METHOD_OPTIONS] = "OPTIONS", [METHOD_PATCH] = "PATCH",
	};

	BUG_ON((unsigned)method >= METHOD_COUNT);
	return labels[method];
}

static enum method method_find(struct span method)
{
	static const struct {
		char name[8];
		enum method id;
	} methods[] = {
		{"GET", METHOD_GET},         {"POST", METHOD_POST},     {"HEAD", METHOD_HEAD},
		{"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
		{"OPTIONS", METHOD_OPTIONS},
	};
	char name[8] = {0};

	if (method.len >= sizeof(name))
		return METHOD_OTHER;
	for (size_t i = 0; i < method.len; i++)
		name[i] = method.ptr[i];
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (memcmp(name, methods[i].name, sizeof(name)) == 0)
			return methods[i].id;
	return METHOD_OTHER;
}

enum fault method_parse(struct span method, enum method *id)
{
	*id = method_find(method);
	if (*id != METHOD_OTHER)
		return FAULT_NONE;
	if (method.len > METHOD_BYTES_MAX || !token_is(method, TOKEN_METHOD) ||
	    !token_byte_is(method.ptr[0], TOKEN_UPPER))
		return FAULT_UNKNOWN_METHOD;
	if (span_equals(method, S("CONNECT")) || span_equals(method, S("TRACE")) ||
	    span_equals(method, S("TRACK")))
		return FAULT_METHOD_NOT_ALLOWED;
	return FAULT_NONE;
}

static const struct header *find(const struct header *headers, uint32_t count, enum header_id id)
{
	for (uint32_t i = 0; i < count; i++)
		if (headers[i].id == id)
			return &headers[i];
	return NULL;
}

const struct header *request_head_find(const struct request_head *head, enum header_id id)
{
	return request_head_has(head, id) ? find(head->headers, head->header_count, id) : NULL;
}

const struct header *response_head_find(const struct response_head *head, enum header_id id)
{
	return response_head_has(head, id) ? find(head->headers, head->header_count, id) : NULL;
}
