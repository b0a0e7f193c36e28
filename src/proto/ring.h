/* SPDX-License-Identifier: MIT
 *
 * The ring layout: a stream of records of any length, written by one, read by many.
 *
 *      ┌────────┬───────────────────────────────────────────────────────────────┐
 *      │ header │ data: `capacity` bytes, a multiple of 64                       │
 *      └────────┴───────────────────────────────────────────────────────────────┘
 *
 *                tail                                  head
 *      ───────────┬────────────┬─────────┬─────────────┬──────┬──────────────────▶ position
 *       may be    │ record 7   │ rec. 8  │ record 9    │ 0    │ to be written
 *       written   │            │         │             │      │
 *      ───────────┴────────────┴─────────┴─────────────┴──────┴──────────────────
 *
 * A position is an absolute 64-bit count of bytes; its place in the data is position % capacity.
 * Each record begins on a cache line (64 bytes) with its number and length. The number is the
 * commit word: it is stored last, with release order, and before that the place of the next
 * record's number was cleared, so that old bytes never look like a commit. A reader knows the
 * number that it expects and waits for it in place: a small record costs the transfer of one cache
 * line.
 *
 *      writer                                        reader (expects n at position p)
 *      ------                                        ------
 *      W1 tail ≥ p' + …            (release fence)
 *      W2 number at the next place = 0
 *      W3 length, bytes
 *      W4 number at p = n          (release)  ────▶  R1 number at p == n?  (acquire)
 *                                                    R2 uses or copies length and bytes
 *                                                    R3 (acquire fence) tail ≤ p? else overtaken
 *
 * Where the writer waits for its readers, several records may become visible together: all but the
 * first have their numbers already, and the first one's number is stored last (ring_add(),
 * ring_show()). So a reader does not take lines away that are about to be written, and whoever
 * finds the writer dead finds all of such a group, or nothing. Where records are written over there
 * are no groups: all that can be seen could be written over before the group is shown.
 *
 * W1/R3 is the other half: before bytes are written over, the tail is moved past them; a reader
 * that has copied looks at the tail afterwards. If the tail has not passed its position, no byte of
 * what it copied can have been written by then. A reader whom the writer waits for need not look.
 *
 * Where a record does not fit before the end of the data, a wrap marker takes the place of its
 * number, and the record begins at the start of the data. A record takes at most a quarter of the
 * ring, so that a marker never wastes more.
 *
 * No client writes a word of the segment. What a reader finds is nevertheless bounded before it is
 * used: the daemon is trusted, a file of the same shape is not.
 */
#pragma once

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RING_MAGIC   UINT64_C(0x676e6972646d6873) /* "shmdring" */
#define RING_VERSION 1
#define RING_LINE    ((uint64_t)64)
#define RING_WRAP    UINT64_MAX /* the number of a wrap marker; records count from 1 */

enum ring_state {
    RING_STARTING,   /* not to be read yet */
    RING_OPEN,       /* its daemon serves it, or is being restarted */
    RING_SUPERSEDED, /* another segment has taken its place: attach again by key */
    RING_CLOSED,     /* the daemon has stopped: no more records */
};

enum ring_when_full {
    RING_WAIT,      /* the writer waits for the slowest subscriber */
    RING_OVERWRITE, /* the newest data wins */
};

struct ring_header {
    _Alignas(64) _Atomic uint64_t magic; /* stored last */
    uint32_t version;
    uint32_t when_full;
    uint64_t capacity;
    uint8_t epoch[16];
    _Alignas(64) _Atomic uint32_t state;
    _Atomic uint32_t generation; /* how often a daemon has taken the ring over */
    _Alignas(64) _Atomic uint64_t
        tail; /* of the oldest record that is whole, or of a marker before it */
    _Alignas(64) _Atomic uint64_t head; /* where the next record will be */
};

struct ring_record {
    _Atomic uint64_t number;
    uint32_t length;
    uint32_t left_out; /* 0 in a segment */
    char bytes[];
};

