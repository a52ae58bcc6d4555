/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/certificate.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "proxy/tls_terms.h"
#include "proxy/worker.h"
#include "table/hash.h"

enum { KINDS = CERTIFICATE_RSA + 1, WORDS_MAX = 1024 };

static_assert(KINDS == 2, "host_tls has as many");
static_assert((int)TICKET_KEYS_MAX <= (int)TLS_TICKET_KEYS_MAX, "all of them fit");

/* What a context is made of. Bytes are compared: nothing of it may be left unset. */
struct certificate_key {
	struct certificate_id ids[KINDS];
	uint8_t digests[KINDS][32];
	struct tls_tag terms; /* of the host: what is asked of clients, and with which ciphers */
};

struct decoded {
	struct map_entry by_key;
	struct list used; /* the one used last comes last */
	struct certificate_key key;
	struct tls_context *context; /* NULL: they cannot be used, and that was told */
};

struct certificate_store {
	struct worker *worker;
	struct tls_server *server;
	struct map by_key;
	struct list used;
	uint64_t settings_hash; /* under which all of them were made */
};

static uint64_t hash_text(const struct routes *routes, struct table_span text, uint64_t seed)
{
	return table_hash(routes_text(routes, text), seed);
}

/* Of all that a context takes from the settings. */
static uint64_t hash_settings(const struct routes *routes)
{
	const struct table_settings *settings = routes->settings;
	const uint8_t switches[] = {settings->tls_versions, settings->use_http2,
				    settings->ssl_session_tickets};
	uint64_t hash = table_hash(span_make((const char *)switches, sizeof(switches)), 1);

	hash = table_hash(span_make((const char *)&settings->tls_record_bytes,
				    sizeof(settings->tls_record_bytes)),
			  hash);
	hash = hash_text(routes, settings->dh_parameters, hash);
	hash = hash_text(routes, settings->ssl_ciphers, hash);
	return hash_text(routes, settings->ssl_curves, hash);
}

static void drop(struct certificate_store *store, struct decoded *decoded)
{
	map_remove(&store->by_key, &decoded->by_key);
	list_remove(&decoded->used);
	tls_context_drop(decoded->context);
	free(decoded);
}

static void drop_all(struct certificate_store *store)
{
	list_for_each_safe (link, &store->used)
		drop(store, container_of(link, struct decoded, used));
}

void certificate_store_on_routes(struct certificate_store *store)
{
	const struct routes *routes = &store->worker->tables.routes.at[0]->routes;
	uint64_t hash = hash_settings(routes);

	tls_server_set_ticket_lifetime(store->server, routes->settings->ssl_session_timeout_s);
	if (hash != store->settings_hash)
		drop_all(store);
	store->settings_hash = hash;
}

static bool is_in_effect(const struct certificate_store *store, const struct certificate_key *key)
{
	for (unsigned kind = 0; kind < KINDS; kind++)
		if (!certificates_hold(&store->worker->tables.certificates, key->ids[kind],
				       key->digests[kind]))
			return false;
	return true;
}

static void drop_replaced(struct certificate_store *store)
{
	list_for_each_safe (link, &store->used) {
		struct decoded *decoded = container_of(link, struct decoded, used);

		if (!is_in_effect(store, &decoded->key))
			drop(store, decoded);
	}
}

static void set_ticket_keys(struct certificate_store *store)
{
	const struct certificates *shard = &store->worker->tables.certificates.at[0]->certificates;
	struct tls_ticket_key keys[TICKET_KEYS_MAX];

	for (uint32_t i = 0; i < shard->ticket_count; i++) {
		memcpy(keys[i].name, shard->tickets[i].name, sizeof(keys[i].name));
		memcpy(keys[i].cipher, shard->tickets[i].cipher, sizeof(keys[i].cipher));
		memcpy(keys[i].mac, shard->tickets[i].mac, sizeof(keys[i].mac));
	}
	tls_server_set_ticket_keys(store->server, keys, shard->ticket_count);
	explicit_bzero(keys, sizeof(keys));
}

void certificate_store_on_certificates(struct certificate_store *store)
{
	set_ticket_keys(store);
	drop_replaced(store);
}

