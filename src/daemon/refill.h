/* SPDX-License-Identifier: MIT
 *
 * When to ask the source: pure policy, without clock, loop or source.
 *
 *      idle ──wanted──▶ asked ──delivered──▶ idle
 *                         │
 *                       failed: asked again after a pause
 *
 * Demand drives it: nobody is asked before a record is wanted, and never twice at a time. After one
 * failure it asks again at once; if failures go on, the pauses double up to REFILL_PAUSE_MAX, so
 * that a source which yields nothing usable costs nothing much. A delivery forgets the failures.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define REFILL_PAUSE_MIN UINT64_C(10000)    /* microseconds */
#define REFILL_PAUSE_MAX UINT64_C(10000000) /* microseconds */

struct refill {
    bool asked;
    unsigned failures; /* in a row */
};

/* A record is wanted: true if the source is to be asked now. */
static inline bool refill_wanted(struct refill *refill)
{
    bool ask = !refill->asked;

    refill->asked = true;
    return ask;
}

static inline void refill_delivered(struct refill *refill)
{
    *refill = (struct refill){0};
}

/* How long to wait after so many failures in a row before that: microseconds. */
static inline uint64_t refill_pause(unsigned failures)
{
    unsigned doublings = failures > 1 ? failures - 1 : 0;
    uint64_t pause = failures == 0    ? 0
                     : doublings < 10 ? REFILL_PAUSE_MIN << doublings
                                      : REFILL_PAUSE_MAX;

    return pause < REFILL_PAUSE_MAX ? pause : REFILL_PAUSE_MAX;
}

/* Nothing usable came. Returns after how many microseconds the source is to be asked again. */
static inline uint64_t refill_failed(struct refill *refill)
{
    uint64_t pause = refill_pause(refill->failures);

    refill->failures += refill->failures < 64;
    return pause;
}
