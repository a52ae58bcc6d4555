/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct h2_writer when_written(struct arena *arena, struct header header)
{
	struct h2_writer writer = h2_writer_begin(arena);

	h2_write_headers(&writer, &header, 1);
	return writer;
}

static void assert_name(const struct h2_writer *writer, const char *name)
{
	assert_int_equal(writer->fault, FAULT_NONE);
	assert_int_equal(writer->count, 1);
	assert_int_equal(writer->fields[0].namelen, strlen(name));
	assert_memory_equal(writer->fields[0].name, name, strlen(name));
}

static void every_known_name_is_lowered(void **state)
{
	(void)state;
	for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
		struct span name = header_name((enum header_id)id);
		struct h2_writer writer = when_written(
			NULL,
			(struct header){.name = name, .value = S("trailers"), .id = (uint16_t)id});

		if (writer.fault != FAULT_NONE)
			continue; /* those that may not stand there have a test of their own */
		assert_int_equal(writer.fields[0].namelen, name.len);
		for (size_t i = 0; i < name.len; i++) {
			char byte = name.ptr[i];

			if (byte >= 'A' && byte <= 'Z')
				byte = (char)(byte | 0x20);
			assert_int_equal(writer.fields[0].name[i], byte);
		}
	}
}

static void other_names_are_lowered_where_they_need_it(void **state)
{
	static const struct header low = {.name = S("x-low"), .value = S("a")};
	struct h2_writer writer;
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0, 1 << 16);
	writer = when_written(&arena, low);
	assert_name(&writer, "x-low");
	assert_ptr_equal(writer.fields[0].name, low.name.ptr);
	assert_ptr_equal(writer.fields[0].value, low.value.ptr);
	writer = when_written(&arena, (struct header){.name = S("X-HIGH_1"), .value = S("a")});
	assert_name(&writer, "x-high_1");
	arena_fini(&arena);

	arena_init(&arena, NULL, 0, 0);
	writer = when_written(&arena, (struct header){.name = S("X-HIGH_1"), .value = S("a")});
	assert_int_equal(writer.fault, FAULT_OUT_OF_MEMORY);
	arena_fini(&arena);
}

static void what_may_not_stand_in_http2_is_refused(void **state)
{
	static const struct header bad[] = {
		{.name = S("Host"), .value = S("a"), .id = HEADER_HOST},
		{.name = S("Connection"), .value = S("close"), .id = HEADER_CONNECTION},
		{.name = S("Keep-Alive"), .value = S("a"), .id = HEADER_KEEP_ALIVE},
		{.name = S("Proxy-Connection"), .value = S("a"), .id = HEADER_PROXY_CONNECTION},
		{.name = S("Transfer-Encoding"),
		 .value = S("chunked"),
		 .id = HEADER_TRANSFER_ENCODING},
		{.name = S("Upgrade"), .value = S("a"), .id = HEADER_UPGRADE},
		{.name = S("HTTP2-Settings"), .value = S("a"), .id = HEADER_HTTP2_SETTINGS},
		{.name = S("TE"), .value = S("gzip"), .id = HEADER_TE},
		{.name = S(""), .value = S("a")},
		{.name = S("a:b"), .value = S("a")},
		{.name = S("a b"), .value = S("a")},
		{.name = S("a\0"), .value = S("a")},
		{.name = S("x-a"), .value = S("a\rb")},
		{.name = S("x-a"), .value = S("a\nb")},
		{.name = S("x-a"), .value = S("a\0b")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (when_written(NULL, bad[i]).fault != FAULT_WRITER_CHECK)
			fail_msg("case %zu passed", i);
	assert_int_equal(when_written(NULL, (struct header){.name = S("TE"),
							    .value = S("trailers"),
							    .id = HEADER_TE})
				 .fault,
			 FAULT_NONE);
}

static void secrets_stay_out_of_the_table(void **state)
{
	static const uint16_t ids[] = {HEADER_AUTHORIZATION, HEADER_COOKIE, HEADER_SET_COOKIE,
				       HEADER_ACCEPT};

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		struct h2_writer writer = when_written(
			NULL, (struct header){
				      .name = header_name(ids[i]), .value = S("a"), .id = ids[i]});
		bool secret = (writer.fields[0].flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;

		assert_int_equal(secret, ids[i] != HEADER_ACCEPT);
	}
}

static void more_fields_than_the_list_holds_are_refused(void **state)
{
	const struct header header = {.name = S("x-a"), .value = S("a")};
	struct h2_writer writer = h2_writer_begin(NULL);

	(void)state;
	for (unsigned i = 0; i < H2_WRITE_FIELDS_MAX; i++)
		h2_write_headers(&writer, &header, 1);
	assert_int_equal(writer.fault, FAULT_NONE);
	h2_write_headers(&writer, &header, 1);

	assert_int_equal(writer.fault, FAULT_WRITER_CHECK);
	assert_int_equal(writer.count, H2_WRITE_FIELDS_MAX);
}

static void a_status_is_three_digits(void **state)
{
	struct h2_writer writer = h2_writer_begin(NULL);

	(void)state;
	h2_write_status(&writer, 404);
	assert_name(&writer, ":status");
	assert_memory_equal(writer.fields[0].value, "404", 3);
	assert_int_equal(writer.fields[0].flags & NGHTTP2_NV_FLAG_NO_COPY_VALUE, 0);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned bad[] = {99, 101, 600};

		writer = h2_writer_begin(NULL);
		h2_write_status(&writer, bad[i]);
		assert_int_equal(writer.fault, FAULT_WRITER_CHECK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_name_is_lowered),
		cmocka_unit_test(other_names_are_lowered_where_they_need_it),
		cmocka_unit_test(what_may_not_stand_in_http2_is_refused),
		cmocka_unit_test(secrets_stay_out_of_the_table),
		cmocka_unit_test(more_fields_than_the_list_holds_are_refused),
		cmocka_unit_test(a_status_is_three_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
