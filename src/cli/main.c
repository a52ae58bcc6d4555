/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot`: subcommand to function. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/echo.h"
#include "cli/flag.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *purpose; /* NULL: not for people */
} commands[] = {
	{"run", cli_run, "serve the Ingresses of a directory of manifests"},
	{"check", cli_sibling, "what would be served, and every diagnostic"},
	{"table", cli_sibling, "read a table as JSON, or look up a request in it"},
	{"echo", echo_command, "a small backend that answers with what it received"},
	{"version", cli_version, "print the version"},
	{"proxy", cli_proxy, NULL},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *to)
{
	fputs("ingot: a Kubernetes ingress stack in one program\n"
	      "\n"
	      "usage: ingot COMMAND [flags]\n"
	      "\n"
	      "examples:\n"
	      "  ingot run --manifests examples/portal --http-port 8080\n"
	      "  ingot check examples/portal\n"
	      "\n"
	      "commands:\n",
	      to);
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		if (commands[i].purpose != NULL)
			fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].purpose);
	}
	fputs("\n"
	      "ingot COMMAND --help tells about one of them.\n"
	      "exit status: 0 done, 1 done and the answer is bad, 2 could not do it\n",
	      to);
}

static const struct command *find_command(const char *name)
{
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int refuse(const char *name)
{
	const char *names[COMMAND_COUNT];
	const char *nearest;

	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	nearest = flag_nearest(span_from(name), names, COMMAND_COUNT);
	if (nearest == NULL)
		fprintf(stderr, "ingot: unknown command %s (ingot --help)\n", name);
	else
		fprintf(stderr, "ingot: unknown command %s; did you mean %s? (ingot --help)\n",
			name, nearest);
	return EXIT_COULD_NOT;
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

/* `ingot help`, and `ingot help run` which is `ingot run --help`. */
static int help(int argc, char **argv)
{
	char *with_help[] = {argv[0], argv[1], "--help", NULL};
	const struct command *command;

	if (argc < 2) {
		print_help(stdout);
		return EXIT_DONE;
	}
	command = find_command(argv[1]);
	return command == NULL ? refuse(argv[1]) : command->run(2, with_help + 1);
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_COULD_NOT;
	}
	if (is_one_of(argv[1], "help", "--help", "-h"))
		return help(argc - 1, argv + 1);
	if (is_one_of(argv[1], "--version", "-V", "version"))
		return cli_version(argc - 1, argv + 1);
	command = find_command(argv[1]);
	return command == NULL ? refuse(argv[1]) : command->run(argc - 1, argv + 1);
}
