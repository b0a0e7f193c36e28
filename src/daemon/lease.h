/* SPDX-License-Identifier: MIT
 *
 * Leases: how long a subscriber may owe an acknowledgement, or stay away when it is expected back.
 *
 * One timer, which is set to the moment when the next lease could run out; it is off as long as
 * nobody owes anything.
 *
 * Whoever is evicted may subscribe anew, and would make the others wait for one lease after
 * another. So each eviction makes the leases of that user a quarter, down to LEASE_MIN_USEC, and
 * each ten leases without one take one such step back.
 */
#pragma once

#include "daemon/manager.h"

#define LEASE_MIN_USEC USEC_PER_MSEC

int lease_open(struct manager *manager);

/* Of this user, now. */
uint64_t lease_usec(const struct manager *manager, uid_t uid);

/* This session owes something since `now`. */
void lease_begin(struct manager *manager, struct session *session, uint64_t now);

/* The lease may be another one now. */
void lease_reconsider(struct manager *manager);
