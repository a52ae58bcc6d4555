/* SPDX-License-Identifier: Apache-2.0 */
#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

/* Names of variables that a role without an environment of its own may still have. */
static const char *const bare_environment[] = {
	"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=", "LD_LIBRARY_PATH=",
	"LOCALDOMAIN=",  "RES_OPTIONS=",   "NO_COLOR=",
};

enum { BARE_COUNT = sizeof(bare_environment) / sizeof(bare_environment[0]) };

/* What the child needs between fork and exec; all memory is taken before. */
struct birth {
	const struct spawn *what;
	char *const *environment;
	int *moved; /* copies of the descriptors, out of the way of their places */
	int report; /* tells why there was no exec */
};

int spawn_hold_standard(struct error *err)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1)
		return error_sys(err, "cannot open /dev/null");
	close(fd);
	return 0;
}

static bool is_bare(const char *variable)
{
	for (unsigned i = 0; i < BARE_COUNT; i++) {
		if (strncmp(variable, bare_environment[i], strlen(bare_environment[i])) == 0)
			return true;
	}
	return false;
}

/* A list that ends with NULL; the caller frees it, not the texts. */
static char **environment_of(enum spawn_environment which)
{
	size_t count = 0;
	size_t kept = 0;
	char **list;

	while (environ[count] != NULL)
		count++;
	list = memory_new_array(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		if (which == SPAWN_ENVIRONMENT_WHOLE || is_bare(environ[i]))
			list[kept++] = environ[i];
	}
	return list;
}

static int block_signals(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	return sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static int set_standard_descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1)
		return -1;
	return dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 ? -1 : 0;
}

/* Puts the descriptors of the list at 3, 4, …, then the program and the report behind them, and closes all
 * else here and not at exec: the parent must not see the report end before the rest is closed, since
 * it goes by "the only descriptor" when it closes one of its own. */
static int set_descriptors(const struct birth *birth, int *program, int *report)
{
	const struct spawn *what = birth->what;
	int end = SPAWN_FIRST_FD + (int)what->fd_count;

	for (uint32_t i = 0; i < what->fd_count; i++) {
		birth->moved[i] = fcntl(what->fds[i], F_DUPFD_CLOEXEC, end + 2);
		if (birth->moved[i] == -1)
			return -1;
	}
	*program = fcntl(what->program_fd, F_DUPFD_CLOEXEC, end + 2);
	*report = fcntl(birth->report, F_DUPFD_CLOEXEC, end + 2);
	if (*program == -1 || *report == -1)
		return -1;
	for (uint32_t i = 0; i < what->fd_count; i++) {
		if (dup2(birth->moved[i], SPAWN_FIRST_FD + (int)i) == -1)
			return -1;
	}
	if (dup3(*program, end, O_CLOEXEC) == -1 || dup3(*report, end + 1, O_CLOEXEC) == -1)
		return -1;
	*program = end;
	*report = end + 1;
	return close_range((unsigned)end + 2, ~0U, 0);
}

static _Noreturn void be_born(const struct birth *birth)
{
	int program;
	int report = -1;
	int reason;

	if (block_signals() == 0 && set_standard_descriptors() == 0 &&
	    set_descriptors(birth, &program, &report) == 0)
		fexecve(program, (char *const *)birth->what->argv, birth->environment);
	reason = errno;
	/* without the report the parent sees a role that ends at once, which it treats alike */
	if (write(report == -1 ? birth->report : report, &reason, sizeof(reason)) == -1)
		_exit(127);
	_exit(127);
}

/* Waits for the exec. 0, or the errno of the child. */
static int read_report(int report)
{
	int reason = 0;
	ssize_t got;

	do
		got = read(report, &reason, sizeof(reason));
	while (got == -1 && errno == EINTR);
	return got == (ssize_t)sizeof(reason) ? reason : 0;
}

static int await_birth(pid_t pid, int report, struct spawned *child, struct error *err)
{
	int reason = read_report(report);

	if (reason == 0) {
		child->pid = pid;
		child->pidfd = pidfd_open(pid, 0);
		if (child->pidfd != -1)
			return 0;
		error_sys(err, "cannot watch process %d", (int)pid);
		/* it is our own child and not waited for yet: the number is still its */
		kill(pid, SIGKILL);
	} else {
		errno = reason;
		error_sys(err, "cannot start a process");
	}
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	return -1;
}

static int fork_and_await(struct birth *birth, struct spawned *child, struct error *err)
{
	int report[2];
	pid_t pid;
	int result;

	if (pipe2(report, O_CLOEXEC) == -1)
		return error_sys(err, "cannot make a pipe");
	birth->report = report[1];
	pid = fork();
	if (pid == 0)
		be_born(birth);
	close(report[1]);
	if (pid == -1)
		result = error_sys(err, "cannot fork");
	else
		result = await_birth(pid, report[0], child, err);
	close(report[0]);
	return result;
}

int spawn(const struct spawn *what, struct spawned *child, struct error *err)
{
	char **environment = environment_of(what->environment);
	struct birth birth = {
		.what = what,
		.environment = environment,
		.moved = memory_new_array(what->fd_count + 1, sizeof(int)),
	};
	int result = fork_and_await(&birth, child, err);

	free(birth.moved);
	free(environment);
	return result;
}
