/* SPDX-License-Identifier: MIT
 *
 * Records that are let go although no subscriber has acknowledged them: the journal says which.
 *
 * What is held waits for somebody to acknowledge it. Who subscribes from the next record on owes
 * nothing of it, and where all who are there began behind a record, nobody is left to wait for:
 *
 *      acknowledged by somebody │ held, and nobody's │ owed by those who are there
 *                       covered ┘                    └ owed_from
 *
 * `covered` is part of the state. Of subscribers that have left, it knows what they acknowledged
 * without a gap.
 */
#pragma once

#include "daemon/session.h"

struct manager;

struct unread {
    uint64_t owed_from;   /* the first record that any subscriber gets; UINT64_MAX: there is none */
    uint64_t first, last; /* what no entry has told yet, … */
    uint64_t records;     /* … and how many they are */
    uint64_t usec;        /* when there was an entry last */
};

/* A subscriber has come or gone. */
void unread_reconsider(struct manager *manager);

/* What a subscriber acknowledged that is about to go, counts. */
void unread_cover(struct manager *manager, const struct session *session);

/* Nobody waits for the records up to this one any more, be there subscribers or not. */
void unread_release(struct manager *manager, uint64_t number);

/* Plain: this record needs nobody, as it was acknowledged without a session, or is out of date. */
void unread_except(struct manager *manager, uint64_t number);

/*
 * What a ring held is gone, whoever is there, and why. Where records are written over, no more is
 * meant than it could hold.
 */
void unread_lose(struct manager *manager, const char *why);

/*
 * A stop removes what is held, and all subscribers have left. What was made on demand, the next
 * daemon makes anew.
 */
void unread_leave(struct manager *manager);

/* Tells what was not told, lest there were too many entries. */
void unread_tell(struct manager *manager);
