/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations of ingress-nginx on an Ingress (compat spec, 33.1): what each means is in annotation.def. Private
 * to model/. */
#pragma once

#include <stdbool.h>

#include "kube/object/ingress.h"
#include "model/build.h"

/* Texts of annotations as written; empty: it is not there. */
struct proxy_ssl_texts {
	struct span secret;
	struct span verify;
	struct span verify_depth;
	struct span name;
	struct span server_name;
	struct span ciphers;
	struct span protocols;
};

struct auth_tls_texts {
	struct span secret;
	struct span verify_client;
	struct span verify_depth;
	struct span error_page;
	struct span pass_certificate;
	struct span match_cn;
};

struct balance_texts {
	struct span load_balance;
	struct span hash_by;
	struct span subset;
	struct span subset_size;
	struct span factor;
};

struct annotation_verdict {
	bool denied;       /* something guards and is not obeyed: the routes answer 503 */
	bool canary;       /* an addition to another Ingress: not served at all */
	bool ssl_redirect; /* over what the ConfigMap says */
	bool force_ssl_redirect;
	struct span backend_protocol;
	struct span ssl_passthrough;
	struct balance_texts balance;
	struct proxy_ssl_texts proxy_ssl;
	struct auth_tls_texts auth_tls;
	struct span ssl_ciphers;
	struct span ssl_prefer_server_ciphers;
};

/* The field of an object that an annotation is, by its name without prefix; in the arena of the update. */
struct span annotation_field(struct build *build, const char *name);

/* Something is wrong with that annotation. value: what was found, to be quoted before what is said of it; empty: it is
 * not shown. */
void annotation_report(struct build *build, const struct ingress *ingress, enum diagnostic_id id,
		       const char *name, struct span value, const char *what);

/* The same of one of Ingot's own annotations. */
void annotation_report_own(struct build *build, const struct ingress *ingress,
			   enum diagnostic_id id, const char *name, struct span value,
			   const char *what);

/* "namespace/name" of the Secret that an annotation names, with or without the namespace of the Ingress, in the arena
 * of the update. False: it is in another one, or no name (compat spec, 2.9). */
bool annotation_secret(struct build *build, const struct ingress *ingress, struct span text,
		       struct span *secret);

/* A diagnostic for each that is not obeyed. */
struct annotation_verdict annotation_read(struct build *build, const struct ingress *ingress);
