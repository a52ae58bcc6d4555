/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given.h"
#include "table/builder.h"
#include "table/seal.h"

enum { WORKERS = 2 };

struct world {
	struct loop *loop;
	struct publisher *publisher;
	struct fake_worker workers[WORKERS];
	uint64_t obeyed; /* what on_obeyed said last */
	unsigned obeyed_times;
	unsigned expelled; /* how many */
	pid_t expelled_pid;
};

static void on_obeyed(void *owner, uint64_t routes_generation)
{
	struct world *world = owner;

	world->obeyed = routes_generation;
	world->obeyed_times++;
}

static void on_expel(void *owner, uint32_t worker, pid_t pid, const char *reason)
{
	struct world *world = owner;

	(void)worker;
	(void)reason;
	world->expelled++;
	world->expelled_pid = pid;
}

static int set_up(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));
	struct publisher_events events = {
		.owner = world, .on_obeyed = on_obeyed, .on_expel = on_expel};
	struct error err;

	world->loop = loop_new(&err);
	world->publisher = publisher_new(world->loop, WORKERS, &events);
	for (uint32_t i = 0; i < WORKERS; i++)
		world->workers[i] = given_worker(world->publisher, i);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	publisher_free(world->publisher);
	for (uint32_t i = 0; i < WORKERS; i++)
		fake_worker_end(&world->workers[i]);
	loop_free(world->loop);
	test_free(world);
	return 0;
}

static enum publish_result offer(struct world *world, enum table_kind kind, uint64_t generation,
				 uint32_t what)
{
	struct buf content = {0};
	enum publish_result result;

	given_segment(&content, kind, generation, what);
	result = publisher_offer(world->publisher, kind, buf_span(&content), 1);
	buf_fini(&content);
	return result;
}

static void publish(struct world *world, enum table_kind kind, uint64_t generation, uint32_t what)
{
	assert_int_equal(offer(world, kind, generation, what), PUBLISH_NEW);
	publisher_send(world->publisher);
}

static void ack(struct world *world, uint32_t worker, enum table_kind kind, uint64_t generation)
{
	fake_worker_ack(&world->workers[worker], kind, generation, ACK_APPLIED);
	run_once(world->loop);
}

static void assert_receives(struct fake_worker *worker, enum table_kind kind, uint64_t generation)
{
	struct received received = fake_worker_receive(worker);
	struct span segment;
	struct error err;

	assert_true(received.has_message);
	assert_int_equal(received.message.kind, MESSAGE_SEGMENT);
	assert_int_equal(received.message.table, kind);
	assert_int_equal(received.message.generation, generation);
	assert_int_equal(seal_map(received.fd, &segment, &err), 0);
	seal_unmap(segment);
	close(received.fd);
}

static void assert_receives_nothing(struct fake_worker *worker)
{
	assert_false(fake_worker_receive(worker).has_message);
}

static void every_worker_gets_endpoints_before_routes(void **state)
{
	struct world *world = *state;

	assert_int_equal(offer(world, TABLE_ROUTES, 1, 1), PUBLISH_NEW);
	assert_int_equal(offer(world, TABLE_ENDPOINTS, 1, 1), PUBLISH_NEW);

	publisher_send(world->publisher);

	for (uint32_t i = 0; i < WORKERS; i++) {
		assert_receives(&world->workers[i], TABLE_ENDPOINTS, 1);
		assert_receives(&world->workers[i], TABLE_ROUTES, 1);
		assert_receives_nothing(&world->workers[i]);
	}
}

static void what_did_not_change_is_not_sent_again(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ENDPOINTS, 1, 1);
	publish(world, TABLE_ROUTES, 1, 1);
	fake_worker_drain(&world->workers[0]);
	ack(world, 0, TABLE_ENDPOINTS, 1);

	publish(world, TABLE_ENDPOINTS, 2, 2);

	assert_receives(&world->workers[0], TABLE_ENDPOINTS, 2);
	assert_receives_nothing(&world->workers[0]);
}

