/* SPDX-License-Identifier: MIT
 *
 * The leases of all sessions (lease.h): who waits for whom, and who is evicted.
 *
 * One timer, which is set to the moment when the next lease could run out, and to the next beat
 * before that; it is off as long as nobody owes anything.
 *
 * Whoever is evicted may subscribe anew, and would make the others wait for one lease after
 * another. So each eviction makes the leases of that user a quarter, down to LEASE_MIN_USEC, and
 * each ten leases without one take one such step back.
 */
#pragma once

#include "daemon/manager.h"

#define LEASE_MIN_USEC USEC_PER_MSEC

/* Goes on with the time that the state has. */
int leases_open(struct manager *manager);

/* The next daemon goes on from here. */
void leases_close(struct manager *manager);

/* For how long one of its user is, now. */
uint64_t leases_length(const struct manager *manager, const struct session *session);

/* What becomes of the one that an earlier daemon left. */
void leases_adopt(struct manager *manager, struct session *session);

/* This session owes something, or is away; `now` is the machine's time. */
void leases_begin(struct manager *manager, struct session *session, uint64_t now);

/*
 * It has been sent away, and is waited for as long as the configuration says, whoever it is; but
 * who has not read its WELCOME, as long as if it were here.
 */
void leases_await(struct manager *manager, struct session *session);

/* It has acknowledged something. */
void leases_renew(struct manager *manager, struct session *session, uint64_t now);

/* Does somebody wait for others to acknowledge? To be asked whenever that may have changed. */
void leases_watch(struct manager *manager, const struct progress *progress);

/* Nobody holds anything: there is no subscriber any more, or another segment. */
void leases_forget(struct manager *manager);

/*
 * Where a newcomer begins that wants all from the oldest record on. If others have waited for its
 * user through half a lease by then, there is not much left for what they wait for: it begins
 * behind what somebody has acknowledged.
 */
uint64_t leases_first(const struct manager *manager, const struct session *newcomer,
                      uint64_t oldest);

/* How much is left of it. */
uint64_t leases_left(const struct manager *manager, const struct session *session);

/* Their length may be another one now. */
void leases_reconsider(struct manager *manager);
