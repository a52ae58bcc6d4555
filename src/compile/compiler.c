/* SPDX-License-Identifier: Apache-2.0 */
#include "compile/compiler.h"

#include <stdlib.h>

#include "base/memory.h"
#include "table/format.h"

/* What a change of one thing costs grows with the shard; what a set costs besides its content, with their number. */
enum { THINGS_PER_SHARD = 4, OFF_BY_MORE = 4, OFF_BY_LESS = 16 };

struct compiler *compiler_new(const struct diagnostic_sink *sink)
{
	struct compiler *compiler = memory_new(sizeof(*compiler));

	ids_init(&compiler->ids);
	services_init(&compiler->services);
	deal_init(&compiler->hosts, compiler_host_shard);
	deal_init(&compiler->certificates, compiler_certificate_shard);
	list_init(&compiler->upstreams.asked);
	list_init(&compiler->upstreams.starved);
	compiler->sink = sink;
	return compiler;
}

void compiler_seed(struct compiler *compiler, uint32_t incarnations, uint32_t hosts)
{
	compiler->ids.upstreams.seed = incarnations;
	compiler->ids.slots.seed = incarnations;
	compiler->ids.rows.seed = incarnations;
	compiler->hosts.seed = hosts;
}

void compiler_free(struct compiler *compiler)
{
	if (compiler == NULL)
		return;
	services_fini(&compiler->services);
	ids_fini(&compiler->ids);
	deal_fini(&compiler->hosts);
	deal_fini(&compiler->certificates);
	explicit_bzero(compiler->tickets, sizeof(compiler->tickets));
	free(compiler->upstreams.old);
	free(compiler);
}

static uint32_t best_count(uint32_t things)
{
	uint32_t count = 1;

	/* the power of two that is nearest */
	while (count < TABLE_SHARDS_MAX && things > count * THINGS_PER_SHARD * 3 / 2)
		count *= 2;
	return count;
}

uint32_t compiler_shard_count(uint32_t present, uint32_t things)
{
	uint32_t best = best_count(things);

	if (present == 0 || best >= present * OFF_BY_MORE || best * OFF_BY_LESS <= present)
		return best;
	return present;
}

static void name_upstream(struct compiler *compiler, const struct model_upstream *of)
{
	bool is_other;
	struct ids_upstream *upstream = ids_name_upstream(&compiler->ids, of, &is_other);

	if (upstream == NULL) {
		compiler->is_short = true;
		return;
	}
	services_add(&compiler->services, upstream);
	compiler_ask(compiler, upstream);
}

static void note_upstream(struct compiler *compiler, const struct model *model, struct span key,
			  uint64_t generation)
{
	struct map_entry *entry = map_find(&model->upstreams_by_key, key);
	struct ids_upstream *left;

	if (entry != NULL) {
		name_upstream(compiler, container_of(entry, struct model_upstream, by_key));
		return;
	}
	left = ids_find_upstream(&compiler->ids, key);
	if (left == NULL)
		return;
	ids_leave_upstream(&compiler->ids, left, generation);
	compiler_ask(compiler, left);
}

static void note_all_upstreams(struct compiler *compiler, const struct model *model,
			       uint64_t generation)
{
	ids_begin(&compiler->ids);
	compiler->is_short = false;
	list_for_each (link, &model->upstreams)
		name_upstream(compiler, container_of(link, struct model_upstream, link));
	for (uint32_t id = 0; id < ids_upstream_end(&compiler->ids); id++) {
		struct ids_upstream *upstream = ids_upstream_at(&compiler->ids, id);

		if (upstream == NULL)
			continue;
		if (ids_is_left(&compiler->ids, upstream))
			ids_leave_upstream(&compiler->ids, upstream, generation);
		compiler_ask(compiler, upstream);
	}
}

/* Its rows rest, as those that a host loses otherwise. */
static void remove_host(struct compiler *compiler, struct dealt *host, uint64_t generation)
{
	ids_begin_rows(&compiler->ids);
	for (size_t i = 0; i < host->row_count; i++)
		ids_leave_row(&compiler->ids, host->rows[i], generation);
	deal_remove(&compiler->hosts, host);
}

static void note_host(struct compiler *compiler, const struct model *model, struct span name,
		      uint64_t generation)
{
	struct dealt *host;

	if (map_find(&model->hosts_by_name, name) != NULL) {
		deal_note(&compiler->hosts, name);
		return;
	}
	host = deal_find(&compiler->hosts, name);
	if (host != NULL)
		remove_host(compiler, host, generation);
}

static void note_all_hosts(struct compiler *compiler, const struct model *model,
			   uint64_t generation)
{
	struct deal *hosts = &compiler->hosts;
	struct dealt *left;

	deal_begin(hosts);
	list_for_each (link, &model->hosts)
		deal_note(hosts, container_of(link, struct model_host, link)->by_name.key);
	left = deal_find_left(hosts, NULL);
	while (left != NULL) {
		struct dealt *next = deal_find_left(hosts, left);

		remove_host(compiler, left, generation);
		left = next;
	}
	for (uint32_t shard = 0; shard < hosts->shard_count; shard++)
		hosts->shards[shard].old = true; /* the settings are in those without hosts too */
}

static void note_certificate(struct compiler *compiler, const struct model *model, struct span name)
{
	struct dealt *left;

	if (map_find(&model->certificates_by_name, name) != NULL) {
		deal_note(&compiler->certificates, name);
		return;
	}
	left = deal_find(&compiler->certificates, name);
	if (left != NULL)
		deal_remove(&compiler->certificates, left);
}

static void note_all_certificates(struct compiler *compiler, const struct model *model)
{
	struct deal *deal = &compiler->certificates;
	struct dealt *left;

	deal_begin(deal);
	list_for_each (link, &model->certificates)
		deal_note(deal, container_of(link, struct model_certificate, link)->by_name.key);
	left = deal_find_left(deal, NULL);
	while (left != NULL) {
		struct dealt *next = deal_find_left(deal, left);

		deal_remove(deal, left);
		left = next;
	}
}

void compiler_note(struct compiler *compiler, const struct model *model,
		   const struct model_changes *changes, uint64_t generation)
{
	if (changes == NULL || changes->everything) {
		note_all_upstreams(compiler, model, generation);
		note_all_hosts(compiler, model, generation);
		note_all_certificates(compiler, model);
		return;
	}
	for (size_t i = 0; i < changes->upstream_count; i++)
		note_upstream(compiler, model, changes->upstreams[i], generation);
	for (size_t i = 0; i < changes->host_count; i++)
		note_host(compiler, model, changes->hosts[i], generation);
	for (size_t i = 0; i < changes->certificate_count; i++)
		note_certificate(compiler, model, changes->certificates[i]);
}

void compiler_note_service(struct compiler *compiler, struct span namespace, struct span service)
{
	const struct list *upstreams = services_find(&compiler->services, namespace, service);

	if (upstreams == NULL)
		return;
	list_for_each (link, upstreams)
		compiler_ask(compiler, container_of(link, struct ids_upstream, of_service));
}

bool compiler_is_short(const struct compiler *compiler)
{
	return compiler->is_short;
}

bool compiler_release(struct compiler *compiler, uint64_t routes_generation)
{
	struct ids_upstream *gone;
	bool any = false;

	while ((gone = ids_find_gone(&compiler->ids, routes_generation)) != NULL) {
		services_remove(&compiler->services, gone);
		compiler_forget(compiler, gone);
		ids_free_upstream(&compiler->ids, gone);
		any = true;
	}
	ids_release_rows(&compiler->ids, routes_generation);
	return any;
}
