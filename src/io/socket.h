/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sockets and their addresses. All descriptors are non-blocking and close-on-exec. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/ip.h"

/* A listening socket with SO_REUSEADDR and SO_REUSEPORT (so that each worker has a queue of its own) and
 * TCP_NODELAY, which accepted connections inherit. "::" listens on IPv6 alone; IPv4 has its own
 * listener. The caller closes it. -1 with a message that names a busy port. */
int socket_listen(const struct ip_port *at, int backlog, struct error *err);

/* Whether something else listens at that address: an attempt to bind without SO_REUSEPORT. Two instances with
 * SO_REUSEPORT would share a port silently; this makes the second one fail. 0, or -1 with the reason. */
int socket_check_free(const struct ip_port *at, struct error *err);

/* The next connection of a listener, or -1 (errno: EAGAIN when there is none). peer is written. */
int socket_accept(int listener, struct ip_port *peer);

/* Begins a connection. *pending: it is under way, writability tells its end (socket_connect_result). -1: errno
 * says why. */
int socket_connect(const struct ip_port *to, bool *pending);

/* Whether errno of the above, or of loop_add, says that descriptors or memory for them are used up: to close a
 * socket may help. */
bool socket_is_exhausted(int reason);

/* The error of a connection that was pending; 0: it is established. */
int socket_connect_result(int fd);

/* The local address of a connection or listener. 0 or -1. */
int socket_local(int fd, struct ip_port *local);

/* Whether bytes, an end or an error wait to be read: a look that takes nothing away. */
bool socket_has_news(int fd);

/* Makes close send a reset instead of an orderly end. */
void socket_reset_on_close(int fd);
