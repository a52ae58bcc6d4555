/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "table/json.h"

enum { COLUMNS = 6, COLUMN_GAP = 3 };

static bool is_ignored(const struct diagnostic *diagnostic, struct span codes)
{
	char code[16];

	snprintf(code, sizeof(code), "IGT%04u", diagnostic_code(diagnostic->id));
	while (codes.len > 0)
		if (span_equals_nocase(span_trim(span_cut(&codes, ',')), span_from(code)))
			return true;
	return false;
}

static void add_diagnostics(struct check_report *report, const struct diagnostics *list,
			    const struct check_report_options *options)
{
	for (const struct diagnostic *d = list->first; d != NULL; d = d->next) {
		if (is_ignored(d, options->ignored))
			continue;
		report->counts[diagnostic_level(d->id)]++;
		if (diagnostic_level(d->id) <= options->min_level)
			report->diagnostics[report->diagnostic_count++] = d;
	}
}

/* Those without a file last. What is found at one place stays in the order in which it was found: names tell
 * nothing about it, but a stable sort does. */
static bool comes_before(const struct diagnostic *a, const struct diagnostic *b)
{
	int order;

	if ((a->file.len == 0) != (b->file.len == 0))
		return b->file.len == 0;
	order = span_compare(a->file, b->file);
	if (order != 0)
		return order < 0;
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Merge sort: qsort is not stable. */
static void sort(const struct diagnostic **list, const struct diagnostic **room, uint32_t count)
{
	uint32_t half = count / 2;
	uint32_t left = 0;
	uint32_t right = half;

	if (count < 2)
		return;
	sort(list, room, half);
	sort(list + half, room, count - half);
	for (uint32_t i = 0; i < count; i++) {
		bool take_right = left == half ||
				  (right < count && comes_before(list[right], list[left]));

		room[i] = take_right ? list[right++] : list[left++];
	}
	for (uint32_t i = 0; i < count; i++)
		list[i] = room[i];
}

static uint32_t count_all(const struct diagnostics *list)
{
	return list->counts[0] + list->counts[1] + list->counts[2];
}

static void gather_diagnostics(struct check_report *report, const struct diagnostics *of_objects,
			       const struct diagnostics *of_endpoints,
			       const struct check_report_options *options, struct arena *arena)
{
	size_t size = ((size_t)count_all(of_objects) + count_all(of_endpoints) + 1) *
		      sizeof(const struct diagnostic *);

	report->diagnostics = arena_take(arena, size);
	add_diagnostics(report, of_objects, options);
	add_diagnostics(report, of_endpoints, options);
	sort(report->diagnostics, arena_take(arena, size), report->diagnostic_count);
}

/* How many endpoints an upstream has. */
struct counted {
	struct map_entry by_key;
	uint32_t endpoints;
};

/* By the key of the upstream; entries lie in the arena. */
static void count_endpoints(const struct check_report *report, const struct model_options *options,
			    struct diagnostics *diagnostics, struct arena *arena,
			    struct map *counts)
{
	list_for_each (link, &report->model->upstreams) {
		const struct model_upstream *upstream = container_of(link, struct model_upstream,
								     link);
		struct counted *counted = arena_take_zero(arena, sizeof(*counted));
		const struct model_endpoint *endpoints;

		counted->by_key.key = upstream->by_key.key;
		counted->endpoints = model_endpoints(report->store, options, upstream, arena,
						     &endpoints, diagnostics);
		map_add(counts, &counted->by_key);
	}
}

static uint32_t endpoints_of(const struct map *counts, const struct model_route *route)
{
	struct map_entry *entry = route->upstream == NULL
					  ? NULL
					  : map_find(counts, route->upstream->by_key.key);

	return entry == NULL ? 0 : container_of(entry, struct counted, by_key)->endpoints;
}

static void gather_host(struct check_report *report, const struct model_host *host,
			const struct map *endpoints)
{
	uint32_t before = report->route_count;

	for (const struct model_route *route = host->first; route != NULL; route = route->next) {
		if (route->implicit)
			continue;
		report->routes[report->route_count++] = (struct check_route){
			.host = host,
			.route = route,
			.endpoints = endpoints_of(endpoints, route),
		};
	}
	report->host_count += report->route_count > before;
}

static void gather_routes(struct check_report *report, const struct model_options *options,
			  struct diagnostics *of_endpoints, struct arena *arena)
{
	struct map endpoints;

	map_init(&endpoints);
	count_endpoints(report, options, of_endpoints, arena, &endpoints);
	report->routes = arena_take(arena, ((size_t)report->model->route_count + 1) *
						   sizeof(report->routes[0]));
	list_for_each (link, &report->model->hosts)
		gather_host(report, container_of(link, struct model_host, link), &endpoints);
	map_fini(&endpoints);
}

void check_report_make(struct check_report *report, const struct store *store,
		       const struct model *model, const struct model_options *model_options,
		       const struct diagnostics *of_objects, struct diagnostics *of_endpoints,
		       const struct check_report_options *options, struct arena *arena)
{
	*report = (struct check_report){.store = store, .model = model};
	gather_routes(report, model_options, of_endpoints, arena);
	gather_diagnostics(report, of_objects, of_endpoints, options, arena);
	for (unsigned kind = 0; kind < OBJECT_KIND_COUNT; kind++)
		report->object_count += store_count(store, kind);
}

static struct span host_name(const struct check_route *row)
{
	struct span name = row->host->by_name.key;

	return name.len == 0 ? S("*") : name;
}

static const char *type_name(const struct check_route *row)
{
	return row->route->type == MODEL_EXACT ? "Exact" : "Prefix";
}

/* What a request meets there, other than endpoints; NULL: endpoints. */
static const char *answer_name(const struct model_route *route)
{
	switch (route->answer) {
	case MODEL_PROXY:
		return NULL;
	case MODEL_NOT_FOUND:
		return "404";
	case MODEL_NO_SERVICE:
		return "503 (no Service)";
	case MODEL_DENIED:
		return "503 (refused)";
	}
	return NULL;
}

static void write_endpoints(const struct check_route *row, struct buf *out)
{
	const char *answer = answer_name(row->route);

	if (answer != NULL)
		buf_add(out, span_from(answer));
	else if (row->route->upstream->external_name.len > 0)
		buf_add(out, row->route->upstream->external_name);
	else
		buf_printf(out, "%" PRIu32, row->endpoints);
}

static void write_pair(struct span a, char between, struct span b, struct buf *out)
{
	buf_add(out, a);
	if (b.len > 0 && a.len > 0)
		buf_add_byte(out, between);
	buf_add(out, b);
}

static void write_cell(const struct check_route *row, unsigned column, struct buf *out)
{
	const struct model_route *route = row->route;

	switch (column) {
	case 0:
		buf_add(out, host_name(row));
		break;
	case 1:
		buf_add(out, route->path);
		break;
	case 2:
		buf_add(out, span_from(type_name(row)));
		break;
	case 3:
		write_pair(route->namespace, '/', route->service, out);
		if (route->service_port.len > 0) {
			buf_add_byte(out, ':');
			buf_add(out, route->service_port);
		}
		break;
	case 4:
		write_endpoints(row, out);
		break;
	default:
		write_pair(route->namespace, '/', route->ingress, out);
	}
}

static const char *const headers[COLUMNS] = {"HOST",    "PATH",      "TYPE",
					     "SERVICE", "ENDPOINTS", "INGRESS"};

static void measure(const struct check_report *report, size_t widths[static COLUMNS])
{
	struct buf cell = {0};

	for (unsigned column = 0; column < COLUMNS; column++) {
		widths[column] = strlen(headers[column]);
		for (uint32_t i = 0; i < report->route_count; i++) {
			buf_clear(&cell);
			write_cell(&report->routes[i], column, &cell);
			if (cell.len > widths[column])
				widths[column] = cell.len;
		}
	}
	buf_fini(&cell);
}

/* row: NULL for the line of headers. */
static void write_row(const struct check_route *row, const size_t widths[static COLUMNS],
		      struct buf *out)
{
	for (unsigned column = 0; column < COLUMNS; column++) {
		size_t before = out->len;

		if (row == NULL)
			buf_add(out, span_from(headers[column]));
		else
			write_cell(row, column, out);
		if (column + 1 == COLUMNS)
			break;
		while (out->len - before < widths[column] + COLUMN_GAP)
			buf_add_byte(out, ' ');
	}
	buf_add_byte(out, '\n');
}

static void write_routes(const struct check_report *report, struct buf *out)
{
	size_t widths[COLUMNS];

	if (report->route_count == 0)
		return;
	measure(report, widths);
	write_row(NULL, widths, out);
	for (uint32_t i = 0; i < report->route_count; i++)
		write_row(&report->routes[i], widths, out);
	buf_add_byte(out, '\n');
}

static void write_count(uint32_t count, const char *one, const char *many, struct buf *out)
{
	buf_printf(out, "%" PRIu32 " %s", count, count == 1 ? one : many);
}

static void write_sum(const struct check_report *report, struct buf *out)
{
	write_count(report->counts[DIAGNOSTIC_LEVEL_ERROR], "error, ", "errors, ", out);
	write_count(report->counts[DIAGNOSTIC_LEVEL_WARNING], "warning, ", "warnings, ", out);
	write_count(report->counts[DIAGNOSTIC_LEVEL_NOTE], "note in ", "notes in ", out);
	write_count(report->object_count, "object.  ", "objects.  ", out);
	write_count(report->route_count, "route on ", "routes on ", out);
	write_count(report->host_count, "host would be served.\n", "hosts would be served.\n", out);
}

void check_report_write_text(const struct check_report *report, struct buf *out)
{
	for (uint32_t i = 0; i < report->diagnostic_count; i++) {
		diagnostic_write(report->diagnostics[i], out);
		buf_add_byte(out, '\n');
	}
	if (report->diagnostic_count > 0)
		buf_add_byte(out, '\n');
	write_routes(report, out);
	write_sum(report, out);
}

/* Absent values are left out. */
static void json_given(struct json *json, const char *key, struct span text)
{
	if (text.len > 0)
		json_text(json, key, text);
}

static void json_diagnostic(struct json *json, const struct diagnostic *diagnostic)
{
	char code[16];

	snprintf(code, sizeof(code), "IGT%04u", diagnostic_code(diagnostic->id));
	json_open_object(json, NULL, JSON_BLOCK);
	json_text(json, "level",
		  span_from(diagnostic_level_name(diagnostic_level(diagnostic->id))));
	json_text(json, "code", span_from(code));
	json_text(json, "reason", span_from(diagnostic_reason(diagnostic->id)));
	json_given(json, "kind", diagnostic->kind);
	json_given(json, "object", diagnostic->object);
	json_given(json, "field", diagnostic->field);
	json_text(json, "message", diagnostic->text);
	json_given(json, "file", diagnostic->file);
	if (diagnostic->line != 0)
		json_number(json, "line", diagnostic->line);
	if (diagnostic->column != 0)
		json_number(json, "column", diagnostic->column);
	json_close_object(json);
}

static void json_route(struct json *json, const struct check_route *row)
{
	const struct model_route *route = row->route;

	json_open_object(json, NULL, JSON_BLOCK);
	json_text(json, "host", host_name(row));
	json_text(json, "path", route->path);
	json_text(json, "type", span_from(type_name(row)));
	json_given(json, "namespace", route->namespace);
	json_given(json, "ingress", route->ingress);
	json_given(json, "service", route->service);
	json_given(json, "servicePort", route->service_port);
	if (answer_name(route) != NULL)
		json_number(json, "status", route->answer == MODEL_NOT_FOUND ? 404 : 503);
	else if (route->upstream->external_name.len > 0)
		json_text(json, "externalName", route->upstream->external_name);
	else
		json_number(json, "endpoints", row->endpoints);
	json_close_object(json);
}

void check_report_write_json(const struct check_report *report, struct buf *out)
{
	struct json json;

	json_init(&json, out);
	json_open_object(&json, NULL, JSON_BLOCK);
	json_text(&json, "apiVersion", S("ingot/v1"));
	json_text(&json, "kind", S("CheckReport"));
	json_open_list(&json, "diagnostics", JSON_BLOCK);
	for (uint32_t i = 0; i < report->diagnostic_count; i++)
		json_diagnostic(&json, report->diagnostics[i]);
	json_close_list(&json);
	json_open_list(&json, "routes", JSON_BLOCK);
	for (uint32_t i = 0; i < report->route_count; i++)
		json_route(&json, &report->routes[i]);
	json_close_list(&json);
	json_number(&json, "errors", report->counts[DIAGNOSTIC_LEVEL_ERROR]);
	json_number(&json, "warnings", report->counts[DIAGNOSTIC_LEVEL_WARNING]);
	json_number(&json, "notes", report->counts[DIAGNOSTIC_LEVEL_NOTE]);
	json_number(&json, "objects", report->object_count);
	json_number(&json, "hosts", report->host_count);
	json_close_object(&json);
	if (out->len > 0 && out->ptr[out->len - 1] != '\n')
		buf_add_byte(out, '\n');
}
