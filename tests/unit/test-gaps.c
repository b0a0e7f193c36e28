/* SPDX-License-Identifier: MIT
 *
 * Gaps: which of the records that a subscriber has lost belong to an acknowledgement, against a
 * count that remembers each of them.
 */
#include "lib/gaps.h"

#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_acknowledgement_has_what_was_lost_up_to_it(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    gaps_add(&gaps, 10, 3); /* 7 to 9 are lost */
    gaps_add(&gaps, 20, 5);
    gaps_add(&gaps, 30, 1);
    assert_int_equal(gaps.lost, 9);
    assert_int_equal(gaps_settle(&gaps, 6), 0);
    assert_int_equal(gaps_settle(&gaps, 10), 3);
    assert_int_equal(gaps.count, 2);
    assert_int_equal(gaps_settle(&gaps, 14), 3);
    assert_int_equal(gaps_settle(&gaps, 29), 8);
    assert_int_equal(gaps_settle(&gaps, 30), 9);
    assert_int_equal(gaps.count, 0);
    assert_int_equal(gaps_settle(&gaps, 31), 9);
}

/* "A new session counts from what was acknowledged in the one before." */
static void a_new_session_begins_with_what_is_not_acknowledged(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    gaps_add(&gaps, 10, 3);
    gaps_add(&gaps, 20, 5);
    gaps_add(&gaps, 30, 1);
    (void)gaps_settle(&gaps, 12);
    gaps_rebase(&gaps);
    assert_int_equal(gaps.lost, 6);
    assert_int_equal(gaps.settled, 0);
    assert_int_equal(gaps_settle(&gaps, 20), 5);
    assert_int_equal(gaps_settle(&gaps, 30), 6);
}

/* "GAPS_MAX: of more, the last ones become one": then some count later, and none is forgotten. */
static void of_too_many_the_last_become_one(void **state)
{
    struct gaps gaps = {0};

    (void)state;
    for (uint64_t i = 1; i <= GAPS_MAX + 10; i++) {
        gaps_add(&gaps, 10 * i, 1);
    }
    assert_int_equal(gaps.count, GAPS_MAX);
    assert_int_equal(gaps_settle(&gaps, 10 * (GAPS_MAX - 1)), GAPS_MAX - 1);
    assert_int_equal(gaps_settle(&gaps, 10 * (GAPS_MAX + 9)), GAPS_MAX - 1);
    assert_int_equal(gaps_settle(&gaps, 10 * (GAPS_MAX + 10)), GAPS_MAX + 10);
}

/* Losses, acknowledgements and new sessions as they come; at most GAPS_MAX gaps are open. */
static void whatever_comes_each_loss_counts_once(void **state)
{
    enum { RECORDS = 4000 };
    static bool lost[RECORDS + 1];
    struct gaps gaps = {0};
    uint64_t returned = 0, acknowledged = 0, told = 0, base = 0;
    unsigned seed = 1;

    (void)state;
    while (returned < RECORDS - 10) {
        unsigned skip = (unsigned)rand_r(&seed) % 4;

        for (unsigned i = 1; i <= skip; i++) {
            lost[returned + i] = true;
        }
        returned += skip + 1;
        if (skip > 0) {
            gaps_add(&gaps, returned, skip);
        }
        if (gaps.count == GAPS_MAX - 1 || rand_r(&seed) % 5 == 0) {
            uint64_t number =
                acknowledged + 1 + (uint64_t)rand_r(&seed) % (returned - acknowledged);

            while (lost[number]) { /* what is lost cannot be acknowledged by itself */
                number++;
            }
            for (; acknowledged < number; acknowledged++) {
                told += lost[acknowledged + 1];
            }
            assert_int_equal(gaps_settle(&gaps, number), told - base);
        }
        if (rand_r(&seed) % 50 == 0) {
            gaps_rebase(&gaps);
            base = told;
        }
    }
    assert_true(told > RECORDS / 4);
}

TEST_GROUP("test-gaps")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acknowledgement_has_what_was_lost_up_to_it),
        cmocka_unit_test(a_new_session_begins_with_what_is_not_acknowledged),
        cmocka_unit_test(of_too_many_the_last_become_one),
        cmocka_unit_test(whatever_comes_each_loss_counts_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
