/* SPDX-License-Identifier: Apache-2.0 */
#include "model/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "model/balance.h"
#include "model/nearest.h"
#include "model/rule_text.h"
#include "model/upstream_protocol.h"

enum { PORT_MAX = 65535 };

/* The Service port that a backend means, and where it is spelled. */
struct wanted {
	const struct service *service;
	const struct service_port *port; /* NULL: an ExternalName that does not declare it */
	struct span spelled;             /* "80" or "http" */
	uint16_t number;                 /* 0: spelled by name */
	bool http2;
	struct model_upstream_tls tls;
};

static struct span backend_field(struct build *build, struct span path)
{
	return path.len == 0 ? S("spec.defaultBackend")
			     : arena_printf(&build->arena, "%.*s.backend", (int)path.len, path.ptr);
}

static void report_missing_service(struct build *build, const struct ingress *ingress,
				   struct span path, struct span name)
{
	const struct map *services = &build->store->objects[OBJECT_SERVICE];
	struct span namespace = ingress->object.namespace;
	struct nearest nearest = nearest_to(name);

	for (struct map_entry *at = map_next(services, NULL);
	     at != NULL && build->compared < NEAREST_BUDGET; at = map_next(services, at)) {
		const struct object *each = container_of(at, struct object, by_name);

		build->compared++;
		if (span_equals(each->namespace, namespace))
			nearest_offer(&nearest, each->name);
	}
	diagnostics_add(build->diagnostics, DIAGNOSTIC_MISSING_SERVICE, &ingress->object,
			backend_field(build, path),
			"no Service %s in namespace %s%s%s%s; requests get 503",
			diagnostic_quote(name), diagnostic_quote(namespace),
			nearest.best.ptr == NULL ? "" : " (there is ",
			nearest.best.ptr == NULL ? "" : diagnostic_quote(nearest.best),
			nearest.best.ptr == NULL ? "" : ")");
}

/* "web 80, admin 9000" */
static struct span list_ports(struct build *build, const struct service *service)
{
	enum { SHOWN = 10 };
	struct buf list = {0};
	struct span text;

	for (uint32_t i = 0; i < service->port_count && i < SHOWN; i++) {
		const struct service_port *port = &service->ports[i];

		buf_printf(&list, "%s%.*s%s%u%s", i == 0 ? "" : ", ", (int)port->name.len,
			   port->name.ptr == NULL ? "" : port->name.ptr,
			   port->name.len == 0 ? "" : " ", port->port,
			   port->protocol == SERVICE_TCP ? "" : " not TCP");
	}
	if (service->port_count > SHOWN)
		buf_add(&list, S(", …"));
	text = arena_copy(&build->arena, buf_span(&list));
	buf_fini(&list);
	return text;
}

static void report_missing_port(struct build *build, const struct ingress *ingress,
				struct span path, const struct wanted *wanted)
{
	const struct object *service = &wanted->service->object;
	struct span ports = list_ports(build, wanted->service);

	if (wanted->number == 0)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_MISSING_PORT, &ingress->object,
				backend_field(build, path),
				"Service %s has no port named %s (it has: %s); requests get 503",
				service->by_name.key.ptr, diagnostic_quote(wanted->spelled),
				ports.len == 0 ? "none" : ports.ptr);
	else
		diagnostics_add(build->diagnostics, DIAGNOSTIC_MISSING_PORT, &ingress->object,
				backend_field(build, path),
				"Service %s has no port %u (it has: %s); requests get 503",
				service->by_name.key.ptr, wanted->number,
				ports.len == 0 ? "none" : ports.ptr);
}

/* The first port whose number, target port or name is what was written, however it was written. */
static const struct service_port *find_port(const struct wanted *wanted)
{
	const struct service *service = wanted->service;
	uint64_t number = wanted->number;

	if (number == 0)
		span_to_u64(wanted->spelled, &number);
	for (uint32_t i = 0; i < service->port_count; i++) {
		const struct service_port *port = &service->ports[i];

		if (port->protocol != SERVICE_TCP)
			continue;
		if ((number != 0 && (port->port == number || port->target_number == number)) ||
		    span_equals(port->name, wanted->spelled) ||
		    (port->target_name.len > 0 && span_equals(port->target_name, wanted->spelled)))
			return port;
	}
	return NULL;
}

