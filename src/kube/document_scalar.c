/* SPDX-License-Identifier: Apache-2.0 */
/* What an unquoted YAML scalar is, as the YAML library of Kubernetes resolves it (YAML 1.1: also yes, no,
 * on, off, octal and underscores). Infinities and NaN have no JSON form and stay text.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kube/document_scalar.h"

static bool is_one_of(struct span text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (span_equals(text, span_from(*words)))
			return true;
	return false;
}

/* Digits of the base, without sign and prefix. */
static bool has_only_digits(const char *digits, int base)
{
	if (*digits == '\0')
		return false;
	for (; *digits != '\0'; digits++) {
		int value = *digits >= '0' && *digits <= '9' ? *digits - '0'
			    : (*digits | 0x20) >= 'a' && (*digits | 0x20) <= 'f'
				    ? (*digits | 0x20) - 'a' + 10
				    : 99;

		if (value >= base)
			return false;
	}
	return true;
}

static int base_of(const char **digits)
{
	const char *p = *digits;

	if (p[0] != '0' || p[1] == '\0')
		return 10;
	*digits += 2;
	switch (p[1] | 0x20) {
	case 'x':
		return 16;
	case 'b':
		return 2;
	case 'o':
		return 8;
	default:
		*digits -= 1;
		return 8;
	}
}

static json_t *integer(const char *plain)
{
	bool negative = plain[0] == '-';
	const char *digits = plain + (plain[0] == '-' || plain[0] == '+');
	int base = base_of(&digits);
	unsigned long long value;

	if (!has_only_digits(digits, base))
		return NULL;
	errno = 0;
	value = strtoull(digits, NULL, base);
	if (errno != 0 || value > (unsigned long long)INT64_MAX)
		return NULL;
	return json_integer(negative ? -(json_int_t)value : (json_int_t)value);
}

static size_t skip_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
	size_t whole;

	text += *text == '-' || *text == '+';
	whole = skip_digits(text);
	text += whole;
	if (*text == '.') {
		size_t fraction = skip_digits(text + 1);

		if (whole == 0 && fraction == 0)
			return false;
		text += 1 + fraction;
	} else if (whole == 0) {
		return false;
	}
	if ((*text | 0x20) == 'e') {
		text += 1 + (text[1] == '-' || text[1] == '+');
		if (skip_digits(text) == 0)
			return false;
		text += skip_digits(text);
	}
	return *text == '\0';
}

static json_t *number(struct span text)
{
	char plain[64];
	size_t length = 0;
	double real;

	if (text.len >= sizeof(plain) || strchr("+-.0123456789", text.ptr[0]) == NULL)
		return NULL;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '_')
			plain[length++] = text.ptr[i];
	plain[length] = '\0';
	json_t *value = integer(plain);

	if (value != NULL || !is_float(plain))
		return value;
	real = strtod(plain, NULL);
	return isfinite(real) ? json_real(real) : NULL;
}

json_t *document_scalar(struct span text)
{
	static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
					  "True", "TRUE", "on",  "On",  "ON",  NULL};
	static const char *const no[] = {"n",     "N",     "no",  "No",  "NO",  "false",
					 "False", "FALSE", "off", "Off", "OFF", NULL};
	json_t *value;

	if (is_one_of(text, null))
		return json_null();
	if (is_one_of(text, yes))
		return json_true();
	if (is_one_of(text, no))
		return json_false();
	value = number(text);
	return value == NULL ? json_stringn(text.ptr, text.len) : value;
}
