/* SPDX-License-Identifier: MIT
 *
 * Lines for the log: what a program says on its standard error, in whatever pieces it comes. A line
 * that is longer than LINES_MAX is said in parts, so that memory is bounded; an empty one is not.
 */
#pragma once

#include "source/source.h"

#define LINES_MAX ((size_t)2048) /* bytes */

struct lines {
    char text[LINES_MAX];
    size_t length;
};

/* Has the source's host say each line that is complete now. */
void lines_feed(struct lines *lines, const struct source *source, const char *bytes, size_t length);

/* … and what is left without a newline. */
void lines_end(struct lines *lines, const struct source *source);
