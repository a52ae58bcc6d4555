/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream_tls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "io/tls_context.h"

/* The certificates that settings name. */
struct named {
	struct certificate_match certificate;
	struct certificate_match authorities;
};

/* What a context is made of. Bytes are compared: nothing of it may be left unset. */
struct context_key {
	uint8_t settings[32];
	uint8_t certificate[32]; /* zero: none */
	uint8_t authorities[32];
	uint32_t alpn; /* BIT(enum tls_alpn) */
};

struct kept {
	struct map_entry by_key;
	struct list used; /* the one used last comes last */
	struct context_key key;
	struct certificate_id certificate; /* whose digests are in the key */
	struct certificate_id authorities;
	struct tls_context *context; /* NULL: it could not be made, and was told */
};

struct upstream_tls_store {
	const struct shards *certificates;
	struct map by_key;
	struct list used;
};

struct upstream_tls_store *upstream_tls_store_new(const struct shards *certificates)
{
	struct upstream_tls_store *store = memory_new(sizeof(*store));

	store->certificates = certificates;
	map_init(&store->by_key);
	list_init(&store->used);
	return store;
}

static void drop(struct upstream_tls_store *store, struct kept *kept)
{
	map_remove(&store->by_key, &kept->by_key);
	list_remove(&kept->used);
	tls_context_drop(kept->context);
	free(kept);
}

void upstream_tls_store_free(struct upstream_tls_store *store)
{
	if (store == NULL)
		return;
	list_for_each_safe (link, &store->used)
		drop(store, container_of(link, struct kept, used));
	map_fini(&store->by_key);
	free(store);
}

static bool is_in_effect(const struct upstream_tls_store *store, const struct kept *kept)
{
	return certificates_hold(store->certificates, kept->certificate, kept->key.certificate) &&
	       certificates_hold(store->certificates, kept->authorities, kept->key.authorities);
}

void upstream_tls_on_certificates(struct upstream_tls_store *store)
{
	list_for_each_safe (link, &store->used) {
		struct kept *kept = container_of(link, struct kept, used);

		if (!is_in_effect(store, kept))
			drop(store, kept);
	}
}

/* False: it is named and not there. */
static bool find(const struct upstream_tls_store *store, struct certificate_id id,
		 struct certificate_match *match)
{
	*match = (struct certificate_match){0};
	if (certificate_id_is_none(id))
		return true;
	*match = certificates_find(store->certificates, id);
	return match->record != NULL;
}

static void add_digest(uint8_t digest[static 32], const struct certificate_match *match)
{
	if (match->record != NULL)
		memcpy(digest, match->record->digest, 32);
}

/* Endpoints of HTTP/1.1 are asked for nothing, as nginx does: some that speak HTTP/2 too would choose that. */
static uint32_t alpn_of(const struct upstream_match *match)
{
	return match->upstream->protocol == UPSTREAM_HTTP2 ? BIT(TLS_ALPN_H2) : 0;
}

static struct context_key key_of(const struct upstream_tls *tls, const struct named *named,
				 uint32_t alpn)
{
	struct context_key key = {.alpn = alpn};

	memcpy(key.settings, tls->digest, sizeof(key.settings));
	add_digest(key.certificate, &named->certificate);
	add_digest(key.authorities, &named->authorities);
	return key;
}

static const struct certificate_record *record_of(const struct certificate_match *match)
{
	static const struct certificate_record none;

	return match->record == NULL ? &none : match->record;
}

static struct span text_of(const struct certificate_match *match, struct table_span text)
{
	return text.len == 0 ? S("") : certificates_text(match->certificates, text);
}

/* A copy that ends with NUL; NULL where the text is empty. */
static const char *terminate(const struct endpoints *endpoints, struct table_span from,
			     char into[static TABLE_WORDS_BYTES_MAX + 1])
{
	struct span text = span_take(endpoints_text(endpoints, from), TABLE_WORDS_BYTES_MAX);

	if (text.len == 0)
		return NULL;
	memcpy(into, text.ptr, text.len);
	into[text.len] = '\0';
	return into;
}

