/* SPDX-License-Identifier: MIT
 *
 * What libconfig would take silently, and what becomes of it before libconfig sees it.
 */
#include "conf/scan.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The text goes in as from a file: in memory of its own, so that a sanitizer sees where it ends. */
static int scan(const char *text, size_t length, char **ret, unsigned *ret_line,
                const char **ret_reason)
{
    CLEANUP(free_cleanup) char *copy = malloc(length + 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return conf_scan(copy, length, ret, ret_line, ret_reason);
}

static void assert_becomes(const char *text, const char *expected)
{
    CLEANUP(free_cleanup) char *out = NULL;
    const char *reason = NULL;
    unsigned line = 0;
    int r = scan(text, strlen(text), &out, &line, &reason);

    if (r < 0) {
        print_error("'%s': line %u: %s\n", text, line, reason ? reason : "");
    }
    assert_int_equal(r, 0);
    assert_string_equal(out, expected);
}

static void assert_refused(const char *text, size_t length, unsigned expected_line,
                           const char *expected_word)
{
    CLEANUP(free_cleanup) char *out = NULL;
    const char *reason = NULL;
    unsigned line = 0;

    assert_int_equal(scan(text, length, &out, &line, &reason), -EINVAL);
    assert_null(out);
    assert_int_equal(line, expected_line);
    assert_non_null(reason);
    assert_non_null(strstr(reason, expected_word));
}

static void what_libconfig_understands_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "key = 5678;\n",
        "key = 0x162E;",
        "key=2147483647;",
        "key = -2147483647;",
        "key = 4294967295L;",
        "key = 4294967295LL;",
        "key = 0xFFFFFFFFL;",
        "a = 1.5; b = 1e10; c = 1.5E-3; d = .5; e = 12345678901.5;",
        "allow_large = true;",
        "log = { level = \"info\"; queue = 16; };",
        "list = ( 1, 2, [ 3, 4 ] );",
        "key : 5678",
        "key = 5678", /* no newline at the end */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_becomes(texts[i], texts[i]);
    }
}

/* "an integer beyond 32 bits without the suffix L is cut to 32 bits: it gets the suffix here" */
static void integers_beyond_32_bits_get_their_suffix(void **state)
{
    (void)state;
    assert_becomes("key = 0xFFFFFFFF;", "key = 0xFFFFFFFFL;");
    assert_becomes("key = 0xffffffff;", "key = 0xffffffffL;");
    assert_becomes("key = 4294967295;", "key = 4294967295L;");
    assert_becomes("key = 4294967296;", "key = 4294967296L;");
    assert_becomes("key = 2147483648;", "key = 2147483648L;");
    assert_becomes("key = -2147483649;", "key = -2147483649L;");
    assert_becomes("key = +4294967296;", "key = +4294967296L;");
    assert_becomes("key=4294967296", "key=4294967296L");
    assert_becomes("key = 9223372036854775807;", "key = 9223372036854775807L;");
    assert_becomes("a = [4294967296,1,4294967297];", "a = [4294967296L,1,4294967297L];");
    assert_becomes("a = 4294967296; # 1\nb = 4294967297;",
                   "a = 4294967296L; # 1\nb = 4294967297L;");
}

/* The longest growth: an L for each integer, and the text is no longer than was made room for. */
static void many_wide_integers_have_room(void **state)
{
    static char text[11 * 5000 + 1], expected[12 * 5000 + 1];

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        memcpy(text + 11 * i, "4294967296 ", 11);
        memcpy(expected + 12 * i, "4294967296L ", 12);
    }
    assert_becomes(text, expected);
}

/* "an integer beyond 64 bits is cut too: refused" */
static void integers_beyond_64_bits_are_refused_with_their_line(void **state)
{
    static const char *const numbers[] = {
        "99999999999999999999",  "9223372036854775808",  "18446744073709551616",
        "0x10000000000000000",   "0xFFFFFFFFFFFFFFFF",   "99999999999999999999L",
        "-99999999999999999999", "0x10000000000000000L", "18446744073709551616LL",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "# 1\nmode = \"0666\";\n\nkey = %s;\n", numbers[i]);
        assert_refused(text, strlen(text), 4, "64 bits");
    }
}

static void numbers_in_strings_comments_and_names_are_left_alone(void **state)
{
    static const char *const texts[] = {
        "owner = \"4294967296\";",
        "owner = \"99999999999999999999999\";",
        "owner = \"a \\\" 99999999999999999999999\";",
        "owner = \"a \\\\\"; # 99999999999999999999999\n",
        "# 99999999999999999999999\nkey = 1;",
        "// 99999999999999999999999\nkey = 1;",
        "/* 99999999999999999999999\n 99999999999999999999999 */ key = 1;",
        "/**/ key = 1;",
        "a4294967296 = 1;",
        "a-4294967296 = 1;",
        "a_99999999999999999999999 = 1;",
        "a*99999999999999999999999 = 1;",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_becomes(texts[i], texts[i]);
    }
}

