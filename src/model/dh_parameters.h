/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters for the exchange of keys by DHE, in PEM (ssl-dh-param). Private to model/. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* Fewer bits are broken, more cost a worker more than any client is worth. */
enum { DH_BITS_MIN = 2048, DH_BITS_MAX = 4096 };

/* Appends them in DER. 0, or -1: err says what is wrong, to follow the name of the file. */
int dh_parameters_read(struct span pem, struct buf *der, struct error *err);
