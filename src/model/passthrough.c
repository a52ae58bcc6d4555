/* SPDX-License-Identifier: Apache-2.0 */
#include "model/passthrough.h"

#include "model/annotation.h"
#include "model/scalar.h"

#define NAME "ssl-passthrough"

void passthrough_read(struct build *build, struct intent *intent, struct span text)
{
	bool wanted = false;

	if (text.len == 0)
		return;
	if (!scalar_bool(text, &wanted))
		annotation_report(
			build, intent->ingress, DIAGNOSTIC_BAD_ANNOTATION, NAME, text,
			"does not fit: it takes \"true\" or \"false\"; TLS is ended here");
	else if (wanted && !build->options->ssl_passthrough)
		annotation_report(build, intent->ingress, DIAGNOSTIC_NEEDS_FLAG, NAME, S(""),
				  "has no effect without the flag --enable-ssl-passthrough; TLS "
				  "is ended here");
	else
		intent->passthrough = wanted ? PASSTHROUGH_YES : PASSTHROUGH_NO;
}

static void report(struct build *build, const struct intent *intent, enum diagnostic_id id,
		   struct span host, const char *what)
{
	struct span shown = host.len == 0 ? S("every other host") : host;
	struct span text = arena_printf(&build->arena, "%.*s %s", (int)shown.len, shown.ptr, what);

	annotation_report(build, intent->ingress, id, NAME, S(""), text.ptr);
}

/* As routes_root of the table finds it; NULL: the host has none but the implicit one. */
static const struct model_route *root_of(const struct host *host)
{
	const struct model_route *root = NULL;

	for (const struct model_route *route = host->model.first; route != NULL;
	     route = route->next) {
		if (route->path.len != 1 || route->implicit)
			continue;
		if (root == NULL || route->type == MODEL_PREFIX)
			root = route;
	}
	return root;
}

/* Why TLS of the host cannot be passed on; NULL: it can. */
static const char *hindrance(const struct host *host, const struct intent *by)
{
	const struct model_route *root = root_of(host);

	if (host->model.by_name.key.len == 0)
		return "has no name that clients could ask for; TLS is ended here";
	if (root == NULL)
		return "has no path / that TLS could be passed on by; it is ended here";
	if (root->answer == MODEL_DENIED)
		return "answers 503 on path /, for what guards it is not obeyed; TLS is ended here";
	if (!span_equals(root->namespace, by->ingress->object.namespace))
		return "has a path / of another namespace; TLS is ended here";
	if (root->answer != MODEL_PROXY)
		return "has no Service behind its path /; TLS is ended here";
	return NULL;
}

/* Those who say otherwise are told. */
static const struct intent *find_decider(struct build *build, const struct host *host)
{
	const struct intent *decider = NULL;

	list_for_each (link, &host->mentions) {
		const struct intent *intent = container_of(link, struct mention, of_host)->intent;

		if (intent->passthrough == PASSTHROUGH_UNSAID)
			continue;
		if (!host_is_of(host, intent)) {
			host_report_foreign(build, host, intent, NAME, "TLS is ended here");
			continue;
		}
		if (decider == NULL)
			decider = intent;
		else if (decider->passthrough != intent->passthrough)
			report(build, intent, DIAGNOSTIC_DUPLICATE_PASSTHROUGH,
			       host->model.by_name.key,
			       arena_printf(&build->arena,
					    "is decided by %s, which is older; this annotation is "
					    "ignored there",
					    decider->ingress->object.by_name.key.ptr)
				       .ptr);
	}
	return decider;
}

void passthrough_decide(struct build *build, struct host *host)
{
	const struct intent *decider = find_decider(build, host);
	const char *why;

	host->model.passthrough = false;
	if (decider == NULL || decider->passthrough != PASSTHROUGH_YES)
		return;
	why = hindrance(host, decider);
	host->model.passthrough = why == NULL;
	if (why != NULL)
		report(build, decider, DIAGNOSTIC_NOT_PASSED_ON, host->model.by_name.key, why);
}
