/* SPDX-License-Identifier: MIT
 *
 * Text to numbers, strictly: the whole text is the number, or it is refused.
 */
#include "base/parse.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UNTOUCHED    4242
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct number {
    const char *text;
    int result;
    uint64_t value;
};

typedef int (*parser)(const char *text, uint64_t *ret);

/* "and write only on success" */
static void assert_parsed(parser parse, const struct number *number)
{
    uint64_t value = UNTOUCHED;
    int r = parse(number->text, &value);

    if (r != number->result) {
        print_error("'%s'\n", number->text);
    }
    assert_int_equal(r, number->result);
    assert_int_equal(value, r < 0 ? UNTOUCHED : number->value);
}

static int parse_key_u64(const char *text, uint64_t *ret)
{
    uint32_t key = UNTOUCHED;
    int r = parse_key(text, &key);

    *ret = key;
    return r;
}

static int parse_mode_u64(const char *text, uint64_t *ret)
{
    mode_t mode = UNTOUCHED;
    int r = parse_mode(text, &mode);

    *ret = mode;
    return r;
}

static int parse_10_to_20(const char *text, uint64_t *ret)
{
    return parse_u64_range(text, 10, 20, ret);
}

static void numbers_are_decimal_or_hexadecimal(void **state)
{
    static const struct number numbers[] = {
        {"0", 0, 0},
        {"5678", 0, 5678},
        {"010", 0, 10},
        {"0x0", 0, 0},
        {"0x162e", 0, 5678},
        {"0X162E", 0, 5678},
        {"18446744073709551615", 0, UINT64_MAX},
        {"0xffffffffffffffff", 0, UINT64_MAX},
        {"000000000000000000000000007", 0, 7},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_parsed(parse_u64, &numbers[i]);
    }
}

static void numbers_beyond_64_bits_are_out_of_range(void **state)
{
    static const struct number numbers[] = {
        {"18446744073709551616", -ERANGE, 0},
        {"0x10000000000000000", -ERANGE, 0},
        {"99999999999999999999999999", -ERANGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_parsed(parse_u64, &numbers[i]);
    }
}

/* "No sign, no spaces." */
static void what_is_not_wholly_a_number_is_refused(void **state)
{
    static const char *const texts[] = {
        "",      " ",      "+1",    "-1",    " 1",   "1 ",   "1\n", "\t1", "1a",
        "a",     "0x",     "0xg",   "0x 1",  "0x+1", "0x-1", "x1",  "1.0", "1e3",
        "0x0x1", "0x0x10", "0X0x1", "1,000", "1_0",  "٣",    "- 1", "--1", "0x1L",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_parsed(parse_u64, &(struct number){texts[i], -EINVAL, 0});
    }
}

static void a_range_includes_its_ends(void **state)
{
    static const struct number numbers[] = {
        {"9", -ERANGE, 0},  {"10", 0, 10},       {"0xa", 0, 10},      {"20", 0, 20},
        {"21", -ERANGE, 0}, {"ten", -EINVAL, 0}, {"-15", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_parsed(parse_10_to_20, &numbers[i]);
    }
}

/* "A System V key: 1…0xffffffff; 0 is IPC_PRIVATE, which nobody can find." */
static void a_key_is_never_0_and_has_32_bits(void **state)
{
    static const struct number keys[] = {
        {"0", -ERANGE, 0},
        {"1", 0, 1},
        {"0xffffffff", 0, UINT32_MAX},
        {"4294967295", 0, UINT32_MAX},
        {"4294967296", -ERANGE, 0},
        {"0x100000000", -ERANGE, 0},
        {"-1", -EINVAL, 0},
        {"", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_parsed(parse_key_u64, &keys[i]);
    }
}

/* "Permission bits in octal, three or four digits" */
static void a_mode_is_three_or_four_octal_digits(void **state)
{
    static const struct number modes[] = {
        {"0666", 0, 0666},    {"666", 0, 0666},      {"0000", 0, 0},       {"777", 0, 0777},
        {"0777", 0, 0777},    {"1777", -ERANGE, 0},  {"7777", -ERANGE, 0}, {"", -EINVAL, 0},
        {"66", -EINVAL, 0},   {"00666", -EINVAL, 0}, {"0668", -EINVAL, 0}, {"rw-", -EINVAL, 0},
        {"0x1b", -EINVAL, 0}, {" 666", -EINVAL, 0},  {"666 ", -EINVAL, 0}, {"-666", -EINVAL, 0},
        {"u=rw", -EINVAL, 0}, {"+666", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        assert_parsed(parse_mode_u64, &modes[i]);
    }
}

/* "Seconds with an optional fraction as microseconds" */
static void seconds_may_have_a_fraction(void **state)
{
    static const struct number seconds[] = {
        {"0", 0, 0},
        {"2", 0, 2000000},
        {"0.25", 0, 250000},
        {"1.5", 0, 1500000},
        {"0.000001", 0, 1},
        {"0.0000019", 0, 1},
        {"0.00000000000000000000000000000000000001", 0, 0},
        {"86400", 0, UINT64_C(86400000000)},
        {"4294967295", 0, UINT64_C(4294967295000000)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(seconds); i++) {
        assert_parsed(parse_seconds, &seconds[i]);
    }
}

static void seconds_that_are_none_are_refused(void **state)
{
    static const struct number seconds[] = {
        {"", -EINVAL, 0},
        {".", -EINVAL, 0},
        {".5", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1s", -EINVAL, 0},
        {"1.5.2", -EINVAL, 0},
        {"1,5", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"inf", -EINVAL, 0},
        {"nan", -EINVAL, 0},
        {"1.-5", -EINVAL, 0},
        {"1..5", -EINVAL, 0},
        {"99999999999999999999", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(seconds); i++) {
        assert_parsed(parse_seconds, &seconds[i]);
    }
}

static void a_size_has_a_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t number;
    } good[] = {{"1K", 1024},
                {"64KiB", 65536},
                {"1m", 1048576},
                {"2GB", UINT64_C(1) << 31},
                {"1024T", UINT64_C(1) << 50}};
    static const char *const bad[] = {"",    "1",   "K",   "-1K",  "1X",
                                      "1Ki", "1 K", "1KK", "0x1K", "1.5M"};
    uint64_t number = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(parse_size(good[i].text, &number), 0);
        assert_int_equal(number, good[i].number);
    }
    number = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse_size(bad[i], &number), -EINVAL);
    }
    assert_int_equal(parse_size("1048577K", &number), -ERANGE);
    assert_int_equal(parse_size("99999999999999999999K", &number), -ERANGE);
    assert_int_equal(number, 7);
}

TEST_GROUP("test-parse")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
        cmocka_unit_test(numbers_beyond_64_bits_are_out_of_range),
        cmocka_unit_test(what_is_not_wholly_a_number_is_refused),
        cmocka_unit_test(a_range_includes_its_ends),
        cmocka_unit_test(a_key_is_never_0_and_has_32_bits),
        cmocka_unit_test(a_mode_is_three_or_four_octal_digits),
        cmocka_unit_test(seconds_may_have_a_fraction),
        cmocka_unit_test(seconds_that_are_none_are_refused),
        cmocka_unit_test(a_size_has_a_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
