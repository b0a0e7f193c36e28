/* SPDX-License-Identifier: MIT
 *
 * Cursors: after a death between the queue and a cursor, the cursor is where the queue is.
 */
#include "daemon/cursor.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct cursors cursors;
static struct acklog acklog;

static int set_up(void **state)
{
    (void)state;
    memset(&cursors, 0, sizeof(cursors));
    memset(&acklog, 0, sizeof(acklog));
    return 0;
}

static struct cursor *make(uint32_t session, uint64_t logged, uint64_t lost)
{
    struct cursor *cursor = cursors_find_free(&cursors);

    assert_non_null(cursor);
    *cursor = (struct cursor){.logged = logged, .lost = lost};
    cursor_claim(cursor, session);
    return cursor;
}

static void push(uint32_t session, uint64_t last, uint64_t lost)
{
    struct ack ack = {.record_first = last,
                      .record_last = last,
                      .records = 1,
                      .lost = lost,
                      .session = session,
                      .verified = session > 0};

    acklog_push(&acklog, ACKLOG_ENTRIES, &ack);
}

static void assert_at(const struct cursor *cursor, uint64_t logged, uint64_t lost)
{
    assert_int_equal(cursor->logged, logged);
    assert_int_equal(cursor->lost, lost);
}

/* --- who has one --- */

static void a_cursor_is_free_until_it_is_claimed(void **state)
{
    struct cursor *first = cursors_find_free(&cursors);

    (void)state;
    first->logged = 99; /* not whole yet */
    assert_ptr_equal(cursors_find_free(&cursors), first);
    cursor_claim(first, 7);
    assert_int_equal(first->session, 7);
    assert_ptr_not_equal(cursors_find_free(&cursors), first);
    cursor_release(first);
    assert_ptr_equal(cursors_find_free(&cursors), first);
}

static void there_are_as_many_as_is_said(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= CURSORS_MAX; i++) {
        (void)make(i, 0, 0);
    }
    assert_null(cursors_find_free(&cursors));
    cursor_release(&cursors.all[CURSORS_MAX / 2]);
    assert_ptr_equal(cursors_find_free(&cursors), &cursors.all[CURSORS_MAX / 2]);
}

/* --- after a death --- */

/* "Killed in between, the newest entry of the queue is ahead of its cursor" */
static void killed_between_queue_and_cursor_the_cursor_moves(void **state)
{
    struct cursor *cursor = make(7, 10, 2);

    (void)state;
    push(7, 15, 3);
    cursors_settle(&cursors, &acklog);
    assert_at(cursor, 15, 3);
    cursors_settle(&cursors, &acklog); /* killed again, right behind that */
    assert_at(cursor, 15, 3);
}

/* What it lost is stored first. */
static void killed_between_lost_and_logged_the_cursor_moves(void **state)
{
    struct cursor *cursor = make(7, 10, 3);

    (void)state;
    push(7, 15, 3);
    cursors_settle(&cursors, &acklog);
    assert_at(cursor, 15, 3);
}

/* The entry may be on its way, or sent. */
static void what_was_sent_counts_too(void **state)
{
    struct cursor *cursor = make(7, 10, 0);

    (void)state;
    push(7, 15, 0);
    acklog_pop(&acklog);
    cursors_settle(&cursors, &acklog);
    assert_at(cursor, 15, 0);
}

static void the_cursor_of_another_session_stays(void **state)
{
    struct cursor *before = make(6, 10, 0);
    struct cursor *cursor = make(7, 10, 0);
    struct cursor *after = make(8, 10, 0);

    (void)state;
    push(6, 10, 0); /* which its cursor knows of */
    push(7, 20, 1);
    cursors_settle(&cursors, &acklog);
    assert_at(before, 10, 0);
    assert_at(cursor, 20, 1);
    assert_at(after, 10, 0);
}

static void a_cursor_never_goes_back(void **state)
{
    struct cursor *cursor = make(7, 20, 5);

    (void)state;
    push(7, 15, 3);
    cursors_settle(&cursors, &acklog);
    assert_at(cursor, 20, 5);
}

static void without_an_entry_there_is_nothing_to_settle(void **state)
{
    struct cursor *cursor = make(7, 10, 1);

    (void)state;
    cursors_settle(&cursors, &acklog);
    assert_at(cursor, 10, 1);
}

/* An anonymous acknowledgement has no session: nor has a cursor that is free. */
static void an_anonymous_entry_moves_no_cursor(void **state)
{
    struct cursor *cursor = make(7, 10, 1);

    (void)state;
    push(0, 99, 0);
    cursors_settle(&cursors, &acklog);
    assert_at(cursor, 10, 1);
    for (size_t i = 1; i < CURSORS_MAX; i++) {
        assert_at(&cursors.all[i], 0, 0);
    }
}

/* It ended in the meantime: nobody gets what was its. */
static void a_session_that_is_gone_has_nothing_to_settle(void **state)
{
    struct cursor *gone = make(7, 10, 1);

    (void)state;
    push(7, 15, 2);
    cursor_release(gone);
    cursors_settle(&cursors, &acklog);
    assert_at(gone, 10, 1);
    assert_int_equal(gone->session, 0);
}

/* The queue was full: the newest entry is still as it was pushed. */
static void a_full_queue_is_settled_likewise(void **state)
{
    struct cursor *cursor = make(7, 0, 0);

    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        struct ack ack = {.record_first = i,
                          .record_last = i,
                          .records = 1,
                          .session = i % 2 ? 8 : 7,
                          .verified = 1};

        acklog_push(&acklog, 4, &ack);
        cursors_settle(&cursors, &acklog);
        assert_int_equal(cursor->logged, i % 2 ? i - 1 : i);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

TEST_GROUP("test-cursor")
{
    const struct CMUnitTest tests[] = {
        TEST(a_cursor_is_free_until_it_is_claimed),
        TEST(there_are_as_many_as_is_said),
        TEST(killed_between_queue_and_cursor_the_cursor_moves),
        TEST(killed_between_lost_and_logged_the_cursor_moves),
        TEST(what_was_sent_counts_too),
        TEST(the_cursor_of_another_session_stays),
        TEST(a_cursor_never_goes_back),
        TEST(without_an_entry_there_is_nothing_to_settle),
        TEST(an_anonymous_entry_moves_no_cursor),
        TEST(a_session_that_is_gone_has_nothing_to_settle),
        TEST(a_full_queue_is_settled_likewise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
