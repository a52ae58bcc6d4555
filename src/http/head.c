/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

#include <stddef.h>

#include "base/bug.h"

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
