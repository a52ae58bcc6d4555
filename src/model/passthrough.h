/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts whose TLS goes to endpoints as it is: ssl-passthrough (compat spec, 7.11 and 17.6). Private to model/. */
#pragma once

#include "model/host.h"
#include "model/intent.h"

/* Reads the annotation into the intent. What is wrong is reported, and that a flag is missing. */
void passthrough_read(struct build *build, struct intent *intent, struct span text);

/* The oldest Ingress that says yes or no decides for the host, whose routes are made. */
void passthrough_decide(struct build *build, struct host *host);