_Static_assert(sizeof(struct ring_header) == 256, "part of the layout");
_Static_assert(offsetof(struct ring_header, state) == 64, "part of the layout");
_Static_assert(offsetof(struct ring_header, generation) == 68, "part of the layout");
_Static_assert(offsetof(struct ring_header, tail) == 128, "part of the layout");
_Static_assert(offsetof(struct ring_header, head) == 192, "part of the layout");
_Static_assert(offsetof(struct ring_record, bytes) == 16, "part of the layout");

#define RING_SIZE_MIN ((size_t)4096)

/* What a segment of `size` bytes holds: a multiple of four lines. */
static inline uint64_t ring_capacity(size_t size)
{
    return (size - sizeof(struct ring_header)) / (4 * RING_LINE) * (4 * RING_LINE);
}

/* The longest record: with its header, a quarter; and its length must fit into its header. */
static inline uint64_t ring_length_max(uint64_t capacity)
{
    uint64_t length = capacity / 4 - sizeof(struct ring_record);

    return length < UINT32_MAX ? length : UINT32_MAX;
}

/* What a record takes up. */
static inline uint64_t ring_footprint(uint64_t length)
{
    return (sizeof(struct ring_record) + length + RING_LINE - 1) / RING_LINE * RING_LINE;
}

/*
 * Copies a record's bytes into the ring, or out of it. Where records are written over, a reader may
 * copy what is being written at that moment; it finds out afterwards (R3), and drops the copy. For
 * ThreadSanitizer that is a race unless it is atomic: only there, each byte is.
 */
#if defined(__SANITIZE_THREAD__)
#define RING_COPIES_ATOMICALLY 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING_COPIES_ATOMICALLY 1
#endif
#endif
static inline void ring_move(char *to, const char *from, size_t length)
{
#ifdef RING_COPIES_ATOMICALLY
    for (size_t i = 0; i < length; i++) {
        __atomic_store_n(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    }
#else
    memcpy(to, from, length);
#endif
}

/* What a record says of its length: to be judged, it may be no record any more. */
static inline uint32_t ring_length(const struct ring_record *record)
{
    return __atomic_load_n(&record->length, __ATOMIC_RELAXED);
}

/* --- writing --- */

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

/* Where a record of `length` would begin, and how far the ring is then written. */
static inline uint64_t ring_place(const struct ring_writer *writer, uint64_t length,
                                  uint64_t *ret_end)
{
    uint64_t left = writer->capacity - writer->offset;
    uint64_t start = ring_footprint(length) <= left ? writer->head : writer->head + left;

    *ret_end = start + ring_footprint(length) + RING_LINE; /* with the next record's number */
    return start;
}

/* Is there room for a record of `length` without writing over anything behind the tail? */
static inline bool ring_has_room(const struct ring_writer *writer, uint64_t length)
{
    uint64_t end;

    (void)ring_place(writer, length, &end);
    return end - writer->tail <= writer->capacity;
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

/* Room at a place where there is some (ring_place()). */
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

/* --- reading --- */

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

/*
 * The writer is dead, and this reader has come as far as its records go: goes on there. `tail`: of
 * the oldest record that is held, or of a marker before it. For the next record's number there must
 * be room.
 */
static inline struct ring_writer ring_writer_on(const struct ring_reader *reader, void *segment,
                                                uint64_t tail)
{
    struct ring_writer writer = ring_writer_new(segment, reader->capacity, reader->number);

    writer.tail = tail;
    ring_writer_go(&writer, ring_position(reader));
    /* What stands there is no commit, but may become one when a length is stored beside it. */
    atomic_store_explicit(&ring_writer_head(&writer)->number, 0, memory_order_relaxed);
    /* It may have died before it stored this, and the tail is about to move as far. */
    atomic_store_explicit(&writer.header->head, writer.head, memory_order_release);
    return writer;
}
