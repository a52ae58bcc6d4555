/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of Secrets, with their keys or as authorities: read once, held by those who serve with them (compat
 * spec, 17.1 and 17.4). A Secret that becomes unusable leaves the last good certificate in service. Private to model/.
 */
#pragma once

#include "model/authorities.h"
#include "model/intent.h"
#include "model/key_pair.h"

struct certificate {
	struct model_certificate model; /* first; in the model while it can be used */
	struct map_entry by_name;       /* in build.certificates */
	struct list
		unheld; /* in build.unheld_certificates; in build.gone_certificates when it is gone */
	uint32_t holders;
	bool is_usable;
	struct key_pair pair; /* what model points to; empty: not usable, or authorities */
	struct authorities authorities;  /* likewise */
	struct diagnostics *diagnostics; /* NULL: nothing is wrong */
	char name[];
};

/* What spec.tls of an Ingress offers. The intent holds the certificates and is noted for their Secrets; Secrets
 * that are missing are reported. Lies in the arena of the update. */
struct certificate_offers *certificate_offers_new(struct build *build, struct intent *intent);
void certificate_offers_free(struct certificate_offers *offers);

/* Whether the host, in lower case, is in spec.tls by name or by a certificate; chosen: by kind, NULL: the default
 * ones. A certificate that does not cover a host that it is named for is reported. */
bool certificate_choose(const struct certificate_offers *offers, struct span host,
			struct certificate *chosen[static MODEL_KEY_KIND_COUNT]);

/* --default-ssl-certificate, else the fallback. Held. */
void certificate_read_defaults(struct build *build);

/* The part of a Secret, held by the intent, which is noted for the Secret ("namespace/name"); NULL: there is no such
 * Secret. It may not be usable; why is a diagnostic on the Secret. */
struct certificate *certificate_take_pair(struct build *build, struct intent *intent,
					  struct span secret);
struct certificate *certificate_take_authorities(struct build *build, struct intent *intent,
						 struct span secret);

/* Whether the Secret has something under that key. */
bool certificate_secret_has(const struct build *build, struct span secret, struct span key);

void certificate_hold(struct certificate *certificate);
void certificate_release(struct build *build, struct certificate *certificate);

/* The Secret of that name is another one now: read it, if anybody has. */
void certificate_read_again(struct build *build, struct span name);
void certificate_read_all_again(struct build *build);

/* Those that nobody holds go. */
void certificate_forget_unheld(struct build *build);

/* Nobody holds any, until they do again: everything is made anew. */
void certificate_release_all(struct build *build);

/* All of them go, whoever holds them. */
void certificate_free_all(struct build *build);

/* Those that are gone are not named any more. */
void certificate_free_gone(struct build *build);
