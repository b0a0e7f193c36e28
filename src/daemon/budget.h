/* SPDX-License-Identifier: MIT
 *
 * How many entries there may be in the journal: pure policy, without clock or log.
 *
 * So many at once, and then so many a second: for each session, for each user, and for all. A
 * session whose acknowledgements are more than that is in debt, and so are its user's and
 * everybody's when theirs are used up: they are logged in ranges until they are fewer. What those
 * in debt do does not count for the others. Of entries of another kind, those beyond are counted.
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* At once; and as a multiple of the rate of one session (log.rate), a second. */
#define BUDGET_SESSION_BURST 1000
#define BUDGET_USER_BURST    5000
#define BUDGET_USER_RATE     2
#define BUDGET_ALL_BURST     10000
#define BUDGET_ALL_RATE      5

#define BUDGET_WEIGHT_MAX 8

/* Each kind of entry has a budget of its own. */
enum budget_kind {
    BUDGET_ACKNOWLEDGED,
    BUDGET_SESSIONS, /* entries about sessions */
    BUDGET_REJECTED, /* … about records that are rejected */
    BUDGET_SAID,     /* … and of what the source's programs say */
    BUDGETS,
};

/* Until when the entries of each kind so far have used time up. */
struct spending {
    uint64_t until[BUDGETS];
};

struct budget {
    uint64_t session_cost, user_cost, all_cost; /* of an entry, in microseconds */
    struct spending all;
};

static inline void budget_configure(struct budget *budget, uint64_t rate)
{
    budget->session_cost = USEC_PER_SEC / rate;
    budget->user_cost = USEC_PER_SEC / (BUDGET_USER_RATE * rate);
    budget->all_cost = USEC_PER_SEC / (BUDGET_ALL_RATE * rate);
}

static inline bool spent_is_debt(uint64_t until, uint64_t now, uint64_t burst_usec)
{
    return until > now + burst_usec;
}

/* Of a debt, no more is kept than a second's worth, and of savings no more than the burst. */
static inline void spent_charge(uint64_t *until, uint64_t now, uint64_t burst_usec, uint64_t usec)
{
    if (*until < now) {
        *until = now;
    }
    if (*until < now + burst_usec + USEC_PER_SEC) {
        *until += usec;
    }
}

/* Is one of them in debt? What does not count for a session or for a user, has NULL there. */
static inline bool budget_in_debt(const struct budget *budget, enum budget_kind kind,
                                  const uint64_t *session, const struct spending *user,
                                  uint64_t now)
{
    return (session && spent_is_debt(*session, now, BUDGET_SESSION_BURST * budget->session_cost)) ||
           (user && spent_is_debt(user->until[kind], now, BUDGET_USER_BURST * budget->user_cost)) ||
           spent_is_debt(budget->all.until[kind], now, BUDGET_ALL_BURST * budget->all_cost);
}

/*
 * What a look has found may be one acknowledgement of so many records, or as many of one each that
 * came faster than we look.
 */
static inline uint64_t budget_weight(uint64_t records)
{
    return records < BUDGET_WEIGHT_MAX ? records : BUDGET_WEIGHT_MAX;
}

/* So many entries, or what counts as much. */
static inline void budget_charge(struct budget *budget, enum budget_kind kind, uint64_t *session,
                                 struct spending *user, uint64_t now, uint64_t entries)
{
    if (session) {
        spent_charge(session, now, BUDGET_SESSION_BURST * budget->session_cost,
                     entries * budget->session_cost);
    }
    if (user) {
        spent_charge(&user->until[kind], now, BUDGET_USER_BURST * budget->user_cost,
                     entries * budget->user_cost);
    }
    if (!budget_in_debt(budget, kind, session, user, now)) {
        spent_charge(&budget->all.until[kind], now, BUDGET_ALL_BURST * budget->all_cost,
                     entries * budget->all_cost);
    }
}
