/* SPDX-License-Identifier: MIT */
#include "daemon/past.h"

static const struct past *find(const struct past *pasts, int segment_id)
{
    while (pasts && pasts->segment_id != segment_id) {
        pasts = pasts->next;
    }
    return pasts;
}

void past_keep(struct past **pasts, struct board *board, int segment_id)
{
    struct past *past = malloc(sizeof(*past));

    if (!past) {
        board_close(board);
        return;
    }
    *past = (struct past){
        .next = *pasts,
        .segment_id = segment_id,
        .board = *board,
        .last = board_newest(board),
        .usec = board->layout == LAYOUT_PLAIN ? board_usec(board, board_newest(board)) : 0,
    };
    *board = (struct board){0};
    *pasts = past;
}

void past_read(struct past **pasts, struct state *state)
{
    const struct state_file *file = state->file;
    struct segment segment = {.map = NULL};
    struct board board = {
        .layout = (enum layout)file->layout,
        .when_full = (enum ring_when_full)file->when_full,
        .record = {.state = state, .length = file->record_length},
    };

    if (board.layout == LAYOUT_PLAIN) {
        past_keep(pasts, &board, (int)file->segment_id);
        return;
    }
    if (segment_find((int)file->segment_id, &segment) == 0 &&
        stream_new(&board.stream, segment.size, board.when_full) == 0) {
        if (stream_resume(&board.stream, &segment, state)) {
            past_keep(pasts, &board, (int)file->segment_id);
        } else {
            board_close(&board);
        }
    }
    segment_detach(&segment);
}

static bool is_left_by(const struct past *past, const struct sessions *sessions)
{
    const struct session *session = sessions->first;

    while (session && !(session_is_logged(session) && session_is_away(session) &&
                        session->cursor->segment_id == past->segment_id)) {
        session = session->next;
    }
    return session == NULL;
}

static struct past *free_one(struct past *past)
{
    struct past *next = past->next;

    board_close(&past->board);
    free(past);
    return next;
}

void past_forget(struct past **pasts, const struct sessions *sessions)
{
    while (*pasts) {
        if (is_left_by(*pasts, sessions)) {
            *pasts = free_one(*pasts);
        } else {
            pasts = &(*pasts)->next;
        }
    }
}

uint64_t past_bytes(const struct past *pasts, int segment_id, uint64_t first, uint64_t last)
{
    const struct past *past = find(pasts, segment_id);

    return past && first <= past->last
               ? board_bytes(&past->board, first, last < past->last ? last : past->last)
               : 0;
}

uint64_t past_usec(const struct past *pasts, int segment_id, uint64_t number)
{
    const struct past *past = find(pasts, segment_id);

    if (!past || past->board.layout == LAYOUT_PLAIN) {
        return past ? past->usec : 0;
    }
    return board_usec(&past->board, number < past->last ? number : past->last);
}

struct past *past_free(struct past *pasts)
{
    while (pasts) {
        pasts = free_one(pasts);
    }
    return NULL;
}
