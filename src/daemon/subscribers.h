/* SPDX-License-Identifier: MIT
 *
 * Where sessions and board meet: who gets what, who owes what, and what the log is told of it.
 *
 * All work is done by looking (manager_work()): at every page, and then what follows from what was
 * found. That goes on until there is nothing more to do; then everybody is told that the daemon
 * sleeps, all is looked at once more (see proto/page.h), and the loop sleeps.
 *
 * While the daemon is busy for long, those who say nothing become quiet (sessions.h), unless
 * somebody waits for them: where records are written over. They are told of news when there is
 * nothing better to do, and at the end of each stretch of work.
 */
#pragma once

#include "daemon/manager.h"

int subscribers_open(struct manager *manager);

/* What was heard in a round: nothing, or acknowledgements … */
enum heard {
    HEARD_NOTHING,
    HEARD_RANGES,  /* … of sessions in debt only (budget.h) */
    HEARD_ENTRIES, /* … of which one at least gets an entry of its own */
};

/* Looks at every page. `now`, which may be a moment ago, is when. … */
enum heard subscribers_listen(struct manager *manager, uint64_t now);

/* … What was heard is charged to the users, and logged: now, or later as ranges. */
void subscribers_account(struct manager *manager);

/* Both. */
void subscribers_work(struct manager *manager);

/* Before and after the loop sleeps. */
void subscribers_announce_sleep(struct manager *manager);
void subscribers_announce_awake(struct manager *manager);

/* What all of them have acknowledged. */
struct progress subscribers_progress(const struct manager *manager);

/* It is owed nothing any more: if it was the last one, what it has acknowledged, nobody gets again.
 */
void subscribers_release(struct manager *manager, const struct session *session);

/* It is away, and late: the others do not wait for it any more. */
void subscribers_await_no_more(struct manager *manager, struct session *session);

/* There are new records: whoever sleeps is woken, but for the quiet ones, … */
void subscribers_notify(struct manager *manager);

/* … whose turn it is now. */
void subscribers_notify_quiet(struct manager *manager);

/* A stretch of work is over: who has said nothing in several becomes quiet. */
void subscribers_quieten(struct manager *manager);

/* Who waits is told whether others wait for a processor. */
void subscribers_tell_crowd(struct manager *manager);

/* Of the records of its segment, which may be gone: their bytes, and when one was published. */
uint64_t subscribers_bytes(const struct manager *manager, const struct session *session,
                           uint64_t first, uint64_t last);
uint64_t subscribers_usec(const struct manager *manager, const struct session *session,
                          uint64_t number);

/* Takes note of what a subscriber claims to have acknowledged. */
enum claim subscribers_hear(struct manager *manager, struct session *session);

/* Hands to the log what one subscriber has acknowledged. */
void subscribers_hand_over(struct manager *manager, struct session *session);

/* Hands to the log what all of them have acknowledged. */
void subscribers_flush(struct manager *manager);
