/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: the mentions of all Ingresses that name one become its routes. Who comes first keeps host and path: the
 * oldest Ingress (compat spec, 4.1 to 4.7), catch-alls before all rules. Private to model/.
 */
#pragma once

#include "model/intent.h"

struct host {
	struct model_host model; /* first */
	struct list mentions;    /* in the order in which they count, once it is made */
	struct list
		old; /* in build.old_hosts, where it is to be made anew; in build.gone_hosts when it is gone */
	struct model_route *routes;
	struct diagnostics *duplicates; /* NULL: there are none */
	char name[];
};

/* <0: a is older. The same age: namespace/name backwards (compat spec, 4.1). */
int host_compare_age(const struct object *a, const struct object *b);

/* Whether what the intent says about TLS of the whole host counts: that of the namespace which names the host first.
 * One of another namespace could let others in, shut everybody out, or take TLS over (security spec, M4). */
bool host_is_of(const struct host *host, const struct intent *intent);

/* That annotation does not. */
void host_report_foreign(struct build *build, const struct host *host, const struct intent *intent,
			 const char *annotation, const char *consequence);

/* The host of that name, new or not, is named. mention: all but the host is set. */
void host_add_mention(struct build *build, struct span name, struct mention *mention);

/* Harmless for a mention of no host. */
void host_remove_mention(struct build *build, struct mention *mention);

/* There is a host for everything else from now on. Once, in an empty model. */
void host_add_other(struct build *build);

/* Makes anew what is old; who is not named any more goes. */
void host_make_old(struct build *build);

/* All of them go. */
void host_free_all(struct build *build);

/* Those that are gone are not named any more. */
void host_free_gone(struct build *build);
