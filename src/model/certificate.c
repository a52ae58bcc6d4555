/* SPDX-License-Identifier: Apache-2.0 */
#include "model/certificate.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "kube/object/config.h"

enum { FIELD_SIZE = 48, SOON_DAYS = 10, SECONDS_A_DAY = 86400 };

/* Behind the name of the Secret: no such name holds a '/'. */
#define AUTHORITIES_SUFFIX "/ca.crt"

static_assert((int)MODEL_CERTIFICATE_ECDSA == (int)KEY_PAIR_ECDSA, "kinds");
static_assert((int)MODEL_CERTIFICATE_RSA == (int)KEY_PAIR_RSA, "kinds");

static struct certificate *certificate_of(struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct certificate, by_name);
}

static struct certificate *find(const struct build *build, struct span name)
{
	return certificate_of(map_find(&build->certificates, name));
}

/* name: of the Secret, or of a part of it. */
static const struct secret *find_secret(const struct build *build, struct span name)
{
	struct span rest = name;
	struct span namespace = span_cut(&rest, '/');

	return (const struct secret *)store_find(build->store, OBJECT_SECRET, namespace,
						 span_cut(&rest, '/'));
}

static bool are_authorities(struct span name)
{
	struct span rest = name;

	(void)span_cut(&rest, '/');
	return span_find(rest, '/') != SIZE_MAX;
}

static struct span authorities_name(struct build *build, struct span secret)
{
	const struct span parts[] = {secret, S(AUTHORITIES_SUFFIX)};

	return build_join(&build->arena, parts, 2);
}

static void set_digest(struct model_certificate *model)
{
	const struct span parts[] = {model->chain, model->key, model->revoked};
	unsigned char hashes[3][SHA256_DIGEST_LENGTH];

	for (unsigned i = 0; i < 3; i++)
		SHA256((const unsigned char *)parts[i].ptr, parts[i].len, hashes[i]);
	SHA256(hashes[0], sizeof(hashes), model->digest);
}

static void enter_model(struct build *build, struct certificate *certificate)
{
	map_add(&build->model.certificates_by_name, &certificate->model.by_name);
	list_add_last(&build->model.certificates, &certificate->model.link);
	certificate->is_usable = true;
}

static void leave_model(struct build *build, struct certificate *certificate)
{
	if (!certificate->is_usable)
		return;
	map_remove(&build->model.certificates_by_name, &certificate->model.by_name);
	list_remove(&certificate->model.link);
	certificate->is_usable = false;
}

static void serve(struct build *build, struct certificate *certificate)
{
	set_digest(&certificate->model);
	if (!certificate->is_usable)
		enter_model(build, certificate);
	build_note_certificate(build, certificate->model.by_name.key);
}

/* The pair is taken. */
static void use_pair(struct build *build, struct certificate *certificate,
		     const struct key_pair *pair)
{
	key_pair_fini(&certificate->pair);
	certificate->pair = *pair;
	certificate->model.kind = (enum model_certificate_kind)pair->kind;
	certificate->model.chain = buf_span(&certificate->pair.chain);
	certificate->model.key = buf_span(&certificate->pair.key);
	serve(build, certificate);
}

/* They are taken. */
static void use_authorities(struct build *build, struct certificate *certificate,
			    const struct authorities *authorities)
{
	authorities_fini(&certificate->authorities);
	certificate->authorities = *authorities;
	certificate->model.kind = MODEL_CERTIFICATE_AUTHORITIES;
	certificate->model.chain = buf_span(&certificate->authorities.certificates);
	certificate->model.revoked = buf_span(&certificate->authorities.revoked);
	serve(build, certificate);
}