/* The path of a field of a Service, in the arena of the build. */
static struct span port_field(struct build *build, const struct wanted *wanted, const char *field)
{
	return arena_printf(&build->arena, "spec.ports[%zu].%s",
			    (size_t)(wanted->port - wanted->service->ports), field);
}

static void report_unknown_protocol(struct build *build, const struct wanted *wanted)
{
	struct span protocol = wanted->port->app_protocol;

	if (upstream_protocol_of_word(protocol) == UPSTREAM_SPEAKS_NOT_YET)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_UNSUPPORTED_PROTOCOL,
				&wanted->service->object, port_field(build, wanted, "appProtocol"),
				"%s is not spoken yet; HTTP/1.1 is used",
				diagnostic_quote(protocol));
}

static bool is_local_name(struct span name)
{
	return span_equals_nocase(name, S("localhost")) ||
	       (name.len > 10 &&
		span_equals_nocase(span_skip(name, name.len - 10), S(".localhost")));
}

/* Why an externalName cannot be used, behind the quoted name; NULL: it can. */
static const char *external_fault(const struct build *build, struct span name)
{
	const struct model_options *options = build->options;
	const char *special;
	struct ip ip;

	if (!options->allow_external_name)
		return "is not followed, because of --disable-svc-external-name";
	if (ip_parse(name, &ip)) {
		special = ip_special_kind(&ip);
		if (special == NULL || options->tenant_destinations_free)
			return NULL;
		return special;
	}
	if (span_ends_with(name, S(".")))
		name.len--;
	if (!rule_text_is_dns_name(name))
		return "is not a DNS name";
	if (is_local_name(name) && !options->tenant_destinations_free)
		return "is this machine, which a Service may not lead to";
	return NULL;
}

static bool can_follow(struct build *build, const struct service *service)
{
	const char *fault = external_fault(build, service->external_name);

	if (fault == NULL)
		return true;
	diagnostics_add(build->diagnostics, DIAGNOSTIC_EXTERNAL_NAME, &service->object,
			S("spec.externalName"), "%s %s%s; requests get 503",
			diagnostic_quote(service->external_name),
			span_find(span_from(fault), ' ') == SIZE_MAX
				? "is an address that a Service may "
				  "not lead to: "
				: "",
			fault);
	return false;
}

static uint16_t external_port(const struct wanted *wanted)
{
	if (wanted->port == NULL)
		return wanted->number;
	return wanted->port->target_number != 0 ? wanted->port->target_number : wanted->port->port;
}

static struct upstream *upstream_of(struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct upstream, model.by_key);
}

static struct span put(char **at, struct span text)
{
	struct span copy = {*at, text.len};

	if (text.len > 0)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copy;
}

static void set_ports(struct model_upstream *model, const struct wanted *wanted, char **at)
{
	if (wanted->service->type == SERVICE_EXTERNAL_NAME) {
		model->external_name = put(at, wanted->service->external_name);
		model->external_port = external_port(wanted);
		return;
	}
	model->port_name = put(at, wanted->port->name);
	model->target_number = wanted->port->target_number;
	/* targetPort that is not given is the port itself */
	if (model->target_number == 0 && wanted->port->target_name.len == 0)
		model->target_number = wanted->port->port;
}

static size_t measure_tls(const struct model_upstream_tls *tls)
{
	return tls->certificate.len + tls->authorities.len + tls->server_name.len +
	       tls->verify_name.len + tls->ciphers.len;
}

static struct model_upstream_tls put_tls(char **at, const struct model_upstream_tls *tls)
{
	struct model_upstream_tls copy = *tls;

	copy.certificate = put(at, tls->certificate);
	copy.authorities = put(at, tls->authorities);
	copy.server_name = put(at, tls->server_name);
	copy.verify_name = put(at, tls->verify_name);
	copy.ciphers = put(at, tls->ciphers);
	return copy;
}

