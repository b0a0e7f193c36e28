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
    pattern->shift = number % PATTERN_LETTERS;
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
    pattern->shift = pattern->shift + 1 == PATTERN_LETTERS ? 0 : pattern->shift + 1;
}

static size_t digits_of(size_t length)
{
    return length < PATTERN_DIGITS ? length : PATTERN_DIGITS;
}

/* The letters of the next record, from offset 16 on, and again from each run on. */
static const char *letters_of(const struct pattern *pattern)
{
    return &pattern->letters[(pattern->shift + PATTERN_DIGITS) % PATTERN_LETTERS];
}

void pattern_write(struct pattern *pattern, char *place, size_t length)
{
    size_t digits = digits_of(length);
    const char *letters = letters_of(pattern);

    memcpy(place, pattern->digits + PATTERN_DIGITS - digits, digits);
    for (size_t at = digits; at < length; at += PATTERN_RUN) {
        memcpy(place + at, letters, length - at < PATTERN_RUN ? length - at : PATTERN_RUN);
    }
    go_on(pattern);
}

bool pattern_check(struct pattern *pattern, const char *record, size_t length)
{
    size_t digits = digits_of(length);
    const char *letters = letters_of(pattern);
    bool same = memcmp(record, pattern->digits + PATTERN_DIGITS - digits, digits) == 0;

    for (size_t at = digits; same && at < length; at += PATTERN_RUN) {
        size_t run = length - at < PATTERN_RUN ? length - at : PATTERN_RUN;

        same = memcmp(record + at, letters, run) == 0;
    }
    go_on(pattern);
    return same;
}
