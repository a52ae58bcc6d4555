/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const char help[] = "ingot version: print the version\n"
			   "\n"
			   "usage: ingot version\n"
			   "\n"
			   "exit status: 0\n";

int cli_version(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return EXIT_DONE;
	}
	if (argc > 1) {
		fprintf(stderr, "ingot version: takes no \"%s\" (ingot version --help)\n", argv[1]);
		return EXIT_COULD_NOT;
	}
	puts("ingot " INGOT_VERSION);
	return EXIT_DONE;
}
