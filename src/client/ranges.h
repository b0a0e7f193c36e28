/* SPDX-License-Identifier: MIT
 *
 * Which records the sessions of an epoch have acknowledged, by what the journal says.
 *
 *      session-started           acknowledged…           session-ended
 *        first record │ 1-3 │ 4-4 │ 5-9 │ 10-12 │ last record
 *
 * A session's entries follow each other without a gap (a hole) and without an overlap, from the
 * record where it started to the one where it ended. Coming and going may be hidden from the
 * journal, or be lost: then its first and its last entry are taken as they are. A session that
 * resumes another one begins right behind the end of that.
 *
 * Where the journal did not read for long, one entry may stand for several sessions of one user, or
 * for several users: what it covers is no hole of theirs.
 *
 * An end may stand in the journal before the acknowledgements that lead to it, which wait in a
 * queue. It is held against them when it is SETTLE_USEC old, or has a time that is not yet: then
 * the clock was ahead, and how old it is nobody knows.
 */
#pragma once

#include "client/acknowledgement.h"
#include "client/judge.h"

#define SETTLE_USEC UINT64_C(10000000)

struct ranges;

/* Of an epoch; both outlive it. -ENOMEM. */
int ranges_new(struct judge *judge, const struct epoch *epoch, struct ranges **ret);

/* Each -ENOMEM. */
int ranges_acknowledged(struct ranges *ranges, const struct acknowledgement *ack);
int ranges_started(struct ranges *ranges, const struct claim *claim);
int ranges_ended(struct ranges *ranges, const struct claim *claim);

/* Tells the judge of all holes, and of overlaps that show only now. */
void ranges_finish(struct ranges *ranges);

struct ranges *ranges_free(struct ranges *ranges);
