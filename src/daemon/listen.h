/* SPDX-License-Identifier: MIT
 *
 * The socket that clients connect to, where systemd does not hold it for us.
 */
#pragma once

#include <stddef.h>
#include <sys/un.h>

#define LISTEN_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1) /* bytes */

/*
 * A socket bound to `path`, which is the caller's to close and to remove. -EADDRINUSE: somebody
 * else listens there; -EEXIST: something that is no socket has that name.
 */
int listen_open(const char *path, int *ret);
