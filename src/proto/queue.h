/* SPDX-License-Identifier: MIT
 *
 * A publisher's queue: a ring of its own (ring.h), in a sealed memfd that the daemon makes, written
 * by the publisher and read by the daemon.
 *
 *      publisher ──hands in n──▶ queue ──▶ daemon ──publishes──▶ segment
 *          ▲                                  │
 *          └────────── page: confirmed n ─────┘
 *
 * It is formatted by the daemon, empty, for WELCOME's `first` as the number of its first record,
 * which stands at position 0. The publisher writes over nothing that is not confirmed: the
 * confirmed number in its page is what an acknowledgement is in a segment. The daemon believes
 * nothing that it finds there: what it copies is bounded first, and a record that cannot be ends
 * the session.
 *
 * Both sides wake each other as in page.h: a record that was handed in is news for the daemon, a
 * confirmation for the publisher.
 */
#pragma once

#include "proto/ring.h"

#define QUEUE_SIZE_MIN ((size_t)64 * 1024) /* bytes */

/*
 * How large a queue is whose longest record has `longest` bytes: as many of these fit as into a
 * ring that is made for them.
 */
static inline size_t queue_size(size_t longest)
{
    size_t size = sizeof(struct ring_header) + 4 * (size_t)ring_footprint(longest) + 4 * RING_LINE;

    return size < QUEUE_SIZE_MIN ? QUEUE_SIZE_MIN : size;
}

/* The publisher: what was confirmed may be written over. */
static inline void queue_release(struct ring_writer *writer, uint64_t confirmed)
{
    const struct ring_record *record;

    while ((record = ring_oldest(writer)) &&
           atomic_load_explicit(&record->number, memory_order_relaxed) <= confirmed) {
        ring_drop_oldest(writer);
    }
}
