/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/access_log.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/random.h"

/* A log that writes to a file, or to a pipe, that the test reads. */
static struct access_log *logs;
static uint64_t written;
static uint64_t dropped;
static int reader;

static void given_file(enum access_log_format format)
{
	char path[] = "/tmp/ingot-test-log-XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	access_log_init(logs, fd, format, &written, &dropped);
}

static void given_pipe(enum access_log_format format)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	reader = ends[0];
	access_log_init(logs, ends[1], format, &written, &dropped);
}

/* What was written since the last call, NUL-terminated. */
static const char *read_log(void)
{
	static struct buf text;
	ssize_t got;

	buf_clear(&text);
	while ((got = read(reader, buf_reserve(&text, 65536), 65536)) > 0)
		text.len += (size_t)got;
	return buf_text(&text);
}

static struct ip_port address(const char *ip, uint16_t port)
{
	struct ip_port at = {.port = port};

	assert_true(ip_parse(span_from(ip), &at.ip));
	return at;
}

static struct access_attempt attempts[] = {
	{.status = 0, .response_bytes = 0, .duration_us = 1000},
	{.status = 200,
	 .response_bytes = 612,
	 .connect_us = 1500,
	 .header_us = 11234,
	 .duration_us = 12345},
	{.status = 502, .response_bytes = 7, .duration_us = 60001999},
	{.status = 504, .response_bytes = 0, .duration_us = 999},
};

static struct access_record given_record(void)
{
	attempts[0].endpoint = address("10.0.0.1", 8080);
	attempts[1].endpoint = address("10.0.0.2", 8080);
	attempts[2].endpoint = address("2001:db8::3", 8080);
	attempts[3].endpoint = address("10.0.0.4", 8080);
	return (struct access_record){
		.wall_ns = 1795500752123456789,
		.client = address("192.0.2.7", 51234),
		.request_id = S("5f0c3a1e9d8b7c6a5f0c3a1e9d8b7c6a"),
		.method = S("GET"),
		.target = S("/cart?id=1"),
		.host = S("shop.example"),
		.referer = S("https://shop.example/"),
		.user_agent = S("curl/8.0"),
		.reason = S("ok"),
		.upstream = S("shop-cart-80"),
		.namespace = S("shop"),
		.ingress = S("web"),
		.service = S("cart"),
		.service_port = S("80"),
		.path = S("/cart"),
		.protocol = 11,
		.status = 200,
		.request_bytes = 345,
		.response_bytes = 800,
		.body_bytes_sent = 612,
		.duration_us = 13999,
		.attempt_count = 1,
		.attempts = &attempts[1],
		.generation = 17,
	};
}

static const char *line_of(const struct access_record *record)
{
	access_log_add(logs, record);
	access_log_flush(logs);
	return read_log();
}

static int begin(void **state)
{
	(void)state;
	/* in memory of its own, so that a byte too many is seen */
	logs = malloc(sizeof(*logs));
	written = dropped = 0;
	return logs == NULL ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	if (logs->fd != -1)
		close(logs->fd);
	close(reader);
	free(logs);
	return 0;
}

/*
 * The line of ingress-nginx
 */

static void a_line_is_that_of_ingress_nginx_byte_for_byte(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);

	assert_string_equal(
		line_of(&record),
		"192.0.2.7 - - [24/Nov/2026:06:12:32 +0000] \"GET /cart?id=1 HTTP/1.1\" 200 612 "
		"\"https://shop.example/\" \"curl/8.0\" 345 0.013 [shop-cart-80] [] "
		"10.0.0.2:8080 612 0.012 200 5f0c3a1e9d8b7c6a5f0c3a1e9d8b7c6a\n");
}

static void what_there_was_not_is_a_dash(void **state)
{
	struct access_record record = {
		.wall_ns = 1795500752000000000,
		.client = address("2001:db8::7", 1),
		.status = 400,
		.protocol = 11,
	};

	(void)state;
	given_file(ACCESS_LOG_NGINX);

	assert_string_equal(line_of(&record),
			    "2001:db8::7 - - [24/Nov/2026:06:12:32 +0000] \"\" 400 0 \"-\" \"-\" 0 "
			    "0.000 [-] [] - - - - -\n");
}

