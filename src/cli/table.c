/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot table`: segments as JSON, of a running instance, of its state directory, of a file, or as manifests
 * would make them.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/flag.h"
#include "cli/table_source.h"
#include "http/uri.h"
#include "table/dump.h"

enum table_flag { STATE_DIR, FILE_NAME, MANIFESTS, INGRESS_CLASS, KIND, TABLE_FLAG_COUNT };

enum kind_word { KIND_BOTH, KIND_ROUTES, KIND_ENDPOINTS };

/* clang-format off */
static const struct flag flags[TABLE_FLAG_COUNT] = {
	[STATE_DIR] = {"state-dir", 0, FLAG_TEXT, "", "DIR",
		"state directory: the present table of the instance that runs on it, or else the "
		"stored one", 0},
	[FILE_NAME] = {"file", 0, FLAG_TEXT, "", "SEGMENT", "one stored segment", 0},
	[MANIFESTS] = {"manifests", 0, FLAG_TEXT, "", "DIR",
		"the table that these manifests would make", 0},
	[INGRESS_CLASS] = {"ingress-class", 0, FLAG_TEXT, "nginx", "NAME",
		"class to make it for, with --manifests", 0},
	[KIND] = {"kind", 0, FLAG_WORD, "both", "both|routes|endpoints", "what to dump", 0},
};
/* clang-format on */

static const struct flag_set flag_set = {
	.command = "ingot table",
	.operands = "dump | lookup HOST PATH | lookup URL",
	.flags = flags,
	.count = TABLE_FLAG_COUNT,
};

static int print_help(void)
{
	fputs("ingot table: what the workers obey, as JSON\n"
	      "\n"
	      "usage: ingot table dump [flags]\n"
	      "       ingot table lookup HOST PATH [flags]\n"
	      "       ingot table lookup URL [flags]\n"
	      "\n"
	      "examples:\n"
	      "  ingot table dump --state-dir /var/lib/ingot\n"
	      "  ingot table dump --file /var/lib/ingot/routes.segment\n"
	      "  ingot table lookup shop.example /cart --manifests deploy/\n"
	      "  ingot table lookup http://shop.example/cart --state-dir /var/lib/ingot\n"
	      "\n"
	      "flags:\n",
	      stdout);
	flags_print(&flag_set, 0, stdout);
	fputs("  -h, --help\n"
	      "\n"
	      "exit status: 0 done; 1 no route matches; 2 wrong usage, or there is no table to "
	      "read\n"
	      "see also: ingot check, ingot run\n",
	      stdout);
	return EXIT_DONE;
}

static int could_not(const struct error *err)
{
	fprintf(stderr, "ingot table: %s\n", err->text);
	return EXIT_COULD_NOT;
}

static int print(struct buf *out)
{
	/* a reader that had enough is no error */
	(void)!fwrite(out->ptr, 1, out->len, stdout);
	buf_fini(out);
	return EXIT_DONE;
}

static int open_source(struct table_source *source, const struct flag_value *values,
		       struct error *err)
{
	int given = values[STATE_DIR].given + values[FILE_NAME].given + values[MANIFESTS].given;

	if (given != 1)
		return error_set(err,
				 "%s of --state-dir, --file and --manifests says where the table "
				 "is (ingot table --help)",
				 given == 0 ? "one" : "only one");
	if (values[STATE_DIR].given)
		return table_source_open_state(source, values[STATE_DIR].text, err);
	if (values[FILE_NAME].given)
		return table_source_open_file(source, values[FILE_NAME].text, err);
	return table_source_open_manifests(source, values[MANIFESTS].text,
					   values[INGRESS_CLASS].text, err);
}

/* One dump as a member of an object: a level deeper. No text in JSON holds a line end. */
static void add_member(const char *key, struct span json, struct buf *out)
{
	buf_printf(out, "  \"%s\": ", key);
	while (json.len > 0) {
		buf_add(out, span_cut(&json, '\n'));
		if (json.len > 0)
			buf_add(out, S("\n  "));
	}
}

static void dump_both(const struct table_source *source, struct buf *out)
{
	struct buf part = {0};

	buf_add(out, S("{\n"));
	if (table_source_has(source, TABLE_ROUTES)) {
		dump_routes(&source->tables[TABLE_ROUTES], DUMP_ALL, &part);
		add_member("routes", buf_span(&part), out);
	}
	if (table_source_has(source, TABLE_ROUTES) && table_source_has(source, TABLE_ENDPOINTS))
		buf_add(out, S(",\n"));
	if (table_source_has(source, TABLE_ENDPOINTS)) {
		buf_clear(&part);
		dump_endpoints(&source->tables[TABLE_ENDPOINTS], DUMP_ALL, &part);
		add_member("endpoints", buf_span(&part), out);
	}
	buf_add(out, S("\n}\n"));
	buf_fini(&part);
}

static int dump(const struct table_source *source, enum kind_word kind, struct error *err)
{
	struct buf out = {0};

	if (kind == KIND_ROUTES && !table_source_has(source, TABLE_ROUTES))
		return error_set(err, "there are no routes to show");
	if (kind == KIND_ENDPOINTS && !table_source_has(source, TABLE_ENDPOINTS))
		return error_set(err, "there are no endpoints to show");
	if (kind == KIND_BOTH)
		dump_both(source, &out);
	else if (kind == KIND_ROUTES)
		dump_routes(&source->tables[TABLE_ROUTES], DUMP_ALL, &out);
	else
		dump_endpoints(&source->tables[TABLE_ENDPOINTS], DUMP_ALL, &out);
	return print(&out);
}

/* "HOST PATH", or "URL" in one; http:// may be missing where a '/' follows the host. */
static int take_request(char **words, int count, struct span *host, struct span *path,
			struct error *err)
{
	struct span text = span_from(words[0]);

	if (count == 2) {
		*host = text;
		*path = span_from(words[1]);
		return 0;
	}
	if (span_starts_with(text, S("http://")))
		text = span_skip(text, sizeof("http://") - 1);
	else if (span_starts_with(text, S("https://")))
		text = span_skip(text, sizeof("https://") - 1);
	else if (span_find(text, '/') == SIZE_MAX)
		return error_set(err,
				 "\"%s\" is neither a URL nor HOST and PATH; write for example "
				 "http://shop.example/cart",
				 words[0]);
	*host = text;
	*path = S("/");
	if (span_find(text, '/') != SIZE_MAX) {
		*host = span_take(text, span_find(text, '/'));
		*path = span_skip(text, host->len);
	}
	return 0;
}

/* Other than the one that answers 404 where no Ingress has something to say. */
static bool is_route(const struct route *route)
{
	return route != NULL && route->answer != ROUTE_NOT_FOUND;
}

static int lookup(const struct table_source *source, char **words, int count, struct error *err)
{
	struct span host_text = {0};
	struct span path_text = {0};
	struct arena arena;
	struct host host;
	struct uri uri;
	struct buf out = {0};
	bool found = false;

	if (take_request(words, count, &host_text, &path_text, err) == -1)
		return -1;
	if (!table_source_has(source, TABLE_ROUTES))
		return error_set(err, "there are no routes to look up in");
	arena_init(&arena, NULL, 0, SIZE_MAX);
	if (!host_parse(host_text, &host))
		error_set(err, "\"%.*s\" is not a host name", (int)host_text.len, host_text.ptr);
	else if (uri_parse(path_text, METHOD_GET, &arena, &uri) != FAULT_NONE ||
		 uri.form != URI_ORIGIN)
		error_set(err, "\"%.*s\" is not a path; it begins with '/'", (int)path_text.len,
			  path_text.ptr);
	else {
		dump_lookup(&source->tables[TABLE_ROUTES],
			    table_source_has(source, TABLE_ENDPOINTS)
				    ? &source->tables[TABLE_ENDPOINTS]
				    : NULL,
			    host.name, uri.match_path, &out);
		found = is_route(
			routes_find(&source->tables[TABLE_ROUTES], host.name, uri.match_path)
				.route);
	}
	arena_fini(&arena);
	if (out.len == 0)
		return -1;
	print(&out);
	return found ? EXIT_DONE : EXIT_ANSWER_BAD;
}

static int run(char **words, int count, const struct flag_value *values, struct error *err)
{
	struct table_source source = {0};
	bool is_dump = strcmp(words[0], "dump") == 0;
	int status;

	if (!is_dump && strcmp(words[0], "lookup") != 0)
		return error_set(err, "\"%s\" is neither dump nor lookup (ingot table --help)",
				 words[0]);
	if (is_dump ? count != 1 : count != 2 && count != 3)
		return error_set(err, "%s (ingot table --help)",
				 is_dump ? "dump takes flags only"
					 : "lookup takes HOST PATH, or a URL");
	if (open_source(&source, values, err) == -1)
		return -1;
	status = is_dump ? dump(&source, (enum kind_word)values[KIND].number, err)
			 : lookup(&source, words + 1, count - 1, err);
	table_source_close(&source);
	return status;
}

int cli_table(int argc, char **argv)
{
	struct flag_value values[TABLE_FLAG_COUNT];
	struct error err;
	int first;
	int status;

	switch (flags_parse(&flag_set, argc, argv, values, &first, &err)) {
	case FLAGS_HELP:
		return print_help();
	case FLAGS_BAD:
		return could_not(&err);
	case FLAGS_DONE:
		break;
	}
	if (first == argc) {
		error_set(&err, "what is to be done? dump or lookup (ingot table --help)");
		return could_not(&err);
	}
	status = run(argv + first, argc - first, values, &err);
	return status == -1 ? could_not(&err) : status;
}
