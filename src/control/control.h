/* SPDX-License-Identifier: Apache-2.0 */
/* The control role: reads objects, compiles tables, publishes them to the workers, tells how it is. It
 * carries no client traffic.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/span.h"
#include "model/model.h"

struct control_options {
	const char *manifests;      /* directory */
	const char *state_dir;      /* NULL: none */
	const char *state_key_file; /* NULL: none, and certificates are not stored */
	struct model_options model;
	struct ip_port admin_address; /* port 0: no admin endpoint */
	int channel_fd;               /* to run */
	int stats_fd;                 /* live figures */
	uint32_t workers;             /* how many there are to be */
	bool metrics_compat;          /* nginx_ingress_controller_* as well (--enable-metrics) */
	bool report_status_classes;
};

/* Works until told to stop; returns the exit status. */
int control_run(const struct control_options *options);
