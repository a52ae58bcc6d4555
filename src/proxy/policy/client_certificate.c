/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/policy/client_certificate.h"

#include "base/bug.h"
#include "http/token.h"
#include "io/tls_peer.h"
#include "proxy/downstream.h"
#include "proxy/exchange.h"
#include "proxy/head_out.h"
#include "proxy/pattern_store.h"
#include "proxy/policy/https_redirect.h"
#include "proxy/tls_terms.h"
#include "proxy/worker.h"

/* NULL: the host says nothing about TLS. */
static const struct host_tls *host_of(const struct exchange *exchange)
{
	const struct routes *routes = &exchange->table->routes;
	const struct host_record *host = &routes->hosts[exchange->route->host];

	return host->tls == TABLE_NONE ? NULL : &routes->tls[host->tls];
}

static const struct transport *client_of(const struct exchange *exchange)
{
	return &exchange->client->connection->transport;
}

/* The certificate that the client showed, or was not asked for, was judged by what the host asks for now. */
static bool is_judged(const struct exchange *exchange, const struct host_tls *host)
{
	struct transport_tls facts;
	struct tls_terms opened_under;
	struct tls_terms terms;

	if (!transport_tls(client_of(exchange), &facts) ||
	    !tls_terms_of(&exchange->worker->tables.certificates, host, &terms))
		return false;
	opened_under = tls_terms_from_tag(tls_context_tag(facts.context));
	return tls_terms_same_clients(&opened_under, &terms);
}

static bool answer(struct exchange *exchange, enum fault fault)
{
	exchange_answer(exchange, fault);
	return true;
}

/* 400, or a way to where the client is told what to do. */
static bool turn_away(struct exchange *exchange, const struct host_tls *host, enum fault fault)
{
	struct span page = routes_text(&exchange->table->routes, host->error_page);

	if (page.len == 0)
		return answer(exchange, fault);
	exchange->fault = fault;
	exchange_redirect(exchange, 302, page);
	return true;
}

/* What the subject must look like, certificate or not. */
static enum fault judge_subject(struct exchange *exchange, const struct host_tls *host)
{
	struct span text = routes_text(&exchange->table->routes, host->subject_pattern);
	const struct pattern *pattern;
	struct tls_peer peer;

	if (text.len == 0)
		return FAULT_NONE;
	pattern = pattern_store_get(exchange->worker->patterns, text);
	if (pattern == NULL)
		return FAULT_CLIENT_POLICY_UNUSABLE;
	if (!tls_peer_read(client_of(exchange), &exchange->arena, &peer))
		peer.subject = S("");
	switch (pattern_find(pattern, peer.subject)) {
	case PATTERN_FOUND:
		return FAULT_NONE;
	case PATTERN_ABSENT:
		return FAULT_CLIENT_UNAUTHORIZED;
	case PATTERN_GAVE_UP:
		break;
	}
	return FAULT_PATTERN_LIMIT;
}

static bool is_wanted(const struct host_tls *host)
{
	return host->verify == HOST_TLS_VERIFY_ON;
}

/* Whatever is shown is taken, and told as not verified. */
static bool takes_anything(const struct host_tls *host)
{
	return host->verify == HOST_TLS_VERIFY_OPTIONAL_NO_CA;
}

static bool refuses_certificate(struct exchange *exchange, const struct host_tls *host)
{
	enum tls_peer_status status = tls_peer_status(client_of(exchange));
	enum fault fault;

	if (status == TLS_PEER_NONE && is_wanted(host))
		return turn_away(exchange, host, FAULT_NO_CLIENT_CERTIFICATE);
	if (status == TLS_PEER_UNVERIFIED && !takes_anything(host))
		return turn_away(exchange, host, FAULT_BAD_CLIENT_CERTIFICATE);
	fault = judge_subject(exchange, host);
	return fault != FAULT_NONE && answer(exchange, fault);
}

/* In clear nobody can show anything: only a redirect may follow, or what is left in clear on purpose. */
static bool refuses_plain(struct exchange *exchange)
{
	return !exchange->route->plain_anyway && !https_redirect_is_due(exchange) &&
	       answer(exchange, FAULT_MISDIRECTED);
}

