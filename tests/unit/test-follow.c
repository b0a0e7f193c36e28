/* SPDX-License-Identifier: MIT
 *
 * Following a ring without a session: each record once or counted as lost, and no step beyond the
 * segment, whatever stands in it. The segment is memory of the exact size, so that a sanitizer sees
 * such a step.
 */
#include "lib/follow.h"
#include "proto/writer.h"
#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIZE ((size_t)4096 + sizeof(struct ring_header))

struct fixture {
    char *segment;
    struct ring_writer writer;
    struct follower follower;
    char *buffer; /* of the exact size, too */
    size_t length;
};

static void format(struct fixture *f, uint8_t epoch, uint64_t number)
{
    const uint8_t bytes[16] = {epoch};

    ring_format(&f->writer, f->segment, SIZE, bytes, RING_OVERWRITE, number);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->segment = aligned_alloc(64, SIZE);
    assert_non_null(f->segment);
    memset(f->segment, 0, SIZE);
    format(f, 1, 1);
    assert_int_equal(follower_start(&f->follower, f->segment, SIZE), 0);
    f->buffer = malloc(follower_record_max(&f->follower));
    assert_non_null(f->buffer);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    free(f->buffer);
    free(f->segment);
    free(f);
    return 0;
}

/* Each record begins with its number, and has a length that goes with it. */
static size_t length_of(uint64_t number)
{
    return sizeof(number) + number * 37 % 900;
}

static void publish(struct fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = f->writer.number;
        size_t length = length_of(number);
        char *room;

        while (!ring_has_room(&f->writer, length)) {
            ring_drop_oldest(&f->writer);
        }
        room = ring_reserve(&f->writer, length);
        memset(room, (int)number, length);
        memcpy(room, &number, sizeof(number));
        assert_int_equal(ring_commit(&f->writer, length), number);
    }
}

static int take(struct fixture *f)
{
    return follower_take(&f->follower, f->buffer, &f->length);
}

static void assert_takes(struct fixture *f, uint64_t number, uint64_t lost)
{
    uint64_t stands;

    assert_int_equal(take(f), 0);
    assert_int_equal(f->follower.number, number);
    assert_int_equal(f->follower.lost, lost);
    assert_int_equal(f->length, length_of(number));
    memcpy(&stands, f->buffer, sizeof(stands));
    assert_int_equal(stands, number);
    for (size_t i = sizeof(stands); i < f->length; i++) {
        assert_int_equal(f->buffer[i], (char)number);
    }
}

static void test_start(void **state)
{
    struct fixture *f = *state;
    struct follower other;

    assert_int_equal(follower_start(&other, f->segment, RING_SIZE_MIN - 1), -EAGAIN);
    assert_int_equal(follower_start(&other, f->segment, SIZE + 4096), -EPROTO);
    f->writer.header->version++;
    assert_int_equal(follower_start(&other, f->segment, SIZE), -EPROTO);
    atomic_store(&f->writer.header->magic, 0);
    assert_int_equal(follower_start(&other, f->segment, SIZE), -EAGAIN);
}

/* Through many turns of the ring. */
static void test_each_record_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(take(f), -EAGAIN);
    assert_int_equal(follower_oldest_length(&f->follower), -EAGAIN);
    for (uint64_t number = 1; number <= 500; number++) {
        publish(f, 1);
        assert_takes(f, number, 0);
        assert_int_equal(take(f), -EAGAIN);
    }
}

/* What is taken and what is lost is all there was, however far it fell behind. */
static void test_losses_are_exact(void **state)
{
    struct fixture *f = *state;
    uint64_t last = 0;

    for (size_t behind = 1; behind < 60; behind++) {
        publish(f, behind);
        while (take(f) == 0) {
            assert_int_equal(f->follower.number, last + f->follower.lost + 1);
            last = f->follower.number;
        }
        assert_int_equal(last, f->writer.number - 1);
    }
}

/* A ring that waits moves its tail past records whose bytes still stand there: lost all the same.
 */
