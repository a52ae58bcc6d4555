/* SPDX-License-Identifier: Apache-2.0 */
/* How endpoints are chosen: load-balance and upstream-hash-by* of an Ingress over the ConfigMap (compat spec, 8), and
 * who decides where Ingresses share an upstream (5.6). Private to model/.
 */
#pragma once

#include "model/annotation.h"
#include "model/intent.h"
#include "model/upstream.h"

/* The algorithm of that name; false: it is none of those that stand by themselves. */
bool balance_algorithm(struct span name, enum model_algorithm *algorithm);

/* Reads the annotations into the intent. What is wrong is reported. */
void balance_read(struct build *build, struct intent *intent, const struct balance_texts *texts);

/* Of an upstream that other intents lead to than before: the oldest Ingress decides; where none does, the ConfigMap.
 * True: it is another than before. */
bool balance_decide(const struct build *build, struct upstream *upstream);