static void report_age(struct build *build, const struct secret *secret,
		       const struct key_pair *pair)
{
	int64_t days = (pair->not_after - build->now_s) / SECONDS_A_DAY;

	if (build->now_s >= pair->not_after)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_CERTIFICATE_AGE, &secret->object,
				S("data[tls.crt]"), "expired; it is served, and clients refuse it");
	else if (build->now_s < pair->not_before)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_CERTIFICATE_AGE, &secret->object,
				S("data[tls.crt]"),
				"not valid yet; it is served, and clients refuse it");
	else if (days < SOON_DAYS)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_CERTIFICATE_AGE, &secret->object,
				S("data[tls.crt]"), "expires in %d days", (int)days);
}

static int read_pair(const struct secret *secret, struct key_pair *pair, struct error *err)
{
	struct span chain = pairs_find(&secret->data, S("tls.crt"));
	struct span key = pairs_find(&secret->data, S("tls.key"));

	if (chain.ptr == NULL || key.ptr == NULL)
		return error_set(err, "there is no %s", chain.ptr == NULL ? "tls.crt" : "tls.key");
	return key_pair_read(pair, chain, key, err);
}

static int take_pair(struct build *build, struct certificate *certificate,
		     const struct secret *secret, struct error *err)
{
	struct key_pair pair;

	if (read_pair(secret, &pair, err) == -1)
		return -1;
	report_age(build, secret, &pair);
	use_pair(build, certificate, &pair);
	return 0;
}

static int take_authorities(struct build *build, struct certificate *certificate,
			    const struct secret *secret, struct error *err)
{
	struct span certificates = pairs_find(&secret->data, S("ca.crt"));
	struct authorities authorities;

	if (certificates.ptr == NULL)
		return error_set(err, "there is no ca.crt");
	if (authorities_read(&authorities, certificates, pairs_find(&secret->data, S("ca.crl")),
			     err) == -1)
		return -1;
	use_authorities(build, certificate, &authorities);
	return 0;
}

/* What becomes of those who wanted a Secret that cannot be read. */
static const char *consequence(const struct certificate *certificate)
{
	if (certificate->is_usable)
		return "the certificate that it held before goes on serving";
	return are_authorities(certificate->by_name.key) ? "nobody is trusted by it"
							 : "the default certificate serves hosts";
}

/* What the Secret holds now, or still what it held last. */
static void read_secret(struct build *build, struct certificate *certificate,
			const struct secret *secret)
{
	struct diagnostics *outer = build->diagnostics;
	struct error err;
	int result;

	build->diagnostics = diagnostics_new();
	result = are_authorities(certificate->by_name.key)
			 ? take_authorities(build, certificate, secret, &err)
			 : take_pair(build, certificate, secret, &err);
	if (result == -1)
		diagnostics_add(build->diagnostics, DIAGNOSTIC_BAD_CERTIFICATE, &secret->object,
				S("data"), "%s; %s", err.text, consequence(certificate));
	diagnostics_replace(&certificate->diagnostics, build->diagnostics, build->sink);
	build->diagnostics = outer;
}

static struct certificate *add(struct build *build, struct span name)
{
	struct certificate *certificate = memory_new(sizeof(*certificate) + name.len);

	if (name.len > 0)
		memcpy(certificate->name, name.ptr, name.len);
	certificate->by_name.key = span_make(certificate->name, name.len);
	certificate->model.by_name.key = certificate->by_name.key;
	list_init(&certificate->model.link);
	list_init(&certificate->unheld);
	map_add(&build->certificates, &certificate->by_name);
	list_add_last(&build->unheld_certificates, &certificate->unheld);
	return certificate;
}

/* That of the Secret; NULL: there is no such Secret. It may not be usable. */
static struct certificate *get(struct build *build, struct span name)
{
	struct certificate *certificate = find(build, name);
	const struct secret *secret = find_secret(build, name);

	if (secret == NULL)
		return NULL;
	if (certificate == NULL) {
		certificate = add(build, name);
		read_secret(build, certificate, secret);
	}
	return certificate;
}

void certificate_hold(struct certificate *certificate)
{
	certificate->holders++;
	list_remove(&certificate->unheld);
}