static void a_segment_that_says_the_same_is_not_published(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);

	assert_int_equal(offer(world, TABLE_ROUTES, 2, 1), PUBLISH_EQUAL);

	assert_int_equal(publisher_generation(world->publisher, TABLE_ROUTES), 1);
	assert_int_equal(publisher_published_count(world->publisher, TABLE_ROUTES), 1);
}

static void a_segment_that_does_not_verify_leaves_the_present_one(void **state)
{
	struct world *world = *state;
	struct buf content = {0};

	publish(world, TABLE_ROUTES, 1, 1);
	given_segment(&content, TABLE_ROUTES, 2, 2);
	content.ptr[content.len - 1] ^= 1;

	assert_int_equal(publisher_offer(world->publisher, TABLE_ROUTES, buf_span(&content), 1),
			 PUBLISH_REFUSED);

	assert_int_equal(publisher_generation(world->publisher, TABLE_ROUTES), 1);
	assert_int_equal(publisher_refused_count(world->publisher, TABLE_ROUTES), 1);
	assert_int_equal(publisher_table(world->publisher, TABLE_ROUTES)->at[0]->routes.host_count,
			 2);
	buf_fini(&content);
}

static void an_empty_segment_is_refused(void **state)
{
	struct world *world = *state;

	assert_int_equal(publisher_offer(world->publisher, TABLE_ENDPOINTS, S(""), 1),
			 PUBLISH_REFUSED);
	assert_null(publisher_table(world->publisher, TABLE_ENDPOINTS));
	assert_int_equal(publisher_bundle_fd(world->publisher, TABLE_ENDPOINTS), -1);
}

static void the_worker_that_comes_later_gets_what_is_present(void **state)
{
	struct world *world = *state;
	struct fake_worker successor;

	publish(world, TABLE_ENDPOINTS, 1, 1);
	publish(world, TABLE_ROUTES, 1, 1);
	publish(world, TABLE_ROUTES, 2, 2);

	successor = given_worker(world->publisher, 1);

	assert_receives(&successor, TABLE_ENDPOINTS, 1);
	assert_receives(&successor, TABLE_ROUTES, 2);
	assert_receives_nothing(&successor);
	assert_true(fake_worker_is_expelled(&world->workers[1]));
	fake_worker_end(&successor);
}

static void a_change_is_obeyed_when_the_last_worker_obeys(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 5, 1);

	ack(world, 0, TABLE_ROUTES, 5);
	assert_int_equal(world->obeyed, 0);
	ack(world, 1, TABLE_ROUTES, 5);

	assert_int_equal(world->obeyed, 5);
	assert_int_equal(world->obeyed_times, 1);
	assert_int_equal(publisher_worker(world->publisher, 0)->in_effect[TABLE_ROUTES], 5);
}

static uint64_t measured(struct world *world, enum table_kind kind)
{
	const struct propagation *propagation = publisher_propagation(world->publisher, kind);
	uint64_t sum = 0;

	for (unsigned i = 0; i < PROPAGATION_BUCKETS; i++)
		sum += propagation->buckets[i];
	return sum;
}

static void propagation_is_measured_at_the_last_acknowledgement(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ENDPOINTS, 1, 1);

	ack(world, 1, TABLE_ENDPOINTS, 1);
	assert_int_equal(measured(world, TABLE_ENDPOINTS), 0);
	ack(world, 0, TABLE_ENDPOINTS, 1);

	assert_int_equal(measured(world, TABLE_ENDPOINTS), 1);
	assert_int_equal(measured(world, TABLE_ROUTES), 0);
}

static void a_segment_from_disk_is_not_measured(void **state)
{
	struct world *world = *state;
	struct buf content = {0};

	given_segment(&content, TABLE_ROUTES, 1, 1);
	publisher_offer(world->publisher, TABLE_ROUTES, buf_span(&content), 0);
	publisher_send(world->publisher);
	buf_fini(&content);

	ack(world, 0, TABLE_ROUTES, 1);
	ack(world, 1, TABLE_ROUTES, 1);

	assert_int_equal(measured(world, TABLE_ROUTES), 0);
	assert_int_equal(world->obeyed, 1);
}

