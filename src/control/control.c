/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "control/admin.h"
#include "control/fallback.h"
#include "control/handout.h"
#include "control/health.h"
#include "control/metrics.h"
#include "control/publish.h"
#include "control/reconcile.h"
#include "control/state.h"
#include "control/state_key.h"
#include "control/tickets.h"
#include "control/traffic.h"
#include "io/loop.h"
#include "ipc/channel.h"
#include "kube/source_dir.h"
#include "observe/exposition.h"
#include "stats/read.h"
#include "table/certificates_stored.h"

/* What could not be started is tried again so often. */
enum { RETRY_MS = 5000 };

/* A generation that a worker claims in the live figures counts up to here: a lie must not use them up. */
static const uint64_t generation_claim_max = UINT64_C(1) << 48;

/* ":10254" is both families; each has a socket of its own. */
enum { ADMINS_MAX = 2 };

enum { HOST_NAME_SIZE = 256 };

struct control {
	const struct control_options *options;
	struct model_options model; /* those of options, and the fallback certificate */
	struct fallback fallback;
	struct timer tickets; /* when their key is due to be replaced */
	struct loop *loop;
	struct channel run;
	struct stats_map stats;
	struct publisher *publisher;
	struct state *state;     /* NULL: nothing is stored */
	struct handout *handout; /* NULL: nobody gets it */
	struct reconcile *reconcile;
	struct source_dir *source; /* NULL: to be tried again */
	struct traffic_meanings *meanings;
	struct admin *admins[ADMINS_MAX];
	bool has_admin; /* or needs none */
	bool said_no_source;
	bool said_no_admin;
	struct health health;
	struct metrics metrics;
	char host_name[HOST_NAME_SIZE];
	struct source_sink sink; /* of reconcile, for the source */
	struct timer retry;
};

/* Why it is not well is said without being asked. */
static unsigned write_health(bool is_well, unsigned status_else, struct control *control,
			     bool verbose, struct buf *body)
{
	control->health.listed = reconcile_is_listed(control->reconcile);
	if (verbose || !is_well)
		health_write_parts(&control->health, clock_monotonic_ns(), body);
	buf_add(body, is_well ? S("ok\n") : S("not ok\n"));
	return is_well ? 200 : status_else;
}

static unsigned write_healthz(void *owner, bool verbose, struct buf *body)
{
	struct control *control = owner;

	return write_health(health_is_healthy(&control->health), 500, control, verbose, body);
}

static unsigned write_livez(void *owner, bool verbose, struct buf *body)
{
	struct control *control = owner;

	return write_health(health_is_alive(&control->health), 500, control, verbose, body);
}

static unsigned write_readyz(void *owner, bool verbose, struct buf *body)
{
	struct control *control = owner;

	return write_health(health_is_ready(&control->health, clock_monotonic_ns()), 503, control,
			    verbose, body);
}

static unsigned write_metrics(void *owner, bool verbose, struct buf *body)
{
	struct control *control = owner;

	(void)verbose; /* there is no more to say */
	metrics_write(&control->metrics, body);
	return 200;
}

static const char plain_text[] = "text/plain; charset=utf-8";

static const struct admin_page pages[] = {
	{"/healthz", plain_text, write_healthz},
	{"/livez", plain_text, write_livez},
	{"/metrics", EXPOSITION_CONTENT_TYPE, write_metrics},
	{"/readyz", plain_text, write_readyz},
};

static void write_table(void *owner, enum table_kind kind, struct buf *out)
{
	const struct control *control = owner;
	const struct shards *shards = publisher_table(control->publisher, kind);

	if (shards == NULL)
		return;
	if (kind == TABLE_CERTIFICATES)
		certificates_stored_write(shards, out);
	else
		shards_write(shards, out);
}

static void on_routes(void *owner, const struct routes *routes)
{
	struct control *control = owner;

	traffic_note_routes(control->meanings, &control->stats, routes);
}

static void on_obeyed(void *owner, uint64_t routes_generation)
{
	struct control *control = owner;

	reconcile_on_obeyed(control->reconcile, routes_generation);
}

/* run ends it and brings us a successor. */
static void on_expel(void *owner, uint32_t worker, pid_t pid, const char *reason)
{
	struct control *control = owner;
	struct message message = {.kind = MESSAGE_EXPEL, .worker = worker, .number = (uint64_t)pid};

	snprintf(message.text, sizeof(message.text), "%s", reason);
	channel_send(&control->run, &message, -1);
}

static bool start_source(struct control *control)
{
	struct error err;

	if (control->source != NULL)
		return true;
	control->source = source_dir_start(control->loop, control->options->manifests,
					   &control->sink, &err);
	if (control->source == NULL && !control->said_no_source)
		log_error("the manifests cannot be followed; it is tried again", "reason=\"%s\"",
			  log_quote(span_from(err.text)));
	control->said_no_source = control->source == NULL;
	return control->source != NULL;
}

