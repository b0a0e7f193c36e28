/* SPDX-License-Identifier: MIT
 *
 * Records that say whose they are, the how-manieth, and whether they are whole: for publishers and
 * the subscribers that check them, in either layout.
 *
 *      @NAME NUMBER LENGTH abcdef…
 *
 * LENGTH is that of the letters, which begin at one that depends on the number.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PARCEL_NAME_SIZE 16
#define PARCEL_HEAD_MAX  64

struct parcel {
    char name[PARCEL_NAME_SIZE];
    uint64_t number;
};

/* Letters from any one on; a page of them is made once. */
static inline const char *parcel_letters(uint64_t number, size_t length)
{
    static char letters[4096 + 26];

    if (!letters[0]) {
        for (size_t i = 0; i < sizeof(letters); i++) {
            letters[i] = (char)('a' + i % 26);
        }
    }
    return length <= 4096 ? letters + number % 26 : NULL;
}

/* Makes one with up to `letters_max` letters, at most 4096; returns its length. */
static inline size_t parcel_make(char *buffer, const char *name, uint64_t number,
                                 size_t letters_max)
{
    size_t length = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15) >> 33) % (letters_max + 1));
    int head = snprintf(buffer, PARCEL_HEAD_MAX, "@%s %llu %zu ", name, (unsigned long long)number,
                        length);

    memcpy(buffer + head, parcel_letters(number, length), length);
    return (size_t)head + length;
}

static inline bool parcel_is(const char *bytes, size_t length)
{
    return length > 0 && bytes[0] == '@';
}

/* False: it is not whole. */
static inline bool parcel_read(const char *bytes, size_t length, struct parcel *ret)
{
    char head[PARCEL_HEAD_MAX];
    size_t head_length = length < sizeof(head) - 1 ? length : sizeof(head) - 1;
    unsigned long long number;
    size_t letters;
    int end = 0;

    memcpy(head, bytes, head_length);
    head[head_length] = '\0';
    if (sscanf(head, "@%15s %llu %zu%n", ret->name, &number, &letters, &end) != 3 ||
        head[end] != ' ' || (size_t)end + 1 + letters != length || letters > 4096) {
        return false;
    }
    ret->number = number;
    return memcmp(bytes + end + 1, parcel_letters(number, letters), letters) == 0;
}
