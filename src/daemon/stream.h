/* SPDX-License-Identifier: MIT
 *
 * The daemon's side of a ring: what to write over and when, and what it remembers of each record.
 *
 * With `wait`, a record stays until every subscriber has acknowledged it; with no subscriber at
 * all, the ring fills up once, and waits. With `overwrite`, nothing waits for a subscriber: a
 * record stays until its place is needed, whoever has acknowledged it, and who has not read it by
 * then has lost it. A source that makes records on demand has the fastest subscriber for a pace,
 * and with none fills half the ring.
 *
 * The memory of a record, its end, size and time, is kept beside the ring: the log wants them when
 * the record is acknowledged.
 */
#pragma once

#include "base/step.h"
#include "daemon/state.h"
#include "proto/writer.h"
#include "segment/segment.h"

#define STREAM_GROUP_MAX   32                 /* records that are published together */
#define STREAM_GROUP_BYTES ((size_t)16 << 10) /* … of which so many take microseconds to copy */

struct trace {
    uint64_t end;   /* the position behind it */
    uint64_t bytes; /* of all records up to this one */
    uint64_t usec;  /* when it was published; 0: before we took the ring over */
};

struct stream {
    struct ring_writer writer;
    enum ring_when_full when_full;
    struct state *state;
    struct trace *traces; /* by number, as many as there may be records in the ring; only what was
                             published of late takes up memory */
    uint64_t mask;
    uint64_t resumed_usec;               /* when we took the ring over */
    uint64_t bytes;                      /* of all records so far */
    uint64_t group_records, group_bytes; /* become visible together, at most (see ring.h) */
    bool has_room; /* for a record of any size, without writing over anything */
    bool batch;    /* records follow each other at once */
    uint64_t moment_usec, moment_bytes;

    /*
     * Whoever waits for a record looks at its line all the time, and takes it away from who has
     * begun to write there. Where that may be so, a record that has a line to itself is made here,
     * and goes there whole.
     */
    char line[RING_LINE - sizeof(struct ring_record)];
    bool in_line; /* that is where stream_place() was */
};

/* The memory for a ring in a segment of that size: all that may fail (-ENOMEM), before anything is
 * changed. */
int stream_new(struct stream *ret, size_t size, enum ring_when_full when_full);

/* Takes a ring over as it is. False: it is not what the state knows; nothing has changed there. */
bool stream_resume(struct stream *stream, const struct segment *segment, struct state *state);

/*
 * Takes a ring over as it is, or makes an empty one, whose first record follows the last one that
 * the state knows.
 */
void stream_open(struct stream *stream, const struct segment *segment, struct state *state);

/* See board_begin(). */
static inline void stream_begin(struct stream *stream, uint64_t usec)
{
    stream->batch = true;
    stream->moment_usec = usec;
    stream->moment_bytes = 0;
}

static inline uint64_t stream_end(struct stream *stream)
{
    stream->batch = false;
    return stream->moment_usec;
}

/* Publishes what was added, if there is any. */
void stream_show_added(struct stream *stream);

static inline void stream_show(struct stream *stream)
{
    if (stream->writer.hidden_number > 0) {
        stream_show_added(stream);
    }
}

/*
 * All records up to this one have been acknowledged by all who must (`wait`). True: that is more
 * than before.
 */
bool stream_release(struct stream *stream, uint64_t number);

/* Of the newest record that is shown, and that was added; 0: none yet. */
static inline uint64_t stream_newest(const struct stream *stream)
{
    return ring_newest(&stream->writer);
}

static inline uint64_t stream_added(const struct stream *stream)
{
    return stream->writer.number - 1;
}

/* What is remembered of a record. */
static inline struct trace *stream_trace(const struct stream *stream, uint64_t number)
{
    return &stream->traces[number & stream->mask];
}

/* The records before this one: nothing is known of them any more. */
static inline uint64_t stream_forgotten(const struct stream *stream)
{
    uint64_t newest = stream_added(stream);

    return newest > stream->mask ? newest - stream->mask : 0;
}

/*
 * Bytes of the records first…last. Where records are written over, so much later that they are
 * forgotten, they count as nothing.
 */
