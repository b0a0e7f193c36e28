/* SPDX-License-Identifier: MIT */
#include "client/document.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

#define NAME_WIDTH 16
#define BLANKS     " \t\r\n"

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, BLANKS);
}

/* Behind the string that begins at `at`; NULL if it does not end. */
static const char *string_end(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) {
            at++;
        }
    }
    return *at ? at + 1 : NULL;
}

/* Behind the value that begins at `at`. */
static const char *value_end(const char *at)
{
    int depth = 0;

    for (; *at; at++) {
        if (depth == 0 && strchr(",]}", *at)) {
            return at;
        }
        if (*at == '"') {
            at = string_end(at);
            if (!at) {
                return NULL;
            }
            at--;
        }
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
    }
    return depth == 0 ? at : NULL;
}

/* The element of an array that begins at `at`, or behind the comma there; NULL: there is none. */
static const char *array_element(const char *at, struct piece *ret)
{
    const char *end;

    at = skip_blanks(at);
    at = *at == ',' ? skip_blanks(at + 1) : at;
    end = *at && *at != ']' ? value_end(at) : NULL;
    if (end) {
        *ret = (struct piece){.text = at, .length = (size_t)(end - at)};
    }
    return end;
}

const char *document_member(const char *at, struct piece *ret_name, struct piece *ret_value)
{
    const char *name = skip_blanks(at);
    const char *end;

    name = *name == ',' ? skip_blanks(name + 1) : name;
    end = *name == '"' ? string_end(name) : NULL;
    if (!end || *skip_blanks(end) != ':') {
        return NULL;
    }
    *ret_name = (struct piece){.text = name + 1, .length = (size_t)(end - name) - 2};
    return array_element(skip_blanks(end) + 1, ret_value);
}

static struct piece unquote(struct piece value)
{
    if (value.length >= 2 && value.text[0] == '"') {
        value.text++;
        value.length -= 2;
    }
    return value;
}

struct piece document_find(const char *document, const char *name)
{
    const char *at = document + (*document == '{');
    struct piece found, value;

    while ((at = document_member(at, &found, &value))) {
        if (found.length == strlen(name) && memcmp(found.text, name, found.length) == 0) {
            return unquote(value);
        }
    }
    return (struct piece){0};
}

/* A name as it is said: with blanks. */
static void name_write(FILE *file, struct piece name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.text[i] == '_' ? ' ' : name.text[i];

        text_write_visible(file, &c, 1, false);
    }
}

/* What a number counts, as its name says at its end. */
static const char *unit_of(struct piece *name)
{
    static const char *const units[] = {"ms", "s"};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t length = strlen(units[i]);

        if (name->length > length + 1 && name->text[name->length - length - 1] == '_' &&
            memcmp(name->text + name->length - length, units[i], length) == 0) {
            name->length -= length + 1;
            return units[i];
        }
    }
    return NULL;
}

char *document_text(struct piece value)
{
    char *text = malloc(value.length + 1), *to = text;

    for (size_t i = 0; text && i < value.length; i++) {
        /* What else is escaped could not be shown: it stays as it is. */
        i += value.text[i] == '\\' && i + 1 < value.length && strchr("\"\\", value.text[i + 1]);
        *to++ = value.text[i];
    }
    if (text) {
        *to = '\0';
    }
    return text;
}

static void value_write(FILE *file, struct piece value)
{
    CLEANUP(free_cleanup) char *text = document_text(unquote(value));

    if (text) {
        text_write_visible(file, text, strlen(text), false);
    }
}

static void label_write(FILE *file, struct piece name)
{
    name_write(file, name);
    (void)fprintf(file, ":%*s",
                  name.length < NAME_WIDTH - 1 ? NAME_WIDTH - 1 - (int)name.length : 1, "");
}

/* As "pid 4242, uid 1000". */
static void object_write(FILE *file, struct piece object)
{
    const char *at = object.text + 1;
    const char *separator = "";
    struct piece name, value;

    while ((at = document_member(at, &name, &value))) {
        (void)fputs(separator, file);
        name_write(file, name);
        (void)fputc(' ', file);
        value_write(file, value);
        separator = ", ";
    }
    (void)fputc('\n', file);
}

static void array_write(FILE *file, struct piece name, struct piece array)
{
    const char *at = array.text + 1;
    struct piece element;

    while ((at = array_element(at, &element))) {
        label_write(file, name);
        object_write(file, element);
    }
}

void document_write(FILE *file, const char *document)
{
    const char *unit;
    const char *at = document + (*document == '{');
    struct piece name, value;

    while ((at = document_member(at, &name, &value))) {
        if (value.text[0] == '[') {
            array_write(file, name, value);
            continue;
        }
        unit = unit_of(&name);
        label_write(file, name);
        value_write(file, value);
        (void)fprintf(file, "%s%s\n", unit ? " " : "", unit ? unit : "");
    }
}
