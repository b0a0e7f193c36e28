/* SPDX-License-Identifier: MIT
 *
 * Cursors: how far the log knows each subscriber to have come, and up to which of its records each
 * publisher's are published. They lie in the state file, so that the next daemon goes on with every
 * session where this one was killed.
 *
 * A subscriber's moves after the acknowledgement that moves it was pushed into the log's queue.
 * Killed in between, the newest entry of the queue is ahead of its cursor, and cursors_settle()
 * moves that one cursor: so nothing is logged twice, and nothing is left out. A publisher's moves
 * after its record was published, see transfer.h.
 *
 * A cursor outlives its session's connection where the client is expected to come back: then it
 * holds up what the client has not acknowledged, until it is back or its lease has run out.
 */
#pragma once

#include "daemon/acklog.h"
#include "daemon/lease.h"

#include <stdbool.h>
#include <stdint.h>

#define CURSORS_MAX 4096

struct cursor {
    uint32_t session;   /* its number; 0: free. Stored last */
    uint16_t welcomed;  /* its client has its WELCOME, for certain */
    uint8_t lossy;      /* records were written over in its session, so some may be lost */
    uint8_t late;       /* it is away, and nobody waits for it any more */
    int32_t segment_id; /* … which named this segment */
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
    uint32_t client;     /* how it tells itself from others of its process; 0: it does not */
    uint32_t role;       /* enum message_role */
    uint32_t takes_over; /* the session that ends with this one's WELCOME; 0: none */
    uint64_t process;    /* of the pid, see identity.h */
    union {
        uint64_t logged;    /* all records up to this one are in the log's queue, … */
        uint64_t published; /* publisher: of its own records, all up to this one are dealt with */
    };
    union {
        uint64_t lost;     /* … or were written over unread: so many since the session began */
        uint64_t rejected; /* publisher: so many of these were not published */
    };
    uint64_t first;    /* the number of the session's first record */
    uint64_t position; /* publisher: in its queue, of the record that comes next, … */
    uint64_t left;     /* … of which there are so many, and 1; 0: that is not known */
    struct lease lease;
    char name[ACK_NAME_SIZE];
};

struct cursors {
    uint32_t last; /* session number that was given out */
    uint32_t reserved;
    struct cursor all[CURSORS_MAX];
};

/* A free one, to be filled in and then claimed; NULL if there is none. */
struct cursor *cursors_find_free(struct cursors *cursors);

/* Now it counts. */
void cursor_claim(struct cursor *cursor, uint32_t session);

void cursor_release(struct cursor *cursor);

/* After a start: the cursor that the newest entry is ahead of. */
void cursors_settle(struct cursors *cursors, const struct acklog *acklog);
