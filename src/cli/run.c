/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot run`: flags to options of the parent. */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/program.h"
#include "cli/run_flags.h"
#include "run/listeners.h"
#include "run/run.h"
#include "run/spawn.h"
#include "stats/stats.h"

static const char help_head[] =
	"ingot run: serve the Ingresses of a directory of Kubernetes manifests\n"
	"\n"
	"usage: ingot run --manifests DIR [flags]\n"
	"\n"
	"examples:\n"
	"  ingot run --manifests examples/portal --http-port 8080\n"
	"  ingot run --manifests /srv/site --ingress-class nginx2 --bind-address 192.0.2.7\n"
	"  curl -H 'Host: portal.com' http://127.0.0.1:8080/\n"
	"  curl http://127.0.0.1:10254/readyz\n";

static const char help_tail[] =
	"\n"
	"signals:\n"
	"  SIGTERM, SIGINT                 finish requests in progress and end; a second one: at "
	"once\n"
	"  SIGHUP                          read all manifests again, open the access log again\n"
	"\n"
	"exit status: 0 stopped in order, 2 could not start, 130 or 143 ended at once by a second "
	"signal\n"
	"see also: ingot check, ingot table, ingot echo\n";

static int print_help(void)
{
	fputs(help_head, stdout);
	run_flags_print(stdout);
	fputs(help_tail, stdout);
	return EXIT_DONE;
}

static int could_not(const struct error *err)
{
	fprintf(stderr, "ingot run: %s\n", err->text);
	return EXIT_COULD_NOT;
}

/* --workers auto: a container often may use fewer CPUs than there are. */
static uint32_t worker_count(const struct run_flags *flags)
{
	uint32_t count = (uint32_t)run_flags_number(flags, RUN_WORKERS);
	cpu_set_t cpus;

	if (count == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		count = (uint32_t)CPU_COUNT(&cpus);
	if (count == 0)
		return 1;
	return count < STATS_WORKERS_MAX ? count : STATS_WORKERS_MAX;
}

/* All addresses with that port; how many. None for port 0. */
static uint32_t add_addresses(const struct run_flags *flags, uint16_t port, struct ip_port *at)
{
	const struct flag_value *value = &flags->values[RUN_BIND_ADDRESS];

	if (port == 0)
		return 0;
	if (value->part_count == 0)
		return listeners_everywhere(at, port);
	for (uint32_t i = 0; i < value->part_count; i++) {
		/* checked when the flag was read */
		(void)ip_parse(value->parts[i], &at[i].ip);
		at[i].port = port;
	}
	return value->part_count;
}

static int open_programs(struct run_options *options, struct error *err)
{
	options->proxy_program = program_open_self(err);
	if (options->proxy_program == -1)
		return -1;
	options->control_program = program_open_control(err);
	if (options->control_program == -1)
		return -1;
	options->stats_fd = stats_new(options->workers, err);
	return options->stats_fd == -1 ? -1 : 0;
}

static const char *level_word(enum log_level level)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};

	return words[level];
}

static int run_with(const struct run_flags *flags, char **control_flags)
{
	struct ip_port addresses[2 * FLAG_PARTS_MAX];
	uint16_t http_port = (uint16_t)run_flags_number(flags, RUN_HTTP_PORT);
	uint16_t https_port = (uint16_t)run_flags_number(flags, RUN_HTTPS_PORT);
	uint32_t plain = add_addresses(flags, http_port, addresses);
	struct run_options options = {
		.workers = worker_count(flags),
		.addresses = addresses,
		.address_count = plain + add_addresses(flags, https_port, addresses + plain),
		.plain_count = plain,
		.admin_address = run_flags_admin_address(flags),
		.access_log = run_flags_text(flags, RUN_ACCESS_LOG),
		.access_log_format = run_flags_text(flags, RUN_ACCESS_LOG_FORMAT),
		.log_level = level_word(run_flags_log_level(flags)),
		.shutdown_grace_ms = (uint32_t)run_flags_number(flags, RUN_SHUTDOWN_GRACE_PERIOD),
		.control_flags = control_flags,
	};
	struct error err;

	log_init("run", run_flags_log_level(flags));
	log_info("starting", "version=%s workers=%u pid=%d", INGOT_VERSION, options.workers,
		 (int)getpid());
	run_flags_log_later(flags);
	if (spawn_hold_standard(&err) == -1 || open_programs(&options, &err) == -1)
		return could_not(&err);
	return run_until_stopped(&options);
}

int cli_run(int argc, char **argv)
{
	struct run_flags flags;
	struct error err;

	switch (run_flags_parse("ingot run", argc, argv, &flags, &err)) {
	case FLAGS_HELP:
		return print_help();
	case FLAGS_BAD:
		return could_not(&err);
	case FLAGS_DONE:
		break;
	}
	if (run_flags_has(&flags, RUN_VERSION))
		return cli_version(1, argv);
	return run_with(&flags, argv + 1);
}
