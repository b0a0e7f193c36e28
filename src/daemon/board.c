/* SPDX-License-Identifier: MIT */
#include "daemon/board.h"
#include "conf/conf.h"

#define LETTERS ((size_t)26) /* a ring holds many records: one alphabet each */

int board_open(struct board *board, const struct conf *conf, struct segment *segment,
               struct state *state)
{
    *board = (struct board){
        .layout = (enum layout)conf->layout,
        .segment = segment,
        .record = {.segment = segment, .state = state},
    };
    if (board->layout == LAYOUT_PLAIN) {
        record_resume(&board->record);
    } else {
        int r = stream_open(&board->stream, segment, state, (enum ring_when_full)conf->when_full);

        if (r < 0) {
            return r;
        }
    }
    state->file->layout = (uint32_t)conf->layout;
    state->file->when_full = (uint32_t)conf->when_full;
    state->file->key = segment->key;
    state->file->segment_id = segment->id;
    return 0;
}

void board_close(struct board *board, enum ring_state state)
{
    if (board->layout == LAYOUT_RING) {
        stream_close(&board->stream, state);
    }
}

size_t board_longest(const struct board *board)
{
    return board->layout == LAYOUT_PLAIN ? board->segment->size - 1
                                         : ring_length_max(board->stream.writer.capacity);
}

size_t board_filling(const struct board *board)
{
    return board->layout == LAYOUT_PLAIN ? board_longest(board) : LETTERS;
}

bool board_wants(const struct board *board, const struct progress *progress)
{
    if (board->layout == LAYOUT_PLAIN) {
        return !record_waits(&board->record);
    }
    return stream_wants(&board->stream, progress->fastest);
}

const char *board_objection(const struct board *board, const char *bytes, size_t length)
{
    static const char *const objections[] = {
        [PLAIN_FITS] = NULL,
        [PLAIN_EMPTY] = "it is empty",
        [PLAIN_TOO_LONG] = "it is longer than the segment can hold",
        [PLAIN_LOOKS_ACKNOWLEDGED] = "it begins with '*', which means acknowledged",
        [PLAIN_HAS_NUL] = "it contains a NUL byte, which would end it",
    };

    if (board->layout == LAYOUT_PLAIN) {
        return objections[plain_judge(bytes, length, board->segment->size)];
    }
    return length > board_longest(board) ? "it is longer than a quarter of the ring" : NULL;
}

char *board_place(struct board *board, size_t length)
{
    if (length > board_longest(board)) {
        return board->excerpt;
    }
    return board->layout == LAYOUT_PLAIN ? record_place(&board->record, length)
                                         : stream_place(&board->stream, length);
}

void board_begin(struct board *board, uint64_t usec)
{
    stream_begin(&board->stream, usec);
}

uint64_t board_end(struct board *board)
{
    return stream_end(&board->stream);
}

bool board_add(struct board *board, size_t length)
{
    if (board->layout == LAYOUT_RING) {
        return stream_add(&board->stream, length);
    }
    board->added = length;
    return true;
}

void board_show(struct board *board)
{
    if (board->layout == LAYOUT_RING) {
        stream_show(&board->stream);
    } else if (board->added > 0) {
        record_publish(&board->record, board->added);
        board->added = 0;
    }
}

void board_release(struct board *board, const struct progress *progress)
{
    if (board->layout == LAYOUT_RING && progress->subscribers) {
        stream_release(&board->stream, progress->slowest);
    }
}

bool board_is_owed_nobody(const struct board *board, const struct progress *progress)
{
    return board->layout == LAYOUT_PLAIN && record_waits(&board->record) &&
           (!progress->subscribers || progress->slowest >= board_newest(board));
}

bool board_is_done(const struct board *board, const struct progress *progress)
{
    return progress->subscribers && board_is_owed_nobody(board, progress);
}

bool board_is_all_acknowledged(const struct board *board, const struct progress *progress)
{
    if (board->layout == LAYOUT_PLAIN) {
        return !record_waits(&board->record);
    }
    /* Those who have left may have acknowledged all that there is. */
    return (progress->subscribers ? progress->slowest : progress->fastest) >= board_newest(board);
}

bool board_overwrites(const struct board *board)
{
    return board->layout == LAYOUT_RING && board->stream.when_full == RING_OVERWRITE;
}

bool board_has_passed(const struct board *board)
{
    return board->layout == LAYOUT_RING && stream_has_passed(&board->stream);
}

uint64_t board_oldest(struct board *board)
{
    if (board->layout == LAYOUT_RING) {
        return stream_oldest(&board->stream);
    }
    return board_newest(board) + !record_waits(&board->record);
}

uint64_t board_position(struct board *board, uint64_t number)
{
    return board->layout == LAYOUT_RING ? stream_position(&board->stream, number) : 0;
}

uint64_t board_bytes(const struct board *board, uint64_t first, uint64_t last)
{
    return board->layout == LAYOUT_RING ? stream_bytes(&board->stream, first, last)
                                        : board->record.state->file->record_length;
}

uint64_t board_usec(const struct board *board, uint64_t number)
{
    return board->layout == LAYOUT_RING ? stream_usec(&board->stream, number)
                                        : board->record.state->file->published_usec;
}
