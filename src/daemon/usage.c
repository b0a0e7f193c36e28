/* SPDX-License-Identifier: MIT */
#include "daemon/usage.h"

struct usage *usage_hold(struct usages *usages, uid_t uid)
{
    struct usage **at = &usages->first;
    struct usage *usage;

    while (*at && (*at)->uid != uid) {
        at = &(*at)->next;
    }
    usage = *at;
    if (usage) {
        *at = usage->next;
        usages->idle -= usage->holders == 0;
    } else {
        usage = calloc(1, sizeof(*usage));
        if (!usage) {
            return NULL;
        }
        usage->usages = usages;
        usage->uid = uid;
    }
    usage->next = usages->first;
    usages->first = usage;
    usage->holders++;
    return usage;
}

/* Forgets who came longest ago, and has nothing any more. */
static void forget_oldest(struct usages *usages)
{
    struct usage **oldest = NULL;
    struct usage *usage;

    for (struct usage **at = &usages->first; *at; at = &(*at)->next) {
        oldest = (*at)->holders == 0 ? at : oldest;
    }
    if (oldest) {
        usage = *oldest;
        *oldest = usage->next;
        free(usage);
        usages->idle--;
    }
}

void usage_drop(struct usage *usage)
{
    if (usage && --usage->holders == 0) {
        usage->usages->idle++;
        if (usage->usages->idle > USAGE_KEPT) {
            forget_oldest(usage->usages);
        }
    }
}

void usages_clear(struct usages *usages)
{
    while (usages->first) {
        struct usage *usage = usages->first;

        usages->first = usage->next;
        free(usage);
    }
    usages->idle = 0;
}
