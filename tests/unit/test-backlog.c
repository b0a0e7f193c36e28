/* SPDX-License-Identifier: MIT
 *
 * What is not confirmed when a session ends, in the order in which it was handed in, however often
 * that happens.
 */
#include "lib/backlog.h"

#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct backlog backlog;
    void *queue;
    size_t size;
    struct ring_writer writer;
};

static void begin_queue(struct fixture *f, uint64_t first)
{
    static const uint8_t epoch[16] = {1};

    f->size = QUEUE_SIZE_MIN;
    free(f->queue);
    f->queue = aligned_alloc(4096, f->size);
    assert_non_null(f->queue);
    memset(f->queue, 0, f->size);
    queue_format(f->queue, f->size, epoch, first);
    f->writer = queue_writer(f->queue, f->size, first);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    begin_queue(f, 1);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    backlog_clear(&f->backlog);
    free(f->queue);
    free(f);
    return 0;
}

static void hand_in(struct fixture *f, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char text[32];
        int length =
            snprintf(text, sizeof(text), "record %llu", (unsigned long long)f->writer.number);

        assert_true(ring_has_room(&f->writer, (uint64_t)length));
        memcpy(ring_reserve(&f->writer, (uint64_t)length), text, (size_t)length);
        (void)ring_commit(&f->writer, (uint64_t)length);
    }
}

static void gather(struct fixture *f, uint64_t confirmed)
{
    assert_int_equal(
        backlog_gather(&f->backlog, f->queue, f->size, confirmed, f->writer.number - 1), 0);
}

/* It holds the records first…last, and takes them out. */
static void assert_holds(struct fixture *f, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++) {
        char text[32];
        size_t length;
        const char *bytes;

        assert_false(backlog_is_empty(&f->backlog));
        assert_int_equal(f->backlog.next.number, number);
        bytes = backlog_peek(&f->backlog, &length);
        (void)snprintf(text, sizeof(text), "record %llu", (unsigned long long)number);
        assert_int_equal(length, strlen(text));
        assert_memory_equal(bytes, text, length);
        backlog_advance(&f->backlog);
    }
    assert_true(backlog_is_empty(&f->backlog));
}

static void nothing_is_nothing(void **state)
{
    struct fixture *f = *state;

    gather(f, 0);
    assert_true(backlog_is_empty(&f->backlog));
    hand_in(f, 3);
    gather(f, 3);
    assert_true(backlog_is_empty(&f->backlog));
}

static void what_is_not_confirmed_is_kept(void **state)
{
    struct fixture *f = *state;

    hand_in(f, 5);
    gather(f, 2);
    assert_holds(f, 3, 5);
}

/* Records that were written over: the tail is where it begins. Each takes a line. */
static void a_queue_that_has_gone_round_is_read_from_its_tail(void **state)
{
    struct fixture *f = *state;
    uint64_t confirmed = 0;

    for (int i = 0; i < 3000; i++) {
        queue_release(&f->writer, confirmed * RING_LINE);
        hand_in(f, 1);
        confirmed = f->writer.number > 10 ? f->writer.number - 10 : 0;
    }
    gather(f, confirmed);
    assert_holds(f, confirmed + 1, f->writer.number - 1);
}

/* The next session takes a part of it, and ends: both parts come together again. */
static void what_was_left_over_comes_behind(void **state)
{
    struct fixture *f = *state;

    hand_in(f, 10);
    gather(f, 0);
    begin_queue(f, 3); /* the daemon had 1 and 2 */
    backlog_confirm(&f->backlog, 2);
    hand_in(f, 4);
    for (int i = 0; i < 4; i++) {
        backlog_advance(&f->backlog);
    }
    assert_int_equal(f->backlog.next.number, 7);
    gather(f, 4);
    assert_holds(f, 5, 10);
}

/* Of a record that does not fit any more, the queue has only the number; but it may fit again. */
static void what_does_not_fit_is_kept_until_it_is_confirmed(void **state)
{
    struct fixture *f = *state;

    hand_in(f, 3);
    gather(f, 0);
    begin_queue(f, 1);
    for (uint64_t number = 1; number <= 3; number++) {
        size_t length;

        (void)backlog_peek(&f->backlog, &length);
        queue_leave_out(&f->writer, length);
        backlog_advance(&f->backlog);
    }
    assert_true(backlog_is_empty(&f->backlog));
    hand_in(f, 2);
    backlog_confirm(&f->backlog, 1);
    gather(f, 1);
    assert_holds(f, 2, 5);
    gather(f, 1);
    assert_holds(f, 2, 5);
    backlog_confirm(&f->backlog, 5);
    assert_null(f->backlog.bytes);
}

static void what_is_known_to_be_published_is_dropped(void **state)
{
    struct fixture *f = *state;

    hand_in(f, 5);
    gather(f, 0);
    backlog_confirm(&f->backlog, 0);
    backlog_confirm(&f->backlog, 4);
    assert_holds(f, 5, 5);
    backlog_confirm(&f->backlog, 9);
    assert_true(backlog_is_empty(&f->backlog));
}

TEST_GROUP("test-backlog")
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_nothing),
        TEST(what_is_not_confirmed_is_kept),
        TEST(a_queue_that_has_gone_round_is_read_from_its_tail),
        TEST(what_was_left_over_comes_behind),
        TEST(what_does_not_fit_is_kept_until_it_is_confirmed),
        TEST(what_is_known_to_be_published_is_dropped),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
