/* SPDX-License-Identifier: Apache-2.0 */
#include "model/from_ingress.h"

#include <stdio.h>

#include "model/annotation.h"
#include "model/balance.h"
#include "model/certificate.h"
#include "model/class.h"
#include "model/client_certificate.h"
#include "model/host.h"
#include "model/host_tls.h"
#include "model/passthrough.h"
#include "model/rule_text.h"
#include "model/upstream.h"
#include "model/upstream_protocol.h"

enum { FIELD_SIZE = 64, PORT_TEXT = 6 };

/* Whether it is ours and to be served; annotations are judged. */
static bool is_served(struct build *build, const struct ingress *ingress,
		      struct annotation_verdict *verdict)
{
	if (!class_is_ours(build, ingress))
		return false;
	if (build->options->disable_catch_all && ingress->has_default_backend)
		return false;
	*verdict = annotation_read(build, ingress);
	if (verdict->canary)
		return false;
	if (ingress->rule_count > 0 || ingress->has_default_backend)
		return true;
	diagnostics_add(build->diagnostics, DIAGNOSTIC_NO_RULES, &ingress->object, S("spec"),
			"has neither rules nor a defaultBackend; there is nothing to serve");
	return false;
}

static void count_backend(struct intent_room *room, const struct ingress *ingress,
			  const struct ingress_backend *backend)
{
	room->backends++;
	/* "namespace/name" and "65535", terminated */
	room->text += ingress->object.namespace.len + backend->service_name.len + 2 + PORT_TEXT;
}

/* Of the Secret that an annotation names; parts: how many of its parts may be held. */
static void count_secret(struct intent_room *room, const struct ingress *ingress, struct span name,
			 uint32_t parts)
{
	if (name.len == 0)
		return;
	room->secrets += parts;
	room->text += ingress->object.namespace.len + name.len + 2;
}

static struct intent_room count_room(const struct ingress *ingress,
				     const struct annotation_verdict *verdict)
{
	struct intent_room room = {.mentions = ingress->rule_count + 1,
				   .secrets = ingress->tls_count};

	for (uint32_t i = 0; i < ingress->tls_count; i++)
		room.text += ingress->object.namespace.len + ingress->tls[i].secret_name.len + 2;
	count_secret(&room, ingress, verdict->proxy_ssl.secret, 3);
	count_secret(&room, ingress, verdict->auth_tls.secret, 2);
	count_backend(&room, ingress, &ingress->default_backend);
	for (uint32_t rule = 0; rule < ingress->rule_count; rule++)
		for (uint32_t i = 0; i < ingress->rules[rule].path_count; i++)
			count_backend(&room, ingress, &ingress->rules[rule].paths[i].backend);
	return room;
}

static void add_mention(struct build *build, struct intent *intent, struct span host,
			const struct mention *from)
{
	struct mention *mention = &intent->mentions[intent->mention_count++];

	*mention = *from;
	mention->intent = intent;
	host_add_mention(build, host, mention);
}

static void add_catch_all(struct build *build, struct intent *intent)
{
	struct claim *claim = arena_take_zero(&intent->arena, sizeof(*claim));

	*claim = (struct claim){
		.path = S("/"), .type = MODEL_PREFIX, .target = intent->default_target};
	add_mention(
		build, intent, S(""),
		&(struct mention){.kind = MENTION_CATCH_ALL, .claims = claim, .claim_count = 1});
}

static void add_default(struct build *build, struct intent *intent)
{
	const struct ingress *ingress = intent->ingress;

	intent->has_default = ingress->has_default_backend &&
			      upstream_resolve(build, intent, &ingress->default_backend,
					       (struct span){NULL, 0}, &intent->default_target);
	if (intent->has_default && ingress->rule_count == 0)
		add_catch_all(build, intent);
}

/* A path of a rule on its way to a claim. */
struct reading {
	struct build *build;
	struct intent *intent;
	const struct ingress_path *path;
	struct span field; /* "spec.rules[0].http.paths[1]" */
};

static void report_path(const struct reading *reading, enum diagnostic_id id, const char *part,
			struct span value, const char *fault)
{
	struct build *build = reading->build;
	struct span field = arena_printf(&build->arena, "%s.%s", reading->field.ptr, part);

	diagnostics_add(build->diagnostics, id, &reading->intent->ingress->object, field,
			"%s %s. This path is left out", diagnostic_quote(value), fault);
}

