/* SPDX-License-Identifier: MIT
 *
 * Where sessions and board meet: who gets what, who owes what, and what the log is told of it.
 *
 * All work is done by looking: subscribers_work() looks at every page, and does what follows from
 * what it finds. It is called until there is nothing more to do; then everybody is told that the
 * daemon sleeps, it is called once more (see proto/page.h), and the loop sleeps.
 */
#pragma once

#include "daemon/manager.h"

int subscribers_open(struct manager *manager);

/* One round of work: true if there was any. */
bool subscribers_work(struct manager *manager);

/* Before and after the loop sleeps. */
void subscribers_announce_sleep(struct manager *manager);
void subscribers_announce_awake(struct manager *manager);

/* What all of them have acknowledged. */
struct progress subscribers_progress(const struct manager *manager);

/* There are new records: whoever sleeps is woken. */
void subscribers_notify(struct manager *manager);

/* Takes note of what a subscriber claims to have acknowledged. */
enum claim subscribers_hear(struct manager *manager, struct session *session);

/* Hands to the log what one subscriber has acknowledged. */
void subscribers_hand_over(struct manager *manager, struct session *session);

/*
 * Hands to the log what subscribers have acknowledged: of `all`, or of those who are not in debt
 * (budget.h); false if some is left.
 */
bool subscribers_flush(struct manager *manager, bool all);
