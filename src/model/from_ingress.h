/* SPDX-License-Identifier: Apache-2.0 */
/* Ingress → intent (compat spec, 3 and 4; Kubernetes API spec, 1). Private to model/. */
#pragma once

#include "model/intent.h"

/* The intent of an Ingress, with what is wrong with it; none must be there. Hosts that it names are old. */
void from_ingress(struct build *build, const struct ingress *ingress);
