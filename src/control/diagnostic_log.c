/* SPDX-License-Identifier: Apache-2.0 */
#include "control/diagnostic_log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"

struct line {
	struct map_entry by_text;
	uint64_t update; /* the last one that had it */
	enum diagnostic_id id;
	char text[];
};

void diagnostic_log_init(struct diagnostic_log *log)
{
	*log = (struct diagnostic_log){0};
	map_init(&log->lines);
}

static void forget(struct diagnostic_log *log, struct line *line)
{
	map_remove(&log->lines, &line->by_text);
	free(line);
}

void diagnostic_log_fini(struct diagnostic_log *log)
{
	struct map_entry *entry = map_next(&log->lines, NULL);

	while (entry != NULL) {
		struct line *line = container_of(entry, struct line, by_text);

		entry = map_next(&log->lines, entry);
		forget(log, line);
	}
	map_fini(&log->lines);
}

/* What is wrong with an object is survived by us, whatever it means to its owner. */
static void say(const struct line *line)
{
	const char *text = log_quote(line->by_text.key);

	if (diagnostic_level(line->id) == DIAGNOSTIC_LEVEL_NOTE)
		log_info("diagnostic", "code=IGT%04u text=\"%s\"", diagnostic_code(line->id), text);
	else
		log_warn("diagnostic", "code=IGT%04u text=\"%s\"", diagnostic_code(line->id), text);
}

static struct line *add_line(struct diagnostic_log *log, enum diagnostic_id id, struct span text)
{
	struct line *line = memory_new(sizeof(*line) + text.len);

	memcpy(line->text, text.ptr, text.len);
	line->by_text.key = span_make(line->text, text.len);
	line->id = id;
	map_add(&log->lines, &line->by_text);
	return line;
}

/* Returns whether there is something new to say. */
static bool note(struct diagnostic_log *log, enum diagnostic_id id, struct span text)
{
	struct map_entry *known = map_find(&log->lines, text);
	struct line *line = known != NULL ? container_of(known, struct line, by_text)
					  : add_line(log, id, text);

	if (line->update == log->update)
		return false; /* two lists say the same */
	line->update = log->update;
	log->counts[id]++;
	return known == NULL;
}

static uint32_t note_all(struct diagnostic_log *log, const struct diagnostics *list,
			 uint32_t new_before, struct buf *text)
{
	uint32_t new_count = new_before;

	for (const struct diagnostic *d = list->first; d != NULL; d = d->next) {
		buf_clear(text);
		diagnostic_write(d, text);
		if (!note(log, d->id, buf_span(text)))
			continue;
		if (++new_count <= DIAGNOSTIC_LOG_LINES_MAX)
			say(container_of(map_find(&log->lines, buf_span(text)), struct line,
					 by_text));
	}
	return new_count;
}

static void drop_gone(struct diagnostic_log *log)
{
	struct map_entry *entry = map_next(&log->lines, NULL);
	uint32_t gone = 0;

	while (entry != NULL) {
		struct line *line = container_of(entry, struct line, by_text);

		entry = map_next(&log->lines, entry);
		if (line->update == log->update)
			continue;
		if (++gone <= DIAGNOSTIC_LOG_LINES_MAX)
			log_info("diagnostic is gone", "code=IGT%04u text=\"%s\"",
				 diagnostic_code(line->id), log_quote(line->by_text.key));
		forget(log, line);
	}
	if (gone > DIAGNOSTIC_LOG_LINES_MAX)
		log_info("more diagnostics are gone", "count=%" PRIu32,
			 gone - DIAGNOSTIC_LOG_LINES_MAX);
}

void diagnostic_log_update(struct diagnostic_log *log, const struct diagnostics *const *lists,
			   size_t count)
{
	struct buf text = {0};
	uint32_t new_count = 0;

	log->update++;
	memset(log->counts, 0, sizeof(log->counts));
	for (size_t i = 0; i < count; i++)
		new_count = note_all(log, lists[i], new_count, &text);
	if (new_count > DIAGNOSTIC_LOG_LINES_MAX)
		log_warn("more diagnostics than are logged at once", "count=%" PRIu32,
			 new_count - DIAGNOSTIC_LOG_LINES_MAX);
	drop_gone(log);
	buf_fini(&text);
}
