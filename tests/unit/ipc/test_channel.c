/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A channel whose other end, `peer`, is a plain socket in the hand of the test. */
struct world {
	struct loop *loop;
	struct channel channel;
	int peer;
	struct timer guard;
	uint32_t messages;
	uint32_t expected; /* stops the loop at that many messages */
	struct message last;
	uint64_t numbers_in_order;
	int fd;
	uint32_t closed;
	bool stop_on_message;
};

enum { GUARD_MS = 5000 };

static void on_message(struct channel *channel, const struct message *message, int fd)
{
	struct world *world = channel->owner;

	if (message->number == world->messages)
		world->numbers_in_order++;
	world->last = *message;
	if (world->fd != -1)
		close(world->fd);
	world->fd = fd;
	if (++world->messages == world->expected)
		loop_stop(world->loop);
	if (world->stop_on_message) {
		channel_stop(channel);
		loop_stop(world->loop);
	}
}

static void on_closed(struct channel *channel)
{
	struct world *world = channel->owner;

	world->closed++;
	loop_stop(world->loop);
}

static void on_guard(struct timer *timer)
{
	loop_stop(container_of(timer, struct world, guard)->loop);
}

static int given_channel(void **state)
{
	static struct world world;
	struct error err;
	int ends[2];

	world = (struct world){.fd = -1};
	world.loop = loop_new(&err);
	assert_int_equal(channel_pair(ends, &err), 0);
	world.peer = ends[1];
	world.channel.owner = &world;
	world.channel.on_message = on_message;
	world.channel.on_closed = on_closed;
	assert_int_equal(channel_start(&world.channel, world.loop, ends[0], &err), 0);
	timer_init(&world.guard, on_guard);
	*state = &world;
	return 0;
}

static int end_channel(void **state)
{
	struct world *world = *state;

	channel_stop(&world->channel);
	timer_stop(loop_timers(world->loop), &world->guard);
	loop_free(world->loop);
	if (world->peer != -1)
		close(world->peer);
	if (world->fd != -1)
		close(world->fd);
	return 0;
}

/* Runs the loop until that many messages came, or the channel closed, or it takes too long. */
static void await_messages(struct world *world, uint32_t count)
{
	world->expected = count;
	timer_start(loop_timers(world->loop), &world->guard, GUARD_MS);
	loop_run(world->loop);
	assert_true(timer_is_running(&world->guard));
}

static void await_close(struct world *world)
{
	await_messages(world, UINT32_MAX);
	assert_int_equal(world->closed, 1);
	assert_false(channel_is_open(&world->channel));
}

static int count_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

/* Sends a packet with that many copies of a descriptor. */
static void send_with_descriptors(int socket, const void *bytes, size_t size, int fd, int count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
	} ancillary = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &ancillary,
				.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};

	ancillary.header.cmsg_level = SOL_SOCKET;
	ancillary.header.cmsg_type = SCM_RIGHTS;
	ancillary.header.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(&ancillary.header) + sizeof(int) * (size_t)i, &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, &header, 0), (ssize_t)size);
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK,
			       .worker = 3,
			       .table = 1,
			       .code = ACK_REFUSED,
			       .generation = 1ULL << 40,
			       .number = 7,
			       .time_ns = UINT64_MAX,
			       .text = "offset 12"};

	assert_int_equal(send(world->peer, &sent, sizeof(sent), 0), sizeof(sent));
	await_messages(world, 1);

	assert_memory_equal(&world->last, &sent, sizeof(sent));
	assert_int_equal(world->fd, -1);
}

static void what_is_sent_arrives_at_the_other_end(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_STOP, .number = 240000};
	struct message received;

	channel_send(&world->channel, &sent, -1);

	assert_int_equal(recv(world->peer, &received, sizeof(received), 0), sizeof(received));
	assert_memory_equal(&received, &sent, sizeof(sent));
}

