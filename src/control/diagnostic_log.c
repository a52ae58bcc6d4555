/* SPDX-License-Identifier: Apache-2.0 */
#include "control/diagnostic_log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/memory.h"

struct line {
	struct map_entry by_text;
	struct list changed;
	uint32_t holders; /* how often it is in the lists that are there */
	bool is_said;
	enum diagnostic_id id;
	char text[];
};

static struct line *line_of(struct map_entry *entry)
{
	return entry == NULL ? NULL : container_of(entry, struct line, by_text);
}

void diagnostic_log_init(struct diagnostic_log *log)
{
	*log = (struct diagnostic_log){0};
	map_init(&log->lines);
	list_init(&log->changed);
}

static void forget(struct diagnostic_log *log, struct line *line)
{
	map_remove(&log->lines, &line->by_text);
	list_remove(&line->changed);
	free(line);
}

void diagnostic_log_fini(struct diagnostic_log *log)
{
	struct map_entry *entry = map_next(&log->lines, NULL);

	while (entry != NULL) {
		struct line *line = line_of(entry);

		entry = map_next(&log->lines, entry);
		forget(log, line);
	}
	map_fini(&log->lines);
}

static struct line *add_line(struct diagnostic_log *log, enum diagnostic_id id, struct span text)
{
	struct line *line = memory_new(sizeof(*line) + text.len);

	memcpy(line->text, text.ptr, text.len);
	line->by_text.key = span_make(line->text, text.len);
	line->id = id;
	list_init(&line->changed);
	map_add(&log->lines, &line->by_text);
	return line;
}

/* In the order in which they changed first. */
static void note_change(struct diagnostic_log *log, struct line *line)
{
	if (list_is_empty(&line->changed))
		list_add_last(&log->changed, &line->changed);
}

void diagnostic_log_add(struct diagnostic_log *log, const struct diagnostics *list)
{
	struct buf text = {0};

	for (const struct diagnostic *d = list->first; d != NULL; d = d->next) {
		struct line *line;

		buf_clear(&text);
		diagnostic_write(d, &text);
		line = line_of(map_find(&log->lines, buf_span(&text)));
		if (line == NULL)
			line = add_line(log, d->id, buf_span(&text));
		if (line->holders++ > 0)
			continue;
		log->counts[line->id]++;
		note_change(log, line);
	}
	buf_fini(&text);
}

void diagnostic_log_remove(struct diagnostic_log *log, const struct diagnostics *list)
{
	struct buf text = {0};

	for (const struct diagnostic *d = list->first; d != NULL; d = d->next) {
		struct line *line;

		buf_clear(&text);
		diagnostic_write(d, &text);
		line = line_of(map_find(&log->lines, buf_span(&text)));
		BUG_ON(line == NULL || line->holders == 0);
		if (--line->holders > 0)
			continue;
		log->counts[line->id]--;
		note_change(log, line);
	}
	buf_fini(&text);
}

/* What is wrong with an object is survived by us, whatever it means to its owner. */
static void say_new(const struct line *line)
{
	const char *text = log_quote(line->by_text.key);

	if (diagnostic_level(line->id) == DIAGNOSTIC_LEVEL_NOTE)
		log_info("diagnostic", "code=IGT%04u text=\"%s\"", diagnostic_code(line->id), text);
	else
		log_warn("diagnostic", "code=IGT%04u text=\"%s\"", diagnostic_code(line->id), text);
}

static void say_gone(const struct line *line)
{
	log_info("diagnostic is gone", "code=IGT%04u text=\"%s\"", diagnostic_code(line->id),
		 log_quote(line->by_text.key));
}

void diagnostic_log_say(struct diagnostic_log *log)
{
	uint32_t fresh = 0;
	uint32_t gone = 0;

	list_for_each_safe (link, &log->changed) {
		struct line *line = container_of(link, struct line, changed);

		list_remove(&line->changed);
		if (line->holders > 0 && !line->is_said && ++fresh <= DIAGNOSTIC_LOG_LINES_MAX)
			say_new(line);
		if (line->holders == 0 && line->is_said && ++gone <= DIAGNOSTIC_LOG_LINES_MAX)
			say_gone(line);
		line->is_said = true;
		if (line->holders == 0)
			forget(log, line);
	}
	if (fresh > DIAGNOSTIC_LOG_LINES_MAX)
		log_warn("more diagnostics than are logged at once", "count=%" PRIu32,
			 fresh - DIAGNOSTIC_LOG_LINES_MAX);
	if (gone > DIAGNOSTIC_LOG_LINES_MAX)
		log_info("more diagnostics are gone", "count=%" PRIu32,
			 gone - DIAGNOSTIC_LOG_LINES_MAX);
}
