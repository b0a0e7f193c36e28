/* SPDX-License-Identifier: MIT */
#include "conf/take.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "conf/diagnose.h"
#include "conf/mismatch.h"
#include "conf/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <string.h>

static bool type_matches(const struct setting *setting, int type)
{
    switch (setting->type) {
    case SETTING_BOOL:
        return type == CONFIG_TYPE_BOOL;
    case SETTING_NUMBER:
        return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
    case SETTING_LIST:
        return type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
    default:
        return type == CONFIG_TYPE_STRING;
    }
}

void texts_free(char **texts)
{
    for (char **text = texts; text && *text; text++) {
        free(*text);
    }
    free(texts);
}

static int list_take(struct conf *conf, const struct setting *setting,
                     const config_setting_t *value, char ***field, char **ret_message)
{
    size_t count = (size_t)config_setting_length(value);
    char **texts = calloc(count + 1, sizeof(*texts));

    if (!texts) {
        return -ENOMEM;
    }
    texts_free(*field);
    *field = texts;
    for (unsigned i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(value, i);

        if (config_setting_type(element) != CONFIG_TYPE_STRING) {
            return conf_mismatch_within(conf, setting->path, element, ret_message);
        }
        texts[i] = strdup(config_setting_get_string(element));
        if (!texts[i]) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* Takes the value of one setting of the file, whose type is right, into its field. */
static int value_take(struct conf *conf, const struct setting *setting,
                      const config_setting_t *value, char **ret_message)
{
    unsigned line = conf->lines[setting_index(setting)];
    void *field = setting_field(setting, conf);

    switch (setting->type) {
    case SETTING_BOOL:
        *(bool *)field = config_setting_get_bool(value);
        return 0;
    case SETTING_NUMBER: {
        long long number = config_setting_type(value) == CONFIG_TYPE_INT
                               ? config_setting_get_int(value)
                               : config_setting_get_int64(value);

        if (number < (long long)setting->min || number > (long long)setting->max) {
            return conf_message(conf->path, line, ret_message, "%s is %lld, expected %llu to %llu",
                                setting->path, number, (unsigned long long)setting->min,
                                (unsigned long long)setting->max);
        }
        *(uint64_t *)field = (uint64_t)number;
        return 0;
    }
    case SETTING_MODE: {
        const char *text = config_setting_get_string(value);
        mode_t mode = 0;

        if (parse_mode(text, &mode) < 0 || (mode & 0600) != 0600) {
            return conf_message(
                conf->path, line, ret_message,
                "%s is \"%s\", expected octal permissions that let the owner read and "
                "write, \"0600\" to \"0777\"",
                setting->path, text);
        }
        *(uint64_t *)field = mode;
        return 0;
    }
    case SETTING_LIST:
        return list_take(conf, setting, value, field, ret_message);
    case SETTING_TEXT:
        return conf_set_text(field, config_setting_get_string(value));
    case SETTING_CHOICE: {
        const char *text = config_setting_get_string(value);
        char names[128] = "";

        for (const struct choice *choice = setting->choices; choice->name; choice++) {
            if (strcmp(choice->name, text) == 0) {
                *(uint64_t *)field = choice->value;
                return 0;
            }
            strncat(names, *names ? ", " : "", sizeof(names) - strlen(names) - 1);
            strncat(names, choice->name, sizeof(names) - strlen(names) - 1);
        }
        return conf_message(conf->path, line, ret_message, "%s is \"%s\", expected one of: %s",
                            setting->path, text, names);
    }
    }
    return -EINVAL;
}

static int complain_unknown(const struct conf *conf, const char *path, unsigned line,
                            char **ret_message)
{
    const struct setting *meant = setting_nearest(path);
    const char *dot = meant ? strchr(meant->path, '.') : NULL;

    if (!meant) {
        return conf_message(conf->path, line, ret_message,
                            "unknown setting %s, expected one of those in shmd.conf(5)", path);
    }
    if (dot && !strchr(path, '.')) {
        return conf_message(conf->path, line, ret_message,
                            "unknown setting %s, expected in its group, perhaps: %.*s = { %s = "
                            "...; };",
                            path, (int)(dot - meant->path), meant->path, dot + 1);
    }
    return conf_message(conf->path, line, ret_message, "unknown setting %s, expected perhaps: %s",
                        path, meant->path);
}

/* Takes all settings of a group of the file (`prefix` is "" or ends with a dot). */
static int group_take(struct conf *conf, const config_setting_t *group, const char *prefix,
                      char **ret_message)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *value = config_setting_get_elem(group, (unsigned)i);
        unsigned line = config_setting_source_line(value);
        const char *name = config_setting_name(value);
        const struct setting *setting;
        char path[SETTING_PATH_MAX];
        int r;

        (void)snprintf(path, sizeof(path), "%s%s", prefix, name);
        setting = setting_find(path);
        if (setting_is_group(path)) {
            char inner[SETTING_PATH_MAX + 1];

            if (!config_setting_is_group(value)) {
                return conf_mismatch(conf, path, value, ret_message);
            }
            (void)snprintf(inner, sizeof(inner), "%s.", path);
            r = group_take(conf, value, inner, ret_message);
        } else if (!setting) {
            return complain_unknown(conf, path, line, ret_message);
        } else if (!type_matches(setting, config_setting_type(value))) {
            return conf_mismatch(conf, path, value, ret_message);
        } else {
            conf->lines[setting_index(setting)] = line;
            r = value_take(conf, setting, value, ret_message);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void config_destroy_cleanup(config_t *config)
{
    config_destroy(config);
}

int conf_take(struct conf *conf, const char *text, char **ret_message)
{
    CLEANUP(config_destroy_cleanup) config_t tree;

    config_init(&tree);
    if (!config_read_string(&tree, text)) {
        int r = conf_diagnose(conf, text, ret_message);

        if (r != -ENOENT) {
            return r;
        }
        return conf_message(conf->path, (unsigned)config_error_line(&tree), ret_message,
                            "%s, expected: name = value;", config_error_text(&tree));
    }
    return group_take(conf, config_root_setting(&tree), "", ret_message);
}
