/* SPDX-License-Identifier: MIT
 *
 * A subscriber, inside the library: subscriber.c makes it and keeps it connected, records.c takes
 * and acknowledges records.
 */
#pragma once

#include "lib/gaps.h"
#include "lib/member.h"

struct shmd_subscriber {
    struct member member;
    void *retired; /* the segment of the session before: the caller may still read in it */

    uint8_t epoch[16];
    uint64_t before;       /* all up to this one came before our first session of the epoch */
    uint64_t returned;     /* the last record that was handed out */
    uint64_t acknowledged; /* the last one that was acknowledged */
    uint64_t uncertain;    /* up to this one, what was handed out may have been written over */
    struct gaps gaps;      /* what was lost in this session */
    uint64_t lost_new;     /* not told to the caller yet */
    bool late;             /* it has acknowledged something that the daemon may not have seen */
    bool owes;             /* it has to acknowledge before it connects again, … */
    uint64_t part_by; /* … by then, and to have taken what stands there; 0: it parts from none */
    bool settled;     /* records were taken in this session, in a ring that is kept for us */
    unsigned idle;    /* looks at a plain segment without news */
    char *buffer;
    size_t buffer_size;
};

/* A ring: goes past what was handed out already, in a session before this one. */
void subscriber_skip_returned(struct shmd_subscriber *subscriber);

/*
 * Does all still stand that was handed out, and is not acknowledged? Where it is used in place, it
 * may have been written over if the daemon was killed, and the next one has not waited for us.
 */
bool subscriber_is_certain(const struct shmd_subscriber *subscriber);

/* The session is over: there will be another one, … */
void subscriber_disconnect(struct shmd_subscriber *subscriber);

/* … but may what stands there be taken first? Then that begins; false: it has lasted long enough.
 */
bool subscriber_may_stay(struct shmd_subscriber *subscriber);

/* … which waits for the acknowledgement of what was handed out in this one. */
void subscriber_part(struct shmd_subscriber *subscriber);

/* Connects again, if it is time for that. -EAGAIN: not yet. */
int subscriber_reconnect(struct shmd_subscriber *subscriber);
