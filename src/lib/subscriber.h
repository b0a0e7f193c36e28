/* SPDX-License-Identifier: MIT
 *
 * A subscriber, inside the library: subscriber.c makes it and keeps it connected, records.c takes
 * and acknowledges records, waiting.c waits for them.
 */
#pragma once

#include "lib/link.h"

struct shmd_subscriber {
    struct shmd_options options;
    char *instance, *socket;
    char name[MESSAGE_NAME_SIZE];
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
    uint64_t lost;         /* in this epoch */
    uint64_t lost_new;     /* of these, not told to the caller yet */
    char *buffer;
    size_t buffer_size;
};

/* The session is over: there will be another one. */
void subscriber_disconnect(struct shmd_subscriber *subscriber);

/* Connects again, if it is time for that. -EAGAIN: not yet. */
int subscriber_reconnect(struct shmd_subscriber *subscriber);
