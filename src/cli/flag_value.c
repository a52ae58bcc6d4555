/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag_value.h"

#include "base/bug.h"

enum { WORKERS_MAX = 256, PORT_MAX = 65535, DIGITS_MAX = 12 };

static const uint64_t duration_max_ms = UINT64_C(20) * 86400 * 1000;

static bool set_bool(struct span text, struct flag_value *value)
{
	/* the words of Go's strconv.ParseBool */
	static const char *const words[2][6] = {{"false", "0", "f", "F", "FALSE", "False"},
						{"true", "1", "t", "T", "TRUE", "True"}};

	for (unsigned truth = 0; truth < 2; truth++) {
		for (unsigned i = 0; i < 6; i++) {
			if (!span_equals(text, span_from(words[truth][i])))
				continue;
			value->number = truth;
			return true;
		}
	}
	return false;
}

static bool set_number(struct span text, uint64_t min, uint64_t max, struct flag_value *value)
{
	uint64_t number;

	if (!span_to_u64(text, &number) || number < min || number > max)
		return false;
	value->number = number;
	return true;
}

static bool set_count(struct span text, struct flag_value *value)
{
	if (!span_equals(text, S("auto")))
		return set_number(text, 1, WORKERS_MAX, value);
	value->number = 0;
	return true;
}

/* Takes the leading digits off the text, at least one. */
static bool take_digits(struct span *text, struct span *digits)
{
	size_t n = 0;

	while (n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9')
		n++;
	*digits = span_take(*text, n);
	*text = span_skip(*text, n);
	return n > 0 && n <= DIGITS_MAX;
}

/* Takes "12" or "12.5" off the text, in thousandths; further decimals are cut. */
static bool take_decimal(struct span *text, uint64_t *thousandths)
{
	struct span digits;
	uint64_t whole;

	if (!take_digits(text, &digits) || !span_to_u64(digits, &whole))
		return false;
	*thousandths = whole * 1000;
	if (!span_starts_with(*text, S(".")))
		return true;
	*text = span_skip(*text, 1);
	if (!take_digits(text, &digits))
		return false;
	for (size_t i = 0, worth = 100; i < digits.len && worth > 0; i++, worth /= 10)
		*thousandths += worth * (uint64_t)(digits.ptr[i] - '0');
	return true;
}

/* Takes a unit off the text: its milliseconds, 0 for none. The end of the text counts as seconds. */
static uint64_t take_unit_ms(struct span *text)
{
	static const struct {
		struct span name;
		uint64_t ms;
	} units[] = {{{"ms", 2}, 1}, {{"s", 1}, 1000}, {{"m", 1}, 60000}, {{"h", 1}, 3600000}};

	if (text->len == 0)
		return 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!span_starts_with(*text, units[i].name))
			continue;
		*text = span_skip(*text, units[i].name.len);
		return units[i].ms;
	}
	return 0;
}

static bool set_duration(struct span text, struct flag_value *value)
{
	uint64_t sum_ms = 0;

	do {
		uint64_t thousandths;
		uint64_t unit_ms;

		if (!take_decimal(&text, &thousandths))
			return false;
		unit_ms = take_unit_ms(&text);
		if (unit_ms == 0 || thousandths / 1000 > duration_max_ms / unit_ms)
			return false;
		sum_ms += thousandths * unit_ms / 1000;
		if (sum_ms > duration_max_ms)
			return false;
	} while (text.len > 0);
	value->number = sum_ms;
	return true;
}

static bool is_decimal(struct span text)
{
	uint64_t thousandths;

	return take_decimal(&text, &thousandths) && text.len == 0;
}

static bool is_object(struct span text)
{
	struct span name = text;
	struct span namespace = span_cut(&name, '/');

	return text.len == 0 ||
	       (namespace.len > 0 && name.len > 0 && span_find(name, '/') == SIZE_MAX);
}

static bool set_word(const struct flag *flag, struct span text, struct flag_value *value)
{
	struct span words = span_from(flag->argument);

	for (uint64_t i = 0; words.ptr != NULL; i++) {
		if (!span_equals(span_cut(&words, '|'), text))
			continue;
		value->number = i;
		return true;
	}
	return false;
}

