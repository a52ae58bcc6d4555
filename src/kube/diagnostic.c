/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/diagnostic.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

static const struct {
	unsigned code;
	enum diagnostic_level level;
	const char *reason;
} facts[DIAGNOSTIC_COUNT] = {
#define DIAGNOSTIC(name, code, level, reason, meaning) {code, DIAGNOSTIC_LEVEL_##level, reason},
#include "kube/diagnostic.def"
#undef DIAGNOSTIC
};

void diagnostics_init(struct diagnostics *list)
{
	*list = (struct diagnostics){0};
	arena_init(&list->arena, NULL, 0, SIZE_MAX);
	list->last = &list->first;
}

void diagnostics_fini(struct diagnostics *list)
{
	arena_fini(&list->arena);
	*list = (struct diagnostics){0};
}

static struct diagnostic *add(struct diagnostics *list, enum diagnostic_id id)
{
	struct diagnostic *added = arena_take_zero(&list->arena, sizeof(*added));

	added->id = id;
	*list->last = added;
	list->last = &added->next;
	list->counts[diagnostic_level(id)]++;
	return added;
}

void diagnostics_add(struct diagnostics *list, enum diagnostic_id id, const struct object *object,
		     struct span field, const char *format, ...)
{
	struct diagnostic *added = add(list, id);
	struct position position = object_position(object, field);
	va_list args;

	va_start(args, format);
	added->text = arena_vprintf(&list->arena, format, args);
	va_end(args);
	added->kind = span_from(object_kind_name(object->kind));
	added->object = arena_copy(&list->arena, object->by_name.key);
	added->field = arena_copy(&list->arena, field);
	added->file = arena_copy(&list->arena, object->origin.file);
	added->line = position.line;
	added->column = position.column;
}

void diagnostics_add_place(struct diagnostics *list, enum diagnostic_id id, struct span file,
			   uint32_t line, uint32_t column, const char *format, ...)
{
	struct diagnostic *added = add(list, id);
	va_list args;

	va_start(args, format);
	added->text = arena_vprintf(&list->arena, format, args);
	va_end(args);
	added->file = arena_copy(&list->arena, file);
	added->line = line;
	added->column = column;
}

void diagnostics_append(struct diagnostics *list, const struct diagnostics *from)
{
	for (const struct diagnostic *each = from->first; each != NULL; each = each->next) {
		struct diagnostic *added = add(list, each->id);

		added->kind = arena_copy(&list->arena, each->kind);
		added->object = arena_copy(&list->arena, each->object);
		added->field = arena_copy(&list->arena, each->field);
		added->text = arena_copy(&list->arena, each->text);
		added->file = arena_copy(&list->arena, each->file);
		added->line = each->line;
		added->column = each->column;
	}
}

struct diagnostics *diagnostics_new(void)
{
	struct diagnostics *list = memory_new(sizeof(*list));

	diagnostics_init(list);
	return list;
}

void diagnostics_free(struct diagnostics *list)
{
	if (list == NULL)
		return;
	diagnostics_fini(list);
	free(list);
}

void diagnostics_replace(struct diagnostics **kept, struct diagnostics *found,
			 const struct diagnostic_sink *sink)
{
	struct diagnostics *before = *kept;

	if (found->first == NULL) {
		diagnostics_free(found);
		found = NULL;
	}
	*kept = found;
	/* what is said before and after is not gone in between */
	if (found != NULL && sink != NULL)
		sink->on_new(sink->owner, found);
	diagnostics_drop(&before, sink);
}

void diagnostics_drop(struct diagnostics **kept, const struct diagnostic_sink *sink)
{
	if (*kept != NULL && sink != NULL)
		sink->on_gone(sink->owner, *kept);
	diagnostics_free(*kept);
	*kept = NULL;
}

static void write_place(const struct diagnostic *diagnostic, struct buf *buf)
{
	if (diagnostic->file.len == 0)
		return;
	buf_add(buf, diagnostic->file);
	if (diagnostic->line > 0)
		buf_printf(buf, ":%u:%u", diagnostic->line, diagnostic->column);
	buf_add(buf, S(": "));
}

/* Annotations go by their short name, every other field by its path. */
static void write_field(struct span field, struct buf *buf)
{
	const struct span annotations = S("metadata.annotations[");
	struct span key = span_skip(field, annotations.len);
	size_t slash = span_find(key, '/');

	if (!span_starts_with(field, annotations) || slash == SIZE_MAX) {
		buf_add(buf, field);
		return;
	}
	buf_add(buf, S("annotation "));
	key = span_skip(key, slash + 1);
	buf_add(buf, span_take(key, key.len - 1));
}

void diagnostic_write(const struct diagnostic *diagnostic, struct buf *buf)
{
	write_place(diagnostic, buf);
	buf_printf(buf, "%s IGT%04u: ", diagnostic_level_name(diagnostic_level(diagnostic->id)),
		   diagnostic_code(diagnostic->id));
	if (diagnostic->object.len > 0) {
		/* a bare name is an Ingress: most are */
		if (!span_equals(diagnostic->kind, S("Ingress"))) {
			buf_add(buf, diagnostic->kind);
			buf_add_byte(buf, ' ');
		}
		buf_add(buf, diagnostic->object);
		buf_add(buf, S(": "));
	}
	if (diagnostic->field.len > 0) {
		write_field(diagnostic->field, buf);
		buf_add(buf, S(": "));
	}
	buf_add(buf, diagnostic->text);
}

enum { QUOTE_BUFFERS = 8, QUOTE_CHARACTERS = 80, QUOTE_SIZE = QUOTE_CHARACTERS * 4 + 32 };

static bool begins_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

static size_t count_characters(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += begins_character(text.ptr[i]);
	return count;
}

/* Bytes of the first characters. */
static size_t bytes_of(struct span text, size_t characters)
{
	size_t bytes = 0;

	for (; bytes < text.len; bytes++)
		if (begins_character(text.ptr[bytes]) && characters-- == 0)
			break;
	return bytes;
}

static size_t add_escaped(char *into, size_t length, struct span text)
{
	enum { LONGEST = 4, BEHIND = 8 };

	for (size_t i = 0; i < text.len && length + LONGEST + BEHIND < QUOTE_SIZE; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < 0x20 || c == 0x7f)
			length += (size_t)sprintf(into + length, "\\x%02x", c);
		else
			into[length++] = (char)c;
	}
	return length;
}

const char *diagnostic_quote(struct span text)
{
	static char buffers[QUOTE_BUFFERS][QUOTE_SIZE];
	static unsigned next;
	char *into = buffers[next++ % QUOTE_BUFFERS];
	size_t characters = count_characters(text);
	size_t length = 0;

	into[length++] = '"';
	if (characters > QUOTE_CHARACTERS) {
		size_t half = QUOTE_CHARACTERS / 2;

		length = add_escaped(into, length, span_take(text, bytes_of(text, half)));
		length += (size_t)sprintf(into + length, "…");
		text = span_skip(text, bytes_of(text, characters - half + 1));
	}
	length = add_escaped(into, length, text);
	into[length++] = '"';
	into[length] = '\0';
	return into;
}

unsigned diagnostic_code(enum diagnostic_id id)
{
	return facts[id].code;
}

enum diagnostic_level diagnostic_level(enum diagnostic_id id)
{
	return facts[id].level;
}

const char *diagnostic_level_name(enum diagnostic_level level)
{
	static const char *const names[] = {"error", "warning", "note"};

	return names[level];
}

const char *diagnostic_reason(enum diagnostic_id id)
{
	return facts[id].reason;
}
