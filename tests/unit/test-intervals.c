/* SPDX-License-Identifier: MIT
 *
 * Sets of numbers as intervals, against a set that is nothing but an array of flags.
 */
#include "client/intervals.h"

#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NUMBERS 60
#define ROUNDS  3000

static void test_neighbours_become_one(void **state)
{
    struct intervals set = {0};

    (void)state;
    assert_int_equal(intervals_add(&set, 1, 3), 0);
    assert_int_equal(intervals_add(&set, 7, 9), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(intervals_add(&set, 4, 6), 0);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.items[0].first, 1);
    assert_int_equal(set.items[0].last, 9);
    assert_int_equal(intervals_add(&set, 9, 9), 1);
    intervals_free(&set);
}

static void test_the_ends_of_the_numbers(void **state)
{
    struct intervals set = {0};
    struct interval gap;

    (void)state;
    assert_true(intervals_gap(&set, 0, UINT64_MAX, &gap));
    assert_int_equal(interval_size(gap), UINT64_MAX);
    assert_int_equal(intervals_add(&set, UINT64_MAX, UINT64_MAX), 0);
    assert_int_equal(intervals_add(&set, 0, 0), 0);
    assert_int_equal(intervals_add(&set, UINT64_MAX, UINT64_MAX), 1);
    assert_int_equal(intervals_add(&set, 0, 0), 1);
    assert_int_equal(set.count, 2);
    assert_true(intervals_gap(&set, 0, UINT64_MAX, &gap));
    assert_int_equal(gap.first, 1);
    assert_int_equal(gap.last, UINT64_MAX - 1);
    assert_int_equal(intervals_add(&set, 1, UINT64_MAX - 1), 0);
    assert_int_equal(set.count, 1);
    assert_false(intervals_gap(&set, 0, UINT64_MAX, &gap));
    assert_false(intervals_gap(&set, UINT64_MAX, UINT64_MAX, &gap));
    intervals_free(&set);
}

/* The next gap, number by number. */
static int gap_of_flags(const int *flags, uint64_t first, uint64_t last, struct interval *ret)
{
    while (first <= last && flags[first]) {
        first++;
    }
    if (first > last) {
        return 0;
    }
    *ret = (struct interval){first, first};
    while (ret->last < last && !flags[ret->last + 1]) {
        ret->last++;
    }
    return 1;
}

static void test_as_flags(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct intervals set = {0};
        int flags[NUMBERS] = {0};

        for (int i = 0; i < 12; i++) {
            uint64_t first = (uint64_t)rand_r(&seed) % NUMBERS;
            uint64_t last = first + (uint64_t)rand_r(&seed) % 6;
            struct interval gap, expected;
            int known = 0;
            size_t runs = 0;

            last = last < NUMBERS ? last : NUMBERS - 1;
            for (uint64_t n = first; n <= last; n++) {
                known |= flags[n];
                flags[n] = 1;
            }
            assert_int_equal(intervals_add(&set, first, last), known);
            for (int n = 0; n < NUMBERS; n++) {
                runs += flags[n] && (n == 0 || !flags[n - 1]);
            }
            assert_int_equal(set.count, runs);
            first = (uint64_t)rand_r(&seed) % NUMBERS;
            last = first + (uint64_t)rand_r(&seed) % (NUMBERS - first);
            assert_int_equal(intervals_gap(&set, first, last, &gap),
                             gap_of_flags(flags, first, last, &expected));
            if (gap_of_flags(flags, first, last, &expected)) {
                assert_int_equal(gap.first, expected.first);
                assert_int_equal(gap.last, expected.last);
            }
        }
        intervals_free(&set);
    }
}

TEST_GROUP("test-intervals")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_become_one),
        cmocka_unit_test(test_the_ends_of_the_numbers),
        cmocka_unit_test(test_as_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
