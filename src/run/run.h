/* SPDX-License-Identifier: Apache-2.0 */
/* The parent of all roles: opens every listening socket, starts the roles, restarts what dies, stops them
 * in order. It parses nothing that comes from outside; its inputs are exit statuses, messages of fixed size, signals.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/ip.h"

/* All borrowed until run_until_stopped returns. */
struct run_options {
	int proxy_program;   /* descriptor of `ingot` */
	int control_program; /* descriptor of `ingot-control` */
	int stats_fd;        /* live figures for so many workers */
	uint32_t workers;
	const struct ip_port *addresses; /* to listen on: first for plain HTTP, then for TLS */
	uint32_t address_count;
	uint32_t plain_count;          /* of them */
	struct ip_port admin_address;  /* that control will listen on; port 0: none */
	const char *access_log;        /* a path, "-" or "off" */
	const char *access_log_format; /* the words of the flags, likewise below */
	const char *log_level;
	uint32_t shutdown_grace_ms;
	char **control_flags; /* what follows "--" on the command line of control; ends with NULL */
};

/* Standard descriptors must be open before (spawn_hold_standard). Returns the exit status: 0 after an orderly stop,
 * 2 when it could not start (the log says why), 128 + signal when a second signal ended it at once. */
int run_until_stopped(const struct run_options *options);