static inline uint64_t stream_bytes(const struct stream *stream, uint64_t first, uint64_t last)
{
    uint64_t known = stream_forgotten(stream);

    if (last <= known) {
        return 0;
    }
    return stream_trace(stream, last)->bytes -
           stream_trace(stream, first - 1 > known ? first - 1 : known)->bytes;
}

/* When it was published; if that is forgotten: not after the oldest of those that are not. */
static inline uint64_t stream_usec(const struct stream *stream, uint64_t number)
{
    uint64_t known = stream_forgotten(stream);
    uint64_t usec = stream_trace(stream, number > known ? number : known)->usec;

    return usec > 0 ? usec : stream->resumed_usec;
}

/* Room for one more record of any size? `fastest`: what the fastest subscriber has acknowledged. */
static inline bool stream_wants(const struct stream *stream, uint64_t fastest)
{
    const struct ring_writer *writer = &stream->writer;

    return stream->when_full == RING_WAIT
               ? stream->has_room
               : writer->head - stream_trace(stream, fastest)->end < writer->capacity / 2;
}

/* --- adding; inline, because a record takes so little that calls would be a tenth of it --- */

/* After each change of head or tail. */
static inline void stream_find_room(struct stream *stream)
{
    const struct ring_writer *writer = &stream->writer;

    /* Enough to know, mostly: the longest takes a quarter, and the data's end may waste another. */
    stream->has_room = writer->head - writer->tail + RING_LINE <= writer->capacity / 2 ||
                       ring_has_room(writer, ring_length_max(writer->capacity));
}

/* When it is published, is not known yet. */
static inline void stream_remember(struct stream *stream, uint64_t number, uint64_t end,
                                   uint64_t length)
{
    struct trace *trace = stream_trace(stream, number);

    stream->bytes += length;
    trace->end = end;
    trace->bytes = stream->bytes;
}

/* Gives up what is in the way of a record of `length` bytes. */
void stream_make_room(struct ring_writer *writer, size_t length);

/* Where the next record of up to `length` bytes is to be written; stream_wants() was true. */
static inline char *stream_place(struct stream *stream, size_t length)
{
    struct ring_writer *writer = &stream->writer;
    char *place;

    if (!stream->has_room) {
        stream_make_room(writer, length);
    }
    place = ring_reserve(writer, length);
    stream->in_line = length <= sizeof(stream->line) && writer->hidden_number == 0;
    return stream->in_line ? stream->line : place;
}

/*
 * Must what was added be shown now? No more may follow soon, or enough has gathered. Without delay,
 * where there is no room for more: who waits for the record looks at its line all the time, and
 * would take it away before its number is stored.
 */
static inline bool stream_is_due(const struct stream *stream)
{
    const struct ring_writer *writer = &stream->writer;

    return !stream->batch || writer->number - writer->hidden_number >= stream->group_records ||
           writer->head - writer->hidden >= stream->group_bytes || !stream->has_room;
}

/*
 * Adds what was written there to what stream_show() will publish. True: that is due now. Until then
 * it takes up room, and that is all: what is said of records does not cover it.
 */
static inline bool stream_add(struct stream *stream, size_t length)
{
    struct ring_writer *writer = &stream->writer;

    STEP("ring.filled");
    stream_remember(stream, writer->number, writer->head + ring_footprint(length), length);
    if (stream->in_line) {
        ring_move(ring_writer_head(writer)->bytes, stream->line, length);
    }
    (void)ring_add(writer, length);
    STEP("ring.added");
    stream_find_room(stream);
    return stream_is_due(stream);
}

/* Of the oldest record that is held, or of the next one. */
uint64_t stream_oldest(struct stream *stream);

/* Has something been written over, so that who begins at position 0 learns what it lost? */
bool stream_has_passed(const struct stream *stream);

/* Where a record begins, or a wrap marker that leads to it; 0: it is not held any more. */
uint64_t stream_position(struct stream *stream, uint64_t number);

/* Nothing is published there any more, and why. */
void stream_announce(struct stream *stream, enum ring_state state);

void stream_close(struct stream *stream);
