/* SPDX-License-Identifier: MIT
 *
 * The outbox: the entry that is on its way out, in the state file.
 *
 * An entry counts as told (in acklog.h, untold.h or tally.h) when it was sent; killed in between,
 * the next daemon must know whether it was, or it would be logged twice. Of the journal the kernel
 * says so: it notes in the outbox what a system call has sent, in that same system call
 * (journal.h). Of a file that is our standard error the file itself says so: the line is there, or
 * it is not (line.h). Of a pipe or a terminal nobody can know; then the line is written once more.
 */
#pragma once

#include "daemon/acklog.h"
#include "daemon/line.h"

#include <sys/socket.h>

/* With the last of the records that are let go, in the place of a sequence number. */
#define OUTBOX_UNTOLD (UINT64_C(1) << 63)

/* … and with a kind of events and the number of the last one that it tells of (tally.h). */
#define OUTBOX_EVENT        (UINT64_C(1) << 62)
#define OUTBOX_EVENT_KIND   48 /* from this bit on */
#define OUTBOX_EVENT_NUMBER ((UINT64_C(1) << OUTBOX_EVENT_KIND) - 1)

struct outbox {
    uint64_t sequence;   /* of the entry that is being sent; stored last */
    struct mmsghdr note; /* the journal's */
    struct line line;    /* on standard error */
};

/* As entry_send(); tried again, a line of which a part was written goes on from there. */
int outbox_send(struct outbox *outbox, const struct entry *entry, uint64_t sequence,
                enum sink sink);

/*
 * After a start: was the entry with this sequence number sent? 1: it was; 0: no, or it was another
 * one that was on its way. A negative error: a shortage, for which nobody can tell.
 */
int outbox_has_sent(const struct outbox *outbox, uint64_t sequence);

/*
 * After a start: the entry at the tail leaves the queue if it was sent. A negative error: a
 * shortage, for which nobody can tell whether it was.
 */
int outbox_settle(const struct outbox *outbox, struct acklog *acklog);