/* A ticket resumes with the same certificates under the same settings alone (security spec, T5). */
static void hash_context(const struct certificate_store *store, const struct certificate_key *key,
			 unsigned char hash[static SHA256_DIGEST_LENGTH])
{
	struct {
		struct certificate_key key;
		uint64_t settings_hash;
	} of = {*key, store->settings_hash};

	static_assert(sizeof(of) == sizeof(of.key) + sizeof(of.settings_hash), "no padding");
	SHA256((const unsigned char *)&of, sizeof(of), hash);
}

/* A copy that ends with NUL; NULL where the text is empty. */
static const char *terminate(const struct routes *routes, struct table_span text,
			     char into[static WORDS_MAX + 1])
{
	struct span words = span_take(routes_text(routes, text), WORDS_MAX);

	if (words.len == 0)
		return NULL;
	memcpy(into, words.ptr, words.len);
	into[words.len] = '\0';
	return into;
}

static enum tls_version version_of(unsigned versions, enum host_tls_version version,
				   enum tls_version bound)
{
	/* one of two is left out: then the other is the least and the most */
	return (versions & BIT(version)) != 0 ? TLS_VERSION_ANY : bound;
}

static enum tls_verify verify_of(const struct host_tls *host)
{
	switch (host == NULL ? HOST_TLS_VERIFY_OFF : (enum host_tls_verify)host->verify) {
	case HOST_TLS_VERIFY_OFF:
	case HOST_TLS_VERIFY_COUNT:
		return TLS_VERIFY_OFF;
	case HOST_TLS_VERIFY_ON: /* who has none gets an answer that says so, and no alert */
	case HOST_TLS_VERIFY_OPTIONAL:
		return TLS_VERIFY_OPTIONAL;
	case HOST_TLS_VERIFY_OPTIONAL_NO_CA:
		return TLS_VERIFY_OPTIONAL_NO_CA;
	}
	BUG_ON(true);
	return TLS_VERIFY_OFF;
}

/* What the host asks of clients, where there is what they are judged by: else nobody is asked, and requests are
 * refused. */
static void set_clients(const struct certificate_store *store, const struct host_tls *host,
			struct tls_settings *settings)
{
	struct certificate_match authorities;

	settings->verify = verify_of(host);
	if (settings->verify == TLS_VERIFY_OFF)
		return;
	authorities = certificates_find(&store->worker->tables.certificates, host->authorities);
	if (authorities.record == NULL) {
		settings->verify = TLS_VERIFY_OFF;
		return;
	}
	settings->authorities = certificates_text(authorities.certificates,
						  authorities.record->chain);
	settings->revocations = certificates_text(authorities.certificates,
						  authorities.record->revoked);
	settings->verify_depth = host->verify_depth;
}

/* The host's, or those that hold for everybody. */
static struct table_span ciphers_of(const struct host_match *host)
{
	if (host->tls != NULL && host->tls->ciphers.len > 0)
		return host->tls->ciphers;
	return host->shard->routes.settings->ssl_ciphers;
}

static struct tls_context *decode(const struct certificate_store *store,
				  const struct host_match *host,
				  const struct certificate_match *found,
				  const struct certificate_key *key, struct error *err)
{
	unsigned char session_context[SHA256_DIGEST_LENGTH];
	const struct routes *routes = &host->shard->routes;
	const struct table_settings *from = routes->settings;
	char ciphers[WORDS_MAX + 1];
	char curves[WORDS_MAX + 1];
	struct tls_identity identities[KINDS];
	struct tls_settings settings = {
		.identities = identities,
		.ciphers = terminate(routes, ciphers_of(host), ciphers),
		.client_prefers = host->tls != NULL && host->tls->client_prefers,
		.groups = terminate(routes, from->ssl_curves, curves),
		.version_min = version_of(from->tls_versions, HOST_TLS_1_2, TLS_VERSION_1_3),
		.version_max = version_of(from->tls_versions, HOST_TLS_1_3, TLS_VERSION_1_2),
		.alpn = BIT(TLS_ALPN_HTTP1) | (from->use_http2 ? BIT(TLS_ALPN_H2) : 0),
		.dh_parameters = routes_text(routes, from->dh_parameters),
		.record_bytes = from->tls_record_bytes,
		.tickets = from->ssl_session_tickets != 0,
		.session_context = {(const char *)session_context, sizeof(session_context)},
		.tag = key->terms,
	};

	hash_context(store, key, session_context);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (found[kind].record == NULL)
			continue;
		identities[settings.identity_count++] = (struct tls_identity){
			.chain = certificates_text(found[kind].certificates,
						   found[kind].record->chain),
			.key = certificates_text(found[kind].certificates, found[kind].record->key),
		};
	}
	set_clients(store, host->tls, &settings);
	return tls_context_new_server(&settings, err);
}

