/* SPDX-License-Identifier: MIT
 *
 * The client's end of the socket: one question, one answer.
 */
#pragma once

#include "lib/shmd.h"
#include "proto/message.h"

/* Connects to the daemon's socket; its answers are waited for a bounded time. */
int connection_open(const struct shmd_options *options, int *ret);

/* Ends it, whoever else may have the descriptor. Returns the value of a closed one. */
int connection_close(int fd);

static inline void connection_close_cleanup(int *fd)
{
    *fd = connection_close(*fd);
}

/* HELLO → WELCOME with its descriptors, which are the caller's to close. */
int connection_hello(int socket, const struct message_hello *hello, struct message_welcome *ret,
                     int ret_fds[MESSAGE_WELCOME_FDS]);
