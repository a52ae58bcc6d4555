/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rule_text.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 253 };

/* Request lines end at 8 KiB: what is longer than this hardly ever matches, and costs everybody memory. */
enum { RULE_PATH_MAX = 4096 };

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_label(struct span label)
{
	return label.len > 0 && label.len <= LABEL_MAX && label.ptr[0] != '-' &&
	       label.ptr[label.len - 1] != '-';
}

/* NULL, or what is wrong with the labels of a name whose characters are fine. */
static const char *labels_fault(struct span name)
{
	if (name.len > NAME_MAX_BYTES)
		return "is longer than the 253 characters of a DNS name";
	do {
		struct span label = span_cut(&name, '.');

		if (label.len == 0)
			return "is not a DNS name (a label is empty)";
		if (label.len > LABEL_MAX)
			return "is not a DNS name (a label is longer than 63 characters)";
		if (!is_label(label))
			return "is not a DNS name (a label begins or ends with '-')";
	} while (name.ptr != NULL);
	return NULL;
}

/* The first character that no name has; '\0': none. */
static char foreign_character(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_character(name.ptr[i]) && name.ptr[i] != '.')
			return name.ptr[i];
	return '\0';
}

bool rule_text_is_dns_name(struct span name)
{
	return name.len > 0 && foreign_character(name) == '\0' && labels_fault(name) == NULL;
}

static const char *character_fault(char c)
{
	static char text[64];

	if (c >= 'A' && c <= 'Z')
		return "has capital letters; write it in lower case";
	if (c == '*')
		return "has a '*' that is not the whole first label; write for example "
		       "\"*.shop.example\"";
	if (c == ':')
		return "has a port; a host is the name alone";
	if (c == '/')
		return "has a '/'; a host is the name alone, paths go under http.paths";
	if ((unsigned char)c >= 0x80)
		return "is not a DNS name; write international names in their xn-- form";
	snprintf(text, sizeof(text), "is not a DNS name ('%c' is not allowed)",
		 c < 0x20 || c == 0x7f ? '?' : c);
	return text;
}

const char *rule_text_host_fault(struct span host)
{
	struct ip ip;
	bool wildcard = span_starts_with(host, S("*."));
	char foreign;

	if (ip_parse(host, &ip))
		return "is an IP address; a host is a DNS name";
	if (wildcard)
		host = span_skip(host, 2);
	foreign = foreign_character(host);
	if (foreign != '\0')
		return character_fault(foreign);
	return labels_fault(host);
}

static bool contains(struct span text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

const char *rule_text_path_fault(struct span path, enum rule_text_path_form form)
{
	static const char *const parts[] = {"//", "/./", "/../"};

	if (path.ptr[0] != '/')
		return "must begin with '/'";
	if (path.len > RULE_PATH_MAX)
		return "must not be longer than 4096 bytes";
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (contains(path, parts[i]))
			return "must not hold '//', '/./' or '/../': requests are compared without "
			       "them, so it could never match";
	if (span_ends_with(path, S("/.")) || span_ends_with(path, S("/..")))
		return "must not end in '/.' or '/..': requests are compared without them, so it "
		       "could never match";
	if (form == RULE_TEXT_STRICT && (contains(path, "%2f") || contains(path, "%2F")))
		return "must not hold '%2F'; use pathType ImplementationSpecific for it";
	return NULL;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

/* RFC 3986, 3.3: pchar without escapes, and the slash. */
static bool is_plain(char c)
{
	return is_unreserved(c) || (c != '\0' && strchr("!$&'()*+,;=:@/", c) != NULL);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape at the start stands for, or -1. */
static int escaped_byte(struct span text)
{
	int high;
	int low;

	if (text.len < 3 || text.ptr[0] != '%')
		return -1;
	high = hex_value(text.ptr[1]);
	low = hex_value(text.ptr[2]);
	return high == -1 || low == -1 ? -1 : high << 4 | low;
}

static bool is_in_match_form(struct span path)
{
	for (size_t i = 0; i < path.len; i++)
		if (!is_plain(path.ptr[i]))
			return false;
	return true;
}

struct span rule_text_match_path(struct span path, struct arena *arena)
{
	char *into;
	size_t length = 0;

	if (is_in_match_form(path))
		return path;
	into = arena_take_bytes(arena, path.len * 3 + 1);
	while (path.len > 0) {
		int escaped = escaped_byte(path);
		unsigned char c = escaped == -1 ? (unsigned char)path.ptr[0]
						: (unsigned char)escaped;

		if (escaped == -1 ? is_plain((char)c) : is_unreserved((char)c))
			into[length++] = (char)c;
		else
			length += (size_t)sprintf(into + length, "%%%02X", c);
		path = span_skip(path, escaped == -1 ? 1 : 3);
	}
	return span_make(into, length);
}