void certificate_release(struct build *build, struct certificate *certificate)
{
	BUG_ON(certificate->holders == 0);
	if (--certificate->holders == 0)
		list_add_last(&build->unheld_certificates, &certificate->unheld);
}

static struct certificate *take_part(struct build *build, struct intent *intent, struct span secret,
				     struct span name)
{
	struct certificate *certificate;

	intent_use(intent, &intent->secrets, secret);
	certificate = get(build, name);
	if (certificate != NULL)
		intent_hold_certificate(intent, certificate);
	return certificate;
}

struct certificate *certificate_take_pair(struct build *build, struct intent *intent,
					  struct span secret)
{
	return take_part(build, intent, secret, secret);
}

struct certificate *certificate_take_authorities(struct build *build, struct intent *intent,
						 struct span secret)
{
	return take_part(build, intent, secret, authorities_name(build, secret));
}

bool certificate_secret_has(const struct build *build, struct span name, struct span key)
{
	const struct secret *secret = find_secret(build, name);

	return secret != NULL && pairs_find(&secret->data, key).ptr != NULL;
}

static void read_again(struct build *build, struct certificate *certificate)
{
	const struct secret *secret = find_secret(build, certificate->by_name.key);

	/* one that is gone is held by nobody at the end of this update */
	if (secret != NULL)
		read_secret(build, certificate, secret);
}

void certificate_read_all_again(struct build *build)
{
	for (struct map_entry *at = map_next(&build->certificates, NULL); at != NULL;
	     at = map_next(&build->certificates, at))
		read_again(build, certificate_of(at));
}

void certificate_read_again(struct build *build, struct span secret)
{
	struct certificate *parts[] = {find(build, secret),
				       find(build, authorities_name(build, secret))};

	for (unsigned i = 0; i < 2; i++)
		if (parts[i] != NULL)
			read_again(build, parts[i]);
}

/* It is there in name alone until the next update. */
static void leave(struct build *build, struct certificate *certificate)
{
	if (certificate->is_usable)
		build_note_certificate(build, certificate->model.by_name.key);
	leave_model(build, certificate);
	map_remove(&build->certificates, &certificate->by_name);
	diagnostics_drop(&certificate->diagnostics, build->sink);
	key_pair_fini(&certificate->pair);
	authorities_fini(&certificate->authorities);
	list_remove(&certificate->unheld);
	list_add_last(&build->gone_certificates, &certificate->unheld);
}

void certificate_forget_unheld(struct build *build)
{
	list_for_each_safe (link, &build->unheld_certificates)
		leave(build, container_of(link, struct certificate, unheld));
}

void certificate_free_gone(struct build *build)
{
	list_for_each_safe (link, &build->gone_certificates) {
		list_remove(link);
		free(container_of(link, struct certificate, unheld));
	}
}

void certificate_release_all(struct build *build)
{
	for (struct map_entry *at = map_next(&build->certificates, NULL); at != NULL;
	     at = map_next(&build->certificates, at)) {
		struct certificate *certificate = certificate_of(at);

		certificate->holders = 0;
		list_remove(&certificate->unheld);
		list_add_last(&build->unheld_certificates, &certificate->unheld);
	}
}

void certificate_free_all(struct build *build)
{
	struct map_entry *entry = map_next(&build->certificates, NULL);

	while (entry != NULL) {
		struct certificate *certificate = certificate_of(entry);

		entry = map_next(&build->certificates, entry);
		leave(build, certificate);
	}
	certificate_free_gone(build);
}

/*
 * Which one a host gets
 */

enum { ENTRIES_TRIED = 4 }; /* of those that name the same host: one a kind of key makes sense */

/* An entry of spec.tls names a host, or its certificate is good for one. */
struct offer {
	struct map_entry by_name;
	struct offer *next; /* of the same name */
	uint32_t entry;
};