static void test_released_records(void **state)
{
    struct fixture *f = *state;

    publish(f, 3);
    assert_takes(f, 1, 0);
    ring_drop_oldest(&f->writer);
    ring_drop_oldest(&f->writer);
    publish(f, 1);
    assert_takes(f, 3, 1);
    /* All of them, and for a moment there is none. */
    while (ring_oldest(&f->writer)) {
        ring_drop_oldest(&f->writer);
    }
    (void)ring_reserve(&f->writer, 8);
    assert_int_equal(take(f), -EAGAIN);
    publish(f, 1);
    assert_takes(f, 5, 1);
}

static void test_skip(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(follower_skip(&f->follower), 0);
    publish(f, 40);
    assert_int_equal(follower_skip(&f->follower), 0);
    assert_int_equal(take(f), -EAGAIN);
    publish(f, 1);
    assert_takes(f, 41, 0);
    publish(f, 40);
    assert_int_equal(follower_skip(&f->follower), 0);
    publish(f, 1);
    assert_takes(f, 82, 0);
}

/* The same numbers at the same places, but in another epoch. */
static void test_another_ring_in_the_same_place(void **state)
{
    struct fixture *f = *state;

    publish(f, 3);
    assert_takes(f, 1, 0);
    format(f, 2, 1);
    publish(f, 3);
    assert_int_equal(take(f), -ENOLINK);
    assert_int_equal(follower_skip(&f->follower), -ENOLINK);
}

static void test_another_ring_that_is_empty(void **state)
{
    struct fixture *f = *state;

    publish(f, 1);
    assert_takes(f, 1, 0);
    format(f, 2, 1);
    assert_int_equal(take(f), -ENOLINK);
}

/* --- a segment of the same shape, from a stranger --- */

static struct ring_record *place(struct fixture *f, uint64_t position)
{
    return ring_writer_at(&f->writer, position);
}

static void test_stranger_length_beyond_the_data(void **state)
{
    struct fixture *f = *state;
    uint64_t last = f->writer.capacity - RING_LINE;

    atomic_store(&f->writer.header->tail, last);
    atomic_store(&place(f, last)->number, 1);
    place(f, last)->length = 49;
    assert_int_equal(take(f), -EAGAIN);
    place(f, last)->length = 48;
    assert_int_equal(take(f), 0);
}

static void test_stranger_length_of_no_record(void **state)
{
    struct fixture *f = *state;

    atomic_store(&place(f, 0)->number, 1);
    place(f, 0)->length = UINT32_MAX;
    assert_int_equal(take(f), -EAGAIN);
    assert_int_equal(follower_oldest_length(&f->follower), -EAGAIN);
}

static void test_stranger_tail(void **state)
{
    static const uint64_t tails[] = {1, 4096 - 8, 4096 - 1, UINT64_MAX, UINT64_MAX - 63};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct follower follower = f->follower;

        atomic_store(&f->writer.header->tail, tails[i]);
        assert_true(follower_take(&follower, f->buffer, &f->length) < 0);
        assert_true(follower_skip(&follower) <= 0);
        assert_true(follower_oldest_length(&follower) < 0);
    }
}

/* Markers that lead to markers, and numbers that go backwards. */
static void test_stranger_numbers(void **state)
{
    struct fixture *f = *state;

    for (uint64_t position = 0; position < f->writer.capacity; position += RING_LINE) {
        atomic_store(&place(f, position)->number, RING_WRAP);
    }
    assert_true(take(f) < 0);
    format(f, 1, 100);
    publish(f, 1);
    assert_int_equal(follower_start(&f->follower, f->segment, SIZE), 0);
    assert_int_equal(take(f), 0);
    atomic_store(&f->writer.header->tail, 10 * RING_LINE * 4);
    atomic_store(&place(f, 10 * RING_LINE * 4)->number, 5);
    assert_true(take(f) < 0);
}

TEST_GROUP("test-follow")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_record_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_losses_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_released_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_skip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_ring_in_the_same_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_ring_that_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stranger_length_beyond_the_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stranger_length_of_no_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stranger_tail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stranger_numbers, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
