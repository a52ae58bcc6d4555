/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/row.h"

static bool is_cell_of(const struct status_cell *cell, const struct row_request *request)
{
	return cell->status == request->status && cell->method == request->method &&
	       cell->protocol == request->protocol;
}

struct status_cell *row_cell(struct route_row *row, const struct row_request *request)
{
	struct status_cell *cell = row->cells;
	struct status_cell *rest = row->cells + STATS_STATUS_CELLS - 1;

	for (; cell != rest; cell++) {
		if (cell->count == 0) {
			cell->status = request->status;
			cell->method = request->method;
			cell->protocol = request->protocol;
			return cell;
		}
		if (is_cell_of(cell, request))
			return cell;
	}
	return rest;
}
