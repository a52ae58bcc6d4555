/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands: one file each. argv[0] is the word itself; what is returned is the exit status. */
#pragma once

/* 0: done, and nothing wrong; 1: done, and the answer is bad; 2: could not do it. */
enum exit_status { EXIT_DONE = 0, EXIT_ANSWER_BAD = 1, EXIT_COULD_NOT = 2 };

/* of `ingot` */
int cli_run(int argc, char **argv);
int cli_proxy(int argc, char **argv); /* started by run */
int cli_version(int argc, char **argv);
int cli_sibling(int argc, char **argv); /* check, table: run by ingot-control instead */

/* of `ingot-control` */
int cli_control(int argc, char **argv); /* started by run */
int cli_check(int argc, char **argv);
int cli_table(int argc, char **argv);
