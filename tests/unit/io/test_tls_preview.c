/* SPDX-License-Identifier: Apache-2.0 */
/* Hellos as libssl writes them, in every form that records allow, and all that is no hello. */
#include "io/tls_preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

enum { RECORD_HEAD = 5, MESSAGE_HEAD = 4, FIXED = 2 + 32 };

/* The bytes lie in memory that a sanitizer guards. */
static struct tls_preview preview(struct span bytes)
{
	char *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
	struct tls_preview found;

	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	tls_preview(span_make(copy, bytes.len), &found);
	free(copy);
	return found;
}

static void assert_status(struct span bytes, enum tls_preview_status status)
{
	struct tls_preview found = preview(bytes);

	assert_int_equal(found.status, status);
	assert_int_equal(found.name_length, 0);
}

static void assert_name(struct span bytes, const char *name)
{
	struct tls_preview found = preview(bytes);

	assert_int_equal(found.status, TLS_PREVIEW_DONE);
	assert_int_equal(found.name_length, strlen(name));
	assert_memory_equal(found.name, name, strlen(name));
}

/* What libssl says first to that name; NULL: it sends none. */
static struct buf given_hello(const char *name)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	BIO *out = BIO_new(BIO_s_mem());
	struct buf hello = {0};
	char *bytes;
	long length;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	if (name != NULL)
		assert_int_equal(SSL_set_tlsext_host_name(ssl, name), 1);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	length = BIO_get_mem_data(out, &bytes);
	buf_add(&hello, span_make(bytes, (size_t)length));
	SSL_free(ssl);
	SSL_CTX_free(context);
	return hello;
}

/* The same message in records of that many bytes. */
static struct buf split(const struct buf *hello, size_t size)
{
	struct span rest = span_skip(buf_span(hello), RECORD_HEAD);
	struct buf records = {0};

	while (rest.len > 0) {
		struct span piece = span_take(rest, size);
		const char head[] = {22, 3, 1, (char)(piece.len >> 8), (char)piece.len};

		buf_add(&records, span_make(head, sizeof(head)));
		buf_add(&records, piece);
		rest = span_skip(rest, piece.len);
	}
	return records;
}

static void the_name_of_a_hello_is_found(void **state)
{
	struct buf hello = given_hello("shop.example");

	assert_name(buf_span(&hello), "shop.example");

	buf_fini(&hello);
	(void)state;
}

static void a_name_is_in_lower_case_and_has_no_dot_at_its_end(void **state)
{
	struct buf hello = given_hello("Shop.EXAMPLE.");

	assert_name(buf_span(&hello), "shop.example");

	buf_fini(&hello);
	(void)state;
}

static void a_hello_without_a_name_has_none(void **state)
{
	struct buf hello = given_hello(NULL);

	assert_name(buf_span(&hello), "");

	buf_fini(&hello);
	(void)state;
}

static void every_beginning_of_a_hello_wants_more(void **state)
{
	struct buf hello = given_hello("shop.example");

	for (size_t length = 0; length < hello.len; length++)
		assert_status(span_take(buf_span(&hello), length), TLS_PREVIEW_MORE);

	buf_fini(&hello);
	(void)state;
}

static void a_hello_may_go_over_any_number_of_records(void **state)
{
	struct buf hello = given_hello("shop.example");

	for (size_t size = 1; size < 100; size++) {
		struct buf records = split(&hello, size);

		assert_name(buf_span(&records), "shop.example");
		assert_status(span_take(buf_span(&records), records.len - 1), TLS_PREVIEW_MORE);
		buf_fini(&records);
	}

	buf_fini(&hello);
	(void)state;
}

static void what_lies_behind_a_hello_does_not_matter(void **state)
{
	struct buf hello = given_hello("shop.example");

	buf_add(&hello, S("\xff\xff\xff\xff whatever"));

	assert_name(buf_span(&hello), "shop.example");

	buf_fini(&hello);
	(void)state;
}

