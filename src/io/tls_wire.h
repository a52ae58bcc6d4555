/* SPDX-License-Identifier: Apache-2.0 */
/* Between libssl and the socket; private to tls*.c.
 *
 * Receiving goes straight to the kernel. What libssl sends is gathered in a buffer that belongs to the connection at work,
 * and leaves with tls_wire_send at the end of every call into libssl that may have written.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls;

/* Records of 16 KiB that one call of tls_write may fill. */
enum { TLS_WIRE_RECORDS = 4 };

/* Puts the connection's SSL on its socket. False: no memory. */
bool tls_wire_attach(struct tls *tls);

/* Sends what was gathered, behind what is unsent; what the kernel does not take becomes unsent. False: nothing can
 * be sent any more (tls->send_failed), and all of it is gone. */
bool tls_wire_send(struct tls *tls);

/* Forgets what is unsent. */
void tls_wire_drop(struct tls *tls);
