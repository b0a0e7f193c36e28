/* SPDX-License-Identifier: MIT
 *
 * The table of sources, and the one that is always there.
 */
#include "source/source.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

struct answers {
    unsigned count;
    size_t filling;
    char record[2048];
    size_t length;
};

static size_t filling(void *userdata)
{
    return ((struct answers *)userdata)->filling;
}

static char *place(void *userdata, size_t *length)
{
    struct answers *answers = userdata;

    assert_in_range(*length, 1, sizeof(answers->record));
    return answers->record;
}

static void deliver(void *userdata, size_t length)
{
    struct answers *answers = userdata;

    answers->count++;
    answers->length = length;
}

static const struct source_host host = {
    .longest = filling, .filling = filling, .place = place, .deliver = deliver};

static struct source *open_alphabet(size_t length, struct answers *answers)
{
    struct source_context context = {.host = &host, .userdata = answers};
    const struct source_driver *driver = source_find("alphabet");
    struct source *source = NULL;

    answers->filling = length;
    assert_non_null(driver);
    assert_int_equal(source_open(driver, &context, &source), 0);
    assert_non_null(source);
    return source;
}

/* "A driver is a const struct of functions in a table found by name" */
static void a_source_is_found_by_its_name(void **state)
{
    (void)state;
    assert_non_null(source_find("alphabet"));
    assert_string_equal(source_find("alphabet")->name, "alphabet");
    assert_null(source_find(""));
    assert_null(source_find("Alphabet"));
    assert_null(source_find("alphabet "));
    assert_null(source_find("numbers"));
}

/* "Types, for messages: NULL past the last." */
static void every_type_of_the_list_is_found(void **state)
{
    size_t i = 0;

    (void)state;
    for (; source_type(i); i++) {
        assert_non_null(source_find(source_type(i)));
    }
    assert_true(i >= 1);
    assert_null(source_type(i));
    assert_null(source_type(SIZE_MAX));
}

/* "a–z repeated to fill the segment (26 letters in 27 bytes)" */
static void the_alphabet_fills_what_there_is(void **state)
{
    static const size_t capacities[] = {1, 2, 25, 26, 27, 52, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        struct answers answers = {0};
        CLEANUP(source_close_cleanup) struct source *source = NULL;

        source = open_alphabet(capacities[i], &answers);
        source_ask(source);
        assert_int_equal(answers.count, 1);
        assert_int_equal(answers.length, capacities[i]);
        for (size_t j = 0; j < answers.length; j++) {
            assert_int_equal(answers.record[j], LETTERS[j % 26]);
        }
    }
}

/* "answers through one callback … exactly once for each time it was asked" */
static void it_answers_once_for_each_time_it_is_asked(void **state)
{
    struct answers answers = {0};
    CLEANUP(source_close_cleanup) struct source *source = open_alphabet(26, &answers);

    (void)state;
    assert_int_equal(answers.count, 0);
    for (unsigned i = 1; i <= 3; i++) {
        source_ask(source);
        assert_int_equal(answers.count, i);
        assert_memory_equal(answers.record, LETTERS, 26);
    }
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    assert_null(source_close(NULL));
}

static int refuse_to_open(const struct source_context *context, struct source **ret)
{
    (void)context;
    (void)ret;
    return -ENOENT;
}

/* Output parameters are written only on success. */
static void a_source_that_does_not_open_says_why(void **state)
{
    static const struct source_driver driver = {.name = "closed", .open = refuse_to_open};
    struct source_context context = {0};
    struct source *source = NULL;

    (void)state;
    assert_int_equal(source_open(&driver, &context, &source), -ENOENT);
    assert_null(source);
}

TEST_GROUP("test-source")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_found_by_its_name),
        cmocka_unit_test(every_type_of_the_list_is_found),
        cmocka_unit_test(the_alphabet_fills_what_there_is),
        cmocka_unit_test(it_answers_once_for_each_time_it_is_asked),
        cmocka_unit_test(closing_nothing_is_fine),
        cmocka_unit_test(a_source_that_does_not_open_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
