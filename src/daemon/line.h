/* SPDX-License-Identifier: MIT
 *
 * A line on its way to standard error: an entry, where that is not the journal.
 *
 * A file may take a part of it, and then no more: its file system is full. So the line says how
 * much was written, and goes on there as soon as there is room. And after a death of the daemon the
 * file says whether the line is there, or not. Of a pipe or a terminal nobody can know.
 */
#pragma once

#include "daemon/entry.h"

#include <stdint.h>

struct line {
    uint64_t device;  /* the file, … */
    uint64_t inode;   /* … 0: it is none */
    uint64_t place;   /* from where on the line is in it, if it is */
    uint64_t length;  /* of the line */
    uint64_t written; /* of it, so many bytes were, and then there was an error */
    char text[ENTRY_LINE_MAX];
};

/* Was a part of this entry's line written, and does the file still end with that? */
bool line_is_begun(const struct line *line, const struct entry *entry);

/* Begins the line of an entry: nothing of it is written yet. */
void line_begin(struct line *line, const struct entry *entry);

/* Writes the rest of it. Negative errno: not all of it was written, try again. */
int line_write(struct line *line);

/* Is it in the file, as a whole? 1: it is; 0: no. A negative error: nobody can tell for now. */
int line_is_there(const struct line *line);
