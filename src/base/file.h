/* SPDX-License-Identifier: MIT
 *
 * Reading a small file that somebody else names: it may be anything, and must not hang us.
 */
#pragma once

#include <stddef.h>

/*
 * Reads a regular file of at most `max` bytes whole; *ret is NUL-terminated and the caller's to
 * free. Besides what open(2) returns: -EISDIR, -ENXIO (neither file nor directory: a FIFO, a
 * device), -EFBIG (longer than max).
 */
int file_read(const char *path, size_t max, char **ret, size_t *ret_length);
