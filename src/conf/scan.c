/* SPDX-License-Identifier: MIT */
#include "conf/scan.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

size_t conf_scan_skip(const char *at)
{
    const char *end;

    if (at[0] == '#' || (at[0] == '/' && at[1] == '/')) {
        return strcspn(at, "\n");
    }
    if (at[0] == '/' && at[1] == '*') {
        end = strstr(at + 2, "*/");
        return end ? (size_t)(end + 2 - at) : strlen(at);
    }
    if (at[0] == '"') {
        for (end = at + 1; *end && *end != '"'; end++) {
            if (*end == '\\' && end[1]) {
                end++;
            }
        }
        return (size_t)(end - at) + (*end == '"');
    }
    return 0;
}

/* A string that does not end is one for libconfig, which keeps it for ever. */
static bool is_closed(const char *at, size_t length)
{
    size_t end = 1;

    while (*at == '"' && end < length && at[end] != '"') {
        end += at[end] == '\\' ? 2 : 1;
    }
    return *at != '"' || end < length;
}

/* A string with a NUL in it ends there for libconfig, silently. */
static bool has_escaped_nul(const char *at, size_t length)
{
    for (size_t i = 1; *at == '"' && i + 3 < length; i++) {
        if (at[i] == '\\' && strncmp(at + i + 1, "x00", 3) == 0) {
            return true;
        }
        i += at[i] == '\\';
    }
    return false;
}

size_t conf_scan_run(const char *at, const char *others)
{
    size_t length = 0;

    while (isalnum((unsigned char)at[length]) || (at[length] && strchr(others, at[length]))) {
        length++;
    }
    return length;
}

enum width {
    NOT_INTEGER, /* a float, or nonsense that libconfig will refuse */
    FITS,        /* 32 bits, or marked as 64 by its suffix */
    WIDE,        /* 64 bits, not marked */
    TOO_WIDE,
};

static enum width integer_width(const char *token, size_t length)
{
    bool negative = token[0] == '-';
    const char *digits = token + (negative || token[0] == '+');
    int base = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') ? 16 : 10;
    unsigned long long value;
    char *end;
    size_t suffix;

    errno = 0;
    value = strtoull(digits, &end, base);
    suffix = (size_t)(token + length - end);
    if (suffix > 2 || strncmp(end, "LL", suffix) != 0) {
        return NOT_INTEGER;
    }
    if (errno || value > LLONG_MAX) {
        return TOO_WIDE;
    }
    return suffix || value <= INT_MAX ? FITS : WIDE;
}

/* What some editors put in front of a text, and nobody sees: libconfig takes it for a name. */
static const char *mark_objection(const char *text, size_t length)
{
    static const struct {
        const char *mark;
        const char *objection;
    } marks[] = {
        {"\xef\xbb\xbf", "a byte order mark (EF BB BF), expected UTF-8 without one"},
        {"\xff\xfe", "a byte order mark (FF FE) of UTF-16, expected UTF-8 without one"},
        {"\xfe\xff", "a byte order mark (FE FF) of UTF-16, expected UTF-8 without one"},
    };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t n = strlen(marks[i].mark);

        if (length >= n && memcmp(text, marks[i].mark, n) == 0) {
            return marks[i].objection;
        }
    }
    return NULL;
}

int conf_scan(const char *text, size_t length, char **ret, unsigned *ret_line,
              const char **ret_reason)
{
    /* At most an L for each digit, and a newline. */
    CLEANUP(free_cleanup) char *out = malloc(length * 2 + 2);
    const char *reason = mark_objection(text, length);
    const char *at = text;
    bool in_comment = false; /* at the end of the text */
    unsigned line = 1;
    size_t used = 0;

    if (!out) {
        return -ENOMEM;
    }
    while (!reason && at < text + length) {
        size_t n = conf_scan_skip(at);
        bool wide = false;

        in_comment = n > 0 && (at[0] == '#' || at[1] == '/');
        if (*at == '\0') {
            reason = "a NUL byte, expected text";
        } else if (n > 0) {
            reason = has_escaped_nul(at, n) ? "\\x00 in a string, expected text"
                     : at + n == text + length && !is_closed(at, n)
                         ? "a string that does not end, expected a closing quote"
                         : NULL;
        } else if (isalpha((unsigned char)*at)) {
            n = conf_scan_run(at, "-_*");
        } else if (isdigit((unsigned char)at[*at == '+' || *at == '-'])) {
            enum width width;

            n = 1 + conf_scan_run(at + 1, ".");
            width = integer_width(at, n);
            wide = width == WIDE;
            reason = width == TOO_WIDE ? "an integer beyond 64 bits, expected a smaller one" : NULL;
        } else if (*at == '@') {
            reason = "a directive (@include), which is not supported: expected settings only";
        } else {
            n = 1;
        }
        for (size_t i = 0; i < n && !reason; i++) {
            line += at[i] == '\n';
        }
        memcpy(out + used, at, n);
        used += n;
        at += n;
        if (wide) {
            out[used++] = 'L';
        }
    }
    if (reason) {
        *ret_line = line;
        *ret_reason = reason;
        return -EINVAL;
    }
    if (in_comment) {
        out[used++] = '\n'; /* libconfig wants one behind a comment */
    }
    out[used] = '\0';
    *ret = take(out);
    return 0;
}
