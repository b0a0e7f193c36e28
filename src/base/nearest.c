/* SPDX-License-Identifier: MIT
 *
 * The distance of Damerau and Levenshtein, row by row of its table.
 */
#include "base/nearest.h"

#include <ctype.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LENGTH_MAX ((size_t)64) /* of a word that can be meant */
#define FAR        (NEAREST_MAX + 1)

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
    size_t rows[3][LENGTH_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t length_a = strlen(a), length_b = strlen(b);

    if (length_a > LENGTH_MAX || length_b > LENGTH_MAX) {
        return FAR;
    }
    for (size_t j = 0; j <= length_b; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= length_a; i++) {
        size_t *oldest = before;

        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            row[j] =
                least(above[j - 1] + !same(a[i - 1], b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
    }
    return row[length_b] * 2 < least(length_a, length_b) + 1 ? row[length_b] : FAR;
}

const char *nearest_option(const struct option *options, const char *argument)
{
    char word[LENGTH_MAX + 1];
    const char *found = NULL;
    size_t nearest = FAR;

    argument += strspn(argument, "-");
    (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(argument, "="), argument);
    for (; options->name; options++) {
        size_t distance = nearest_distance(word, options->name);

        if (distance < nearest) {
            found = options->name;
            nearest = distance;
        }
    }
    return found;
}
