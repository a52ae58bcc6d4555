/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/services.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"

struct service_upstreams {
	struct map_entry by_name;
	struct list upstreams;
	char name[];
};

void services_init(struct services *services)
{
	map_init(&services->by_name);
}

static struct service_upstreams *entry_of(struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct service_upstreams, by_name);
}

void services_fini(struct services *services)
{
	struct map_entry *entry = map_next(&services->by_name, NULL);

	while (entry != NULL) {
		struct map_entry *next = map_next(&services->by_name, entry);

		free(entry_of(entry));
		entry = next;
	}
	map_fini(&services->by_name);
}

static struct span write_name(struct buf *text, struct span namespace, struct span service)
{
	buf_add(text, namespace);
	buf_add_byte(text, '/');
	buf_add(text, service);
	return buf_span(text);
}

static struct service_upstreams *find(const struct services *services, struct span namespace,
				      struct span service)
{
	struct buf name = {0};
	struct service_upstreams *found = entry_of(
		map_find(&services->by_name, write_name(&name, namespace, service)));

	buf_fini(&name);
	return found;
}

static struct service_upstreams *add(struct services *services, struct span namespace,
				     struct span service)
{
	struct buf text = {0};
	struct span name = write_name(&text, namespace, service);
	struct service_upstreams *fresh = memory_new(sizeof(*fresh) + name.len);

	memcpy(fresh->name, name.ptr, name.len);
	fresh->by_name.key = span_make(fresh->name, name.len);
	list_init(&fresh->upstreams);
	map_add(&services->by_name, &fresh->by_name);
	buf_fini(&text);
	return fresh;
}

void services_add(struct services *services, struct ids_upstream *upstream)
{
	const struct model_upstream *kept = &upstream->kept;
	struct service_upstreams *service;

	if (!list_is_empty(&upstream->of_service))
		return;
	service = find(services, kept->namespace, kept->service);
	if (service == NULL)
		service = add(services, kept->namespace, kept->service);
	list_add_last(&service->upstreams, &upstream->of_service);
}

void services_remove(struct services *services, struct ids_upstream *upstream)
{
	struct service_upstreams *service;

	if (list_is_empty(&upstream->of_service))
		return;
	list_remove(&upstream->of_service);
	service = find(services, upstream->kept.namespace, upstream->kept.service);
	if (!list_is_empty(&service->upstreams))
		return;
	map_remove(&services->by_name, &service->by_name);
	free(service);
}

const struct list *services_find(const struct services *services, struct span namespace,
				 struct span service)
{
	const struct service_upstreams *found = find(services, namespace, service);

	return found == NULL ? NULL : &found->upstreams;
}
