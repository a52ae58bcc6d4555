/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and hosts. A normalized path is normalized: parsing it again changes nothing. No reading
 * of a target has a dot segment left, and what is sent matches what was matched, and passes the
 * writer.
 *
 * The first byte of an input chooses the method.
 */
#include "h1_use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_dot_segment(struct span path)
{
	while (path.len > 0) {
		struct span segment;

		path = span_skip(path, 1);
		segment = span_take(path, span_find(path, '/'));
		if (span_equals(segment, S(".")) || span_equals(segment, S("..")))
			return true;
		path = span_skip(path, segment.len);
	}
	return false;
}

static bool has_slashes(struct span path)
{
	for (size_t i = 1; i < path.len; i++)
		if (path.ptr[i - 1] == '/' && path.ptr[i] == '/')
			return true;
	return false;
}

static bool lies_in(struct span part, struct span whole)
{
	return part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* Parsed again, path comes to that match path; a path that is normal is sent as it is. */
static void check_again(struct span path, struct span match, struct arena *arena)
{
	struct uri again;

	MUST(uri_parse(path, METHOD_GET, arena, &again) == FAULT_NONE);
	MUST(span_equals(again.match_path, match));
	MUST(span_equals(again.sent_path, path));
}

static void check_readings(const struct uri *uri, struct arena *arena)
{
	bool differ = false;

	for (unsigned reading = 0; reading < URI_READING_COUNT; reading++) {
		struct span path = uri_read(uri, (enum uri_reading)reading, arena);

		MUST(path.len > 0 && path.ptr[0] == '/');
		MUST(!has_dot_segment(path));
		MUST(reading == URI_READING_UNMERGED || !has_slashes(path));
		differ |= !span_equals(path, uri->match_path);
	}
	MUST(!differ || uri->has_readings);
}

static void check_uri(struct span target, const struct uri *uri, struct arena *arena)
{
	char memory[8192];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));

	if (uri->form == URI_ASTERISK)
		return;
	MUST(lies_in(uri->query, target) && lies_in(uri->authority, target));
	MUST(uri->match_path.len > 0 && uri->match_path.ptr[0] == '/');
	MUST(!has_dot_segment(uri->match_path) && !has_slashes(uri->match_path));
	check_again(uri->match_path, uri->match_path, arena);
	check_again(uri->sent_path, uri->match_path, arena);
	check_readings(uri, arena);
	h1_write_request_line(&writer, S("GET"), uri->sent_path, uri->query);
	MUST(writer.fault == (h1_written(&writer).len > 0 ? H1_WRITER_OK : H1_WRITER_FULL));
}

static void check_host(struct span value)
{
	char memory[512];
	struct h1_writer writer = h1_writer_over(memory, sizeof(memory));
	struct host host;
	struct host again;

	if (!host_parse(value, &host))
		return;
	MUST(host.name.len > 0 && host.name.len <= HOST_NAME_BYTES);
	for (size_t i = 0; i < host.name.len; i++)
		MUST(host.name.ptr[i] > ' ' && (host.name.ptr[i] < 'A' || host.name.ptr[i] > 'Z'));
	MUST(host_parse(host.name, &again));
	MUST(span_equals(again.name, host.name) && again.port == 0);
	h1_write_field(&writer, HEADER_HOST, value);
	MUST(writer.fault == H1_WRITER_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text;
	struct arena arena;
	struct uri uri;
	char *copy;

	if (size == 0)
		return 0;
	copy = guarded_copy(data + 1, size - 1);
	text = span_make(copy, size - 1);
	arena_init(&arena, NULL, 0, 1 << 22);
	if (uri_parse(text, (enum method)(data[0] % METHOD_COUNT), &arena, &uri) == FAULT_NONE)
		check_uri(text, &uri, &arena);
	check_host(text);
	arena_fini(&arena);
	free(copy);
	return 0;
}
