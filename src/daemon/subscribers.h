/* SPDX-License-Identifier: MIT
 *
 * Where sessions and board meet: who gets what, who owes what, and what becomes of it.
 *
 * All work is done by looking: subscribers_work() looks at every page, and does what follows from
 * what it finds. It is called until there is nothing more to do; then everybody is told that the
 * daemon sleeps, it is called once more (see proto/page.h), and the loop sleeps.
 */
#pragma once

#include "daemon/manager.h"

/* Opens the socket and the sessions. A failure is logged. */
int subscribers_open(struct manager *manager);

/* Ends all sessions; a socket that we bound is removed. */
void subscribers_close(struct manager *manager);

/* After a start and a reload. */
void subscribers_configure(struct manager *manager);

/* One round of work: true if there was any. */
bool subscribers_work(struct manager *manager);

/* Before and after the loop sleeps. */
void subscribers_announce_sleep(struct manager *manager);
void subscribers_announce_awake(struct manager *manager);

/* What all of them have acknowledged. */
struct progress subscribers_progress(const struct manager *manager);

/* There are new records: whoever sleeps is woken. */
void subscribers_notify(struct manager *manager);

/*
 * Hands to the log what subscribers have acknowledged, as far as its budget covers it, or `all` of
 * it; false if some is left. Those who were left are the first ones the next time.
 */
bool subscribers_flush(struct manager *manager, bool all);
