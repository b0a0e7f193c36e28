/* SPDX-License-Identifier: MIT
 *
 * A file that one process has to itself. The lock is the process's until it closes the descriptor,
 * or dies; so there is nothing to clear away after it, and nothing to wait for.
 *
 * Whoever has the file may remove it, or give it another name. So a lock counts only if the file
 * still has the name under which it was found.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Opens and locks; makes the file (*ret_made) if `make` says so. On failure nothing is left that
 * was not there before. -EBUSY: another process has it, *ret_pid says which (0: nobody knows);
 * -EPERM: it is somebody else's; -ELOOP, -EISDIR, -ENXIO: it is no regular file.
 */
int lockfile_open(const char *path, bool make, int *ret, bool *ret_made, pid_t *ret_pid);
