/* SPDX-License-Identifier: MIT
 *
 * Which word somebody has meant: few mistakes are forgiven, and fewer in a short word.
 */
#include "base/nearest.h"

#include "group.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void mistakes_are_counted(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("size", "size"), 0);
    assert_int_equal(nearest_distance("SIZE", "size"), 0);
    assert_int_equal(nearest_distance("siez", "size"), 1);
    assert_int_equal(nearest_distance("siz", "size"), 1);
    assert_int_equal(nearest_distance("sizee", "size"), 1);
    assert_int_equal(nearest_distance("sixe", "size"), 1);
    assert_int_equal(nearest_distance("leese_ms", "lease_ms"), 1);
    assert_int_equal(nearest_distance("poll_intervall", "poll_interval"), 1);
    assert_int_equal(nearest_distance("kye", "key"), 1);
}

static void what_is_like_nothing_is_too_far(void **state)
{
    (void)state;
    assert_true(nearest_distance("", "key") > NEAREST_MAX);
    assert_true(nearest_distance("ab", "cd") > NEAREST_MAX);
    assert_true(nearest_distance("mode", "keep") > NEAREST_MAX);
    assert_true(
        nearest_distance("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                         "key") > NEAREST_MAX);
}

static void an_option_is_meant(void **state)
{
    static const struct option options[] = {
        {"count", required_argument, NULL, 'n'}, {"config", required_argument, NULL, 'c'}, {0}};

    (void)state;
    assert_string_equal(nearest_option(options, "--cuont"), "count");
    assert_string_equal(nearest_option(options, "--confg=x"), "config");
    assert_null(nearest_option(options, "--bogus"));
    assert_null(nearest_option(options, "--"));
    assert_null(nearest_option(options, ""));
}

TEST_GROUP("test-nearest")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_counted),
        cmocka_unit_test(what_is_like_nothing_is_too_far),
        cmocka_unit_test(an_option_is_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
