/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SIZE_NUMBER_MAX (UINT64_C(1) << 20) /* of a unit */

int parse_u64(const char *text, uint64_t *ret)
{
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *digits = base == 16 ? text + 2 : text;
    unsigned long long value;
    char *end;

    /* strtoull() would skip spaces, take a sign, and take a second 0x. */
    if (!isxdigit((unsigned char)digits[0]) || digits[1] == 'x' || digits[1] == 'X') {
        return -EINVAL;
    }
    errno = 0;
    value = strtoull(digits, &end, base);
    if (*end) {
        return -EINVAL;
    }
    if (errno) {
        return -errno;
    }
    *ret = value;
    return 0;
}

int parse_u64_range(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value;
    int r = parse_u64(text, &value);

    if (r < 0) {
        return r;
    }
    if (value < min || value > max) {
        return -ERANGE;
    }
    *ret = value;
    return 0;
}

int parse_key(const char *text, uint32_t *ret)
{
    uint64_t value;
    int r = parse_u64_range(text, 1, UINT32_MAX, &value);

    if (r < 0) {
        return r;
    }
    *ret = (uint32_t)value;
    return 0;
}

int parse_mode(const char *text, mode_t *ret)
{
    size_t length = strlen(text);

    if (length < 3 || length > 4 || strspn(text, "01234567") != length) {
        return -EINVAL;
    }
    if (length == 4 && text[0] != '0') {
        return -ERANGE;
    }
    *ret = (mode_t)strtoul(text, NULL, 8);
    return 0;
}

int parse_seconds(const char *text, uint64_t *ret_usec)
{
    size_t whole = strspn(text, "0123456789");
    const char *fraction = text + whole;
    uint64_t usec = 0;
    uint64_t unit = 1000000;

    if (*fraction == '.') {
        fraction++;
    }
    if (!isdigit((unsigned char)text[0]) || (fraction > text + whole && !*fraction) ||
        fraction[strspn(fraction, "0123456789")]) {
        return -EINVAL;
    }
    for (size_t i = 0; i < whole; i++) {
        if (usec > UINT32_MAX) {
            return -ERANGE;
        }
        usec = usec * 10 + (uint64_t)(text[i] - '0');
    }
    usec *= unit;
    for (; *fraction; fraction++) {
        unit /= 10;
        usec += unit * (uint64_t)(*fraction - '0');
    }
    *ret_usec = usec;
    return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    size_t length = strspn(text, "0123456789");
    const char *unit = text[length] ? strchr(units, toupper((unsigned char)text[length])) : NULL;
    const char *rest = text + length + 1;
    uint64_t number;

    if (length == 0 || !unit ||
        (*rest && strcasecmp(rest, "B") != 0 && strcasecmp(rest, "iB") != 0)) {
        return -EINVAL;
    }
    errno = 0;
    number = strtoull(text, NULL, 10);
    if (errno || number > SIZE_NUMBER_MAX) {
        return -ERANGE;
    }
    *ret = number << (10 * (unit - units + 1));
    return 0;
}
