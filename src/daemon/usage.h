/* SPDX-License-Identifier: MIT
 *
 * What each user takes of what all share, counted by uid, and exactly: nobody answers for another
 * one. A uid is all that can be known of a user: who has subordinate ones is several (shmd(8)).
 *
 * There is a record for everybody who has a session, and for the last USAGE_KEPT who had one: so
 * what counts against a user is not forgotten when he comes anew.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/budget.h"
#include "daemon/lease.h"

#include <stddef.h>
#include <sys/types.h>

#define USAGE_KEPT 256

struct usage {
    struct usage *next;
    struct usages *usages; /* whose it is */
    uid_t uid;
    size_t holders;
    struct hold hold;   /* what others wait for, see lease.h */
    size_t places;      /* of all sessions that there may be, when they were counted last */
    unsigned evictions; /* lately, see leases.h */
    uint64_t evicted_usec;
    struct spending spending;
    uint64_t said_until; /* until when its messages so far have used time up, … */
    uint64_t kept_until; /* … and its sessions that were kept, see handshake.c */
};

/* The one that was asked for last comes first. */
struct usages {
    struct usage *first;
    size_t idle; /* have no holder */
};

/* Of this user, and one holder more; NULL without memory. */
struct usage *usage_hold(struct usages *usages, uid_t uid);

/* One holder less. NULL is no holder. */
void usage_drop(struct usage *usage);

/* There are no holders. */
void usages_clear(struct usages *usages);
