/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tables.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "table/seal.h"

void tables_init(struct tables *tables)
{
	*tables = (struct tables){0};
	list_init(&tables->old_routes);
}

static void unmap_routes(struct tables *tables, struct routes_table *table)
{
	seal_unmap(table->segment);
	free(table);
	tables->mapped--;
}

void tables_fini(struct tables *tables)
{
	list_for_each_safe (link, &tables->old_routes)
		unmap_routes(tables, container_of(link, struct routes_table, link));
	if (tables->routes != NULL)
		unmap_routes(tables, tables->routes);
	if (tables->endpoints.header != NULL)
		seal_unmap(tables->endpoints_segment);
}

bool tables_are_complete(const struct tables *tables)
{
	return tables->routes != NULL && tables->endpoints.header != NULL;
}

static int apply_routes(struct tables *tables, struct span segment, struct error *err)
{
	struct routes_table *table = memory_new(sizeof(*table));
	struct routes_table *old = tables->routes;

	if (routes_verify(segment, &table->routes, err) == -1) {
		free(table);
		return -1;
	}
	table->segment = segment;
	table->routes.pins = 0;
	tables->routes = table;
	if (old != NULL && old->routes.pins == 0)
		unmap_routes(tables, old);
	else if (old != NULL)
		list_add_last(&tables->old_routes, &old->link);
	return 0;
}

static int apply_endpoints(struct tables *tables, struct span segment, struct error *err)
{
	struct endpoints endpoints;

	if (endpoints_verify(segment, &endpoints, err) == -1)
		return -1;
	if (tables->endpoints.header != NULL) {
		seal_unmap(tables->endpoints_segment);
		tables->mapped--;
	}
	tables->endpoints = endpoints;
	tables->endpoints_segment = segment;
	return 0;
}

int tables_apply(struct tables *tables, enum table_kind kind, int fd, struct error *err)
{
	struct span segment;
	int result;

	if (seal_map(fd, &segment, err) == -1)
		return -1;
	result = kind == TABLE_ROUTES ? apply_routes(tables, segment, err)
				      : apply_endpoints(tables, segment, err);
	if (result == -1)
		seal_unmap(segment);
	else
		tables->mapped++;
	return result;
}

struct routes_table *routes_pin(struct tables *tables)
{
	tables->routes->routes.pins++;
	return tables->routes;
}

void routes_unpin(struct tables *tables, struct routes_table *table)
{
	BUG_ON(table->routes.pins == 0);
	table->routes.pins--;
	if (table->routes.pins > 0 || table == tables->routes)
		return;
	list_remove(&table->link);
	unmap_routes(tables, table);
}
