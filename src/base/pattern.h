/* SPDX-License-Identifier: MIT
 *
 * Records whose content says whether they are whole, and which one each is: for generating load and
 * for checking what has come of it.
 *
 *      offset   0                15   16            length-1
 *             +--------------------+---------------------+
 *             | 0000000000000042   | qrstuvwxyzabcdefg…  |
 *             +--------------------+---------------------+
 *               the number: 16       letters in order, of which
 *               decimal digits       byte i is 'a' + (number + i) % 26
 *
 * A shorter record has the last digits of the number. There is no byte in it that a plain segment
 * could not hold. Making one costs little more than a copy: the number is counted in its digits,
 * and letters are copied in runs of a length that is a multiple of 26. The last digit is kept
 * apart: a byte that was stored just now would hold up a copy of all of them until it, and all that
 * was stored before it, has come to memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_DIGITS  ((size_t)16)
#define PATTERN_LETTERS ((size_t)26)
#define PATTERN_RUN     (158 * PATTERN_LETTERS) /* about a page */

struct pattern {
    size_t first;                /* of the letters of the next record */
    char digits[PATTERN_DIGITS]; /* but for the last one, which is … */
    char last;
    char letters[PATTERN_RUN + PATTERN_LETTERS];
};

/* The next record has this number. */
void pattern_begin(struct pattern *pattern, uint64_t number);

/* Writes the next record, of `length` bytes. */
void pattern_write(struct pattern *pattern, char *place, size_t length);

/* Is it the next record, whole? In any case, another one is next. */
bool pattern_check(struct pattern *pattern, const char *record, size_t length);
