/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/https_redirect.h"

#include "base/bug.h"
#include "http/h1_write.h"
#include "proxy/exchange.h"
#include "proxy/policy/forwarded.h"
#include "proxy/worker.h"

/* What stands before the target and behind it. */
enum { AROUND = sizeof("https://") };

static bool is_due(const struct exchange *exchange, const struct forwarded *forwarded)
{
	return exchange->route->https_only && span_equals(forwarded->proto, S("http"));
}

/* Without port. */
static struct span host_name(const struct forwarded *forwarded)
{
	struct host parsed;

	return host_parse(forwarded->host, &parsed) ? parsed.name : forwarded->host;
}

/* The target as it was sent, without one slash at its end. */
static void write_target(struct h1_writer *writer, const struct uri *uri)
{
	struct span path = uri->sent_path;

	if (uri->query.len == 0 && path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	h1_write_literal(writer, path);
	h1_write_literal(writer, uri->query);
}

bool https_redirect_is_due(struct exchange *exchange)
{
	struct forwarded forwarded;

	if (!exchange->route->https_only)
		return false;
	forwarded_find(exchange, &forwarded);
	return is_due(exchange, &forwarded);
}

bool https_redirect(struct exchange *exchange)
{
	const struct table_settings *settings = exchange->table->routes.settings;
	const struct uri *uri = &exchange->uri;
	struct forwarded forwarded;
	struct h1_writer writer;
	struct span host;
	size_t room;
	char *text;

	if (!exchange->route->https_only)
		return false;
	forwarded_find(exchange, &forwarded);
	if (!is_due(exchange, &forwarded))
		return false;
	host = host_name(&forwarded);
	room = uri->sent_path.len + uri->query.len + host.len + AROUND;
	text = arena_take_bytes(&exchange->arena, room);
	if (text == NULL) {
		exchange_answer(exchange, FAULT_OUT_OF_MEMORY);
		return true;
	}
	writer = h1_writer_over(text, room);
	h1_write_literal(&writer, S("https://"));
	h1_write_literal(&writer, host);
	write_target(&writer, uri);
	BUG_ON(writer.fault != H1_WRITER_OK);
	exchange_redirect(exchange, settings->redirect_status, h1_written(&writer));
	return true;
}