static void the_first_wrong_byte_of_a_record_is_seen_at_once(void **state)
{
	assert_status(S("G"), TLS_PREVIEW_BAD);
	assert_status(S("\x15"), TLS_PREVIEW_BAD);
	assert_status(S("\x16\x02"), TLS_PREVIEW_BAD);
	assert_status(S("\x16\x03"), TLS_PREVIEW_MORE);
	assert_status(S("\x16\x03\x01\x00\x00"), TLS_PREVIEW_BAD);
	assert_status(S("\x16\x03\x01\x40\x01"), TLS_PREVIEW_BAD);
	assert_status(S("\x16\x03\x01\x40\x00"), TLS_PREVIEW_MORE);
	assert_status(S("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), TLS_PREVIEW_BAD);
	(void)state;
}

/* A hello of one record with that extension alone, whose lengths are right. */
static struct buf hello_with(struct span extension)
{
	size_t length = FIXED + 1 + 4 + 2 + 2 + extension.len;
	const char head[] = {22,           3, 1, 0, (char)(length + MESSAGE_HEAD), 1, 0, 0,
			     (char)length, 3, 3};
	const char behind[] = {0, 0, 2, 0x13, 1, 1, 0, 0, (char)extension.len};
	struct buf hello = {0};

	assert_true(length + MESSAGE_HEAD < 128);
	buf_add(&hello, span_make(head, sizeof(head)));
	for (unsigned i = 0; i < 32; i++)
		buf_add_byte(&hello, 'r');
	buf_add(&hello, span_make(behind, sizeof(behind)));
	buf_add(&hello, extension);
	return hello;
}

static void assert_extension(struct span extension, const char *name)
{
	struct buf hello = hello_with(extension);

	if (name == NULL)
		assert_status(buf_span(&hello), TLS_PREVIEW_BAD);
	else
		assert_name(buf_span(&hello), name);
	buf_fini(&hello);
}

static void a_name_whose_lengths_lie_is_none(void **state)
{
	assert_extension(S("\0\0\0\6\0\4\0\0\1a"), "a");
	assert_extension(S("\0\0\0\6\0\4\0\0\2a"), NULL);
	assert_extension(S("\0\0\0\6\0\4\0\0\0a"), NULL);
	assert_extension(S("\0\0\0\6\0\3\0\0\1a"), NULL);
	assert_extension(S("\0\0\0\7\0\4\0\0\1a"), NULL);
	assert_extension(S("\0\0\0\5\0\4\0\0\1a"), NULL);
	assert_extension(S("\0\0\0\5\0\3\0\0\0"), NULL);
	assert_extension(S("\0\0\0\0"), NULL);
	assert_extension(S("\0\0\xff\xff\0\4\0\0\1a"), NULL);
	assert_extension(S("\0\0\0"), NULL);
	(void)state;
}

static void a_name_that_is_none_is_bad(void **state)
{
	assert_extension(S("\0\0\0\7\0\5\0\0\2a/"), NULL);
	assert_extension(S("\0\0\0\7\0\5\0\0\2a "), NULL);
	assert_extension(S("\0\0\0\6\0\4\0\0\1."), NULL);
	assert_extension(S("\0\0\0\6\0\4\1\0\1a"), NULL);
	(void)state;
}

static void two_names_are_none(void **state)
{
	assert_extension(S("\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1b"), NULL);
	assert_extension(S("\0\0\0\11\0\7\0\0\1a\0\0\1b"), NULL);
	(void)state;
}

static void other_extensions_are_passed_over(void **state)
{
	assert_extension(S("\0\5\0\2xx\0\0\0\6\0\4\0\0\1a\0\6\0\0"), "a");
	assert_extension(S("\0\5\0\2xx"), "");
	(void)state;
}

/* Each byte of a hello with each other value: it is read without a step beyond its end, and no other name comes out
 * of bytes that are not the name. */
static void a_hello_with_one_byte_wrong_is_read_without_harm(void **state)
{
	struct buf hello = given_hello("shop.example");
	size_t at = (size_t)((const char *)memmem(hello.ptr, hello.len, "shop.example", 12) -
			     hello.ptr);

	for (size_t i = 0; i < hello.len; i++) {
		char was = hello.ptr[i];

		for (unsigned value = 0; value < 256; value += 5) {
			struct tls_preview found;

			hello.ptr[i] = (char)value;
			found = preview(buf_span(&hello));
			if (found.name_length > 0 && (i < at || i >= at + 12))
				assert_memory_equal(found.name, "shop.example", 12);
		}
		hello.ptr[i] = was;
	}

	buf_fini(&hello);
	(void)state;
}

static void no_more_than_the_limit_is_waited_for(void **state)
{
	struct buf bytes = {0};

	/* one message of 16,380 bytes, which with the heads of its records is more */
	buf_add(&bytes, S("\x16\x03\x01\x20\x00\x01\x00\x3f\xfc\x03\x03"));
	while (bytes.len < RECORD_HEAD + 0x2000)
		buf_add_byte(&bytes, 0);
	buf_add(&bytes, S("\x16\x03\x01\x20\x00"));
	while (bytes.len < TLS_PREVIEW_MAX - 1)
		buf_add_byte(&bytes, 0);

	/* its cipher suites have no bytes: it is no hello; what is asked for is that it is said in time */
	assert_int_not_equal(preview(buf_span(&bytes)).status, TLS_PREVIEW_DONE);
	buf_add_byte(&bytes, 0);
	assert_status(buf_span(&bytes), TLS_PREVIEW_BAD);

	buf_fini(&bytes);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_of_a_hello_is_found),
		cmocka_unit_test(a_name_is_in_lower_case_and_has_no_dot_at_its_end),
		cmocka_unit_test(a_hello_without_a_name_has_none),
		cmocka_unit_test(every_beginning_of_a_hello_wants_more),
		cmocka_unit_test(a_hello_may_go_over_any_number_of_records),
		cmocka_unit_test(what_lies_behind_a_hello_does_not_matter),
		cmocka_unit_test(the_first_wrong_byte_of_a_record_is_seen_at_once),
		cmocka_unit_test(a_name_whose_lengths_lie_is_none),
		cmocka_unit_test(a_name_that_is_none_is_bad),
		cmocka_unit_test(two_names_are_none),
		cmocka_unit_test(other_extensions_are_passed_over),
		cmocka_unit_test(a_hello_with_one_byte_wrong_is_read_without_harm),
		cmocka_unit_test(no_more_than_the_limit_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
