/* SPDX-License-Identifier: MIT
 *
 * Where publishers and board meet: whose record is published next, and what publishers are told.
 *
 *      publisher ──▶ queue ──▶ place in the segment ──▶ published ──▶ confirmed in its page
 *
 * Several publishers have their turns one after the other, each for a few records. A publisher that
 * has gone keeps its place until all that it had handed in is published. When another source is to
 * take over, or when another segment has come, in which other records may fit, publishers are told
 * to hand in no more; what they have handed in is dealt with, and they connect again.
 */
#pragma once

#include "daemon/manager.h"

/*
 * Makes the queue of a publisher that has said HELLO; it goes on from an earlier session of its, if
 * there is one. -EOPNOTSUPP: the source is another one. -EAGAIN: it may be that the session was not
 * its own, and what that one has handed in is published first.
 */
int publishers_hello(struct manager *manager, struct session *session, struct session *old,
                     const struct message_hello *hello);
void publishers_welcome(struct session *session, struct message_welcome *welcome);

/* Is there something in its queue that is not dealt with yet? */
bool publishers_left_something(const struct session *session);

/* A publisher of an earlier daemon, with its page and its queue. */
void publishers_receive(struct session *session);

/* It is expected back, or what is kept of it is: what it leaves in its queue is noted. */
void publishers_leave(struct session *session);

/*
 * It has ended: all that it has handed in is accounted for. `goes_on`: what is not dealt with, it
 * hands in anew, to another session or to the next daemon.
 */
void publishers_end(struct session *session, bool goes_on);

/* Any session is about to be freed: it may be the one whose turn it would be. */
void publishers_forget(struct manager *manager, const struct session *session);

/* Has one of them handed in something that is not published yet? */
bool publishers_wait(const struct manager *manager);

/* Adds the next records of one of them; false: there are none that can be published. */
bool publishers_collect(struct manager *manager);

/*
 * Before and after records are shown that a publisher has handed in (turn.collected): what is noted
 * of them (transfer.h), and that its cursor moves.
 */
void publishers_note(struct manager *manager);
void publishers_count(struct manager *manager);

/* Confirms what was published, and lets go who is done; true if there was anything to do. */
bool publishers_work(struct manager *manager);
