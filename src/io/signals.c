/* SPDX-License-Identifier: Apache-2.0 */
#include "io/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct signals *signals = container_of(source, struct signals, source);
	struct signalfd_siginfo info;

	(void)events;
	while (source->fd != -1 && read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->on_signal(signals, (int)info.ssi_signo);
}

int signals_start(struct loop *loop, struct signals *signals, const sigset_t *set,
		  void (*on_signal)(struct signals *signals, int number), struct error *err)
{
	int fd;

	signals->on_signal = on_signal;
	if (sigprocmask(SIG_BLOCK, set, NULL) == -1)
		return error_sys(err, "cannot block signals");
	fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd == -1)
		return error_sys(err, "cannot make a signalfd");
	if (loop_add_level(loop, &signals->source, fd, on_ready) == -1) {
		close(fd);
		return error_sys(err, "cannot watch a signalfd");
	}
	return 0;
}

void signals_stop(struct loop *loop, struct signals *signals)
{
	loop_close(loop, &signals->source);
}
