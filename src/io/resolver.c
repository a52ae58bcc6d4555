/* SPDX-License-Identifier: Apache-2.0 */
#include "io/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/memory.h"

/* A look-up that takes longer than two seconds has failed (security spec, 7.1). */
enum { QUESTION_MS = 2000, TRY_MS = 600, TRIES = 2, POKE_MS = 50 };

struct resolver_socket {
	struct loop_source source;
	struct list link;
	struct resolver *resolver;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	struct timer timer;
	struct list sockets; /* struct resolver_socket */
	uint32_t questions;  /* under way */
	bool ending;
};

/* Ends with c-ares; is answered then, or when its time is over. */
struct question {
	struct resolver *resolver;
	void (*on_answer)(void *owner, const struct resolver_answer *answer); /* NULL: answered */
	void *owner;
	struct timer timer;
};

static void on_ready(struct loop_source *source, uint32_t events)
{
	struct resolver_socket *socket = container_of(source, struct resolver_socket, source);
	int fd = source->fd;

	(void)events;
	ares_process_fd(socket->resolver->channel, fd, fd);
}

static struct resolver_socket *find_socket(struct resolver *resolver, int fd)
{
	list_for_each (link, &resolver->sockets) {
		struct resolver_socket *socket = container_of(link, struct resolver_socket, link);

		if (socket->source.fd == fd)
			return socket;
	}
	return NULL;
}

/* c-ares opens and closes its sockets itself, and says so here before it closes one. */
static void on_socket(void *owner, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = owner;
	struct resolver_socket *socket = find_socket(resolver, fd);

	if (!readable && !writable) {
		if (socket == NULL)
			return;
		loop_forget(resolver->loop, &socket->source);
		list_remove(&socket->link);
		free(socket);
		return;
	}
	if (socket != NULL)
		return;
	socket = memory_new(sizeof(*socket));
	socket->resolver = resolver;
	if (loop_add_level(resolver->loop, &socket->source, fd, on_ready) == -1) {
		/* the timer reads it all the same */
		free(socket);
		return;
	}
	list_add_last(&resolver->sockets, &socket->link);
}

/* Time-outs, and what a socket that wants to write waits for. Not by ares_fds: the sets of select(2) end at
 * descriptor 1023, and a worker has more. */
static void on_timer(struct timer *timer)
{
	struct resolver *resolver = container_of(timer, struct resolver, timer);
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	unsigned wanted = (unsigned)ares_getsock(resolver->channel, sockets, ARES_GETSOCK_MAXNUM);

	for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		if (ARES_GETSOCK_READABLE(wanted, i) || ARES_GETSOCK_WRITABLE(wanted, i))
			ares_process_fd(resolver->channel, sockets[i],
					ARES_GETSOCK_WRITABLE(wanted, i) ? sockets[i]
									 : ARES_SOCKET_BAD);
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (resolver->questions > 0)
		timer_start(loop_timers(resolver->loop), timer, POKE_MS);
}

static int set_server(struct resolver *resolver, const char *server, struct error *err)
{
	int result = ares_set_servers_ports_csv(resolver->channel, server);

	if (result != ARES_SUCCESS)
		return error_set(err, "the DNS server \"%s\" is not address[:port]: %s", server,
				 ares_strerror(result));
	return 0;
}

struct resolver *resolver_new(struct loop *loop, const char *server, struct error *err)
{
	struct resolver *resolver = memory_new(sizeof(*resolver));
	struct ares_options options = {
		.timeout = TRY_MS,
		.tries = TRIES,
		.lookups = (char[]){"b"}, /* servers alone, no /etc/hosts: a worker has no files */
		.sock_state_cb = on_socket,
		.sock_state_cb_data = resolver,
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	int result = ares_init_options(&resolver->channel, &options, mask);

	if (result != ARES_SUCCESS) {
		error_set(err, "cannot set up name resolution: %s", ares_strerror(result));
		free(resolver);
		return NULL;
	}
	resolver->loop = loop;
	list_init(&resolver->sockets);
	timer_init(&resolver->timer, on_timer);
	if (server != NULL && set_server(resolver, server, err) == -1) {
		resolver_free(resolver);
		return NULL;
	}
	return resolver;
}

void resolver_free(struct resolver *resolver)
{
	resolver->ending = true;
	ares_destroy(resolver->channel);
	timer_stop(loop_timers(resolver->loop), &resolver->timer);
	free(resolver);
}

static enum resolver_status status_of(int result)
{
	if (result == ARES_SUCCESS)
		return RESOLVER_OK;
	return result == ARES_ENOTFOUND || result == ARES_ENODATA || result == ARES_EBADNAME
		       ? RESOLVER_ABSENT
		       : RESOLVER_FAILED;
}

static void add_node(struct resolver_answer *answer, const struct ares_addrinfo_node *node)
{
	struct ip *ip = &answer->ips[answer->count];
	uint32_t ttl = node->ai_ttl < 0 ? 0 : (uint32_t)node->ai_ttl;

	if (answer->count == RESOLVER_ADDRESSES_MAX)
		return;
	if (node->ai_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)node->ai_addr;

		memset(ip->bytes, 0, 10);
		memset(ip->bytes + 10, 0xff, 2);
		memcpy(ip->bytes + 12, &v4->sin_addr, 4);
	} else if (node->ai_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)node->ai_addr;

		memcpy(ip->bytes, &v6->sin6_addr, 16);
	} else {
		return;
	}
	answer->count++;
	if (ttl < answer->ttl_s)
		answer->ttl_s = ttl;
}

static void answer_once(struct question *question, const struct resolver_answer *answer)
{
	void (*on_answer)(void *owner, const struct resolver_answer *answer) = question->on_answer;

	question->on_answer = NULL;
	if (on_answer != NULL)
		on_answer(question->owner, answer);
}

static void on_result(void *owner, int result, int timeouts, struct ares_addrinfo *info)
{
	struct question *question = owner;
	struct resolver_answer answer = {.status = status_of(result), .ttl_s = UINT32_MAX};

	(void)timeouts;
	for (struct ares_addrinfo_node *node = info == NULL ? NULL : info->nodes; node != NULL;
	     node = node->ai_next)
		add_node(&answer, node);
	if (info != NULL)
		ares_freeaddrinfo(info);
	if (answer.status == RESOLVER_OK && answer.count == 0)
		answer.status = RESOLVER_ABSENT;
	question->resolver->questions--;
	timer_stop(loop_timers(question->resolver->loop), &question->timer);
	if (!question->resolver->ending)
		answer_once(question, &answer);
	free(question);
}

/* With several servers c-ares may take longer than anybody waits. */
static void on_too_late(struct timer *timer)
{
	struct question *question = container_of(timer, struct question, timer);
	struct resolver_answer answer = {.status = RESOLVER_FAILED};

	answer_once(question, &answer);
}

void resolver_ask(struct resolver *resolver, const char *name,
		  void (*on_answer)(void *owner, const struct resolver_answer *answer), void *owner)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
	struct question *question = memory_new(sizeof(*question));

	*question = (struct question){.resolver = resolver, .on_answer = on_answer, .owner = owner};
	timer_init(&question->timer, on_too_late);
	timer_start(loop_timers(resolver->loop), &question->timer, QUESTION_MS);
	if (resolver->questions++ == 0)
		timer_start(loop_timers(resolver->loop), &resolver->timer, POKE_MS);
	ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_result, question);
}
