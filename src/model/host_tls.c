/* SPDX-License-Identifier: Apache-2.0 */
#include "model/host_tls.h"

#include "model/cipher_list.h"
#include "model/scalar.h"

static const char ciphers_name[] = "ssl-ciphers";
static const char preference_name[] = "ssl-prefer-server-ciphers";

static void read_ciphers(struct build *build, struct intent *intent, struct span text)
{
	const char *fault;

	if (text.len == 0)
		return;
	fault = cipher_judge_ciphers(build->judge, text);
	if (fault == NULL)
		intent->ciphers = text;
	else
		annotation_report(
			build, intent->ingress, DIAGNOSTIC_BAD_ANNOTATION, ciphers_name, text,
			arena_printf(&build->arena, "%s; what the ConfigMap says holds", fault)
				.ptr);
}

static void read_preference(struct build *build, struct intent *intent, struct span text)
{
	bool is_servers;

	if (text.len == 0)
		return;
	if (scalar_bool(text, &is_servers))
		intent->preference = is_servers ? MODEL_PREFERENCE_SERVER : MODEL_PREFERENCE_CLIENT;
	else
		annotation_report(build, intent->ingress, DIAGNOSTIC_BAD_ANNOTATION,
				  preference_name, text,
				  "does not fit: it takes \"true\" or \"false\"; true holds");
}

void host_tls_read(struct build *build, struct intent *intent,
		   const struct annotation_verdict *verdict)
{
	read_ciphers(build, intent, span_trim(verdict->ssl_ciphers));
	read_preference(build, intent, verdict->ssl_prefer_server_ciphers);
}

static void report(struct build *build, const struct host *host, const struct intent *loser,
		   const char *name, const struct intent *winner)
{
	struct span shown = host->model.by_name.key;

	if (shown.len == 0)
		shown = S("every other host");
	diagnostics_add(build->diagnostics, DIAGNOSTIC_DUPLICATE_TLS, &loser->ingress->object,
			annotation_field(build, name),
			"is decided for %.*s by %s, which is older; this one is ignored there",
			(int)shown.len, shown.ptr, winner->ingress->object.by_name.key.ptr);
}

static const struct intent *intent_of(const struct list *link)
{
	return container_of(link, struct mention, of_host)->intent;
}

static bool is_foreign(struct build *build, const struct host *host, const struct intent *intent,
		       const char *name)
{
	if (host_is_of(host, intent))
		return false;
	host_report_foreign(build, host, intent, name, "this one is ignored there");
	return true;
}

static void decide_ciphers(struct build *build, struct host *host)
{
	const struct intent *decider = NULL;

	list_for_each (link, &host->mentions) {
		const struct intent *intent = intent_of(link);

		if (intent->ciphers.len == 0 || is_foreign(build, host, intent, ciphers_name))
			continue;
		if (decider == NULL)
			decider = intent;
		else if (!span_equals(decider->ciphers, intent->ciphers))
			report(build, host, intent, ciphers_name, decider);
	}
	/* who says what everybody has has nothing of its own */
	if (decider != NULL && !span_equals(decider->ciphers, build->model.settings.ssl_ciphers))
		host->model.ciphers = decider->ciphers;
}

static void decide_preference(struct build *build, struct host *host)
{
	const struct intent *decider = NULL;

	list_for_each (link, &host->mentions) {
		const struct intent *intent = intent_of(link);

		if (intent->preference == MODEL_PREFERENCE_NONE ||
		    is_foreign(build, host, intent, preference_name))
			continue;
		if (decider == NULL)
			decider = intent;
		else if (decider->preference != intent->preference)
			report(build, host, intent, preference_name, decider);
	}
	if (decider != NULL)
		host->model.client_prefers = decider->preference == MODEL_PREFERENCE_CLIENT;
}

void host_tls_decide(struct build *build, struct host *host)
{
	host->model.ciphers = S("");
	host->model.client_prefers = false;
	decide_ciphers(build, host);
	decide_preference(build, host);
}
