/* SPDX-License-Identifier: Apache-2.0 */
/* `ingot echo`: a small HTTP/1.1 backend that answers with what it received. For trying things out, for the
 * examples and for tests; it is no web server.
 */
#pragma once

/* argv[0] is "echo". Runs until SIGTERM or SIGINT; returns the exit status. */
int echo_command(int argc, char **argv);
