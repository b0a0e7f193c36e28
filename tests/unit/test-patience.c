/* SPDX-License-Identifier: MIT
 *
 * How long to look before sleeping.
 */
#include "base/patience.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LIMIT 50

/* "What came within twice the limit might have been found awake." */
static void news_that_comes_soon_is_looked_for_again(void **state)
{
    (void)state;
    assert_int_equal(patience_learn(0, LIMIT, 0), LIMIT);
    assert_int_equal(patience_learn(0, LIMIT, 2 * LIMIT), LIMIT);
    assert_int_equal(patience_learn(LIMIT, LIMIT, 2 * LIMIT), LIMIT);
}

/* "Otherwise looking has cost a processor for nothing": soon nobody looks any more. */
static void news_that_comes_late_is_not(void **state)
{
    uint64_t learnt = LIMIT;

    (void)state;
    assert_int_equal(patience_learn(LIMIT, LIMIT, 2 * LIMIT + 1), LIMIT / 2);
    for (int i = 0; i < 6; i++) {
        learnt = patience_learn(learnt, LIMIT, UINT64_MAX);
    }
    assert_int_equal(learnt, 0);
}

/* A limit of 0, as on one processor. */
static void who_is_not_to_look_does_not(void **state)
{
    uint64_t now = clock_usec();
    struct patience patience = patience_begin(0, false, now);

    (void)state;
    assert_int_equal(patience_learn(0, 0, 0), 0);
    assert_int_equal(patience_learn(0, 0, UINT64_MAX), 0);
    assert_false(patience_lasts(&patience, &now));
}

TEST_GROUP("test-patience")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news_that_comes_soon_is_looked_for_again),
        cmocka_unit_test(news_that_comes_late_is_not),
        cmocka_unit_test(who_is_not_to_look_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
