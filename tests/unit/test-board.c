/* SPDX-License-Identifier: MIT
 *
 * The board: what the two layouts do with the same acknowledgements. Neither a segment nor a file
 * is needed: both are memory.
 */
#include "daemon/board.h"

#include "conf/conf.h"
#include "private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SIZE ((size_t)4096)

struct fixture {
    struct conf conf;
    struct segment segment;
    struct state state;
    struct board board;
    char buffer[SIZE];
};

static void open_board(struct fixture *f, enum layout layout, enum ring_when_full when_full)
{
    f->conf.layout = layout;
    f->conf.when_full = when_full;
    f->conf.size = SIZE;
    assert_int_equal(board_new(&f->board, &f->conf, f->segment.size), 0);
    board_open(&f->board, &f->segment, &f->state);
}

static int set_up(void **state)
{
    struct fixture *f = shared_new(sizeof(*f));

    f->segment = (struct segment){.key = 1, .id = 2, .size = SIZE, .map = shared_new(SIZE)};
    f->state.file = shared_new(sizeof(*f->state.file));
    f->state.image = shared_new(SIZE);
    f->state.file->segment_id = -1;
    f->state.file->extent = f->state.file->image_size = SIZE;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    board_close(&f->board);
    (void)munmap(f->segment.map, SIZE);
    (void)munmap(f->state.file, sizeof(*f->state.file));
    (void)munmap(f->state.image, SIZE);
    (void)munmap(f, sizeof(*f));
    return 0;
}

static struct progress progress(uint64_t slowest, uint64_t fastest)
{
    return (struct progress){.subscribers = true, .slowest = slowest, .fastest = fastest};
}

static const struct progress nobody = {.slowest = UINT64_MAX};

static bool wants(const struct fixture *f, struct progress progress)
{
    return board_wants(&f->board, &progress);
}

/* As the manager does; what is done with is taken back. */
static void release(struct fixture *f, struct progress progress)
{
    board_release(&f->board, &progress);
    if (board_is_done(&f->board, &progress)) {
        assert_true(record_withdraw(&f->board.record));
        record_done(&f->board.record);
    }
}

static void publish(struct fixture *f, const char *bytes)
{
    size_t room = strlen(bytes);

    memcpy(board_place(&f->board, &room), bytes, room);
    assert_true(board_add(&f->board, strlen(bytes)));
    board_show(&f->board);
}

/* Whatever the layout: what the next daemon finds its segment by. */
static void the_state_says_which_segment_it_is(void **state)
{
    static const enum layout layouts[] = {LAYOUT_PLAIN, LAYOUT_RING};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        f->segment.id++;
        f->segment.key++;
        open_board(f, layouts[i], RING_OVERWRITE);
        assert_int_equal(f->state.file->segment_id, f->segment.id);
        assert_int_equal(f->state.file->key, f->segment.key);
        assert_int_equal(f->state.file->layout, layouts[i]);
        assert_int_equal(f->state.file->when_full, RING_OVERWRITE);
    }
}

/* --- plain --- */

static void a_plain_board_holds_one_record(void **state)
{
    struct fixture *f = *state;

    open_board(f, LAYOUT_PLAIN, RING_WAIT);
    assert_true(wants(f, nobody));
    assert_int_equal(board_oldest(&f->board), 1);
    publish(f, "abc");
    assert_false(wants(f, nobody));
    assert_int_equal(board_newest(&f->board), 1);
    assert_int_equal(board_oldest(&f->board), 1);
    assert_int_equal(board_bytes(&f->board, 1, 1), 3);
    assert_int_equal(board_longest(&f->board), SIZE - 1);
}

static void a_plain_record_is_done_when_all_have_it(void **state)
{
    struct fixture *f = *state;

    open_board(f, LAYOUT_PLAIN, RING_WAIT);
    publish(f, "abc");
    release(f, nobody); /* then somebody else must acknowledge */
    assert_false(wants(f, nobody));
    release(f, progress(0, 1));
    assert_false(wants(f, progress(0, 1)));
    release(f, progress(1, 1));
    assert_true(wants(f, progress(1, 1)));
    assert_int_equal(board_oldest(&f->board), 2);
}

static void publish_second(void *userdata)
{
    publish(userdata, "xyzxyzxyz");
}