static void attempts_are_told_one_by_one(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	record.attempts = attempts;
	record.attempt_count = 3;

	assert_non_null(
		strstr(line_of(&record),
		       " [shop-cart-80] [] 10.0.0.1:8080, 10.0.0.2:8080, "
		       "[2001:db8::3]:8080 0, 612, 7 0.001, 0.012, 60.001 -, 200, 502 5f0"));
}

static void attempts_beyond_those_that_are_kept_are_left_out(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	record.attempts = attempts;
	record.attempt_count = 9;

	assert_non_null(strstr(line_of(&record), " -, 200, 502, 504 5f0"));
}

static void bytes_that_could_end_a_line_or_a_value_are_escaped(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	record.target = S("/a\"b\\c\n\x7f\xc3\xa9\0 d");
	record.protocol = 10;

	assert_non_null(strstr(line_of(&record),
			       "] \"GET /a\\x22b\\x5Cc\\x0A\\x7F\\xC3\\xA9\\x00 d HTTP/1.0\" 200"));
}

static void the_time_changes_with_the_second(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	assert_non_null(strstr(line_of(&record), "[24/Nov/2026:06:12:32 +0000]"));
	record.wall_ns += 1000000000;
	assert_non_null(strstr(line_of(&record), "[24/Nov/2026:06:12:33 +0000]"));
}

/*
 * JSON
 */

static json_t *json_of(const struct access_record *record)
{
	const char *line = line_of(record);
	json_error_t error;
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (object == NULL)
		fail_msg("%s: %s", error.text, line);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	return object;
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	const char *found = json_string_value(json_object_get(object, key));

	assert_non_null(found);
	assert_string_equal(found, expected);
}

static void a_json_line_tells_everything_by_name(void **state)
{
	struct access_record record = given_record();
	const json_t *stages;
	json_t *line;

	(void)state;
	given_file(ACCESS_LOG_JSON);
	record.attempts = attempts;
	record.attempt_count = 2;
	line = json_of(&record);

	assert_text(line, "time", "2026-11-24T06:12:32.123Z");
	assert_text(line, "request_id", "5f0c3a1e9d8b7c6a5f0c3a1e9d8b7c6a");
	assert_text(line, "client.address", "192.0.2.7");
	assert_text(line, "http.request.method", "GET");
	assert_text(line, "server.address", "shop.example");
	assert_text(line, "url.path", "/cart");
	assert_text(line, "network.protocol.version", "1.1");
	assert_text(line, "user_agent.original", "curl/8.0");
	assert_text(line, "k8s.namespace.name", "shop");
	assert_text(line, "ingress", "web");
	assert_text(line, "http.route", "/cart");
	assert_text(line, "service", "cart");
	assert_text(line, "service_port", "80");
	assert_text(line, "endpoint", "10.0.0.2:8080");
	assert_text(line, "reason", "ok");
	assert_int_equal(json_integer_value(json_object_get(line, "client.port")), 51234);
	assert_int_equal(json_integer_value(json_object_get(line, "http.response.status_code")),
			 200);
	assert_int_equal(json_integer_value(json_object_get(line, "http.response.body.size")), 612);
	assert_int_equal(json_integer_value(json_object_get(line, "http.request.size")), 345);
	assert_int_equal(json_integer_value(json_object_get(line, "attempts")), 2);
	assert_int_equal(json_integer_value(json_object_get(line, "upstream_status")), 200);
	assert_int_equal(json_integer_value(json_object_get(line, "generation")), 17);
	assert_true(json_real_value(json_object_get(line, "duration")) == 0.013999);
	stages = json_object_get(line, "stages");
	assert_true(json_real_value(json_object_get(stages, "first_byte")) == 0.011234);
	json_decref(line);
}

static void a_json_line_without_request_or_attempt_leaves_the_keys_out(void **state)
{
	struct access_record record = {.wall_ns = 1, .client = address("192.0.2.7", 1)};
	json_t *line;

	(void)state;
	given_file(ACCESS_LOG_JSON);
	line = json_of(&record);

	assert_null(json_object_get(line, "http.request.method"));
	assert_null(json_object_get(line, "endpoint"));
	assert_null(json_object_get(line, "stages"));
	json_decref(line);
}

