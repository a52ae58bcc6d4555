/* SPDX-License-Identifier: Apache-2.0 */
#include "model/settings.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>

#include "base/bug.h"
#include "kube/object/config.h"
#include "model/balance.h"
#include "model/cipher_list.h"
#include "model/dh_parameters.h"
#include "model/nearest.h"
#include "model/scalar.h"

enum { BUFFER_SIZE_MAX = 16 << 20 };

/* Bits of model_settings.tls_versions. */
enum { TLS_1_2, TLS_1_3 };

enum key_class {
	KEY_OBEYED,
	KEY_LATER,
	KEY_GUARD,
	KEY_NO_EFFECT,
	KEY_REMOVED,
	KEY_REFUSED,
	KEY_NEVER_DONE
};

enum key_type {
	TYPE_NONE,
	TYPE_SECONDS,
	TYPE_SECONDS_OR_NONE,
	TYPE_TIME,
	TYPE_COUNT,
	TYPE_COUNT_OR_NONE,
	TYPE_SIZE,
	TYPE_BUFFER_SIZE,
	TYPE_BOOL,
	TYPE_SWITCH_ON,
	TYPE_SWITCH_OFF,
	TYPE_HEADER_BUFFERS,
	TYPE_RETRY_CASES,
	TYPE_NETWORKS,
	TYPE_REDIRECT_CODE,
	TYPE_TLS_VERSIONS,
	TYPE_CIPHERS,
	TYPE_CURVES,
	TYPE_TICKET_KEY,
	TYPE_DH_SECRET,
	TYPE_DIGITS,
	TYPE_PATHS,
	TYPE_ALGORITHM,
};

struct key {
	const char *name;
	enum key_class class;
	enum key_type type;
	size_t field;    /* offset in struct config */
	const char *why; /* it is never done */
};

