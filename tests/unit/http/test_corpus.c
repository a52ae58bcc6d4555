/* SPDX-License-Identifier: Apache-2.0 */
/* The attack corpus, replayed against the parsers alone: what a proxy that obeys them can make of
 * each vector. What reaches a backend is judged end to end by tests/attack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "http/chunked.h"
#include "http/h1_parse.h"
#include "http/uri.h"

enum { SENT_MAX = 1 << 18, REQUESTS_MAX = 4 };

static const char *corpus_path;

static const struct h1_limits limits = {
	.line_bytes = 8192,
	.field_bytes = 8192,
	.head_bytes = 32768,
	.fields = HEAD_REQUEST_FIELDS_MAX,
};

/* A request as a backend would get it. */
struct forwarded {
	struct request_head head;
	struct header headers[HEAD_REQUEST_FIELDS_MAX];
	char target[SENT_MAX];
	char body[SENT_MAX];
	size_t body_bytes;
};

/* What became of all that was sent. */
struct outcome {
	unsigned complete; /* requests that would have been forwarded whole */
	unsigned local;    /* status of an answer of the proxy itself, or 0 */
	enum fault fault;
	bool closed;
	struct forwarded requests[REQUESTS_MAX];
};

/* The bytes of a JSON string in which each character is one byte. */
static size_t add_latin_1(char *to, const char *utf8, size_t length)
{
	size_t out = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)utf8[i];

		if (c < 0x80)
			to[out++] = (char)c;
		else
			to[out++] = (char)((c & 3) << 6 | (utf8[++i] & 0x3f));
	}
	return out;
}

static size_t add_text(char *to, json_t *text)
{
	return add_latin_1(to, json_string_value(text), json_string_length(text));
}

static struct span sent_bytes(json_t *vector)
{
	static char bytes[SENT_MAX];
	size_t length = 0;
	size_t i;
	json_t *step;

	json_array_foreach(json_object_get(vector, "send"), i, step)
	{
		json_t *repeat = json_object_get(step, "repeat");
		json_int_t times = json_integer_value(json_object_get(step, "times"));

		if (json_is_string(step))
			length += add_text(bytes + length, step);
		for (; repeat != NULL && times > 0; times--)
			length += add_text(bytes + length, repeat);
		assert_true(length < SENT_MAX / 2);
	}
	return span_make(bytes, length);
}

/* H23 to H26, H34 */
static enum fault judge_target(const struct request_head *head, struct arena *arena,
			       struct uri *uri)
{
	struct host host;
	struct host authority;
	enum fault fault = uri_parse(head->target, head->method_id, arena, uri);

	if (fault != FAULT_NONE)
		return fault;
	if (head->host.ptr != NULL && !host_parse(head->host, &host))
		return FAULT_BAD_HOST;
	if (uri->form == URI_ABSOLUTE &&
	    (head->host.ptr == NULL || !host_parse(uri->authority, &authority) ||
	     !host_equals(&host, &authority, 80)))
		return FAULT_BAD_HOST;
	return FAULT_NONE;
}

/* Reads the body at the front of bytes. False: it is malformed, or its end is not there. */
static bool read_body(struct forwarded *request, struct span *bytes, enum fault *fault)
{
	struct chunked_decoder decoder = {0};
	struct chunked_result result;
	size_t length = (size_t)request->head.content_length;

	if (request->head.framing != BODY_CHUNKED) {
		if (bytes->len < length)
			return false;
		if (length > 0)
			memcpy(request->body, bytes->ptr, length);
		request->body_bytes = length;
		*bytes = span_skip(*bytes, length);
		return true;
	}
	if (bytes->len > 0)
		memcpy(request->body, bytes->ptr, bytes->len);
	result = chunked_decode(&decoder, request->body, bytes->len);
	*fault = result.status == CHUNKED_BAD ? result.fault : FAULT_NONE;
	request->body_bytes = result.produced;
	*bytes = span_skip(*bytes, result.consumed);
	return result.status == CHUNKED_DONE;
}

/* One request off the front of bytes; false: nothing more can be read. */
static bool serve_one(struct span *bytes, struct outcome *outcome)
{
	struct forwarded *request = &outcome->requests[outcome->complete];
	struct h1_progress progress = {0};
	struct h1_result result;
	struct arena arena;
	struct uri uri;

	request->head.headers = request->headers;
	result = h1_parse_request(*bytes, &limits, &progress, &request->head);
	outcome->fault = result.fault;
	if (result.status != H1_DONE)
		return false;
	*bytes = span_skip(*bytes, result.consumed);
	arena_init(&arena, NULL, 0, 1 << 20);
	outcome->fault = judge_target(&request->head, &arena, &uri);
	if (outcome->fault == FAULT_NONE) {
		size_t path = uri.sent_path.len;

		memcpy(request->target, uri.sent_path.ptr, path);
		if (uri.query.len > 0)
			memcpy(request->target + path, uri.query.ptr, uri.query.len);
		request->target[path + uri.query.len] = '\0';
	}
	arena_fini(&arena);
	if (outcome->fault == FAULT_NONE && uri.form == URI_ASTERISK)
		outcome->local = 204;
	if (outcome->fault != FAULT_NONE || outcome->local != 0 ||
	    !read_body(request, bytes, &outcome->fault))
		return false;
	outcome->complete++;
	outcome->closed = !request->head.keep_alive;
	return !outcome->closed && bytes->len > 0 && outcome->complete < REQUESTS_MAX;
}

