/* SPDX-License-Identifier: MIT
 *
 * The load generator: its records, and the source that makes them.
 */
#include "base/pattern.h"
#include "source/source.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH_MAX 10000

struct answers {
    unsigned count;
    char record[LENGTH_MAX];
    size_t filling, room, placed, length;
};

static size_t longest(void *userdata)
{
    return ((struct answers *)userdata)->room;
}

static size_t filling(void *userdata)
{
    return ((struct answers *)userdata)->filling;
}

static char *place(void *userdata, size_t *length)
{
    struct answers *answers = userdata;

    *length = *length < answers->room ? *length : answers->room;
    answers->placed = *length;
    return answers->record;
}

static void deliver(void *userdata, size_t length)
{
    struct answers *answers = userdata;

    answers->count++;
    answers->length = length;
}

static struct source *open_pattern(size_t size, size_t length, size_t room, struct answers *answers)
{
    static const struct source_host host = {
        .longest = longest, .filling = filling, .place = place, .deliver = deliver};
    struct source_context context = {
        .settings.frame_size = size,
        .host = &host,
        .userdata = answers,
    };
    struct source *source = NULL;

    answers->filling = length;
    answers->room = room;
    assert_non_null(source_find("pattern"));
    assert_int_equal(source_open(source_find("pattern"), &context, &source), 0);
    return source;
}

/* What the header says of each byte. */
static void a_record_is_its_number_and_letters(void **state)
{
    static const uint64_t numbers[] = {0, 1, 9, 25, 26, 99, 123456789, 999999999999999};
    char expected[PATTERN_DIGITS + 1], record[LENGTH_MAX];
    struct pattern pattern;

    (void)state;
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        pattern_begin(&pattern, numbers[n]);
        pattern_write(&pattern, record, sizeof(record));
        (void)snprintf(expected, sizeof(expected), "%016llu", (unsigned long long)numbers[n]);
        assert_memory_equal(record, expected, PATTERN_DIGITS);
        for (size_t i = PATTERN_DIGITS; i < sizeof(record); i++) {
            assert_int_equal(record[i], 'a' + (int)((numbers[n] + i) % 26));
        }
    }
}

static void a_short_record_has_the_last_digits(void **state)
{
    struct pattern pattern;
    char record[3];

    (void)state;
    pattern_begin(&pattern, 98765);
    pattern_write(&pattern, record, sizeof(record));
    assert_memory_equal(record, "765", 3);
}

/* Counting in the digits comes to the same as beginning with each number. */
static void numbers_follow_each_other(void **state)
{
    struct pattern counting, fresh;
    char a[64], b[64];

    (void)state;
    pattern_begin(&counting, 95);
    for (uint64_t number = 95; number < 1200; number++) {
        pattern_begin(&fresh, number);
        pattern_write(&counting, a, sizeof(a));
        pattern_write(&fresh, b, sizeof(b));
        assert_memory_equal(a, b, sizeof(a));
    }
}

/* A byte that is not what it should be, wherever it is, and a record that is another one. */
static void whatever_is_wrong_is_found(void **state)
{
    static const size_t lengths[] = {1, 15, 16, 17, 26, 4124, 4125, LENGTH_MAX};
    struct pattern written, checked;
    char record[LENGTH_MAX];

    (void)state;
    for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        pattern_begin(&written, 7);
        pattern_write(&written, record, lengths[l]);
        for (size_t i = 0; i < lengths[l]; i += 1 + lengths[l] / 97) {
            pattern_begin(&checked, 7);
            record[i] ^= 1;
            assert_false(pattern_check(&checked, record, lengths[l]));
            record[i] ^= 1;
        }
        pattern_begin(&checked, 7);
        assert_true(pattern_check(&checked, record, lengths[l]));
        assert_false(pattern_check(&checked, record, lengths[l]));
    }
}

/* "frame_size … bytes of each record; 0: as long as fills the segment" */
static void the_source_makes_records_of_the_size_that_is_set(void **state)
{
    static const struct {
        size_t size, filling, expected;
    } cases[] = {{0, 26, 26}, {1, 26, 1}, {26, 100, 26}, {5000, 26, 5000}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answers answers = {0};
        CLEANUP(source_close_cleanup) struct source *source = NULL;
        struct pattern pattern;

        source = open_pattern(cases[i].size, cases[i].filling, LENGTH_MAX, &answers);
        pattern_begin(&pattern, 1);
        for (unsigned n = 1; n <= 3; n++) {
            source_ask(source);
            assert_int_equal(answers.count, n);
            assert_int_equal(answers.length, cases[i].expected);
            assert_true(pattern_check(&pattern, answers.record, answers.length));
        }
    }
}

/* "the place has its beginning, as much as there was room for" */
static void one_that_does_not_fit_is_left_to_be_rejected(void **state)
{
    struct answers answers = {0};
    CLEANUP(source_close_cleanup) struct source *source = open_pattern(5000, 26, 4096, &answers);

    (void)state;
    source_ask(source);
    assert_int_equal(answers.placed, 4096);
    assert_int_equal(answers.length, 5000);
}

TEST_GROUP("test-pattern")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_its_number_and_letters),
        cmocka_unit_test(a_short_record_has_the_last_digits),
        cmocka_unit_test(numbers_follow_each_other),
        cmocka_unit_test(whatever_is_wrong_is_found),
        cmocka_unit_test(the_source_makes_records_of_the_size_that_is_set),
        cmocka_unit_test(one_that_does_not_fit_is_left_to_be_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
