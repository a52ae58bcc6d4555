/* SPDX-License-Identifier: Apache-2.0 */
#include "control/state.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "control/state_key.h"
#include "given.h"

struct world {
	struct loop *loop;
	struct given_directory directory;
	struct state *state;
	struct buf contents[TABLE_KIND_COUNT]; /* what is present */
};

static void write_table(void *owner, enum table_kind kind, struct buf *out)
{
	const struct world *world = owner;

	buf_add(out, buf_span(&world->contents[kind]));
}

static struct state *open_in(struct world *world, const char *path, struct error *err)
{
	struct state_content content = {.owner = world, .write = write_table};

	return state_open(world->loop, path, &content, err);
}

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct error err;

	world->loop = loop_new(&err);
	given_directory(&world->directory);
	world->state = open_in(world, world->directory.path, &err);
	assert_non_null(world->state);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	if (world->state != NULL)
		state_close(world->state);
	for (unsigned kind = 0; kind < TABLE_KIND_COUNT; kind++)
		buf_fini(&world->contents[kind]);
	given_directory_end(&world->directory);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static void restart(struct world *world)
{
	struct error err;

	state_close(world->state);
	world->state = open_in(world, world->directory.path, &err);
	assert_non_null(world->state);
}

static void set_content(struct world *world, enum table_kind kind, uint64_t generation)
{
	buf_clear(&world->contents[kind]);
	given_segment(&world->contents[kind], kind, generation, (uint32_t)generation);
}

static void store(struct world *world, enum table_kind kind, uint64_t generation)
{
	set_content(world, kind, generation);
	state_store(world->state, kind);
}

struct expected_figures {
	struct world *world;
	uint64_t written;
	uint64_t failures;
};

static bool has_figures(void *what)
{
	const struct expected_figures *expected = what;
	struct state_figures figures = state_figures(expected->world->state);

	return figures.written >= expected->written && figures.failures >= expected->failures;
}

static void run_until_written(struct world *world, uint64_t written)
{
	struct expected_figures expected = {world, written, 0};

	run_until(world->loop, has_figures, &expected);
}

/* 0: there is none. */
static uint64_t loaded_generation(struct world *world, enum table_kind kind)
{
	struct buf content = {0};
	uint64_t generation = 0;

	if (state_load(world->state, kind, &content))
		generation = ((const struct table_header *)(void *)content.ptr)->generation;
	buf_fini(&content);
	return generation;
}

static const char *path_of(struct world *world, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", world->directory.path, name);
	return path;
}

static bool exists(struct world *world, const char *name)
{
	return access(path_of(world, name), F_OK) == 0;
}

static void damage(struct world *world, const char *name)
{
	int fd = open(path_of(world, name), O_WRONLY);

	assert_int_equal(pwrite(fd, "?", 1, 60), 1);
	close(fd);
}

static void what_is_stored_is_there_after_a_restart(void **state)
{
	struct world *world = *state;

	store(world, TABLE_ROUTES, 3);
	store(world, TABLE_ENDPOINTS, 5);
	run_until_written(world, 2);

	restart(world);

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 3);
	assert_int_equal(loaded_generation(world, TABLE_ENDPOINTS), 5);
}

static void nothing_is_there_at_first(void **state)
{
	assert_int_equal(loaded_generation(*state, TABLE_ROUTES), 0);
}

static void what_waits_is_written_at_the_end(void **state)
{
	struct world *world = *state;

	store(world, TABLE_ROUTES, 3);

	restart(world);

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 3);
}

static void of_many_changes_in_a_second_the_last_is_written(void **state)
{
	struct world *world = *state;

	for (uint64_t generation = 1; generation <= 50; generation++)
		store(world, TABLE_ROUTES, generation);
	run_until_written(world, 1);

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 50);
	assert_int_equal(state_figures(world->state).written, 1);
}

