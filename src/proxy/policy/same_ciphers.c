/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/same_ciphers.h"

#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/tls_terms.h"
#include "proxy/worker.h"

static const struct certificate_id none;

static struct certificate_id wanted(const struct exchange *exchange)
{
	const struct routes *routes = &exchange->table->routes;
	uint32_t index = routes->hosts[exchange->route->host].tls;

	return index == TABLE_NONE ? none : routes->tls[index].cipher_policy;
}

/* What the connection would be opened under now. A list that changes holds for new connections and ends none. */
static struct certificate_id offered_now(const struct exchange *exchange, struct span name)
{
	struct host_match host = routes_find_host(&exchange->worker->tables.routes, name);

	return host.tls == NULL ? none : host.tls->cipher_policy;
}

bool same_ciphers_refuses(struct exchange *exchange)
{
	struct certificate_id policy = wanted(exchange);
	struct transport_tls facts;
	struct tls_terms terms;

	if (!transport_tls(&exchange->client->connection->transport, &facts))
		return false;
	terms = tls_terms_from_tag(tls_context_tag(facts.context));
	if (certificate_id_compare(terms.cipher_policy, policy) == 0 ||
	    certificate_id_compare(offered_now(exchange, facts.server_name), policy) == 0)
		return false;
	exchange_answer(exchange, FAULT_MISDIRECTED);
	return true;
}
