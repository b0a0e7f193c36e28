/* SPDX-License-Identifier: MIT
 *
 * The lock of a key: one daemon of a user serves it, in all of an IPC namespace.
 *
 * A lock file is known only to those who share its directory; two containers may share the IPC
 * namespace, and with it the segment, and nothing else. So the lock is where the key is: a System V
 * semaphore, which counts the daemon that has it. Whatever the daemon dies of, the kernel takes
 * that back (SEM_UNDO). No client needs it, or may touch it; one that stops removes it.
 *
 * Its own key is another one (KEYLOCK_MARK), because many programs have a semaphore beside their
 * segment, under the same key. Another user may hold it nevertheless: then there is no lock, and
 * that must not keep a daemon from serving.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KEYLOCK_MARK UINT32_C(0x73686d64) /* "shmd" */

struct keylock {
    int id; /* -1: none */
};

#define KEYLOCK_NONE ((struct keylock){.id = -1})

/* A key for our own use, which goes with a segment's key: that of the semaphore. */
static inline uint32_t keylock_key(uint32_t key)
{
    return (key ^ KEYLOCK_MARK) != 0 ? key ^ KEYLOCK_MARK : KEYLOCK_MARK; /* 0 is no key */
}

/*
 * -EBUSY: another process of our user has it, *ret_pid says which (0: one that cannot be seen from
 * here). Other errors: it cannot be had; -EEXIST: because the semaphore is another user's.
 */
int keylock_take(uint32_t key, struct keylock *ret, pid_t *ret_pid);

/* Does this process have it still? Root, or a daemon for users that left, may have removed it. */
bool keylock_holds(const struct keylock *lock);

/* Removes it. Nothing happens if it is none. */
void keylock_release(struct keylock *lock);
