/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/socket.h"

enum { ADMIN_BACKLOG = 128, WAIT_MAX_MS = 60000 };

struct admin {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct loop_source epoll; /* of libmicrohttpd, which closes it */
	bool was_full;            /* had ADMIN_CONNECTIONS_MAX connections after the last call */
	struct timer timer;       /* when libmicrohttpd wants to look at its connections */
	struct ip_port at;
	const struct admin_page *pages;
	size_t page_count;
	void *owner;
};

static bool is_full(const struct admin *admin)
{
	const union MHD_DaemonInfo *facts = MHD_get_daemon_info(
		admin->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return facts != NULL && facts->num_connections >= ADMIN_CONNECTIONS_MAX;
}

/* At the limit of connections libmicrohttpd takes its listening socket out of epoll. It puts it back at the first call
 * after one has ended, and nothing but this here would cause that call. */
static void work(struct admin *admin)
{
	bool was_full = admin->was_full;

	MHD_run(admin->daemon);
	admin->was_full = is_full(admin);
	if (was_full && !admin->was_full)
		MHD_run(admin->daemon);
}

/* After everything that libmicrohttpd did: when does it want to be called though nothing happens? */
static void run(struct admin *admin)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;

	work(admin);
	if (MHD_get_timeout(admin->daemon, &wait_ms) != MHD_YES)
		timer_stop(loop_timers(admin->loop), &admin->timer);
	else
		timer_start(loop_timers(admin->loop), &admin->timer,
			    wait_ms < WAIT_MAX_MS ? (uint32_t)wait_ms : WAIT_MAX_MS);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
	(void)events; /* the epoll descriptor of libmicrohttpd has something to read */
	run(container_of(source, struct admin, epoll));
}

static void on_timer(struct timer *timer)
{
	run(container_of(timer, struct admin, timer));
}

static const struct admin_page *find_page(const struct admin *admin, const char *path)
{
	for (size_t i = 0; i < admin->page_count; i++)
		if (strcmp(admin->pages[i].path, path) == 0)
			return &admin->pages[i];
	return NULL;
}

/* body is taken. Every answer is made for one moment: no cache may keep it. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
			      const char *content_type, const char *allow, struct buf *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(body->len, body->ptr,
									MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result = MHD_NO;

	if (response == NULL) {
		buf_fini(body);
		return MHD_NO;
	}
	if (MHD_add_response_header(response, "Content-Type", content_type) == MHD_YES &&
	    MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
	    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
	    (allow == NULL || MHD_add_response_header(response, "Allow", allow) == MHD_YES))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_unknown(const struct admin *admin, struct MHD_Connection *connection)
{
	struct buf body = {0};

	buf_add(&body, S("404 Not Found; there is:\n"));
	for (size_t i = 0; i < admin->page_count; i++)
		buf_printf(&body, "%s\n", admin->pages[i].path);
	return answer(connection, 404, "text/plain; charset=utf-8", NULL, &body);
}

static enum MHD_Result answer_method(struct MHD_Connection *connection)
{
	struct buf body = {0};

	buf_add(&body, S("405 Method Not Allowed; accepted are GET and HEAD\n"));
	return answer(connection, 405, "text/plain; charset=utf-8", "GET, HEAD", &body);
}

/* Called once when the head is there (*seen is NULL), again for each piece of a body, and a last time at
 * its end. Answering at the first call would make libmicrohttpd close the connection. */
static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **seen)
{
	struct admin *admin = owner;
	const struct admin_page *page;
	struct buf body = {0};
	unsigned status;

	(void)version;
	(void)upload;
	if (*seen == NULL) {
		*seen = admin;
		return MHD_YES;
	}
	if (*upload_size != 0) {
		*upload_size = 0; /* a body has no meaning here */
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_method(connection);
	page = find_page(admin, path);
	if (page == NULL)
		return answer_unknown(admin, connection);
	status = page->write(admin->owner,
			     MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND,
							   "verbose", strlen("verbose"), NULL,
							   NULL) == MHD_YES,
			     &body);
	return answer(connection, status, page->content_type, NULL, &body);
}

static void on_log(void *owner, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void on_log(void *owner, const char *format, va_list args)
{
	char text[256];

	(void)owner;
	vsnprintf(text, sizeof(text), format, args);
	log_debug("admin endpoint", "words=\"%s\"", log_quote(span_trim(span_from(text))));
}

static struct MHD_Daemon *start_daemon(struct admin *admin, int listener)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, admin,
				/* first, so that it holds for what the others have to say */
				MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
				listener, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)ADMIN_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)ADMIN_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)ADMIN_CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_END);
}

static int watch_daemon(struct admin *admin, struct error *err)
{
	const union MHD_DaemonInfo *facts = MHD_get_daemon_info(admin->daemon,
								MHD_DAEMON_INFO_EPOLL_FD);

	if (facts == NULL)
		return error_set(err, "libmicrohttpd was built without epoll");
	if (loop_add_level(admin->loop, &admin->epoll, facts->epoll_fd, on_ready) == -1)
		return error_sys(err, "cannot watch the admin endpoint");
	timer_init(&admin->timer, on_timer);
	return 0;
}

struct admin *admin_start(struct loop *loop, const struct ip_port *at,
			  const struct admin_page *pages, size_t page_count, void *owner,
			  struct error *err)
{
	struct admin *admin;
	int listener;

	if (at->port != 0 && socket_check_free(at, err) == -1)
		return NULL;
	listener = socket_listen(at, ADMIN_BACKLOG, err);
	if (listener == -1)
		return NULL;
	admin = memory_new(sizeof(*admin));
	*admin = (struct admin){
		.loop = loop, .at = *at, .pages = pages, .page_count = page_count, .owner = owner};
	if (socket_local(listener, &admin->at) == -1) {
		error_sys(err, "cannot tell the address of the admin endpoint");
		goto fail;
	}
	admin->daemon = start_daemon(admin, listener);
	if (admin->daemon == NULL) {
		error_set(err, "libmicrohttpd cannot start the admin endpoint");
		goto fail;
	}
	if (watch_daemon(admin, err) == -1) {
		MHD_stop_daemon(admin->daemon); /* closes the listener */
		free(admin);
		return NULL;
	}
	return admin;
fail:
	close(listener);
	free(admin);
	return NULL;
}

void admin_stop(struct admin *admin)
{
	timer_stop(loop_timers(admin->loop), &admin->timer);
	loop_forget(admin->loop, &admin->epoll);
	MHD_stop_daemon(admin->daemon);
	free(admin);
}

struct ip_port admin_address(const struct admin *admin)
{
	return admin->at;
}
