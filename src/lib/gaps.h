/* SPDX-License-Identifier: MIT
 *
 * What a subscriber has lost, by where: an acknowledgement tells how much was lost up to it, and
 * records behind it may have been taken already, with losses of their own in between.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GAPS_MAX 64 /* not acknowledged; of more, the last ones become one */

struct gap {
    uint64_t record; /* the first one behind it */
    uint64_t lost;   /* in all, with it */
};

struct gaps {
    uint64_t settled; /* lost up to what was acknowledged */
    uint64_t lost;    /* in all */
    size_t count;
    struct gap all[GAPS_MAX];
};

/* `lost` records before this one. */
static inline void gaps_add(struct gaps *gaps, uint64_t record, uint64_t lost)
{
    gaps->lost += lost;
    gaps->count -= gaps->count == GAPS_MAX;
    gaps->all[gaps->count++] = (struct gap){.record = record, .lost = gaps->lost};
}

/* All up to `number` is acknowledged: what was lost of it. */
static inline uint64_t gaps_settle(struct gaps *gaps, uint64_t number)
{
    size_t done = 0;

    while (done < gaps->count && gaps->all[done].record <= number) {
        gaps->settled = gaps->all[done++].lost;
    }
    for (size_t i = done; done > 0 && i < gaps->count; i++) {
        gaps->all[i - done] = gaps->all[i];
    }
    gaps->count -= done;
    return gaps->settled;
}

/* A new session counts from what was acknowledged in the one before. */
static inline void gaps_rebase(struct gaps *gaps)
{
    for (size_t i = 0; i < gaps->count; i++) {
        gaps->all[i].lost -= gaps->settled;
    }
    gaps->lost -= gaps->settled;
    gaps->settled = 0;
}
