/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests, made when they are asked for. What is returned lives as long as the process. */
#pragma once

#include "io/tls_certificates.h"

enum given_key { GIVEN_EC, GIVEN_RSA };
enum given_form { GIVEN_PEM, GIVEN_DER };

/* What a certificate says. Zero is valid today, with a P-256 key, in PEM. */
struct given_certificate {
	const char *name; /* the common name, and the DNS name of who is no authority */
	const char *ip;   /* an address besides; NULL: none */
	enum given_key key;
	enum given_form form;
	int days_from; /* valid from now on, in days … */
	int days_to;   /* … to then; 0: 10 */
	bool is_authority;
	bool by_sha1; /* its signature */
};

struct given_issuer;

/* One that signs itself. */
struct given_issuer *given_authority(const char *name);

/* Its own certificate, in PEM: what is to be trusted. */
struct span given_trust(const struct given_issuer *issuer);

/* An authority below another one. */
struct given_issuer *given_intermediate(struct given_issuer *issuer, const char *name);

/* Signed by the issuer; the chain leads up to the root and does not hold it. NULL: it signs itself. */
struct tls_identity given_identity(struct given_issuer *issuer,
				   const struct given_certificate *certificate);

/* A revocation list of the issuer, in PEM, on which this certificate of it stands. */
struct span given_revocation(struct given_issuer *issuer, const struct tls_identity *identity);

/* An RSA or EC key in PEM that belongs to nothing, encrypted with a passphrase. */
struct span given_encrypted_key(void);
