/* SPDX-License-Identifier: Apache-2.0 */
/* Every case runs in a process of its own, since what a sandbox takes it never gives back. */
#include "run/sandbox.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/spawn.h"

enum { FINE = 42 };

/* The wait status of a process that runs the function behind the fence. */
static int status_behind_fence(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err;

		if (sandbox_enter_proxy(&err) == -1)
			_exit(1);
		act();
		_exit(FINE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_deadly(void (*act)(void), const char *what)
{
	int status = status_behind_fence(act);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s was survived: status %x", what, (unsigned)status);
}

static void assert_harmless(void (*act)(void), const char *what)
{
	int status = status_behind_fence(act);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != FINE)
		fail_msg("%s failed: status %x", what, (unsigned)status);
}

/* clang-format off */
static void opens_a_file(void)       { syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0); }
static void opens_as_of_old(void)    { syscall(SYS_open, "/etc/passwd", O_RDONLY, 0); }
static void opens_by_new_means(void) { syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0); }
static void starts_a_program(void)   { execl("/bin/true", "true", (char *)NULL); }
static void starts_by_descriptor(void) { syscall(SYS_execveat, 0, "", NULL, NULL, AT_EMPTY_PATH); }
static void forks(void)              { syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static void forks_by_new_means(void) { syscall(SYS_clone3, NULL, 0); }
static void traces(void)             { syscall(SYS_ptrace, 0, 0, 0, 0); }
static void reads_memory(void)       { syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0); }
static void kills_another(void)      { kill(getppid(), 0); }
static void kills_a_thread(void)     { syscall(SYS_tgkill, 1, 1, 0); }
static void makes_a_ring(void)       { syscall(SYS_io_uring_setup, 1, NULL); }
static void loads_bpf(void)          { syscall(SYS_bpf, 0, NULL, 0); }
static void faults_for_users(void)   { syscall(SYS_userfaultfd, 0); }
static void reads_keys(void)         { syscall(SYS_keyctl, 0, 0, 0, 0, 0); }
static void makes_a_unix_socket(void)    { socket(AF_UNIX, SOCK_STREAM, 0); }
static void makes_a_netlink_socket(void) { socket(AF_NETLINK, SOCK_RAW, 0); }
static void makes_a_packet_socket(void)  { socket(AF_PACKET, SOCK_RAW, 0); }
static void makes_a_raw_socket(void)     { socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static void listens(void)            { listen(0, 1); }
static void binds(void)              { bind(0, NULL, 0); }
static void unlinks(void)            { unlink("/nowhere"); }
static void links(void)              { syscall(SYS_linkat, 0, "a", 0, "b", 0); }
static void renames(void)            { rename("/nowhere", "/nowhere2"); }
static void mounts(void)             { syscall(SYS_mount, NULL, NULL, NULL, 0, NULL); }
static void changes_directory(void)  { syscall(SYS_chdir, "/"); }
static void becomes_root(void)       { syscall(SYS_setresuid, 0, 0, 0); }
static void unshares(void)           { unshare(CLONE_NEWUSER); }
static void sets_limits(void)        { syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL); }
static void sets_an_option_of_ip(void)   { setsockopt(0, IPPROTO_IP, 35, "", 1); }
static void attaches_a_filter(void)  { setsockopt(0, SOL_SOCKET, SO_ATTACH_FILTER, "", 1); }
static void sets_an_owner(void)      { fcntl(0, F_SETOWN, 1); }
static void maps_executable(void)    { mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void looks_at_a_path(void)    { syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", NULL, 0); }
static void controls_a_device(void)  { syscall(SYS_ioctl, 0, 0x5413, NULL); }
static void makes_memory_executable(void)
{
	mprotect(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096, PROT_EXEC);
}
/* clang-format on */

#define CASE(act)         \
	{                 \
		act, #act \
	}

static void what_is_not_on_the_list_kills(void **state)
{
	static const struct {
		void (*act)(void);
		const char *name;
	} cases[] = {
		CASE(opens_a_file),
		CASE(opens_as_of_old),
		CASE(opens_by_new_means),
		CASE(starts_a_program),
		CASE(starts_by_descriptor),
		CASE(forks),
		CASE(forks_by_new_means),
		CASE(traces),
		CASE(reads_memory),
		CASE(kills_another),
		CASE(kills_a_thread),
		CASE(makes_a_ring),
		CASE(loads_bpf),
		CASE(faults_for_users),
		CASE(reads_keys),
		CASE(makes_a_unix_socket),
		CASE(makes_a_netlink_socket),
		CASE(makes_a_packet_socket),
		CASE(makes_a_raw_socket),
		CASE(listens),
		CASE(binds),
		CASE(unlinks),
		CASE(links),
		CASE(renames),
		CASE(mounts),
		CASE(changes_directory),
		CASE(becomes_root),
		CASE(unshares),
		CASE(sets_limits),
		CASE(sets_an_option_of_ip),
		CASE(attaches_a_filter),
		CASE(sets_an_owner),
		CASE(maps_executable),
		CASE(makes_memory_executable),
		CASE(looks_at_a_path),
		CASE(controls_a_device),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_deadly(cases[i].act, cases[i].name);
}

/* _exit with the line where an expectation of a child failed. */
#define EXPECT(condition)                       \
	do {                                    \
		if (!(condition))               \
			_exit(__LINE__ & 0x7f); \
	} while (0)

static void uses_sockets(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
	int on = 1;
	struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = htons(9)};
	socklen_t size = sizeof(nowhere);
	struct epoll_event event;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	EXPECT(fd != -1 && udp != -1 && epoll != -1);
	EXPECT(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	EXPECT(fcntl(udp, F_SETFD, FD_CLOEXEC) == 0 && fcntl(udp, F_SETFL, O_NONBLOCK) == 0);
	nowhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT(connect(udp, (struct sockaddr *)&nowhere, size) == 0);
	EXPECT(getsockname(udp, (struct sockaddr *)&nowhere, &size) == 0);
	EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &event) == 0);
	EXPECT(epoll_wait(epoll, &event, 1, 0) >= 0);
	close(fd);
}

static void uses_memory(void)
{
	size_t size = 64UL << 20;
	char *block = malloc(size);

	EXPECT(block != NULL);
	memset(block, 1, size);
	block = realloc(block, 2 * size);
	EXPECT(block != NULL);
	free(block);
	for (int i = 0; i < 1000; i++)
		EXPECT(malloc(1000) != NULL);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What the C library might do behind our back: files of zones and messages, the size of memory. */
static void uses_the_c_library(void)
{
	static int numbers[5000];
	char when[CLOCK_LOG_SIZE];
	struct error err;

	clock_log_time(when, clock_wall_ns());
	EXPECT(strstr(when, "+0000") != NULL);
	errno = ECONNREFUSED;
	error_sys(&err, "no");
	EXPECT(strstr(err.text, "refused") != NULL);
	for (int i = 0; i < 5000; i++)
		numbers[i] = 5000 - i;
	qsort(numbers, 5000, sizeof(int), compare);
	EXPECT(numbers[0] == 1);
	fprintf(stderr, "%s", "");
	log_debug("not shown", "");
}

static void looks_at_descriptors(void)
{
	struct stat st;
	int memfd = 3;

	EXPECT(fstat(0, &st) == 0);
	EXPECT(fcntl(memfd, F_GET_SEALS) != -1 || errno == EINVAL || errno == EBADF);
	EXPECT(fcntl(0, F_DUPFD_CLOEXEC, 10) >= 10);
}

static void what_a_worker_needs_is_allowed(void **state)
{
	(void)state;
	assert_harmless(uses_sockets, "sockets");
	assert_harmless(uses_memory, "memory");
	assert_harmless(uses_the_c_library, "the C library");
	assert_harmless(looks_at_descriptors, "looking at descriptors");
}

static void finds_a_bug(void)
{
	BUG_ON(getpid() != 0);
}

static void a_bug_ends_with_an_abort_and_its_line(void **state)
{
	int status;

	(void)state;
	print_message("one line about a bug follows\n");
	status = status_behind_fence(finds_a_bug);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* Answers one query for any name with 192.0.2.77; the socket is bound to a port of loopback. */
static _Noreturn void answer_queries(int socket)
{
	for (;;) {
		unsigned char query[512];
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		static const unsigned char answer[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
						       0,    9,  0, 4, 192, 0, 2, 77};
		ssize_t len = recvfrom(socket, query, sizeof(query) - sizeof(answer), 0,
				       (struct sockaddr *)&from, &size);

		if (len < 12)
			_exit(1);
		query[2] |= 0x80; /* a response */
		query[7] = 1;     /* with one answer */
		query[11] = 0;    /* and without the additional record of the query */
		for (ssize_t at = 12; at < len; at++) {
			/* the question ends five bytes behind the name's last zero */
			if (query[at] == 0) {
				len = at + 5;
				break;
			}
		}
		memcpy(query + len, answer, sizeof(answer));
		sendto(socket, query, (size_t)len + sizeof(answer), 0, (struct sockaddr *)&from,
		       size);
	}
}

static struct {
	ares_channel channel;
	bool found;
	bool over;
} resolver;

static void on_resolved(void *owner, int status, int timeouts, struct ares_addrinfo *result)
{
	(void)owner;
	(void)timeouts;
	resolver.over = true;
	resolver.found = status == ARES_SUCCESS && result->nodes != NULL &&
			 ((struct sockaddr_in *)(void *)result->nodes->ai_addr)->sin_addr.s_addr ==
				 htonl(0xc000024d);
	if (result != NULL)
		ares_freeaddrinfo(result);
}

static void resolves_a_name(void)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_INET};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ares_getaddrinfo(resolver.channel, "backend.example", NULL, &hints, on_resolved, NULL);
	while (!resolver.over) {
		ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
		int bits = ares_getsock(resolver.channel, sockets, ARES_GETSOCK_MAXNUM);
		struct epoll_event event = {.events = EPOLLIN};

		for (int i = 0; i < ARES_GETSOCK_MAXNUM && ARES_GETSOCK_READABLE(bits, i); i++)
			epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
		EXPECT(epoll_wait(epoll, &event, 1, 2000) > 0);
		ares_process_fd(resolver.channel, sockets[0], ARES_SOCKET_BAD);
	}
	EXPECT(resolver.found);
	ares_cancel(resolver.channel);
}

static void a_resolver_that_was_set_up_before_works_on(void **state)
{
	struct ares_addr_port_node server = {.family = AF_INET};
	struct sockaddr_in at = {.sin_family = AF_INET};
	/* DNS alone: the hosts file would be read again with every name */
	struct ares_options options = {.lookups = (char *)(uintptr_t) "b", .timeout = 1000};
	int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size = sizeof(at);
	pid_t pid;

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(socket_fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(getsockname(socket_fd, (struct sockaddr *)&at, &size), 0);
	pid = fork();
	if (pid == 0)
		answer_queries(socket_fd);
	assert_int_equal(ares_library_init(ARES_LIB_INIT_ALL), ARES_SUCCESS);
	assert_int_equal(ares_init_options(&resolver.channel, &options,
					   ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS),
			 ARES_SUCCESS);
	server.addr.addr4 = at.sin_addr;
	server.udp_port = server.tcp_port = ntohs(at.sin_port);
	assert_int_equal(ares_set_servers_ports(resolver.channel, &server), ARES_SUCCESS);

	assert_harmless(resolves_a_name, "resolving a name");

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ares_destroy(resolver.channel);
	ares_library_cleanup();
	close(socket_fd);
}

/* Runs the check in a process that has entered the sandbox of a role with that many descriptors. */
static void assert_in_role(uint32_t fd_count, void (*check)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err;

		for (int fd = SPAWN_FIRST_FD; fd < SPAWN_FIRST_FD + 6; fd++)
			dup2(STDERR_FILENO, fd);
		if (sandbox_enter_role(fd_count, &err) == -1)
			_exit(1);
		check();
		_exit(FINE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FINE);
}

static void check_privileges(void)
{
	struct rlimit core;
	int death = 0;

	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(INGOT_SANITIZED || prctl(PR_GET_DUMPABLE) == 0);
	EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	EXPECT(prctl(PR_GET_PDEATHSIG, &death) == 0 && death == SIGKILL);
}

static void check_descriptors(void)
{
	for (int fd = 0; fd < SPAWN_FIRST_FD + 2; fd++)
		EXPECT(fcntl(fd, F_GETFD) != -1);
	for (int fd = SPAWN_FIRST_FD + 2; fd < 256; fd++)
		EXPECT(fcntl(fd, F_GETFD) == -1);
}

static void a_role_gives_up_its_privileges(void **state)
{
	(void)state;
	assert_in_role(2, check_privileges);
}

static void a_role_keeps_its_descriptors_and_no_others(void **state)
{
	(void)state;
	assert_in_role(2, check_descriptors);
}

static void a_role_without_its_descriptors_does_not_start(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct error err;

		close_range(SPAWN_FIRST_FD, ~0U, 0);
		EXPECT(sandbox_enter_role(1, &err) == -1);
		EXPECT(strstr(err.text, "descriptor 3 was to be inherited") != NULL);
		_exit(FINE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), FINE);
}

static void descriptors_are_raised_to_what_may_be_had(void **state)
{
	struct rlimit now;
	struct error err;
	uint64_t limit;

	(void)state;
	assert_int_equal(sandbox_raise_descriptors(&limit, &err), 0);

	getrlimit(RLIMIT_NOFILE, &now);
	assert_int_equal(now.rlim_cur, now.rlim_max);
	assert_int_equal(limit, now.rlim_max);
}

int main(void)
{
	const struct CMUnitTest always[] = {
		cmocka_unit_test(what_a_worker_needs_is_allowed),
		cmocka_unit_test(a_bug_ends_with_an_abort_and_its_line),
		cmocka_unit_test(a_resolver_that_was_set_up_before_works_on),
		cmocka_unit_test(a_role_gives_up_its_privileges),
		cmocka_unit_test(a_role_keeps_its_descriptors_and_no_others),
		cmocka_unit_test(a_role_without_its_descriptors_does_not_start),
		cmocka_unit_test(descriptors_are_raised_to_what_may_be_had),
	};
	const struct CMUnitTest filtered[] = {
		cmocka_unit_test(what_is_not_on_the_list_kills),
	};
	int failed = cmocka_run_group_tests(always, NULL, NULL);

	/* there is no filter beside a sanitizer */
	if (!INGOT_SANITIZED)
		failed += cmocka_run_group_tests(filtered, NULL, NULL);
	return failed;
}