static void a_json_line_is_valid_whatever_bytes_come(void **state)
{
	struct access_record record = given_record();
	char every[256];

	(void)state;
	given_file(ACCESS_LOG_JSON);
	for (unsigned i = 0; i < 256; i++)
		every[i] = (char)i;
	record.method = record.target = record.user_agent = record.referer = record.host =
		record.request_id = span_make(every, sizeof(every));

	json_decref(json_of(&record));
}

/* Every value at its longest and every byte of it at its longest when escaped. */
static struct access_record given_longest_record(void)
{
	static char bytes[100000];
	struct access_record record = given_record();
	struct span longest = span_make(bytes, sizeof(bytes));

	memset(bytes, 0xff, sizeof(bytes));
	record.request_id = record.method = record.target = record.host = record.referer =
		record.user_agent = record.reason = record.upstream = record.namespace =
			record.ingress = record.service = record.service_port = record.path =
				longest;
	record.attempts = attempts;
	record.attempt_count = 4;
	return record;
}

static void the_longest_lines_stay_in_the_buffer(void **state)
{
	struct access_record longest = given_longest_record();
	struct access_record ordinary = given_record();

	(void)state;
	for (unsigned format = 0; format < 2; format++) {
		given_file((enum access_log_format)format);
		/* wherever in the buffer the long ones begin */
		for (unsigned i = 0; i < 400; i++) {
			access_log_add(logs, i % 16 == 0 ? &longest : &ordinary);
			assert_true(logs->used <= sizeof(logs->buffer));
		}
		access_log_flush(logs);
		close(logs->fd);
		logs->fd = -1;
		close(reader);
	}
	assert_int_equal(written, 800);
	given_file(ACCESS_LOG_JSON);
	json_decref(json_of(&longest));
}

static void a_plain_value_keeps_two_thousand_bytes(void **state)
{
	static char path[5000];
	struct access_record record = given_record();
	json_t *line;

	(void)state;
	given_file(ACCESS_LOG_JSON);
	memset(path, 'p', sizeof(path));
	record.target = span_make(path, sizeof(path));
	line = json_of(&record);

	assert_int_equal(json_string_length(json_object_get(line, "url.path")), 2048);
	json_decref(line);
}

/*
 * Writing
 */

static void lines_are_gathered_until_the_flush(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	access_log_add(logs, &record);
	access_log_add(logs, &record);
	assert_string_equal(read_log(), "");
	assert_int_equal(written, 0);

	access_log_flush(logs);
	assert_int_equal(written, 2);
	assert_string_not_equal(read_log(), "");
}

static void a_log_that_is_off_writes_nothing(void **state)
{
	struct access_record record = given_record();

	(void)state;
	reader = -1;
	access_log_init(logs, -1, ACCESS_LOG_NGINX, &written, &dropped);
	access_log_add(logs, &record);
	access_log_flush(logs);

	assert_int_equal(written + dropped, 0);
}

/* A read of at most PIPE_BUF from a pipe gives what a write gave, where nothing else was written. */
static void blocks_of_a_pipe_end_with_whole_lines(void **state)
{
	char path[150];
	struct access_record record = given_record();
	struct random random;

	(void)state;
	given_pipe(ACCESS_LOG_NGINX);
	/* as much room as the kernel gives; a packet pipe keeps the blocks apart */
	assert_int_equal(fcntl(logs->fd, F_SETFL, O_NONBLOCK | O_DIRECT), 0);
	memset(path, 'p', sizeof(path));
	random_seed(&random, 1);
	for (unsigned i = 0; i < 150; i++) {
		record.target = span_make(path, 1 + random_below(&random, sizeof(path)));
		access_log_add(logs, &record);
	}
	access_log_flush(logs);

	for (unsigned blocks = 0;; blocks++) {
		char block[PIPE_BUF];
		ssize_t got = read(reader, block, sizeof(block));

		if (got == -1) {
			assert_in_range(blocks, 8, 30);
			break;
		}
		assert_int_equal(block[got - 1], '\n');
		assert_memory_equal(block, "192.0.2.7 - - [", 15);
	}
	assert_int_equal(written, 150);
}

