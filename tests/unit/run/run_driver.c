/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the parent with whatever programs as roles:
 * run_driver PROXY CONTROL PORT ADMIN-PORT WORKERS GRACE-MS ACCESS-LOG [FLAGS OF CONTROL…]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "run/run.h"
#include "run/spawn.h"
#include "stats/stats.h"

int main(int argc, char **argv)
{
	struct ip_port address = {.port = argc < 8 ? 0 : (uint16_t)atoi(argv[3])};
	struct run_options options = {
		.addresses = &address,
		.address_count = 1,
		.plain_count = 1,
		.access_log_format = "json",
		.log_level = "debug",
	};
	struct error err;

	if (spawn_hold_standard(&err) == -1 || argc < 8 || !ip_parse(S("127.0.0.1"), &address.ip))
		return 99;
	options.proxy_program = open(argv[1], O_RDONLY | O_CLOEXEC);
	options.control_program = open(argv[2], O_RDONLY | O_CLOEXEC);
	options.admin_address = (struct ip_port){.ip = address.ip, .port = (uint16_t)atoi(argv[4])};
	options.workers = (uint32_t)atoi(argv[5]);
	options.shutdown_grace_ms = (uint32_t)atoi(argv[6]);
	options.access_log = argv[7];
	options.control_flags = argv + 8;
	options.stats_fd = stats_new(options.workers, &err);
	log_init("run", LOG_LEVEL_DEBUG);
	return run_until_stopped(&options);
}
