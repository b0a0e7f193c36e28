/* SPDX-License-Identifier: MIT
 *
 * Who is at the other end of a connection, in the kernel's word.
 *
 * A pid alone does not say which process: it is given to another one some time after the first has
 * ended. So a process is known by its number besides, which no other process ever gets: that of its
 * pidfd (Linux 6.9), or else when it was started, if /proc tells that.
 */
#pragma once

#include "daemon/acklog.h"

#include <stdbool.h>
#include <sys/types.h>

struct identity {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    uint64_t process;         /* its number; 0: not known */
    char name[ACK_NAME_SIZE]; /* claimed; printable ASCII */
};

/* Who has connected to this socket; its name is empty. */
int identity_of_peer(int socket, struct identity *ret);

/* May both be the same process? Certain, if the numbers of both are known. */
static inline bool identity_may_be(const struct identity *a, const struct identity *b)
{
    return a->pid == b->pid && a->uid == b->uid &&
           (a->process == b->process || a->process == 0 || b->process == 0);
}

static inline bool identity_is(const struct identity *a, const struct identity *b)
{
    return identity_may_be(a, b) && a->process == b->process && a->process != 0;
}
