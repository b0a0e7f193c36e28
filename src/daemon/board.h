/* SPDX-License-Identifier: MIT
 *
 * The board: where records are published, in one of the two layouts.
 *
 * The manager asks it whether a record is wanted, gives it one, and tells it up to which record all
 * subscribers are done. What that means is the layout's: a plain segment holds one record at a time
 * (record.h), a ring a stream of them (stream.h).
 */
#pragma once

#include "daemon/record.h"
#include "daemon/stream.h"

struct conf;

#define BOARD_EXCERPT ((size_t)4096) /* what is shown of a record that is too long to fit */

struct board {
    enum layout layout;
    enum ring_when_full when_full; /* as configured; of no meaning where the layout is plain */
    const struct segment *segment;
    struct record record;
    struct stream stream;
    size_t added; /* plain: the length of a record that is not shown yet; 0: there is none */
    char excerpt[BOARD_EXCERPT];
};

/* What the acknowledgements are: of the slowest subscriber, and of the fastest that there was. */
struct progress {
    bool subscribers; /* are there any? */
    uint64_t slowest;
    uint64_t fastest;
    uint64_t foremost; /* of those who are here */
};

/*
 * The memory for a board in a segment of that size: all that may fail (-ENOMEM), before anything is
 * changed. It may be moved until it is opened.
 */
int board_new(struct board *ret, const struct conf *conf, size_t size);

/*
 * Does the segment hold what the state knows of it? Otherwise a ring begins anew when it is opened,
 * and whoever reads there would wait at a place where nothing comes any more.
 */
bool board_resume(struct board *board, const struct segment *segment, struct state *state);

/* Goes on with what the segment and the state hold. */
void board_open(struct board *board, struct segment *segment, struct state *state);

/* Nothing is published there any more: the readers of a ring are told why. */
void board_announce(struct board *board, enum ring_state state);

void board_close(struct board *board);

/*
 * The longest record that fits, and how long a source should make one that fills. Nobody keeps
 * them: the segment may be replaced by another one at any time that the event loop runs.
 */
static inline size_t board_longest(const struct board *board)
{
    return board->layout == LAYOUT_PLAIN ? board->segment->size - 1
                                         : ring_length_max(board->stream.writer.capacity);
}

size_t board_filling(const struct board *board);

/* Is a record wanted now? */
static inline bool board_wants(const struct board *board, const struct progress *progress)
{
    return board->layout == LAYOUT_PLAIN ? !record_waits(&board->record)
                                         : stream_wants(&board->stream, progress->fastest);
}

const char *board_objection_plain(const struct board *board, const char *bytes, size_t length);

/* Why this record cannot be published; NULL: it can. A static string. */
static inline const char *board_objection(const struct board *board, const char *bytes,
                                          size_t length)
{
    if (board->layout == LAYOUT_PLAIN) {
        return board_objection_plain(board, bytes, length);
    }
    return length > board_longest(board) ? "it is longer than a quarter of the ring" : NULL;
}

/*
 * Where a record of up to *length bytes is to be written; one is wanted. Of more than the longest
 * that fits, there is only a place to show what is rejected: *length becomes how much of it.
 */
static inline char *board_place(struct board *board, size_t *length)
{
    if (*length > board_longest(board)) {
        *length = *length < BOARD_EXCERPT ? *length : BOARD_EXCERPT;
        return board->excerpt;
    }
    return board->layout == LAYOUT_PLAIN ? record_place(&board->record, *length)
                                         : stream_place(&board->stream, *length);
}

/*
 * What is added between these two is so without a pause: it may be published together, by
 * board_show() at the latest before the end, and the clock is read for some of it only. What it
 * said last, before and afterwards; 0: nobody has asked.
 */
static inline void board_begin(struct board *board, uint64_t usec)
{
    stream_begin(&board->stream, usec);
}

static inline uint64_t board_end(struct board *board)
{
    return stream_end(&board->stream);
}

/*
 * Adds what was written there to what board_show() will publish. True: that is due now. Until then,
 * what is said of records does not cover it.
 */
static inline bool board_add(struct board *board, size_t length)
{
    if (board->layout == LAYOUT_RING) {
        return stream_add(&board->stream, length);
    }
    board->added = length;
    return true;
}

static inline void board_show(struct board *board)
{
    if (board->layout == LAYOUT_RING) {
        stream_show(&board->stream);
    } else if (board->added > 0) {
        record_publish(&board->record, board->added);
        board->added = 0;
    }
}

/* Ring: what all have acknowledged may be written over. True: that matters, and is more by now. */
static inline bool board_release(struct board *board, const struct progress *progress)
{
    return board->layout == LAYOUT_RING && progress->subscribers &&
           stream_release(&board->stream, progress->slowest);
}

/* Plain: does no subscriber owe the record that stands there? */
bool board_is_owed_nobody(const struct board *board, const struct progress *progress);

/* Plain: have all acknowledged the record that stands there? */
static inline bool board_is_done(const struct board *board, const struct progress *progress)
{
    return board->layout == LAYOUT_PLAIN && progress->subscribers &&
           board_is_owed_nobody(board, progress);
}

/* Is nobody left who is to acknowledge a record? */
bool board_is_all_acknowledged(const struct board *board, const struct progress *progress);

/* Are records written over that somebody has not read? */
static inline bool board_overwrites(const struct board *board)
{
    return board->layout == LAYOUT_RING && board->stream.when_full == RING_OVERWRITE;
}

/* … and has that happened, so that a reader can find out by itself what it lost? */
bool board_has_passed(const struct board *board);

/* The newest record's number; 0: none yet. And that of the newest one that was added. */
static inline uint64_t board_newest(const struct board *board)
{
    return board->layout == LAYOUT_PLAIN ? state_number(board->record.state->file)
                                         : stream_newest(&board->stream);
}

static inline uint64_t board_added(const struct board *board)
{
    return board->layout == LAYOUT_PLAIN ? board_newest(board) + (board->added > 0)
                                         : stream_added(&board->stream);
}

/* Number and position of the oldest record that a subscriber can still get, or of the next one. */
uint64_t board_oldest(struct board *board);
uint64_t board_position(struct board *board, uint64_t number);

/* Of the records first…last: their bytes, and since when the last one has been published. */
static inline uint64_t board_bytes(const struct board *board, uint64_t first, uint64_t last)
{
    return board->layout == LAYOUT_RING ? stream_bytes(&board->stream, first, last)
                                        : board->record.length;
}

static inline uint64_t board_usec(const struct board *board, uint64_t number)
{
    return board->layout == LAYOUT_RING ? stream_usec(&board->stream, number)
                                        : board->record.state->file->published_usec;
}
