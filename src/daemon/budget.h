/* SPDX-License-Identifier: MIT
 *
 * Who gets an entry for each acknowledgement: pure policy, without clock or log.
 *
 * Up to BUDGET_PER_SECOND acknowledgements a second are logged one by one, in all, and a second's
 * worth may be saved up. Whoever acknowledges faster than that is in debt, and logged in ranges
 * until it is slower. Each user has an account, so that one who floods the journal is slowed down
 * there, and nobody else; what those in debt do, does not count for the others.
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_PER_SECOND 5000
#define BUDGET_COST_USEC  (USEC_PER_SEC / BUDGET_PER_SECOND)
#define BUDGET_WEIGHT_MAX 8
#define BUDGET_ACCOUNTS   256 /* users share one where their numbers meet */

struct budget {
    uint64_t all;                 /* until when the acknowledgements so far have used time up */
    uint64_t of[BUDGET_ACCOUNTS]; /* of each user likewise */
};

static inline bool account_in_debt(uint64_t account, uint64_t now)
{
    return account > now + USEC_PER_SEC;
}

/* Debts are forgotten in a second, and so are savings (which is where an account begins). */
static inline void account_charge(uint64_t *account, uint64_t now, uint64_t entries)
{
    if (*account < now) {
        *account = now;
    }
    if (*account < now + 2 * USEC_PER_SEC) {
        *account += entries * BUDGET_COST_USEC;
    }
}

/* Must this user's acknowledgements wait, to be logged as ranges? */
static inline bool budget_in_debt(const struct budget *budget, uint32_t uid, uint64_t now)
{
    return account_in_debt(budget->of[uid % BUDGET_ACCOUNTS], now) ||
           account_in_debt(budget->all, now);
}

/*
 * What a look has found may be one acknowledgement of so many records, or as many of one each that
 * came faster than we look.
 */
static inline uint64_t budget_weight(uint64_t records)
{
    return records < BUDGET_WEIGHT_MAX ? records : BUDGET_WEIGHT_MAX;
}

/* This user has acknowledged, or done what costs as much as so many acknowledgements. */
static inline void budget_charge(struct budget *budget, uint32_t uid, uint64_t now,
                                 uint64_t entries)
{
    account_charge(&budget->of[uid % BUDGET_ACCOUNTS], now, entries);
    if (!account_in_debt(budget->of[uid % BUDGET_ACCOUNTS], now)) {
        account_charge(&budget->all, now, entries);
    }
}
