/* SPDX-License-Identifier: MIT */
#include "daemon/untold.h"

/* Release: the version is whole before the word that makes it count. It pairs with our death only.
 */
static void change(struct untold *untold, const struct untold_version *to)
{
    uint64_t other = !(untold->current & 1);

    untold->versions[other] = *to;
    __atomic_store_n(&untold->current, other, __ATOMIC_RELEASE);
}

void untold_add(struct untold *untold, uint64_t first, uint64_t last, enum unread_why why)
{
    struct untold_version to = *untold_now(untold);

    to.last = last;
    to.waiting.first = to.waiting.records > 0 ? to.waiting.first : first;
    to.waiting.last = last;
    to.waiting.records += last - first + 1;
    to.waiting.why = (uint64_t)why;
    change(untold, &to);
}

bool untold_go(struct untold *untold, struct untold_records *ret)
{
    struct untold_version to = *untold_now(untold);

    if (to.going.records == 0 && to.waiting.records > 0) {
        to.going = to.waiting;
        to.waiting = (struct untold_records){0};
        change(untold, &to);
    }
    *ret = to.going;
    return to.going.records > 0;
}

void untold_arrived(struct untold *untold)
{
    struct untold_version to = *untold_now(untold);

    to.going = (struct untold_records){0};
    change(untold, &to);
}
