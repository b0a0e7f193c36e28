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
 * `covered` is part of the state, and so is what subscribers that have left acknowledged beyond it,
 * because they had begun behind a gap: in the last STRETCHES_MAX stretches. So is `gone`: up to
 * there, records went with the segment that they were in, and only who has that one still may
 * acknowledge them.
 */
#pragma once

#include "daemon/session.h"
#include "daemon/untold.h"

struct manager;

/* A subscriber has come or gone. */
void unread_reconsider(struct manager *manager);

/* What a subscriber acknowledged that is about to go, counts. */
void unread_cover(struct manager *manager, const struct session *session);

/* Nobody waits for the records up to this one any more, be there subscribers or not. */
void unread_release(struct manager *manager, uint64_t number);

/* Plain: nobody gets this record any more, as it is out of date. */
void unread_outdate(struct manager *manager, uint64_t number);

/* Plain: this record needs nobody, as it was acknowledged without a session. */
void unread_except(struct manager *manager, uint64_t number);

/* The records first…last were written over, as they may be: nobody is told. */
void unread_forget(struct manager *manager, uint64_t first, uint64_t last);

/*
 * A stop removes what is held, and all subscribers have left. What was made on demand, the next
 * daemon makes anew.
 */
void unread_leave(struct manager *manager);
