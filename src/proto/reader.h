/* SPDX-License-Identifier: MIT
 *
 * Reading a ring (ring.h): any number of readers, none of which writes anything.
 *
 *      ring_attach() ──▶ ring_seek_oldest(), or go to where a record is known to be
 *                    ──▶ ring_look() … ring_copy() ──▶ ring_advance() …
 *
 * A reader whom the writer waits for uses records where they stand (ring_look_kept()).
 */
#pragma once

#include "proto/ring.h"

#include <errno.h>

struct ring_reader {
    const struct ring_header *header;
    const char *data;
    uint64_t capacity, longest;
    uint64_t lap;    /* the position where the data began */
    uint64_t offset; /* from there on: of the record that comes next */
    uint64_t number; /* its number; 0: not known */
};

/* A reader of what stands behind this header, from its begin on. */
static inline struct ring_reader ring_reader_new(const void *segment, uint64_t capacity)
{
    return (struct ring_reader){
        .header = segment,
        .data = (const char *)segment + sizeof(struct ring_header),
        .capacity = capacity,
        .longest = ring_length_max(capacity),
    };
}

/* Goes to a position, whatever is claimed of it. */
static inline void ring_reader_go(struct ring_reader *reader, uint64_t position)
{
    reader->offset = position % reader->capacity / RING_LINE * RING_LINE;
    reader->lap = position - reader->offset;
}

static inline uint64_t ring_position(const struct ring_reader *reader)
{
    return reader->lap + reader->offset;
}

/* Goes to where a wrap marker leads. */
static inline void ring_reader_wrap(struct ring_reader *reader)
{
    reader->lap += reader->capacity;
    reader->offset = 0;
}

/* What stands, or will stand, where the next record is expected. */
static inline const struct ring_record *ring_peek(const struct ring_reader *reader)
{
    return (const struct ring_record *)(const void *)(reader->data + reader->offset);
}

/* Has the writer passed this position? Acquire fence: later than all that was copied (R3). */
static inline bool ring_has_passed(const struct ring_reader *reader, uint64_t position)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&reader->header->tail, memory_order_relaxed) > position;
}

/* … that of the record that is expected? */
static inline bool ring_overtaken(const struct ring_reader *reader)
{
    return ring_has_passed(reader, ring_position(reader));
}

/* Checks the header of a segment of `size` bytes. -EPROTO: not a ring of ours; -EAGAIN: not yet. */
static inline int ring_attach(struct ring_reader *reader, const void *segment, size_t size)
{
    const struct ring_header *header = segment;

    if (size < RING_SIZE_MIN) {
        return -EPROTO;
    }
    if (atomic_load_explicit(&header->magic, memory_order_acquire) != RING_MAGIC) {
        return -EAGAIN; /* pairs with the last store of ring_format() */
    }
    if (header->version != RING_VERSION || header->capacity != ring_capacity(size)) {
        return -EPROTO;
    }
    *reader = ring_reader_new(segment, ring_capacity(size)); /* not what it may say by now */
    return 0;
}

/* Could a writer have stored that tail and that head? To be asked before a walk begins there. */
static inline bool ring_is_walkable(const struct ring_reader *reader)
{
    uint64_t tail = atomic_load_explicit(&reader->header->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&reader->header->head, memory_order_relaxed);

    return tail % RING_LINE == 0 && head % RING_LINE == 0 && tail <= head &&
           head - tail <= reader->capacity && head <= INT64_MAX;
}

/*
 * Goes to the oldest record that is whole (or, at the end, to where the next will be), and says its
 * number, 0 if nothing stands there yet.
 */
static inline uint64_t ring_seek_oldest(struct ring_reader *reader)
{
    for (;;) {
        uint64_t tail = atomic_load_explicit(&reader->header->tail, memory_order_acquire);

        ring_reader_go(reader, tail);
        reader->number = atomic_load_explicit(&ring_peek(reader)->number, memory_order_acquire);
        if (reader->number == RING_WRAP) {
            ring_reader_wrap(reader);
            reader->number = atomic_load_explicit(&ring_peek(reader)->number, memory_order_acquire);
        }
        /*
         * Only at the tail is it a marker, and the oldest record; behind the tail, these may be a
         * record's bytes. And a tail that stands ends this, however far it claims to be.
         */
        if (!ring_has_passed(reader, tail)) {
            return reader->number;
        }
    }
}

/* Can a record of this length stand where it is expected? What says so may be written over. */
static inline bool ring_fits(const struct ring_reader *reader, uint64_t length)
{
    return length <= reader->longest &&
           sizeof(struct ring_record) + length <= reader->capacity - reader->offset;
}

enum ring_look {
    RING_NOTHING,   /* the expected record is not there yet */
    RING_RECORD,    /* it is */
    RING_OVERTAKEN, /* it was, and has been written over */
};

/*
 * Has nothing been written yet in the place of the expected record? For a reader whom the writer
 * waits for that is all there is to ask; it costs one line, which nothing but that record changes.
 * For others, the writer may have been there and passed: ring_look() tells.
 */
static inline bool ring_is_blank(const struct ring_reader *reader)
{
    return atomic_load_explicit(&ring_peek(reader)->number, memory_order_relaxed) == 0;
}

/*
 * R1: looks for the expected record. Where the writer does not wait for this reader, what is used
 * of the record must be copied, and then ring_overtaken() asked (ring_copy() does both).
 */
static inline enum ring_look ring_look(struct ring_reader *reader, const struct ring_record **ret)
{
    const struct ring_record *record = ring_peek(reader);
    uint64_t number = atomic_load_explicit(&record->number, memory_order_acquire); /* with W4 */

    if (number == RING_WRAP && !ring_overtaken(reader)) {
        ring_reader_wrap(reader);
        record = ring_peek(reader);
        number = atomic_load_explicit(&record->number, memory_order_acquire);
    }
    if (number == reader->number && ring_fits(reader, ring_length(record))) {
        *ret = record;
        return RING_RECORD;
    }
    return ring_overtaken(reader) ? RING_OVERTAKEN : RING_NOTHING;
}

/*
 * The same for a reader whom the writer waits for, and as little as that takes: the expected record
 * and its length; NULL if it is not there, or not where it was to be expected (ring_look() tells).
 * Whether the writer still waits is to be looked at afterwards (acquire fence).
 */
static inline const struct ring_record *ring_look_kept(const struct ring_reader *reader,
                                                       size_t *ret_length)
{
    const struct ring_record *record = ring_peek(reader);
    uint64_t number = atomic_load_explicit(&record->number, memory_order_acquire); /* with W4 */

    *ret_length = ring_length(record);
    atomic_thread_fence(memory_order_acquire);
    return number == reader->number && ring_fits(reader, *ret_length) ? record : NULL;
}

/* Copies a record that ring_look() found; false if it was overtaken meanwhile. */
static inline bool ring_copy(const struct ring_reader *reader, const struct ring_record *record,
                             char *buffer, size_t *ret_length)
{
    uint32_t length = ring_length(record);

    if (!ring_fits(reader, length)) {
        return false;
    }
    ring_move(buffer, record->bytes, length);
    if (ring_overtaken(reader)) {
        return false;
    }
    *ret_length = length;
    return true;
}

/* The record is taken: the next one is expected. */
static inline void ring_advance(struct ring_reader *reader, uint64_t length)
{
    reader->offset += ring_footprint(length);
    if (reader->offset >= reader->capacity) {
        ring_reader_go(reader, ring_position(reader));
    }
    reader->number++;
}