struct certificate_offers {
	struct build *build;
	struct intent *intent;
	struct certificate *
		*certificates; /* by entry; NULL: it names no Secret, or one that is not there */
	struct map named;      /* struct offer: hosts of entries */
	struct map covered;    /* struct offer: names of certificates */
};

static void add_offer(struct certificate_offers *offers, struct map *map, struct span name,
		      uint32_t entry)
{
	struct arena *arena = &offers->build->arena;
	struct offer *offer = arena_take_zero(arena, sizeof(*offer));
	struct map_entry *known = map_find(map, name);
	struct offer *first;
	unsigned count = 1;

	offer->entry = entry;
	if (known == NULL) {
		offer->by_name.key = name;
		map_add(map, &offer->by_name);
		return;
	}
	for (first = container_of(known, struct offer, by_name); first->next != NULL;
	     first = first->next)
		if (++count == ENTRIES_TRIED)
			return;
	first->next = offer;
}

static struct span lower(struct arena *arena, struct span text)
{
	struct span copy = arena_copy(arena, text);
	char *bytes = (char *)(uintptr_t)copy.ptr;

	for (size_t i = 0; i < copy.len; i++)
		if (bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] = (char)(bytes[i] + 32);
	return copy;
}

static void report(const struct certificate_offers *offers, uint32_t entry, enum diagnostic_id id,
		   const char *what, struct span host)
{
	const struct ingress *ingress = offers->intent->ingress;
	char field[FIELD_SIZE];
	int length = snprintf(field, sizeof(field), "spec.tls[%u].secretName", entry);

	diagnostics_add(offers->build->diagnostics, id, &ingress->object,
			span_make(field, (size_t)length),
			"%s %s%s%.*s; the default certificate serves",
			diagnostic_quote(ingress->tls[entry].secret_name), what,
			host.len == 0 ? "" : " ", (int)host.len, host.ptr == NULL ? "" : host.ptr);
}

static struct certificate *take_secret(struct certificate_offers *offers, uint32_t entry)
{
	struct build *build = offers->build;
	struct intent *intent = offers->intent;
	const struct ingress_tls *tls = &intent->ingress->tls[entry];
	const struct span parts[] = {intent->ingress->object.namespace, S("/"), tls->secret_name};
	struct span name = build_join(&build->arena, parts, 3);
	struct certificate *certificate;

	if (tls->secret_name.len == 0)
		return NULL;
	certificate = certificate_take_pair(build, intent, name);
	if (certificate == NULL)
		report(offers, entry, DIAGNOSTIC_MISSING_SECRET, "does not exist", S(""));
	return certificate;
}

static void add_entry(struct certificate_offers *offers, uint32_t entry)
{
	const struct ingress_tls *tls = &offers->intent->ingress->tls[entry];
	struct certificate *certificate = take_secret(offers, entry);
	struct span names;

	offers->certificates[entry] = certificate;
	for (uint32_t i = 0; i < tls->host_count; i++)
		add_offer(offers, &offers->named, lower(&offers->build->arena, tls->hosts[i]),
			  entry);
	if (certificate == NULL || !certificate->is_usable)
		return;
	for (names = buf_span(&certificate->pair.names); names.len > 0;)
		add_offer(offers, &offers->covered, span_cut(&names, '\n'), entry);
}

struct certificate_offers *certificate_offers_new(struct build *build, struct intent *intent)
{
	struct certificate_offers *offers = arena_take_zero(&build->arena, sizeof(*offers));
	uint32_t count = intent->ingress->tls_count;

	offers->build = build;
	offers->intent = intent;
	offers->certificates = arena_take_zero(&build->arena,
					       count * sizeof(*offers->certificates));
	map_init(&offers->named);
	map_init(&offers->covered);
	for (uint32_t entry = 0; entry < count; entry++)
		add_entry(offers, entry);
	return offers;
}

void certificate_offers_free(struct certificate_offers *offers)
{
	map_fini(&offers->named);
	map_fini(&offers->covered);
}

