/* SPDX-License-Identifier: MIT
 *
 * Writing a ring (ring.h): one writer, the daemon in a segment, a publisher in its queue.
 *
 *      ring_reserve() ──▶ bytes ──▶ ring_add() … ──▶ ring_show()
 *
 * What is added can be seen when it is shown, all of it at once. What stands before the writer's
 * tail may be written over; who may move it, and when, is for others to say.
 */
#pragma once

#include "proto/ring.h"

struct ring_writer {
    struct ring_header *header;
    char *data;
    uint64_t capacity;
    uint64_t tail, head;    /* positions; the header's are copies */
    uint64_t number;        /* of the next record */
    uint64_t offset;        /* the place of the head in the data */
    uint64_t hidden;        /* the position of the first record that is not shown yet, … */
    uint64_t hidden_number; /* … and its number; 0: all are shown */
};

static inline struct ring_record *ring_record_at(char *data, uint64_t offset)
{
    return (struct ring_record *)(void *)(data + offset);
}

/*
 * The place of a position in the data: position % capacity, without the division, which takes as
 * long as all the rest.
 */
static inline uint64_t ring_writer_offset(const struct ring_writer *writer, uint64_t position)
{
    uint64_t capacity = writer->capacity;
    uint64_t offset = position - (writer->head - writer->offset);

    if (offset < capacity) {
        return offset;
    }
    if (offset - capacity < capacity) { /* the next lap */
        return offset - capacity;
    }
    if (offset + capacity < capacity) { /* the lap before: offset is below 0 */
        return offset + capacity;
    }
    return position % capacity;
}

static inline struct ring_record *ring_writer_at(const struct ring_writer *writer,
                                                 uint64_t position)
{
    return ring_record_at(writer->data, ring_writer_offset(writer, position));
}

/* The head goes to a position. */
static inline void ring_writer_go(struct ring_writer *writer, uint64_t position)
{
    writer->head = position;
    writer->offset = position % writer->capacity;
}

/* Where the next record will stand. */
static inline struct ring_record *ring_writer_head(const struct ring_writer *writer)
{
    return ring_record_at(writer->data, writer->offset);
}

/* A writer at the begin of a ring, whose next record will have this number. */
static inline struct ring_writer ring_writer_new(void *segment, uint64_t capacity, uint64_t number)
{
    return (struct ring_writer){
        .header = segment,
        .data = (char *)segment + sizeof(struct ring_header),
        .capacity = capacity,
        .number = number,
    };
}

/* Makes an empty ring in a segment, whose first record will have this number. */
static inline void ring_format(struct ring_writer *writer, void *segment, size_t size,
                               const uint8_t epoch[16], enum ring_when_full when_full,
                               uint64_t number)
{
    struct ring_header *header = segment;

    atomic_store_explicit(&header->magic, 0, memory_order_release); /* pairs with ring_attach() */
    *writer = ring_writer_new(segment, ring_capacity(size), number);
    header->version = RING_VERSION;
    header->when_full = when_full;
    header->capacity = writer->capacity;
    memcpy(header->epoch, epoch, sizeof(header->epoch));
    atomic_store_explicit(&header->state, RING_STARTING, memory_order_relaxed);
    atomic_store_explicit(&header->tail, 0, memory_order_relaxed);
    atomic_store_explicit(&header->head, 0, memory_order_relaxed);
    atomic_store_explicit(&ring_record_at(writer->data, 0)->number, 0, memory_order_relaxed);
    atomic_store_explicit(&header->magic, RING_MAGIC, memory_order_release);
}

/*
 * Copies a ring, to which nothing is written meanwhile, into another segment of the same size. As
 * in ring_format(), the magic comes last: whoever attaches it finds all of the ring, or none.
 */
static inline void ring_duplicate(void *segment, const void *ring, size_t size)
{
    struct ring_header *header = segment;
    size_t magic = sizeof(header->magic);

    atomic_store_explicit(&header->magic, 0, memory_order_release); /* pairs with ring_attach() */
    memcpy((char *)segment + magic, (const char *)ring + magic, size - magic);
    atomic_store_explicit(&header->magic, RING_MAGIC, memory_order_release);
}

/* Where a record of `length` would begin, and how far the ring is then written. */
static inline uint64_t ring_place(const struct ring_writer *writer, uint64_t length,
                                  uint64_t *ret_end)
{
    uint64_t left = writer->capacity - writer->offset;
    uint64_t start = ring_footprint(length) <= left ? writer->head : writer->head + left;

    *ret_end = start + ring_footprint(length) + RING_LINE; /* with the next record's number */
    return start;
}

/* Is there room for a record of `length` without writing over anything behind the tail? Where? */
static inline bool ring_find_room(const struct ring_writer *writer, uint64_t length,
                                  uint64_t *ret_start)
{
    uint64_t end;

    *ret_start = ring_place(writer, length, &end);
    return end - writer->tail <= writer->capacity;
}

static inline bool ring_has_room(const struct ring_writer *writer, uint64_t length)
{
    uint64_t start;

    return ring_find_room(writer, length, &start);
}

/* The position behind all that is published; of a marker behind that, where it leads to. */
static inline uint64_t ring_end(const struct ring_writer *writer)
{
    return writer->hidden_number > 0 ? writer->hidden : writer->head;
}

/*
 * Where the record at the tail begins, ring_end() if there is none. Before it there may be a wrap
 * marker. The tail stays in front of that as long as the record is held: a reader may have come as
 * far as the marker, and only while the tail has not passed it, it leads on.
 */
