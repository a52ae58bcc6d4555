/* SPDX-License-Identifier: Apache-2.0 */
#include "model/upstream_protocol.h"

#include "base/bug.h"
#include "base/ip.h"
#include "model/certificate.h"
#include "model/rule_text.h"
#include "model/scalar.h"

#define SECRET "proxy-ssl-secret"

enum { VERSION_1_2 = BIT(0), VERSION_1_3 = BIT(1), NAME_MAX_BYTES = 253 };

static const struct model_upstream_tls default_tls = {
	.is_used = true,
	.versions = VERSION_1_2 | VERSION_1_3,
	.verify_depth = 1,
};

static void report(struct build *build, const struct intent *intent, enum diagnostic_id id,
		   const char *name, struct span value, const char *what)
{
	annotation_report(build, intent->ingress, id, name, value, what);
}

/*
 * backend-protocol
 */

static void read_protocol(struct build *build, struct intent *intent, struct span text)
{
	static const struct {
		const char *word;
		enum upstream_speech speech;
		const char *lack; /* NULL: it is spoken */
	} protocols[] = {
		{"HTTP", UPSTREAM_SPEAKS_HTTP, NULL},
		{"HTTPS", UPSTREAM_SPEAKS_HTTPS, NULL},
		{"GRPC", UPSTREAM_SPEAKS_GRPC, NULL},
		{"GRPCS", UPSTREAM_SPEAKS_GRPCS, NULL},
		{"FCGI", UPSTREAM_SPEAKS_NOT_YET, "is not spoken yet; requests get 503"},
		{"AUTO_HTTP", UPSTREAM_SPEAKS_HTTP, "is not obeyed yet; HTTP is spoken"},
	};

	if (text.len == 0)
		return;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (!span_equals_nocase(text, span_from(protocols[i].word)))
			continue;
		intent->speech = protocols[i].speech;
		if (protocols[i].lack != NULL)
			report(build, intent, DIAGNOSTIC_ANNOTATION_NOT_YET, "backend-protocol",
			       text, protocols[i].lack);
		return;
	}
	intent->speech = UPSTREAM_SPEAKS_HTTP;
	report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "backend-protocol", text,
	       "does not fit: it takes HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI; HTTP is "
	       "spoken");
}

enum upstream_speech upstream_protocol_of_word(struct span app_protocol)
{
	static const char *const plain[] = {"", "http", "http1", "tcp", "ws", "kubernetes.io/ws"};

	if (span_equals_nocase(app_protocol, S("https")) ||
	    span_equals(app_protocol, S("kubernetes.io/wss")))
		return UPSTREAM_SPEAKS_HTTPS;
	if (span_equals(app_protocol, S("kubernetes.io/h2c")))
		return UPSTREAM_SPEAKS_GRPC;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (span_equals_nocase(app_protocol, span_from(plain[i])))
			return UPSTREAM_SPEAKS_HTTP;
	return UPSTREAM_SPEAKS_NOT_YET;
}

enum upstream_speech upstream_protocol_of(const struct intent *intent,
					  const struct service_port *port)
{
	enum upstream_speech said;

	if (intent != NULL && intent->speech != UPSTREAM_SPEAKS_AS_PORT)
		return intent->speech;
	said = upstream_protocol_of_word(port == NULL ? S("") : port->app_protocol);
	return said == UPSTREAM_SPEAKS_NOT_YET ? UPSTREAM_SPEAKS_HTTP : said;
}

/* What comes in clear goes to endpoints that end TLS themselves (compat spec, 17.6). That nobody verifies them matters
 * little to what came in clear. */
static void speak_tls_where_it_is_passed_on(struct intent *intent)
{
	if (intent->passthrough != PASSTHROUGH_YES || intent->speech == UPSTREAM_SPEAKS_NOT_YET)
		return;
	intent->tells_unverified = intent->speech != UPSTREAM_SPEAKS_HTTPS;
	intent->speech = UPSTREAM_SPEAKS_HTTPS;
}

/*
 * proxy-ssl-*
 */

