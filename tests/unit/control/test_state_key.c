/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state_key.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "given.h"

/* Thirty-two bytes, as they are and in base64. */
#define RAW    "0123456789abcdef0123456789ABCDEF"
#define BASE64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY="

enum { NONCE_AT = 32, NONCE_SIZE = 12 };

static struct given_directory directory;
static struct state_key key;
static struct error err;

static const char *key_file(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/key", directory.path);
	return path;
}

static int read_key(struct span content)
{
	assert_int_equal(file_replace(key_file(), content, 0600, &err), 0);
	return state_key_read(key_file(), &key, &err);
}

static int begin(void **state)
{
	(void)state;
	given_directory(&directory);
	assert_int_equal(read_key(S(RAW)), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_directory_end(&directory);
	return 0;
}

static struct buf sealed_of(struct span table)
{
	struct buf sealed = {0};

	assert_int_equal(state_key_seal(&key, TABLE_CERTIFICATES, table, &sealed, &err), 0);
	return sealed;
}

static enum state_key_result unseal(struct span sealed, struct buf *out)
{
	return state_key_unseal(&key, TABLE_CERTIFICATES, sealed, out, &err);
}

static void the_key_may_be_raw_or_base64_with_or_without_a_line_end(void **state)
{
	static const char *const files[] = {RAW, BASE64, BASE64 "\n", BASE64 "\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(read_key(span_from(files[i])), 0);
		assert_memory_equal(key.bytes, RAW, STATE_KEY_SIZE);
	}
}

static void a_file_that_is_no_key_is_named_with_what_one_is(void **state)
{
	static const char *const files[] = {"",
					    "short",
					    RAW "\n",
					    RAW RAW,
					    "!DEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERUY=",
					    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlBQkNERQ=="};
	static const struct state_key none;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(read_key(span_from(files[i])), -1);
		assert_non_null(strstr(err.text, "32 bytes"));
		assert_non_null(strstr(err.text, key_file()));
		assert_memory_equal(&key, &none, sizeof(key));
	}
}

static void a_key_that_others_may_use_is_refused(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0601};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(key_file(), modes[i]), 0);
		assert_int_equal(state_key_read(key_file(), &key, &err), -1);
		assert_non_null(strstr(err.text, "others"));
	}
	assert_int_equal(chmod(key_file(), 0400), 0);
	assert_int_equal(state_key_read(key_file(), &key, &err), 0);
}

static void what_was_sealed_is_unsealed(void **state)
{
	struct buf sealed = sealed_of(S("a table"));
	struct buf table = {0};

	(void)state;
	assert_int_equal(sealed.len, strlen("a table") + STATE_KEY_OVERHEAD);
	assert_null(memmem(sealed.ptr, sealed.len, "a table", 7));

	assert_int_equal(unseal(buf_span(&sealed), &table), STATE_KEY_OPENED);

	assert_true(span_equals(buf_span(&table), S("a table")));
	buf_fini(&sealed);
	buf_fini(&table);
}

static void every_changed_byte_is_noticed(void **state)
{
	struct buf sealed = sealed_of(S("a table"));
	struct buf table = {0};

	(void)state;
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.ptr[i] ^= 1;
		assert_int_not_equal(unseal(buf_span(&sealed), &table), STATE_KEY_OPENED);
		assert_int_equal(table.len, 0);
		sealed.ptr[i] ^= 1;
	}
	for (size_t length = 0; length < sealed.len; length++)
		assert_int_equal(unseal(span_make(sealed.ptr, length), &table), STATE_KEY_BAD);
	buf_fini(&sealed);
	buf_fini(&table);
}

static void another_key_is_told_apart_from_damage(void **state)
{
	struct buf sealed = sealed_of(S("a table"));
	struct buf table = {0};

	(void)state;
	assert_int_equal(read_key(S("another key of two and thirty by")), 0);

	assert_int_equal(unseal(buf_span(&sealed), &table), STATE_KEY_OTHER);
	assert_non_null(strstr(err.text, "another key"));
	buf_fini(&sealed);
	buf_fini(&table);
}

static void a_table_of_another_kind_is_not_taken(void **state)
{
	struct buf sealed = sealed_of(S("a table"));
	struct buf table = {0};

	(void)state;
	assert_int_equal(state_key_unseal(&key, TABLE_ROUTES, buf_span(&sealed), &table, &err),
			 STATE_KEY_BAD);
	buf_fini(&sealed);
	buf_fini(&table);
}

static void the_file_says_nothing_of_the_key(void **state)
{
	struct buf sealed = sealed_of(S(""));

	(void)state;
	for (size_t i = 0; i + 4 <= STATE_KEY_SIZE; i++)
		assert_null(memmem(sealed.ptr, sealed.len, key.bytes + i, 4));
	buf_fini(&sealed);
}

/* The nonce that a child of this process seals with. */
static void nonce_of_child(char nonce[static NONCE_SIZE])
{
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct buf sealed = sealed_of(S("a table"));

		_exit(write(ends[1], sealed.ptr + NONCE_AT, NONCE_SIZE) != NONCE_SIZE);
	}
	assert_int_equal(read(ends[0], nonce, NONCE_SIZE), NONCE_SIZE);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ends[0]);
	close(ends[1]);
}

static void no_two_children_use_the_same_nonce(void **state)
{
	char first[NONCE_SIZE];
	char second[NONCE_SIZE];
	struct buf here = sealed_of(S("a table"));

	(void)state;
	nonce_of_child(first);
	nonce_of_child(second);

	assert_memory_not_equal(first, second, NONCE_SIZE);
	assert_memory_not_equal(first, here.ptr + NONCE_AT, NONCE_SIZE);
	buf_fini(&here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(the_key_may_be_raw_or_base64_with_or_without_a_line_end),
		TEST(a_file_that_is_no_key_is_named_with_what_one_is),
		TEST(a_key_that_others_may_use_is_refused),
		TEST(what_was_sealed_is_unsealed),
		TEST(every_changed_byte_is_noticed),
		TEST(another_key_is_told_apart_from_damage),
		TEST(a_table_of_another_kind_is_not_taken),
		TEST(the_file_says_nothing_of_the_key),
		TEST(no_two_children_use_the_same_nonce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
