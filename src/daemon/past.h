/* SPDX-License-Identifier: MIT
 *
 * What is remembered of the records of a segment that another one has replaced: who was sent away
 * from it reads it to its end, and says so when it comes back; the log wants to know how long the
 * records were, and since when they stood there.
 *
 * There is one for each such segment, as long as anybody may come back from it.
 */
#pragma once

#include "daemon/board.h"
#include "daemon/sessions.h"

struct past {
    struct past *next;
    int segment_id;
    struct board board; /* without its segment */
    uint64_t last;      /* record */
    uint64_t usec;      /* plain: since when it stood there */
};

/* Of this board, which it takes over. Without memory, nothing is remembered. */
void past_keep(struct past **pasts, struct board *board, int segment_id);

/* Of what a daemon before us has left, as far as it is still there. */
void past_read(struct past **pasts, struct state *state);

/* Those from which nobody comes back any more. */
void past_forget(struct past **pasts, const struct sessions *sessions);

/* Of the records first…last: their bytes, and since when the last one stood there; 0: not known. */
uint64_t past_bytes(const struct past *pasts, int segment_id, uint64_t first, uint64_t last);
uint64_t past_usec(const struct past *pasts, int segment_id, uint64_t number);

struct past *past_free(struct past *pasts);
