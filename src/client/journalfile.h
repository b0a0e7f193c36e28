/* SPDX-License-Identifier: MIT
 *
 * A file of the journal: does it hold all that was written to it?
 *
 *      header │ object │ object │ object … │ the last object │ room for more
 *
 * sd-journal passes over what it cannot read without a word. So the file is read as what it is: it
 * is as long as its header says, there is an object behind each object up to the last one, and
 * sd-journal finds as many entries as were counted. A byte that has changed within a text is for
 * journalctl --verify.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-journal.h>

static inline void journal_close_cleanup(sd_journal **journal)
{
    if (*journal) {
        sd_journal_close(*journal);
    }
}

/* False also if it is no journal file at all. It may grow meanwhile. */
bool journalfile_is_sound(int fd);

/* Was it renamed because it had not been closed when journald came back? Then its end may be lost.
 */
bool journalfile_was_left_open(const char *path);
