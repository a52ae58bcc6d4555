/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char control_name[] = "ingot-control";
static const char *const control_installed = INGOT_LIBEXECDIR "/ingot-control";

int program_open_self(struct error *err)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return fd == -1 ? error_sys(err, "cannot open the program's own file") : fd;
}

/* path: room for PATH_MAX bytes. */
static int find_beside(char *path, struct error *err)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof(control_name));
	char *slash;

	if (len == -1)
		return error_sys(err, "cannot find the program's own file");
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL)
		return error_set(err, "the program's own file has no directory: %s", path);
	memcpy(slash + 1, control_name, sizeof(control_name));
	return 0;
}

int program_open_control(struct error *err)
{
	char path[PATH_MAX];
	int fd;

	if (find_beside(path, err) == -1)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		fd = open(control_installed, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return error_sys(err, "cannot open %s, nor %s", path, control_installed);
	return fd;
}
