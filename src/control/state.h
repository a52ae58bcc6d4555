/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: the last good tables on disk, from which the workers are served at start until
 * the first complete list has been compiled (security spec, R3, R4).
 *
 *     routes.segment endpoints.segment     the newest: all shards, as one bundle (table/format.h)
 *     certificates.segment                 the same, encrypted; only where there is a key for it (control/state_key.h)
 *     *.segment.previous                   the one before
 *     *.segment.bad                        one that did not verify, set aside
 *
 * Storing never holds anything up: a child process writes, one at a time and at most once in
 * STATE_INTERVAL_MS, while the loop goes on; a disk that is full, read-only, slow or gone is reported once and tried
 * again. A lock on the directory keeps a second instance out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "io/loop.h"
#include "table/format.h"

enum { STATE_INTERVAL_MS = 1000, STATE_RETRY_MS = 2000, STATE_STOP_MS = 2000 };

struct state;
struct state_key;

/* What is to be stored. */
struct state_content {
	void *owner;

	/* Appends the whole table that is present. Called in the child process that writes: from what its parent had
	 * when it was forked, and nothing that this changes is seen by anyone. */
	void (*write)(void *owner, enum table_kind kind, struct buf *out);
};

/* Makes the directory where it is missing (its parent must be there) and locks it. NULL with the reason. */
struct state *state_open(struct loop *loop, const char *directory,
			 const struct state_content *content, struct error *err);

/* What is secret is stored under this key from now on. Copied. Without one it is neither stored nor loaded. */
void state_use_key(struct state *state, const struct state_key *key);

/* Appends the newest table that verifies to *out, which is empty. Those that do not are set aside and logged.
 * false: there is none. A secret one is to be wiped. */
bool state_load(struct state *state, enum table_kind kind, struct buf *out);

/* Stores what is present then of a kind, soon. Nothing of a secret kind without a key. */
void state_store(struct state *state, enum table_kind kind);

/* Removes what is stored of a kind, whatever became of it. */
void state_remove(struct state *state, enum table_kind kind);

struct state_figures {
	uint64_t written;  /* tables */
	uint64_t failures; /* attempts to write that failed */
	bool failing;      /* the last attempt did */
};

struct state_figures state_figures(const struct state *state);

/* Writes what waits, for STATE_STOP_MS at most, and gives the directory back. */
void state_close(struct state *state);

/* Reads the newest usable table of a directory without lock and without changing anything: for `ingot table`. Of a kind
 * that is not secret. 0, or -1 with the reason. */
int state_read(const char *directory, enum table_kind kind, struct buf *out, struct error *err);
