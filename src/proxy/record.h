/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of an exchange that has ended: its line in the access log, and its figures. */
#pragma once

struct exchange;

/* Once, when the exchange ends, while its table is still pinned. Sets the status where none was sent. */
void record_exchange(struct exchange *exchange);