/* Without its brackets, which only an IPv6 address has. */
static bool parse_host(struct span host, struct ip *ip)
{
	bool bracketed = span_starts_with(host, S("[")) && span_ends_with(host, S("]"));

	if (bracketed)
		host = span_take(span_skip(host, 1), host.len - 2);
	return ip_parse(host, ip) && bracketed == !ip_is_v4(ip);
}

static bool set_address(struct span text, struct flag_value *value)
{
	size_t colon = text.len;
	uint64_t port;

	value->at = (struct ip_port){0};
	if (span_equals(text, S("off")))
		return true;
	while (colon > 0 && text.ptr[colon - 1] != ':')
		colon--;
	if (colon == 0 || !span_to_u64(span_skip(text, colon), &port) || port == 0 ||
	    port > PORT_MAX)
		return false;
	value->at.port = (uint16_t)port;
	return colon == 1 || parse_host(span_take(text, colon - 1), &value->at.ip);
}

static bool add_part(enum flag_type type, struct span part, struct flag_value *value)
{
	uint64_t number = 0;
	struct ip ip;

	if (value->part_count == FLAG_PARTS_MAX)
		return false;
	if (type == FLAG_ADDRESSES ? !ip_parse(part, &ip)
				   : !span_to_u64(part, &number) || number > UINT32_MAX)
		return false;
	value->numbers[value->part_count] = (uint32_t)number;
	value->parts[value->part_count++] = part;
	return true;
}

static bool add_parts(enum flag_type type, struct span text, struct flag_value *value)
{
	while (text.ptr != NULL) {
		if (!add_part(type, span_trim(span_cut(&text, ',')), value))
			return false;
	}
	return true;
}

static bool set_by_type(const struct flag *flag, struct span text, struct flag_value *value)
{
	switch (flag->type) {
	case FLAG_BOOL:
		return set_bool(text, value);
	case FLAG_TEXT:
	case FLAG_OPERAND:
		return true;
	case FLAG_NUMBER:
		return set_number(text, 0, UINT32_MAX, value);
	case FLAG_COUNT:
		return set_count(text, value);
	case FLAG_DECIMAL:
		return is_decimal(text);
	case FLAG_PORT:
		return set_number(text, 1, PORT_MAX, value);
	case FLAG_PORT_OR_OFF:
		value->number = 0;
		return span_equals(text, S("off")) || set_number(text, 1, PORT_MAX, value);
	case FLAG_DURATION:
		return set_duration(text, value);
	case FLAG_OBJECT:
		return is_object(text);
	case FLAG_WORD:
		return set_word(flag, text, value);
	case FLAG_ADDRESS:
		return set_address(text, value);
	case FLAG_ADDRESSES:
	case FLAG_NUMBERS:
		return add_parts(flag->type, text, value);
	}
	/* not an enum flag_type */
	BUG_ON(true);
	return false;
}

bool flag_value_set(const struct flag *flag, const char *text, struct flag_value *value)
{
	value->text = text;
	return set_by_type(flag, span_from(text), value);
}

const char *flag_value_wanted(enum flag_type type)
{
	static const char *const wanted[] = {
		[FLAG_BOOL] = "is neither true nor false",
		[FLAG_TEXT] = "is not a text",
		[FLAG_NUMBER] = "is not a whole number; write for example 10",
		[FLAG_COUNT] = "is not a count; write auto, or a number from 1 to 256",
		[FLAG_DECIMAL] = "is not a number; write for example 0.3",
		[FLAG_PORT] = "is not a port; write a number from 1 to 65535",
		[FLAG_PORT_OR_OFF] = "is not a port; write a number from 1 to 65535, or off",
		[FLAG_DURATION] = "is not a duration; write for example 10s, 500ms or 1m30s",
		[FLAG_OBJECT] = "does not name an object; write NAMESPACE/NAME",
		[FLAG_WORD] = "is not one of its words",
		[FLAG_ADDRESS] = "is not an address and port; write 127.0.0.1:10254, :10254 or off",
		[FLAG_ADDRESSES] =
			"is not a list of up to 16 IP addresses; write 192.0.2.1,2001:db8::1",
		[FLAG_NUMBERS] = "is not a list of up to 16 numbers; write for example 3,4",
	};

	return wanted[type];
}
