/* SPDX-License-Identifier: MIT
 *
 * The daemon's side of a ring: what to write over and when, and what it remembers of each record.
 *
 * With `wait`, a record stays until every subscriber has acknowledged it. With `overwrite`, the
 * fastest subscriber drives the source, and what the others have not read by then is lost to them.
 * With no subscriber at all, the ring fills up once, and waits.
 *
 * The memory of a record, its end, size and time, is kept beside the ring: the log wants them when
 * the record is acknowledged.
 */
#pragma once

#include "daemon/state.h"
#include "proto/ring.h"
#include "segment/segment.h"

#define STREAM_GROUP_MAX   32                 /* records that are published together */
#define STREAM_GROUP_BYTES ((size_t)16 << 10) /* … of which so many take microseconds to copy */

struct trace {
    uint64_t end;   /* the position behind it */
    uint64_t bytes; /* of all records up to this one */
    uint64_t usec;  /* when it was added, and published soon after */
};

struct stream {
    struct ring_writer writer;
    enum ring_when_full when_full;
    struct state *state;
    struct trace *traces; /* by number, as many as there may be records in the ring */
    uint64_t mask;
    bool batch; /* records follow each other at once */
    uint64_t moment_usec, moment_bytes;
};

/*
 * Takes a ring over as it is, or makes an empty one, whose first record follows the last one that
 * the state knows. -ENOMEM.
 */
int stream_open(struct stream *stream, const struct segment *segment, struct state *state,
                enum ring_when_full when_full);

/* Room for one more record of any size? `fastest`: what the fastest subscriber has acknowledged. */
bool stream_wants(const struct stream *stream, uint64_t fastest);

/* Where the next record of up to `length` bytes is to be written; stream_wants() was true. */
char *stream_place(struct stream *stream, size_t length);

/* See board_begin(). */
void stream_begin(struct stream *stream, uint64_t usec);
uint64_t stream_end(struct stream *stream);

/*
 * Adds what was written there to what stream_show() will publish. True: that is due now. Until then
 * it takes up room, and that is all: what is said of records does not cover it.
 */
bool stream_add(struct stream *stream, size_t length);
void stream_show(struct stream *stream);

/* All records up to this one have been acknowledged by all who must (`wait`). */
void stream_release(struct stream *stream, uint64_t number);

/* Of the newest record that is shown, and that was added; 0: none yet. */
static inline uint64_t stream_newest(const struct stream *stream)
{
    return ring_newest(&stream->writer);
}

static inline uint64_t stream_added(const struct stream *stream)
{
    return stream->writer.number - 1;
}

/* Of the oldest record that is held, or of the next one. */
uint64_t stream_oldest(struct stream *stream);

/* Has something been written over, so that who begins at position 0 learns what it lost? */
bool stream_has_passed(const struct stream *stream);

/* Where a record begins, or a wrap marker that leads to it; 0: it is not held any more. */
uint64_t stream_position(struct stream *stream, uint64_t number);

/*
 * Bytes of the records first…last, and when the last one was published. Where records are written
 * over, so much later that they are forgotten: without their bytes, and not before that.
 */
uint64_t stream_bytes(const struct stream *stream, uint64_t first, uint64_t last);
uint64_t stream_usec(const struct stream *stream, uint64_t number);

void stream_close(struct stream *stream, enum ring_state state);
