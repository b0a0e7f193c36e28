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
 * which stands at position 0. The publisher writes over nothing that is not confirmed: its page
 * says up to which number, and which position, all is. The daemon believes nothing that it finds
 * there: what it copies is bounded first, and a record that cannot be ends the session.
 *
 * A record that was handed in before and does not fit any more, because another segment has come,
 * keeps its number: it stands there empty, with its length in `left_out`, and is rejected.
 *
 * Both sides wake each other as in page.h: a record that was handed in is news for the daemon, a
 * confirmation for the publisher.
 */
#pragma once

#include "proto/reader.h"
#include "proto/writer.h"

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

/* The daemon: makes an empty one, whose first record will have this number. */
static inline void queue_format(void *map, size_t size, const uint8_t epoch[16], uint64_t first)
{
    struct ring_writer writer;

    ring_format(&writer, map, size, epoch, RING_WAIT, first);
}

/* The daemon: reads on at the record with this number, which stands, or will stand, there. */
static inline struct ring_reader queue_reader(const void *map, size_t size, uint64_t position,
                                              uint64_t number)
{
    struct ring_reader reader = ring_reader_new(map, ring_capacity(size));

    ring_reader_go(&reader, position);
    reader.number = number;
    return reader;
}

enum queue_look {
    QUEUE_EMPTY,
    QUEUE_RECORD, /* the next record is there */
    QUEUE_BROKEN, /* what stands there is none: whoever writes this is no publisher */
};

/*
 * Looks for the next record. Its length is read once and bounded; its bytes may change while they
 * are copied, at the expense of whoever changes them.
 */
static inline enum queue_look queue_look(struct ring_reader *reader, const char **ret,
                                         size_t *ret_length, size_t *ret_left_out)
{
    const struct ring_record *record = ring_peek(reader);
    uint64_t number = atomic_load_explicit(&record->number, memory_order_acquire); /* with W4 */
    size_t length;

    if (number == RING_WRAP) {
        ring_reader_wrap(reader);
        record = ring_peek(reader);
        number = atomic_load_explicit(&record->number, memory_order_acquire);
    }
    if (number == 0) {
        return QUEUE_EMPTY;
    }
    length = ring_length(record);
    if (number != reader->number || !ring_fits(reader, length)) {
        return QUEUE_BROKEN;
    }
    *ret = record->bytes;
    *ret_length = length;
    *ret_left_out = __atomic_load_n(&record->left_out, __ATOMIC_RELAXED);
    return QUEUE_RECORD;
}

/* The publisher: writes an empty one, from the record with this number on. */
static inline struct ring_writer queue_writer(void *map, size_t size, uint64_t first)
{
    return ring_writer_new(map, ring_capacity(size), first);
}

/* The publisher: hands in a record; false: there is no room for it now. */
static inline bool queue_put(struct ring_writer *writer, const char *bytes, size_t length)
{
    uint64_t start;

    if (!ring_find_room(writer, length, &start)) {
        return false;
    }
    ring_move(ring_reserve_at(writer, start), bytes, length);
    (void)ring_commit(writer, length);
    return true;
}

/* The publisher: in the place of a record that does not fit any more. There is room for it. */
static inline void queue_leave_out(struct ring_writer *writer, size_t length)
{
    (void)ring_reserve(writer, 0);
    (void)ring_add_leaving_out(writer, 0, length < UINT32_MAX ? (uint32_t)length : UINT32_MAX);
    ring_show(writer);
}

/* The publisher: what stands before this position is confirmed, and may be written over. */
static inline void queue_release(struct ring_writer *writer, uint64_t position)
{
    writer->tail = position > writer->tail ? position : writer->tail;
}
