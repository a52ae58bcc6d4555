/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and paths of rules: what the API server would refuse, in words, and the form in which requests
 * are compared (Kubernetes API spec, 1.1; security spec, P1).
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/span.h"

/* A DNS-1123 subdomain. */
bool rule_text_is_dns_name(struct span name);

/* NULL when the host is a name or "*." and a name, in lower case; else why it is not, behind the quoted host: "is
 * an IP address; …". One static buffer. */
const char *rule_text_host_fault(struct span host);

enum rule_text_path_form {
	RULE_TEXT_STRICT, /* Exact and Prefix */
	RULE_TEXT_FREE,   /* ImplementationSpecific */
};

/* The same for a path that is not empty. */
const char *rule_text_path_fault(struct span path, enum rule_text_path_form form);

/* The path as requests are compared: %XX of unreserved bytes decoded, of others in capitals, and bytes that no
 * path may hold encoded. The path itself where nothing changes; else it lies in the arena. */
struct span rule_text_match_path(struct span path, struct arena *arena);
