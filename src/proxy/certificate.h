/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a worker: which one a client gets, and what was decoded so far. Those that nobody asked for cost
 * nothing; those that somebody did are kept, up to a limit, until the table has another one in their place or none.
 * Then their keys are gone from memory with the last connection that was opened under them.
 */
#pragma once

#include "base/error.h"
#include "io/tls_server.h"

struct worker;
struct certificate_store;

/* So many are kept decoded; the one that was asked for longest ago goes first. */
enum { CERTIFICATES_DECODED_MAX = 1024 };

/* NULL: TLS cannot be had. */
struct certificate_store *certificate_store_new(struct worker *worker, struct error *err);

/* No connection is open any more. NULL is harmless. */
void certificate_store_free(struct certificate_store *store);

/* For connections that are accepted. */
struct tls_server *certificate_store_server(const struct certificate_store *store);

/* Other certificates are in effect: what is no longer among them is dropped. Perhaps other keys of session tickets are,
 * too. Costs a look-up for each that is decoded, however many there are in the table. */
void certificate_store_on_certificates(struct certificate_store *store);

/* Other routes are in effect: where settings changed, nothing of what was decoded holds any more. */
void certificate_store_on_routes(struct certificate_store *store);
