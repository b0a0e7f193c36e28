/* SPDX-License-Identifier: MIT */
#include "client/when.h"

#include "base/clock.h"
#include "base/parse.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define DIGITS_MAX 9 /* of a relative number: in seconds it does not overflow */

static const struct {
    const char *name;
    uint64_t seconds;
} units[] = {
    {"s", 1},
    {"sec", 1},
    {"second", 1},
    {"seconds", 1},
    {"m", 60},
    {"min", 60},
    {"minute", 60},
    {"minutes", 60},
    {"h", 3600},
    {"hr", 3600},
    {"hour", 3600},
    {"hours", 3600},
    {"d", 86400},
    {"day", 86400},
    {"days", 86400},
    {"w", UINT64_C(7) * 86400},
    {"week", 7 * 86400},
    {"weeks", 7 * 86400},
};

/* "30min", before now. */
static int relative_parse(const char *text, uint64_t now_usec, uint64_t *ret_usec)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + strspn(text + digits, " ");
    uint64_t number = 0;

    if (digits == 0) {
        return -EINVAL;
    }
    if (digits > DIGITS_MAX) {
        return -ERANGE;
    }
    for (size_t i = 0; i < digits; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, unit) == 0) {
            uint64_t seconds = number * units[i].seconds;

            if (seconds > now_usec / USEC_PER_SEC) {
                return -ERANGE;
            }
            *ret_usec = now_usec - seconds * USEC_PER_SEC;
            return 0;
        }
    }
    return -EINVAL;
}

static int local_time(struct tm *tm, uint64_t *ret_usec)
{
    time_t seconds;

    tm->tm_isdst = -1;
    seconds = mktime(tm);
    if (seconds < 0) {
        return -ERANGE;
    }
    *ret_usec = (uint64_t)seconds * USEC_PER_SEC;
    return 0;
}

/* Does the text keep to the form, in which 0 stands for a digit? */
static int has_form(const char *text, const char *form)
{
    for (; *form; text++, form++) {
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form) {
            return 0;
        }
    }
    return !*text;
}

static int date_parse(const char *text, uint64_t *ret_usec)
{
    static const struct {
        const char *form;
        const char *format;
    } forms[] = {
        {"0000-00-00", "%Y-%m-%d"},
        {"0000-00-00 00:00", "%Y-%m-%d %H:%M"},
        {"0000-00-00 00:00:00", "%Y-%m-%d %H:%M:%S"},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0}, real;
        const char *end;

        if (!has_form(text, forms[i].form)) {
            continue;
        }
        end = strptime(text, forms[i].format, &tm);
        real = tm;
        /* The 31st of February would become a day in March. */
        if (!end || *end || timegm(&real) == -1 || real.tm_mday != tm.tm_mday) {
            return -EINVAL;
        }
        return local_time(&tm, ret_usec);
    }
    return -EINVAL;
}

static int midnight(int days_before, uint64_t now_usec, uint64_t *ret_usec)
{
    time_t now = (time_t)(now_usec / USEC_PER_SEC);
    struct tm tm;

    if (!localtime_r(&now, &tm)) {
        return -ERANGE;
    }
    tm.tm_mday -= days_before;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    return local_time(&tm, ret_usec);
}

int when_parse(const char *text, uint64_t now_usec, uint64_t *ret_usec)
{
    if (text[0] == '@') {
        return parse_seconds(text + 1, ret_usec);
    }
    if (text[0] == '-') {
        return relative_parse(text + 1, now_usec, ret_usec);
    }
    if (strcmp(text, "now") == 0) {
        *ret_usec = now_usec;
        return 0;
    }
    if (strcmp(text, "today") == 0) {
        return midnight(0, now_usec, ret_usec);
    }
    if (strcmp(text, "yesterday") == 0) {
        return midnight(1, now_usec, ret_usec);
    }
    return date_parse(text, ret_usec);
}
