/* SPDX-License-Identifier: Apache-2.0 */
#include "control/handout.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "given.h"
#include "table/seal.h"

struct world {
	struct loop *loop;
	struct publisher *publisher;
	struct given_directory directory;
	struct handout *handout;
};

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct error err;

	world->loop = loop_new(&err);
	world->publisher = publisher_new(world->loop, 1, &(struct publisher_events){0});
	given_directory(&world->directory);
	world->handout = handout_start(world->loop, world->directory.path, world->publisher, &err);
	assert_non_null(world->handout);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	if (world->handout != NULL)
		handout_stop(world->handout);
	publisher_free(world->publisher);
	given_directory_end(&world->directory);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static void offer(struct world *world, enum table_kind kind, uint64_t generation)
{
	struct buf content = {0};

	given_segment(&content, kind, generation, 1);
	assert_int_equal(publisher_offer(world->publisher, kind, buf_span(&content), 0),
			 PUBLISH_NEW);
	buf_fini(&content);
}

static struct fake_worker connect_to(struct world *world)
{
	struct error err;
	struct fake_worker reader = {.fd = handout_connect(world->directory.path, &err)};

	assert_int_not_equal(reader.fd, -1);
	run_once(world->loop);
	return reader;
}

static void assert_gets(struct fake_worker *reader, enum table_kind kind, uint64_t generation)
{
	struct received received = fake_worker_receive(reader);
	struct span segment;
	struct error err;

	assert_true(received.has_message);
	assert_int_equal(received.message.table, kind);
	assert_int_equal(received.message.generation, generation);
	assert_int_equal(seal_map(received.fd, &segment, &err), 0);
	seal_unmap(segment);
	close(received.fd);
}

static void who_connects_gets_the_present_segments_and_the_end(void **state)
{
	struct world *world = *state;
	struct fake_worker reader;

	offer(world, TABLE_ROUTES, 3);
	offer(world, TABLE_ENDPOINTS, 4);

	reader = connect_to(world);

	assert_gets(&reader, TABLE_ROUTES, 3);
	assert_gets(&reader, TABLE_ENDPOINTS, 4);
	assert_true(fake_worker_is_expelled(&reader));
	fake_worker_end(&reader);
}

static void without_a_table_there_is_only_the_end(void **state)
{
	struct world *world = *state;
	struct fake_worker reader = connect_to(world);

	assert_false(fake_worker_receive(&reader).has_message);
	assert_true(fake_worker_is_expelled(&reader));
	fake_worker_end(&reader);
}

static void only_the_owner_may_connect(void **state)
{
	struct world *world = *state;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", world->directory.path, HANDOUT_NAME);

	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void the_name_that_a_predecessor_left_is_replaced(void **state)
{
	struct world *world = *state;
	struct error err;
	struct handout *second = handout_start(world->loop, world->directory.path, world->publisher,
					       &err);
	struct fake_worker reader;

	assert_non_null(second);
	offer(world, TABLE_ROUTES, 1);
	reader = connect_to(world);

	assert_gets(&reader, TABLE_ROUTES, 1);
	fake_worker_end(&reader);
	handout_stop(second);
}

static void nobody_answers_after_the_end(void **state)
{
	struct world *world = *state;
	struct error err;

	handout_stop(world->handout);
	world->handout = NULL;

	assert_int_equal(handout_connect(world->directory.path, &err), -1);
	assert_non_null(strstr(err.text, "no instance answers"));
}

static void a_long_path_is_no_obstacle(void **state)
{
	struct world *world = *state;
	struct error err;
	char path[256];
	struct handout *far;
	int fd;

	/* longer than the 108 bytes of a socket's address */
	snprintf(path, sizeof(path), "%s/%0120d", world->directory.path, 7);
	assert_int_equal(mkdir(path, 0700), 0);

	far = handout_start(world->loop, path, world->publisher, &err);
	assert_non_null(far);
	fd = handout_connect(path, &err);

	assert_int_not_equal(fd, -1);
	close(fd);
	handout_stop(far);
	rmdir(path);
}

static void handing_out_leaves_no_descriptor_behind(void **state)
{
	struct world *world = *state;
	unsigned before = count_descriptors();

	for (int i = 0; i < 20; i++) {
		struct fake_worker reader = connect_to(world);

		fake_worker_drain(&reader);
		fake_worker_end(&reader);
	}
	run_once(world->loop);

	assert_int_equal(count_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(who_connects_gets_the_present_segments_and_the_end),
		TEST(without_a_table_there_is_only_the_end),
		TEST(only_the_owner_may_connect),
		TEST(the_name_that_a_predecessor_left_is_replaced),
		TEST(nobody_answers_after_the_end),
		TEST(a_long_path_is_no_obstacle),
		TEST(handing_out_leaves_no_descriptor_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
