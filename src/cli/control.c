/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot-control control`: how run starts the control role. Before "--" stand its descriptors, behind it the flags of
 * `ingot run` as the user gave them.
 */
#include <stdio.h>
#include <sys/prctl.h>

#include "cli/cli.h"
#include "cli/run_flags.h"
#include "control/control.h"
#include "run/sandbox.h"

enum control_flag { CHANNEL_FD, STATS_FD, WORKERS, CONTROL_FLAG_COUNT };

/* channel and live figures */
enum { DESCRIPTORS = 2 };

static const struct flag control_flags[CONTROL_FLAG_COUNT] = {
	[CHANNEL_FD] = {"channel-fd", 0, FLAG_NUMBER, "", "FD", "channel to run", 0},
	[STATS_FD] = {"stats-fd", 0, FLAG_NUMBER, "", "FD", "memory of the live figures", 0},
	[WORKERS] = {"workers", 0, FLAG_NUMBER, "1", "N", "how many workers there are", 0},
};

static const struct flag_set control_flag_set = {
	.command = "ingot-control control", .flags = control_flags, .count = CONTROL_FLAG_COUNT};

static int print_help(void)
{
	fputs("ingot-control control: the process that reads objects and publishes tables; started "
	      "by\n"
	      "ingot run, not by hand\n"
	      "\n"
	      "usage: ingot-control control --channel-fd FD --stats-fd FD --workers N -- FLAGS OF "
	      "RUN\n"
	      "\n"
	      "flags:\n",
	      stdout);
	flags_print(&control_flag_set, 0, stdout);
	fputs("\nexit status: 0 stopped in order, 2 could not start\n"
	      "see also: ingot run\n",
	      stdout);
	return EXIT_DONE;
}

static int could_not(const struct error *err)
{
	fprintf(stderr, "ingot-control control: %s\n", err->text);
	return EXIT_COULD_NOT;
}

static struct span text(const struct run_flags *flags, enum run_flag flag)
{
	return span_from(run_flags_text(flags, flag));
}

static void fill_model_options(struct model_options *model, const struct run_flags *flags)
{
	*model = (struct model_options){
		.ingress_class = text(flags, RUN_INGRESS_CLASS),
		.controller_class = text(flags, RUN_CONTROLLER_CLASS),
		.watch_namespace = text(flags, RUN_WATCH_NAMESPACE),
		.config_map = text(flags, RUN_CONFIGMAP),
		.default_backend = text(flags, RUN_DEFAULT_BACKEND_SERVICE),
		.default_certificate = text(flags, RUN_DEFAULT_SSL_CERTIFICATE),
		.ingress_class_by_name = run_flags_has(flags, RUN_INGRESS_CLASS_BY_NAME),
		.watch_without_class = run_flags_has(flags, RUN_WATCH_WITHOUT_CLASS),
		.ssl_passthrough = run_flags_has(flags, RUN_ENABLE_SSL_PASSTHROUGH),
		.disable_catch_all = run_flags_has(flags, RUN_DISABLE_CATCH_ALL),
		.allow_external_name = !run_flags_has(flags, RUN_DISABLE_EXTERNAL_NAME),
		/* a directory is trusted by who starts Ingot on it (security spec, M6) */
		.tenant_destinations_free = true,
	};
}

static void fill_options(struct control_options *options, const struct flag_value *values,
			 const struct run_flags *flags)
{
	const char *state_dir = run_flags_text(flags, RUN_STATE_DIR);
	const char *state_key_file = run_flags_text(flags, RUN_STATE_KEY_FILE);

	*options = (struct control_options){
		.manifests = run_flags_text(flags, RUN_MANIFESTS),
		.state_dir = state_dir[0] == '\0' ? NULL : state_dir,
		.state_key_file = state_key_file[0] == '\0' ? NULL : state_key_file,
		.admin_address = run_flags_admin_address(flags),
		.channel_fd = (int)values[CHANNEL_FD].number,
		.stats_fd = (int)values[STATS_FD].number,
		.workers = (uint32_t)values[WORKERS].number,
		.metrics_compat = run_flags_has(flags, RUN_ENABLE_METRICS),
		.report_status_classes = run_flags_has(flags, RUN_REPORT_STATUS_CLASSES),
	};
	fill_model_options(&options->model, flags);
}

static int control_with(const struct flag_value *values, const struct run_flags *flags)
{
	struct control_options options;
	struct error err;

	if (sandbox_enter_role(DESCRIPTORS, &err) == -1)
		return could_not(&err);
	/* started from a descriptor, it would be called by a number */
	prctl(PR_SET_NAME, "ingot-control");
	log_init("control", run_flags_log_level(flags));
	fill_options(&options, values, flags);
	return control_run(&options);
}

int cli_control(int argc, char **argv)
{
	struct flag_value values[CONTROL_FLAG_COUNT];
	struct run_flags flags;
	struct error err = {{0}};
	int rest;

	switch (flags_parse(&control_flag_set, argc, argv, values, &rest, &err)) {
	case FLAGS_HELP:
		return print_help();
	case FLAGS_BAD:
		return could_not(&err);
	case FLAGS_DONE:
		break;
	}
	/* the parser begins behind the first word, which is the "--" */
	if (run_flags_parse("ingot run", argc - rest + 1, argv + rest - 1, &flags, &err) !=
	    FLAGS_DONE)
		return could_not(&err);
	return control_with(values, &flags);
}