static struct upstream *new_upstream(struct build *build, const struct wanted *wanted,
				     struct span key)
{
	const struct object *service = &wanted->service->object;
	const struct span name[] = {service->namespace, S("-"), service->name, S("-"),
				    wanted->spelled};
	struct span joined = build_join(&build->arena, name, 5);
	size_t size = key.len + joined.len + service->namespace.len + service->name.len +
		      wanted->service->external_name.len +
		      (wanted->port == NULL ? 0 : wanted->port->name.len) +
		      measure_tls(&wanted->tls);
	struct upstream *upstream = memory_new(sizeof(*upstream) + size);
	char *at = upstream->text;

	upstream->model.by_key.key = put(&at, key);
	upstream->model.name = put(&at, joined);
	upstream->model.namespace = put(&at, service->namespace);
	upstream->model.service = put(&at, service->name);
	set_ports(&upstream->model, wanted, &at);
	upstream->model.http2 = wanted->http2;
	upstream->model.tls = put_tls(&at, &wanted->tls);
	upstream->model.balance.algorithm = build->model.settings.load_balance;
	list_init(&upstream->model.link);
	list_init(&upstream->of_service);
	list_init(&upstream->unheld);
	list_init(&upstream->holds);
	list_init(&upstream->undecided);
	return upstream;
}

/* What is wrong with it is found once, whoever leads to it. */
static bool can_be(struct build *build, const struct wanted *wanted, struct upstream *upstream)
{
	struct diagnostics *outer = build->diagnostics;
	bool external = wanted->service->type == SERVICE_EXTERNAL_NAME;
	bool result;

	build->diagnostics = diagnostics_new();
	result = !external || can_follow(build, wanted->service);
	if (result && wanted->port != NULL)
		report_unknown_protocol(build, wanted);
	diagnostics_replace(&upstream->diagnostics, build->diagnostics, build->sink);
	build->diagnostics = outer;
	return result;
}

/* All that makes an upstream another one. No part of it holds a blank. */
static struct span write_key(struct build *build, const struct wanted *wanted)
{
	const struct model_upstream_tls *tls = &wanted->tls;
	const struct span port[] = {wanted->service->object.by_name.key, S(":"), wanted->spelled,
				    wanted->http2 ? S(" http2") : S("")};
	struct span key = build_join(&build->arena, port, 4);

	if (!tls->is_used)
		return key;
	const struct span parts[] = {
		key,
		arena_printf(&build->arena, " tls %u %u ", tls->versions, tls->verify_depth),
		tls->certificate,
		S(" "),
		tls->authorities,
		S(" "),
		tls->server_name,
		S(" "),
		tls->verify_name,
		S(" "),
		tls->ciphers,
	};

	return build_join(&build->arena, parts, sizeof(parts) / sizeof(parts[0]));
}

/* The upstream of that Service, spelling and protocol, new or not. */
static struct upstream *get_upstream(struct build *build, const struct wanted *wanted)
{
	const struct object *service = &wanted->service->object;
	struct span key = write_key(build, wanted);
	struct upstream *upstream = upstream_of(map_find(&build->model.upstreams_by_key, key));

	if (upstream == NULL)
		upstream = upstream_of(map_find(&build->refused, key));
	if (upstream != NULL)
		return upstream;
	upstream = new_upstream(build, wanted, key);
	list_map_add(&build->upstreams_by_service, service->by_name.key, &upstream->of_service);
	list_add_last(&build->unheld, &upstream->unheld);
	upstream->is_refused = !can_be(build, wanted, upstream);
	if (upstream->is_refused) {
		map_add(&build->refused, &upstream->model.by_key);
		return upstream;
	}
	map_add(&build->model.upstreams_by_key, &upstream->model.by_key);
	list_add_last(&build->model.upstreams, &upstream->model.link);
	build_note_upstream(build, upstream->model.by_key.key);
	return upstream;
}

static void make_undecided(struct build *build, struct upstream *upstream)
{
	list_remove(&upstream->undecided);
	list_add_last(&build->undecided, &upstream->undecided);
}

void upstream_hold(struct build *build, struct upstream *upstream, struct hold *hold)
{
	upstream->holders++;
	list_remove(&upstream->unheld);
	if (hold != NULL)
		list_add_last(&upstream->holds, &hold->of_upstream);
	make_undecided(build, upstream);
}

void upstream_release(struct build *build, struct upstream *upstream, struct hold *hold)
{
	BUG_ON(upstream->holders == 0);
	if (hold != NULL)
		list_remove(&hold->of_upstream);
	make_undecided(build, upstream);
	if (--upstream->holders == 0)
		list_add_last(&build->unheld, &upstream->unheld);
}

