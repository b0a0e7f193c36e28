/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/mman.h>
#include <sys/shm.h>

/*
 * As shmat(2), but for this process alone. A child that is forked has no part in it: else it would
 * count as one who has the segment attached, and whoever waits would take it for the daemon.
 */
static inline void *attach_alone(int id, size_t size, int flags)
{
    void *segment = shmat(id, NULL, flags);

    if (segment != (void *)-1) {
        (void)madvise(segment, size, MADV_DONTFORK);
    }
    return segment;
}
