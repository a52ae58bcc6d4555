/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "run/spawn.h"

/* given by the build: 1 where sanitizers are in */
enum { SANITIZED = INGOT_SANITIZED };

/* Calls of a worker, whatever their arguments. */
static const int calls[] = {
	/* waiting */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(eventfd2),
	/* bytes */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(splice),
	SCMP_SYS(pipe2),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	/* connections; no bind, no listen: listeners are inherited */
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(shutdown),
	SCMP_SYS(close),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	/* memory; see also with_arguments */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(membarrier),
	/* time and chance; sysinfo is how qsort of the C library learns the size of memory */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(getrandom),
	SCMP_SYS(sysinfo),
	/* itself */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
};

/* What fcntl may do. F_SETFD is for c-ares, which marks its sockets close-on-exec. */
static const unsigned fcntl_commands[] = {F_GETFL, F_SETFL,         F_SETPIPE_SZ, F_GETFD,
					  F_SETFD, F_DUPFD_CLOEXEC, F_GET_SEALS};

static const struct {
	int level;
	int option;
} socket_options[] = {
	{SOL_SOCKET, SO_KEEPALIVE},
	{SOL_SOCKET, SO_LINGER},
	{SOL_SOCKET, SO_RCVBUF},
	{SOL_SOCKET, SO_SNDBUF},
	{SOL_SOCKET, SO_RCVLOWAT},
	{SOL_SOCKET, SO_ZEROCOPY},
	{IPPROTO_TCP, TCP_NODELAY},
	{IPPROTO_TCP, TCP_QUICKACK},
	{IPPROTO_TCP, TCP_CORK},
	{IPPROTO_TCP, TCP_USER_TIMEOUT},
	{IPPROTO_TCP, TCP_KEEPIDLE},
	{IPPROTO_TCP, TCP_KEEPINTVL},
	{IPPROTO_TCP, TCP_KEEPCNT},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
	{IPPROTO_IPV6, IPV6_V6ONLY},
};

static const int socket_families[] = {AF_INET, AF_INET6};
static const int socket_types[] = {SOCK_STREAM, SOCK_DGRAM};

/* the bits of the type of a socket without SOCK_NONBLOCK and SOCK_CLOEXEC */
enum { SOCKET_TYPE_MASK = 0xf };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int allow(scmp_filter_ctx filter, int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int allow_sockets(scmp_filter_ctx filter)
{
	int result = 0;

	for (size_t f = 0; f < COUNT_OF(socket_families); f++) {
		for (size_t t = 0; t < COUNT_OF(socket_types); t++)
			result |= seccomp_rule_add(
				filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)socket_families[f]),
				SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK,
					(scmp_datum_t)socket_types[t]));
	}
	for (size_t i = 0; i < COUNT_OF(socket_options); i++)
		result |= seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)socket_options[i].level),
			SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)socket_options[i].option));
	return result;
}

/* Never executable. The third argument of both is the protection. */
static int allow_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec) |
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
}

static int allow_with_arguments(scmp_filter_ctx filter)
{
	int result = allow_sockets(filter) | allow_memory(filter);

	for (size_t i = 0; i < COUNT_OF(fcntl_commands); i++)
		result |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
					   SCMP_A1(SCMP_CMP_EQ, fcntl_commands[i]));
	/* fstat of newer C libraries */
	result |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				   SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	/* abort */
	result |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				   SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return result;
}

static int load_filter(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int result = filter == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < COUNT_OF(calls) && result == 0; i++)
		result = allow(filter, calls[i]);
	if (result == 0 && allow_with_arguments(filter) != 0)
		result = -EINVAL;
	/* a tree instead of a list: the cost does not grow with the place in the table */
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (result == 0)
		result = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	if (result == 0)
		return 0;
	errno = -result;
	return error_sys(err, "cannot limit the system calls of this process");
}

int sandbox_enter_proxy(struct error *err)
{
	struct rlimit none = {0, 0};

	/* the C library reads the file of the time zone with the first date that it breaks down */
	tzset();
	if (SANITIZED)
		return 0;
	if (setrlimit(RLIMIT_NPROC, &none) == -1)
		return error_sys(err, "cannot forbid new processes");
	return load_filter(err);
}

static int give_up_privileges(struct error *err)
{
	struct rlimit none = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return error_sys(err, "cannot give up new privileges");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
		return error_sys(err, "cannot ask for the death signal of the parent");
	if (setrlimit(RLIMIT_CORE, &none) == -1)
		return error_sys(err, "cannot forbid core dumps");
	/* the leak check of sanitizers reads the memory of its own process */
	if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0) == -1)
		return error_sys(err, "cannot forbid reading of the process's memory");
	return 0;
}

int sandbox_enter_role(uint32_t fd_count, struct error *err)
{
	uint32_t end = SPAWN_FIRST_FD + fd_count;

	if (give_up_privileges(err) == -1)
		return -1;
	for (uint32_t fd = SPAWN_FIRST_FD; fd < end; fd++) {
		if (fcntl((int)fd, F_GETFD) == -1)
			return error_sys(err, "descriptor %u was to be inherited", fd);
	}
	if (close_range(end, ~0U, 0) == -1)
		return error_sys(err, "cannot close what was inherited beyond descriptor %u", end);
	return 0;
}

int sandbox_raise_descriptors(uint64_t *limit, struct error *err)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == -1)
		return error_sys(err, "cannot read the limit of descriptors");
	now.rlim_cur = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &now) == -1)
		return error_sys(err, "cannot raise the limit of descriptors");
	*limit = now.rlim_cur;
	return 0;
}
