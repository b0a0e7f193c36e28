/* SPDX-License-Identifier: MIT
 *
 * The allocations that are not freed yet, and for whom they were made.
 */
#pragma once

/* One more; `caller` asked for it. */
void ledger_add(const void *memory, const void *caller);

/* One less; what it does not know, it ignores. Returns who had asked for it, NULL if unknown. */
const void *ledger_remove(const void *memory);