static void the_files_are_for_the_owner_alone(void **state)
{
	struct world *world = *state;
	struct stat st;

	store(world, TABLE_ROUTES, 1);
	run_until_written(world, 1);

	assert_int_equal(stat(path_of(world, "routes.segment"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void store_two(struct world *world)
{
	store(world, TABLE_ROUTES, 1);
	run_until_written(world, 1);
	store(world, TABLE_ROUTES, 2);
	run_until_written(world, 2);
}

static void the_generation_before_is_used_where_the_newest_is_damaged(void **state)
{
	struct world *world = *state;

	store_two(world);
	damage(world, "routes.segment");

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 1);

	assert_false(exists(world, "routes.segment"));
	assert_true(exists(world, "routes.segment.bad"));
}

static void with_both_damaged_there_is_none(void **state)
{
	struct world *world = *state;

	store_two(world);
	damage(world, "routes.segment");
	damage(world, "routes.segment.previous");

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 0);
}

static void a_segment_of_the_other_kind_is_not_taken(void **state)
{
	struct world *world = *state;
	char path[128];

	store(world, TABLE_ENDPOINTS, 1);
	run_until_written(world, 1);
	strcpy(path, path_of(world, "endpoints.segment"));
	assert_int_equal(rename(path, path_of(world, "routes.segment")), 0);

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 0);
}

static void a_cut_file_is_not_taken(void **state)
{
	struct world *world = *state;

	for (off_t size = 0; size < 120; size += 8) {
		struct buf content = {0};
		struct error err;

		given_segment(&content, TABLE_ROUTES, 1, 1);
		assert_int_equal(file_replace(path_of(world, "routes.segment"),
					      span_take(buf_span(&content), (size_t)size), 0600,
					      &err),
				 0);
		assert_int_equal(loaded_generation(world, TABLE_ROUTES), 0);
		buf_fini(&content);
	}
}

/* A disk that takes nothing more, for this process and its children. */
static void set_disk_full(bool is_full)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = is_full ? 16 : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_costs_nothing_that_was_stored_and_is_tried_again(void **state)
{
	struct world *world = *state;
	struct expected_figures failed = {world, 1, 1};

	store(world, TABLE_ROUTES, 1);
	run_until_written(world, 1);
	set_content(world, TABLE_ROUTES, 2);
	set_disk_full(true);

	state_store(world->state, TABLE_ROUTES);
	run_until(world->loop, has_figures, &failed);
	set_disk_full(false);

	assert_true(state_figures(world->state).failing);
	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 1);
	run_until_written(world, 2);
	assert_false(state_figures(world->state).failing);
	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 2);
}

static void a_directory_that_vanished_is_a_failure_and_no_end(void **state)
{
	struct world *world = *state;
	struct expected_figures failed = {world, 0, 1};

	given_directory_end(&world->directory);

	store(world, TABLE_ROUTES, 1);
	run_until(world->loop, has_figures, &failed);

	assert_true(state_figures(world->state).failing);
}

/* A pipe without a reader in the place of the file: who opens it waits, as on a disk that hangs. */
static void a_disk_that_hangs_holds_nothing_up(void **state)
{
	struct world *world = *state;
	struct expected_figures failed = {world, 0, 1};
	int reader;

	assert_int_equal(mkfifo(path_of(world, "routes.segment.new.tmp"), 0600), 0);

	store(world, TABLE_ROUTES, 1);
	store(world, TABLE_ENDPOINTS, 1);
	for (int i = 0; i < 10; i++)
		run_once(world->loop);
	store(world, TABLE_ROUTES, 2);
	for (int i = 0; i < 10; i++)
		run_once(world->loop);
	assert_int_equal(state_figures(world->state).written, 0);
	assert_int_equal(state_figures(world->state).failures, 0);

	/* the disk comes back, with an error */
	reader = open(path_of(world, "routes.segment.new.tmp"), O_RDONLY | O_NONBLOCK);
	run_until(world->loop, has_figures, &failed);
	close(reader);
	unlink(path_of(world, "routes.segment.new.tmp"));
	run_until_written(world, 2);
	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 2);
	assert_int_equal(loaded_generation(world, TABLE_ENDPOINTS), 1);
}

static void a_second_instance_is_kept_out(void **state)
{
	struct world *world = *state;
	struct error err;

	assert_null(open_in(world, world->directory.path, &err));
	assert_non_null(strstr(err.text, "another instance"));
}

static void a_file_is_no_directory(void **state)
{
	struct world *world = *state;
	struct error err;
	int fd = open(path_of(world, "file"), O_CREAT | O_WRONLY, 0600);

	close(fd);

	assert_null(open_in(world, path_of(world, "file"), &err));
	assert_non_null(strstr(err.text, "state directory"));
}

static void the_stored_segments_are_read_without_a_lock(void **state)
{
	struct world *world = *state;
	struct buf content = {0};
	struct error err;

	store(world, TABLE_ROUTES, 4);
	run_until_written(world, 1);

	assert_int_equal(state_read(world->directory.path, TABLE_ROUTES, &content, &err), 0);
	assert_int_equal(((const struct table_header *)(void *)content.ptr)->generation, 4);
	buf_clear(&content);
	assert_int_equal(state_read(world->directory.path, TABLE_ENDPOINTS, &content, &err), -1);
	buf_fini(&content);
}

/*
 * What is secret
 */

static void use_key(struct world *world, uint8_t which)
{
	const struct state_key key = {.bytes = {which}, .id = {which}};

	state_use_key(world->state, &key);
}

/* Of a file of the directory; to be given back by buf_fini. */
static struct buf content_of(struct world *world, const char *name)
{
	struct buf content = {0};
	struct error err;

	assert_int_equal(file_read(path_of(world, name), 1 << 20, &content, &err), 0);
	return content;
}

