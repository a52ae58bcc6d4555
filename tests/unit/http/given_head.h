/* SPDX-License-Identifier: Apache-2.0 */
/* Heads for tests: each is read whole, at the end of memory, byte by byte, and in every beginning;
 * all ways must come to the same end, and a second reading must agree.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/h1_parse.h"
#include "page_end.h"
#include "second_reading.h"

static const struct h1_limits usual_limits = {
	.line_bytes = 8192,
	.field_bytes = 8192,
	.head_bytes = 32768,
	.fields = HEAD_REQUEST_FIELDS_MAX,
};

/* A head that was read, and where its fields lie. */
struct given_request {
	struct h1_result result;
	struct request_head head;
	struct header headers[HEAD_REQUEST_FIELDS_MAX];
};

struct given_response {
	struct h1_result result;
	struct response_head head;
	struct header headers[HEAD_RESPONSE_FIELDS_MAX];
};

enum { EVERY_BEGINNING_UP_TO = 600 };

/* Calls the parser of either kind of head, for what was given. */
typedef struct h1_result head_reader(struct span bytes, const struct h1_limits *limits,
				     enum method method, struct h1_progress *progress, void *given);

static inline struct h1_result read_request(struct span bytes, const struct h1_limits *limits,
					    enum method method, struct h1_progress *progress,
					    void *given)
{
	struct given_request *request = given;

	(void)method;
	request->head.headers = request->headers;
	return h1_parse_request(bytes, limits, progress, &request->head);
}

static inline struct h1_result read_response(struct span bytes, const struct h1_limits *limits,
					     enum method method, struct h1_progress *progress,
					     void *given)
{
	struct given_response *response = given;

	response->head.headers = response->headers;
	return h1_parse_response(bytes, limits, method, progress, &response->head);
}

static inline void assert_same_result(struct h1_result a, struct h1_result b)
{
	assert_int_equal(a.status, b.status);
	assert_int_equal(a.fault, b.fault);
	assert_int_equal(a.consumed, b.consumed);
}

/* The same memory all the time, one byte more each time. */
static inline struct h1_result read_byte_by_byte(head_reader *reader, struct span bytes,
						 const struct h1_limits *limits, enum method method,
						 void *given)
{
	struct h1_progress progress = {0};
	struct h1_result result = {.status = H1_MORE};

	for (size_t length = 0; result.status == H1_MORE && length <= bytes.len; length++) {
		result = reader(span_take(bytes, length), limits, method, &progress, given);
		if (result.status == H1_DONE)
			assert_int_equal(result.consumed, length);
	}
	return result;
}

/* A beginning says what the whole says, or that more is needed, and never reads past its end. */
static inline void read_every_beginning(head_reader *reader, struct span bytes,
					const struct h1_limits *limits, enum method method,
					struct h1_result whole, void *given)
{
	for (size_t length = 0; length < bytes.len && length < EVERY_BEGINNING_UP_TO; length++) {
		struct h1_progress progress = {0};
		struct h1_result result = reader(page_end_copy(span_take(bytes, length)), limits,
						 method, &progress, given);

		if (result.status != H1_MORE)
			assert_same_result(result, whole);
		if (whole.status == H1_DONE)
			assert_int_equal(result.status,
					 length < whole.consumed ? H1_MORE : H1_DONE);
	}
}

/* What was accepted is accepted by the second reading too, with the same end. */
static inline void assert_second_request(struct span bytes, const struct given_request *request)
{
	struct second_reading second;

	assert_true(second_request(bytes, &second));
	assert_int_equal(second.head_bytes, request->result.consumed);
	assert_int_equal(second.fields, request->head.header_count);
	assert_int_equal(second.length, request->head.content_length);
	assert_int_equal(second.codings, request->head.framing == BODY_CHUNKED);
}

static inline void assert_second_response(struct span bytes, const struct given_response *response)
{
	struct second_reading second;

	assert_true(second_response(bytes, &second));
	assert_int_equal(second.head_bytes, response->result.consumed);
	assert_int_equal(second.fields, response->head.header_count);
}

