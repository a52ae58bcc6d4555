/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given.h"
#include "io/socket.h"

struct world {
	struct loop *loop;
	struct admin *admin;
	unsigned calls;
};

static unsigned write_well(void *owner, bool verbose, struct buf *body)
{
	struct world *world = owner;

	world->calls++;
	buf_add(body, verbose ? S("all is well, at length\n") : S("well\n"));
	return 200;
}

static unsigned write_unwell(void *owner, bool verbose, struct buf *body)
{
	(void)owner;
	(void)verbose;
	buf_add(body, S("unwell\n"));
	return 503;
}

/* Larger than what the kernel takes at once. */
enum { LARGE = 8 << 20 };

static unsigned write_large(void *owner, bool verbose, struct buf *body)
{
	(void)owner;
	(void)verbose;
	memset(buf_reserve(body, LARGE), 'x', LARGE);
	body->len = LARGE;
	return 200;
}

static unsigned write_nothing(void *owner, bool verbose, struct buf *body)
{
	(void)owner;
	(void)verbose;
	(void)body;
	return 200;
}

static const struct admin_page pages[] = {
	{"/large", "text/plain", write_large},
	{"/nothing", "text/plain", write_nothing},
	{"/unwell", "text/plain", write_unwell},
	{"/well", "text/plain; version=9", write_well},
};

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct ip_port at = {0};
	struct error err;

	assert_true(ip_parse(S("127.0.0.1"), &at.ip));
	world->loop = loop_new(&err);
	world->admin = admin_start(world->loop, &at, pages, sizeof(pages) / sizeof(pages[0]), world,
				   &err);
	assert_non_null(world->admin);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	admin_stop(world->admin);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static int connect_to(struct world *world)
{
	struct ip_port at = admin_address(world->admin);
	bool pending;
	int fd = socket_connect(&at, &pending);

	assert_int_not_equal(fd, -1);
	return fd;
}

struct answer {
	int fd;
	struct buf text;
	const char *awaited; /* what the text ends with; NULL: the end of the connection */
};

static bool is_read(void *what)
{
	struct answer *answer = what;
	ssize_t got;

	do {
		got = recv(answer->fd, buf_reserve(&answer->text, 65536), 65536, MSG_DONTWAIT);
		if (got > 0)
			answer->text.len += (size_t)got;
	} while (got > 0);
	if (answer->awaited == NULL)
		return got == 0;
	return span_ends_with(buf_span(&answer->text), span_from(answer->awaited));
}

/* On loopback a connection is there at once, and a few bytes find room. */
static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One request on a connection of its own, to its end. Valid until the next. */
static const char *ask(struct world *world, const char *request)
{
	static char text[4096];
	struct answer answer = {.fd = connect_to(world)};

	send_text(answer.fd, request);
	run_until(world->loop, is_read, &answer);
	snprintf(text, sizeof(text), "%s", buf_text(&answer.text));
	buf_fini(&answer.text);
	close(answer.fd);
	return text;
}

#define ASK(line) ask(*state, line " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void assert_ends(const char *text, const char *end)
{
	if (!span_ends_with(span_from(text), span_from(end)))
		fail_msg("this does not end with \"%s\":\n%s", end, text);
}

static void a_page_is_answered_with_its_type(void **state)
{
	const char *answer = ASK("GET /well");

	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "\r\nContent-Type: text/plain; version=9\r\n");
	assert_has(answer, "\r\nCache-Control: no-store\r\n");
	assert_ends(answer, "\r\n\r\nwell\n");
}

static void a_page_chooses_its_status(void **state)
{
	const char *answer = ASK("GET /unwell");

	assert_has(answer, "HTTP/1.1 503 ");
	assert_ends(answer, "\r\n\r\nunwell\n");
}

static void a_query_may_ask_for_more(void **state)
{
	assert_ends(ASK("GET /well?verbose"), "\r\n\r\nall is well, at length\n");
	assert_ends(ASK("GET /well?verbose=1&x"), "\r\n\r\nall is well, at length\n");
	assert_ends(ASK("GET /well?quiet"), "\r\n\r\nwell\n");
}

static void head_has_the_length_and_no_body(void **state)
{
	const char *answer = ASK("HEAD /well");

	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "\r\nContent-Length: 5\r\n");
	assert_ends(answer, "\r\n\r\n");
}

static void an_empty_page_is_a_page(void **state)
{
	const char *answer = ASK("GET /nothing");

	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "\r\nContent-Length: 0\r\n");
}

static void another_path_is_404_with_a_list(void **state)
{
	const char *answer = ASK("GET /metric");

	assert_has(answer, "HTTP/1.1 404 ");
	assert_has(answer, "/large\n/nothing\n/unwell\n/well\n");
}

