/* SPDX-License-Identifier: MIT
 *
 * When to ask the source.
 */
#include "daemon/refill.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* "Nobody is asked before a record is wanted, and never twice at a time." */
static void the_source_is_asked_once_at_a_time(void **state)
{
    struct refill refill = {0};

    (void)state;
    assert_true(refill_wanted(&refill));
    assert_false(refill_wanted(&refill));
    refill_delivered(&refill);
    assert_true(refill_wanted(&refill));
}

/* A source that failed is asked by the timer, by nobody else. */
static void a_failure_is_no_answer(void **state)
{
    struct refill refill = {0};

    (void)state;
    assert_true(refill_wanted(&refill));
    (void)refill_failed(&refill);
    assert_false(refill_wanted(&refill));
}

/* "After one failure it asks again at once; if failures go on, the pauses double up to the most."
 */
static void pauses_double_up_to_their_limit(void **state)
{
    static const uint64_t msec[] = {0,   10,   20,   40,   80,    160,   320,
                                    640, 1280, 2560, 5120, 10000, 10000, 10000};
    struct refill refill = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(msec) / sizeof(msec[0]); i++) {
        assert_int_equal(refill_failed(&refill), msec[i] * 1000);
    }
}

static void pauses_stay_at_their_limit_for_ever(void **state)
{
    struct refill refill = {0};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t pause = refill_failed(&refill);

        assert_int_equal(i < 11 ? REFILL_PAUSE_MAX : pause, REFILL_PAUSE_MAX);
    }
}

/* "A delivery forgets the failures." */
static void a_delivery_forgets_the_failures(void **state)
{
    struct refill refill = {0};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        (void)refill_failed(&refill);
    }
    refill_delivered(&refill);
    assert_int_equal(refill_failed(&refill), 0);
    assert_int_equal(refill_failed(&refill), REFILL_PAUSE_MIN);
}

TEST_GROUP("test-refill")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_asked_once_at_a_time),
        cmocka_unit_test(a_failure_is_no_answer),
        cmocka_unit_test(pauses_double_up_to_their_limit),
        cmocka_unit_test(pauses_stay_at_their_limit_for_ever),
        cmocka_unit_test(a_delivery_forgets_the_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
