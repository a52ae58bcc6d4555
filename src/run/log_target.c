/* SPDX-License-Identifier: Apache-2.0 */
#include "run/log_target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_MODE = 0640 };

/* A pipe or terminal is opened anew, since O_NONBLOCK on our own standard output would also be seen by whoever
 * shares it. A regular file is not: its offset must stay shared with standard error, which a shell
 * may have sent to the same file, or each would write over the other. */
static int open_standard_output(struct error *err)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return error_sys(err, "cannot write the access log to standard output");
	return fd;
}

bool log_target_is_file(const char *path)
{
	return strcmp(path, "-") != 0 && strcmp(path, "off") != 0;
}

int log_target_open(const char *path, int *fd, struct error *err)
{
	*fd = -1;
	if (strcmp(path, "off") == 0)
		return 0;
	if (strcmp(path, "-") == 0)
		*fd = open_standard_output(err);
	else
		*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
			   LOG_MODE);
	if (*fd == -1 && log_target_is_file(path))
		return error_sys(err, "cannot open the access log %s", path);
	return *fd == -1 ? -1 : 0;
}