static void a_path_is_compared_whole(void **state)
{
	assert_has(ASK("GET /well/"), "HTTP/1.1 404 ");
	assert_has(ASK("GET /wel"), "HTTP/1.1 404 ");
	assert_has(ASK("GET /WELL"), "HTTP/1.1 404 ");
}

static void only_reading_is_allowed(void **state)
{
	static const char *const requests[] = {
		"POST /well HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
		"3\r\n\r\nabc",
		"DELETE /well HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"OPTIONS /well HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"PUT /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
		"0\r\n\r\n",
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const char *answer = ask(world, requests[i]);

		assert_has(answer, "HTTP/1.1 405 ");
		assert_has(answer, "\r\nAllow: GET, HEAD\r\n");
	}
	assert_int_equal(world->calls, 0);
}

static void a_body_is_passed_over(void **state)
{
	const char *answer = ask(*state, "GET /well HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
					 "Content-Length: 5\r\n\r\nhello");

	assert_has(answer, "HTTP/1.1 200 ");
}

static void a_connection_is_used_again(void **state)
{
	struct world *world = *state;
	struct answer answer = {.fd = connect_to(world), .awaited = "well\n"};

	for (unsigned i = 1; i <= 3; i++) {
		send_text(answer.fd, "GET /well HTTP/1.1\r\nHost: x\r\n\r\n");
		buf_clear(&answer.text);
		run_until(world->loop, is_read, &answer);
		assert_int_equal(world->calls, i);
	}
	buf_fini(&answer.text);
	close(answer.fd);
}

static void a_page_larger_than_any_buffer_arrives_whole(void **state)
{
	struct world *world = *state;
	struct answer answer = {.fd = connect_to(world)};

	send_text(answer.fd, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	run_until(world->loop, is_read, &answer);

	assert_in_range(answer.text.len, LARGE, LARGE + 1000);
	buf_fini(&answer.text);
	close(answer.fd);
}

static void one_byte_at_a_time_is_a_request_too(void **state)
{
	struct world *world = *state;
	const char *request = "GET /well HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct answer answer = {.fd = connect_to(world)};

	for (const char *at = request; *at != '\0'; at++) {
		const char byte[2] = {*at, '\0'};

		send_text(answer.fd, byte);
		run_once(world->loop);
	}
	run_until(world->loop, is_read, &answer);

	assert_ends(buf_text(&answer.text), "\r\n\r\nwell\n");
	buf_fini(&answer.text);
	close(answer.fd);
}

static void nonsense_harms_nobody(void **state)
{
	static const char *const nonsense[] = {
		"\r\n\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
		"GET /%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		int fd = connect_to(world);

		send_text(fd, nonsense[i]);
		close(fd);
		run_once(world->loop);
	}

	assert_ends(ASK("GET /well"), "\r\n\r\nwell\n");
}

static void clients_beyond_the_limit_do_not_shut_others_out_for_good(void **state)
{
	struct world *world = *state;
	int clients[ADMIN_CONNECTIONS_MAX + 10];
	size_t count = sizeof(clients) / sizeof(clients[0]);

	for (size_t i = 0; i < count; i++)
		clients[i] = connect_to(world);
	run_once(world->loop);
	for (size_t i = 0; i < count; i++)
		close(clients[i]);

	assert_ends(ASK("GET /well"), "\r\n\r\nwell\n");
}

static void nothing_is_left_open_at_the_end(void **state)
{
	struct world *world = *state;
	struct ip_port at = {0};
	struct error err;
	unsigned before = count_descriptors();
	struct admin *second;

	assert_true(ip_parse(S("::1"), &at.ip));
	second = admin_start(world->loop, &at, pages, 1, world, &err);
	if (second == NULL)
		skip(); /* no IPv6 here */
	run_once(world->loop);
	admin_stop(second);

	assert_int_equal(count_descriptors(), before);
}

static void a_port_that_is_taken_is_an_error_with_words(void **state)
{
	struct world *world = *state;
	struct ip_port at = admin_address(world->admin);
	struct error err;

	assert_null(admin_start(world->loop, &at, pages, 1, world, &err));
	assert_has(err.text, "another program has the port");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_page_is_answered_with_its_type),
		TEST(a_page_chooses_its_status),
		TEST(a_query_may_ask_for_more),
		TEST(head_has_the_length_and_no_body),
		TEST(an_empty_page_is_a_page),
		TEST(another_path_is_404_with_a_list),
		TEST(a_path_is_compared_whole),
		TEST(only_reading_is_allowed),
		TEST(a_body_is_passed_over),
		TEST(a_connection_is_used_again),
		TEST(a_page_larger_than_any_buffer_arrives_whole),
		TEST(one_byte_at_a_time_is_a_request_too),
		TEST(nonsense_harms_nobody),
		TEST(clients_beyond_the_limit_do_not_shut_others_out_for_good),
		TEST(nothing_is_left_open_at_the_end),
		TEST(a_port_that_is_taken_is_an_error_with_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
