/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/retry.h"

#include "base/bug.h"
#include "proxy/exchange.h"
#include "proxy/tables.h"
#include "proxy/worker.h"

static uint32_t status_token(unsigned status)
{
	switch (status) {
	case 500:
		return BIT(NEXT_UPSTREAM_HTTP_500);
	case 502:
		return BIT(NEXT_UPSTREAM_HTTP_502);
	case 503:
		return BIT(NEXT_UPSTREAM_HTTP_503);
	case 504:
		return BIT(NEXT_UPSTREAM_HTTP_504);
	case 403:
		return BIT(NEXT_UPSTREAM_HTTP_403);
	case 404:
		return BIT(NEXT_UPSTREAM_HTTP_404);
	case 429:
		return BIT(NEXT_UPSTREAM_HTTP_429);
	default:
		return 0;
	}
}

static uint32_t fault_token(enum fault fault)
{
	if (fault_facts(fault)->status == 504)
		return BIT(NEXT_UPSTREAM_TIMEOUT);
	return fault == FAULT_BAD_RESPONSE ? BIT(NEXT_UPSTREAM_INVALID_HEADER)
					   : BIT(NEXT_UPSTREAM_ERROR);
}

/* Nothing of the request was acted on, or acting on it twice is the same as once (RFC 9110, 9.2.2). */
static bool may_be_repeated(const struct exchange *exchange)
{
	return method_is_idempotent(exchange->request.method_id) ||
	       exchange->table->routes.settings->retry_non_idempotent ||
	       (exchange->policy->next_upstream & BIT(NEXT_UPSTREAM_NON_IDEMPOTENT)) != 0;
}

static bool has_tries_left(const struct exchange *exchange)
{
	uint32_t limit = exchange->policy->next_upstream_tries;
	uint32_t timeout_ms = exchange->policy->next_upstream_timeout_ms;
	/* the time that the client took for its head is no time of the endpoints */
	uint64_t spent_ns = loop_now_ns(exchange->worker->loop) - exchange->first_attempt_ns;

	if (limit == 0 || limit > EXCHANGE_TRIES_MAX)
		limit = EXCHANGE_TRIES_MAX;
	return exchange->tries < limit &&
	       (timeout_ms == 0 || spent_ns < (uint64_t)timeout_ms * 1000000);
}

/* The body can be sent again from its beginning, and nothing has gone to the client. */
static bool can_be_resent(const struct exchange *exchange)
{
	return !exchange->response_started && exchange->to_upstream.reader.keeps;
}

bool retry_may_follow_fault(const struct exchange *exchange, enum fault fault)
{
	const struct fault_facts *facts = fault_facts(fault);
	bool untouched = facts->retry == FAULT_RETRY_SAFE ||
			 (exchange->server != NULL &&
			  message_sender_sent(&exchange->to_upstream.sender) == 0);

	if (facts->retry == FAULT_RETRY_NEVER || !can_be_resent(exchange) ||
	    !(untouched || may_be_repeated(exchange)))
		return false;
	if (fault == FAULT_STALE_CONNECTION)
		return true; /* the next one is on a new connection, which is not stale */
	return has_tries_left(exchange) &&
	       (exchange->policy->next_upstream & fault_token(fault)) != 0;
}

bool retry_may_follow_status(const struct exchange *exchange)
{
	uint32_t token = status_token(exchange->response.status);

	return (exchange->policy->next_upstream & token) != 0 && can_be_resent(exchange) &&
	       may_be_repeated(exchange) && has_tries_left(exchange);
}
