/* SPDX-License-Identifier: MIT
 *
 * One line on standard error, if that is a terminal, which says how far it has come.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool wanted;
    bool shown;
    uint64_t drawn_usec; /* when it was drawn last, … */
    uint64_t records;    /* … and what it said */
};

/* Nothing is shown unless standard error is a terminal. */
void progress_start(struct progress *progress);

/* Draws it again, if it is time for that. */
void progress_update(struct progress *progress, uint64_t records, uint64_t bytes);

/* Takes it away, so that something else can be written. */
void progress_clear(struct progress *progress);
