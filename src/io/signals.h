/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as events of the loop, one after the other (signalfd). */
#pragma once

#include <signal.h>

#include "io/loop.h"

struct signals {
	struct loop_source source;
	void (*on_signal)(struct signals *signals, int number);
};

/* Blocks the signals of the set for the process and delivers them here instead. Kept until signals_stop. */
int signals_start(struct loop *loop, struct signals *signals, const sigset_t *set,
		  void (*on_signal)(struct signals *signals, int number), struct error *err);

void signals_stop(struct loop *loop, struct signals *signals);