static void without_a_key_nothing_secret_is_stored(void **state)
{
	struct world *world = *state;

	store(world, TABLE_CERTIFICATES, 1);
	store(world, TABLE_ROUTES, 1);
	run_until_written(world, 1);

	restart(world);

	assert_int_equal(loaded_generation(world, TABLE_ROUTES), 1);
	assert_false(exists(world, "certificates.segment"));
}

static void with_a_key_it_is_stored_and_cannot_be_read_without(void **state)
{
	struct world *world = *state;
	struct buf content;

	use_key(world, 1);
	store(world, TABLE_CERTIFICATES, 3);
	store(world, TABLE_ROUTES, 3);
	run_until_written(world, 2);
	restart(world);

	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 0);
	use_key(world, 1);
	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 3);
	content = content_of(world, "certificates.segment");
	assert_null(memmem(content.ptr, content.len, "key", 3));
	assert_null(memmem(content.ptr, content.len, "chain", 5));
	buf_fini(&content);
}

static void what_another_key_sealed_is_passed_over_and_written_anew(void **state)
{
	struct world *world = *state;

	use_key(world, 1);
	store(world, TABLE_CERTIFICATES, 1);
	run_until_written(world, 1);
	use_key(world, 2);

	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 0);
	assert_false(exists(world, "certificates.segment.bad"));
	store(world, TABLE_CERTIFICATES, 2);
	run_until_written(world, 2);

	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 2);
}

static void a_damaged_secret_is_set_aside_and_the_one_before_used(void **state)
{
	struct world *world = *state;

	use_key(world, 1);
	store(world, TABLE_CERTIFICATES, 1);
	run_until_written(world, 1);
	store(world, TABLE_CERTIFICATES, 2);
	run_until_written(world, 2);
	damage(world, "certificates.segment");

	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 1);

	assert_true(exists(world, "certificates.segment.bad"));
}

static void a_secret_that_nobody_sealed_is_not_taken(void **state)
{
	struct world *world = *state;
	struct buf content = {0};
	struct error err;

	use_key(world, 1);
	given_segment(&content, TABLE_CERTIFICATES, 1, 1);
	assert_int_equal(file_replace(path_of(world, "certificates.segment"), buf_span(&content),
				      0600, &err),
			 0);
	buf_fini(&content);

	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 0);
}

static void what_is_removed_is_gone_in_every_form(void **state)
{
	struct world *world = *state;

	use_key(world, 1);
	store(world, TABLE_CERTIFICATES, 1);
	run_until_written(world, 1);
	store(world, TABLE_CERTIFICATES, 2);
	run_until_written(world, 2);
	damage(world, "certificates.segment");
	assert_int_equal(loaded_generation(world, TABLE_CERTIFICATES), 1);
	store(world, TABLE_CERTIFICATES, 3);
	run_until_written(world, 3);

	state_remove(world->state, TABLE_CERTIFICATES);

	assert_false(exists(world, "certificates.segment"));
	assert_false(exists(world, "certificates.segment.previous"));
	assert_false(exists(world, "certificates.segment.bad"));
}

static void storing_leaves_no_descriptor_behind(void **state)
{
	struct world *world = *state;
	unsigned before;

	store(world, TABLE_ROUTES, 1);
	run_until_written(world, 1);
	before = count_descriptors();

	store(world, TABLE_ROUTES, 2);
	store(world, TABLE_ENDPOINTS, 2);
	run_until_written(world, 3);

	assert_int_equal(count_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_is_stored_is_there_after_a_restart),
		TEST(nothing_is_there_at_first),
		TEST(what_waits_is_written_at_the_end),
		TEST(of_many_changes_in_a_second_the_last_is_written),
		TEST(the_files_are_for_the_owner_alone),
		TEST(the_generation_before_is_used_where_the_newest_is_damaged),
		TEST(with_both_damaged_there_is_none),
		TEST(a_segment_of_the_other_kind_is_not_taken),
		TEST(a_cut_file_is_not_taken),
		TEST(a_full_disk_costs_nothing_that_was_stored_and_is_tried_again),
		TEST(a_directory_that_vanished_is_a_failure_and_no_end),
		TEST(a_disk_that_hangs_holds_nothing_up),
		TEST(a_second_instance_is_kept_out),
		TEST(a_file_is_no_directory),
		TEST(the_stored_segments_are_read_without_a_lock),
		TEST(without_a_key_nothing_secret_is_stored),
		TEST(with_a_key_it_is_stored_and_cannot_be_read_without),
		TEST(what_another_key_sealed_is_passed_over_and_written_anew),
		TEST(a_damaged_secret_is_set_aside_and_the_one_before_used),
		TEST(a_secret_that_nobody_sealed_is_not_taken),
		TEST(what_is_removed_is_gone_in_every_form),
		TEST(storing_leaves_no_descriptor_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
