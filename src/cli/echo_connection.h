/* SPDX-License-Identifier: Apache-2.0 */
/* One client of `ingot echo`: reads requests one after the other, answers each, or becomes the far end of a
 * WebSocket. Made by echo.c for every accepted socket; ends and frees itself.
 */
#pragma once

#include "base/ip.h"
#include "base/list.h"
#include "base/span.h"
#include "io/loop.h"

struct echo_server {
	struct loop *loop;
	struct span name;        /* of this backend; kept by the owner */
	struct list connections; /* of struct echo_connection */
	bool stopping; /* answers close their connections; the last one to go stops the loop */
};

/* Takes fd, which is non-blocking. server is kept until the connection has gone. */
void echo_connection_start(struct echo_server *server, int fd, const struct ip_port *peer);

/* No more requests: idle connections go now, the others when they have answered. The loop stops when the last
 * one has gone, at once where there is none. */
void echo_server_stop(struct echo_server *server);

/* Ends all connections, whatever they do. */
void echo_server_abort(struct echo_server *server);
