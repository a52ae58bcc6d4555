/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/word.h"

#include <stdio.h>

#include "http/fault.h"
#include "http/head.h"

unsigned word_fault_count(void)
{
	return FAULT_COUNT;
}

const char *word_fault(unsigned fault)
{
	return fault_facts((enum fault)fault)->word;
}

uint16_t word_fault_status(unsigned fault)
{
	return fault_facts((enum fault)fault)->status;
}

const char *word_method(unsigned method)
{
	return method < METHOD_COUNT ? method_label((enum method)method) : WORD_OTHER;
}

const char *word_protocol(unsigned protocol)
{
	switch (protocol) {
	case 10:
		return "1.0";
	case 11:
		return "1.1";
	case 20:
		return "2";
	case 30:
		return "3";
	default:
		return WORD_OTHER;
	}
}

const char *word_status(char text[static WORD_STATUS_SIZE], unsigned status,
			enum word_status_form form)
{
	if (status < 100 || status > 599)
		return WORD_OTHER;
	if (form == WORD_STATUS_CLASS)
		snprintf(text, WORD_STATUS_SIZE, "%uxx", status / 100);
	else
		snprintf(text, WORD_STATUS_SIZE, "%u", status);
	return text;
}
