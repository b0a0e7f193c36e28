/* SPDX-License-Identifier: MIT
 *
 * The journal's side: a socket that takes entries in its native protocol, and two files.
 *
 * Each entry about an acknowledgement becomes one line of words in the first:
 *
 *      SEQUENCE EPOCH SESSION UID PID FIRST LAST RECORDS LOST SHMID
 *
 * with "-" for what it does not say; every other one becomes a line in the second: SHMD_EVENT:
 * MESSAGE.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct journal {
    int fd;
    FILE *acknowledgements;
    FILE *others;
    unsigned long long entries;
    unsigned long long malformed;
};

/* Listens at `path`. Negative errno. */
int journal_open(struct journal *journal, const char *path, const char *acknowledgements,
                 const char *others);

/* Takes what is there, up to a bound. False: there is no more for now. */
bool journal_receive(struct journal *journal);