static void a_refusal_is_counted_and_the_old_table_stays_in_effect(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);
	ack(world, 0, TABLE_ROUTES, 1);
	ack(world, 1, TABLE_ROUTES, 1);
	publish(world, TABLE_ROUTES, 2, 2);
	ack(world, 0, TABLE_ROUTES, 2);

	fake_worker_ack(&world->workers[1], TABLE_ROUTES, 2, ACK_REFUSED);
	run_once(world->loop);

	assert_int_equal(publisher_refused_count(world->publisher, TABLE_ROUTES), 1);
	assert_int_equal(publisher_worker(world->publisher, 1)->in_effect[TABLE_ROUTES], 1);
	assert_int_equal(publisher_worker(world->publisher, 1)->refused[TABLE_ROUTES], 2);
	assert_true(publisher_worker(world->publisher, 1)->connected);
	assert_int_equal(world->obeyed, 1);
	assert_int_equal(measured(world, TABLE_ROUTES), 1);
}

static void a_worker_that_ended_obeys_nothing(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);
	ack(world, 0, TABLE_ROUTES, 1);

	publisher_drop_peer(world->publisher, 0, 3);
	ack(world, 1, TABLE_ROUTES, 1);

	assert_int_equal(world->obeyed, 0);
	assert_false(publisher_worker(world->publisher, 0)->connected);
	assert_int_equal(publisher_worker(world->publisher, 0)->pid, 0);
	assert_int_equal(publisher_worker(world->publisher, 0)->deaths, 3);
}

static void assert_is_expelled_for(struct world *world, const struct message *lie)
{
	publish(world, TABLE_ROUTES, 10, 1);
	assert_int_equal(send(world->workers[0].fd, lie, sizeof(*lie), 0), sizeof(*lie));

	run_once(world->loop);

	assert_true(fake_worker_is_expelled(&world->workers[0]));
	assert_false(publisher_worker(world->publisher, 0)->connected);
	assert_int_equal(publisher_worker(world->publisher, 0)->in_effect[TABLE_ROUTES], 0);
	assert_true(publisher_worker(world->publisher, 1)->connected);
	assert_int_equal(world->expelled, 1);
	assert_int_equal(world->expelled_pid, 1000);
}

static void an_acknowledgement_of_the_future_is_a_lie(void **state)
{
	const struct message lie = {
		.kind = MESSAGE_ACK, .table = TABLE_ROUTES, .generation = 11, .code = ACK_APPLIED};

	assert_is_expelled_for(*state, &lie);
}

static void an_acknowledgement_of_what_this_channel_never_sent_is_a_lie(void **state)
{
	const struct message lie = {
		.kind = MESSAGE_ACK, .table = TABLE_ROUTES, .generation = 9, .code = ACK_APPLIED};

	assert_is_expelled_for(*state, &lie);
}

static void an_acknowledgement_of_a_kind_that_was_never_sent_is_a_lie(void **state)
{
	const struct message lie = {.kind = MESSAGE_ACK,
				    .table = TABLE_ENDPOINTS,
				    .generation = 0,
				    .code = ACK_APPLIED};

	assert_is_expelled_for(*state, &lie);
}

static void a_table_that_does_not_exist_is_a_lie(void **state)
{
	const struct message lie = {.kind = MESSAGE_ACK,
				    .table = TABLE_KIND_COUNT,
				    .generation = 10,
				    .code = ACK_APPLIED};

	assert_is_expelled_for(*state, &lie);
}

static void a_code_that_does_not_exist_is_a_lie(void **state)
{
	const struct message lie = {
		.kind = MESSAGE_ACK, .table = TABLE_ROUTES, .generation = 10, .code = 2};

	assert_is_expelled_for(*state, &lie);
}

static void only_acknowledgements_come_from_workers(void **state)
{
	const struct message lie = {.kind = MESSAGE_STOP};

	assert_is_expelled_for(*state, &lie);
}

