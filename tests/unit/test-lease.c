/* SPDX-License-Identifier: MIT
 *
 * How long a lease is, by a clock of the test's own.
 */
#include "daemon/lease.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LENGTH UINT64_C(1000)
#define BEAT   UINT64_C(100)
#define START  UINT64_C(1000000)
#define NEVER  UINT64_MAX
#define NEWEST 50

/* A user with one subscriber, which all others wait for. */
struct play {
    struct lease_clock clock;
    struct hold hold;
    struct lease lease;
    uint64_t acknowledged;
};

static uint64_t end_of(const struct play *play)
{
    return lease_end(&play->lease, &play->hold, &play->clock, play->acknowledged, LENGTH);
}

/* Somebody waits from now on. */
static void hold(struct play *play, uint64_t now)
{
    lease_wait(&play->clock, true, now);
    hold_begin(&play->hold, &play->clock, play->acknowledged, NEWEST, now);
}

static void acknowledge(struct play *play, uint64_t number, uint64_t now)
{
    play->acknowledged = number;
    lease_renew(&play->lease, number < NEWEST, now);
}

static void who_owes_nothing_has_no_end(void **state)
{
    struct play play = {0};

    (void)state;
    assert_int_equal(end_of(&play), NEVER);
    lease_begin(&play.lease, START);
    assert_int_equal(end_of(&play), START + LENGTH);
    acknowledge(&play, NEWEST, START + 500);
    assert_int_equal(end_of(&play), NEVER);
}

static void what_is_owed_more_does_not_renew_it(void **state)
{
    struct play play = {0};

    (void)state;
    lease_begin(&play.lease, START);
    lease_begin(&play.lease, START + 500);
    assert_int_equal(end_of(&play), START + LENGTH);
}

static void where_nobody_waits_each_word_renews_it(void **state)
{
    struct play play = {0};

    (void)state;
    lease_begin(&play.lease, START);
    acknowledge(&play, 1, START + 900);
    assert_int_equal(end_of(&play), START + 900 + LENGTH);
}

static void where_somebody_waits_only_the_last_record_does(void **state)
{
    struct play play = {0};

    (void)state;
    lease_begin(&play.lease, START);
    hold(&play, START + 100);
    acknowledge(&play, 1, START + 900);
    acknowledge(&play, NEWEST - 1, START + 1000);
    assert_int_equal(end_of(&play), START + 100 + LENGTH);
    acknowledge(&play, NEWEST, START + 1050);
    assert_int_equal(end_of(&play), NEVER);
}

/* A moment in which nobody waits stretches it by that moment, and by nothing else. */
static void only_the_time_counts_in_which_somebody_waits(void **state)
{
    struct play play = {0};

    (void)state;
    hold(&play, START);
    acknowledge(&play, 1, START + 900);
    lease_wait(&play.clock, false, START + 900);
    assert_int_equal(end_of(&play), START + 900 + LENGTH); /* as if nobody had waited */
    hold(&play, START + 907);
    assert_int_equal(end_of(&play), START + 907 + LENGTH - 900);
}

/* However often it is asked whether somebody waits. */
static void who_waits_on_does_not_renew_it(void **state)
{
    struct play play = {0};

    (void)state;
    for (uint64_t now = START; now < START + 900; now += 100) {
        hold(&play, now);
    }
    assert_int_equal(end_of(&play), START + LENGTH);
}

/* Who has let the others go on has a lease for what stands there next. */
static void each_wait_has_a_lease_of_its_own(void **state)
{
    struct play play = {0};

    (void)state;
    hold(&play, START);
    acknowledge(&play, NEWEST, START + 900);
    hold_begin(&play.hold, &play.clock, NEWEST, NEWEST + 10, START + 900);
    assert_int_equal(end_of(&play), START + 900 + LENGTH);
    assert_true(hold_concerns(&play.hold, &play.clock, NEWEST));
}

/* Whoever comes: what others wait for already, they wait for no longer. */
static void who_comes_later_has_what_is_left(void **state)
{
    struct play play = {0};

    (void)state;
    hold(&play, START);
    hold(&play, START + 300);
    play.lease = (struct lease){0};
    lease_begin(&play.lease, START + 300);
    assert_int_equal(hold_waited(&play.hold, &play.clock, START + 300), 300);
    assert_int_equal(end_of(&play), START + LENGTH);
}

/* --- over a restart --- */

static void a_life_that_was_cut_short_counts(void **state)
{
    struct play play = {0};
    uint64_t now = START;

    (void)state;
    lease_clock_start(&play.clock, now, BEAT);
    lease_begin(&play.lease, lease_time(&play.clock, now));
    for (int life = 0; life < 10; life++) {
        now += BEAT;
        lease_clock_start(&play.clock, now, BEAT); /* was not seen meanwhile */
    }
    assert_true(end_of(&play) <= lease_time(&play.clock, now));
}

static void a_time_without_any_daemon_does_not(void **state)
{
    struct play play = {0};

    (void)state;
    lease_clock_start(&play.clock, START, BEAT);
    lease_begin(&play.lease, lease_time(&play.clock, START));
    lease_clock_start(&play.clock, START + 1000 * LENGTH, BEAT);
    assert_int_equal(end_of(&play) - lease_time(&play.clock, START + 1000 * LENGTH), LENGTH - BEAT);
}

static void what_cannot_be_is_forgotten(void **state)
{
    struct play play = {.clock = {.paused = NEVER, .seen = NEVER, .waiting = NEVER}};

    (void)state;
    lease_clock_start(&play.clock, START, BEAT);
    assert_int_equal(lease_time(&play.clock, START), START);
    for (int i = 0; i < 3; i++) {
        play.lease = (struct lease){.since = i == 0 ? START + 1 : 0,
                                    .hold.until = i == 1 ? NEWEST + 1 : 0,
                                    .hold.waited = i == 2 ? START : 0};
        lease_adopt(&play.lease, &play.clock, NEWEST, START);
        assert_int_equal(end_of(&play), NEVER);
        assert_int_equal(play.lease.hold.until + play.lease.hold.waited, 0);
    }
}

TEST_GROUP("test-lease")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_owes_nothing_has_no_end),
        cmocka_unit_test(what_is_owed_more_does_not_renew_it),
        cmocka_unit_test(where_nobody_waits_each_word_renews_it),
        cmocka_unit_test(where_somebody_waits_only_the_last_record_does),
        cmocka_unit_test(only_the_time_counts_in_which_somebody_waits),
        cmocka_unit_test(who_waits_on_does_not_renew_it),
        cmocka_unit_test(each_wait_has_a_lease_of_its_own),
        cmocka_unit_test(who_comes_later_has_what_is_left),
        cmocka_unit_test(a_life_that_was_cut_short_counts),
        cmocka_unit_test(a_time_without_any_daemon_does_not),
        cmocka_unit_test(what_cannot_be_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
