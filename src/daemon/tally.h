/* SPDX-License-Identifier: MIT
 *
 * The tally: of each kind of events, how many came, and how many of them the journal knows of, in
 * the state file.
 *
 * Those in between wait in memory, and go with the daemon. The next one finds how many they were,
 * and says that they were left out.
 *
 * Not safe for threads: the log locks around it.
 */
#pragma once

#include "daemon/outbox.h"

struct tally {
    uint64_t came[EVENTS_COUNT];
    uint64_t told[EVENTS_COUNT];
};

/* How many of this kind nobody was told of. */
static inline uint64_t tally_untold(const struct tally *tally, enum event event)
{
    uint64_t came = tally->came[event], told = tally->told[event];

    return came > told ? came - told : 0;
}

/* What the outbox knows an entry by that tells of so many more of this kind. */
static inline uint64_t tally_sequence(const struct tally *tally, enum event event, uint64_t times)
{
    return OUTBOX_EVENT | (uint64_t)event << OUTBOX_EVENT_KIND |
           ((tally->told[event] + times) & OUTBOX_EVENT_NUMBER);
}

/* That entry has arrived. One store, which pairs with our death only. */
static inline void tally_tell(struct tally *tally, uint64_t sequence)
{
    uint64_t event = (sequence & ~OUTBOX_EVENT) >> OUTBOX_EVENT_KIND;
    uint64_t number = sequence & OUTBOX_EVENT_NUMBER;

    if (event < EVENTS_COUNT && number > tally->told[event]) {
        __atomic_store_n(&tally->told[event], number, __ATOMIC_RELEASE);
    }
}
