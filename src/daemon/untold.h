/* SPDX-License-Identifier: MIT
 *
 * Records that were let go although nobody had acknowledged them, until the journal has been told:
 * in the state file, so that no death of the daemon makes them go without a word.
 *
 *      let go ──▶ waiting ──▶ going ──▶ told
 *
 * What is let go while an entry is on its way waits for the next one. Each change is made in a
 * copy, and counts with the store of one word, which says which of the two copies is meant.
 *
 * Not safe for threads: the log locks around it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Why they were let go. */
enum unread_why {
    UNREAD_LEFT_BEHIND, /* whoever was there had begun behind them */
    UNREAD_RECONFIGURED,
    UNREAD_REMOVED,
    UNREAD_DAMAGED,
    UNREAD_OUTDATED,
};

/* So many of the records first…last; 0: none. */
struct untold_records {
    uint64_t first, last;
    uint64_t records;
    uint64_t why; /* enum unread_why, of the newest */
};

struct untold_version {
    uint64_t last; /* record that was ever let go */
    struct untold_records waiting;
    struct untold_records going;
};

struct untold {
    uint64_t current; /* which version */
    struct untold_version versions[2];
};

static inline const struct untold_version *untold_now(const struct untold *untold)
{
    return &untold->versions[untold->current & 1];
}

static inline bool untold_is_empty(const struct untold *untold)
{
    return untold_now(untold)->waiting.records == 0 && untold_now(untold)->going.records == 0;
}

/* The records first…last, which come after all before, are let go. */
void untold_add(struct untold *untold, uint64_t first, uint64_t last, enum unread_why why);

/* What waits goes, unless something still does. False: nothing goes. */
bool untold_go(struct untold *untold, struct untold_records *ret);

/* What was going has arrived. */
void untold_arrived(struct untold *untold);
