/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/echo.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/echo_connection.h"
#include "cli/flag.h"
#include "io/signals.h"
#include "io/socket.h"

enum { BACKLOG = 4096 };

enum echo_flag { ECHO_LISTEN, ECHO_NAME, ECHO_FLAG_COUNT };

static const struct flag flags[ECHO_FLAG_COUNT] = {
	[ECHO_LISTEN] = {.name = "listen",
			 .type = FLAG_ADDRESS,
			 .fallback = "",
			 .argument = "ADDRESS:PORT",
			 .help = "where to listen; IPv6 in brackets: [::1]:9001"},
	[ECHO_NAME] = {.name = "name",
		       .type = FLAG_TEXT,
		       .fallback = "",
		       .argument = "NAME",
		       .help = "given back in each answer, so that one can see who answered"},
};

static const struct flag_set flag_set = {
	.command = "ingot echo", .flags = flags, .count = ECHO_FLAG_COUNT};

struct echo {
	struct echo_server server;
	struct loop_source listener;
	struct signals signals;
};

static int print_help(void)
{
	fputs("ingot echo: a small HTTP backend that answers with what it received, as JSON\n"
	      "\n"
	      "usage: ingot echo --listen ADDRESS:PORT --name NAME\n"
	      "\n"
	      "examples:\n"
	      "  ingot echo --listen 127.0.0.1:9001 --name portal-1\n"
	      "  curl '127.0.0.1:9001/some/path?status=503'\n"
	      "\n"
	      "flags:\n",
	      stdout);
	flags_print(&flag_set, 0, stdout);
	fputs("  -h, --help\n"
	      "\n"
	      "A request may ask for more in its query:\n"
	      "  status=503      answers with that status\n"
	      "  delay=500ms     waits before it answers\n"
	      "  bytes=1000000   answers with that many letters instead of JSON\n"
	      "A WebSocket handshake is accepted, and every message comes back.\n"
	      "\n"
	      "exit status: 0 stopped by SIGTERM or SIGINT; 2 wrong usage, or the address cannot "
	      "be "
	      "had\n",
	      stdout);
	return EXIT_DONE;
}

static int refuse(const struct error *err)
{
	fprintf(stderr, "ingot echo: %s\n", err->text);
	return EXIT_COULD_NOT;
}

static int check_given(const struct flag_value *values, struct error *err)
{
	if (values[ECHO_LISTEN].at.port == 0)
		return error_set(err, "--listen is missing; write for example --listen "
				      "127.0.0.1:9001 (ingot echo --help)");
	if (!values[ECHO_NAME].given)
		return error_set(err, "--name is missing; write for example --name portal-1 "
				      "(ingot echo --help)");
	return 0;
}

/* False: nobody waits. */
static bool accept_client(struct echo *echo)
{
	struct ip_port peer;
	int fd = socket_accept(echo->listener.fd, &peer);

	if (fd == -1)
		return false;
	echo_connection_start(&echo->server, fd, &peer);
	return true;
}

static void on_client(struct loop_source *source, uint32_t events)
{
	(void)events; /* a listener has no other news */
	(void)accept_client(container_of(source, struct echo, listener)); /* one a turn is fair */
}

static void on_signal(struct signals *signals, int number)
{
	struct echo *echo = container_of(signals, struct echo, signals);

	(void)number; /* both mean the same */
	if (echo->server.stopping) {
		loop_stop(echo->server.loop);
		return;
	}
	while (accept_client(echo))
		;
	loop_close(echo->server.loop, &echo->listener);
	echo_server_stop(&echo->server);
}

static int start_listening(struct echo *echo, const struct ip_port *at, struct error *err)
{
	char text[IP_PORT_TEXT_SIZE];
	int fd;

	if (socket_check_free(at, err) == -1)
		return -1;
	fd = socket_listen(at, BACKLOG, err);
	if (fd == -1)
		return -1;
	if (loop_add_level(echo->server.loop, &echo->listener, fd, on_client) == -1) {
		close(fd);
		return error_sys(err, "cannot watch the listening socket");
	}
	ip_port_write(text, at);
	log_info("listening", "name=\"%s\" address=%s", log_quote(echo->server.name), text);
	return 0;
}

static int serve(struct echo *echo, const struct ip_port *at, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (signals_start(echo->server.loop, &echo->signals, &set, on_signal, err) == -1)
		return -1;
	if (start_listening(echo, at, err) == 0) {
		loop_run(echo->server.loop);
		echo_server_abort(&echo->server);
		signals_stop(echo->server.loop, &echo->signals);
		return 0;
	}
	signals_stop(echo->server.loop, &echo->signals);
	return -1;
}

static int run(const struct flag_value *values, struct error *err)
{
	struct echo echo = {.listener.fd = -1, .server.name = span_from(values[ECHO_NAME].text)};
	int result;

	list_init(&echo.server.connections);
	echo.server.loop = loop_new(err);
	if (echo.server.loop == NULL)
		return -1;
	result = serve(&echo, &values[ECHO_LISTEN].at, err);
	loop_free(echo.server.loop);
	return result;
}

int echo_command(int argc, char **argv)
{
	struct flag_value values[ECHO_FLAG_COUNT];
	struct error err;
	enum flags_result result = flags_parse(&flag_set, argc, argv, values, NULL, &err);

	if (result == FLAGS_HELP)
		return print_help();
	if (result == FLAGS_BAD || check_given(values, &err) == -1)
		return refuse(&err);
	log_init("echo", LOG_LEVEL_INFO);
	return run(values, &err) == -1 ? refuse(&err) : EXIT_DONE;
}
