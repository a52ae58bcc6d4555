/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and routes as they are added, oldest Ingress first: who comes first keeps host and path (compat spec, 4.1
 * to 4.7). Private to model/.
 */
#pragma once

#include "model/build.h"
#include "model/upstream.h"

/* An Ingress that is ours, as far as it was looked at. */
struct served {
	const struct ingress *ingress;
	bool denied;
	bool has_default; /* its spec.defaultBackend can be used */
	struct target default_target;
};

/* <0: a is older. The same age: namespace/name backwards (compat spec, 4.1). */
int route_compare_age(const struct object *a, const struct object *b);

/* The host of that name, or NULL. */
struct model_host *route_find_host(const struct build *build, struct span name);

/* A new host with its implicit root, which leads to `target`. by: the Ingress that names it first; NULL: nobody. */
struct model_host *route_add_host(struct build *build, struct span name, const struct served *by,
				  const struct target *target, bool is_default);

/* What a rule says about a path of a host. */
struct claim {
	struct model_host *host;
	const struct served *served;
	struct span path; /* in match form */
	enum model_path_type type;
	struct target target;
	struct span field; /* in the arena of the model */
};

/* Adds the route, or reports who had it first. A Prefix "/" takes the place of an implicit root. */
void route_add(struct build *build, const struct claim *claim);
