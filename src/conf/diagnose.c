/* SPDX-License-Identifier: MIT */
#include "conf/diagnose.h"
#include "base/parse.h"
#include "conf/conf.h"
#include "conf/scan.h"
#include "conf/settings.h"
#include "conf/take.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 8   /* groups and lists within each other */
#define NAMES_MAX 128 /* settings of a group that are compared with each other */
#define SHOWN_MAX 40  /* bytes of a token that a message repeats */

enum kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_MARK, /* one character */
};

struct token {
    enum kind kind;
    const char *text;
    size_t length;
    unsigned line;
};

struct reader {
    const struct conf *conf;
    const char *at;
    unsigned line;
    struct token token; /* the one that comes next */
    char **message;
};

/* --- tokens --- */

static size_t blank_length(const char *at)
{
    return isspace((unsigned char)*at) ? 1 : *at == '"' ? 0 : conf_scan_skip(at);
}

static void next(struct reader *reader)
{
    size_t n;

    while ((n = blank_length(reader->at)) > 0) {
        for (; n > 0; n--, reader->at++) {
            reader->line += *reader->at == '\n';
        }
    }
    reader->token = (struct token){.text = reader->at, .line = reader->line, .length = 1};
    if (*reader->at == '\0') {
        reader->token.kind = TOKEN_END;
        reader->token.length = 0;
    } else if (*reader->at == '"') {
        reader->token.kind = TOKEN_STRING;
        reader->token.length = conf_scan_skip(reader->at);
    } else if (isalpha((unsigned char)*reader->at) || *reader->at == '*') {
        reader->token.kind = TOKEN_WORD;
        reader->token.length = conf_scan_run(reader->at, "-_*.");
    } else if (isdigit((unsigned char)*reader->at) || strchr("+-.", *reader->at)) {
        reader->token.kind = TOKEN_NUMBER;
        reader->token.length = 1 + conf_scan_run(reader->at + 1, "+-._");
    } else {
        reader->token.kind = TOKEN_MARK;
    }
    for (n = reader->token.length; n > 0; n--, reader->at++) {
        reader->line += *reader->at == '\n';
    }
}

static bool is_mark(const struct reader *reader, const char *marks)
{
    return reader->token.kind == TOKEN_MARK && strchr(marks, *reader->token.text);
}

/* libconfig's integers and fractions. */
static bool is_number(const struct token *token)
{
    char text[SHOWN_MAX + 1], *end;
    const char *digits;

    if (token->length > SHOWN_MAX) {
        return false;
    }
    memcpy(text, token->text, token->length);
    text[token->length] = '\0';
    digits = text + (*text == '-' || *text == '+');
    (void)strtoull(digits, &end, strncasecmp(digits, "0x", 2) == 0 ? 16 : 10);
    if (end > digits && (!*end || strcmp(end, "L") == 0 || strcmp(end, "LL") == 0)) {
        return true;
    }
    (void)strtod(digits, &end);
    return isdigit((unsigned char)digits[*digits == '.']) && end > digits && !*end &&
           !strchr(digits, 'x') && !strchr(digits, 'X');
}

/* How a token is repeated in a message. */
struct shown {
    char text[SHOWN_MAX + sizeof("…")];
};

static struct shown show(const struct token *token)
{
    struct shown shown;
    size_t length = token->length < SHOWN_MAX ? token->length : SHOWN_MAX;

    if (token->kind == TOKEN_END) {
        (void)strcpy(shown.text, "the end of the file");
    } else if (token->kind == TOKEN_MARK && !isprint((unsigned char)*token->text)) {
        (void)snprintf(shown.text, sizeof(shown.text), "the byte 0x%02x",
                       (unsigned)(unsigned char)*token->text);
    } else {
        (void)snprintf(shown.text, sizeof(shown.text), "%.*s%s", (int)length, token->text,
                       token->length > length ? "…" : "");
    }
    return shown;
}

/* --- what is expected --- */

#define COMPLAIN(reader, token, ...)                                                               \
    conf_message((reader)->conf->path, (token)->line, (reader)->message, __VA_ARGS__)

static const char *expected(const char *path)
{
    const struct setting *setting = setting_find(path);

    if (setting_is_group(path)) {
        return "a group: { ... }";
    }
    return setting ? setting_expected(setting) : "a value";
}

/* "1M": what its author has meant, in bytes, where that is plain. */
static int complain_about_number(const struct reader *reader, const char *path)
{
    const struct token *token = &reader->token;
    const struct setting *setting = setting_find(path);
    struct shown shown = show(token);
    uint64_t number;

    if (setting && setting->type == SETTING_NUMBER && parse_size(shown.text, &number) == 0) {
        return COMPLAIN(reader, token, "%s is %s, expected an integer without a unit: %llu", path,
                        shown.text, (unsigned long long)number);
    }
    return COMPLAIN(reader, token, "%s is %s, expected %s", path, shown.text, expected(path));
}

static int complain_about_word(const struct reader *reader, const char *path)
{
    const struct setting *setting = setting_find(path);
    struct shown shown = show(&reader->token);

    if (setting && (setting->type == SETTING_TEXT || setting->type == SETTING_CHOICE)) {
        return COMPLAIN(reader, &reader->token, "%s is %s, expected a string, in quotes: \"%s\"",
                        path, shown.text, shown.text);
    }
    return COMPLAIN(reader, &reader->token, "%s is %s, expected %s", path, shown.text,
                    expected(path));
}