/* False: the path is left out, and was reported. */
static bool read_path(const struct reading *reading, struct claim *claim)
{
	const struct ingress_path *path = reading->path;
	bool exact = span_equals(path->path_type, S("Exact"));
	bool prefix = span_equals(path->path_type, S("Prefix"));
	bool free_form = path->path_type.len == 0 ||
			 span_equals(path->path_type, S("ImplementationSpecific"));
	const char *fault;

	if (!exact && !prefix && !free_form) {
		report_path(reading, DIAGNOSTIC_BAD_PATH_TYPE, "pathType", path->path_type,
			    "does not exist; it is Exact, Prefix or ImplementationSpecific");
		return false;
	}
	claim->type = exact ? MODEL_EXACT : MODEL_PREFIX;
	claim->path = S("/");
	if (path->path.len == 0 && free_form)
		return true;
	fault = path->path.len == 0
			? "must begin with '/'"
			: rule_text_path_fault(path->path,
					       free_form ? RULE_TEXT_FREE : RULE_TEXT_STRICT);
	if (fault != NULL) {
		report_path(reading, DIAGNOSTIC_BAD_PATH, "path", path->path, fault);
		return false;
	}
	claim->path = rule_text_match_path(path->path, &reading->intent->arena);
	return true;
}

/* Those that are left out make no claim. */
static void read_paths(struct build *build, struct intent *intent, struct mention *mention)
{
	const struct ingress_rule *rule = &intent->ingress->rules[mention->rule];

	mention->claims = arena_take_zero(&intent->arena,
					  rule->path_count * sizeof(*mention->claims));
	for (uint32_t i = 0; i < rule->path_count; i++) {
		char field[FIELD_SIZE];
		int length = snprintf(field, sizeof(field), "spec.rules[%u].http.paths[%u]",
				      mention->rule, i);
		struct reading reading = {.build = build,
					  .intent = intent,
					  .path = &rule->paths[i],
					  .field = span_make(field, (size_t)length)};
		struct claim *claim = &mention->claims[mention->claim_count];

		claim->index = i;
		if (read_path(&reading, claim) &&
		    upstream_resolve(build, intent, &rule->paths[i].backend, reading.field,
				     &claim->target))
			mention->claim_count++;
	}
}

static bool check_host(struct build *build, const struct ingress *ingress, uint32_t rule)
{
	struct span host = ingress->rules[rule].host;
	const char *fault = host.len == 0 ? NULL : rule_text_host_fault(host);

	if (fault == NULL)
		return true;
	diagnostics_add(build->diagnostics, DIAGNOSTIC_BAD_HOST, &ingress->object,
			arena_printf(&build->arena, "spec.rules[%u].host", rule),
			"%s %s. This rule is left out", diagnostic_quote(host), fault);
	return false;
}

/* offers: NULL: the Ingress says nothing about TLS. */
static void add_rule(struct build *build, struct intent *intent, uint32_t index,
		     const struct certificate_offers *offers)
{
	const struct ingress_rule *rule = &intent->ingress->rules[index];
	struct mention mention = {.kind = MENTION_RULE, .rule = index};

	if (!check_host(build, intent->ingress, index))
		return;
	if (rule->has_http && rule->path_count == 0)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_MISSING_FIELD,
				&intent->ingress->object,
				arena_printf(&build->arena, "spec.rules[%u].http", index),
				"has no paths; it takes at least one");
	read_paths(build, intent, &mention);
	mention.decides_tls = offers != NULL && rule->host.len > 0;
	if (mention.decides_tls)
		mention.has_tls = certificate_choose(offers, rule->host, mention.certificates);
	add_mention(build, intent, rule->host, &mention);
}

static void add_rules(struct build *build, struct intent *intent)
{
	const struct ingress *ingress = intent->ingress;
	struct certificate_offers *offers = ingress->tls_count == 0
						    ? NULL
						    : certificate_offers_new(build, intent);

	for (uint32_t rule = 0; rule < ingress->rule_count; rule++)
		add_rule(build, intent, rule, offers);
	if (offers != NULL)
		certificate_offers_free(offers);
}

void from_ingress(struct build *build, const struct ingress *ingress)
{
	struct annotation_verdict verdict = {0};
	struct intent_room room;
	struct intent *intent;

	build->diagnostics = diagnostics_new();
	if (is_served(build, ingress, &verdict)) {
		room = count_room(ingress, &verdict);
		intent = intent_new(build, ingress, &room);
		intent->denied = verdict.denied;
		intent->ssl_redirect = verdict.ssl_redirect;
		intent->force_ssl_redirect = verdict.force_ssl_redirect;
		passthrough_read(build, intent, verdict.ssl_passthrough);
		balance_read(build, intent, &verdict.balance);
		upstream_protocol_read(build, intent, &verdict);
		client_certificate_read(build, intent, &verdict.auth_tls);
		host_tls_read(build, intent, &verdict);
		add_default(build, intent);
		add_rules(build, intent);
	} else {
		intent = intent_new(build, ingress, NULL);
	}
	diagnostics_replace(&intent->diagnostics, build->diagnostics, build->sink);
}
