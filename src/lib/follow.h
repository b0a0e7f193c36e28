/* SPDX-License-Identifier: MIT
 *
 * Following a ring by itself, without a session.
 *
 * Nobody waits for this reader, whatever the ring does for its subscribers: each record is copied,
 * and counts only if the tail has not passed it meanwhile. A follower that was overtaken goes to
 * the oldest record; the numbers of the two tell what it lost.
 *
 * The segment may be a stranger's that has only the shape of a ring, so what it says is bounded
 * before it is followed. And a daemon that has lost its state makes a new ring in the same place,
 * whose records are counted anew: then the epoch in the header is another one.
 */
#pragma once

#include "proto/reader.h"

#include <sys/types.h>

struct follower {
    struct ring_reader reader; /* its number is 0 until it has found a record */
    uint8_t epoch[16];
    uint64_t expected; /* the record at which it was overtaken, until it has found the oldest */
    uint64_t skipped;  /* lost since the record that it took last */
    uint64_t number;   /* of the record that it took last, 0: none; … */
    uint64_t lost;     /* … and how many were lost before that one */
};

/* -EAGAIN: this is no ring, or not yet; -EPROTO: a ring of another version. */
int follower_start(struct follower *follower, const void *segment, size_t size);

/*
 * Copies the next record into `buffer`, which has room for the longest one. -EAGAIN: there is none
 * yet; -ENOLINK: another ring has taken its place; -EPROTO: what stands there is no record.
 */
int follower_take(struct follower *follower, char *buffer, size_t *ret_length);

/* Leaves out what is there now. -ENOLINK, -EPROTO. */
int follower_skip(struct follower *follower);

/* The length of the oldest record; -EAGAIN if there is none. */
ssize_t follower_oldest_length(const struct follower *follower);

static inline size_t follower_record_max(const struct follower *follower)
{
    return ring_length_max(follower->reader.capacity);
}

static inline bool follower_overwrites(const struct follower *follower)
{
    return follower->reader.header->when_full == RING_OVERWRITE;
}
