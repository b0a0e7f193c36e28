/* SPDX-License-Identifier: MIT
 *
 * Output that waits: a pipe or a terminal that somebody has made non-blocking takes what it has
 * room for, and says EAGAIN. That is no error of ours, and no end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes all of it. A negative errno value: some of it was not written; -EINTR: `stop` (NULL:
 * never) said so after a signal.
 */
int patient_write(int fd, const void *bytes, size_t length, bool (*stop)(void));

/* Writes the rest of it, from *written on, which then says how far that has come. */
int patient_write_on(int fd, const void *bytes, size_t length, size_t *written, bool (*stop)(void));

/* From now on stdout and stderr write like that; stderr line by line. To be called before they are
 * used. */
void patient_streams(void);
