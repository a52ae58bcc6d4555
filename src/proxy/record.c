/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/record.h"

#include "proxy/exchange.h"
#include "proxy/tables.h"
#include "proxy/worker.h"
#include "stats/row.h"

static uint32_t us_since(const struct exchange *exchange, uint64_t then_ns)
{
	uint64_t us = (loop_now_ns(exchange->worker->loop) - then_ns) / 1000;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void record_set_route(struct access_record *record, const struct routes *routes,
		      const struct route *route)
{
	const struct route_object *object;

	record->generation = routes->header->generation;
	if (route == NULL)
		return;
	record->path = routes_text(routes, route->path);
	if (route->object == TABLE_NONE)
		return;
	object = &routes->objects[route->object];
	record->namespace = routes_text(routes, object->namespace);
	record->ingress = routes_text(routes, object->ingress);
	record->service = routes_text(routes, object->service);
	record->service_port = routes_text(routes, object->service_port);
}

static struct span upstream_name(const struct exchange *exchange)
{
	const struct route *route = exchange->route;
	struct upstream_match match;

	if (route == NULL || route->upstream == TABLE_NONE)
		return S("");
	if (route->default_backend)
		return S("upstream-default-backend");
	match = endpoints_find(&exchange->worker->tables.endpoints, route->upstream,
			       route->upstream_incarnation);
	return match.upstream == NULL ? S("")
				      : endpoints_text(match.endpoints, match.upstream->name);
}

static struct span field_value(const struct exchange *exchange, enum header_id id)
{
	const struct header *header;

	if (!request_head_has(&exchange->request, id))
		return S("");
	header = request_head_find(&exchange->request, id);
	return header == NULL ? S("") : header->value;
}

static bool is_logged(const struct exchange *exchange)
{
	const struct table_settings *settings;

	if (exchange->worker->log.fd == -1)
		return false;
	if (exchange->table == NULL)
		return true;
	settings = exchange->table->routes.settings;
	return settings->access_log &&
	       (exchange->route == NULL || !exchange->route->default_backend ||
		settings->access_log_default_backend);
}

static void write_log(struct exchange *exchange, uint64_t request_bytes, uint32_t duration_us)
{
	const struct message_sender *sender = &exchange->to_downstream.sender;
	struct access_record record = {
		.wall_ns = loop_wall_ns(exchange->worker->loop),
		.client = exchange->client_at,
		.request_id = exchange->request_id,
		.method = exchange->request.method,
		.target = exchange->request.target,
		.host = exchange->host.name,
		.referer = field_value(exchange, HEADER_REFERER),
		.user_agent = field_value(exchange, HEADER_USER_AGENT),
		.reason = exchange->fault == FAULT_NONE
				  ? S("ok")
				  : span_from(fault_facts(exchange->fault)->word),
		.upstream = upstream_name(exchange),
		.protocol = (uint8_t)exchange_protocol(exchange),
		.status = exchange->status,
		.request_bytes = request_bytes,
		.response_bytes = exchange_sent(exchange),
		.body_bytes_sent = sender->body_sent,
		.duration_us = duration_us,
		.attempt_count = exchange->attempt_count,
		.attempts = exchange->attempts,
	};

	if (exchange->table != NULL)
		record_set_route(&record, &exchange->table->routes, exchange->route);
	worker_log(exchange->worker, &record);
}

static void count(struct exchange *exchange, uint64_t request_bytes, uint32_t duration_us)
{
	struct worker_area *area = exchange->worker->area;
	struct row_request request = {
		.status = exchange->status,
		.method = (uint8_t)exchange->request.method_id,
		.protocol = (uint8_t)exchange_protocol(exchange),
		.duration_us = duration_us,
		.request_bytes = request_bytes,
		.response_bytes = exchange_sent(exchange),
	};
	uint32_t row = exchange->route == NULL ? 0 : exchange->route->stat_row;

	row_count(&area->routes[row < STATS_ROUTE_ROWS_MAX ? row : 0], &request);
	area->faults[exchange->fault]++;
	area->counters.downstream_bytes_in += request_bytes;
	area->counters.downstream_bytes_out += request.response_bytes;
}

void record_exchange(struct exchange *exchange)
{
	uint64_t request_bytes = exchange_received(exchange);
	uint32_t duration_us = us_since(exchange, exchange->started_ns);

	if (exchange->status == 0)
		exchange->status = fault_facts(exchange->fault)->status;
	count(exchange, request_bytes, duration_us);
	if (is_logged(exchange))
		write_log(exchange, request_bytes, duration_us);
}