static void a_worker_cannot_go_back(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);
	ack(world, 0, TABLE_ROUTES, 1);
	publish(world, TABLE_ROUTES, 2, 2);
	ack(world, 0, TABLE_ROUTES, 2);

	ack(world, 0, TABLE_ROUTES, 1);

	assert_true(fake_worker_is_expelled(&world->workers[0]));
}

static void a_worker_that_talks_all_the_time_loses_its_channel(void **state)
{
	struct world *world = *state;
	struct message message = {
		.kind = MESSAGE_ACK, .table = TABLE_ROUTES, .generation = 1, .code = ACK_APPLIED};

	publish(world, TABLE_ROUTES, 1, 1);
	for (unsigned i = 0;
	     i < 20 * PUBLISH_MESSAGES_MAX && publisher_worker(world->publisher, 0)->connected;
	     i++) {
		if (send(world->workers[0].fd, &message, sizeof(message), MSG_NOSIGNAL) == -1)
			run_once(world->loop);
	}
	run_once(world->loop);

	assert_false(publisher_worker(world->publisher, 0)->connected);
	assert_true(publisher_worker(world->publisher, 1)->connected);
}

static bool is_expelled(void *what)
{
	return ((struct world *)what)->expelled > 0;
}

static void a_worker_that_leaves_its_channel_and_goes_on_is_to_be_ended(void **state)
{
	struct world *world = *state;

	shutdown(world->workers[0].fd, SHUT_RDWR);
	run_once(world->loop);
	assert_false(publisher_worker(world->publisher, 0)->connected);
	assert_int_equal(world->expelled, 0);

	run_until(world->loop, is_expelled, world);

	assert_int_equal(world->expelled_pid, 1000);
}

static void a_worker_that_ends_is_not_ended_once_more(void **state)
{
	struct world *world = *state;

	shutdown(world->workers[0].fd, SHUT_RDWR);
	run_once(world->loop);
	publisher_drop_peer(world->publisher, 0, 1);
	shutdown(world->workers[1].fd, SHUT_RDWR);
	run_once(world->loop);

	run_until(world->loop, is_expelled, world);

	assert_int_equal(world->expelled, 1);
	assert_int_equal(world->expelled_pid, 1001);
}

static void a_slow_worker_gets_one_of_each_kind_and_then_the_newest(void **state)
{
	struct world *world = *state;

	for (uint32_t i = 1; i <= 1000; i++)
		publish(world, TABLE_ENDPOINTS, i, 1 + i % 2);

	assert_receives(&world->workers[0], TABLE_ENDPOINTS, 1);
	assert_receives_nothing(&world->workers[0]);
	ack(world, 0, TABLE_ENDPOINTS, 1);
	assert_receives(&world->workers[0], TABLE_ENDPOINTS, 1000);
	assert_receives_nothing(&world->workers[0]);
	ack(world, 0, TABLE_ENDPOINTS, 1000);
	assert_receives_nothing(&world->workers[0]);
}

static void routes_wait_for_the_endpoints_that_they_name(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ENDPOINTS, 1, 1);
	publish(world, TABLE_ENDPOINTS, 2, 2);
	publish(world, TABLE_ROUTES, 1, 1);

	assert_receives(&world->workers[0], TABLE_ENDPOINTS, 1);
	assert_receives_nothing(&world->workers[0]);
	ack(world, 0, TABLE_ENDPOINTS, 1);

	assert_receives(&world->workers[0], TABLE_ENDPOINTS, 2);
	assert_receives(&world->workers[0], TABLE_ROUTES, 1);
}

static void what_was_refused_is_not_sent_again(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);
	fake_worker_drain(&world->workers[0]);
	fake_worker_ack(&world->workers[0], TABLE_ROUTES, 1, ACK_REFUSED);
	run_once(world->loop);

	publisher_send(world->publisher);

	assert_receives_nothing(&world->workers[0]);
}

