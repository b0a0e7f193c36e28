/* SPDX-License-Identifier: MIT
 *
 * The records of each session, from the one where it started to the one where it ended: every hole
 * and every overlap is found, and what an entry about several sessions covers is no hole.
 */
#include "audit.h"

#include "client/ranges.h"

static void test_one_session(void **state)
{
    (void)state;
    started(1, 4);
    ack(1, 1, 4, 4);
    ack(2, 1, 5, 9);
    ended(1, 9);
    assert_whole();
    assert_int_equal(judge->users->sessions, 1);
}

/* Coming and going may be hidden: then the entries are taken as they are. */
static void test_without_events(void **state)
{
    (void)state;
    ack(1, 1, 4, 4);
    ack(2, 1, 5, 9);
    assert_whole();
}

static void test_nothing_acknowledged(void **state)
{
    (void)state;
    started(1, 4);
    ended(1, 3);
    started(2, 9);
    ended(3, 12); /* it started, and acknowledged, before the journal begins */
    assert_whole();
}

static void test_hole(void **state)
{
    (void)state;
    ack(1, 1, 1, 3);
    ack(2, 1, 7, 9);
    assert_only_fault(FAULT_HOLE, 4, 6);
    assert_int_equal(judge->faults[FAULT_HOLE].listed[0].session, 1);
}

static void test_hole_at_the_beginning(void **state)
{
    (void)state;
    started(1, 1);
    ack(1, 1, 3, 5);
    assert_only_fault(FAULT_HOLE, 1, 2);
}

static void test_hole_at_the_end(void **state)
{
    (void)state;
    ack(1, 1, 3, 5);
    ended(1, 8);
    assert_only_fault(FAULT_HOLE, 6, 8);
}

static void test_hole_is_all(void **state)
{
    (void)state;
    started(1, 3);
    ended(1, 8);
    assert_only_fault(FAULT_HOLE, 3, 8);
}

/* The end is sent at once, what was acknowledged before it waits in a queue. */
static void test_end_has_just_come(void **state)
{
    struct claim claim =
        claim_of(DAEMON, "SHMD_EVENT=session-ended\nSHMD_SESSION=1\nSHMD_RECORD_LAST=8\n" OF_ALICE);

    (void)state;
    ack(1, 1, 3, 5);
    claim.usec = NOW_USEC - SETTLE_USEC + 1;
    assert_int_equal(judge_take(judge, &claim), 0);
    assert_whole();
}

/* It came while the journal was read. */
static void test_end_comes_only_now(void **state)
{
    struct claim claim =
        claim_of(DAEMON, "SHMD_EVENT=session-ended\nSHMD_SESSION=1\nSHMD_RECORD_LAST=8\n" OF_ALICE);

    (void)state;
    ack(1, 1, 3, 5);
    claim.usec = NOW_USEC + 2 * SETTLE_USEC;
    judge->read_usec = claim.usec;
    assert_int_equal(judge_take(judge, &claim), 0);
    assert_whole();
}

/* The clock was ahead: an end that has not yet come says nothing about how old it is. */
static void test_end_is_yet_to_come(void **state)
{
    struct claim claim =
        claim_of(DAEMON, "SHMD_EVENT=session-ended\nSHMD_SESSION=1\nSHMD_RECORD_LAST=8\n" OF_ALICE);

    (void)state;
    ack(1, 1, 3, 5);
    claim.usec = NOW_USEC + 1;
    assert_int_equal(judge_take(judge, &claim), 0);
    assert_only_fault(FAULT_HOLE, 6, 8);
}

/* A session can be evicted, and be sent away. */
static void test_other_ends(void **state)
{
    static const char *const events[] = {"evicted", "refused"};

    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        ack(i + 1, i, 1, 1);
        entry("SHMD_EVENT=session-%s\nSHMD_SESSION=%" PRIu64 "\nSHMD_RECORD_LAST=3\n" OF_ALICE,
              events[i], i);
    }
    entry("SHMD_EVENT=session-refused\nSHMD_SESSION=7\n" OF_ALICE); /* never subscribed */
    judge_finish(judge);
    assert_int_equal(judge->faults[FAULT_HOLE].total, 4);
    assert_int_equal(judge->faults[FAULT_HOLE].places, 2);
    assert_int_equal(judge->users->sessions, 2);
}

static void test_overlap(void **state)
{
    (void)state;
    ack(1, 1, 1, 3);
    ack(2, 1, 3, 5);
    assert_only_fault(FAULT_OVERLAP, 3, 5);
}

static void test_overlap_before_the_beginning(void **state)
{
    (void)state;
    ack(1, 1, 1, 3);
    started(1, 3);
    assert_only_fault(FAULT_OVERLAP, 1, 2);
}

static void test_overlap_behind_the_end(void **state)
{
    (void)state;
    ended(1, 3);
    ack(1, 1, 1, 5);
    assert_only_fault(FAULT_OVERLAP, 4, 5);
}

/* A session that was settled acknowledges no more. */
static void test_overlap_after_the_end(void **state)
{
    (void)state;
    started(1, 1);
    ack(1, 1, 1, 3);
    ended(1, 3);
    ack(2, 1, 1, 3);
    assert_only_fault(FAULT_OVERLAP, 1, 3);
}