void upstream_decide(struct build *build)
{
	list_for_each_safe (link, &build->undecided) {
		struct upstream *upstream = container_of(link, struct upstream, undecided);

		list_remove(link);
		if (balance_decide(build, upstream) && !upstream->is_refused)
			build_note_upstream(build, upstream->model.by_key.key);
	}
}

/* It is there in name alone until the next update. */
static void leave(struct build *build, struct upstream *upstream)
{
	const struct span parts[] = {upstream->model.namespace, S("/"), upstream->model.service};

	list_map_remove(&build->upstreams_by_service, build_join(&build->arena, parts, 3),
			&upstream->of_service);
	map_remove(upstream->is_refused ? &build->refused : &build->model.upstreams_by_key,
		   &upstream->model.by_key);
	list_remove(&upstream->model.link);
	if (!upstream->is_refused)
		build_note_upstream(build, upstream->model.by_key.key);
	diagnostics_drop(&upstream->diagnostics, build->sink);
	list_remove(&upstream->undecided);
	list_remove(&upstream->unheld);
	list_add_last(&build->gone_upstreams, &upstream->unheld);
}

void upstream_forget_service(struct build *build, struct span service)
{
	struct list *upstreams;

	while ((upstreams = list_map_find(&build->upstreams_by_service, service)) != NULL) {
		struct upstream *upstream = container_of(upstreams->next, struct upstream,
							 of_service);

		BUG_ON(upstream->holders > 0);
		leave(build, upstream);
	}
}

void upstream_forget_unheld(struct build *build)
{
	list_for_each_safe (link, &build->unheld)
		leave(build, container_of(link, struct upstream, unheld));
}

void upstream_free_gone(struct build *build)
{
	list_for_each_safe (link, &build->gone_upstreams) {
		struct upstream *upstream = container_of(link, struct upstream, unheld);

		list_remove(link);
		diagnostics_free(upstream->diagnostics);
		free(upstream->hash_by);
		free(upstream);
	}
}

static void leave_all(struct build *build, struct map *map)
{
	struct map_entry *entry = map_next(map, NULL);

	while (entry != NULL) {
		struct upstream *upstream = upstream_of(entry);

		entry = map_next(map, entry);
		leave(build, upstream);
	}
}

void upstream_free_all(struct build *build)
{
	leave_all(build, &build->model.upstreams_by_key);
	leave_all(build, &build->refused);
	upstream_free_gone(build);
}

/* Whether one Service port is meant; what is not is reported. */
static bool check_backend(struct build *build, const struct ingress *ingress,
			  const struct ingress_backend *backend, struct span path)
{
	const struct object *object = &ingress->object;
	const char *fault = NULL;

	if (backend->has_resource && !backend->has_service) {
		diagnostics_add(
			build->diagnostics, DIAGNOSTIC_UNSUPPORTED_RESOURCE, object,
			backend_field(build, path),
			"leads to a resource (%s %s), which Ingot does not serve; it is left "
			"out. A backend is a Service",
			diagnostic_quote(backend->resource_kind),
			diagnostic_quote(backend->resource_name));
		return false;
	}
	if (backend->has_service && backend->has_resource)
		fault = "names a service and a resource; it takes one of them, and is left out";
	else if (!backend->has_service)
		fault = "names no service; write service: {name: web, port: {number: 80}}. It is "
			"left "
			"out";
	else if (backend->service_name.len == 0)
		fault = "names a service without a name; it is left out";
	else if (backend->port_name.len > 0 && backend->port_number != 0)
		fault = "has a port with name and number; it takes one of them, and is left out";
	else if (backend->port_name.len == 0 && backend->port_number == 0)
		fault = "has no port; write port: {number: 80} or port: {name: http}. It is left "
			"out";
	else if (backend->port_number < 0 || backend->port_number > PORT_MAX)
		fault = "has a port number that is not from 1 to 65535; it is left out";
	if (fault != NULL)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_BAD_BACKEND, object,
				backend_field(build, path), "%s", fault);
	return fault == NULL;
}

