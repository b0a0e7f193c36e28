/* SPDX-License-Identifier: MIT
 *
 * Bytes of unknown origin as text: in a JSON document, on a terminal, in hexadecimal.
 *
 * The functions that write leave errors to the stream: see ferror(3).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The word behind a number of records, … */
static inline const char *text_records(uint64_t count)
{
    return count == 1 ? "record" : "records";
}

/* … or bytes. */
static inline const char *text_bytes(uint64_t count)
{
    return count == 1 ? "byte" : "bytes";
}

/*
 * How many bytes the UTF-8 character at the beginning has, 1…4; 0 if there is no valid one (RFC
 * 3629: shortest form, no surrogates, up to U+10FFFF).
 */
size_t text_utf8_character(const char *bytes, size_t length);

bool text_is_utf8(const char *bytes, size_t length);

/*
 * A JSON string with its quotes. All control characters are escaped, those beyond ASCII too; a byte
 * that belongs to no character becomes U+FFFD.
 */
void text_write_json(FILE *file, const char *bytes, size_t length);

/* Two lower-case digits for each byte. */
void text_write_hex(FILE *file, const char *bytes, size_t length);

/*
 * For a terminal: what could drive it is written as \xNN, that is every control character but tab
 * and newline, and what is no character at all. `utf8`: is UTF-8 what the terminal reads? Otherwise
 * only ASCII is written as it is.
 */
void text_write_visible(FILE *file, const char *bytes, size_t length, bool utf8);
