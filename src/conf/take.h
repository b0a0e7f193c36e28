/* SPDX-License-Identifier: MIT
 *
 * libconfig parses, and everything that it would let through is judged here, by walking the tree
 * that it made: every setting of the file must stand in the table, with the table's type and range.
 * A setting that is not in the file keeps its value.
 */
#pragma once

struct conf;

/* Parses a text that conf_scan() made, into a configuration that knows its path. */
int conf_take(struct conf *conf, const char *text, char **ret_message);

/* Makes `path:line: text` (`path: text` for line 0), the caller's to free, and returns -EINVAL. */
int conf_message(const char *path, unsigned line, char **ret_message, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Frees a list, which may end before it is whole. NULL is nothing. */
void texts_free(char **texts);

/* Sets a field to a copy of a text. -ENOMEM. */
int conf_set_text(char **field, const char *text);
