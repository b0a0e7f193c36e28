/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"
#include "conf/settings.h"

#include <string.h>

/* A text as a string of the file: with its quotes and escapes. */
static void string_dump(const char *text, FILE *file)
{
    (void)fputc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            (void)fprintf(file, "\\%c", c);
        } else if (c < ' ') {
            (void)fprintf(file, "\\x%02x", c);
        } else {
            (void)fputc(c, file);
        }
    }
    (void)fputc('"', file);
}

static void value_dump(const struct conf *conf, const struct setting *setting, FILE *file)
{
    const void *field = (const char *)conf + setting->offset;

    switch (setting->type) {
    case SETTING_BOOL:
        (void)fputs(*(const bool *)field ? "true" : "false", file);
        break;
    case SETTING_NUMBER:
        (void)fprintf(file, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case SETTING_MODE:
        (void)fprintf(file, "\"%04llo\"", (unsigned long long)*(const uint64_t *)field);
        break;
    case SETTING_TEXT:
        string_dump(*(char *const *)field, file);
        break;
    case SETTING_LIST:
        (void)fputc('[', file);
        for (char *const *text = *(char **const *)field; *text; text++) {
            string_dump(*text, file);
            (void)fputs(text[1] ? ", " : "", file);
        }
        (void)fputc(']', file);
        break;
    case SETTING_CHOICE:
        for (const struct choice *choice = setting->choices; choice->name; choice++) {
            if (choice->value == *(const uint64_t *)field) {
                string_dump(choice->name, file);
            }
        }
        break;
    }
}

void conf_dump(const struct conf *conf, FILE *file)
{
    const char *group = "";
    size_t length = 0;

    for (size_t i = 0; i < settings_count; i++) {
        const char *path = settings[i].path;
        const char *dot = strchr(path, '.');

        if (length && strncmp(path, group, length) != 0) {
            (void)fputs("};\n", file);
        }
        (void)fputc('\n', file);
        if (dot && strncmp(path, group, (size_t)(dot - path) + 1) != 0) {
            (void)fprintf(file, "%.*s = {\n", (int)(dot - path), path);
        }
        group = path;
        length = dot ? (size_t)(dot - path) + 1 : 0;
        (void)fprintf(file, "%s# %s\n%s%s = ", dot ? "    " : "", settings[i].help,
                      dot ? "    " : "", dot ? dot + 1 : path);
        value_dump(conf, &settings[i], file);
        (void)fputs(";\n", file);
    }
    if (length) {
        (void)fputs("};\n", file);
    }
}
