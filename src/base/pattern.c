/* SPDX-License-Identifier: MIT */
#include "base/pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBERS UINT64_C(1000000000000000) /* of 15 digits; the first one stays 0 */

void pattern_begin(struct pattern *pattern, uint64_t number)
{
    char digits[PATTERN_DIGITS + 1];

    number %= NUMBERS;
    (void)snprintf(digits, sizeof(digits), "%016" PRIu64, number);
    memcpy(pattern->digits, digits, PATTERN_DIGITS);
    pattern->last = digits[PATTERN_DIGITS - 1];
    pattern->first = (number + PATTERN_DIGITS) % PATTERN_LETTERS;
    for (size_t i = 0; i < sizeof(pattern->letters); i++) {
        pattern->letters[i] = (char)('a' + i % PATTERN_LETTERS);
    }
}

static void carry(struct pattern *pattern)
{
    size_t i = PATTERN_DIGITS - 2;

    /* The first digit's turn does not come: at a record each nanosecond, that takes a month. */
    while (i > 0 && pattern->digits[i] == '9') {
        pattern->digits[i--] = '0';
    }
    pattern->digits[i]++;
    pattern->last = '0';
}

static void go_on(struct pattern *pattern)
{
    if (pattern->last == '9') {
        carry(pattern);
    } else {
        pattern->last++;
    }
    pattern->first = pattern->first + 1 == PATTERN_LETTERS ? 0 : pattern->first + 1;
}

/*
 * memcpy() of the library. Where gcc knows a bound of the length, it would make `rep movs` of it,
 * which takes as long to begin as all the rest of a short record.
 */
static void copy(char *to, const char *from, size_t length)
{
    __asm__("" : "+r"(length)); /* nothing is known of it any more */
    memcpy(to, from, length);
}

/* A record that is too short for all digits has the last ones. */
static void write_short(const struct pattern *pattern, char *place, size_t length)
{
    if (length > 0) {
        copy(place, pattern->digits + PATTERN_DIGITS - length, length);
        place[length - 1] = pattern->last;
    }
}

static void write_long(const struct pattern *pattern, char *place, size_t length)
{
    const char *letters = &pattern->letters[pattern->first];

    memcpy(place, pattern->digits, PATTERN_DIGITS);
    place[PATTERN_DIGITS - 1] = pattern->last;
    for (size_t at = PATTERN_DIGITS; at < length; at += PATTERN_RUN) {
        copy(place + at, letters, length - at < PATTERN_RUN ? length - at : PATTERN_RUN);
    }
}

void pattern_write(struct pattern *pattern, char *place, size_t length)
{
    if (length < PATTERN_DIGITS) {
        write_short(pattern, place, length);
    } else {
        write_long(pattern, place, length);
    }
    go_on(pattern);
}

static bool check_short(const struct pattern *pattern, const char *record, size_t length)
{
    char digits[PATTERN_DIGITS];

    write_short(pattern, digits, length);
    return memcmp(record, digits, length) == 0;
}

static bool check_long(const struct pattern *pattern, const char *record, size_t length)
{
    const char *letters = &pattern->letters[pattern->first];
    bool same = memcmp(record, pattern->digits, PATTERN_DIGITS - 1) == 0 &&
                record[PATTERN_DIGITS - 1] == pattern->last;

    for (size_t at = PATTERN_DIGITS; same && at < length; at += PATTERN_RUN) {
        size_t run = length - at < PATTERN_RUN ? length - at : PATTERN_RUN;

        same = memcmp(record + at, letters, run) == 0;
    }
    return same;
}

bool pattern_check(struct pattern *pattern, const char *record, size_t length)
{
    bool same = length < PATTERN_DIGITS ? check_short(pattern, record, length)
                                        : check_long(pattern, record, length);

    go_on(pattern);
    return same;
}
