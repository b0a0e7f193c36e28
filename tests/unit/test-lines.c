/* SPDX-License-Identifier: MIT
 *
 * What a program says becomes lines of the log.
 */
#include "source/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

static void lines_come_in_any_pieces(void **state)
{
    static const char bytes[] = "one\n\n\ntwo words\nrest";

    (void)state;
    for (size_t piece = 1; piece < sizeof(bytes); piece++) {
        CLEANUP(host_free_cleanup) struct host *host = host_new();
        struct source source = {.context = host_context(host, 100)};
        struct lines lines = {0};

        for (size_t at = 0; at < sizeof(bytes) - 1; at += piece) {
            size_t left = sizeof(bytes) - 1 - at;

            lines_feed(&lines, &source, bytes + at, left < piece ? left : piece);
        }
        assert_string_equal(host->words, "one\ntwo words\n");
        lines_end(&lines, &source);
        lines_end(&lines, &source);
        assert_string_equal(host->words, "one\ntwo words\nrest\n");
        assert_int_equal(host->said, 3);
    }
}

/* Bounded memory, and nothing left out. */
static void a_long_line_is_said_in_parts(void **state)
{
    static const size_t lengths[] = {LINES_MAX - 1, LINES_MAX, LINES_MAX + 1, 3 * LINES_MAX};
    static const unsigned parts[] = {1, 1, 2, 3};
    static char bytes[3 * LINES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(host_free_cleanup) struct host *host = host_new();
        struct source source = {.context = host_context(host, 100)};
        struct lines lines = {0};

        memset(bytes, 'x', sizeof(bytes));
        bytes[lengths[i]] = '\n';
        lines_feed(&lines, &source, bytes, lengths[i] + 1);
        assert_int_equal(host->said, parts[i]);
        assert_int_equal(host->words_length, lengths[i] + parts[i]);
        assert_int_equal(lines.length, 0);
    }
}

static void any_bytes_may_be_said(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = host_new();
    struct source source = {.context = host_context(host, 100)};
    struct lines lines = {0};

    (void)state;
    lines_feed(&lines, &source, "a\0b\x1b\xff\n", 6);
    assert_int_equal(host->said, 1);
    assert_memory_equal(host->words, "a\0b\x1b\xff\n", 6);
}

TEST_GROUP("test-lines")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_in_any_pieces),
        cmocka_unit_test(a_long_line_is_said_in_parts),
        cmocka_unit_test(any_bytes_may_be_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
