/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot proxy`: how run starts a worker. Its flags name inherited descriptors; people do not type them. */
#include <stdio.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/flag.h"
#include "proxy/worker.h"
#include "run/sandbox.h"

enum proxy_flag {
	WORKER,
	CHANNEL_FD,
	STATS_FD,
	LISTENER_FD,
	TLS_LISTENER_FD,
	ACCESS_LOG_FD,
	ACCESS_LOG_FORMAT,
	MAX_CONNECTIONS,
	LOG_LEVEL,
	PROXY_FLAG_COUNT
};

static const struct flag proxy_flags[PROXY_FLAG_COUNT] = {
	[WORKER] = {"worker", 0, FLAG_NUMBER, "0", "N", "index of this worker", 0},
	[CHANNEL_FD] = {"channel-fd", 0, FLAG_NUMBER, "", "FD", "channel to run", 0},
	[STATS_FD] = {"stats-fd", 0, FLAG_NUMBER, "", "FD", "memory of the live figures", 0},
	[LISTENER_FD] = {"listener-fd", 0, FLAG_NUMBERS, "", "FD", "listening socket, repeatable",
			 0},
	[TLS_LISTENER_FD] = {"tls-listener-fd", 0, FLAG_NUMBERS, "", "FD",
			     "listening socket for TLS, repeatable", 0},
	[ACCESS_LOG_FD] = {"access-log-fd", 0, FLAG_NUMBER, "", "FD", "access log (default: none)",
			   0},
	[ACCESS_LOG_FORMAT] = {"access-log-format", 0, FLAG_WORD, "nginx", "nginx|json",
			       "form of its lines", 0},
	[MAX_CONNECTIONS] = {"max-connections", 0, FLAG_NUMBER, "1024", "N",
			     "client connections at one time", 0},
	[LOG_LEVEL] = {"log-level", 0, FLAG_WORD, "info", "error|warn|info|debug",
		       "what the program log tells", 0},
};

static const struct flag_set proxy_flag_set = {
	.command = "ingot proxy", .flags = proxy_flags, .count = PROXY_FLAG_COUNT};

static int print_help(void)
{
	fputs("ingot proxy: a process that carries traffic; started by ingot run, not by hand\n"
	      "\n"
	      "usage: ingot proxy --channel-fd FD --stats-fd FD --listener-fd FD [flags]\n"
	      "\n"
	      "flags:\n",
	      stdout);
	flags_print(&proxy_flag_set, 0, stdout);
	fputs("\nexit status: 0 stopped in order, 2 could not start\n"
	      "see also: ingot run\n",
	      stdout);
	return EXIT_DONE;
}

static int could_not(const struct error *err)
{
	fprintf(stderr, "ingot proxy: %s\n", err->text);
	return EXIT_COULD_NOT;
}

static uint32_t number(const struct flag_value *values, enum proxy_flag flag)
{
	return (uint32_t)values[flag].number;
}

static void add_listeners(struct worker_options *options, const struct flag_value *fds,
			  enum listener_kind kind)
{
	for (uint32_t i = 0; i < fds->part_count; i++)
		options->listeners[options->listener_count++] = (struct worker_listener){
			.fd = (int)fds->numbers[i], .kind = kind};
}

static void fill_options(struct worker_options *options, const struct flag_value *values)
{
	*options = (struct worker_options){
		.index = number(values, WORKER),
		.channel_fd = (int)number(values, CHANNEL_FD),
		.stats_fd = (int)number(values, STATS_FD),
		.access_log_fd = values[ACCESS_LOG_FD].given ? (int)number(values, ACCESS_LOG_FD)
							     : -1,
		/* the words of the flag are in the order of the enum */
		.access_log_format = (enum access_log_format)number(values, ACCESS_LOG_FORMAT),
		.connections_max = number(values, MAX_CONNECTIONS),
		.enter_fence = sandbox_enter_proxy,
	};
	add_listeners(options, &values[LISTENER_FD], LISTENER_PLAIN);
	add_listeners(options, &values[TLS_LISTENER_FD], LISTENER_TLS);
}

/* channel, live figures, listeners, perhaps the access log: run gives them numbers in a row. */
static uint32_t count_descriptors(const struct worker_options *options)
{
	return 2 + options->listener_count + (options->access_log_fd != -1 ? 1 : 0);
}

int cli_proxy(int argc, char **argv)
{
	static_assert(2 * (int)FLAG_PARTS_MAX <= (int)WORKER_LISTENERS_MAX,
		      "as many listeners as there can be");
	struct flag_value values[PROXY_FLAG_COUNT];
	struct worker_options options;
	struct error err;

	switch (flags_parse(&proxy_flag_set, argc, argv, values, NULL, &err)) {
	case FLAGS_HELP:
		return print_help();
	case FLAGS_BAD:
		return could_not(&err);
	case FLAGS_DONE:
		break;
	}
	fill_options(&options, values);
	if (sandbox_enter_role(count_descriptors(&options), &err) == -1)
		return could_not(&err);
	/* started from a descriptor, it would be called by a number */
	prctl(PR_SET_NAME, "ingot-proxy");
	log_init("proxy", (enum log_level)number(values, LOG_LEVEL));
	return worker_run(&options);
}
