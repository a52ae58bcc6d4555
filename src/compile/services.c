/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/services.h"

#include "base/buf.h"

void services_init(struct services *services)
{
	*services = (struct services){0};
	list_map_init(&services->upstreams);
}

void services_fini(struct services *services)
{
	list_map_fini(&services->upstreams);
	buf_fini(&services->name);
}

/* Valid until the next call. */
static struct span name_of(struct services *services, struct span namespace, struct span service)
{
	buf_clear(&services->name);
	buf_add(&services->name, namespace);
	buf_add_byte(&services->name, '/');
	buf_add(&services->name, service);
	return buf_span(&services->name);
}

void services_add(struct services *services, struct ids_upstream *upstream)
{
	const struct model_upstream *kept = &upstream->kept;

	if (list_is_empty(&upstream->of_service))
		list_map_add(&services->upstreams,
			     name_of(services, kept->namespace, kept->service),
			     &upstream->of_service);
}

void services_remove(struct services *services, struct ids_upstream *upstream)
{
	const struct model_upstream *kept = &upstream->kept;

	list_map_remove(&services->upstreams, name_of(services, kept->namespace, kept->service),
			&upstream->of_service);
}

const struct list *services_find(struct services *services, struct span namespace,
				 struct span service)
{
	return list_map_find(&services->upstreams, name_of(services, namespace, service));
}