/* on and off; what is neither leaves *value alone. */
static void read_switch(struct build *build, const struct intent *intent, const char *name,
			struct span text, bool *value)
{
	if (span_equals(text, S("on")))
		*value = true;
	else if (span_equals(text, S("off")))
		*value = false;
	else if (text.len > 0)
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, name, text,
		       "does not fit: it takes on or off; off holds");
}

static void read_depth(struct build *build, struct intent *intent, struct span text)
{
	uint32_t *depth = &intent->tls.verify_depth;

	if (text.len == 0)
		return;
	if (!scalar_depth(text, depth))
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "proxy-ssl-verify-depth", text,
		       "does not fit: it takes a number up to 100; 1 holds");
}

/* What is sent as SNI and stands in certificates. */
static bool is_name(struct span text)
{
	struct ip ip;

	return text.len <= NAME_MAX_BYTES && (ip_parse(text, &ip) || rule_text_is_dns_name(text));
}

static void read_name(struct build *build, struct intent *intent, struct span text)
{
	if (text.len == 0)
		return;
	if (is_name(text))
		intent->tls_name = text;
	else
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "proxy-ssl-name", text,
		       "is neither a DNS name nor an address; the name of the Service holds");
}

static void read_ciphers(struct build *build, struct intent *intent, struct span text)
{
	if (text.len == 0)
		return;
	if (scalar_is_words(text))
		intent->tls.ciphers = text;
	else
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "proxy-ssl-ciphers", text,
		       "does not fit: it takes names with colons, as OpenSSL has them; the "
		       "default holds");
}

/* Older versions are passed over, as nginx of today does; at least one must be left. */
static bool parse_versions(struct span text, uint32_t *versions)
{
	uint32_t found = 0;

	while (text.len > 0) {
		struct span word = span_cut(&text, ' ');

		if (span_equals(word, S("TLSv1.2")))
			found |= VERSION_1_2;
		else if (span_equals(word, S("TLSv1.3")))
			found |= VERSION_1_3;
		else if (word.len > 0 && !span_starts_with(word, S("TLSv1")) &&
			 !span_starts_with(word, S("SSLv")))
			return false;
	}
	if (found != 0)
		*versions = found;
	return found != 0;
}

static void read_versions(struct build *build, struct intent *intent, struct span text)
{
	if (text.len > 0 && !parse_versions(text, &intent->tls.versions))
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "proxy-ssl-protocols", text,
		       "does not fit: it takes TLSv1.2 and TLSv1.3; both hold");
}

/* The routes of the Ingress answer 503: nothing may be sent to endpoints otherwise than was asked for. */
static void deny(struct build *build, struct intent *intent, struct span value, const char *why)
{
	struct span what = arena_printf(&build->arena, "%s; the routes of this Ingress answer 503",
					why);

	intent->denied = true;
	report(build, intent, DIAGNOSTIC_SECRET_REFUSED, SECRET, value, what.ptr);
}

static void use_authorities(struct build *build, struct intent *intent, struct span secret)
{
	const struct certificate *authorities = certificate_take_authorities(build, intent, secret);

	if (authorities != NULL && authorities->is_usable)
		intent->tls.authorities = authorities->by_name.key;
	else
		deny(build, intent, secret, "has a ca.crt that cannot be used");
}

static void use_pair(struct build *build, struct intent *intent, struct span secret)
{
	const struct certificate *pair = certificate_take_pair(build, intent, secret);

	if (pair != NULL && pair->is_usable)
		intent->tls.certificate = pair->by_name.key;
	else
		deny(build, intent, secret, "has a tls.crt or tls.key that cannot be used");
}

