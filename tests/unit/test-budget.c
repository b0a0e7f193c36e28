/* SPDX-License-Identifier: MIT
 *
 * How many entries there may be, by a clock of the test's own; and whose usage counts for whom.
 */
#include "daemon/budget.h"
#include "daemon/usage.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RATE  20
#define START (1000 * USEC_PER_SEC)
#define ALICE ((uid_t)1000)
#define TWIN  ((uid_t)(ALICE + 256)) /* were accounts shared, as they once were */

/* One acknowledgement at a time: how many get entries of their own, of so many at once. */
static uint64_t entries(struct budget *budget, uint64_t *session, struct spending *user,
                        uint64_t now, uint64_t tries)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < tries; i++) {
        budget_charge(budget, BUDGET_ACKNOWLEDGED, session, user, now, 1);
        count += !budget_in_debt(budget, BUDGET_ACKNOWLEDGED, session, user, now);
    }
    return count;
}

static void a_session_has_a_burst_and_then_the_rate(void **state)
{
    struct budget budget = {0};
    struct spending user = {0};
    uint64_t session = 0, count = 0;

    (void)state;
    budget_configure(&budget, RATE);
    assert_int_equal(entries(&budget, &session, &user, START, 3000), BUDGET_SESSION_BURST);
    /* A hundred a second, for ten minutes: all but the first second. */
    for (uint64_t i = 0; i < 60000; i++) {
        count += entries(&budget, &session, &user, START + i * 10 * USEC_PER_MSEC, 1);
    }
    assert_in_range(count, 0, 600 * RATE + 1);
    /* Slower than the rate, each has an entry again. */
    assert_int_equal(entries(&budget, &session, &user, START + 700 * USEC_PER_SEC, 1), 1);
}

/* Many sessions, or one after another: that makes no difference. */
static void a_user_has_no_more_than_that(void **state)
{
    struct budget budget = {0};
    struct spending user = {0};
    uint64_t count = 0;

    (void)state;
    budget_configure(&budget, RATE);
    for (int i = 0; i < 100; i++) {
        uint64_t session = 0;

        count += entries(&budget, &session, &user, START, BUDGET_SESSION_BURST);
    }
    assert_int_equal(count, BUDGET_USER_BURST);
    for (uint64_t sec = 1; sec <= 600; sec++) {
        uint64_t session = 0;

        count += entries(&budget, &session, &user, START + sec * USEC_PER_SEC, 1000);
    }
    assert_in_range(count, 0, BUDGET_USER_BURST + 600 * RATE * BUDGET_USER_RATE);
}

static void all_together_have_a_bound(void **state)
{
    struct budget budget = {0};
    uint64_t count = 0;

    (void)state;
    budget_configure(&budget, RATE);
    for (int i = 0; i < 100; i++) {
        struct spending user = {0};
        uint64_t session = 0;

        count += entries(&budget, &session, &user, START, BUDGET_SESSION_BURST);
    }
    assert_int_equal(count, BUDGET_ALL_BURST);
}

static void who_is_in_debt_costs_the_others_nothing(void **state)
{
    struct budget budget = {0};
    struct spending alice = {0}, bob = {0};
    uint64_t session = 0, other = 0;

    (void)state;
    budget_configure(&budget, RATE);
    (void)entries(&budget, &session, &alice, START, 1000000);
    assert_int_equal(entries(&budget, &other, &bob, START, BUDGET_SESSION_BURST),
                     BUDGET_SESSION_BURST);
}

static void each_kind_has_its_own(void **state)
{
    struct budget budget = {0};
    struct spending user = {0};

    (void)state;
    budget_configure(&budget, RATE);
    (void)entries(&budget, NULL, &user, START, 1000000);
    assert_false(budget_in_debt(&budget, BUDGET_SESSIONS, NULL, &user, START));
}

/* --- usage --- */

static void nobody_answers_for_another_user(void **state)
{
    struct usages usages = {0};
    struct usage *alice = usage_hold(&usages, ALICE), *twin = usage_hold(&usages, TWIN);

    (void)state;
    assert_ptr_not_equal(alice, twin);
    assert_ptr_equal(usage_hold(&usages, ALICE), alice);
    usages_clear(&usages);
}

static void coming_anew_does_not_help(void **state)
{
    struct usages usages = {0};
    struct usage *alice = usage_hold(&usages, ALICE);

    (void)state;
    alice->evictions = 7;
    usage_drop(alice);
    assert_int_equal(usage_hold(&usages, ALICE)->evictions, 7);
    usages_clear(&usages);
}

static void no_more_are_kept_than_are_here_and_a_few(void **state)
{
    struct usages usages = {0};
    struct usage *here = usage_hold(&usages, ALICE);
    size_t count = 0;

    (void)state;
    for (uid_t uid = ALICE + 1; uid < ALICE + 100 + USAGE_KEPT; uid++) {
        usage_drop(usage_hold(&usages, uid));
    }
    for (const struct usage *usage = usages.first; usage; usage = usage->next) {
        count++;
    }
    assert_int_equal(count, 1 + USAGE_KEPT);
    assert_int_equal(usages.idle, USAGE_KEPT);
    assert_ptr_equal(usage_hold(&usages, ALICE), here);
    usages_clear(&usages);
}

TEST_GROUP("test-budget")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_has_a_burst_and_then_the_rate),
        cmocka_unit_test(a_user_has_no_more_than_that),
        cmocka_unit_test(all_together_have_a_bound),
        cmocka_unit_test(who_is_in_debt_costs_the_others_nothing),
        cmocka_unit_test(each_kind_has_its_own),
        cmocka_unit_test(nobody_answers_for_another_user),
        cmocka_unit_test(coming_anew_does_not_help),
        cmocka_unit_test(no_more_are_kept_than_are_here_and_a_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
