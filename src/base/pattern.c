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
    pattern->first = (number + PATTERN_DIGITS) % PATTERN_LETTERS;
    for (size_t i = 0; i < sizeof(pattern->letters); i++) {
        pattern->letters[i] = (char)('a' + i % PATTERN_LETTERS);
    }
}

static void go_on(struct pattern *pattern)
{
    size_t i = PATTERN_DIGITS - 1;

    /* The first digit's turn does not come: at a record each nanosecond, that takes a month. */
    while (i > 0 && pattern->digits[i] == '9') {
        pattern->digits[i--] = '0';
    }
    pattern->digits[i]++;
    pattern->first = pattern->first + 1 == PATTERN_LETTERS ? 0 : pattern->first + 1;
}

/* Of a record that is too short for all of them: the last ones. */
static const char *digits_of(const struct pattern *pattern, size_t length)
{
    return pattern->digits + PATTERN_DIGITS - length;
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

void pattern_write(struct pattern *pattern, char *place, size_t length)
{
    const char *letters = &pattern->letters[pattern->first];

    if (length >= PATTERN_DIGITS) {
        memcpy(place, pattern->digits, PATTERN_DIGITS);
    } else {
        copy(place, digits_of(pattern, length), length);
    }
    for (size_t at = PATTERN_DIGITS; at < length; at += PATTERN_RUN) {
        copy(place + at, letters, length - at < PATTERN_RUN ? length - at : PATTERN_RUN);
    }
    go_on(pattern);
}

bool pattern_check(struct pattern *pattern, const char *record, size_t length)
{
    const char *letters = &pattern->letters[pattern->first];
    bool same = length >= PATTERN_DIGITS ? memcmp(record, pattern->digits, PATTERN_DIGITS) == 0
                                         : memcmp(record, digits_of(pattern, length), length) == 0;

    for (size_t at = PATTERN_DIGITS; same && at < length; at += PATTERN_RUN) {
        size_t run = length - at < PATTERN_RUN ? length - at : PATTERN_RUN;

        same = memcmp(record + at, letters, run) == 0;
    }
    go_on(pattern);
    return same;
}
