/* SPDX-License-Identifier: MIT */
#include "daemon/stream.h"
#include "base/clock.h"
#include "proto/reader.h"

#define MOMENT_BYTES                                                                               \
    (32 * RING_LINE) /* that are written in less than the clock's microsecond or two */

static int traces_new(struct stream *stream, size_t size)
{
    uint64_t count = 2;

    /* One more than fit, for the end of the record before the oldest. */
    while (count <= size / RING_LINE) {
        count *= 2;
    }
    stream->traces = calloc(count, sizeof(*stream->traces));
    stream->mask = count - 1;
    return stream->traces ? 0 : -ENOMEM;
}

/* Is there room for a record's number where a walk has come to? */
static bool has_place(const struct ring_reader *reader, uint64_t tail)
{
    return ring_position(reader) + RING_LINE - tail <= reader->capacity;
}

/* Walks the records of a ring that an earlier daemon left. False: it is not what it should be. */
static bool take_over(struct stream *stream, const struct segment *segment)
{
    struct ring_reader reader;
    const struct ring_record *record;
    uint64_t last = state_number(stream->state->file);
    uint64_t tail;

    if (ring_attach(&reader, segment->map, segment->size) < 0 ||
        reader.header->when_full != (uint32_t)stream->when_full ||
        memcmp(reader.header->epoch, &stream->state->file->epoch, sizeof(sd_id128_t)) != 0) {
        return false;
    }
    if (!ring_is_walkable(&reader)) {
        return false;
    }
    tail = atomic_load_explicit(&reader.header->tail, memory_order_relaxed);
    if (ring_seek_oldest(&reader) == 0) {
        reader.number = last + 1;
    }
    stream_trace(stream, reader.number - 1)->end = tail;
    while (has_place(&reader, tail) && ring_look(&reader, &record) == RING_RECORD) {
        stream_remember(stream, reader.number,
                        ring_position(&reader) + ring_footprint(record->length), record->length);
        ring_advance(&reader, record->length);
    }
    /*
     * Behind the last record, and behind a marker that it led to, there is always the place of the
     * next number. And the state learns of records right after they were shown.
     */
    if (!has_place(&reader, tail) || reader.number - (last + 1) > stream->group_records) {
        return false;
    }
    /* The tail may be at a wrap marker, where somebody waits to be led on. */
    stream->writer =
        ring_writer_on(segment->map, reader.capacity, tail, ring_position(&reader), reader.number);
    (void)stream_release(stream, stream->state->file->released);
    return true;
}

int stream_new(struct stream *ret, size_t size, enum ring_when_full when_full)
{
    uint64_t quarter = ring_capacity(size) / 4;

    *ret = (struct stream){
        .when_full = when_full,
        .group_records = when_full == RING_WAIT ? STREAM_GROUP_MAX : 1,
        .group_bytes = quarter < STREAM_GROUP_BYTES ? quarter : STREAM_GROUP_BYTES,
    };
    return traces_new(ret, size);
}

bool stream_resume(struct stream *stream, const struct segment *segment, struct state *state)
{
    stream->state = state;
    if (stream->writer.header) {
        return true;
    }
    if (state->file->segment_id != segment->id) {
        return false;
    }
    stream->resumed_usec = clock_usec();
    if (take_over(stream, segment)) {
        return true;
    }
    /* What a walk that came to nothing has remembered is no record of the next ring. */
    memset(stream->traces, 0, (stream->mask + 1) * sizeof(*stream->traces));
    stream->bytes = 0;
    return false;
}