static void a_refusal_said_twice_counts_once(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);

	for (int i = 0; i < 2; i++)
		fake_worker_ack(&world->workers[0], TABLE_ROUTES, 1, ACK_REFUSED);
	run_once(world->loop);

	assert_int_equal(publisher_refused_count(world->publisher, TABLE_ROUTES), 1);
	assert_true(publisher_worker(world->publisher, 0)->connected);
}

static void a_worker_may_say_what_it_has_to(void **state)
{
	struct world *world = *state;

	publish(world, TABLE_ROUTES, 1, 1);
	for (unsigned i = 0; i < 100; i++)
		fake_worker_ack(&world->workers[0], TABLE_ROUTES, 1, ACK_APPLIED);
	run_once(world->loop);

	assert_true(publisher_worker(world->publisher, 0)->connected);
}

static void descriptors_from_a_worker_are_closed(void **state)
{
	struct world *world = *state;
	struct message message = {
		.kind = MESSAGE_ACK, .table = TABLE_ROUTES, .generation = 1, .code = ACK_APPLIED};
	struct iovec part = {&message, sizeof(message)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = {0};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &ancillary,
				.msg_controllen = sizeof(ancillary)};
	unsigned before;

	publish(world, TABLE_ROUTES, 1, 1);
	ancillary.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int))};
	before = count_descriptors();
	assert_int_equal(sendmsg(world->workers[0].fd, &header, 0), sizeof(message));

	run_once(world->loop);

	assert_int_equal(count_descriptors(), before);
	assert_int_equal(publisher_worker(world->publisher, 0)->in_effect[TABLE_ROUTES], 1);
}

static void a_worker_that_does_not_exist_is_refused(void **state)
{
	struct world *world = *state;
	unsigned before = count_descriptors();
	struct fake_worker nobody = given_worker(world->publisher, WORKERS);

	assert_true(fake_worker_is_expelled(&nobody));
	fake_worker_end(&nobody);
	publisher_drop_peer(world->publisher, WORKERS, 1);
	assert_int_equal(count_descriptors(), before);
}

static void old_segments_are_given_back(void **state)
{
	struct world *world = *state;
	unsigned before;

	publish(world, TABLE_ROUTES, 1, 1);
	fake_worker_drain(&world->workers[0]);
	fake_worker_drain(&world->workers[1]);
	before = count_descriptors();

	for (uint32_t i = 2; i < 20; i++) {
		publish(world, TABLE_ROUTES, i, i);
		fake_worker_drain(&world->workers[0]);
		fake_worker_drain(&world->workers[1]);
	}

	assert_int_equal(count_descriptors(), before);
}

enum { SCATTER_SHARDS = 16, SCATTER_NAME = 64 << 10 };

/* A shard of endpoints with one upstream, whose long name consists of a letter. */
static void add_large_shard(struct buf *out, uint64_t generation, uint32_t shard, char letter)
{
	struct table_stamp stamp = {
		.generation = generation, .set = 1, .shard = shard, .shard_count = SCATTER_SHARDS};
	struct upstream_record upstream = {
		.incarnation = 1, .tls = TABLE_NONE, .first_share = TABLE_NONE};
	struct builder builder;
	struct buf name = {0};

	memset(buf_reserve(&name, SCATTER_NAME), letter, SCATTER_NAME);
	name.len = SCATTER_NAME;
	builder_init(&builder, TABLE_ENDPOINTS);
	upstream.name = builder_text(&builder, buf_span(&name));
	builder_add(&builder, ENDPOINTS_UPSTREAMS, &upstream);
	builder_finish(&builder, &stamp, out);
	builder_fini(&builder);
	buf_fini(&name);
}

/* Shards from the first on change. */
static void publish_from(struct world *world, uint64_t generation, uint32_t first, char letter)
{
	struct buf bundle = {0};

	for (uint32_t shard = first; shard < SCATTER_SHARDS; shard++)
		add_large_shard(&bundle, generation, shard, letter);
	assert_int_equal(publisher_offer(world->publisher, TABLE_ENDPOINTS, buf_span(&bundle), 0),
			 PUBLISH_NEW);
	publisher_send(world->publisher);
	buf_fini(&bundle);
}

