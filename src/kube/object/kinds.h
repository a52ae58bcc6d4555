/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders of the kinds: spec into the struct, metadata is done. Private to kube/object/. */
#pragma once

#include "kube/object/fields.h"

void ingress_decode(struct fields *fields, const json_t *json);
void ingress_class_decode(struct fields *fields, const json_t *json);
void service_decode(struct fields *fields, const json_t *json);
void endpoint_slice_decode(struct fields *fields, const json_t *json);
void config_map_decode(struct fields *fields, const json_t *json);
void secret_decode(struct fields *fields, const json_t *json);
