/* SPDX-License-Identifier: MIT
 *
 * What was let go, on its way to the journal: nothing of it is forgotten or told twice, whenever
 * the daemon is killed.
 */
#include "daemon/untold.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_is(const struct untold_records *records, uint64_t first, uint64_t last,
                      uint64_t count)
{
    assert_int_equal(records->first, first);
    assert_int_equal(records->last, last);
    assert_int_equal(records->records, count);
}

static void what_is_let_go_meanwhile_waits_for_the_next_entry(void **state)
{
    struct untold untold = {0};
    struct untold_records going;

    (void)state;
    assert_true(untold_is_empty(&untold));
    assert_false(untold_go(&untold, &going));
    untold_add(&untold, 1, 10, UNREAD_LEFT_BEHIND);
    assert_false(untold_is_empty(&untold));
    assert_true(untold_go(&untold, &going));
    untold_add(&untold, 11, 20, UNREAD_LEFT_BEHIND);
    untold_add(&untold, 31, 35, UNREAD_REMOVED);
    assert_true(untold_go(&untold, &going)); /* sent once more */
    assert_is(&going, 1, 10, 10);
    untold_arrived(&untold);
    assert_true(untold_go(&untold, &going));
    assert_is(&going, 11, 35, 15);
    assert_int_equal(going.why, UNREAD_REMOVED);
    untold_arrived(&untold);
    assert_true(untold_is_empty(&untold));
    assert_int_equal(untold_now(&untold)->last, 35);
}

static void let_go_and_tell(void *userdata)
{
    struct untold *untold = userdata;
    struct untold_records going;

    untold_add(untold, 11, 20, UNREAD_LEFT_BEHIND);
    (void)untold_go(untold, &going);
    untold_arrived(untold);
}

/* Of the ten that waited and the ten that follow, all wait, or all go, or all have arrived. */
static bool all_are_there(void *userdata)
{
    const struct untold_version *now = untold_now(userdata);
    uint64_t waiting = now->waiting.records, going = now->going.records;

    if (now->last == 10) {
        return waiting == 10 && going == 0;
    }
    return now->last == 20 && ((waiting == 20 && going == 0) || (waiting == 0 && going == 20) ||
                               (waiting == 0 && going == 0));
}

static void killed_at_any_instruction_all_are_there(void **state)
{
    struct untold *untold = shared_new(sizeof(*untold));
    long steps;

    (void)state;
    untold_add(untold, 1, 10, UNREAD_LEFT_BEHIND);
    steps = step_through(let_go_and_tell, all_are_there, untold);
    if (steps < 0) {
        SKIP("no process can be stepped through");
    }
    assert_true(steps > 0);
    assert_true(untold_is_empty(untold));
}

TEST_GROUP("test-untold")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_let_go_meanwhile_waits_for_the_next_entry),
        cmocka_unit_test(killed_at_any_instruction_all_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
