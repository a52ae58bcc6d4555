/* SPDX-License-Identifier: Apache-2.0 */
#include "model/balance.h"

#include <stdlib.h>

#include "base/memory.h"
#include "model/host.h"
#include "model/scalar.h"
#include "model/template.h"

#define FACTOR "upstream-hash-balance-factor"

enum { SUBSET_SIZE = 3, SUBSET_SIZE_MAX = 1 << 16, PERCENT_MAX = 10000 };

bool balance_algorithm(struct span name, enum model_algorithm *algorithm)
{
	static const struct {
		const char *name;
		enum model_algorithm algorithm;
	} algorithms[] = {
		{"round_robin", MODEL_ROUND_ROBIN},
		{"ewma", MODEL_EWMA},
		{"least_requests", MODEL_LEAST_REQUESTS},
	};

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (!span_equals(name, span_from(algorithms[i].name)))
			continue;
		*algorithm = algorithms[i].algorithm;
		return true;
	}
	return false;
}

static void report(struct build *build, const struct intent *intent, const char *name,
		   struct span value, const char *what)
{
	annotation_report(build, intent->ingress, DIAGNOSTIC_BAD_ANNOTATION, name, value, what);
}

/* Words of ingress-nginx that name what other annotations choose. */
static bool is_chosen_otherwise(struct span name)
{
	static const char *const names[] = {"chash", "chashsubset", "sticky_balanced",
					    "sticky_persistent"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_equals(name, span_from(names[i])))
			return true;
	return false;
}

static void read_algorithm(struct build *build, struct intent *intent, struct span text)
{
	if (text.len == 0 || balance_algorithm(text, &intent->balance.algorithm))
		return;
	if (is_chosen_otherwise(text))
		annotation_report(
			build, intent->ingress, DIAGNOSTIC_ANNOTATION_ALONE, "load-balance", text,
			"is chosen by other annotations: write upstream-hash-by; what the "
			"ConfigMap says holds");
	else
		report(build, intent, "load-balance", text,
		       "does not fit: it takes round_robin, ewma or least_requests; what the "
		       "ConfigMap says holds");
}

/* Compat spec, 2.3: class Var; blanks are not looked at. */
static bool is_hash_text(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.ptr[i];
		bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';

		if (!is_letter && !(byte >= '0' && byte <= '9') &&
		    span_find(S("-_${} "), byte) == SIZE_MAX)
			return false;
	}
	return true;
}

static void read_hash_by(struct build *build, struct intent *intent, struct span text)
{
	static const char name[] = "upstream-hash-by";
	struct model_template template;
	const char *fault = NULL;

	if (text.len == 0)
		return;
	if (!is_hash_text(text))
		fault = "has a character that is no letter, digit, blank, -, _, $, { or }";
	else
		fault = template_parse(&build->arena, text, &template);
	if (fault != NULL) {
		report(build, intent, name, text,
		       arena_printf(&build->arena, "%s; requests are not hashed", fault).ptr);
		return;
	}
	template_report(build, intent->ingress, name, &template);
	intent->balance.algorithm = MODEL_HASH;
	intent->balance.hash_by = text;
}

static void read_subset(struct build *build, struct intent *intent,
			const struct balance_texts *texts)
{
	bool is_wanted = false;
	uint64_t size = SUBSET_SIZE;

	if (texts->subset.len > 0 && !scalar_bool(texts->subset, &is_wanted))
		report(build, intent, "upstream-hash-by-subset", texts->subset,
		       "does not fit: it takes \"true\" or \"false\"; false holds");
	if (texts->subset_size.len > 0 &&
	    (!span_to_u64(texts->subset_size, &size) || size > SUBSET_SIZE_MAX)) {
		report(build, intent, "upstream-hash-by-subset-size", texts->subset_size,
		       "does not fit: it takes a number up to 65536; 3 holds");
		size = SUBSET_SIZE;
	}
	if (is_wanted)
		intent->balance.subset_size = size == 0 ? SUBSET_SIZE : (uint32_t)size;
}

/* Digits, and up to two more behind a point. */
static bool parse_percent(struct span text, uint32_t *percent)
{
	struct span fraction = text;
	struct span whole = span_cut(&fraction, '.');
	uint64_t hundreds;
	uint64_t rest = 0;

	if (!span_to_u64(whole, &hundreds) || hundreds > PERCENT_MAX / 100 || fraction.len > 2 ||
	    (fraction.ptr != NULL && !span_to_u64(fraction, &rest)))
		return false;
	if (fraction.len == 1)
		rest *= 10;
	*percent = (uint32_t)(hundreds * 100 + rest);
	return *percent == 0 || (*percent > 100 && *percent <= PERCENT_MAX);
}

static void read_factor(struct build *build, struct intent *intent, struct span text)
{
	uint32_t percent = 0;

	if (text.len == 0)
		return;
	if (parse_percent(text, &percent))
		intent->balance.bound_percent = percent;
	else
		annotation_report_own(build, intent->ingress, DIAGNOSTIC_BAD_ANNOTATION, FACTOR,
				      text,
				      "does not fit: it takes a number above 1 and up to 100, for "
				      "example \"1.25\", or \"0\"; 0 holds");
}

void balance_read(struct build *build, struct intent *intent, const struct balance_texts *texts)
{
	struct model_balance *balance = &intent->balance;

	balance->algorithm = build->model.settings.load_balance;
	read_algorithm(build, intent, texts->load_balance);
	read_hash_by(build, intent, texts->hash_by);
	read_subset(build, intent, texts);
	read_factor(build, intent, texts->factor);
	if (balance->algorithm == MODEL_HASH)
		return;
	balance->subset_size = 0;
	balance->bound_percent = 0;
}

/*
 * Who decides
 */

static const struct intent *find_decider(const struct upstream *upstream)
{
	const struct intent *oldest = NULL;

	list_for_each (link, &upstream->holds) {
		const struct intent *intent = container_of(link, struct hold, of_upstream)->intent;

		if (oldest == NULL ||
		    host_compare_age(&intent->ingress->object, &oldest->ingress->object) < 0)
			oldest = intent;
	}
	return oldest;
}

static bool is_same(const struct model_balance *a, const struct model_balance *b)
{
	return a->algorithm == b->algorithm && span_equals(a->hash_by, b->hash_by) &&
	       a->subset_size == b->subset_size && a->bound_percent == b->bound_percent;
}

bool balance_decide(const struct build *build, struct upstream *upstream)
{
	const struct intent *decider = find_decider(upstream);
	struct model_balance wanted = {.algorithm = build->model.settings.load_balance};
	struct model_balance *balance = &upstream->model.balance;

	if (decider != NULL)
		wanted = decider->balance;
	if (is_same(balance, &wanted))
		return false;
	free(upstream->hash_by);
	upstream->hash_by = NULL;
	if (wanted.hash_by.len > 0) {
		upstream->hash_by = memory_new(wanted.hash_by.len);
		memcpy(upstream->hash_by, wanted.hash_by.ptr, wanted.hash_by.len);
		wanted.hash_by.ptr = upstream->hash_by;
	}
	*balance = wanted;
	return true;
}
