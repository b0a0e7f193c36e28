/* SPDX-License-Identifier: MIT */
#include "daemon/board.h"
#include "conf/conf.h"

#define LETTERS ((size_t)26) /* a ring holds many records: one alphabet each */

int board_new(struct board *ret, const struct conf *conf, size_t size)
{
    *ret = (struct board){.layout = (enum layout)conf->layout,
                          .when_full = (enum ring_when_full)conf->when_full};
    return ret->layout == LAYOUT_RING ? stream_new(&ret->stream, size, ret->when_full) : 0;
}

bool board_resume(struct board *board, const struct segment *segment, struct state *state)
{
    return board->layout == LAYOUT_PLAIN || stream_resume(&board->stream, segment, state);
}

void board_open(struct board *board, struct segment *segment, struct state *state)
{
    board->segment = segment;
    board->record = (struct record){.segment = segment, .state = state};
    if (board->layout == LAYOUT_PLAIN) {
        if (state->file->layout == LAYOUT_RING) {
            state->file->gone = state_number(state->file);
        }
        record_resume(&board->record);
    } else {
        stream_open(&board->stream, segment, state);
    }
    state->file->layout = board->layout;
    state->file->when_full = board->when_full;
    state->file->key = segment->key;
    state->file->segment_id = segment->id;
}

void board_announce(struct board *board, enum ring_state state)
{
    if (board->layout == LAYOUT_RING) {
        stream_announce(&board->stream, state);
    }
}

void board_close(struct board *board)
{
    if (board->layout == LAYOUT_RING) {
        stream_close(&board->stream);
    }
}

size_t board_filling(const struct board *board)
{
    return board->layout == LAYOUT_PLAIN ? board_longest(board) : LETTERS;
}

const char *board_objection_plain(const struct board *board, const char *bytes, size_t length)
{
    static const char *const objections[] = {
        [PLAIN_FITS] = NULL,
        [PLAIN_EMPTY] = "it is empty",
        [PLAIN_TOO_LONG] = "it is longer than the segment can hold",
        [PLAIN_LOOKS_ACKNOWLEDGED] = "it begins with '*', which means acknowledged",
        [PLAIN_HAS_NUL] = "it contains a NUL byte, which would end it",
    };

    return objections[plain_judge(bytes, length, board->segment->size)];
}

bool board_is_owed_nobody(const struct board *board, const struct progress *progress)
{
    return board->layout == LAYOUT_PLAIN && record_waits(&board->record) &&
           (!progress->subscribers || progress->slowest >= board_newest(board));
}

bool board_is_all_acknowledged(const struct board *board, const struct progress *progress)
{
    if (board->layout == LAYOUT_PLAIN) {
        return !record_waits(&board->record);
    }
    /* Those who have left may have acknowledged all that there is. */
    return (progress->subscribers ? progress->slowest : progress->fastest) >= board_newest(board);
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
