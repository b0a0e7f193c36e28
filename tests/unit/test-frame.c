/* SPDX-License-Identifier: MIT
 *
 * "What a record is": a line, what the length before it says, or the whole input.
 */
#include "client/frame.h"

#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LONGEST 8

/* Finds what is expected in the bytes, of which no more is read than there is. */
static void assert_found(enum framing framing, const char *bytes, size_t length, bool ended,
                         const char *record, size_t record_length, size_t taken)
{
    struct frame frame = {0};

    assert_int_equal(frame_find(framing, bytes, length, 0, ended, LONGEST, &frame), FRAME_RECORD);
    assert_int_equal(frame.length, record_length);
    assert_int_equal(frame.taken, taken);
    assert_memory_equal(frame.record, record, record_length);
}

static enum frame_found find(enum framing framing, const char *bytes, size_t length, bool ended)
{
    struct frame frame;

    return frame_find(framing, bytes, length, 0, ended, LONGEST, &frame);
}

static void a_line_ends_with_its_newline(void **state)
{
    (void)state;
    assert_found(FRAMING_LINE, "a\nb\n", 4, false, "a", 1, 2);
    assert_found(FRAMING_LINE, "\n", 1, false, "", 0, 1);
    assert_found(FRAMING_LINE, "12345678\n", 9, false, "12345678", 8, 9);
    assert_int_equal(find(FRAMING_LINE, "abc", 3, false), FRAME_NONE);
    assert_int_equal(find(FRAMING_LINE, "12345678", 8, false), FRAME_NONE);
    assert_int_equal(find(FRAMING_LINE, "", 0, true), FRAME_NONE);
}

static void the_last_line_needs_no_newline(void **state)
{
    (void)state;
    assert_found(FRAMING_LINE, "abc", 3, true, "abc", 3, 3);
}

/* What was searched once is not looked through again. */
static void a_line_is_searched_once(void **state)
{
    struct frame frame = {0};

    (void)state;
    assert_int_equal(frame_find(FRAMING_LINE, "ab\ncd\n", 6, 3, false, LONGEST, &frame),
                     FRAME_RECORD);
    assert_int_equal(frame.length, 5);
    assert_int_equal(frame_find(FRAMING_LINE, "ab", 2, 2, false, LONGEST, &frame), FRAME_NONE);
    assert_int_equal(frame_find(FRAMING_LINE, "ab", 2, 2, true, LONGEST, &frame), FRAME_RECORD);
}

static void a_line_may_be_too_long(void **state)
{
    (void)state;
    assert_int_equal(find(FRAMING_LINE, "123456789", 9, false), FRAME_TOO_LONG);
    assert_int_equal(find(FRAMING_LINE, "123456789\n", 10, false), FRAME_TOO_LONG);
    assert_int_equal(find(FRAMING_LINE, "123456789", 9, true), FRAME_TOO_LONG);
}

static void a_length_comes_before_its_record(void **state)
{
    (void)state;
    assert_found(FRAMING_LENGTH, "\3\0\0\0abcd", 8, false, "abc", 3, 7);
    assert_found(FRAMING_LENGTH, "\0\0\0\0", 4, false, "", 0, 4);
    assert_int_equal(find(FRAMING_LENGTH, "\3\0\0", 3, false), FRAME_NONE);
    assert_int_equal(find(FRAMING_LENGTH, "\3\0\0\0ab", 6, false), FRAME_NONE);
    assert_int_equal(find(FRAMING_LENGTH, "", 0, true), FRAME_NONE);
}

static void a_length_is_little_endian_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(find(FRAMING_LENGTH, "\11\0\0\0", 4, false), FRAME_TOO_LONG);
    assert_int_equal(find(FRAMING_LENGTH, "\0\0\0\1", 4, false), FRAME_TOO_LONG);
    assert_int_equal(find(FRAMING_LENGTH, "\377\377\377\377", 4, false), FRAME_TOO_LONG);
}

static void an_input_may_end_in_the_middle(void **state)
{
    (void)state;
    assert_int_equal(find(FRAMING_LENGTH, "\3\0", 2, true), FRAME_CUT);
    assert_int_equal(find(FRAMING_LENGTH, "\3\0\0\0ab", 6, true), FRAME_CUT);
}

static void the_whole_input_is_one(void **state)
{
    (void)state;
    assert_int_equal(find(FRAMING_WHOLE, "a\nb", 3, false), FRAME_NONE);
    assert_found(FRAMING_WHOLE, "a\nb", 3, true, "a\nb", 3, 3);
    assert_found(FRAMING_WHOLE, "", 0, true, "", 0, 0);
    assert_int_equal(find(FRAMING_WHOLE, "123456789", 9, false), FRAME_TOO_LONG);
}

TEST_GROUP("test-frame")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_ends_with_its_newline),
        cmocka_unit_test(the_last_line_needs_no_newline),
        cmocka_unit_test(a_line_is_searched_once),
        cmocka_unit_test(a_line_may_be_too_long),
        cmocka_unit_test(a_length_comes_before_its_record),
        cmocka_unit_test(a_length_is_little_endian_and_bounded),
        cmocka_unit_test(an_input_may_end_in_the_middle),
        cmocka_unit_test(the_whole_input_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
