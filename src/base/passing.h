/* SPDX-License-Identifier: MIT
 *
 * Messages that carry descriptors (SCM_RIGHTS, see unix(7)).
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#define PASSING_MAX 8 /* descriptors in a message */

/*
 * Sends what `message` says, which has no control data yet, with these descriptors. As sendmsg(2),
 * with `flags`; 0, or -errno.
 */
int passing_send(int socket, struct msghdr message, const int *fds, size_t count, int flags);