static void keep(struct certificate_store *store, const struct certificate_key *key,
		 struct tls_context *context)
{
	struct decoded *decoded = memory_new(sizeof(*decoded));

	while (store->by_key.count >= CERTIFICATES_DECODED_MAX)
		drop(store, container_of(list_first(&store->used), struct decoded, used));
	decoded->key = *key;
	decoded->context = context;
	decoded->by_key.key = span_make((const char *)&decoded->key, sizeof(decoded->key));
	map_add(&store->by_key, &decoded->by_key);
	list_add_last(&store->used, &decoded->used);
}

/* What cannot be used is kept too, so that it is tried and told once; but memory may be there soon. */
static struct tls_context *add(struct certificate_store *store, const struct host_match *host,
			       const struct certificate_match *found,
			       const struct certificate_key *key)
{
	struct error err;
	struct tls_context *context = decode(store, host, found, key, &err);
	bool lacks_memory = context == NULL && errno == ENOMEM;

	if (context == NULL)
		log_error("a certificate cannot be used", "reason=\"%s\"",
			  log_quote(span_from(err.text)));
	if (!lacks_memory)
		keep(store, key, context);
	return context;
}

/* The context of the host with these certificates, which may be those of another, decoded before or now; NULL: they
 * cannot be used. */
static struct tls_context *get(struct certificate_store *store, const struct host_match *host,
			       const struct certificate_match *found)
{
	struct certificate_key key = {0};
	struct tls_terms terms;
	struct map_entry *entry;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (found[kind].record == NULL)
			continue;
		key.ids[kind] = found[kind].record->id;
		memcpy(key.digests[kind], found[kind].record->digest, sizeof(key.digests[kind]));
	}
	/* without authorities nobody is asked, and requests are refused */
	(void)tls_terms_of(&store->worker->tables.certificates, host->tls, &terms);
	key.terms = tls_terms_tag(&terms);
	entry = map_find(&store->by_key, span_make((const char *)&key, sizeof(key)));
	if (entry != NULL) {
		struct decoded *decoded = container_of(entry, struct decoded, by_key);

		list_remove(&decoded->used);
		list_add_last(&store->used, &decoded->used);
		return decoded->context;
	}
	return add(store, host, found, &key);
}

/* Those of a host that are in the table; whether there is any. */
static bool find_all(const struct tables *tables, const struct host_tls *tls,
		     struct certificate_match *found)
{
	bool any = false;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		found[kind] = certificates_find(&tables->certificates, tls->certificates[kind]);
		any |= found[kind].record != NULL;
	}
	return any;
}

static struct tls_context *choose(void *owner, const struct tls_hello *hello, enum tls_alert *alert)
{
	struct certificate_store *store = owner;
	const struct tables *tables = &store->worker->tables;
	struct certificate_match found[KINDS];
	struct tls_context *context = NULL;
	struct host_match host;
	struct host_match other;

	if (tables->routes.count == 0)
		return NULL;
	host = routes_find_host(&tables->routes, hello->server_name);
	other = routes_find_host(&tables->routes, S(""));
	if (!host.is_known && other.shard->routes.settings->ssl_reject_handshake) {
		*alert = TLS_ALERT_UNRECOGNIZED_NAME;
		return NULL;
	}
	if (host.tls != NULL && find_all(tables, host.tls, found))
		context = get(store, &host, found);
	if (context == NULL && other.tls != NULL && find_all(tables, other.tls, found))
		context = get(store, &host, found);
	return context;
}

struct certificate_store *certificate_store_new(struct worker *worker, struct error *err)
{
	struct certificate_store *store = memory_new(sizeof(*store));
	struct tls_server_options options = {
		.loop = worker->loop, .choose = choose, .owner = store};

	store->worker = worker;
	map_init(&store->by_key);
	list_init(&store->used);
	store->server = tls_server_new(&options, err);
	if (store->server != NULL)
		return store;
	free(store);
	return NULL;
}

void certificate_store_free(struct certificate_store *store)
{
	if (store == NULL)
		return;
	drop_all(store);
	map_fini(&store->by_key);
	tls_server_free(store->server);
	free(store);
}

struct tls_server *certificate_store_server(const struct certificate_store *store)
{
	return store->server;
}
