/* SPDX-License-Identifier: MIT
 *
 * The record that stands in a plain segment, and our own copy of it, the image.
 *
 * The segment may be written by anybody, so it is never believed: the image says what should be
 * there, byte for byte, and the segment is compared with it and restored from it. Only one
 * difference is a message and not damage: '*' at byte 0.
 *
 * A record goes through the phases of state.h, each made valid by one store:
 *
 *      EMPTY ──fill──▶ FILLED ──publish──▶ PUBLISHED ──'*'──▶ EMPTY
 *
 * Killed in FILLED, the next daemon looks whether it was published (byte 1 tells, see
 * proto/plain.h), and publishes it if not; killed in PUBLISHED, it looks for the '*', and publishes
 * again what was just being withdrawn.
 *
 * A '*' is logged before the record is done with, or before it is taken back because subscribers
 * still owe the record: then the next '*' may be somebody else's. The state notes which record's is
 * being logged, until one of both has begun; so whoever is killed in between, each is logged once.
 */
#pragma once

#include "daemon/acklog.h"
#include "daemon/state.h"
#include "proto/page.h"
#include "proto/plain.h"
#include "segment/segment.h"

/* How much of the segment one look compares with the image; the rest has its turn later. */
#define RECORD_SLICE ((size_t)64 * 1024)

struct record {
    struct segment *segment;
    struct state *state;
    size_t length;   /* of the newest record; 0: it is not known, and nobody owes it */
    size_t compared; /* where the next look compares */
};

/* What a look at the segment found. */
struct findings {
    bool acknowledged;
    bool scribbled; /* and restored, or about to be overwritten by the next record */
};

/* Is there a record that waits for its acknowledgement? */
bool record_waits(const struct record *record);

/* Where the next record of up to `length` bytes is to be written: the image. None waits. */
char *record_place(struct record *record, size_t length);

/* Publishes what was written there, as the next number. */
void record_publish(struct record *record, size_t length);

/*
 * Takes over the record that another program has left in a segment, as the next one; none of ours
 * waits. After a start only: a source that was asked already may deliver at any time.
 */
void record_adopt(const struct segment *segment, struct state *state);

/* Brings the segment in line with the image after a start or a replacement. */
void record_resume(struct record *record);

/* Looks at the segment, and restores what was scribbled on. */
struct findings record_look(struct record *record);

/* Tells a subscriber's page what stands in the segment. */
void record_describe(const struct record *record, struct page *page);

/* Takes back a '*' that has been logged and does not end the record. */
void record_restore_first(struct record *record);

/* What is to be logged of the record that was acknowledged; `pid` wrote it, as far as is known. */
struct ack record_ack(const struct record *record, pid_t pid);

/* The '*' that stands there is about to be logged. */
void record_note_star(struct record *record);

/* An earlier daemon has logged it already. */
bool record_star_is_logged(const struct record *record);

/* All subscribers are done with it: nobody reads it any more. False if a '*' stood there. */
bool record_withdraw(struct record *record);

/* The segment is about to go: nobody acknowledges it there any more. False as above. */
bool record_close(struct record *record);

/* … and stays after all. */
void record_reopen(struct record *record);

/* The acknowledgements are in the queue, or will be as ranges: the record is done with. */
void record_done(struct record *record);