/* What looks like the end of a comment or a string, and is none. */
static void comments_and_strings_end_where_libconfig_ends_them(void **state)
{
    (void)state;
    assert_becomes("# \" /*\nkey = 4294967296;", "# \" /*\nkey = 4294967296L;");
    assert_becomes("// \" /*\nkey = 4294967296;", "// \" /*\nkey = 4294967296L;");
    assert_becomes("/* \" # */ key = 4294967296;", "/* \" # */ key = 4294967296L;");
    assert_becomes("/*/ 1 */ key = 4294967296;", "/*/ 1 */ key = 4294967296L;");
    assert_becomes("o = \"# // /*\"; key = 4294967296;", "o = \"# // /*\"; key = 4294967296L;");
}

/* "@include would read other files: refused." */
static void an_include_is_refused_with_its_line(void **state)
{
    static const char text[] = "key = 1;\n@include \"/etc/passwd\"\n";

    (void)state;
    assert_refused(text, strlen(text), 2, "@include");
    assert_refused("  @include \"x\"", 14, 1, "@include");
    assert_refused("log = {\n\n @include \"x\"\n};", 24, 3, "@include");
}

static void an_include_in_a_comment_or_string_is_fine(void **state)
{
    (void)state;
    assert_becomes("# @include \"x\"\n", "# @include \"x\"\n");
    assert_becomes("// @include \"x\"\n", "// @include \"x\"\n");
    assert_becomes("/* \n@include \"x\"\n */", "/* \n@include \"x\"\n */");
    assert_becomes("owner = \"@include\";", "owner = \"@include\";");
}

/* "a NUL byte ends the text for libconfig, whatever follows: refused" */
static void a_nul_byte_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    assert_refused("\0", 1, 1, "NUL");
    assert_refused("key = 1;\n\0", 10, 2, "NUL");
    assert_refused("key = 1\0;", 9, 1, "NUL");
    assert_refused("key = \0001;", 8, 1, "NUL");
    assert_refused("\n\n# a\0b\n", 8, 3, "NUL");
    assert_refused("// a\0b\n", 7, 1, "NUL");
    assert_refused("/* \n\0 */", 8, 2, "NUL");
    assert_refused("owner = \"a\0b\";", 14, 1, "NUL");
    assert_refused("owner = \"a\\\0\";", 14, 1, "NUL");
    assert_refused("key\0 = 1;", 9, 1, "NUL");
}

/* "a byte order mark is named" */
static void a_byte_order_mark_is_named(void **state)
{
    (void)state;
    assert_refused("\xef\xbb\xbfkey = 1;", 11, 1, "byte order mark (EF BB BF)");
    assert_refused("\xef\xbb\xbf", 3, 1, "byte order mark");
    assert_refused("\xff\xfek\0", 4, 1, "UTF-16");
    assert_refused("\xfe\xff\0k", 4, 1, "UTF-16");
    assert_becomes("owner = \"\xef\xbb\xbf\";", "owner = \"\xef\xbb\xbf\";");
    assert_becomes("\xef\xbb", "\xef\xbb");
}

/* Nothing is read behind the end of a text that ends in the middle of something. */
static void a_text_may_end_anywhere(void **state)
{
    static const char *const texts[] = {
        "/*", "/* a", "/* a *", "/", "a", "a =", "1", "-", "+", "0x", "1.", "-1", "*",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_becomes(texts[i], texts[i]);
    }
    assert_refused("\"", 1, 1, "does not end");
    assert_refused("\n\"a\n", 4, 2, "does not end");
    assert_refused("\"a\\", 3, 1, "does not end");
    assert_refused("\"a\\\"", 4, 1, "does not end");
    /* libconfig wants a newline behind a comment. */
    assert_becomes("//", "//\n");
    assert_becomes("key = 1; #", "key = 1; #\n");
}

TEST_GROUP("test-scan")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libconfig_understands_is_left_alone),
        cmocka_unit_test(integers_beyond_32_bits_get_their_suffix),
        cmocka_unit_test(many_wide_integers_have_room),
        cmocka_unit_test(integers_beyond_64_bits_are_refused_with_their_line),
        cmocka_unit_test(numbers_in_strings_comments_and_names_are_left_alone),
        cmocka_unit_test(comments_and_strings_end_where_libconfig_ends_them),
        cmocka_unit_test(an_include_is_refused_with_its_line),
        cmocka_unit_test(an_include_in_a_comment_or_string_is_fine),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(a_byte_order_mark_is_named),
        cmocka_unit_test(a_text_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