static const struct key keys[] = {
#define KEY_VALUE(name, type, field) \
	{name, KEY_OBEYED, TYPE_##type, offsetof(struct config, field), NULL},
#define KEY(name, class)     {name, KEY_##class, TYPE_NONE, 0, NULL},
#define KEY_NEVER(name, why) {name, KEY_NEVER_DONE, TYPE_NONE, 0, why},
#include "model/config_key.def"
#undef KEY_VALUE
#undef KEY_NEVER
#undef KEY
};

enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

/* What is being read. */
struct reading {
	struct build *build;
	struct config *config;
	struct arena *arena; /* that lasts */
	const struct config_map *map;
	bool has_networks;
};

static const struct key *find_key(struct span name)
{
	size_t low = 0;
	size_t high = KEY_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = span_compare(span_from(keys[middle].name), name);

		if (order == 0)
			return &keys[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Private addresses: who is trusted when a switch says "trust" and no list says whom (security spec, F1). */
static void trust_private(struct model_settings *settings, struct arena *arena)
{
	static const char *const private[] = {"10.0.0.0/8",  "172.16.0.0/12", "192.168.0.0/16",
					      "127.0.0.0/8", "::1/128",       "fc00::/7"};
	enum { COUNT = sizeof(private) / sizeof(private[0]) };
	struct ip_network *networks = arena_take(arena, COUNT * sizeof(*networks));

	for (size_t i = 0; i < COUNT; i++)
		BUG_ON(!ip_network_parse(span_from(private[i]), &networks[i]));
	settings->trusted = networks;
	settings->trusted_count = COUNT;
}

void settings_default(struct config *config, struct arena *arena)
{
	*config = (struct config){
		.settings =
			{
				.client_header_timeout_ms = 60000,
				.client_body_timeout_ms = 60000,
				.keep_alive_timeout_ms = 75000,
				.keep_alive_requests = 1000,
				.header_line_bytes = 8 << 10,
				.header_total_bytes = 32 << 10,
				.upstream_keepalive_connections = 320,
				.upstream_keepalive_timeout_ms = 60000,
				.upstream_keepalive_time_ms = 3600000,
				.upstream_keepalive_requests = 10000,
				.drain_timeout_ms = 240000,
				.proxy_header_timeout_ms = 5000,
				.stream_idle_timeout_ms = 600000,
				.stream_retry_timeout_ms = 600000,
				.stream_tries = 3,
				.stream_retry = true,
				.ssl_session_timeout_ms = 600000,
				.tls_record_bytes = 16 << 10,
				.ignore_invalid_headers = true,
				.generate_request_id = true,
				.access_log = true,
				.ssl_redirect = true,
				.use_http2 = true,
				.hsts = true,
				.hsts_include_subdomains = true,
				.tls_versions = BIT(TLS_1_2) | BIT(TLS_1_3),
				.http_redirect_code = 308,
				.load_balance = MODEL_EWMA,
				.http2_concurrent_streams = 128,
				.hsts_max_age = S("31536000"),
				.no_tls_redirect = S("/.well-known/acme-challenge"),
			},
		.policy =
			{
				.body_limit_bytes = 1 << 20,
				.connect_timeout_ms = 5000,
				.send_timeout_ms = 60000,
				.read_timeout_ms = 60000,
				.next_upstream = BIT(MODEL_RETRY_ERROR) | BIT(MODEL_RETRY_TIMEOUT),
				.next_upstream_tries = 3,
				.response_head_bytes = 4 << 10,
			},
	};
	trust_private(&config->settings, arena);
}

/* Parsers: false leaves the field alone. */

static bool read_count(struct span text, uint64_t least, uint64_t most, uint64_t unit, void *field)
{
	uint64_t number;

	if (!span_to_u64(text, &number) || number < least || number > most / unit)
		return false;
	*(uint32_t *)field = (uint32_t)(number * unit);
	return true;
}

static bool read_time(struct span text, void *field)
{
	uint64_t ms;

	if (!scalar_time_ms(text, &ms) || ms == 0)
		return false;
	*(uint32_t *)field = (uint32_t)ms;
	return true;
}

static bool read_buffer_size(struct span text, void *field)
{
	uint64_t bytes;

	if (!scalar_size(text, &bytes) || bytes == 0 || bytes > BUFFER_SIZE_MAX)
		return false;
	*(uint32_t *)field = (uint32_t)bytes;
	return true;
}

static bool read_switch(struct span text, bool to, void *field)
{
	bool on;

	if (!scalar_bool(text, &on))
		return false;
	if (on)
		*(bool *)field = to;
	return true;
}

/* "4 8k": one line may have the size, the whole head all of it. */
static bool read_header_buffers(struct span text, struct model_settings *settings)
{
	struct span size = text;
	struct span count = span_cut(&size, ' ');
	uint64_t number;
	uint64_t bytes;

	if (!span_to_u64(count, &number) || !scalar_size(span_trim(size), &bytes) || number == 0 ||
	    number > BUFFER_SIZE_MAX || bytes == 0 || bytes > BUFFER_SIZE_MAX / number)
		return false;
	settings->header_line_bytes = (uint32_t)bytes;
	settings->header_total_bytes = (uint32_t)(number * bytes);
	return true;
}

static bool read_retry_word(struct span word, uint32_t *cases)
{
	static const char *const words[MODEL_RETRY_COUNT] = {
		[MODEL_RETRY_ERROR] = "error",
		[MODEL_RETRY_TIMEOUT] = "timeout",
		[MODEL_RETRY_INVALID_HEADER] = "invalid_header",
		[MODEL_RETRY_HTTP_500] = "http_500",
		[MODEL_RETRY_HTTP_502] = "http_502",
		[MODEL_RETRY_HTTP_503] = "http_503",
		[MODEL_RETRY_HTTP_504] = "http_504",
		[MODEL_RETRY_HTTP_403] = "http_403",
		[MODEL_RETRY_HTTP_404] = "http_404",
		[MODEL_RETRY_HTTP_429] = "http_429",
		[MODEL_RETRY_NON_IDEMPOTENT] = "non_idempotent",
	};

	for (unsigned i = 0; i < MODEL_RETRY_COUNT; i++) {
		if (span_equals(word, span_from(words[i]))) {
			*cases |= BIT(i);
			return true;
		}
	}
	return false;
}

static bool read_retry_cases(struct span text, void *field)
{
	uint32_t cases = 0;

	if (span_equals(text, S("off"))) {
		*(uint32_t *)field = 0;
		return true;
	}
	while (text.len > 0) {
		struct span word = span_cut(&text, ' ');

		if (word.len > 0 && !read_retry_word(word, &cases))
			return false;
	}
	if (cases == 0)
		return false;
	*(uint32_t *)field = cases;
	return true;
}

static bool read_networks(struct reading *reading, struct span text)
{
	size_t most = 1;
	uint32_t count = 0;
	struct ip_network *networks;

	for (size_t i = 0; i < text.len; i++)
		most += text.ptr[i] == ',';
	networks = arena_take(reading->arena, most * sizeof(*networks));
	while (text.len > 0) {
		struct span network = span_trim(span_cut(&text, ','));

		if (network.len == 0)
			continue;
		if (!ip_network_parse(network, &networks[count]))
			return false;
		count++;
	}
	reading->config->settings.trusted = networks;
	reading->config->settings.trusted_count = count;
	reading->has_networks = true;
	return true;
}

static bool read_redirect_code(struct span text, void *field)
{
	uint64_t code;

	if (!span_to_u64(text, &code) || code < 300 || code > 308)
		return false;
	*(uint32_t *)field = (uint32_t)code;
	return true;
}

/* Words of versions; older ones than those that Ingot speaks are no reason to refuse the rest. */
static bool read_tls_versions(struct span text, void *field)
{
	uint32_t versions = 0;

	while (text.len > 0) {
		struct span word = span_cut(&text, ' ');

		if (span_equals_nocase(word, S("TLSv1.2")))
			versions |= BIT(TLS_1_2);
		else if (span_equals_nocase(word, S("TLSv1.3")))
			versions |= BIT(TLS_1_3);
		else if (word.len > 0 && !span_equals_nocase(word, S("TLSv1.1")) &&
			 !span_equals_nocase(word, S("TLSv1")))
			return false;
	}
	if (versions == 0)
		return false;
	*(uint32_t *)field = versions;
	return true;
}

static bool read_ciphers(struct reading *reading, struct span text, struct span *field)
{
	if (cipher_judge_ciphers(reading->build->judge, text) != NULL)
		return false;
	*field = text;
	return true;
}

static bool read_curves(struct reading *reading, struct span text, struct span *field)
{
	if (span_equals(text, S("auto"))) {
		*field = S("");
		return true;
	}
	if (cipher_judge_curves(reading->build->judge, text) != NULL)
		return false;
	*field = text;
	return true;
}

/* Nothing of it may be said or kept but the key itself. */
static bool read_ticket_key(struct reading *reading, struct span text, struct span *field)
{
	/* in groups of three bytes, the last of which is short of one */
	enum { TEXT_BYTES = 108, ROOM = TEXT_BYTES / 4 * 3 };
	unsigned char bytes[ROOM];
	bool is_key = text.len == TEXT_BYTES && text.ptr[TEXT_BYTES - 1] == '=' &&
		      text.ptr[TEXT_BYTES - 2] != '=' &&
		      EVP_DecodeBlock(bytes, (const unsigned char *)text.ptr, TEXT_BYTES) == ROOM;

	static_assert(ROOM - 1 == MODEL_TICKET_KEY_BYTES, "all of it");
	if (is_key)
		*field = arena_copy(reading->arena,
				    span_make((const char *)bytes, MODEL_TICKET_KEY_BYTES));
	explicit_bzero(bytes, sizeof(bytes));
	return is_key;
}

static bool report_dh(const struct reading *reading, const char *what)
{
	diagnostics_add(reading->build->diagnostics, DIAGNOSTIC_BAD_SECRET, &reading->map->object,
			S("data.ssl-dh-param"), "%s; DHE is not offered", what);
	return true;
}

/* The Secret may come later: then all settings are read again. */
static bool read_dh_secret(struct reading *reading, struct span text, struct span *field)
{
	struct span name = text;
	struct span namespace = span_cut(&name, '/');
	const struct secret *secret;
	struct buf der = {0};
	struct error err;

	if (namespace.len == 0 || name.len == 0 || span_find(name, '/') != SIZE_MAX)
		return false;
	reading->build->dh_secret = arena_copy(reading->arena, text);
	secret = (const struct secret *)store_find(reading->build->store, OBJECT_SECRET, namespace,
						   name);
	if (secret == NULL)
		return report_dh(reading, "the Secret does not exist");
	if (dh_parameters_read(pairs_find(&secret->data, S("dhparam.pem")), &der, &err) == 0) {
		*field = arena_copy(reading->arena, buf_span(&der));
	} else {
		error_prefix(&err, "dhparam.pem of the Secret ");
		report_dh(reading, err.text);
	}
	buf_fini(&der);
	return true;
}

static bool read_digits(struct span text, struct span *field)
{
	uint64_t number;

	if (!span_to_u64(text, &number))
		return false;
	*field = text;
	return true;
}

static bool read_paths(struct span text, struct span *field)
{
	struct span rest = text;

	while (rest.len > 0)
		if (!span_starts_with(span_trim(span_cut(&rest, ',')), S("/")))
			return false;
	*field = text;
	return true;
}

static bool read_value(struct reading *reading, const struct key *key, struct span text)
{
	void *field = (char *)reading->config + key->field;

	switch (key->type) {
	case TYPE_NONE:
		return true;
	case TYPE_SECONDS:
		return read_count(text, 1, UINT32_MAX, 1000, field);
	case TYPE_SECONDS_OR_NONE:
		return read_count(text, 0, UINT32_MAX, 1000, field);
	case TYPE_TIME:
		return read_time(text, field);
	case TYPE_COUNT:
		return read_count(text, 1, UINT32_MAX, 1, field);
	case TYPE_COUNT_OR_NONE:
		return read_count(text, 0, UINT32_MAX, 1, field);
	case TYPE_SIZE:
		return scalar_size(text, field);
	case TYPE_BUFFER_SIZE:
		return read_buffer_size(text, field);
	case TYPE_BOOL:
		return scalar_bool(text, field);
	case TYPE_SWITCH_ON:
		return read_switch(text, true, field);
	case TYPE_SWITCH_OFF:
		return read_switch(text, false, field);
	case TYPE_HEADER_BUFFERS:
		return read_header_buffers(text, &reading->config->settings);
	case TYPE_RETRY_CASES:
		return read_retry_cases(text, field);
	case TYPE_NETWORKS:
		return read_networks(reading, text);
	case TYPE_REDIRECT_CODE:
		return read_redirect_code(text, field);
	case TYPE_TLS_VERSIONS:
		return read_tls_versions(text, field);
	case TYPE_CIPHERS:
		return read_ciphers(reading, text, field);
	case TYPE_CURVES:
		return read_curves(reading, text, field);
	case TYPE_TICKET_KEY:
		return read_ticket_key(reading, text, field);
	case TYPE_DH_SECRET:
		return read_dh_secret(reading, text, field);
	case TYPE_DIGITS:
		return read_digits(text, field);
	case TYPE_PATHS:
		return read_paths(text, field);
	case TYPE_ALGORITHM:
		return balance_algorithm(text, field);
	}
	return false;
}

static const char *accepted(enum key_type type)
{
	static const char *const texts[] = {
		[TYPE_NONE] = "",
		[TYPE_SECONDS] = "it takes whole seconds from 1 on, for example \"60\"",
		[TYPE_SECONDS_OR_NONE] = "it takes whole seconds, for example \"75\", or \"0\"",
		[TYPE_TIME] = "it takes a time, for example \"90s\" or \"1h 30m\"",
		[TYPE_COUNT] = "it takes a whole number from 1 on, for example \"1000\"",
		[TYPE_COUNT_OR_NONE] = "it takes a whole number, for example \"3\", or \"0\"",
		[TYPE_SIZE] = "it takes a number with k, m or g, no space: \"10m\" or \"0\"",
		[TYPE_BUFFER_SIZE] = "it takes a number with k or m, no space, at most 16m: \"8k\"",
		[TYPE_BOOL] = "it takes \"true\" or \"false\"",
		[TYPE_SWITCH_ON] = "it takes \"true\" or \"false\"",
		[TYPE_SWITCH_OFF] = "it takes \"true\" or \"false\"",
		[TYPE_HEADER_BUFFERS] = "it takes a number and a size, for example \"4 8k\"",
		[TYPE_RETRY_CASES] =
			"it takes words such as \"error timeout http_503\", or \"off\"",
		[TYPE_NETWORKS] = "it takes addresses and networks with commas: \"10.0.0.0/8,::1\"",
		[TYPE_REDIRECT_CODE] = "it takes a status from 300 to 308",
		[TYPE_TLS_VERSIONS] = "it takes \"TLSv1.2\", \"TLSv1.3\" or both",
		[TYPE_CIPHERS] = "it takes ciphers that OpenSSL has, with colons",
		[TYPE_CURVES] = "it takes \"auto\", or curves that OpenSSL has, with colons",
		[TYPE_TICKET_KEY] =
			"it takes 80 bytes in base64: openssl rand -base64 80 | tr -d '\\n'",
		[TYPE_DH_SECRET] = "it takes \"namespace/name\" of a Secret with dhparam.pem",
		[TYPE_DIGITS] = "it takes whole seconds, for example \"31536000\"",
		[TYPE_ALGORITHM] = "it takes round_robin, ewma or least_requests",
		[TYPE_PATHS] = "it takes beginnings of paths with commas, each with a '/' first",
	};

	return texts[type];
}

static void report_unknown(struct reading *reading, const struct config_map *map, struct span field,
			   struct span name)
{
	struct diagnostics *diagnostics = reading->build->diagnostics;
	struct nearest nearest = nearest_to(name);

	for (size_t i = 0; i < KEY_COUNT && reading->build->compared < NEAREST_BUDGET;
	     i++, reading->build->compared++)
		nearest_offer(&nearest, span_from(keys[i].name));
	if (nearest.best.ptr != NULL)
		diagnostics_add(diagnostics, DIAGNOSTIC_UNKNOWN_KEY, &map->object, field,
				"unknown (did you mean %.*s?); it has no effect",
				(int)nearest.best.len, nearest.best.ptr);
	else
		diagnostics_add(diagnostics, DIAGNOSTIC_UNKNOWN_KEY, &map->object, field,
				"unknown; it has no effect");
}

/* What might be a key is not shown. */
static void report_value(struct reading *reading, struct span field, const struct key *key,
			 struct span value)
{
	const char *shown = key->type == TYPE_TICKET_KEY ? "the value" : diagnostic_quote(value);

	diagnostics_add(reading->build->diagnostics, DIAGNOSTIC_BAD_VALUE, &reading->map->object,
			field, "%s does not fit: %s; the default holds", shown,
			accepted(key->type));
}

static bool is_switched_off(struct span text)
{
	bool on;

	return scalar_bool(text, &on) && !on;
}

static void read_key(struct reading *reading, const struct config_map *map, struct span field,
		     const struct pair *pair)
{
	struct diagnostics *diagnostics = reading->build->diagnostics;
	const struct key *key = find_key(pair->key);
	struct span text = span_trim(pair->value);
	const struct object *object = &map->object;

	if (key == NULL) {
		report_unknown(reading, map, field, pair->key);
		return;
	}
	switch (key->class) {
	case KEY_OBEYED:
		if (!read_value(reading, key, text))
			report_value(reading, field, key, pair->value);
		break;
	case KEY_NEVER_DONE:
		if (!is_switched_off(text))
			diagnostics_add(diagnostics, DIAGNOSTIC_KEY_NEVER, object, field,
					"has no effect: %s", key->why);
		break;
	case KEY_LATER:
		diagnostics_add(diagnostics, DIAGNOSTIC_KEY_NOT_YET, object, field,
				"known, but not obeyed yet; it has no effect");
		break;
	case KEY_GUARD:
		if (text.len == 0 || is_switched_off(text))
			break;
		reading->build->denied = true;
		diagnostics_add(diagnostics, DIAGNOSTIC_KEY_GUARD, object, field,
				"known, but not obeyed yet; so that nobody gets past it, every "
				"route to a Service answers 503. Remove the key, or guard the "
				"Services in front of Ingot");
		break;
	case KEY_REMOVED:
		diagnostics_add(diagnostics, DIAGNOSTIC_KEY_NOT_YET, object, field,
				"a key of old releases; it has no effect");
		break;
	case KEY_REFUSED:
		if (!is_switched_off(text))
			diagnostics_add(
				diagnostics, DIAGNOSTIC_KEY_REFUSED, object, field,
				"Ingot never executes configuration snippets; the key has no "
				"effect. See the migration guide for native replacements");
		break;
	case KEY_NO_EFFECT:
		break;
	}
}

/* A switch that trusts and no list: said once, since ingress-nginx would trust everybody. */
static void report_trust(const struct reading *reading, const struct config_map *map)
{
	const struct model_settings *settings = &reading->config->settings;

	if (reading->has_networks ||
	    (!settings->use_forwarded_headers && !settings->use_proxy_protocol))
		return;
	diagnostics_add(reading->build->diagnostics, DIAGNOSTIC_TRUST_PRIVATE, &map->object,
			S("data"),
			"%s are trusted from private addresses alone, because "
			"proxy-real-ip-cidr is not set; write for example proxy-real-ip-cidr: "
			"\"203.0.113.0/24\"",
			!settings->use_proxy_protocol     ? "forwarded headers"
			: settings->use_forwarded_headers ? "PROXY and forwarded headers"
							  : "PROXY headers");
}

void settings_read(struct build *build, const struct config_map *map, struct config *config)
{
	struct reading reading = {
		.build = build, .config = config, .arena = &build->lasting, .map = map};
	struct buf field = {0};

	for (uint32_t i = 0; i < map->data.count; i++) {
		buf_clear(&field);
		buf_add(&field, S("data"));
		field_path_add(&field, map->data.items[i].key);
		read_key(&reading, map, buf_span(&field), &map->data.items[i]);
	}
	buf_fini(&field);
	report_trust(&reading, map);
}