static inline struct given_request given_request(struct span bytes, const struct h1_limits *limits)
{
	struct given_request request;
	struct given_request again;
	struct h1_progress progress = {0};

	request.result = read_request(page_end_copy(bytes), limits, METHOD_OTHER, &progress,
				      &request);
	read_every_beginning(read_request, bytes, limits, METHOD_OTHER, request.result, &again);
	again.result = read_byte_by_byte(read_request, bytes, limits, METHOD_OTHER, &again);
	assert_same_result(again.result, request.result);
	/* what is returned points into `bytes`, which the caller keeps */
	progress = (struct h1_progress){0};
	request.result = read_request(bytes, limits, METHOD_OTHER, &progress, &request);
	if (request.result.status == H1_DONE) {
		assert_second_request(bytes, &request);
		request.head.headers = again.head.headers = NULL;
		assert_memory_equal(&request.head, &again.head, sizeof(request.head));
		for (uint32_t i = 0; i < request.head.header_count; i++) {
			assert_ptr_equal(request.headers[i].name.ptr, again.headers[i].name.ptr);
			assert_ptr_equal(request.headers[i].value.ptr, again.headers[i].value.ptr);
			assert_int_equal(request.headers[i].id, again.headers[i].id);
			assert_int_equal(request.headers[i].dropped, again.headers[i].dropped);
		}
	}
	return request;
}

static inline struct given_response
given_response(struct span bytes, const struct h1_limits *limits, enum method method)
{
	struct given_response response;
	struct given_response again;
	struct h1_progress progress = {0};

	response.result = read_response(page_end_copy(bytes), limits, method, &progress, &response);
	read_every_beginning(read_response, bytes, limits, method, response.result, &again);
	again.result = read_byte_by_byte(read_response, bytes, limits, method, &again);
	assert_same_result(again.result, response.result);
	progress = (struct h1_progress){0};
	response.result = read_response(bytes, limits, method, &progress, &response);
	if (response.result.status == H1_DONE) {
		assert_second_response(bytes, &response);
		response.head.headers = again.head.headers = NULL;
		assert_memory_equal(&response.head, &again.head, sizeof(response.head));
	}
	return response;
}

#define assert_span(actual, expected)                                                   \
	do {                                                                            \
		struct span actual_ = (actual);                                         \
		struct span expected_ = (expected);                                     \
                                                                                        \
		assert_int_equal(actual_.len, expected_.len);                           \
		if (expected_.len > 0)                                                  \
			assert_memory_equal(actual_.ptr, expected_.ptr, expected_.len); \
	} while (0)

/* ---- tables of cases ---- */

struct head_case {
	struct span bytes;
	enum fault fault; /* FAULT_NONE: it passes */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A whole request with that request line; with these field lines besides Host. */
#define LINE(line)     S(line "\r\nHost: a.test\r\n\r\n")
#define FIELDS(fields) S("POST /a HTTP/1.1\r\nHost: a.test\r\n" fields "\r\n")

static inline void assert_request_cases(const struct head_case *cases, size_t count,
					const struct h1_limits *limits)
{
	for (size_t i = 0; i < count; i++) {
		struct given_request request = given_request(cases[i].bytes, limits);
		enum h1_status expected = cases[i].fault == FAULT_NONE ? H1_DONE : H1_BAD;

		if (request.result.status != expected || request.result.fault != cases[i].fault)
			fail_msg("case %zu: %.*s: status %d, %s", i, (int)cases[i].bytes.len,
				 cases[i].bytes.ptr, (int)request.result.status,
				 fault_facts(request.result.fault)->word);
	}
}

#define ASSERT_REQUESTS(...)                                                \
	do {                                                                \
		static const struct head_case cases_[] = {__VA_ARGS__};     \
                                                                            \
		(void)state;                                                \
		assert_request_cases(cases_, COUNT(cases_), &usual_limits); \
	} while (0)
