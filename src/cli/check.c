/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot check`: what would be served, and every diagnostic, from files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/check_report.h"
#include "cli/cli.h"
#include "cli/flag.h"
#include "kube/source_dir.h"

enum check_flag {
	FILENAME,
	INGRESS_CLASS,
	CONTROLLER_CLASS,
	INGRESS_CLASS_BY_NAME,
	WATCH_WITHOUT_CLASS,
	WATCH_NAMESPACE,
	CONFIGMAP,
	DEFAULT_BACKEND,
	DISABLE_CATCH_ALL,
	DISABLE_EXTERNAL_NAME,
	SSL_PASSTHROUGH,
	STRICT,
	MIN_LEVEL,
	IGNORE,
	OUTPUT,
	CHECK_FLAG_COUNT
};

enum check_group { GROUP_INPUT, GROUP_OBJECTS, GROUP_OUTPUT };

enum check_output { OUTPUT_TEXT, OUTPUT_JSON };

/* clang-format off */
static const struct flag flags[CHECK_FLAG_COUNT] = {
	[FILENAME] = {"filename", 'f', FLAG_OPERAND, "", "FILE|DIR|-",
		"one more file or directory; - is standard input; repeatable", GROUP_INPUT},
	[INGRESS_CLASS] = {"ingress-class", 0, FLAG_TEXT, "nginx", "NAME",
		"class to check for", GROUP_OBJECTS},
	[CONTROLLER_CLASS] = {"controller-class", 0, FLAG_TEXT, "k8s.io/ingress-nginx", "VALUE",
		"spec.controller of the IngressClasses that are served", GROUP_OBJECTS},
	[INGRESS_CLASS_BY_NAME] = {"ingress-class-by-name", 0, FLAG_BOOL, "false", "",
		"serve the IngressClass with the name of --ingress-class, whatever its controller",
		GROUP_OBJECTS},
	[WATCH_WITHOUT_CLASS] = {"watch-ingress-without-class", 0, FLAG_BOOL, "false", "",
		"serve Ingresses that name no class", GROUP_OBJECTS},
	[WATCH_NAMESPACE] = {"watch-namespace", 0, FLAG_TEXT, "", "NAMESPACE",
		"only objects of this namespace (default: all)", GROUP_OBJECTS},
	[CONFIGMAP] = {"configmap", 0, FLAG_OBJECT, "", "NAMESPACE/NAME",
		"ConfigMap with the global settings", GROUP_OBJECTS},
	[DEFAULT_BACKEND] = {"default-backend-service", 0, FLAG_OBJECT, "", "NAMESPACE/NAME",
		"Service that answers where no rule matches", GROUP_OBJECTS},
	[DISABLE_CATCH_ALL] = {"disable-catch-all", 0, FLAG_BOOL, "false", "",
		"ignore Ingresses with a default backend and no rules", GROUP_OBJECTS},
	[DISABLE_EXTERNAL_NAME] = {"disable-svc-external-name", 0, FLAG_BOOL, "false", "",
		"ignore Services of type ExternalName", GROUP_OBJECTS},
	[SSL_PASSTHROUGH] = {"enable-ssl-passthrough", 0, FLAG_BOOL, "false", "",
		"pass TLS of hosts with the annotation ssl-passthrough on to their pods",
		GROUP_OBJECTS},
	[STRICT] = {"strict", 0, FLAG_BOOL, "false", "",
		"warnings too make the exit status 1", GROUP_OUTPUT},
	[MIN_LEVEL] = {"min-level", 0, FLAG_WORD, "note", "error|warning|note",
		"show nothing that is less grave; all is counted", GROUP_OUTPUT},
	[IGNORE] = {"ignore", 0, FLAG_TEXT, "", "CODE[,CODE]",
		"neither show nor count these, for example IGT1304", GROUP_OUTPUT},
	[OUTPUT] = {"output", 'o', FLAG_WORD, "text", "text|json",
		"form of the answer", GROUP_OUTPUT},
};
/* clang-format on */

static const struct flag_set flag_set = {
	.command = "ingot check",
	.operands = "FILE|DIR|-",
	.flags = flags,
	.count = CHECK_FLAG_COUNT,
};

static int print_help(void)
{
	fputs("ingot check: what would be served, and everything that is wrong, from files\n"
	      "\n"
	      "usage: ingot check FILE|DIR|-… [flags]\n"
	      "\n"
	      "examples:\n"
	      "  ingot check deploy/\n"
	      "  ingot check deploy/ -f more.yaml --strict\n"
	      "  kustomize build . | ingot check -\n"
	      "\n"
	      "input:\n",
	      stdout);
	flags_print(&flag_set, GROUP_INPUT, stdout);
	fputs("\nwhat is served (as of ingot run):\n", stdout);
	flags_print(&flag_set, GROUP_OBJECTS, stdout);
	fputs("\noutput:\n", stdout);
	flags_print(&flag_set, GROUP_OUTPUT, stdout);
	fputs("  -h, --help\n"
	      "\n"
	      "exit status: 0 no errors; 1 errors, with --strict warnings too; 2 wrong usage, or "
	      "a\n"
	      "file cannot be read\n"
	      "see also: ingot run, ingot table\n",
	      stdout);
	return EXIT_DONE;
}

static int could_not(const struct error *err)
{
	fprintf(stderr, "ingot check: %s\n", err->text);
	return EXIT_COULD_NOT;
}

struct check {
	struct store store;
	struct diagnostics of_objects;
	struct diagnostics of_endpoints;
};

static void on_upsert(void *owner, struct object *object)
{
	struct check *check = owner;

	store_upsert(&check->store, object);
}

static void on_delete(void *owner, enum object_kind kind, struct span namespace, struct span name)
{
	struct check *check = owner;

	store_delete(&check->store, kind, namespace, name);
}

static void on_listed(void *owner)
{
	(void)owner; /* what is read once is complete when it is settled */
}

static void on_settled(void *owner, const struct diagnostics *diagnostics)
{
	struct check *check = owner;

	diagnostics_append(&check->of_objects, diagnostics);
}

static struct model_options model_options_of(const struct flag_value *values)
{
	return (struct model_options){
		.ingress_class = span_from(values[INGRESS_CLASS].text),
		.controller_class = span_from(values[CONTROLLER_CLASS].text),
		.watch_namespace = span_from(values[WATCH_NAMESPACE].text),
		.config_map = span_from(values[CONFIGMAP].text),
		.default_backend = span_from(values[DEFAULT_BACKEND].text),
		.ingress_class_by_name = values[INGRESS_CLASS_BY_NAME].number != 0,
		.watch_without_class = values[WATCH_WITHOUT_CLASS].number != 0,
		.disable_catch_all = values[DISABLE_CATCH_ALL].number != 0,
		.allow_external_name = values[DISABLE_EXTERNAL_NAME].number == 0,
		.ssl_passthrough = values[SSL_PASSTHROUGH].number != 0,
		/* as `ingot run` takes a directory */
		.tenant_destinations_free = true,
	};
}

static int report(struct check *check, const struct model *model,
		  const struct model_options *model_options, const struct flag_value *values)
{
	struct check_report_options options = {
		.min_level = (enum diagnostic_level)values[MIN_LEVEL].number,
		.ignored = span_from(values[IGNORE].text),
	};
	struct check_report report;
	struct arena arena;
	struct buf out = {0};
	bool is_bad;
	size_t written;

	arena_init(&arena, NULL, 0, SIZE_MAX);
	check_report_make(&report, &check->store, model, model_options, &check->of_objects,
			  &check->of_endpoints, &options, &arena);
	if (values[OUTPUT].number == OUTPUT_JSON)
		check_report_write_json(&report, &out);
	else
		check_report_write_text(&report, &out);
	written = fwrite(out.ptr, 1, out.len, stdout);
	is_bad = report.counts[DIAGNOSTIC_LEVEL_ERROR] > 0 ||
		 (values[STRICT].number != 0 && report.counts[DIAGNOSTIC_LEVEL_WARNING] > 0);
	/* a reader that had enough (EPIPE) has its answer in the status all the same */
	(void)written;
	buf_fini(&out);
	arena_fini(&arena);
	return is_bad ? EXIT_ANSWER_BAD : EXIT_DONE;
}

static int check_paths(const char *const *paths, size_t count, const struct flag_value *values)
{
	struct model_options options = model_options_of(values);
	struct check check;
	struct source_sink sink = {
		.owner = &check,
		.on_upsert = on_upsert,
		.on_delete = on_delete,
		.on_listed = on_listed,
		.on_settled = on_settled,
	};
	struct model *model;
	int status;

	store_init(&check.store);
	diagnostics_init(&check.of_objects);
	diagnostics_init(&check.of_endpoints);
	source_dir_read_once(paths, count, &sink);
	model = model_build(&check.store, &options, (int64_t)(clock_wall_ns() / 1000000000),
			    &check.of_objects);
	status = report(&check, model, &options, values);
	model_free(model);
	store_fini(&check.store);
	diagnostics_fini(&check.of_objects);
	diagnostics_fini(&check.of_endpoints);
	return status;
}

/* What was named must be there; what lies within a directory is a matter of diagnostics. */
static int check_readable(const char *path, struct error *err)
{
	if (strcmp(path, "-") == 0)
		return 0;
	return access(path, R_OK) == -1 ? error_sys(err, "cannot read %s", path) : 0;
}

int cli_check(int argc, char **argv)
{
	struct flag_value values[CHECK_FLAG_COUNT];
	struct error err;
	int first;

	switch (flags_parse(&flag_set, argc, argv, values, &first, &err)) {
	case FLAGS_HELP:
		return print_help();
	case FLAGS_BAD:
		return could_not(&err);
	case FLAGS_DONE:
		break;
	}
	if (first == argc) {
		error_set(&err, "nothing to check: name files or directories, or - for standard "
				"input (ingot check --help)");
		return could_not(&err);
	}
	for (int i = first; i < argc; i++)
		if (check_readable(argv[i], &err) == -1)
			return could_not(&err);
	return check_paths((const char *const *)(argv + first), (size_t)(argc - first), values);
}
