/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdint.h>

#define DELETE 0x7f

size_t text_utf8_character(const char *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    unsigned char second_min = 0x80;
    unsigned char second_max = 0xbf;
    size_t n;

    if (length == 0) {
        return 0;
    }
    if (byte[0] < 0x80) {
        return 1;
    }
    if (byte[0] >= 0xc2 && byte[0] <= 0xdf) {
        n = 2;
    } else if (byte[0] >= 0xe0 && byte[0] <= 0xef) {
        n = 3;
    } else if (byte[0] >= 0xf0 && byte[0] <= 0xf4) {
        n = 4;
    } else {
        return 0;
    }
    /* The second byte is where longer forms, surrogates and what is above U+10FFFF show. */
    if (byte[0] == 0xe0) {
        second_min = 0xa0;
    } else if (byte[0] == 0xed) {
        second_max = 0x9f;
    } else if (byte[0] == 0xf0) {
        second_min = 0x90;
    } else if (byte[0] == 0xf4) {
        second_max = 0x8f;
    }
    if (length < n || byte[1] < second_min || byte[1] > second_max) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (byte[i] < 0x80 || byte[i] > 0xbf) {
            return 0;
        }
    }
    return n;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = text_utf8_character(bytes + i, length - i);

        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

/* A character (as text_utf8_character() found it) that a terminal takes for a command. */
static bool is_control(const char *character, size_t n)
{
    unsigned char first = (unsigned char)character[0];

    if (n == 1) {
        return (first < ' ' && first != '\t' && first != '\n') || first == DELETE;
    }
    /* U+0080…U+009F: the control characters beyond ASCII. */
    return n == 2 && first == 0xc2 && (unsigned char)character[1] < 0xa0;
}

void text_write_json(FILE *file, const char *bytes, size_t length)
{
    (void)fputc('"', file);
    for (size_t i = 0; i < length;) {
        const char *character = bytes + i;
        size_t n = text_utf8_character(character, length - i);

        if (n == 0) {
            (void)fputs("\\ufffd", file);
            n = 1;
        } else if (*character == '"' || *character == '\\') {
            (void)fprintf(file, "\\%c", *character);
        } else if (*character == '\n') {
            (void)fputs("\\n", file);
        } else if (*character == '\t') {
            (void)fputs("\\t", file);
        } else if (is_control(character, n)) {
            /* The last byte is the code point, whether it is U+001B or U+009B. */
            (void)fprintf(file, "\\u%04x", (unsigned char)character[n - 1]);
        } else {
            (void)fwrite(character, 1, n, file);
        }
        i += n;
    }
    (void)fputc('"', file);
}

void text_write_hex(FILE *file, const char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        (void)fputc(digits[byte >> 4], file);
        (void)fputc(digits[byte & 0xf], file);
    }
}

void text_write_visible(FILE *file, const char *bytes, size_t length, bool utf8)
{
    for (size_t i = 0; i < length;) {
        size_t n = text_utf8_character(bytes + i, length - i);

        if (n == 0 || (n > 1 && !utf8) || is_control(bytes + i, n)) {
            (void)fprintf(file, "\\x%02x", (unsigned char)bytes[i]);
            i++;
        } else {
            (void)fwrite(bytes + i, 1, n, file);
            i += n;
        }
    }
}