static char letter_of(const struct shards *shards, uint32_t shard)
{
	const struct endpoints *endpoints = &shards->at[shard]->endpoints;

	return endpoints_text(endpoints, endpoints->upstreams[0].name).ptr[0];
}

/* Applies what the worker was sent, and says so. */
static void obey(struct world *world, uint32_t worker, struct shards *shards)
{
	struct received received = fake_worker_receive(&world->workers[worker]);
	struct span bundle;
	struct error err = {0};

	assert_true(received.has_message);
	assert_int_equal(seal_map(received.fd, &bundle, &err), 0);
	close(received.fd);
	assert_int_equal(shards_apply(shards, bundle, seal_unmap, &err), 0);
	ack(world, worker, TABLE_ENDPOINTS, received.message.generation);
}

static void assert_holds_little(const struct shards *shards)
{
	assert_in_range(shards->held, shards->bytes, 2 * shards->bytes + (1 << 20));
	for (uint32_t shard = 0; shard < SCATTER_SHARDS; shard++)
		assert_int_equal(letter_of(shards, shard), 'a' + shard);
}

static void what_is_left_of_old_bundles_holds_no_more_than_the_table_twice(void **state)
{
	struct world *world = *state;
	struct shards quick;
	struct shards slow;

	shards_init(&quick, TABLE_ENDPOINTS);
	shards_init(&slow, TABLE_ENDPOINTS);
	/* each bundle leaves one shard of the one before it */
	for (uint32_t first = 0; first < SCATTER_SHARDS; first++) {
		publish_from(world, first + 1, first, (char)('a' + first));
		obey(world, 0, &quick);
	}
	/* the first, and then all that is newer */
	obey(world, 1, &slow);
	obey(world, 1, &slow);

	assert_holds_little(publisher_table(world->publisher, TABLE_ENDPOINTS));
	assert_holds_little(&quick);
	assert_holds_little(&slow);
	shards_fini(&quick);
	shards_fini(&slow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(every_worker_gets_endpoints_before_routes),
		TEST(what_did_not_change_is_not_sent_again),
		TEST(a_segment_that_says_the_same_is_not_published),
		TEST(a_segment_that_does_not_verify_leaves_the_present_one),
		TEST(an_empty_segment_is_refused),
		TEST(the_worker_that_comes_later_gets_what_is_present),
		TEST(a_change_is_obeyed_when_the_last_worker_obeys),
		TEST(propagation_is_measured_at_the_last_acknowledgement),
		TEST(a_segment_from_disk_is_not_measured),
		TEST(a_refusal_is_counted_and_the_old_table_stays_in_effect),
		TEST(a_worker_that_ended_obeys_nothing),
		TEST(an_acknowledgement_of_the_future_is_a_lie),
		TEST(an_acknowledgement_of_what_this_channel_never_sent_is_a_lie),
		TEST(an_acknowledgement_of_a_kind_that_was_never_sent_is_a_lie),
		TEST(a_table_that_does_not_exist_is_a_lie),
		TEST(a_code_that_does_not_exist_is_a_lie),
		TEST(only_acknowledgements_come_from_workers),
		TEST(a_worker_cannot_go_back),
		TEST(a_worker_that_talks_all_the_time_loses_its_channel),
		TEST(a_worker_that_leaves_its_channel_and_goes_on_is_to_be_ended),
		TEST(a_worker_that_ends_is_not_ended_once_more),
		TEST(a_slow_worker_gets_one_of_each_kind_and_then_the_newest),
		TEST(routes_wait_for_the_endpoints_that_they_name),
		TEST(what_was_refused_is_not_sent_again),
		TEST(a_refusal_said_twice_counts_once),
		TEST(a_worker_may_say_what_it_has_to),
		TEST(descriptors_from_a_worker_are_closed),
		TEST(a_worker_that_does_not_exist_is_refused),
		TEST(old_segments_are_given_back),
		TEST(what_is_left_of_old_bundles_holds_no_more_than_the_table_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
