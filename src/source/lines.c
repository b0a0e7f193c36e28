/* SPDX-License-Identifier: MIT */
#include "source/lines.h"

#include <string.h>

void lines_feed(struct lines *lines, const struct source *source, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline ? (size_t)(newline - bytes) : length;
        size_t room = LINES_MAX - lines->length;
        bool whole = newline && part <= room;

        part = part < room ? part : room;
        memcpy(lines->text + lines->length, bytes, part);
        lines->length += part;
        if (whole || lines->length == LINES_MAX) {
            lines_end(lines, source);
        }
        part += whole;
        bytes += part;
        length -= part;
    }
}

void lines_end(struct lines *lines, const struct source *source)
{
    if (lines->length > 0) {
        source_say(source, lines->text, lines->length);
    }
    lines->length = 0;
}
