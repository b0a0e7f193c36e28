/* SPDX-License-Identifier: MIT
 *
 * One line on standard error, if that is a terminal, which says how far it has come; at the end its
 * counts stay.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool wanted;
    bool drawn;          /* ever */
    int width;           /* of what stands in the line; 0: nothing */
    uint64_t drawn_usec; /* when it was drawn last, … */
    uint64_t records;    /* … and what it said */
};

/* Nothing is shown unless standard error is a terminal on which a line can be written over. */
void progress_start(struct progress *progress);

/* Draws it again, if it is time for that. */
void progress_update(struct progress *progress, uint64_t records, uint64_t bytes);

/* Takes it away, so that something else can be written. */
void progress_clear(struct progress *progress);

/* The last count stays, if there was any. */
void progress_end(struct progress *progress, uint64_t records, uint64_t bytes);
