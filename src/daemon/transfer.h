/* SPDX-License-Identifier: MIT
 *
 * The transfer: a publisher's records that are about to be published together, in the state file.
 *
 *      noted ──▶ published in the segment ──▶ their publisher's cursor moves ──▶ confirmed
 *
 * They are published by one store in the segment, and the cursor moves by another one in the state.
 * Killed in between, the next daemon finds in the note that the records have come as far as that,
 * and moves the cursor: so each record of a publisher is published exactly once. One that is
 * rejected alone is noted under the number of a record that has been published already.
 */
#pragma once

#include "daemon/cursor.h"

struct transfer {
    uint64_t record;   /* the number under which the last one will be published */
    uint64_t own;      /* what the cursor will say: the publisher's number of it, … */
    uint64_t position; /* … where the next one will be in its queue, … */
    uint64_t rejected; /* … and how many were rejected up to it */
    uint32_t session;
    uint32_t noted; /* stored last */
};

void transfer_note(struct transfer *transfer, const struct transfer *about);

/* The records were published, or rejected: the cursor moves. */
void transfer_done(const struct transfer *transfer, struct cursor *cursor);

/* After a start, when it is known which record is the newest. */
void transfer_settle(struct transfer *transfer, struct cursors *cursors, uint64_t newest);