static void a_line_longer_than_a_block_of_a_pipe_is_written_all_the_same(void **state)
{
	struct access_record record = given_longest_record();

	(void)state;
	given_pipe(ACCESS_LOG_JSON);
	json_decref(json_of(&record));
	assert_int_equal(written, 1);
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static void what_a_full_pipe_does_not_take_is_dropped_in_whole_lines_and_counted(void **state)
{
	struct access_record record = given_record();
	const char *text;
	size_t length;

	(void)state;
	given_pipe(ACCESS_LOG_NGINX);
	assert_true(fcntl(logs->fd, F_SETPIPE_SZ, 16384) >= 16384);
	for (unsigned i = 0; i < 1000; i++)
		access_log_add(logs, &record);
	access_log_flush(logs);

	assert_int_equal(written + dropped, 1000);
	assert_in_range(written, 20, 100);
	text = read_log();
	length = strlen(text);
	assert_int_equal(text[length - 1], '\n');
	assert_int_equal(count_lines(text), written);

	/* there is room again */
	dropped = written = 0;
	assert_int_equal(count_lines(line_of(&record)), 1);
	assert_int_equal(written, 1);
	assert_int_equal(dropped, 0);
}

static void a_descriptor_that_takes_nothing_drops_every_line(void **state)
{
	struct access_record record = given_record();

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	access_log_switch(logs, open("/dev/full", O_WRONLY | O_CLOEXEC));
	access_log_add(logs, &record);
	access_log_add(logs, &record);
	access_log_flush(logs);

	assert_int_equal(written, 0);
	assert_int_equal(dropped, 2);
}

static void a_switch_flushes_to_the_old_and_goes_on_with_the_new(void **state)
{
	struct access_record record = given_record();
	int old;
	int ends[2];

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	old = logs->fd;
	access_log_add(logs, &record);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	access_log_switch(logs, ends[1]);
	assert_int_equal(count_lines(read_log()), 1);
	assert_int_equal(fcntl(old, F_GETFD), -1);

	close(reader);
	reader = ends[0];
	assert_int_equal(count_lines(line_of(&record)), 1);
	assert_int_equal(written, 2);
}

static void a_switch_to_nothing_is_the_end_and_one_from_nothing_a_beginning(void **state)
{
	struct access_record record = given_record();
	int ends[2];

	(void)state;
	given_file(ACCESS_LOG_NGINX);
	access_log_switch(logs, -1);
	access_log_add(logs, &record);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	access_log_switch(logs, ends[1]);
	close(reader);
	reader = ends[0];

	assert_int_equal(count_lines(line_of(&record)), 1);
	assert_int_equal(written, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_that_of_ingress_nginx_byte_for_byte),
		TEST(what_there_was_not_is_a_dash),
		TEST(attempts_are_told_one_by_one),
		TEST(attempts_beyond_those_that_are_kept_are_left_out),
		TEST(bytes_that_could_end_a_line_or_a_value_are_escaped),
		TEST(the_time_changes_with_the_second),
		TEST(a_json_line_tells_everything_by_name),
		TEST(a_json_line_without_request_or_attempt_leaves_the_keys_out),
		TEST(a_json_line_is_valid_whatever_bytes_come),
		TEST(the_longest_lines_stay_in_the_buffer),
		TEST(a_plain_value_keeps_two_thousand_bytes),
		TEST(lines_are_gathered_until_the_flush),
		TEST(a_log_that_is_off_writes_nothing),
		TEST(blocks_of_a_pipe_end_with_whole_lines),
		TEST(a_line_longer_than_a_block_of_a_pipe_is_written_all_the_same),
		TEST(what_a_full_pipe_does_not_take_is_dropped_in_whole_lines_and_counted),
		TEST(a_descriptor_that_takes_nothing_drops_every_line),
		TEST(a_switch_flushes_to_the_old_and_goes_on_with_the_new),
		TEST(a_switch_to_nothing_is_the_end_and_one_from_nothing_a_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
