/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/echo_answer.h"

#include <string.h>

#include "base/error.h"

void echo_answer_fini(struct echo_answer *answer)
{
	buf_fini(&answer->text);
	buf_fini(&answer->body);
}

static int parse_delay(struct span value, uint32_t *delay_ms)
{
	struct span number = value;
	uint64_t count;
	uint64_t unit_ms = 1000;

	if (span_ends_with(value, S("ms"))) {
		number = span_take(value, value.len - 2);
		unit_ms = 1;
	} else if (span_ends_with(value, S("s"))) {
		number = span_take(value, value.len - 1);
	}
	if (!span_to_u64(number, &count) || count > ECHO_DELAY_MAX_MS / unit_ms)
		return -1;
	*delay_ms = (uint32_t)(count * unit_ms);
	return 0;
}

static int parse_status(struct span value, uint16_t *status)
{
	uint64_t number;

	if (!span_to_u64(value, &number) || number < 200 || number > 599)
		return -1;
	*status = (uint16_t)number;
	return 0;
}

static int parse_switch(struct span name, struct span value, struct echo_switches *switches,
			struct error *err)
{
	const char *accepted = NULL;

	if (span_equals(name, S("status")) && parse_status(value, &switches->status) == -1)
		accepted = "a status from 200 to 599, for example status=503";
	else if (span_equals(name, S("delay")) && parse_delay(value, &switches->delay_ms) == -1)
		accepted = "a time of at most an hour, for example delay=500ms or delay=2s";
	else if (span_equals(name, S("bytes")) && !span_to_u64(value, &switches->bytes))
		accepted = "a number of bytes, for example bytes=1000000";
	if (accepted != NULL)
		return error_set(err, "%.*s: \"%.*s\" is not %s", (int)name.len, name.ptr,
				 (int)(value.len < 80 ? value.len : 80), value.ptr, accepted);
	if (span_equals(name, S("bytes")))
		switches->has_bytes = true;
	return 0;
}

int echo_switches_parse(struct span target, struct echo_switches *switches, struct error *err)
{
	struct span query = target;

	*switches = (struct echo_switches){.status = 200};
	span_cut(&query, '?');
	while (query.ptr != NULL) {
		struct span value = span_cut(&query, '&');
		struct span name = span_cut(&value, '=');

		if (parse_switch(name, value, switches, err) == -1)
			return -1;
	}
	return 0;
}

static void add_string(struct buf *text, const char *key, struct span value)
{
	buf_printf(text, "  \"%s\": \"", key);
	buf_add_json(text, value);
	buf_add(text, S("\",\n"));
}

static void add_headers(struct buf *text, const struct request_head *head)
{
	buf_add(text, S("  \"headers\": ["));
	for (uint32_t i = 0; i < head->header_count; i++) {
		buf_add(text, i == 0 ? S("\n    [\"") : S(",\n    [\""));
		buf_add_json(text, head->headers[i].name);
		buf_add(text, S("\", \""));
		buf_add_json(text, head->headers[i].value);
		buf_add(text, S("\"]"));
	}
	buf_add(text, head->header_count == 0 ? S("],\n") : S("\n  ],\n"));
}

void echo_answer_begin(struct echo_answer *answer, struct span name, const struct ip_port *peer,
		       const struct request_head *head)
{
	char address[IP_PORT_TEXT_SIZE];
	size_t length = ip_port_write(address, peer);

	buf_clear(&answer->text);
	buf_clear(&answer->body);
	answer->body_size = 0;
	buf_add(&answer->text, S("{\n"));
	add_string(&answer->text, "name", name);
	add_string(&answer->text, "method", head->method);
	add_string(&answer->text, "target", head->target);
	add_string(&answer->text, "version", head->version_minor == 0 ? S("1.0") : S("1.1"));
	add_string(&answer->text, "remote", span_make(address, length));
	add_headers(&answer->text, head);
}

void echo_answer_add_body(struct echo_answer *answer, struct span bytes)
{
	answer->body_size += bytes.len;
	if (answer->body.len < ECHO_BODY_SHOWN_MAX)
		buf_add(&answer->body, span_take(bytes, ECHO_BODY_SHOWN_MAX - answer->body.len));
}

struct span echo_answer_end(struct echo_answer *answer)
{
	buf_printf(&answer->text, "  \"body_length\": %llu,\n  \"body\": \"",
		   (unsigned long long)answer->body_size);
	buf_add_json(&answer->text, buf_span(&answer->body));
	buf_add(&answer->text, S("\"\n}\n"));
	return buf_span(&answer->text);
}

struct span echo_answer_refuse(struct echo_answer *answer, struct span name, struct span reason)
{
	buf_clear(&answer->text);
	buf_add(&answer->text, S("{\n"));
	add_string(&answer->text, "name", name);
	buf_add(&answer->text, S("  \"error\": \""));
	buf_add_json(&answer->text, reason);
	buf_add(&answer->text, S("\"\n}\n"));
	return buf_span(&answer->text);
}
