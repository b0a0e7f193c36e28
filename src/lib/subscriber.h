/* SPDX-License-Identifier: MIT
 *
 * A subscriber, inside the library: subscriber.c makes it and keeps it connected, records.c takes
 * and acknowledges records, waiting.c waits for them.
 */
#pragma once

#include "lib/gaps.h"
#include "lib/link.h"

struct shmd_subscriber {
    struct shmd_options options;
    char *instance, *socket;
    char name[MESSAGE_NAME_SIZE];
    uint32_t id; /* among those of this process */
    int epoll, timer;

    struct link link;
    void *retired; /* the segment of the session before: the caller may still read in it */
    bool connected;
    uint64_t retry_usec; /* the pause before the next attempt */
    uint64_t retry_at;
    uint64_t spin_usec; /* how long it pays to look before sleeping; learnt */

    uint8_t epoch[16];
    uint64_t returned;     /* the last record that was handed out */
    uint64_t acknowledged; /* the last one that was acknowledged */
    uint64_t uncertain;    /* up to this one, what was handed out may have been written over */
    struct gaps gaps;      /* what was lost in this session */
    uint64_t lost_new;     /* not told to the caller yet */
    unsigned idle;         /* looks at a plain segment without news */
    char *buffer;
    size_t buffer_size;
};

/* A ring: goes past what was handed out already, in a session before this one. */
void subscriber_skip_returned(struct shmd_subscriber *subscriber);

/* The session is over: there will be another one. */
void subscriber_disconnect(struct shmd_subscriber *subscriber);

/* Connects again, if it is time for that. -EAGAIN: not yet. */
int subscriber_reconnect(struct shmd_subscriber *subscriber);
