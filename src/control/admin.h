/* SPDX-License-Identifier: Apache-2.0 */
/* The admin endpoint: a few pages over HTTP for probes and Prometheus, by libmicrohttpd inside our loop.
 *
 * It is reached by whoever can reach its port, so it only tells and never obeys: GET and HEAD, bounded connections and
 * times, no bodies. What it does not know is 404 with a list of what it knows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "io/loop.h"

enum { ADMIN_CONNECTIONS_MAX = 64, ADMIN_TIMEOUT_S = 15, ADMIN_CONNECTION_BYTES = 16384 };

struct admin_page {
	const char *path;
	const char *content_type;
	/* Appends the page to *body, which is empty, and returns the status. verbose: "?verbose" was given. */
	unsigned (*write)(void *owner, bool verbose, struct buf *body);
};

struct admin;

/* Listens and answers from now on. pages and owner are kept until admin_stop. NULL with the reason. */
struct admin *admin_start(struct loop *loop, const struct ip_port *at,
			  const struct admin_page *pages, size_t page_count, void *owner,
			  struct error *err);

void admin_stop(struct admin *admin);

/* Where it listens: the port that the kernel chose for port 0. */
struct ip_port admin_address(const struct admin *admin);
