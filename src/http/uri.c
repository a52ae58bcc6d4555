/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and hosts.
 *
 * A path is scanned once; what the scan found decides what is made of it. Mostly nothing was found,
 * and then path, sent path and match path are the same bytes. P1, P2 and P4 each turn a path into
 * one that is not longer, so that one copy is enough for all of them.
 */
#include "http/uri.h"

#include <string.h>

#include "base/ip.h"
#include "http/scan.h"
#include "http/token.h"

enum { LABEL_BYTES = 63, PORT_DIGITS = 5, ESCAPE_BYTES = 3 };

/* ---- paths ---- */

enum path_byte { PATH_BAD, PATH_PLAIN, PATH_SLASH, PATH_PERCENT, PATH_SEMICOLON, PATH_END };

/* H27 to H29. '[', ']' and '|' are sent by browsers and pass. */
/* clang-format off */
static const uint8_t path_bytes[256] = {
	['!'] = PATH_PLAIN, ['$'] = PATH_PLAIN, ['&'] = PATH_PLAIN, ['\''] = PATH_PLAIN,
	['('] = PATH_PLAIN, [')'] = PATH_PLAIN, ['*'] = PATH_PLAIN, ['+'] = PATH_PLAIN,
	[','] = PATH_PLAIN, ['-'] = PATH_PLAIN, ['.'] = PATH_PLAIN, [':'] = PATH_PLAIN,
	['='] = PATH_PLAIN, ['@'] = PATH_PLAIN, ['['] = PATH_PLAIN, [']'] = PATH_PLAIN,
	['_'] = PATH_PLAIN, ['|'] = PATH_PLAIN, ['~'] = PATH_PLAIN,
	['0' ... '9'] = PATH_PLAIN, ['A' ... 'Z'] = PATH_PLAIN, ['a' ... 'z'] = PATH_PLAIN,
	['/'] = PATH_SLASH, ['%'] = PATH_PERCENT, [';'] = PATH_SEMICOLON, ['?'] = PATH_END,
};
/* clang-format on */

/* What the scan of a path came upon. */
enum path_finding {
	FOUND_ESCAPE = 1,    /* '%': P1 may change it */
	FOUND_DOT = 2,       /* a segment begins with '.': P2 and P3 may apply */
	FOUND_SLASHES = 4,   /* "//": P4 */
	FOUND_SEPARATOR = 8, /* an escape of '/' or '\\': P3, P5 */
	FOUND_SEMICOLON = 16,
};

