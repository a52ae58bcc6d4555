/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_flags.h"

#include <string.h>

enum group { SOURCE, CLASS, LISTEN, PROCESSES, LOGS, OTHER, LATER, GROUP_COUNT };

static const char *const group_titles[GROUP_COUNT] = {
	[SOURCE] = "what is served",
	[CLASS] = "which Ingresses",
	[LISTEN] = "where it listens",
	[PROCESSES] = "processes",
	[LOGS] = "logs and metrics",
	[OTHER] = "other",
	[LATER] = "taken so that manifests of ingress-nginx start, without effect yet",
};

static const struct flag flags_of_run[RUN_FLAG_COUNT] = {
#define FLAG(id, name, letter, type, fallback, argument, group, help) \
	{name, letter, FLAG_##type, fallback, argument, help, group},
#define LATER(id, name, type) {name, 0, FLAG_##type, "", "VALUE", NULL, LATER},
#include "cli/run_flag.def"
#undef FLAG
#undef LATER
};

/* klog's -v from which on details are told. */
enum { V_DEBUG = 3 };

static bool is_every(const struct ip *ip)
{
	static const struct ip every_v6 = {{0}};
	static const struct ip every_v4 = {{[10] = 0xff, [11] = 0xff}};

	return ip_equals(ip, &every_v6) || ip_equals(ip, &every_v4);
}

/* Whether traffic and the admin endpoint would listen at the same place. */
static bool is_port_shared(const struct run_flags *flags)
{
	const struct flag_value *bound = &flags->values[RUN_BIND_ADDRESS];
	struct ip_port admin = run_flags_admin_address(flags);
	bool shared = bound->part_count == 0 || is_every(&admin.ip);

	if (admin.port != run_flags_number(flags, RUN_HTTP_PORT) &&
	    admin.port != run_flags_number(flags, RUN_HTTPS_PORT))
		return false;
	for (uint32_t i = 0; i < bound->part_count; i++) {
		struct ip ip = {{0}};

		/* checked when the flag was read */
		(void)ip_parse(bound->parts[i], &ip);
		shared |= is_every(&ip) || ip_equals(&ip, &admin.ip);
	}
	return shared;
}

static int check_together(const char *command, const struct run_flags *flags, struct error *err)
{
	const char *healthz_host = run_flags_text(flags, RUN_HEALTHZ_HOST);
	struct ip ip;

	if (healthz_host[0] != '\0' && !ip_parse(span_from(healthz_host), &ip))
		return error_set(err,
				 "--healthz-host: \"%s\" is not an IP address; write for example "
				 "127.0.0.1 (%s --help)",
				 healthz_host, command);
	if (run_flags_number(flags, RUN_HTTP_PORT) == run_flags_number(flags, RUN_HTTPS_PORT))
		return error_set(err,
				 "--http-port and --https-port are both %u; give another one with "
				 "either (%s --help)",
				 (unsigned)run_flags_number(flags, RUN_HTTP_PORT), command);
	if (is_port_shared(flags))
		return error_set(
			err,
			"traffic and the admin address have the same port %u; give another "
			"one with --admin-address, --http-port or --https-port (%s --help)",
			(unsigned)run_flags_admin_address(flags).port, command);
	if (run_flags_text(flags, RUN_STATE_KEY_FILE)[0] != '\0' &&
	    run_flags_text(flags, RUN_STATE_DIR)[0] == '\0')
		return error_set(err,
				 "--state-key-file is for what is kept in the state directory: "
				 "--state-dir DIR is missing (%s --help)",
				 command);
	if (run_flags_text(flags, RUN_MANIFESTS)[0] == '\0')
		return error_set(
			err,
			"nothing to serve: --manifests DIR is missing, and the Kubernetes API "
			"is not read yet (%s --help)",
			command);
	return 0;
}

enum flags_result run_flags_parse(const char *command, int argc, char **argv,
				  struct run_flags *flags, struct error *err)
{
	struct flag_set set = {.command = command, .flags = flags_of_run, .count = RUN_FLAG_COUNT};
	enum flags_result result = flags_parse(&set, argc, argv, flags->values, NULL, err);

	if (result != FLAGS_DONE || run_flags_has(flags, RUN_VERSION))
		return result;
	return check_together(command, flags, err) == -1 ? FLAGS_BAD : FLAGS_DONE;
}

bool run_flags_has(const struct run_flags *flags, enum run_flag flag)
{
	return flags->values[flag].number != 0;
}

uint64_t run_flags_number(const struct run_flags *flags, enum run_flag flag)
{
	return flags->values[flag].number;
}

const char *run_flags_text(const struct run_flags *flags, enum run_flag flag)
{
	return flags->values[flag].text;
}

enum log_level run_flags_log_level(const struct run_flags *flags)
{
	if (!flags->values[RUN_LOG_LEVEL].given && run_flags_number(flags, RUN_V) >= V_DEBUG)
		return LOG_LEVEL_DEBUG;
	/* the words of the flag are in the order of the enum */
	return (enum log_level)run_flags_number(flags, RUN_LOG_LEVEL);
}

struct ip_port run_flags_admin_address(const struct run_flags *flags)
{
	struct ip_port at = {.port = (uint16_t)run_flags_number(flags, RUN_HEALTHZ_PORT)};

	if (flags->values[RUN_ADMIN_ADDRESS].given)
		return flags->values[RUN_ADMIN_ADDRESS].at;
	/* checked in run_flags_parse; empty: every address */
	(void)ip_parse(span_from(run_flags_text(flags, RUN_HEALTHZ_HOST)), &at.ip);
	return at;
}

void run_flags_log_later(const struct run_flags *flags)
{
	char names[1024];
	size_t used = 0;

	for (unsigned i = 0; i < RUN_FLAG_COUNT; i++) {
		const char *name = flags_of_run[i].name;

		if (flags_of_run[i].group != LATER || !flags->values[i].given ||
		    used + strlen(name) + 4 > sizeof(names))
			continue;
		used += (size_t)sprintf(names + used, "%s--%s", used == 0 ? "" : " ", name);
	}
	if (used > 0)
		log_info("accepted without effect yet", "flags=\"%s\"", names);
}

void run_flags_print(FILE *to)
{
	struct flag_set set = {.flags = flags_of_run, .count = RUN_FLAG_COUNT};

	for (int group = 0; group < GROUP_COUNT; group++) {
		fprintf(to, "\n%s:\n", group_titles[group]);
		if (group == LATER)
			flags_print_names(&set, group, to);
		else
			flags_print(&set, group, to);
		if (group == OTHER)
			fputs("  -h, --help                      this text\n", to);
	}
}
