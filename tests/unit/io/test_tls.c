/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given_tls.h"

static struct given_tls given;
static struct tls_context *server;
static struct tls_context *client;

static int begin(void **state)
{
	(void)state;
	given_tls_init(&given);
	server = given_shop_context();
	client = given_plain_client();
	return 0;
}

static int end(void **state)
{
	(void)state;
	given_tls_fini(&given);
	tls_context_drop(server);
	tls_context_drop(client);
	return 0;
}

static void what_one_side_writes_the_other_reads(void **state)
{
	(void)state;
	given_tls_open(&given, server, client);

	given_tls_say(&given, &given.client, "hello");
	given_tls_expect(&given, &given.server, "hello");
	given_tls_say(&given, &given.server, "good day");
	given_tls_expect(&given, &given.client, "good day");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_one_side_writes_the_other_reads),
	};

	tls_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
