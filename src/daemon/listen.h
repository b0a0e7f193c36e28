/* SPDX-License-Identifier: MIT
 *
 * The socket that clients connect to.
 */
#pragma once

#include <stdbool.h>

/*
 * The socket that systemd passed, or else one bound to `path` (*ret_bound): the caller's to close,
 * and to remove. -EADDRINUSE: somebody else listens there; -EEXIST:
 * something that is no socket has that name.
 */
int listen_open(const char *path, bool *ret_bound, int *ret);