static void a_descriptor_comes_along_and_is_close_on_exec(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_SEGMENT};
	int fds[2];
	char byte = 'x';

	assert_int_equal(pipe(fds), 0);
	send_with_descriptors(world->peer, &sent, sizeof(sent), fds[1], 1);
	close(fds[1]);
	await_messages(world, 1);

	assert_int_not_equal(world->fd, -1);
	assert_int_equal(fcntl(world->fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(world->fd, &byte, 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
}

static void a_second_descriptor_closes_the_channel_and_leaks_nothing(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_SEGMENT};

	for (int count = 2; count <= 3; count++) {
		int before;

		if (count == 3) {
			end_channel(state);
			given_channel(state);
		}
		before = count_open();
		send_with_descriptors(world->peer, &sent, sizeof(sent), STDERR_FILENO, count);
		await_close(world);

		assert_int_equal(world->messages, 0);
		/* one less: the channel's own */
		assert_int_equal(count_open(), before - 1);
	}
}

static void a_packet_of_another_size_closes_the_channel(void **state)
{
	static const size_t sizes[] = {1, sizeof(struct message) - 1, sizeof(struct message) + 1,
				       4096};
	struct world *world = *state;
	char bytes[4096] = {0};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(send(world->peer, bytes, sizes[i], 0), (ssize_t)sizes[i]);
		await_close(world);

		assert_int_equal(world->messages, 0);
		end_channel(state);
		given_channel(state);
	}
}

static void a_bad_packet_with_a_descriptor_leaks_nothing(void **state)
{
	struct world *world = *state;
	char bytes[7] = {0};
	int before = count_open();

	send_with_descriptors(world->peer, bytes, sizeof(bytes), STDERR_FILENO, 1);
	await_close(world);

	assert_int_equal(count_open(), before - 1);
}

static void an_unknown_kind_closes_the_channel(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_KIND_COUNT};

	send(world->peer, &sent, sizeof(sent), 0);
	await_close(world);

	assert_int_equal(world->messages, 0);
}

static void a_text_without_an_end_closes_the_channel(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK};

	memset(sent.text, 'a', sizeof(sent.text));
	send(world->peer, &sent, sizeof(sent), 0);
	await_close(world);

	assert_int_equal(world->messages, 0);
}

static void messages_before_the_end_are_delivered(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK};

	for (sent.number = 0; sent.number < 3; sent.number++)
		send(world->peer, &sent, sizeof(sent), 0);
	close(world->peer);
	world->peer = -1;
	await_close(world);

	assert_int_equal(world->messages, 3);
}

static void messages_before_the_end_are_delivered_though_a_send_found_nobody(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK};

	send(world->peer, &sent, sizeof(sent), 0);
	close(world->peer);
	world->peer = -1;
	channel_send(&world->channel, &sent, -1);
	await_close(world);

	assert_int_equal(world->messages, 1);
}

static void more_messages_than_are_read_at_once_all_arrive_in_order(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK};
	uint32_t count = 0;

	while (send(world->peer, &sent, sizeof(sent), 0) != -1)
		sent.number = ++count;
	assert_true(count > 64);
	await_messages(world, count);

	assert_int_equal(world->messages, count);
	assert_int_equal(world->numbers_in_order, count);
}

/* Sends until messages wait; returns how many were sent in all. */
static uint32_t fill(struct world *world, uint32_t waiting, int fd)
{
	struct message sent = {.kind = MESSAGE_SEGMENT};
	uint32_t count = 0;

	while (world->channel.waiting_count < waiting) {
		sent.number = count++;
		channel_send(&world->channel, &sent, fd);
	}
	return count;
}

static void on_drain(struct timer *timer)
{
	struct world *world = container_of(timer, struct world, guard);
	struct message received;

	while (recv(world->peer, &received, sizeof(received), 0) == (ssize_t)sizeof(received)) {
		if (received.number == world->messages)
			world->numbers_in_order++;
		world->messages++;
	}
	if (world->messages == world->expected)
		loop_stop(world->loop);
	else
		timer_start(loop_timers(world->loop), timer, 1);
}