bool client_certificate_refuses(struct exchange *exchange)
{
	const struct host_tls *host = host_of(exchange);

	if (host == NULL)
		return false;
	if (host->refuses)
		return answer(exchange, FAULT_CLIENT_POLICY_UNUSABLE);
	if (host->verify == HOST_TLS_VERIFY_OFF)
		return false;
	if (!transport_is_tls(client_of(exchange)))
		return refuses_plain(exchange);
	if (!is_judged(exchange, host))
		return answer(exchange, FAULT_MISDIRECTED);
	return refuses_certificate(exchange, host);
}

/*
 * What endpoints are told
 */

static void write_verdict(struct exchange *exchange, struct head_out *out)
{
	static const char failed[] = "FAILED:";
	const char *reason = tls_peer_failure(client_of(exchange));
	struct span verdict = S("SUCCESS");
	size_t length;
	char *text;

	if (reason != NULL) {
		length = sizeof(failed) - 1 + strlen(reason);
		text = arena_take_bytes(&exchange->arena, length);
		if (text == NULL) {
			head_out_fail(out);
			return;
		}
		memcpy(text, failed, sizeof(failed) - 1);
		memcpy(text + sizeof(failed) - 1, reason, strlen(reason));
		verdict = span_make(text, length);
	} else if (tls_peer_status(client_of(exchange)) == TLS_PEER_NONE) {
		verdict = S("NONE");
	}
	head_out_put(out, HEADER_SSL_CLIENT_VERIFY, verdict);
}

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

/* As a component of an URL: everything but unreserved bytes becomes %XX (RFC 3986, 2.1). {NULL, 0}: no room. */
static struct span escape(struct arena *arena, struct span text)
{
	static const char digits[] = "0123456789ABCDEF";
	char *into = arena_take_bytes(arena, text.len * 3);
	char *at = into;

	if (into == NULL)
		return (struct span){NULL, 0};
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if (is_unreserved(text.ptr[i])) {
			*at++ = text.ptr[i];
			continue;
		}
		*at++ = '%';
		*at++ = digits[byte >> 4];
		*at++ = digits[byte & 15];
	}
	return span_make(into, (size_t)(at - into));
}

static void write_certificate(struct exchange *exchange, struct span pem, struct head_out *out)
{
	struct span escaped = escape(&exchange->arena, pem);

	if (escaped.ptr == NULL)
		head_out_fail(out);
	else
		head_out_put(out, HEADER_SSL_CLIENT_CERT, escaped);
}

void client_certificate_write(struct exchange *exchange, struct head_out *out)
{
	const struct host_tls *host = host_of(exchange);
	struct tls_peer peer;

	if (host == NULL || host->verify == HOST_TLS_VERIFY_OFF ||
	    !transport_is_tls(client_of(exchange)))
		return;
	write_verdict(exchange, out);
	if (tls_peer_status(client_of(exchange)) == TLS_PEER_NONE)
		return;
	if (!tls_peer_read(client_of(exchange), &exchange->arena, &peer)) {
		head_out_fail(out);
		return;
	}
	head_out_put(out, HEADER_SSL_CLIENT_SUBJECT_DN, peer.subject);
	head_out_put(out, HEADER_SSL_CLIENT_ISSUER_DN, peer.issuer);
	if (host->pass_certificate)
		write_certificate(exchange, peer.pem, out);
}

bool client_certificate_reserves(struct span name)
{
	static const char prefix[] = "ssl-client-";

	if (name.len < sizeof(prefix) - 1)
		return false;
	for (size_t i = 0; i < sizeof(prefix) - 1; i++) {
		bool is_letter = prefix[i] != '-';

		/* what is read as a hyphen somewhere is one here */
		if (is_letter ? (name.ptr[i] | 0x20) != prefix[i]
			      : name.ptr[i] != '-' && token_byte_is(name.ptr[i], TOKEN_PLAIN))
			return false;
	}
	return true;
}
