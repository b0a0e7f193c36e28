/* SPDX-License-Identifier: MIT */
#include "conf/mismatch.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "conf/settings.h"
#include "conf/take.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX    40 /* bytes of a text that a message repeats */
#define EXPECTED_MAX 192

/* What stands there: the string "5". */
struct shown {
    char text[SHOWN_MAX + 32];
};

static struct shown show(const config_setting_t *value)
{
    struct shown shown;
    char *text = shown.text;
    size_t size = sizeof(shown.text);

    switch (config_setting_type(value)) {
    case CONFIG_TYPE_INT:
        (void)snprintf(text, size, "the integer %d", config_setting_get_int(value));
        break;
    case CONFIG_TYPE_INT64:
        (void)snprintf(text, size, "the integer %lld", config_setting_get_int64(value));
        break;
    case CONFIG_TYPE_FLOAT:
        (void)snprintf(text, size, "the fraction %g", config_setting_get_float(value));
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(text, size, "%s", config_setting_get_bool(value) ? "true" : "false");
        break;
    case CONFIG_TYPE_STRING: {
        const char *string = config_setting_get_string(value);

        (void)snprintf(text, size, "the string \"%.*s%s\"", SHOWN_MAX, string,
                       strlen(string) > SHOWN_MAX ? "…" : "");
        break;
    }
    case CONFIG_TYPE_GROUP:
        (void)snprintf(text, size, "a group");
        break;
    default:
        (void)snprintf(text, size, "a list");
    }
    return shown;
}

/* What a group looks like: with the first setting that it may have. */
static void expect_group(const char *path, char expected[EXPECTED_MAX])
{
    size_t length = strlen(path);
    const struct setting *first = settings;

    while (strncmp(first->path, path, length) != 0 || first->path[length] != '.') {
        first++;
    }
    (void)snprintf(expected, EXPECTED_MAX, "a group: %s = { %s = ...; };", path,
                   first->path + length + 1);
}

/* A number or true or false in quotes needs none; and any other value would be a string in them. */
static void expect(const struct setting *setting, const config_setting_t *value,
                   char expected[EXPECTED_MAX])
{
    const char *usual = setting_expected(setting);
    const char *string = config_setting_get_string(value);
    uint64_t number;

    if (setting->type == SETTING_NUMBER && string && parse_u64(string, &number) == 0) {
        (void)snprintf(expected, EXPECTED_MAX, "%s, without quotes: %llu", usual,
                       (unsigned long long)number);
    } else if (setting->type == SETTING_NUMBER && string && parse_size(string, &number) == 0) {
        (void)snprintf(expected, EXPECTED_MAX, "%s, without quotes and unit: %llu", usual,
                       (unsigned long long)number);
    } else if (setting->type == SETTING_BOOL && string) {
        (void)snprintf(expected, EXPECTED_MAX, "%s, without quotes", usual);
    } else {
        (void)snprintf(expected, EXPECTED_MAX, "%s", usual);
    }
}

int conf_mismatch(const struct conf *conf, const char *path, const config_setting_t *value,
                  char **ret_message)
{
    const struct setting *setting = setting_find(path);
    char expected[EXPECTED_MAX];

    if (setting) {
        expect(setting, value, expected);
    } else {
        expect_group(path, expected);
    }
    return conf_message(conf->path, config_setting_source_line(value), ret_message,
                        "%s is %s, expected %s", path, show(value).text, expected);
}

int conf_mismatch_within(const struct conf *conf, const char *path, const config_setting_t *value,
                         char **ret_message)
{
    return conf_message(conf->path, config_setting_source_line(value), ret_message,
                        "%s has %s in it, expected %s", path, show(value).text,
                        setting_expected(setting_find(path)));
}