/* --- the grammar --- */

static int read_settings(struct reader *reader, const char *prefix, const struct token *opening,
                         unsigned depth);
static int read_values(struct reader *reader, const char *path, unsigned depth);

static int read_value(struct reader *reader, const char *path, unsigned depth)
{
    struct token opening = reader->token;
    char inner[SETTING_PATH_MAX + 1];

    switch (opening.kind) {
    case TOKEN_STRING:
        while (reader->token.kind == TOKEN_STRING) {
            next(reader);
        }
        return 0;
    case TOKEN_NUMBER:
        if (!is_number(&opening)) {
            return complain_about_number(reader, path);
        }
        next(reader);
        return 0;
    case TOKEN_WORD:
        if ((opening.length != 4 || strncasecmp(opening.text, "true", 4) != 0) &&
            (opening.length != 5 || strncasecmp(opening.text, "false", 5) != 0)) {
            return complain_about_word(reader, path);
        }
        next(reader);
        return 0;
    default:
        break;
    }
    if (depth == DEPTH_MAX) {
        return -ENOENT;
    }
    if (is_mark(reader, "{")) {
        (void)snprintf(inner, sizeof(inner), "%s.", path);
        next(reader);
        return read_settings(reader, inner, &opening, depth + 1);
    }
    if (is_mark(reader, "[(")) {
        return read_values(reader, path, depth + 1);
    }
    return COMPLAIN(reader, &opening, "%s has no value before %s, expected %s", path,
                    show(&opening).text, expected(path));
}

static int read_values(struct reader *reader, const char *path, unsigned depth)
{
    struct token opening = reader->token;
    const char *closing = *opening.text == '[' ? "]" : ")";
    int r = 0;

    next(reader);
    while (r == 0 && !is_mark(reader, closing)) {
        if (reader->token.kind == TOKEN_END) {
            return COMPLAIN(reader, &opening, "%s is a list that does not end, expected a %s", path,
                            closing);
        }
        r = read_value(reader, path, depth);
        if (r == 0 && is_mark(reader, ",")) {
            next(reader);
        } else if (r == 0 && !is_mark(reader, closing)) {
            r = COMPLAIN(reader, &reader->token, "%s has %s in its list, expected a comma or %s",
                         path, show(&reader->token).text, closing);
        }
    }
    if (r == 0) {
        next(reader);
    }
    return r;
}

/* The setting's name and what follows it. */
static int read_setting(struct reader *reader, const char *prefix, unsigned depth)
{
    struct token name = reader->token;
    char path[SETTING_PATH_MAX];
    int r;

    if (name.kind != TOKEN_WORD) {
        return COMPLAIN(reader, &name, "%s stands where a setting begins, expected: name = value;",
                        show(&name).text);
    }
    (void)snprintf(path, sizeof(path), "%s%s", prefix, show(&name).text);
    if (memchr(name.text, '.', name.length)) {
        const char *dot = memchr(name.text, '.', name.length);

        return COMPLAIN(reader, &name, "%s is in the group %.*s, expected: %.*s = { %.*s = ...; };",
                        path, (int)(dot - name.text), name.text, (int)(dot - name.text), name.text,
                        (int)(name.text + name.length - dot - 1), dot + 1);
    }
    next(reader);
    if (!is_mark(reader, "=:")) {
        return COMPLAIN(reader, &reader->token, "after %s comes %s, expected = and %s", path,
                        show(&reader->token).text, expected(path));
    }
    next(reader);
    r = read_value(reader, path, depth);
    if (r < 0) {
        return r;
    }
    if (is_mark(reader, ";,")) {
        next(reader);
    } else if (reader->token.kind != TOKEN_WORD && reader->token.kind != TOKEN_END &&
               !is_mark(reader, "}")) {
        return COMPLAIN(reader, &reader->token, "after the value of %s comes %s, expected ;", path,
                        show(&reader->token).text);
    }
    return 0;
}

static int read_settings(struct reader *reader, const char *prefix, const struct token *opening,
                         unsigned depth)
{
    struct token names[NAMES_MAX];
    size_t count = 0;

    while (reader->token.kind != TOKEN_END && !(opening && is_mark(reader, "}"))) {
        struct token name = reader->token;
        int r;

        for (size_t i = 0; i < count && name.kind == TOKEN_WORD; i++) {
            if (names[i].length == name.length &&
                strncmp(names[i].text, name.text, name.length) == 0) {
                return COMPLAIN(
                    reader, &name,
                    "duplicate setting %s%s, expected it once: it stands in line %u, too", prefix,
                    show(&name).text, names[i].line);
            }
        }
        if (count < NAMES_MAX) {
            names[count++] = name;
        }
        r = read_setting(reader, prefix, depth);
        if (r < 0) {
            return r;
        }
    }
    if (!opening) {
        return 0;
    }
    if (reader->token.kind == TOKEN_END) {
        return COMPLAIN(reader, opening, "%.*s is a group that does not end, expected a }",
                        (int)strlen(prefix) - 1, prefix);
    }
    next(reader);
    return 0;
}

int conf_diagnose(const struct conf *conf, const char *text, char **ret_message)
{
    struct reader reader = {.conf = conf, .at = text, .line = 1, .message = ret_message};
    int r;

    next(&reader);
    r = read_settings(&reader, "", NULL, 0);
    return r < 0 ? r : -ENOENT;
}
