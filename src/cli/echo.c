/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/echo.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/echo_connection.h"
#include "io/signals.h"
#include "io/socket.h"

enum { BACKLOG = 4096 };

static const char help[] =
	"ingot echo: a small HTTP backend that answers with what it received, as JSON\n"
	"\n"
	"usage: ingot echo --listen ADDRESS:PORT --name NAME\n"
	"\n"
	"examples:\n"
	"  ingot echo --listen 127.0.0.1:9001 --name portal-1\n"
	"  curl '127.0.0.1:9001/some/path?status=503'\n"
	"\n"
	"flags:\n"
	"  --listen ADDRESS:PORT   where to listen; IPv6 in brackets: [::1]:9001; port 0 takes a "
	"free one\n"
	"  --name NAME             given back in each answer, so that one can see who answered\n"
	"  -h, --help              this text\n"
	"\n"
	"A request may ask for more in its query:\n"
	"  status=503              answers with that status\n"
	"  delay=500ms             waits before it answers\n"
	"  bytes=1000000           answers with that many letters instead of JSON\n"
	"A WebSocket handshake is accepted, and every message comes back.\n"
	"\n"
	"exit status: 0 stopped by SIGTERM or SIGINT, 2 wrong usage or the address cannot be had\n";

struct echo {
	struct echo_server server;
	struct loop_source listener;
	struct signals signals;
};

struct echo_options {
	const char *listen;
	const char *name;
	bool help;
};

static int usage_error(struct error *err)
{
	fprintf(stderr, "ingot echo: %s\n", err->text);
	return 2;
}

/* The value of "--flag value" or "--flag=value"; *at moves on. NULL: argument is another flag. */
static const char *flag_value(const char *flag, int argc, char **argv, int *at)
{
	struct span argument = span_from(argv[*at]);
	struct span name = span_from(flag);

	if (!span_starts_with(argument, name))
		return NULL;
	if (argument.len > name.len && argument.ptr[name.len] == '=')
		return argument.ptr + name.len + 1;
	if (argument.len > name.len || *at + 1 >= argc)
		return NULL;
	return argv[++*at];
}

static int parse_flags(int argc, char **argv, struct echo_options *options, struct error *err)
{
	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i];
		const char *value;

		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
			options->help = true;
		else if ((value = flag_value("--listen", argc, argv, &i)) != NULL)
			options->listen = value;
		else if ((value = flag_value("--name", argc, argv, &i)) != NULL)
			options->name = value;
		else
			return error_set(err,
					 "\"%s\": there are --listen ADDRESS:PORT and --name NAME, "
					 "each with a value (ingot echo --help)",
					 argument);
	}
	if (options->help)
		return 0;
	if (options->listen == NULL || options->name == NULL)
		return error_set(err, "%s is missing (ingot echo --help)",
				 options->listen == NULL ? "--listen ADDRESS:PORT" : "--name NAME");
	return 0;
}

/* "127.0.0.1:80" or "[::1]:80". */
static int parse_listen(const char *text, struct ip_port *at, struct error *err)
{
	struct span address = span_from(text);
	size_t colon = address.len;
	uint64_t port;

	while (colon > 0 && address.ptr[colon - 1] != ':')
		colon--;
	if (colon > 0 && span_to_u64(span_skip(address, colon), &port) && port <= UINT16_MAX) {
		struct span ip = span_take(address, colon - 1);

		if (span_starts_with(ip, S("[")) && span_ends_with(ip, S("]")))
			ip = span_skip(span_take(ip, ip.len - 1), 1);
		at->port = (uint16_t)port;
		if (ip_parse(ip, &at->ip))
			return 0;
	}
	return error_set(err,
			 "--listen: \"%s\" is not an address and a port, as 127.0.0.1:9001 or "
			 "[::1]:9001 are",
			 text);
}

static void on_client(struct loop_source *source, uint32_t events)
{
	struct echo *echo = container_of(source, struct echo, listener);
	struct ip_port peer;
	int fd = socket_accept(source->fd, &peer);

	(void)events; /* a listener has no other news */
	if (fd != -1)
		echo_connection_start(&echo->server, fd, &peer);
}

static void on_signal(struct signals *signals, int number)
{
	struct echo *echo = container_of(signals, struct echo, signals);

	(void)number; /* both mean the same */
	loop_close(echo->server.loop, &echo->listener);
	if (echo->server.stopping)
		loop_stop(echo->server.loop);
	else
		echo_server_stop(&echo->server);
}

static int start_listening(struct echo *echo, const struct ip_port *at, struct error *err)
{
	char text[IP_PORT_TEXT_SIZE];
	struct ip_port local = *at;
	int fd;

	if (at->port != 0 && socket_check_free(at, err) == -1)
		return -1;
	fd = socket_listen(at, BACKLOG, err);
	if (fd == -1)
		return -1;
	if (socket_local(fd, &local) == -1 ||
	    loop_add_level(echo->server.loop, &echo->listener, fd, on_client) == -1) {
		close(fd);
		return error_sys(err, "cannot watch the listening socket");
	}
	ip_port_write(text, &local);
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

int echo_command(int argc, char **argv)
{
	struct echo_options options = {0};
	struct echo echo = {.listener.fd = -1};
	struct ip_port at;
	struct error err;
	int status;

	if (parse_flags(argc, argv, &options, &err) == -1)
		return usage_error(&err);
	if (options.help)
		return fputs(help, stdout) == EOF ? 2 : 0;
	if (parse_listen(options.listen, &at, &err) == -1)
		return usage_error(&err);
	log_init("echo", LOG_LEVEL_INFO);
	echo.server.name = span_from(options.name);
	list_init(&echo.server.connections);
	echo.server.loop = loop_new(&err);
	if (echo.server.loop == NULL)
		return usage_error(&err);
	status = serve(&echo, &at, &err) == -1 ? usage_error(&err) : 0;
	loop_free(echo.server.loop);
	return status;
}
