/* SPDX-License-Identifier: Apache-2.0 */
#include "control/diagnostic_log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "given.h"

struct world {
	struct diagnostic_log log;
	struct diagnostics first;
	struct diagnostics second;
	struct diagnostics shown[2]; /* as they were at the last update */
	int said[2];                 /* pipe in place of standard error */
	int saved;
};

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));

	diagnostic_log_init(&world->log);
	diagnostics_init(&world->first);
	diagnostics_init(&world->second);
	diagnostics_init(&world->shown[0]);
	diagnostics_init(&world->shown[1]);
	assert_int_equal(pipe2(world->said, O_NONBLOCK), 0);
	assert_true(fcntl(world->said[1], F_SETPIPE_SZ, 1 << 20) > 0);
	world->saved = dup(STDERR_FILENO);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	diagnostic_log_fini(&world->log);
	diagnostics_fini(&world->first);
	diagnostics_fini(&world->second);
	diagnostics_fini(&world->shown[0]);
	diagnostics_fini(&world->shown[1]);
	close(world->said[0]);
	close(world->said[1]);
	close(world->saved);
	test_free(world);
	return 0;
}

static void note(struct diagnostics *list, enum diagnostic_id id, const char *text)
{
	diagnostics_add_place(list, id, S("web.yaml"), 3, 5, "%s", text);
}

static void show(struct diagnostics *shown, const struct diagnostics *list)
{
	diagnostics_fini(shown);
	diagnostics_init(shown);
	diagnostics_append(shown, list);
}

/* What is logged once the lists are as they are now; valid until the next. */
static const char *update(struct world *world)
{
	static char text[1 << 20];
	ssize_t got;

	diagnostic_log_add(&world->log, &world->first);
	diagnostic_log_add(&world->log, &world->second);
	diagnostic_log_remove(&world->log, &world->shown[0]);
	diagnostic_log_remove(&world->log, &world->shown[1]);
	show(&world->shown[0], &world->first);
	show(&world->shown[1], &world->second);
	dup2(world->said[1], STDERR_FILENO);
	diagnostic_log_say(&world->log);
	dup2(world->saved, STDERR_FILENO);
	got = read(world->said[0], text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static void a_diagnostic_is_said_once(void **state)
{
	struct world *world = *state;
	const char *said;

	note(&world->first, DIAGNOSTIC_SYNTAX, "no YAML at all");

	said = update(world);
	assert_int_equal(count_lines(said), 1);
	assert_non_null(strstr(said, "level=warn"));
	assert_non_null(strstr(said, "code=IGT1002"));
	assert_non_null(strstr(said, "web.yaml:3:5"));
	assert_non_null(strstr(said, "no YAML at all"));
	assert_string_equal(update(world), "");
}

static void its_end_is_said_too(void **state)
{
	struct world *world = *state;
	const char *said;

	note(&world->first, DIAGNOSTIC_SYNTAX, "no YAML at all");
	update(world);
	diagnostics_fini(&world->first);
	diagnostics_init(&world->first);

	said = update(world);

	assert_int_equal(count_lines(said), 1);
	assert_non_null(strstr(said, "level=info"));
	assert_non_null(strstr(said, "diagnostic is gone"));
	assert_int_equal(world->log.counts[DIAGNOSTIC_SYNTAX], 0);
}

static void a_note_is_no_warning(void **state)
{
	struct world *world = *state;

	note(&world->first, DIAGNOSTIC_UNKNOWN_KIND, "kind Deployment");

	assert_non_null(strstr(update(world), "level=info"));
}

static void two_lists_that_say_the_same_say_it_once(void **state)
{
	struct world *world = *state;

	note(&world->first, DIAGNOSTIC_SYNTAX, "the same");
	note(&world->second, DIAGNOSTIC_SYNTAX, "the same");
	note(&world->second, DIAGNOSTIC_SYNTAX, "another");

	assert_int_equal(count_lines(update(world)), 2);
	assert_int_equal(world->log.counts[DIAGNOSTIC_SYNTAX], 2);
}

static void a_flood_is_cut_and_its_rest_counted(void **state)
{
	struct world *world = *state;
	const char *said;

	for (unsigned i = 0; i < DIAGNOSTIC_LOG_LINES_MAX + 500; i++) {
		char text[32];

		snprintf(text, sizeof(text), "number %u", i);
		note(&world->first, DIAGNOSTIC_SYNTAX, text);
	}

	said = update(world);

	assert_int_equal(count_lines(said), DIAGNOSTIC_LOG_LINES_MAX + 1);
	assert_non_null(strstr(said, "count=500"));
	assert_int_equal(world->log.counts[DIAGNOSTIC_SYNTAX], DIAGNOSTIC_LOG_LINES_MAX + 500);
}

static void a_text_cannot_forge_a_line(void **state)
{
	struct world *world = *state;

	note(&world->first, DIAGNOSTIC_SYNTAX, "x\ntime=1 level=error msg=\"forged\"");

	assert_int_equal(count_lines(update(world)), 1);
}

static void what_came_and_went_between_two_times_is_not_said(void **state)
{
	struct world *world = *state;

	note(&world->second, DIAGNOSTIC_SYNTAX, "soon mended");
	diagnostic_log_add(&world->log, &world->second);
	diagnostic_log_remove(&world->log, &world->second);
	diagnostics_fini(&world->second);
	diagnostics_init(&world->second);

	assert_string_equal(update(world), "");
	assert_int_equal(world->log.counts[DIAGNOSTIC_SYNTAX], 0);
}

static void what_goes_and_comes_again_between_two_times_is_not_said_again(void **state)
{
	struct world *world = *state;

	note(&world->first, DIAGNOSTIC_SYNTAX, "still there");
	update(world);

	diagnostic_log_remove(&world->log, &world->first);
	diagnostic_log_add(&world->log, &world->first);

	assert_string_equal(update(world), "");
	assert_int_equal(world->log.counts[DIAGNOSTIC_SYNTAX], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_diagnostic_is_said_once),
		TEST(its_end_is_said_too),
		TEST(a_note_is_no_warning),
		TEST(two_lists_that_say_the_same_say_it_once),
		TEST(a_flood_is_cut_and_its_rest_counted),
		TEST(a_text_cannot_forge_a_line),
		TEST(what_came_and_went_between_two_times_is_not_said),
		TEST(what_goes_and_comes_again_between_two_times_is_not_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
