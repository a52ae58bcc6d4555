/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls_terms.h"

#include <string.h>

static_assert(sizeof(struct tls_terms) == sizeof(struct tls_tag), "one is the other");

bool tls_terms_of(const struct shards *certificates, const struct host_tls *host,
		  struct tls_terms *terms)
{
	struct certificate_match authorities;

	*terms = (struct tls_terms){0};
	if (host == NULL)
		return true;
	terms->cipher_policy = host->cipher_policy;
	if (host->verify == HOST_TLS_VERIFY_OFF)
		return true;
	authorities = certificates_find(certificates, host->authorities);
	if (authorities.record == NULL)
		return false;
	terms->client_policy = host->client_policy;
	memcpy(terms->authorities, authorities.record->digest, sizeof(terms->authorities));
	return true;
}

struct tls_tag tls_terms_tag(const struct tls_terms *terms)
{
	struct tls_tag tag;

	memcpy(&tag, terms, sizeof(tag));
	return tag;
}

struct tls_terms tls_terms_from_tag(struct tls_tag tag)
{
	struct tls_terms terms;

	memcpy(&terms, &tag, sizeof(terms));
	return terms;
}

bool tls_terms_same_clients(const struct tls_terms *a, const struct tls_terms *b)
{
	return certificate_id_compare(a->client_policy, b->client_policy) == 0 &&
	       memcmp(a->authorities, b->authorities, sizeof(a->authorities)) == 0;
}
