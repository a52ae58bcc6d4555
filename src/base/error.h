/* SPDX-License-Identifier: Apache-2.0 */
/* Why something could not be done, in words: what failed, complete on its own, whoever prints it.
 * For faults of peer, kernel or disk. The caller owns the struct and may pass NULL nowhere.
 */
#pragma once

struct error {
	char text[512]; /* NUL-terminated, cut where it is longer */
};

/* Both return -1, so that `return error_set(...)` is one line. */
int error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, followed by what errno says: ": No such file or directory (ENOENT)". */
int error_sys(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts words before the text that is there: "reading web.yaml: " + text. Returns -1. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
