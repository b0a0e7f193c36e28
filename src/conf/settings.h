/* SPDX-License-Identifier: MIT
 *
 * The table of settings. To add one: a row in settings.c, a field in struct conf, and its words in
 * shmd.conf(5) and the default file (two tests compare them).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTING_PATH_MAX 64 /* bytes, with the NUL; longer ones are not in the table */

struct conf;

enum setting_type {
    SETTING_BOOL,
    SETTING_NUMBER, /* uint64_t, within min…max */
    SETTING_MODE,   /* uint64_t, written as an octal string */
    SETTING_TEXT,   /* char *, never NULL */
    SETTING_CHOICE, /* uint64_t, written as one of the choices */
    SETTING_LIST,   /* char **, texts up to a NULL, never NULL itself; empty by default */
};

struct choice {
    const char *name;
    uint64_t value;
};

struct setting {
    const char *path; /* "key", "log.queue": at most one group deep */
    enum setting_type type;
    size_t offset;     /* of the field in struct conf */
    uint64_t number;   /* default of a bool, number, mode or choice */
    const char *text;  /* default of a text */
    uint64_t min, max; /* of a number */
    const struct choice *choices;
    const char *help;
};

extern const struct setting settings[];
extern const size_t settings_count;

/* NULL if there is none. */
const struct setting *setting_find(const char *path);

static inline size_t setting_index(const struct setting *setting)
{
    return (size_t)(setting - settings);
}

/* The one that is most like a name that is none, or has it within a group; NULL: none is. */
const struct setting *setting_nearest(const char *path);

/* What its value has to be, in words: "an integer". */
const char *setting_expected(const struct setting *setting);

/* Is it the name of a group, such as "log"? */
bool setting_is_group(const char *path);

/* The field of a setting in a configuration. */
static inline void *setting_field(const struct setting *setting, struct conf *conf)
{
    return (char *)conf + setting->offset;
}
