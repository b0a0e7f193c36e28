/* SPDX-License-Identifier: MIT
 *
 * Points in time on the command line: what is taken, and that all else is refused.
 */
#include "client/when.h"

#include "group.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define NOW    (UINT64_C(1700000000) * SECOND) /* 2023-11-14 22:13:20 UTC */

static int set_zone(void **state)
{
    (void)state;
    (void)setenv("TZ", "XXX-02:00", 1); /* two hours before UTC: it is tomorrow already */
    tzset();
    return 0;
}

static void assert_when(const char *text, uint64_t expected)
{
    uint64_t usec;

    assert_int_equal(when_parse(text, NOW, &usec), 0);
    assert_int_equal(usec, expected);
}

static void test_taken(void **state)
{
    (void)state;
    assert_when("now", NOW);
    assert_when("@1700000001", NOW + SECOND);
    assert_when("@1700000001.25", NOW + SECOND + SECOND / 4);
    assert_when("-1s", NOW - SECOND);
    assert_when("-30min", NOW - 1800 * SECOND);
    assert_when("-1h", NOW - 3600 * SECOND);
    assert_when("-2days", NOW - 2 * 86400 * SECOND);
    assert_when("-2 days", NOW - 2 * 86400 * SECOND);
    assert_when("-1week", NOW - 7 * 86400 * SECOND);
    assert_when("2023-11-15", UINT64_C(1699999200) * SECOND);
    assert_when("today", UINT64_C(1699999200) * SECOND);
    assert_when("yesterday", UINT64_C(1699912800) * SECOND);
    assert_when("2023-11-15 00:13", UINT64_C(1699999980) * SECOND);
    assert_when("2023-11-15 00:13:20", NOW);
    assert_when("2024-02-29", UINT64_C(1709157600) * SECOND);
}

static void test_refused(void **state)
{
    static const char *const refused[] = {
        "",
        "tomorrow",
        "Today",
        "@",
        "@-1",
        "@x",
        "-",
        "-h",
        "-1",
        "-1y",
        "-1hh",
        "--1h",
        "- 1h",
        "1h",
        "-1h30min",
        "2023",
        "2023-11",
        "2023-11-",
        "2023-1-1",
        "2023-13-01",
        "2023-02-29",
        "2023-02-31",
        "2023-00-10",
        "2023-11-32",
        "2023-11-15 ",
        " 2023-11-15",
        "2023-11-15 24",
        "2023-11-15 24:00",
        "2023-11-15 12:60",
        "2023-11-15T12:00",
        "2023-11-15 12:00:00x",
        "20x3-11-15",
    };
    uint64_t usec = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(when_parse(refused[i], NOW, &usec), -EINVAL);
    }
    assert_int_equal(when_parse("-9999999999h", NOW, &usec), -ERANGE);
    assert_int_equal(when_parse("-999999999weeks", NOW, &usec), -ERANGE);
    assert_int_equal(when_parse("-60years", NOW, &usec), -EINVAL);
    assert_int_equal(when_parse("-9999weeks", NOW, &usec), -ERANGE);
    assert_int_equal(when_parse("@99999999999999999999", NOW, &usec), -ERANGE);
    assert_int_equal(when_parse("1960-01-01", NOW, &usec), -ERANGE);
    assert_int_equal(usec, 42);
}

TEST_GROUP("test-when")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