void stream_open(struct stream *stream, const struct segment *segment, struct state *state)
{
    uint64_t last = state_number(state->file);

    if (stream_resume(stream, segment, state)) {
        state_enter(state->file, stream_newest(stream), PHASE_EMPTY);
    } else {
        ring_format(&stream->writer, segment->map, segment->size, state->file->epoch.bytes,
                    stream->when_full, last + 1);
        state->file->released = state->file->gone = last; /* with the ring that they were in */
    }
    stream_find_room(stream);
    /*
     * Who reads on in a session of the daemon before looks whether it still has it, before anything
     * is written over that it has not acknowledged. Release: pairs with link_is_taken_over().
     */
    atomic_fetch_add_explicit(&stream->writer.header->generation, 1, memory_order_release);
    /* Release: pairs with a reader's acquire load; what was formatted is there. */
    atomic_store_explicit(&stream->writer.header->state, RING_OPEN, memory_order_release);
}

__attribute__((noinline)) void stream_make_room(struct ring_writer *writer, size_t length)
{
    while (!ring_has_room(writer, length)) {
        ring_drop_oldest(writer);
    }
}

/* Within a batch, the clock is read for every few lines only: reading it takes as long as they do.
 */
static uint64_t moment(struct stream *stream, uint64_t bytes)
{
    if (!stream->batch) {
        return clock_usec();
    }
    if (stream->moment_usec == 0 || stream->moment_bytes >= MOMENT_BYTES) {
        stream->moment_usec = clock_usec();
        stream->moment_bytes = 0;
    }
    stream->moment_bytes += bytes;
    return stream->moment_usec;
}

void stream_show_added(struct stream *stream)
{
    struct ring_writer *writer = &stream->writer;
    uint64_t number = writer->hidden_number;
    uint64_t bytes = writer->head - writer->hidden;
    uint64_t usec;

    ring_show(writer);
    STEP("ring.shown");
    state_enter(stream->state->file, stream_newest(stream), PHASE_EMPTY);
    usec = moment(stream, bytes); /* only now: those who wait for the records have them */
    for (; number < writer->number; number++) {
        stream_trace(stream, number)->usec = usec;
    }
}

bool stream_release(struct stream *stream, uint64_t number)
{
    struct ring_writer *writer = &stream->writer;
    uint64_t newest = stream_newest(stream);
    uint64_t last = number < newest ? number : newest;

    /*
     * Where records are written over, they are held until their place is needed. We remember all
     * that are held, and the end of the one before: older ones are gone already.
     */
    if (stream->when_full == RING_WAIT && stream_added(stream) - last <= stream->mask &&
        stream_trace(stream, last)->end > writer->tail) {
        writer->tail = stream_trace(stream, last)->end;
        stream_find_room(stream);
    }
    if (number <= stream->state->file->released) {
        return false;
    }
    stream->state->file->released = number;
    return stream->when_full == RING_WAIT;
}

uint64_t stream_oldest(struct stream *stream)
{
    const struct ring_record *record = ring_oldest(&stream->writer);

    return record ? atomic_load_explicit(&record->number, memory_order_relaxed)
                  : stream_newest(stream) + 1;
}

bool stream_has_passed(const struct stream *stream)
{
    return stream->when_full == RING_OVERWRITE &&
           atomic_load_explicit(&stream->writer.header->tail, memory_order_relaxed) > 0;
}

uint64_t stream_position(struct stream *stream, uint64_t number)
{
    if (number == stream->writer.number) {
        return stream->writer.head;
    }
    if (number < stream_oldest(stream)) {
        /* Given up, but maybe still there: the tail that readers see is moved when it has to be. */
        uint64_t tail = atomic_load_explicit(&stream->writer.header->tail, memory_order_relaxed);
        uint64_t end =
            number > stream_forgotten(stream) ? stream_trace(stream, number - 1)->end : 0;

        return end >= tail ? end : 0; /* see stream_has_passed() */
    }
    return number == stream_oldest(stream) ? stream->writer.tail
                                           : stream_trace(stream, number - 1)->end;
}

void stream_announce(struct stream *stream, enum ring_state state)
{
    if (stream->writer.header) {
        /* Release; pairs with a reader's acquire load: all records are there. */
        atomic_store_explicit(&stream->writer.header->state, (uint32_t)state, memory_order_release);
    }
}

void stream_close(struct stream *stream)
{
    free(stream->traces);
    *stream = (struct stream){0};
}
