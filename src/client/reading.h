/* SPDX-License-Identifier: MIT
 *
 * What all ways of reading have in common: how many records, how long to wait, what to print, and
 * what to say at the end.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"
#include "client/progress.h"

struct reading {
    const struct options *options;
    struct output output;
    struct progress progress;
    uint64_t records, bytes; /* written */
    uint64_t lost;
    uint64_t deadline_usec; /* for the next record */
    /* Written, and not handed over yet. */
    uint64_t held_records, held_bytes;
};

/* -ENOMEM. */
int reading_start(struct reading *reading, const struct options *options);

/* Is another record wanted? Not after the count was reached, or a signal has come. */
bool reading_goes_on(const struct reading *reading);

/* Prints a record; that some were lost before it is said at once. */
void reading_add(struct reading *reading, const struct output_record *record);

/* Are there so many records that they should be handed over, though more may be there? */
bool reading_is_full(const struct reading *reading);

/* Hands the records over. Anything but EXIT_DONE: they may not be acknowledged. */
enum exit_status reading_hand_over(struct reading *reading);

/*
 * How long to wait now: a part of the time that is left. Nothing can be lost in a part but, at
 * worst, a signal that comes right before it, and that is noticed at its end. 0: timed out.
 */
uint64_t reading_wait_usec(struct reading *reading);

/* Says that no record came in time, and why, if the daemon's document (or NULL) tells. */
enum exit_status reading_timed_out(struct reading *reading, const char *document);

/* The end: what was not handed over is discarded. Returns how the program ends. */
enum exit_status reading_end(struct reading *reading, enum exit_status status);
