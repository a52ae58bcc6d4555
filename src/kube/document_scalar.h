/* SPDX-License-Identifier: Apache-2.0 */
/* Private to kube/document*.c. */
#pragma once

#include <jansson.h>

#include "base/span.h"

/* The value of an unquoted scalar: null, bool, number or string. The caller owns it. */
json_t *document_scalar(struct span text);