static bool is_any(const struct ip *ip)
{
	static const struct ip any;

	return ip_equals(ip, &any);
}

/* Both families where the address is [::]; one of the two is enough, for not every machine has both. */
static bool start_admins(struct control *control, struct error *err)
{
	struct ip_port at = control->options->admin_address;
	size_t count = sizeof(pages) / sizeof(pages[0]);

	control->admins[0] = admin_start(control->loop, &at, pages, count, control, err);
	if (!is_any(&at.ip))
		return control->admins[0] != NULL;
	ip_parse(S("0.0.0.0"), &at.ip);
	control->admins[1] = admin_start(control->loop, &at, pages, count, control, err);
	return control->admins[0] != NULL || control->admins[1] != NULL;
}

static bool start_admin(struct control *control)
{
	struct message ready = {.kind = MESSAGE_READY};
	struct error err;

	if (control->has_admin)
		return true;
	control->has_admin = control->options->admin_address.port == 0 ||
			     start_admins(control, &err);
	if (control->has_admin)
		channel_send(&control->run, &ready, -1);
	else if (!control->said_no_admin)
		log_error("no admin endpoint; it is tried again", "reason=\"%s\"",
			  log_quote(span_from(err.text)));
	control->said_no_admin = !control->has_admin;
	return control->has_admin;
}

static void start_missing(struct control *control)
{
	bool has_source = start_source(control);
	bool has_admin = start_admin(control);

	if (!has_source || !has_admin)
		timer_start(loop_timers(control->loop), &control->retry, RETRY_MS);
}

static void on_retry(struct timer *timer)
{
	struct control *control = container_of(timer, struct control, retry);

	start_missing(control);
	reconcile_retry(control->reconcile);
}

static void on_behind(void *owner)
{
	struct control *control = owner;

	timer_start(loop_timers(control->loop), &control->retry, RETRY_MS);
}

static void on_stop(struct control *control)
{
	/* traffic goes on and so do we, until run closes the channel */
	log_info("not ready any more", "reason=stopping");
	control->health.stopping = true;
}

static void on_peer(struct control *control, const struct message *message, int fd)
{
	if (fd == -1) {
		log_error("run sent no channel to a worker", "worker=%" PRIu32, message->worker);
		return;
	}
	publisher_set_peer(control->publisher, message->worker, fd, (pid_t)message->number);
}

/* Without it plain hosts are served from the state directory all the same. */
static void read_state_key(struct control *control)
{
	struct state_key key;
	struct error err;

	if (control->options->state_key_file == NULL)
		return;
	if (state_key_read(control->options->state_key_file, &key, &err) == -1)
		log_error("the key for stored certificates cannot be used", "reason=\"%s\"",
			  log_quote(span_from(err.text)));
	else
		state_use_key(control->state, &key);
	state_key_wipe(&key);
}

/* The key may be another one by now; what is stored is for who starts with it. */
static void on_reread(struct control *control)
{
	if (control->state != NULL) {
		read_state_key(control);
		if (publisher_generation(control->publisher, TABLE_CERTIFICATES) != 0)
			state_store(control->state, TABLE_CERTIFICATES);
	}
	if (control->source != NULL)
		source_dir_reread(control->source);
}

static void on_run_message(struct channel *channel, const struct message *message, int fd)
{
	struct control *control = channel->owner;

	if (message->kind == MESSAGE_PEER) {
		on_peer(control, message, fd);
		return;
	}
	if (fd != -1)
		close(fd);
	if (message->kind == MESSAGE_STOP)
		on_stop(control);
	else if (message->kind == MESSAGE_REREAD)
		on_reread(control);
	else if (message->kind == MESSAGE_WORKER_GONE)
		publisher_drop_peer(control->publisher, message->worker, message->number);
}

static void on_run_closed(struct channel *channel)
{
	struct control *control = channel->owner;

	loop_stop(control->loop);
}

/* Above whatever a worker may obey since an earlier life of control. */
static uint64_t find_generation_floor(const struct stats_map *stats)
{
	uint64_t floor = 0;

	for (uint32_t i = 0; i < stats->workers; i++) {
		struct worker_counters counters;
		uint64_t claims[2];

		stats_read_counters(stats, i, &counters);
		claims[0] = counters.routes_generation_now;
		claims[1] = counters.endpoints_generation_now;
		for (unsigned j = 0; j < 2; j++)
			if (claims[j] > floor && claims[j] <= generation_claim_max)
				floor = claims[j];
	}
	return floor;
}

