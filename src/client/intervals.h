/* SPDX-License-Identifier: MIT
 *
 * A set of numbers, kept as the intervals that they fill: as long as numbers come without a gap it
 * is one interval, however many there are and in whatever order they come.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
    uint64_t first, last;
};

struct intervals {
    struct interval *items; /* in order; between two of them there is a gap */
    size_t count;
    size_t capacity;
};

/* Adds first…last. Returns 0, 1 if some of these numbers were there already, or -ENOMEM. */
int intervals_add(struct intervals *set, uint64_t first, uint64_t last);

/* The first gap within first…last: numbers that are not there. False: there is none. */
bool intervals_gap(const struct intervals *set, uint64_t first, uint64_t last,
                   struct interval *ret);

/* How many numbers an interval has, UINT64_MAX for all 2^64 of them. */
static inline uint64_t interval_size(struct interval interval)
{
    uint64_t behind_first = interval.last - interval.first;

    return behind_first < UINT64_MAX ? behind_first + 1 : UINT64_MAX;
}

void intervals_free(struct intervals *set);