/* Other sessions, other ranges. */
static void test_sessions_side_by_side(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 30; i++) {
        ack(i, i % 3, (i - 1) / 3 + 1, (i - 1) / 3 + 1);
    }
    assert_whole();
    assert_int_equal(judge->users->sessions, 3);
}

/* What was lost to a session is part of its range. */
static void test_lost(void **state)
{
    (void)state;
    ack(1, 1, 1, 3);
    entry(ACK "SHMD_LOST=4\nSHMD_SESSION=1\n" OF_ALICE, UINT64_C(2), UINT64_C(4), UINT64_C(9),
          UINT64_C(2));
    ack(3, 1, 10, 10);
    assert_whole();
    assert_int_equal(judge->users->amount.records, 6);
    assert_int_equal(judge->users->amount.lost, 4);
}

/* --- resuming --- */

static void resumed(uint64_t session, uint64_t before, uint64_t first)
{
    entry("SHMD_EVENT=session-started\nSHMD_SESSION=%" PRIu64 "\nSHMD_RESUMES=%" PRIu64
          "\nSHMD_RECORD_FIRST=%" PRIu64 "\n" OF_ALICE,
          session, before, first);
}

static void test_resumed(void **state)
{
    (void)state;
    ack(1, 1, 1, 3);
    resumed(2, 1, 6);
    ack(2, 1, 4, 5); /* it waited in the queue */
    ack(3, 2, 6, 7);
    assert_whole();
}

static void test_resumed_behind_a_hole(void **state)
{
    (void)state;
    ack(1, 1, 1, 3);
    resumed(2, 1, 6);
    ack(2, 2, 6, 7);
    assert_only_fault(FAULT_HOLE, 4, 5);
    assert_int_equal(judge->faults[FAULT_HOLE].listed[0].session, 1);
}

static void test_resumed_with_an_overlap(void **state)
{
    (void)state;
    ack(1, 1, 1, 5);
    resumed(2, 1, 4);
    ack(2, 2, 4, 7);
    assert_only_fault(FAULT_OVERLAP, 4, 5);
}

/* --- entries about several sessions --- */

/* Of the user `uid`; of several users for 0. */
static void several(uint64_t sequence, uint64_t uid, uint64_t first, uint64_t last)
{
    char user[64] = "";

    if (uid) {
        (void)snprintf(user, sizeof(user), "\nSHMD_CLIENT_UID=%" PRIu64, uid);
    }
    entry(ACK "SHMD_CLIENT_VERIFIED=yes%s", sequence, first, last, UINT64_C(100), user);
}

static void test_covered(void **state)
{
    (void)state;
    started(1, 1);
    several(1, 1000, 1, 3);
    ack(2, 1, 4, 5);
    several(3, 1000, 5, 8); /* another session had 5 */
    ack(4, 1, 9, 9);
    several(5, 1000, 10, 12);
    ended(1, 12);
    assert_whole();
    assert_int_equal(judge->users->sessions, 1);
}

static void test_covered_in_part(void **state)
{
    (void)state;
    ack(1, 1, 1, 1);
    several(2, 1000, 2, 3);
    several(3, 1001, 2, 9); /* of another user */
    ack(4, 1, 6, 9);
    assert_only_fault(FAULT_HOLE, 4, 5);
}

/* What several users share, and what one of them has, cover together. */
static void test_covered_together(void **state)
{
    (void)state;
    ack(1, 1, 1, 1);
    several(2, 0, 2, 3);
    several(3, 1000, 4, 5);
    several(4, 0, 6, 6);
    several(5, 1000, 8, 9);
    ack(6, 1, 10, 10);
    assert_only_fault(FAULT_HOLE, 7, 7);
}

/* Today's entries, without SHMD_SESSION and SHMD_RECORD_FIRST of a session. */
static void test_entries_without_sessions(void **state)
{
    (void)state;
    entry("SHMD_EVENT=session-started\nSHMD_SESSION=1\n" OF_ALICE);
    several(1, 1000, 1, 3);
    several(2, 1000, 4, 4);
    ended(1, 4);
    assert_whole();
    assert_int_equal(judge->users->sessions, 1);
}

TEST_GROUP("test-ranges")
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_session),
        TEST(test_without_events),
        TEST(test_nothing_acknowledged),
        TEST(test_hole),
        TEST(test_hole_at_the_beginning),
        TEST(test_hole_at_the_end),
        TEST(test_hole_is_all),
        TEST(test_end_has_just_come),
        TEST(test_end_comes_only_now),
        TEST(test_end_is_yet_to_come),
        TEST(test_other_ends),
        TEST(test_overlap),
        TEST(test_overlap_before_the_beginning),
        TEST(test_overlap_behind_the_end),
        TEST(test_overlap_after_the_end),
        TEST(test_sessions_side_by_side),
        TEST(test_lost),
        TEST(test_resumed),
        TEST(test_resumed_behind_a_hole),
        TEST(test_resumed_with_an_overlap),
        TEST(test_covered),
        TEST(test_covered_in_part),
        TEST(test_covered_together),
        TEST(test_entries_without_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
