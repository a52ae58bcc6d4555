/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/socket.h"
#include "run/log_target.h"
#include "run/parent.h"
#include "run/sandbox.h"

/* could not do it (user-experience spec, 2) */
enum { COULD_NOT = 2, BY_SIGNAL = 128 };

/* Descriptors of a worker that are not connections, and how many connections it takes at most: a client and
 * an upstream each. */
enum { FDS_RESERVED = 128, CONNECTIONS_MAX = 65536, CONNECTIONS_MIN = 16 };

/* For sixteen clients: their connections, as many to endpoints, and the pipe of a large body (proxy/worker.c). */
enum { FDS_PER_16 = 33 };

/* A channel between a worker and control, anew whenever either of them was started. */
static void introduce(struct parent *parent, struct role *worker)
{
	struct message to_control = {
		.kind = MESSAGE_PEER, .worker = worker->worker, .number = (uint64_t)worker->pid};
	struct message to_worker = {.kind = MESSAGE_PEER, .worker = worker->worker};
	struct error err;
	int ends[2];

	if (!role_is_running(worker) || !role_is_running(&parent->control))
		return;
	if (channel_pair(ends, &err) == -1) {
		log_error("worker and control cannot be connected", "worker=%u error=\"%s\"",
			  worker->worker, log_quote(span_from(err.text)));
		/* the next start of the worker tries again */
		role_kill(worker);
		return;
	}
	role_send(&parent->control, &to_control, ends[0]);
	role_send(worker, &to_worker, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static void on_worker_started(struct role *role)
{
	introduce(role->owner, role);
}

static void on_control_started(struct role *role)
{
	struct parent *parent = role->owner;

	for (uint32_t i = 0; i < parent->options->workers; i++)
		introduce(parent, &parent->workers[i]);
}

/* A worker that control cannot work with serves an old table for ever, or is no worker of ours any more. */
static bool on_control_said(struct role *role, const struct message *message)
{
	struct parent *parent = role->owner;
	struct role *worker;

	if (message->kind != MESSAGE_EXPEL || message->worker >= parent->options->workers)
		return false;
	worker = &parent->workers[message->worker];
	if (!role_is_running(worker) || (uint64_t)worker->pid != message->number)
		return true;
	log_warn("worker is ended because control asks for it", "worker=%u pid=%d reason=\"%s\"",
		 worker->worker, (int)worker->pid, log_quote(span_from(message->text)));
	role_kill(worker);
	return true;
}

static void on_control_ready(struct role *role)
{
	log_debug("control is ready", "pid=%d", (int)role->pid);
}

static void on_worker_ready(struct role *role)
{
	struct parent *parent = role->owner;

	log_debug("worker serves", "worker=%u pid=%d", role->worker, (int)role->pid);
	for (uint32_t i = 0; i < parent->options->workers; i++) {
		if (parent->workers[i].state != ROLE_READY)
			return;
	}
	if (!parent->announced)
		log_info("serving", "workers=%u", parent->options->workers);
	parent->announced = true;
}

/* A role that says in its first life that it cannot do it would say so for ever. */
static bool cannot_start(const struct role *role, const struct role_end *end)
{
	return role->restart.deaths == 1 && !end->was_ready && !end->killed &&
	       end->number == COULD_NOT;
}

static void on_gone(struct role *role, const struct role_end *end)
{
	struct parent *parent = role->owner;

	if (parent->state == PARENT_SERVING && cannot_start(role, end)) {
		log_error("cannot start", "name=%s", role->name);
		stop_at_once(parent, COULD_NOT);
		return;
	}
	stop_on_gone(parent);
}

static void on_worker_gone(struct role *role, const struct role_end *end)
{
	struct parent *parent = role->owner;
	struct message message = {.kind = MESSAGE_WORKER_GONE,
				  .worker = role->worker,
				  .number = role->restart.deaths};

	role_send(&parent->control, &message, -1);
	on_gone(role, end);
}

static void on_signal(struct signals *signals, int number)
{
	struct parent *parent = container_of(signals, struct parent, signals);

	if (number == SIGHUP) {
		if (parent->state == PARENT_SERVING)
			reread(parent);
		return;
	}
	if (parent->state == PARENT_SERVING) {
		stop_begin(parent);
		return;
	}
	log_warn("stopping at once", "signal=%d", number);
	stop_at_once(parent, BY_SIGNAL + number);
}

static int watch_signals(struct parent *parent, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	/* for the roles too, who inherit it: a log may be a pipe that nobody reads any more */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return error_sys(err, "cannot ignore SIGPIPE");
	return signals_start(parent->loop, &parent->signals, &set, on_signal, err);
}

/* Control will open it; but a port that is taken shall be known before anything starts. */
static int check_admin_address(const struct ip_port *at, struct error *err)
{
	static const struct ip every = {{0}};
	struct ip_port everywhere[2];
	uint32_t count;

	if (at->port == 0)
		return 0;
	if (!ip_equals(&at->ip, &every))
		return socket_check_free(at, err);
	count = listeners_everywhere(everywhere, at->port);
	for (uint32_t i = 0; i < count; i++) {
		if (socket_check_free(&everywhere[i], err) == -1)
			return -1;
	}
	return 0;
}

static void log_listeners(const struct run_options *options)
{
	for (uint32_t i = 0; i < options->address_count; i++) {
		char text[IP_PORT_TEXT_SIZE];

		ip_port_write(text, &options->addresses[i]);
		log_info("listening", "address=%s protocol=%s queue=%u", text,
			 i < options->plain_count ? "http" : "https", listeners_queue_length());
	}
}

static int open_all(struct parent *parent, struct error *err)
{
	const struct run_options *options = parent->options;

	if (check_admin_address(&options->admin_address, err) == -1 ||
	    listeners_open(&parent->listeners, options->addresses, options->address_count,
			   options->workers, err) == -1 ||
	    log_target_open(options->access_log, &parent->access_log_fd, err) == -1)
		return -1;
	log_listeners(options);
	return watch_signals(parent, err);
}

static uint32_t connections_for(uint64_t descriptors)
{
	uint64_t most = descriptors > FDS_RESERVED ? (descriptors - FDS_RESERVED) * 16 / FDS_PER_16
						   : 0;

	if (most < CONNECTIONS_MIN)
		return CONNECTIONS_MIN;
	return most < CONNECTIONS_MAX ? (uint32_t)most : CONNECTIONS_MAX;
}

static int start_all(struct parent *parent, struct error *err)
{
	if (role_start(&parent->control, err) == -1)
		return -1;
	for (uint32_t i = 0; i < parent->options->workers; i++) {
		if (role_start(&parent->workers[i], err) == -1)
			return -1;
	}
	return 0;
}

static void init_roles(struct parent *parent)
{
	parent->control = (struct role){.name = "control",
					.owner = parent,
					.on_spawn = command_spawn_control,
					.on_started = on_control_started,
					.on_ready = on_control_ready,
					.on_said = on_control_said,
					.on_gone = on_gone};
	role_init(&parent->control, parent->loop, &parent->random);
	parent->workers = memory_new_array(parent->options->workers, sizeof(*parent->workers));
	for (uint32_t i = 0; i < parent->options->workers; i++) {
		parent->workers[i] = (struct role){.worker = i,
						   .owner = parent,
						   .on_spawn = command_spawn_proxy,
						   .on_started = on_worker_started,
						   .on_ready = on_worker_ready,
						   .on_gone = on_worker_gone};
		snprintf(parent->workers[i].name, sizeof(parent->workers[i].name), "proxy-%u", i);
		role_init(&parent->workers[i], parent->loop, &parent->random);
	}
}

static int run_loop(struct parent *parent)
{
	struct error err;

	init_roles(parent);
	stop_init(parent);
	if (open_all(parent, &err) == -1 || start_all(parent, &err) == -1) {
		log_error("cannot start", "error=\"%s\"", log_quote(span_from(err.text)));
		stop_at_once(parent, COULD_NOT);
	}
	/* where none runs yet, it is over already */
	if (parent->state != PARENT_OVER)
		loop_run(parent->loop);
	return parent->exit_status;
}

static void close_all(struct parent *parent)
{
	timer_stop(loop_timers(parent->loop), &parent->stop_timer);
	signals_stop(parent->loop, &parent->signals);
	listeners_close(&parent->listeners);
	if (parent->access_log_fd != -1)
		close(parent->access_log_fd);
	free(parent->workers);
	loop_free(parent->loop);
}

static int prepare(struct parent *parent, struct error *err)
{
	uint64_t descriptors;

	if (sandbox_raise_descriptors(&descriptors, err) == -1)
		return -1;
	parent->connections_max = connections_for(descriptors);
	if (parent->connections_max < CONNECTIONS_MAX)
		log_info("descriptors limit the connections of a worker",
			 "descriptors=%llu connections=%u", (unsigned long long)descriptors,
			 parent->connections_max);
	random_seed(&parent->random, clock_monotonic_ns());
	parent->loop = loop_new(err);
	return parent->loop == NULL ? -1 : 0;
}

int run_until_stopped(const struct run_options *options)
{
	struct parent parent = {.options = options, .access_log_fd = -1, .signals.source.fd = -1};
	struct error err;
	int status;

	if (prepare(&parent, &err) == -1) {
		log_error("cannot start", "error=\"%s\"", log_quote(span_from(err.text)));
		return COULD_NOT;
	}
	status = run_loop(&parent);
	close_all(&parent);
	return status;
}