static unsigned hex_value(char byte)
{
	return (unsigned)(byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
}

static bool is_escape(const char *at, const char *end)
{
	return end - at >= ESCAPE_BYTES && token_byte_is(at[1], TOKEN_HEX) &&
	       token_byte_is(at[2], TOKEN_HEX);
}

static char unescape(const char *at)
{
	return (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
}

/* RFC 3986, 2.3 */
static bool is_unreserved(char byte)
{
	return token_byte_is(byte, TOKEN_PLAIN) || byte == '.' || byte == '_' || byte == '~';
}

/* H31, H32: what an escape means for the path, or false when it may not stand there. */
static bool judge_escape(const char *at, const char *end, unsigned *found)
{
	unsigned char byte;

	if (!is_escape(at, end))
		return false;
	byte = (unsigned char)unescape(at);
	if (byte < 0x20 || byte == 0x7f)
		return false;
	*found |= FOUND_ESCAPE;
	if (byte == '/' || byte == '\\')
		*found |= FOUND_SEPARATOR;
	return true;
}

/* Scans up to '?' or the end; NULL for a path with what H27 to H29, H31 or H32 forbid. */
static const char *scan_path(const char *at, const char *end, unsigned *found)
{
	for (*found = 0;; at++) {
		while (at < end && path_bytes[(unsigned char)*at] == PATH_PLAIN)
			at++;
		if (at == end)
			return at;
		switch ((enum path_byte)path_bytes[(unsigned char)*at]) {
		case PATH_SLASH:
			if (at + 1 < end && at[1] == '/')
				*found |= FOUND_SLASHES;
			else if (at + 1 < end && at[1] == '.')
				*found |= FOUND_DOT;
			break;
		case PATH_PERCENT:
			if (!judge_escape(at, end, found))
				return NULL;
			break;
		case PATH_SEMICOLON:
			*found |= FOUND_SEMICOLON;
			break;
		case PATH_END:
			return at;
		case PATH_PLAIN:
		case PATH_BAD:
			return NULL;
		}
	}
}

/* P1, P6: escapes of unreserved characters are decoded, once; digits of others become capitals. */
static size_t decode_unreserved(char *path, size_t length)
{
	size_t out = 0;

	for (size_t in = 0; in < length; in++) {
		char byte = path[in];

		if (byte != '%') {
			path[out++] = byte;
			continue;
		}
		byte = unescape(path + in);
		if (is_unreserved(byte)) {
			path[out++] = byte;
		} else {
			path[out++] = '%';
			path[out++] = "0123456789ABCDEF"[(unsigned char)byte >> 4];
			path[out++] = "0123456789ABCDEF"[byte & 15];
		}
		in += ESCAPE_BYTES - 1;
	}
	return out;
}

static bool is_dot(struct span segment)
{
	return segment.len == 1 && segment.ptr[0] == '.';
}

static bool is_dot_dot(struct span segment)
{
	return segment.len == 2 && segment.ptr[0] == '.' && segment.ptr[1] == '.';
}

/* The length of the path without its last segment and the '/' before that. */
static size_t without_last(const char *path, size_t length)
{
	while (path[--length] != '/')
		;
	return length;
}

/* P2 (RFC 3986, 5.2.4) in place; the path begins with '/'. False: it climbs above the root. */
static bool remove_dot_segments(char *path, size_t *length)
{
	size_t out = 0;

	for (size_t in = 0, next; in < *length; in = next) {
		const char *slash = memchr(path + in + 1, '/', *length - in - 1);
		struct span segment;
		bool is_last = slash == NULL;

		next = is_last ? *length : (size_t)(slash - path);
		segment = (struct span){path + in + 1, next - in - 1};
		if (is_dot_dot(segment)) {
			if (out == 0)
				return false;
			out = without_last(path, out);
		} else if (!is_dot(segment)) {
			memmove(path + out, path + in, next - in);
			out += next - in;
			continue;
		}
		if (is_last)
			path[out++] = '/';
	}
	*length = out;
	return true;
}

/* How many bytes at `at` a backend could take for a separator; 0: none. After P1. */
static size_t separator_bytes(const char *at, const char *end)
{
	if (*at == '/')
		return 1;
	if (*at != '%' || end - at < ESCAPE_BYTES)
		return 0;
	return memcmp(at, "%2F", ESCAPE_BYTES) == 0 || memcmp(at, "%5C", ESCAPE_BYTES) == 0
		       ? ESCAPE_BYTES
		       : 0;
}

/* P3: whether a piece between separators of any kind is a dot segment, its parameters cut off. */
static bool hides_dot_segment(struct span path)
{
	const char *end = path.ptr + path.len;
	const char *begin = path.ptr;

	for (const char *at = path.ptr; at <= end; at++) {
		size_t separator = at < end ? separator_bytes(at, end) : 1;
		struct span piece;

		if (separator == 0)
			continue;
		piece = (struct span){begin, (size_t)(at - begin)};
		piece = span_take(piece, span_find(piece, ';'));
		if (is_dot(piece) || is_dot_dot(piece))
			return true;
		begin = at + separator;
		at = begin - 1;
	}
	return false;
}

/* P4, in place. */
static size_t merge_slashes(char *path, size_t length)
{
	size_t out = 0;

	for (size_t in = 0; in < length; in++)
		if (path[in] != '/' || out == 0 || path[out - 1] != '/')
			path[out++] = path[in];
	return out;
}

/* Fills sent_path and match_path from path. */
static enum fault normalize(struct uri *uri, unsigned found, struct arena *arena)
{
	struct span path = uri->path;
	size_t length;
	bool changed;

	if ((found & (FOUND_ESCAPE | FOUND_DOT | FOUND_SLASHES)) == 0) {
		uri->sent_path = uri->match_path = path;
		return FAULT_NONE;
	}
	path = arena_copy(arena, path);
	if (path.ptr == NULL)
		return FAULT_OUT_OF_MEMORY;
	path.len = decode_unreserved((char *)path.ptr, path.len);
	length = path.len;
	if (!remove_dot_segments((char *)path.ptr, &length))
		return FAULT_BAD_PATH;
	changed = length != path.len;
	path.len = length;
	if (hides_dot_segment(path))
		return FAULT_BAD_PATH;
	uri->sent_path = changed ? path : uri->path;
	if ((found & FOUND_SLASHES) != 0) {
		if (changed)
			path = arena_copy(arena, path);
		if (path.ptr == NULL)
			return FAULT_OUT_OF_MEMORY;
		path.len = merge_slashes((char *)path.ptr, path.len);
	}
	uri->match_path = path;
	return FAULT_NONE;
}

/* ---- targets ---- */

/* H22, H24: cuts "http://authority" off; *at is then where the path begins, or '?', or the end. */
static bool cut_authority(struct span target, struct uri *uri, const char **at)
{
	struct span http = S("http://");
	struct span https = S("https://");
	struct span rest;
	struct host host;
	size_t length = 0;

	uri->form = URI_ABSOLUTE;
	uri->https = span_equals_nocase(span_take(target, https.len), https);
	if (!uri->https && !span_equals_nocase(span_take(target, http.len), http))
		return false;
	rest = span_skip(target, uri->https ? https.len : http.len);
	while (length < rest.len && rest.ptr[length] != '/' && rest.ptr[length] != '?')
		length++;
	uri->authority = span_take(rest, length);
	*at = rest.ptr + length;
	return host_parse(uri->authority, &host);
}

static enum fault take_asterisk(enum method method, struct uri *uri)
{
	if (method != METHOD_OPTIONS)
		return FAULT_BAD_TARGET; /* H26 */
	uri->form = URI_ASTERISK;
	uri->path = uri->sent_path = uri->match_path = S("*");
	return FAULT_NONE;
}

enum fault uri_parse(struct span target, enum method method, struct arena *arena, struct uri *uri)
{
	const char *end = target.ptr + target.len;
	const char *begin = target.ptr;
	const char *stop;
	unsigned found;

	*uri = (struct uri){.form = URI_ORIGIN};
	if (span_equals(target, S("*")))
		return take_asterisk(method, uri);
	if (target.len == 0 || (target.ptr[0] != '/' && !cut_authority(target, uri, &begin)))
		return FAULT_BAD_TARGET; /* H24, H25 */
	stop = scan_path(begin, end, &found);
	if (stop == NULL)
		return FAULT_BAD_PATH;
	uri->path = stop == begin ? S("/") : (struct span){begin, (size_t)(stop - begin)};
	uri->query = (struct span){stop, (size_t)(end - stop)};
	if (scan_target(stop, end) != end)
		return FAULT_BAD_TARGET; /* H30 */
	uri->has_readings = (found & (FOUND_SLASHES | FOUND_SEPARATOR | FOUND_SEMICOLON)) != 0;
	return normalize(uri, found, arena);
}

/* ---- readings ---- */

/* P5: %2F and %5C become '/'. After P1. */
static size_t decode_separators(char *path, size_t length)
{
	size_t out = 0;

	for (size_t in = 0; in < length; out++) {
		size_t separator = separator_bytes(path + in, path + length);

		path[out] = separator > 0 ? '/' : path[in];
		in += separator > 0 ? separator : 1;
	}
	return out;
}

/* P5: what follows a ';' in a segment is left out. */
static size_t cut_parameters(char *path, size_t length)
{
	size_t out = 0;
	bool cutting = false;

	for (size_t in = 0; in < length; in++) {
		cutting = path[in] != '/' && (cutting || path[in] == ';');
		if (!cutting)
			path[out++] = path[in];
	}
	return out;
}

struct span uri_read(const struct uri *uri, enum uri_reading reading, struct arena *arena)
{
	struct span copy = arena_copy(arena, uri->sent_path);
	char *path = (char *)copy.ptr;
	size_t length;

	if (path == NULL)
		return copy;
	length = decode_unreserved(path, copy.len);
	if (reading == URI_READING_NO_PARAMETERS || reading == URI_READING_NO_PARAMETERS_DECODED)
		length = cut_parameters(path, length);
	if (reading == URI_READING_DECODED_SLASH || reading == URI_READING_DECODED_NO_PARAMETERS ||
	    reading == URI_READING_NO_PARAMETERS_DECODED)
		length = decode_separators(path, length);
	if (reading == URI_READING_DECODED_NO_PARAMETERS)
		length = cut_parameters(path, length);
	if (!remove_dot_segments(path, &length))
		return (struct span){NULL, 0};
	if (reading != URI_READING_UNMERGED)
		length = merge_slashes(path, length);
	return (struct span){path, length};
}

/* ---- hosts ---- */

/* ":80" behind a host; nothing and ":" alone mean no port. Port 0 cannot be connected to. */
static bool parse_port(struct span text, uint16_t *port)
{
	uint64_t number;

	*port = 0;
	if (text.len <= 1)
		return text.len == 0 || text.ptr[0] == ':';
	if (text.ptr[0] != ':' || text.len > 1 + PORT_DIGITS ||
	    !span_to_u64(span_skip(text, 1), &number) || number == 0 || number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* "[::1]" and what follows; no zone, no future version. */
static bool parse_literal(struct span value, struct span *name)
{
	size_t close = span_find(value, ']');
	struct ip ip;

	if (close == SIZE_MAX || span_find(span_take(value, close), ':') == SIZE_MAX ||
	    !ip_parse((struct span){value.ptr + 1, close - 1}, &ip))
		return false;
	*name = span_take(value, close + 1);
	return true;
}

/* A name of labels up to ':' or the end; one dot at its end is left out of *name. */
static bool parse_name(struct span value, struct span *name, size_t *length)
{
	size_t label = 0;
	size_t i = 0;

	for (; i < value.len && value.ptr[i] != ':'; i++) {
		if (value.ptr[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!token_byte_is(value.ptr[i], TOKEN_HOST) || value.ptr[i] == '[' ||
			   value.ptr[i] == ']' || ++label > LABEL_BYTES) {
			return false;
		}
	}
	*length = i;
	*name = span_take(value, i > 0 && label == 0 ? i - 1 : i);
	return name->len > 0 && name->len <= HOST_NAME_BYTES;
}

static void lower_name(struct host *host)
{
	size_t i = 0;

	while (i < host->name.len && !token_byte_is(host->name.ptr[i], TOKEN_UPPER))
		i++;
	if (i == host->name.len)
		return;
	memcpy(host->storage, host->name.ptr, host->name.len);
	for (; i < host->name.len; i++)
		if (token_byte_is(host->storage[i], TOKEN_UPPER))
			host->storage[i] = (char)(host->storage[i] | 0x20);
	host->name.ptr = host->storage;
}

bool host_parse(struct span value, struct host *host)
{
	size_t length;

	host->value = value;
	if (value.len == 0)
		return false;
	if (value.ptr[0] == '[') {
		if (!parse_literal(value, &host->name))
			return false;
		length = host->name.len;
	} else if (!parse_name(value, &host->name, &length)) {
		return false;
	}
	if (!parse_port(span_skip(value, length), &host->port))
		return false;
	lower_name(host);
	return true;
}

bool host_equals(const struct host *a, const struct host *b, uint16_t default_port)
{
	uint16_t port_a = a->port == 0 ? default_port : a->port;
	uint16_t port_b = b->port == 0 ? default_port : b->port;

	return port_a == port_b && span_equals(a->name, b->name);
}
