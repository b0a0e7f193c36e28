/* SPDX-License-Identifier: MIT
 *
 * Bytes of unknown origin as text: nothing gets through that a JSON parser or a terminal would take
 * for something else.
 */
#include "base/text.h"

#include "base/cleanup.h"
#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef void (*writer)(FILE *file, const char *bytes, size_t length);

static void write_visible_utf8(FILE *file, const char *bytes, size_t length)
{
    text_write_visible(file, bytes, length, true);
}

static void write_visible_ascii(FILE *file, const char *bytes, size_t length)
{
    text_write_visible(file, bytes, length, false);
}

static void assert_written(writer write, const char *bytes, size_t length, const char *expected)
{
    CLEANUP(free_cleanup) char *written = NULL;
    size_t size;
    FILE *file = open_memstream(&written, &size);

    assert_non_null(file);
    write(file, bytes, length);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(written, expected);
    assert_int_equal(size, strlen(expected));
}

/* For a string literal, which may contain NULs. */
#define ASSERT_WRITTEN(write, literal, expected)                                                   \
    assert_written(write, literal, sizeof(literal) - 1, expected)

static void test_utf8_valid(void **state)
{
    (void)state;
    assert_int_equal(text_utf8_character("a", 1), 1);
    assert_int_equal(text_utf8_character("\0", 1), 1);
    assert_int_equal(text_utf8_character("\x7f", 1), 1);
    assert_int_equal(text_utf8_character("\xc2\x80", 2), 2);
    assert_int_equal(text_utf8_character("\xdf\xbf", 2), 2);
    assert_int_equal(text_utf8_character("\xe0\xa0\x80", 3), 3);
    assert_int_equal(text_utf8_character("\xed\x9f\xbf", 3), 3);
    assert_int_equal(text_utf8_character("\xee\x80\x80", 3), 3);
    assert_int_equal(text_utf8_character("\xef\xbf\xbf", 3), 3);
    assert_int_equal(text_utf8_character("\xf0\x90\x80\x80", 4), 4);
    assert_int_equal(text_utf8_character("\xf4\x8f\xbf\xbf", 4), 4);
    assert_int_equal(text_utf8_character("ab", 2), 1);
    assert_true(text_is_utf8("", 0));
    assert_true(text_is_utf8("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x99\x82", 15));
}

static void test_utf8_invalid(void **state)
{
    static const char *const invalid[] = {
        "\x80",             /* a continuation alone */
        "\xbf",             /* likewise */
        "\xc0\x80",         /* NUL, too long */
        "\xc1\xbf",         /* U+007F, too long */
        "\xe0\x9f\xbf",     /* U+07FF, too long */
        "\xf0\x8f\xbf\xbf", /* U+FFFF, too long */
        "\xed\xa0\x80",     /* a surrogate */
        "\xed\xbf\xbf",     /* likewise */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80", /* likewise */
        "\xff",             /* never */
        "\xc3(",            /* the second byte is none */
        "\xe2\x82(",        /* the third */
        "\xf0\x9f\x99(",    /* the fourth */
    };

    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        assert_int_equal(text_utf8_character(invalid[i], strlen(invalid[i])), 0);
        assert_false(text_is_utf8(invalid[i], strlen(invalid[i])));
    }
    assert_int_equal(text_utf8_character("", 0), 0);
}

/* The bytes behind the end are never looked at, even if they would make a character. */
static void test_utf8_cut(void **state)
{
    (void)state;
    for (size_t length = 0; length < 4; length++) {
        assert_int_equal(text_utf8_character("\xf0\x9f\x99\x82", length), 0);
    }
    assert_int_equal(text_utf8_character("\xe2\x82\xac", 2), 0);
    assert_int_equal(text_utf8_character("\xc3\xaf", 1), 0);
}

static void test_json(void **state)
{
    (void)state;
    ASSERT_WRITTEN(text_write_json, "", "\"\"");
    ASSERT_WRITTEN(text_write_json, "abc", "\"abc\"");
    ASSERT_WRITTEN(text_write_json, "\"\\/", "\"\\\"\\\\/\"");
    ASSERT_WRITTEN(text_write_json, "a\n\tb", "\"a\\n\\tb\"");
    ASSERT_WRITTEN(text_write_json, "\0\x01\x1b\r\x1f\x7f",
                   "\"\\u0000\\u0001\\u001b\\u000d\\u001f\\u007f\"");
    ASSERT_WRITTEN(text_write_json, "\xc3\xaf \xe2\x82\xac \xf0\x9f\x99\x82",
                   "\"\xc3\xaf \xe2\x82\xac \xf0\x9f\x99\x82\"");
    /* U+0080, U+009B, U+009F and, no control character any more, U+00A0. */
    ASSERT_WRITTEN(text_write_json, "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
                   "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
    ASSERT_WRITTEN(text_write_json, "a\xff\xe2\x82", "\"a\\ufffd\\ufffd\\ufffd\"");
}

static void test_hex(void **state)
{
    (void)state;
    ASSERT_WRITTEN(text_write_hex, "", "");
    ASSERT_WRITTEN(text_write_hex, "\0a\x0f\xf0\xff", "00610ff0ff");
}

static void test_visible(void **state)
{
    (void)state;
    ASSERT_WRITTEN(write_visible_utf8, "a\tb\nc", "a\tb\nc");
    ASSERT_WRITTEN(write_visible_utf8, "\x1b]0;title\a", "\\x1b]0;title\\x07");
    ASSERT_WRITTEN(write_visible_utf8, "\0\r\x7f", "\\x00\\x0d\\x7f");
    ASSERT_WRITTEN(write_visible_utf8, "\xc3\xaf \xe2\x82\xac \xf0\x9f\x99\x82",
                   "\xc3\xaf \xe2\x82\xac \xf0\x9f\x99\x82");
    /* CSI beyond ASCII, as a character and as a byte. */
    ASSERT_WRITTEN(write_visible_utf8, "\xc2\x9b", "\\xc2\\x9b");
    ASSERT_WRITTEN(write_visible_utf8, "\x9b", "\\x9b");
    ASSERT_WRITTEN(write_visible_utf8, "\xe2\x82", "\\xe2\\x82");
}

/* U+00DB ends with the byte 9B: CSI to a terminal that does not read UTF-8. */
static void test_visible_without_utf8(void **state)
{
    (void)state;
    ASSERT_WRITTEN(write_visible_ascii, "a\tb\n~", "a\tb\n~");
    ASSERT_WRITTEN(write_visible_ascii, "\xc3\x9b", "\\xc3\\x9b");
    ASSERT_WRITTEN(write_visible_ascii, "\x1b", "\\x1b");
}

TEST_GROUP("test-text")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_valid),
        cmocka_unit_test(test_utf8_invalid),
        cmocka_unit_test(test_utf8_cut),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_visible),
        cmocka_unit_test(test_visible_without_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
