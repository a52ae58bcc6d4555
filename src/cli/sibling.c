/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot check` and `ingot table`: the code that reads YAML and JSON lives in ingot-control, so that the
 * process that faces the internet does not map it.
 */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/program.h"

int cli_sibling(int argc, char **argv)
{
	struct error err;
	int fd = program_open_control(&err);

	(void)argc;
	if (fd != -1) {
		/* argv[-1] is the name that we were called by, which main leaves in place */
		fexecve(fd, argv - 1, environ);
		error_sys(&err, "cannot start ingot-control");
	}
	fprintf(stderr, "ingot %s: %s\n", argv[0], err.text);
	return EXIT_COULD_NOT;
}
