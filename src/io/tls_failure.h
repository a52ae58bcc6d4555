/* SPDX-License-Identifier: Apache-2.0 */
/* Why TLS failed, in a few words: literals out of a closed list, so that they can be the label of a metric.
 *
 * libssl gathers its reasons in a queue of the thread. It is empty between any two calls into this layer: who
 * sees a call fail takes the reason out with one of these.
 */
#pragma once

/* What the queue says; it is empty afterwards. Never NULL. */
const char *tls_failure_take(void);

/* The word for a result of certificate verification (X509_V_ERR_…); NULL for X509_V_OK. */
const char *tls_failure_of_certificate(long result);
