/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the access log is opened again, which is how logs are rotated, and control reads everything anew. */
#include <unistd.h>

#include "base/log.h"
#include "run/log_target.h"
#include "run/parent.h"

static void reopen_access_log(struct parent *parent)
{
	const char *path = parent->options->access_log;
	struct message message = {.kind = MESSAGE_ACCESS_LOG};
	struct error err;
	int fd;

	if (!log_target_is_file(path))
		return;
	if (log_target_open(path, &fd, &err) == -1) {
		log_error("access log not opened again, the old one is written on", "error=\"%s\"",
			  log_quote(span_from(err.text)));
		return;
	}
	for (uint32_t i = 0; i < parent->options->workers; i++)
		role_send(&parent->workers[i], &message, fd);
	close(parent->access_log_fd);
	parent->access_log_fd = fd;
}

void reread(struct parent *parent)
{
	struct message message = {.kind = MESSAGE_REREAD};

	log_info("reading again", "");
	reopen_access_log(parent);
	role_send(&parent->control, &message, -1);
}
