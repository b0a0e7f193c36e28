/* SPDX-License-Identifier: MIT
 *
 * Memory that two processes share: a memfd whose size nobody can change any more, so that neither
 * side can make the other one die of SIGBUS.
 */
#pragma once

#include <stddef.h>

/* Makes and maps one, all zeros; descriptor and mapping are the caller's. */
int sealed_new(const char *name, size_t size, int *ret_fd, void **ret);

/*
 * Maps one that was made so, for reading and writing; the mapping is the caller's, the descriptor
 * stays whose it was. -EINVAL: its size could still change, or is not `size`.
 */
int sealed_map(int fd, size_t size, void **ret);

/* How large it is; 0 if that cannot be told. */
size_t sealed_size(int fd);