/* An anonymous client reads the first record, or the second, or that there is none. */
static bool one_or_the_other(void *userdata)
{
    struct fixture *f = userdata;
    ssize_t length = plain_read(f->segment.map, SIZE, f->buffer);

    return length == -EAGAIN || (length == 5 && memcmp(f->buffer, "abcde", 5) == 0) ||
           (length == 9 && memcmp(f->buffer, "xyzxyzxyz", 9) == 0);
}

/* "Nobody sees half a record begin", if it is subscribers who were done with the one before, too.
 */
static void an_anonymous_client_sees_no_half_of_a_refill(void **state)
{
    struct fixture *f = *state;
    long steps;

    open_board(f, LAYOUT_PLAIN, RING_WAIT);
    publish(f, "abcde");
    release(f, progress(1, 1));
    steps = step_through(publish_second, one_or_the_other, f);
    if (steps < 0) {
        skip(); /* a child cannot be traced here */
    }
    assert_true(steps > 10);
}

/* What is done with is not to be acknowledged by anybody any more. */
static void what_is_done_with_does_not_stand_there_any_more(void **state)
{
    struct fixture *f = *state;

    open_board(f, LAYOUT_PLAIN, RING_WAIT);
    publish(f, "abcde");
    release(f, progress(1, 1));
    assert_int_equal(plain_read(f->segment.map, SIZE, f->buffer), -EAGAIN);
}

static void what_a_plain_segment_cannot_hold_is_objected_to(void **state)
{
    struct fixture *f = *state;
    char bytes[SIZE] = "*";

    open_board(f, LAYOUT_PLAIN, RING_WAIT);
    assert_non_null(board_objection(&f->board, "", 0));
    assert_non_null(board_objection(&f->board, bytes, 1));
    memset(bytes, 'x', SIZE);
    assert_non_null(board_objection(&f->board, bytes, SIZE));
    assert_null(board_objection(&f->board, bytes, SIZE - 1));
    bytes[5] = '\0';
    assert_non_null(board_objection(&f->board, bytes, 10));
}

/* --- ring --- */

static void a_ring_takes_any_bytes(void **state)
{
    struct fixture *f = *state;

    open_board(f, LAYOUT_RING, RING_WAIT);
    assert_null(board_objection(&f->board, "", 0));
    assert_null(board_objection(&f->board, "*\0", 2));
    assert_null(board_objection(&f->board, f->buffer, board_longest(&f->board)));
    assert_non_null(board_objection(&f->board, f->buffer, board_longest(&f->board) + 1));
    assert_non_null(board_objection(&f->board, f->buffer, (size_t)UINT32_MAX + 10));
}

static void a_ring_that_waits_is_released_by_the_slowest(void **state)
{
    struct fixture *f = *state;
    uint64_t count = 0;

    open_board(f, LAYOUT_RING, RING_WAIT);
    while (wants(f, nobody)) {
        publish(f, "abc");
        count++;
    }
    assert_false(wants(f, progress(0, count)));
    release(f, nobody);
    assert_int_equal(board_oldest(&f->board), 1);
    release(f, progress(20, count));
    assert_int_equal(board_oldest(&f->board), 21);
    assert_true(wants(f, progress(20, count)));
    assert_int_equal(board_bytes(&f->board, 21, count), (count - 20) * 3);
}

static void a_ring_that_is_written_over_follows_the_fastest(void **state)
{
    struct fixture *f = *state;

    open_board(f, LAYOUT_RING, RING_OVERWRITE);
    while (wants(f, nobody)) {
        publish(f, "abc");
    }
    assert_false(wants(f, progress(0, 0)));
    assert_true(wants(f, progress(0, board_newest(&f->board))));
    assert_true(board_overwrites(&f->board));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-board")
{
    const struct CMUnitTest tests[] = {
        TEST(the_state_says_which_segment_it_is),
        TEST(a_plain_board_holds_one_record),
        TEST(a_plain_record_is_done_when_all_have_it),
        TEST(an_anonymous_client_sees_no_half_of_a_refill),
        TEST(what_is_done_with_does_not_stand_there_any_more),
        TEST(what_a_plain_segment_cannot_hold_is_objected_to),
        TEST(a_ring_takes_any_bytes),
        TEST(a_ring_that_waits_is_released_by_the_slowest),
        TEST(a_ring_that_is_written_over_follows_the_fastest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