static struct span spell_number(struct arena *arena, uint16_t number)
{
	char text[8];
	int length = snprintf(text, sizeof(text), "%u", number);

	return arena_copy(arena, span_make(text, (size_t)length));
}

/* Where requests go that mean this port; the intent holds it. */
static void resolve_port(struct build *build, struct intent *intent, struct span path,
			 struct wanted *wanted, struct target *target)
{
	bool external = wanted->service->type == SERVICE_EXTERNAL_NAME;
	enum upstream_speech speech;
	struct upstream *upstream;

	wanted->port = find_port(wanted);
	if (wanted->port == NULL && (!external || wanted->number == 0)) {
		report_missing_port(build, intent->ingress, path, wanted);
		return;
	}
	speech = upstream_protocol_of(intent, wanted->port);
	if (speech == UPSTREAM_SPEAKS_NOT_YET)
		return;
	wanted->http2 = upstream_protocol_is_http2(speech);
	if (upstream_protocol_is_secure(speech)) {
		wanted->tls = upstream_protocol_tls(build, intent, wanted->service);
		upstream_protocol_note_tls(build, intent, backend_field(build, path));
	}
	upstream = get_upstream(build, wanted);
	intent_hold(build, intent, upstream);
	if (upstream->is_refused)
		return;
	target->upstream = upstream;
	target->answer = MODEL_PROXY;
}

bool upstream_resolve(struct build *build, struct intent *intent,
		      const struct ingress_backend *backend, struct span path,
		      struct target *target)
{
	const struct ingress *ingress = intent->ingress;
	const struct span service[] = {ingress->object.namespace, S("/"), backend->service_name};
	struct wanted wanted = {.spelled = backend->port_name};

	*target = (struct target){.answer = MODEL_NO_SERVICE, .service = backend->service_name};
	if (!check_backend(build, ingress, backend, path))
		return false;
	if (wanted.spelled.len == 0) {
		wanted.number = (uint16_t)backend->port_number;
		wanted.spelled = spell_number(&intent->arena, wanted.number);
	}
	target->port = wanted.spelled;
	intent_use(intent, &intent->services, build_join(&build->arena, service, 3));
	wanted.service = store_find_service(build->store, ingress->object.namespace,
					    backend->service_name);
	if (wanted.service == NULL) {
		intent_miss_service(build, intent);
		report_missing_service(build, ingress, path, backend->service_name);
	} else {
		resolve_port(build, intent, path, &wanted, target);
	}
	return true;
}

static const struct service_port *first_tcp_port(const struct service *service)
{
	for (uint32_t i = 0; i < service->port_count; i++)
		if (service->ports[i].protocol == SERVICE_TCP)
			return &service->ports[i];
	return NULL;
}

struct target upstream_default(struct build *build)
{
	struct target target = {.answer = MODEL_NOT_FOUND};
	struct span name = build->options->default_backend;
	struct span namespace = span_cut(&name, '/');
	struct wanted wanted = {0};
	enum upstream_speech speech;
	struct upstream *upstream;

	if (namespace.len == 0)
		return target;
	wanted.service = store_find_service(build->store, namespace, name);
	wanted.port = wanted.service == NULL ? NULL : first_tcp_port(wanted.service);
	if (wanted.port == NULL) {
		diagnostics_add_place(
			build->diagnostics, DIAGNOSTIC_MISSING_SERVICE, (struct span){NULL, 0}, 0,
			0,
			"--default-backend-service: no Service %s%s; requests that no "
			"rule takes get 404",
			diagnostic_quote(build->options->default_backend),
			wanted.service == NULL ? "" : " with a TCP port");
		return target;
	}
	wanted.number = wanted.port->port;
	wanted.spelled = spell_number(&build->lasting, wanted.number);
	speech = upstream_protocol_of(NULL, wanted.port);
	wanted.http2 = upstream_protocol_is_http2(speech);
	if (upstream_protocol_is_secure(speech))
		wanted.tls = upstream_protocol_tls(build, NULL, wanted.service);
	upstream = get_upstream(build, &wanted);
	upstream_hold(build, upstream, NULL);
	if (upstream->is_refused)
		return target;
	target.upstream = upstream;
	target.answer = MODEL_PROXY;
	target.service = upstream->model.service;
	target.port = wanted.spelled;
	return target;
}
