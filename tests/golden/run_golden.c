/* SPDX-License-Identifier: Apache-2.0 */
/* Golden pairs: NAME.in.yaml is read as `ingot check` would, modelled and compiled; the diagnostics and both
 * segments as text are compared with NAME.out.txt. With UPDATE_GOLDEN=1 in the environment that file is written
 * instead, and a reviewer reads the difference.
 *
 * Comment lines at the start of the input set options: "# golden: watch-without-class".
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "compile/compile.h"
#include "kube/source_dir.h"
#include "table/dump.h"

enum { INPUT_MAX = 1 << 20 };

/* 2026-11-24: by which certificates are judged */
#define NOW_S INT64_C(1795478400)

struct golden {
	struct store store;
	struct diagnostics diagnostics;
	struct model_options options;
	struct buf input;
	struct buf output;
	bool shows_settings; /* settings and policies too: most pairs are about other things */
};

static void on_upsert(void *owner, struct object *object)
{
	store_upsert(&((struct golden *)owner)->store, object);
}

static void on_delete(void *owner, enum object_kind kind, struct span namespace, struct span name)
{
	store_delete(&((struct golden *)owner)->store, kind, namespace, name);
}

static void on_listed(void *owner)
{
	(void)owner;
}

static void on_settled(void *owner, const struct diagnostics *diagnostics)
{
	diagnostics_append(&((struct golden *)owner)->diagnostics, diagnostics);
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(2);
}

static void set_option(struct golden *golden, struct span line)
{
	struct model_options *options = &golden->options;
	struct span name = span_trim(span_cut(&line, '='));
	struct span value = span_trim(line);

	if (span_equals(name, S("watch-without-class")))
		options->watch_without_class = true;
	else if (span_equals(name, S("class-by-name")))
		options->ingress_class_by_name = true;
	else if (span_equals(name, S("disable-catch-all")))
		options->disable_catch_all = true;
	else if (span_equals(name, S("no-external-name")))
		options->allow_external_name = false;
	else if (span_equals(name, S("free-destinations")))
		options->tenant_destinations_free = true;
	else if (span_equals(name, S("ssl-passthrough")))
		options->ssl_passthrough = true;
	else if (span_equals(name, S("show-settings")))
		golden->shows_settings = true;
	else if (span_equals(name, S("default-backend")))
		options->default_backend = value;
	else if (span_equals(name, S("watch-namespace")))
		options->watch_namespace = value;
	else if (span_equals(name, S("ingress-class")))
		options->ingress_class = value;
	else if (span_equals(name, S("controller-class")))
		options->controller_class = value;
	else
		die("unknown option", "see run_golden.c");
}

static void read_options(struct golden *golden)
{
	struct span rest = buf_span(&golden->input);

	golden->options = (struct model_options){
		.ingress_class = S("nginx"),
		.controller_class = S("k8s.io/ingress-nginx"),
		.config_map = S("ingress/settings"),
		.allow_external_name = true,
	};
	while (rest.len > 0 && rest.ptr[0] == '#') {
		struct span line = span_cut(&rest, '\n');

		if (span_starts_with(line, S("# golden: ")))
			set_option(golden, span_skip(line, 10));
	}
}

static void print_diagnostics(struct golden *golden)
{
	for (const struct diagnostic *at = golden->diagnostics.first; at != NULL; at = at->next) {
		diagnostic_write(at, &golden->output);
		buf_add_byte(&golden->output, '\n');
	}
	buf_printf(&golden->output, "%u errors, %u warnings, %u notes\n",
		   golden->diagnostics.counts[DIAGNOSTIC_LEVEL_ERROR],
		   golden->diagnostics.counts[DIAGNOSTIC_LEVEL_WARNING],
		   golden->diagnostics.counts[DIAGNOSTIC_LEVEL_NOTE]);
}

/* Where the part that begins with this line ends; empty: it is to be shown. */
static struct span end_of_settings(struct span line)
{
	if (span_equals(line, S("  \"settings\": {")))
		return S("  },");
	if (span_equals(line, S("  \"policies\": [")))
		return S("  ]");
	if (span_starts_with(line, S("  \"trusted\": ")))
		return line;
	return (struct span){NULL, 0};
}