static void messages_that_had_to_wait_go_out_in_order(void **state)
{
	struct world *world = *state;

	world->expected = fill(world, 40, -1);
	timer_init(&world->guard, on_drain);
	timer_start(loop_timers(world->loop), &world->guard, 1);
	loop_run(world->loop);

	assert_int_equal(world->numbers_in_order, world->expected);
	assert_int_equal(world->channel.waiting_count, 0);
}

static void no_message_overtakes_those_that_wait(void **state)
{
	struct world *world = *state;
	struct message last = {.kind = MESSAGE_SEGMENT, .number = fill(world, 1, -1)};

	on_drain(&world->guard);
	timer_stop(loop_timers(world->loop), &world->guard);
	assert_true(world->messages > 0);
	channel_send(&world->channel, &last, -1);
	world->expected = (uint32_t)last.number + 1;
	timer_init(&world->guard, on_drain);
	timer_start(loop_timers(world->loop), &world->guard, 1);
	loop_run(world->loop);

	assert_int_equal(world->numbers_in_order, world->expected);
}

static void a_descriptor_that_had_to_wait_is_a_copy(void **state)
{
	struct world *world = *state;
	int fds[2];
	int before;

	assert_int_equal(pipe(fds), 0);
	world->expected = fill(world, 1, fds[1]);
	close(fds[1]);
	before = count_open();
	timer_init(&world->guard, on_drain);
	timer_start(loop_timers(world->loop), &world->guard, 1);
	loop_run(world->loop);

	assert_int_equal(world->messages, world->expected);
	/* the copy that waited; what arrived at the test's end was dropped with its packet */
	assert_int_equal(count_open(), before - 1);
	close(fds[0]);
}

static void an_end_that_takes_nothing_is_closed_at_the_end_of_the_turn(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_SEGMENT};
	int before = count_open();

	fill(world, CHANNEL_WAITING_MAX, STDERR_FILENO);
	channel_send(&world->channel, &sent, -1);

	assert_true(channel_is_open(&world->channel));
	assert_int_equal(world->closed, 0);
	await_close(world);
	assert_int_equal(count_open(), before - 1);
}

static void a_channel_may_be_stopped_by_its_message(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK};

	send(world->peer, &sent, sizeof(sent), 0);
	send(world->peer, &sent, sizeof(sent), 0);
	world->stop_on_message = true;
	await_messages(world, UINT32_MAX);

	assert_int_equal(world->messages, 1);
	assert_int_equal(world->closed, 0);
	assert_false(channel_is_open(&world->channel));
}

static void a_closed_channel_takes_messages_and_stops_without_harm(void **state)
{
	struct world *world = *state;
	struct message sent = {.kind = MESSAGE_ACK};
	struct channel never = {0};

	channel_stop(&world->channel);
	channel_stop(&world->channel);
	channel_send(&world->channel, &sent, -1);
	channel_stop(&never);
	channel_send(&never, &sent, -1);

	assert_false(channel_is_open(&never));
	assert_int_equal(recv(world->peer, &sent, sizeof(sent), 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_channel, end_channel)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_as_it_was_sent),
		TEST(what_is_sent_arrives_at_the_other_end),
		TEST(a_descriptor_comes_along_and_is_close_on_exec),
		TEST(a_second_descriptor_closes_the_channel_and_leaks_nothing),
		TEST(a_packet_of_another_size_closes_the_channel),
		TEST(a_bad_packet_with_a_descriptor_leaks_nothing),
		TEST(an_unknown_kind_closes_the_channel),
		TEST(a_text_without_an_end_closes_the_channel),
		TEST(messages_before_the_end_are_delivered),
		TEST(messages_before_the_end_are_delivered_though_a_send_found_nobody),
		TEST(more_messages_than_are_read_at_once_all_arrive_in_order),
		TEST(messages_that_had_to_wait_go_out_in_order),
		TEST(no_message_overtakes_those_that_wait),
		TEST(a_descriptor_that_had_to_wait_is_a_copy),
		TEST(an_end_that_takes_nothing_is_closed_at_the_end_of_the_turn),
		TEST(a_channel_may_be_stopped_by_its_message),
		TEST(a_closed_channel_takes_messages_and_stops_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