static struct tls_context *make(const struct upstream_match *match, const struct upstream_tls *tls,
				const struct named *named, struct error *err)
{
	const struct endpoints *endpoints = match->endpoints;
	char ciphers[TABLE_WORDS_BYTES_MAX + 1];
	char server_name[TABLE_WORDS_BYTES_MAX + 1];
	char verify_name[TABLE_WORDS_BYTES_MAX + 1];
	bool speaks_1_2 = (tls->versions & BIT(UPSTREAM_TLS_1_2)) != 0;
	bool speaks_1_3 = (tls->versions & BIT(UPSTREAM_TLS_1_3)) != 0;
	const struct certificate_record *shown = record_of(&named->certificate);
	const struct certificate_record *trusted = record_of(&named->authorities);
	struct tls_identity identity = {
		.chain = text_of(&named->certificate, shown->chain),
		.key = text_of(&named->certificate, shown->key),
	};
	struct tls_settings settings = {
		.identities = &identity,
		.identity_count = named->certificate.record != NULL,
		.version_min = speaks_1_2 ? TLS_VERSION_ANY : TLS_VERSION_1_3,
		.version_max = speaks_1_3 ? TLS_VERSION_ANY : TLS_VERSION_1_2,
		.ciphers = terminate(endpoints, tls->ciphers, ciphers),
		.alpn = alpn_of(match),
		.verify = named->authorities.record == NULL ? TLS_VERIFY_OFF : TLS_VERIFY_REQUIRED,
		.authorities = text_of(&named->authorities, trusted->chain),
		.revocations = text_of(&named->authorities, trusted->revoked),
		.verify_depth = tls->verify_depth,
		.server_name = terminate(endpoints, tls->server_name, server_name),
		.verify_name = terminate(endpoints, tls->verify_name, verify_name),
	};

	return tls_context_new_client(&settings, err);
}

static struct kept *keep(struct upstream_tls_store *store, const struct context_key *key,
			 const struct upstream_tls *tls, struct tls_context *context)
{
	struct kept *kept = memory_new(sizeof(*kept));

	while (store->by_key.count >= UPSTREAM_TLS_CONTEXTS_MAX)
		drop(store, container_of(list_first(&store->used), struct kept, used));
	kept->key = *key;
	kept->certificate = tls->certificate;
	kept->authorities = tls->authorities;
	kept->context = context;
	kept->by_key.key = span_make((const char *)&kept->key, sizeof(kept->key));
	map_add(&store->by_key, &kept->by_key);
	list_add_last(&store->used, &kept->used);
	return kept;
}

/* One that cannot be made is kept too: it is told once. NULL: there was no memory, and soon there may be some. */
static struct kept *add(struct upstream_tls_store *store, const struct upstream_match *match,
			const struct upstream_tls *tls, const struct named *named,
			const struct context_key *key)
{
	struct error err;
	struct tls_context *context = make(match, tls, named, &err);
	bool lacks_memory = context == NULL && errno == ENOMEM;
	struct span name = endpoints_text(match->endpoints, match->upstream->name);

	if (context == NULL)
		log_error("TLS with endpoints cannot be set up", "upstream=\"%.*s\" reason=\"%s\"",
			  (int)name.len, name.ptr, log_quote(span_from(err.text)));
	return lacks_memory ? NULL : keep(store, key, tls, context);
}

static struct kept *get(struct upstream_tls_store *store, const struct upstream_match *match,
			const struct upstream_tls *tls, const struct named *named)
{
	struct context_key key = key_of(tls, named, alpn_of(match));
	struct map_entry *entry = map_find(&store->by_key,
					   span_make((const char *)&key, sizeof(key)));
	struct kept *kept;

	if (entry == NULL)
		return add(store, match, tls, named, &key);
	kept = container_of(entry, struct kept, by_key);
	list_remove(&kept->used);
	list_add_last(&store->used, &kept->used);
	return kept;
}

bool upstream_tls_find(struct upstream_tls_store *store, const struct upstream_match *match,
		       struct upstream_way *way)
{
	const struct upstream_tls *tls;
	const struct kept *kept;
	struct named named;

	*way = (struct upstream_way){.protocol = (enum upstream_protocol)match->upstream->protocol};
	if (match->upstream->tls == TABLE_NONE)
		return true;
	tls = &match->endpoints->tls[match->upstream->tls];
	if (!find(store, tls->certificate, &named.certificate) ||
	    !find(store, tls->authorities, &named.authorities))
		return false;
	kept = get(store, match, tls, &named);
	if (kept == NULL)
		return false;
	way->tls = kept->context;
	return way->tls != NULL;
}
