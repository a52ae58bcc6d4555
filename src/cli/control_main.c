/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot-control`: the role that reads objects, and the commands that read them too. People type `ingot`. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"control", cli_control},
	{"check", cli_check},
	{"table", cli_table},
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	fputs("ingot-control is a part of ingot and is started by it (ingot --help)\n", stderr);
	return EXIT_COULD_NOT;
}