static const struct offer *find_offer(const struct map *map, struct span name)
{
	struct map_entry *entry = map_find(map, name);

	return entry == NULL ? NULL : container_of(entry, struct offer, by_name);
}

static void take(struct certificate *certificate, struct certificate **chosen)
{
	if (chosen[certificate->model.kind] == NULL)
		chosen[certificate->model.kind] = certificate;
}

/* Entries name the host: their certificates, where they can be used and cover it. */
static void choose_named(const struct certificate_offers *offers, const struct offer *first,
			 struct span host, struct certificate **chosen)
{
	for (const struct offer *offer = first; offer != NULL; offer = offer->next) {
		struct certificate *certificate = offers->certificates[offer->entry];

		if (certificate == NULL || !certificate->is_usable)
			continue;
		if (key_pair_covers(buf_span(&certificate->pair.names), host))
			take(certificate, chosen);
		else
			report(offers, offer->entry, DIAGNOSTIC_CERTIFICATE_HOST, "does not cover",
			       host);
	}
}

/* No entry names the host: any will do whose certificate covers it. */
static bool choose_covering(const struct certificate_offers *offers, struct span host,
			    struct certificate **chosen)
{
	const struct offer *first = find_offer(&offers->covered, host);
	size_t dot = span_find(host, '.');
	struct span parts[2] = {S("*"), span_skip(host, dot == SIZE_MAX ? host.len : dot)};

	if (first == NULL && dot != SIZE_MAX && !span_starts_with(host, S("*.")))
		first = find_offer(&offers->covered, build_join(&offers->build->arena, parts, 2));
	for (const struct offer *offer = first; offer != NULL; offer = offer->next)
		take(offers->certificates[offer->entry], chosen);
	return first != NULL;
}

bool certificate_choose(const struct certificate_offers *offers, struct span host,
			struct certificate *chosen[static MODEL_KEY_KIND_COUNT])
{
	const struct offer *named = find_offer(&offers->named, host);

	if (named == NULL)
		return choose_covering(offers, host, chosen);
	choose_named(offers, named, host, chosen);
	return true;
}

/*
 * Where nobody has one
 */

static struct certificate *add_fallback(struct build *build)
{
	const struct model_options *options = build->options;
	struct certificate *certificate = add(build, S(""));
	struct key_pair pair = {.kind = KEY_PAIR_ECDSA};

	buf_add(&pair.chain, options->fallback_chain);
	buf_reserve(&pair.key, options->fallback_key.len);
	buf_add(&pair.key, options->fallback_key);
	use_pair(build, certificate, &pair);
	return certificate;
}

static struct certificate *get_default(struct build *build)
{
	struct span name = build->options->default_certificate;
	struct certificate *certificate = name.len == 0 ? NULL : get(build, name);

	if (certificate != NULL)
		certificate_hold(certificate);
	if (certificate != NULL && certificate->is_usable)
		return certificate;
	if (name.len > 0)
		diagnostics_add_place(build->diagnostics, DIAGNOSTIC_MISSING_SECRET,
				      (struct span){NULL, 0}, 0, 0,
				      "--default-ssl-certificate: Secret %s %s; a certificate that "
				      "no client trusts serves instead",
				      diagnostic_quote(name),
				      certificate == NULL ? "does not exist" : "cannot be used");
	if (build->options->fallback_chain.len == 0)
		return NULL;
	certificate = find(build, S(""));
	if (certificate == NULL)
		certificate = add_fallback(build);
	certificate_hold(certificate);
	return certificate;
}

void certificate_read_defaults(struct build *build)
{
	struct certificate *certificate = get_default(build);

	for (unsigned kind = 0; kind < MODEL_KEY_KIND_COUNT; kind++)
		build->default_certificates[kind] = NULL;
	if (certificate != NULL)
		build->default_certificates[certificate->model.kind] = certificate;
}
