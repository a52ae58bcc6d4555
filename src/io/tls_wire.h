/* SPDX-License-Identifier: Apache-2.0 */
/* Between libssl and the socket; private to tls*.c.
 *
 * Receiving goes straight to the kernel. What libssl sends is gathered in a buffer that belongs to the connection at
 * work, and leaves with tls_wire_send at the end of every call into libssl that may have written:
 *
 *     tls_wire_enter(tls);
 *     result = SSL_…(tls->ssl, …);
 *     …
 *     tls_wire_send(tls);
 *
 * One BIO serves all connections: one each would be 230 bytes more of an idle connection, and knows no more than who
 * is at work.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls;

/* Records of 16 KiB that one call of tls_write may fill. */
enum { TLS_WIRE_RECORDS = 4 };

/* libssl comes back with data or for want of bytes. Records without any, such as tickets, would keep it for as long as
 * they come, and everybody else waiting. More than a transport's user reads at once. */
enum { TLS_WIRE_SHARE = 256 * 1024 };

/* Puts the connection's SSL on its socket. */
void tls_wire_attach(struct tls *tls);

/* This connection is at work: libssl may be called for it. Its queue of reasons is empty. Until the next call it gets
 * no more than TLS_WIRE_SHARE bytes and one read; then it is told that nothing has come, and tls->rest is due. */
void tls_wire_enter(struct tls *tls);

/* Sends what was gathered, behind what is unsent; what the kernel does not take becomes unsent. False: nothing can
 * be sent any more (tls->send_failed), and all of it is gone. */
bool tls_wire_send(struct tls *tls);

/* Forgets what is unsent. */
void tls_wire_drop(struct tls *tls);
