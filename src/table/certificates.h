/* SPDX-License-Identifier: Apache-2.0 */
/* The `certificates` segment: chains and private keys, by the id that routes name them with. It holds secrets: it
 * goes to workers alone, and nobody else reads, stores or prints it (security spec, 2.4). Read-only and shared, as
 * routes.h says.
 *
 * A certificate is in the shard that the lowest bits of its id's first word name.
 */
#pragma once

#include "base/error.h"
#include "table/format.h"

enum certificates_section {
	CERTIFICATES_RECORDS, /* struct certificate_record, ascending by id */
	CERTIFICATES_TICKETS, /* struct ticket_key; in shard 0 alone, the first seals */
	CERTIFICATES_TEXT,    /* bytes */
	CERTIFICATES_SECTION_COUNT
};

enum certificate_kind {
	CERTIFICATE_ECDSA, /* or another kind of key than RSA */
	CERTIFICATE_RSA,
	CERTIFICATE_AUTHORITIES, /* those that vouch for clients or endpoints: no key */
	CERTIFICATE_KIND_COUNT
};

/* Made of the name of the Secret by a hash that nobody can make collide: the same in each life of control. Zero:
 * none. */
struct certificate_id {
	uint64_t words[2];
};

struct certificate_record {
	struct certificate_id id;
	uint8_t digest[32]; /* SHA-256 of what follows: whether it is still what a worker decoded */
	struct table_span chain;   /* DER, one behind the other, the certificate itself first */
	struct table_span key;     /* DER (PKCS #8); empty: CERTIFICATE_AUTHORITIES */
	struct table_span revoked; /* DER, lists of revoked ones; of authorities, may be empty */
	uint8_t kind;              /* enum certificate_kind */
	uint8_t reserved[7];       /* zero */
};

enum { TICKET_KEYS_MAX = 4 };

/* With which session tickets are sealed and opened, in every worker the same. */
struct ticket_key {
	uint8_t name[16]; /* travels with the ticket, in clear */
	uint8_t cipher[32];
	uint8_t mac[32];
};

/* A verified shard, mapped. */
struct certificates {
	const struct table_header *header; /* start of the mapping */
	const struct certificate_record *records;
	const struct ticket_key *tickets;
	uint32_t count;
	uint32_t ticket_count;
};

/* As routes_verify. */
int certificates_verify(struct span segment, struct certificates *certificates, struct error *err);

static inline struct span certificates_text(const struct certificates *certificates,
					    struct table_span text)
{
	return (struct span){(const char *)certificates->header + text.at, text.len};
}

static inline bool certificate_id_is_none(struct certificate_id id)
{
	return (id.words[0] | id.words[1]) == 0;
}

/* <0, 0, >0: the order of records. */
static inline int certificate_id_compare(struct certificate_id a, struct certificate_id b)
{
	if (a.words[0] != b.words[0])
		return a.words[0] < b.words[0] ? -1 : 1;
	return (a.words[1] > b.words[1]) - (a.words[1] < b.words[1]);
}

static inline uint32_t certificate_id_shard(struct certificate_id id, uint32_t shard_count)
{
	return (uint32_t)id.words[0] & (shard_count - 1);
}