/* The dump of the routes without settings, trusted networks and policies. */
static void print_without_settings(struct golden *golden, struct span dump)
{
	struct span end = {NULL, 0};

	while (dump.len > 0) {
		struct span line = span_cut(&dump, '\n');

		if (end.len == 0)
			end = end_of_settings(line);
		if (end.len == 0) {
			buf_add(&golden->output, line);
			buf_add_byte(&golden->output, '\n');
		} else if (span_equals(line, end)) {
			end = (struct span){NULL, 0};
		}
	}
}

static void print_routes(struct golden *golden, const struct shards *routes)
{
	struct buf dump = {0};

	dump_routes(routes, DUMP_CONTENT, &dump);
	if (golden->shows_settings)
		buf_add(&golden->output, buf_span(&dump));
	else
		print_without_settings(golden, buf_span(&dump));
	buf_fini(&dump);
}

static void print_segments(struct golden *golden, const struct buf *routes,
			   const struct buf *endpoints)
{
	struct shards verified_routes;
	struct shards verified_endpoints;
	struct error err;

	shards_init(&verified_routes, TABLE_ROUTES);
	shards_init(&verified_endpoints, TABLE_ENDPOINTS);
	if (shards_apply(&verified_routes, buf_span(routes), NULL, &err) == -1 ||
	    shards_apply(&verified_endpoints, buf_span(endpoints), NULL, &err) == -1)
		die("a compiled segment does not verify", err.text);
	buf_add(&golden->output, S("--- routes\n"));
	print_routes(golden, &verified_routes);
	buf_add(&golden->output, S("--- endpoints\n"));
	dump_endpoints(&verified_endpoints, DUMP_CONTENT, &golden->output);
	shards_fini(&verified_routes);
	shards_fini(&verified_endpoints);
}

static void on_new(void *owner, const struct diagnostics *list)
{
	struct golden *golden = owner;

	diagnostics_append(&golden->diagnostics, list);
}

static void on_gone(void *owner, const struct diagnostics *list)
{
	(void)owner;
	(void)list;
	die("something is gone that was compiled once", "");
}

static void compile(struct golden *golden)
{
	const struct diagnostic_sink sink = {golden, on_new, on_gone};
	struct model *model = model_build(&golden->store, &golden->options, NOW_S,
					  &golden->diagnostics);
	struct compiler *compiler = compiler_new(&sink);
	struct buf routes = {0};
	struct buf endpoints = {0};

	compiler_note(compiler, model, NULL, 1);
	compile_routes(compiler, model, &golden->options, 1, 0, &routes);
	compile_endpoints(compiler, &golden->store, &golden->options, 1, 0, &endpoints);
	print_diagnostics(golden);
	print_segments(golden, &routes, &endpoints);
	buf_fini(&routes);
	buf_fini(&endpoints);
	compiler_free(compiler);
	model_free(model);
}

static void make_output(struct golden *golden, const char *name)
{
	const struct source_sink sink = {golden, on_upsert, on_delete, on_listed, on_settled};
	char path[256];
	const char *paths[] = {path};
	struct error err;

	snprintf(path, sizeof(path), "%s.in.yaml", name);
	if (file_read(path, INPUT_MAX, &golden->input, &err) == -1)
		die(path, err.text);
	store_init(&golden->store);
	diagnostics_init(&golden->diagnostics);
	read_options(golden);
	source_dir_read_once(paths, 1, &sink);
	compile(golden);
}

static int compare(struct golden *golden, const char *name)
{
	struct buf expected = {0};
	char path[256];
	struct error err;
	int result = 0;

	snprintf(path, sizeof(path), "%s.out.txt", name);
	if (getenv("UPDATE_GOLDEN") != NULL) {
		if (file_replace(path, buf_span(&golden->output), 0644, &err) == -1)
			die(path, err.text);
		return 0;
	}
	if (file_read(path, INPUT_MAX, &expected, &err) == -1)
		die(path, err.text);
	if (!span_equals(buf_span(&expected), buf_span(&golden->output))) {
		printf("--- %s is, %s should be what is in %s:\n%s", name, name, path,
		       buf_text(&golden->output));
		result = 1;
	}
	buf_fini(&expected);
	return result;
}

/* Arguments: the directory, and the name of the pair. */
int main(int argc, char **argv)
{
	struct golden golden = {0};
	int result;

	if (argc != 3 || chdir(argv[1]) == -1)
		die("usage", "run_golden DIRECTORY NAME");
	make_output(&golden, argv[2]);
	result = compare(&golden, argv[2]);
	diagnostics_fini(&golden.diagnostics);
	store_fini(&golden.store);
	buf_fini(&golden.input);
	buf_fini(&golden.output);
	return result;
}
