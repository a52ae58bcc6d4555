/* SPDX-License-Identifier: Apache-2.0 */
/* Values of annotations and ConfigMap keys: text that means a truth, a number, a size, a time (compat spec, 2.2
 * and 19). False: the text is none; *value is left alone.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* 1 t T TRUE true True, 0 f F FALSE false False; nothing else. */
bool scalar_bool(struct span text, bool *value);

/* Digits and perhaps one of b k m g. */
bool scalar_size(struct span text, uint64_t *bytes);

/* Digits, at most 100; 0 means 1. How many certificates may stand between the first and a root. */
bool scalar_depth(struct span text, uint32_t *depth);

/* Names with colons between, as OpenSSL has them: ciphers, groups. */
bool scalar_is_words(struct span text);

/* "90" (seconds), "500ms", "1h 30m": pieces of ms s m h d w with blanks between. */
bool scalar_time_ms(struct span text, uint64_t *milliseconds);
