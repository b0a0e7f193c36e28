/* SPDX-License-Identifier: MIT */
#include "client/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 4

/* The first item that ends at `number` or behind it; `count` if there is none. */
static size_t find(const struct intervals *set, uint64_t number)
{
    size_t low = 0;
    size_t high = set->count;

    /* Numbers mostly come in order. */
    if (high > 0 && set->items[high - 1].last < number) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->items[middle].last < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int make_room(struct intervals *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : CAPACITY_FIRST;
    struct interval *items;

    if (set->count < set->capacity) {
        return 0;
    }
    items = reallocarray(set->items, capacity, sizeof(*items));
    if (!items) {
        return -ENOMEM;
    }
    set->items = items;
    set->capacity = capacity;
    return 0;
}

int intervals_add(struct intervals *set, uint64_t first, uint64_t last)
{
    /* Neighbours become one. */
    size_t begin = find(set, first > 0 ? first - 1 : 0);
    size_t end = begin;
    struct interval whole = {first, last};
    int known = 0;

    for (; end < set->count && set->items[end].first <= (last < UINT64_MAX ? last + 1 : last);
         end++) {
        const struct interval *item = &set->items[end];

        known |= item->first <= last && item->last >= first;
        whole.first = item->first < whole.first ? item->first : whole.first;
        whole.last = item->last > whole.last ? item->last : whole.last;
    }
    if (end == begin) {
        if (make_room(set) < 0) {
            return -ENOMEM;
        }
        memmove(set->items + begin + 1, set->items + begin,
                (set->count - begin) * sizeof(*set->items));
        set->count++;
    } else {
        memmove(set->items + begin + 1, set->items + end, (set->count - end) * sizeof(*set->items));
        set->count -= end - begin - 1;
    }
    set->items[begin] = whole;
    return known;
}

bool intervals_gap(const struct intervals *set, uint64_t first, uint64_t last, struct interval *ret)
{
    size_t next = find(set, first);

    if (next < set->count && set->items[next].first <= first) {
        if (set->items[next].last >= last) {
            return false;
        }
        first = set->items[next].last + 1;
        next++;
    }
    if (next < set->count && set->items[next].first <= last) {
        last = set->items[next].first - 1;
    }
    if (first > last) {
        return false;
    }
    *ret = (struct interval){first, last};
    return true;
}

void intervals_free(struct intervals *set)
{
    free(set->items);
    *set = (struct intervals){0};
}
