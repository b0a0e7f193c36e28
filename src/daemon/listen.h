/* SPDX-License-Identifier: MIT
 *
 * The socket that clients connect to, where systemd does not hold it for us.
 */
#pragma once

/*
 * A socket bound to `path`, which is the caller's to close and to remove. -EADDRINUSE: somebody
 * else listens there; -EEXIST: something that is no socket has that name.
 */
int listen_open(const char *path, int *ret);