/* Each half of the Secret is optional, but there must be one. */
static void use_secret(struct build *build, struct intent *intent, struct span secret,
		       bool is_to_verify)
{
	bool has_pair = certificate_secret_has(build, secret, S("tls.crt")) ||
			certificate_secret_has(build, secret, S("tls.key"));
	bool has_authorities = certificate_secret_has(build, secret, S("ca.crt"));

	intent_use(intent, &intent->secrets, secret);
	if (!has_pair && !has_authorities) {
		deny(build, intent, secret,
		     "does not exist, or has neither ca.crt nor tls.crt and tls.key");
		return;
	}
	if (has_pair)
		use_pair(build, intent, secret);
	if (is_to_verify && has_authorities)
		use_authorities(build, intent, secret);
	else if (is_to_verify)
		deny(build, intent, secret,
		     "has no ca.crt, by which endpoints could be verified (proxy-ssl-verify)");
}

/* Nobody would notice that they are not obeyed. */
static void report_alone(struct build *build, const struct intent *intent,
			 const struct proxy_ssl_texts *texts)
{
	const struct {
		const char *name;
		struct span text;
	} others[] = {
		{"proxy-ssl-verify", texts->verify},
		{"proxy-ssl-verify-depth", texts->verify_depth},
		{"proxy-ssl-name", texts->name},
		{"proxy-ssl-server-name", texts->server_name},
		{"proxy-ssl-ciphers", texts->ciphers},
		{"proxy-ssl-protocols", texts->protocols},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].text.len > 0 && !span_equals(others[i].text, S("off")))
			report(build, intent, DIAGNOSTIC_ANNOTATION_ALONE, others[i].name, S(""),
			       "has no effect without proxy-ssl-secret");
}

static void read_tls(struct build *build, struct intent *intent,
		     const struct proxy_ssl_texts *texts)
{
	struct span secret;
	bool is_to_verify = false;

	if (texts->secret.len == 0) {
		report_alone(build, intent, texts);
		return;
	}
	read_switch(build, intent, "proxy-ssl-verify", texts->verify, &is_to_verify);
	read_switch(build, intent, "proxy-ssl-server-name", texts->server_name,
		    &intent->sends_tls_name);
	read_depth(build, intent, texts->verify_depth);
	read_name(build, intent, texts->name);
	read_ciphers(build, intent, texts->ciphers);
	read_versions(build, intent, texts->protocols);
	if (annotation_secret(build, intent->ingress, texts->secret, &secret))
		use_secret(build, intent, secret, is_to_verify);
	else
		deny(build, intent, texts->secret,
		     "is in another namespace, or no name of a Secret");
}

void upstream_protocol_read(struct build *build, struct intent *intent,
			    const struct annotation_verdict *verdict)
{
	intent->tls = default_tls;
	read_protocol(build, intent, verdict->backend_protocol);
	speak_tls_where_it_is_passed_on(intent);
	read_tls(build, intent, &verdict->proxy_ssl);
}

struct model_upstream_tls upstream_protocol_tls(struct build *build, const struct intent *intent,
						const struct service *service)
{
	const struct object *object = &service->object;
	const struct span parts[] = {object->name, S("."), object->namespace, S(".svc")};
	struct model_upstream_tls tls = intent == NULL ? default_tls : intent->tls;
	struct span name = intent == NULL ? S("") : intent->tls_name;
	struct ip ip;

	if (name.len == 0)
		name = build_join(&build->arena, parts, 4);
	if (tls.authorities.len > 0)
		tls.verify_name = name;
	/* an address is never sent (RFC 6066, 3) */
	if (intent != NULL && intent->sends_tls_name && !ip_parse(name, &ip))
		tls.server_name = name;
	return tls;
}

void upstream_protocol_note_tls(struct build *build, struct intent *intent, struct span field)
{
	bool by_annotation = upstream_protocol_is_secure(intent->speech);

	if (intent->tls.authorities.len > 0 || intent->tells_unverified || intent->denied)
		return;
	intent->tells_unverified = true;
	diagnostics_add(build->diagnostics, DIAGNOSTIC_NOT_AUTHENTICATED, &intent->ingress->object,
			by_annotation ? annotation_field(build, "backend-protocol") : field,
			"the backend is not authenticated: requests are encrypted for whoever "
			"answers; write proxy-ssl-secret, with a ca.crt, and proxy-ssl-verify: on");
}