static inline uint64_t ring_oldest_position(const struct ring_writer *writer)
{
    const struct ring_record *record = ring_writer_at(writer, writer->tail);
    uint64_t left = writer->capacity - ring_writer_offset(writer, writer->tail);

    return writer->tail != ring_end(writer) &&
                   atomic_load_explicit(&record->number, memory_order_relaxed) == RING_WRAP
               ? writer->tail + left
               : writer->tail;
}

/* The record at the tail; NULL if there is none. */
static inline struct ring_record *ring_oldest(const struct ring_writer *writer)
{
    uint64_t position = ring_oldest_position(writer);

    return position == ring_end(writer) ? NULL : ring_writer_at(writer, position);
}

/* Gives up the record at the tail. Its bytes stay until ring_reserve() makes the tail known. */
static inline void ring_drop_oldest(struct ring_writer *writer)
{
    const struct ring_record *record = ring_oldest(writer);

    if (record) {
        writer->tail = ring_oldest_position(writer) + ring_footprint(record->length);
    }
}

/* Room at a place where there is some (ring_find_room()). */
static inline char *ring_reserve_at(struct ring_writer *writer, uint64_t start)
{
    /*
     * W1: the tail is known before anything behind it is written. Pairs with R3. Release: pairs
     * with ring_seek_oldest(); the record that it leads to is there, in whatever group it was. A
     * store, even of what is there already, takes the line away from those who look at it.
     */
    if (atomic_load_explicit(&writer->header->tail, memory_order_relaxed) != writer->tail) {
        atomic_store_explicit(&writer->header->tail, writer->tail, memory_order_release);
    }
    atomic_thread_fence(memory_order_release);
    if (start != writer->head) {
        /* The place that the wrap marker leads to, before the marker does. */
        atomic_store_explicit(&ring_record_at(writer->data, 0)->number, 0, memory_order_relaxed);
        atomic_store_explicit(&ring_writer_head(writer)->number, RING_WRAP,
                              memory_order_release); /* pairs with R1 */
        writer->head = start;
        writer->offset = 0;
    }
    return ring_writer_head(writer)->bytes;
}

/*
 * Room for a record of up to `length` bytes, to be filled and added. ring_has_room() must be true.
 * May be called again instead.
 */
static inline char *ring_reserve(struct ring_writer *writer, uint64_t length)
{
    uint64_t end;

    return ring_reserve_at(writer, ring_place(writer, length, &end));
}

/*
 * Adds what was filled in, `length` bytes, at most as many as were reserved, to the records that
 * ring_show() will show. Returns its number. `left_out`: of a queue only, see queue.h.
 */
static inline uint64_t ring_add_leaving_out(struct ring_writer *writer, uint64_t length,
                                            uint32_t left_out)
{
    struct ring_record *record = ring_writer_head(writer);
    uint64_t next = writer->offset + ring_footprint(length);

    next = next < writer->capacity ? next : 0;
    /* W2: nobody may take old bytes in the next place for a commit. */
    atomic_store_explicit(&ring_record_at(writer->data, next)->number, 0, memory_order_relaxed);
    __atomic_store_n(&record->length, (uint32_t)length, __ATOMIC_RELAXED); /* W3 */
    __atomic_store_n(&record->left_out, left_out, __ATOMIC_RELAXED);
    if (writer->hidden_number == 0) {
        writer->hidden = writer->head;
        writer->hidden_number = writer->number;
    } else {
        /* Nobody comes here but past the first one, whose W4 is for this one, too, or by W1. */
        atomic_store_explicit(&record->number, writer->number, memory_order_relaxed);
    }
    writer->head += ring_footprint(length);
    writer->offset = next;
    return writer->number++;
}

static inline uint64_t ring_add(struct ring_writer *writer, uint64_t length)
{
    return ring_add_leaving_out(writer, length, 0);
}

/* Publishes what was added. */
static inline void ring_show(struct ring_writer *writer)
{
    if (writer->hidden_number > 0) {
        /* W4: release; pairs with R1. */
        atomic_store_explicit(&ring_writer_at(writer, writer->hidden)->number,
                              writer->hidden_number, memory_order_release);
        writer->hidden_number = 0;
        atomic_store_explicit(&writer->header->head, writer->head, memory_order_release);
    }
}

/* The number of the newest record that is published; 0: none yet. */
static inline uint64_t ring_newest(const struct ring_writer *writer)
{
    return (writer->hidden_number > 0 ? writer->hidden_number : writer->number) - 1;
}

/* Publishes a record at once. */
static inline uint64_t ring_commit(struct ring_writer *writer, uint64_t length)
{
    uint64_t number = ring_add(writer, length);

    ring_show(writer);
    return number;
}

/*
 * The writer is dead, and a reader has come as far as its records go, to this position, where
 * `number` would be the next: goes on there. `tail`: of the oldest record that is held, or of a
 * marker before it. For the next record's number there must be room.
 */
static inline struct ring_writer ring_writer_on(void *segment, uint64_t capacity, uint64_t tail,
                                                uint64_t position, uint64_t number)
{
    struct ring_writer writer = ring_writer_new(segment, capacity, number);

    writer.tail = tail;
    ring_writer_go(&writer, position);
    /* What stands there is no commit, but may become one when a length is stored beside it. */
    atomic_store_explicit(&ring_writer_head(&writer)->number, 0, memory_order_relaxed);
    /* It may have died before it stored this, and the tail is about to move as far. */
    atomic_store_explicit(&writer.header->head, writer.head, memory_order_release);
    return writer;
}