/* Without it everything else works; what is missing is said once. */
static void open_state(struct control *control)
{
	struct state_content content = {.owner = control, .write = write_table};
	struct error err;

	if (control->options->state_dir == NULL || control->options->state_dir[0] == '\0')
		return;
	control->state = state_open(control->loop, control->options->state_dir, &content, &err);
	if (control->state == NULL) {
		log_warn("tables are not stored", "reason=\"%s\"", log_quote(span_from(err.text)));
		return;
	}
	if (control->options->state_key_file == NULL)
		state_remove(control->state, TABLE_CERTIFICATES);
	read_state_key(control);
	control->handout = handout_start(control->loop, control->options->state_dir,
					 control->publisher, &err);
	if (control->handout == NULL)
		log_warn("tables cannot be shown by `ingot table`", "reason=\"%s\"",
			 log_quote(span_from(err.text)));
}

static struct span environment(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return span_from(value != NULL && value[0] != '\0' ? value : fallback);
}

static void describe(struct control *control)
{
	const struct control_options *options = control->options;

	/* NUL-terminated where it was cut too */
	if (gethostname(control->host_name, sizeof(control->host_name) - 1) == -1)
		control->host_name[0] = '\0';
	control->health = (struct health){.publisher = control->publisher};
	control->metrics = (struct metrics){
		.publisher = control->publisher,
		.reconcile = control->reconcile,
		.stats = &control->stats,
		.meanings = control->meanings,
		.state = control->state,
		.status_form = options->report_status_classes ? WORD_STATUS_CLASS
							      : WORD_STATUS_CODE,
		.compat = options->metrics_compat,
		.controller_class = options->model.controller_class,
		.controller_namespace = environment("POD_NAMESPACE", ""),
		.controller_pod = environment("POD_NAME", control->host_name),
		.run_pid = getppid(),
	};
}

static void on_tickets(struct timer *timer)
{
	struct control *control = container_of(timer, struct control, tickets);

	reconcile_rotate_tickets(control->reconcile);
	timer_start(loop_timers(control->loop), timer, TICKETS_ROTATE_MS);
}

/* Without a fallback, TLS is refused where no Secret serves. */
static void make_model_options(struct control *control)
{
	struct error err;

	control->model = control->options->model;
	if (fallback_get(&control->fallback, control->options->state_dir, &err) == -1) {
		log_error("there is no fallback certificate", "reason=\"%s\"", err.text);
		return;
	}
	control->model.fallback_chain = buf_span(&control->fallback.chain);
	control->model.fallback_key = buf_span(&control->fallback.key);
}

static void set_up(struct control *control)
{
	struct reconcile_options reconcile = {
		.model = &control->model,
		.generation_floor = find_generation_floor(&control->stats),
		.on_behind = on_behind,
		.owner = control,
	};
	struct publisher_events events = {
		.owner = control,
		.on_routes = on_routes,
		.on_obeyed = on_obeyed,
		.on_expel = on_expel,
	};

	control->meanings = traffic_meanings_new();
	control->publisher = publisher_new(control->loop, control->options->workers, &events);
	open_state(control);
	make_model_options(control);
	reconcile.state = control->state;
	control->reconcile = reconcile_new(&reconcile, control->publisher);
	control->sink = reconcile_sink(control->reconcile);
	timer_init(&control->retry, on_retry);
	timer_init(&control->tickets, on_tickets);
	timer_start(loop_timers(control->loop), &control->tickets, TICKETS_ROTATE_MS);
	describe(control);
}

static void tear_down(struct control *control)
{
	timer_stop(loop_timers(control->loop), &control->retry);
	timer_stop(loop_timers(control->loop), &control->tickets);
	for (unsigned i = 0; i < ADMINS_MAX; i++)
		if (control->admins[i] != NULL)
			admin_stop(control->admins[i]);
	if (control->source != NULL)
		source_dir_stop(control->source);
	if (control->handout != NULL)
		handout_stop(control->handout);
	reconcile_free(control->reconcile);
	if (control->state != NULL)
		state_close(control->state);
	publisher_free(control->publisher);
	traffic_meanings_free(control->meanings);
	fallback_fini(&control->fallback);
}

static int work(struct control *control)
{
	struct error err;

	control->run.owner = control;
	control->run.on_message = on_run_message;
	control->run.on_closed = on_run_closed;
	if (channel_start(&control->run, control->loop, control->options->channel_fd, &err) == -1) {
		log_error("control cannot start", "reason=\"%s\"", err.text);
		return 2;
	}
	set_up(control);
	reconcile_publish_stored(control->reconcile);
	start_missing(control);
	loop_run(control->loop);
	tear_down(control);
	channel_stop(&control->run);
	return 0;
}

int control_run(const struct control_options *options)
{
	struct control *control = memory_new(sizeof(*control));
	struct error err;
	int status = 2;

	control->options = options;
	if (stats_map(&control->stats, options->stats_fd, STATS_READ, &err) == -1) {
		log_error("control cannot start", "reason=\"%s\"", err.text);
		free(control);
		return 2;
	}
	control->loop = loop_new(&err);
	if (control->loop == NULL) {
		log_error("control cannot start", "reason=\"%s\"", err.text);
	} else {
		status = work(control);
		loop_free(control->loop);
	}
	stats_unmap(&control->stats);
	free(control);
	return status;
}
