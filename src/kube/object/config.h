/* SPDX-License-Identifier: Apache-2.0 */
/* ConfigMap, Secret and Namespace as decoded. */
#pragma once

#include "kube/object/object.h"

struct config_map {
	struct object object; /* first */
	struct pairs data;    /* without binaryData */
};

/* Values are decoded from base64 and wiped with the object; no printer shows them. */
struct secret {
	struct object object; /* first */
	struct span type;
	struct pairs data; /* stringData merged over data */
};

struct namespace_object {
	struct object object; /* first; its labels are what counts */
};
