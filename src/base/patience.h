/* SPDX-License-Identifier: MIT
 *
 * How to wait for news that is a look away: look, let others run, give up.
 *
 * A peer that is awake on another processor answers within a few looks. Where it is crowded,
 * because more of us take part than there are processors, the peer may be one of those who wait for
 * one, and only so does it get to answer: then the processor is offered to others between looks.
 * (Otherwise it is not: who computes beside us would take it for long.) The time that others took
 * is not ours: what is bounded is how long we keep the processor busy ourselves. But who does not
 * come back for a scheduler's slice has given way to somebody who computes, not to a peer; then it
 * is better to sleep, and be woken.
 */
#pragma once

#include "base/clock.h"
#include "base/relax.h"

#include <sched.h>
#include <stdbool.h>

#define PATIENCE_LOOKS       16 /* between two offers: enough for a peer that is about to answer */
#define PATIENCE_OTHERS_USEC 5  /* who takes longer to return from an offer has let others run */
#define PATIENCE_SLICE_USEC  1000

struct patience {
    bool crowded;
    uint64_t limit_usec; /* for so long we look */
    uint64_t spent_usec;
    uint64_t since_usec;
};

/*
 * How long to look the next time, at most `limit_usec`, after the news has taken so long to come,
 * in looking and asleep. Who sleeps is woken about as late as it pays to look, so what came within
 * twice the limit might have been found awake. Otherwise looking has cost a processor for nothing.
 */
static inline uint64_t patience_learn(uint64_t learnt_usec, uint64_t limit_usec,
                                      uint64_t waited_usec)
{
    return waited_usec <= 2 * limit_usec ? limit_usec : learnt_usec / 2;
}

static inline struct patience patience_begin(uint64_t limit_usec, bool crowded, uint64_t now)
{
    return (struct patience){.crowded = crowded, .limit_usec = limit_usec, .since_usec = now};
}

/* After PATIENCE_LOOKS looks in vain: false if it is used up. *now is what the clock says. */
static inline bool patience_lasts(struct patience *patience, uint64_t *now)
{
    uint64_t offered = clock_usec();

    *now = offered;
    patience->spent_usec += offered - patience->since_usec;
    patience->since_usec = offered;
    if (patience->spent_usec >= patience->limit_usec) {
        return false;
    }
    if (!patience->crowded) {
        return true;
    }
    (void)sched_yield();
    *now = patience->since_usec = clock_usec();
    if (*now - offered < PATIENCE_OTHERS_USEC) {
        patience->spent_usec += *now - offered;
    }
    return *now - offered < PATIENCE_SLICE_USEC;
}