static struct outcome *given_outcome(json_t *vector)
{
	static struct outcome outcome;
	struct span bytes = sent_bytes(vector);

	memset(&outcome, 0, sizeof(outcome));
	while (serve_one(&bytes, &outcome))
		;
	return &outcome;
}

/* Whether text is the value, or among the values of a list; without a wish anything is. */
static bool is_wanted(json_t *wish, struct span text)
{
	static char bytes[SENT_MAX];
	size_t i;
	json_t *one;

	if (wish == NULL)
		return true;
	if (json_is_string(wish))
		return span_equals(text, span_make(bytes, add_text(bytes, wish)));
	json_array_foreach(wish, i, one)
	{
		if (is_wanted(one, text))
			return true;
	}
	return false;
}

static bool is_wanted_status(json_t *statuses, unsigned status)
{
	size_t i;
	json_t *one;

	if (statuses == NULL)
		return status >= 400;
	json_array_foreach(statuses, i, one)
	{
		if (json_integer_value(one) == status)
			return true;
	}
	return false;
}

/* The field as it would go on, or NULL. */
static const struct header *passed_field(const struct forwarded *request, const char *name)
{
	for (uint32_t i = 0; i < request->head.header_count; i++) {
		const struct header *header = &request->headers[i];

		if (span_equals_nocase(header->name, span_from(name)) && !header->dropped &&
		    header_request_way((enum header_id)header->id) == HEADER_WAY_PASS)
			return header;
	}
	return NULL;
}

static bool has_wanted_fields(json_t *expected, const struct forwarded *request)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach(json_object_get(expected, "headers"), name, value)
	{
		enum header_id id = header_find(span_from(name));
		const struct header *header = passed_field(request, name);

		if (header_request_way(id) == HEADER_WAY_PASS &&
		    (header == NULL || !is_wanted(value, header->value)))
			return false;
		if (id == HEADER_CONTENT_LENGTH &&
		    (uint64_t)atoll(json_string_value(value)) != request->head.content_length)
			return false;
	}
	json_array_foreach(json_object_get(expected, "absent"), i, value)
	{
		if (passed_field(request, json_string_value(value)) != NULL)
			return false;
	}
	return true;
}

static bool is_forwarded_as_wanted(json_t *expected, const struct outcome *outcome)
{
	const struct forwarded *first = &outcome->requests[0];
	json_int_t least = json_integer_value(json_object_get(expected, "n"));
	json_int_t most = json_integer_value(json_object_get(expected, "n_max"));
	json_t *targets = json_object_get(expected, "targets");

	least = least == 0 ? 1 : least;
	most = most == 0 ? least : most;
	if (outcome->fault != FAULT_NONE || outcome->complete < least || outcome->complete > most)
		return false;
	for (size_t i = 0; i < json_array_size(targets); i++)
		if (!is_wanted(json_array_get(targets, i), span_from(outcome->requests[i].target)))
			return false;
	if (json_is_true(json_object_get(expected, "closed")) && !outcome->closed)
		return false;
	return is_wanted(json_object_get(expected, "method"), first->head.method) &&
	       is_wanted(json_object_get(expected, "target"), span_from(first->target)) &&
	       is_wanted(json_object_get(expected, "host"), first->head.host) &&
	       is_wanted(json_object_get(expected, "body"),
			 span_make(first->body, first->body_bytes)) &&
	       has_wanted_fields(expected, first);
}

static bool is_as_expected(json_t *vector, const struct outcome *outcome)
{
	json_t *expected = json_object_get(vector, "expected");
	json_t *statuses = json_object_get(expected, "status");
	const char *action = json_string_value(json_object_get(expected, "do"));

	if (strcmp(action, "reject") == 0)
		return outcome->complete == 0 && outcome->fault != FAULT_NONE &&
		       is_wanted_status(statuses, fault_facts(outcome->fault)->status);
	if (strcmp(action, "forward") == 0)
		return is_forwarded_as_wanted(expected, outcome);
	if (strcmp(action, "local") == 0)
		return outcome->complete == 0 && is_wanted_status(statuses, outcome->local);
	return strcmp(action, "incomplete") == 0 && outcome->complete == 0;
}

static void every_vector_can_become_what_is_expected(void **state)
{
	json_error_t error;
	json_t *corpus = json_load_file(corpus_path, JSON_ALLOW_NUL, &error);
	json_t *vectors = json_object_get(corpus, "vectors");
	unsigned failed = 0;
	size_t i;
	json_t *vector;

	(void)state;
	assert_non_null(corpus);
	assert_true(json_array_size(vectors) >= 200);
	json_array_foreach(vectors, i, vector)
	{
		const struct outcome *outcome = given_outcome(vector);

		if (is_as_expected(vector, outcome))
			continue;
		failed++;
		print_error("%s: %u complete, %s, target %s\n",
			    json_string_value(json_object_get(vector, "id")), outcome->complete,
			    fault_facts(outcome->fault)->word, outcome->requests[0].target);
	}
	json_decref(corpus);
	assert_int_equal(failed, 0);
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_can_become_what_is_expected),
	};

	if (count != 2)
		return EXIT_FAILURE;
	corpus_path = arguments[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
