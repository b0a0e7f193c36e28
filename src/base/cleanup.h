/* SPDX-License-Identifier: MIT
 *
 * Cleanup by scope: an object declared with CLEANUP(destroy) is destroyed when its scope ends, on
 * every path. A constructor fills such a guarded local and hands it over at the end with take().
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(destroy) __attribute__((cleanup(destroy)))

/* Hands a pointer over: its value is the old one, the variable is left NULL. */
#define take(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

/* Makes `NAME_cleanup` for CLEANUP() of a destructor `T *NAME(T *)` that takes NULL. */
#define DEFINE_CLEANUP(type, name)                                                                 \
    static inline void name##_cleanup(type **object)                                               \
    {                                                                                              \
        (void)name(*object);                                                                       \
    }

static inline void free_cleanup(void *pointer)
{
    free(*(void **)pointer);
}

/* Closes what is open, keeps errno, and returns the value of a closed descriptor. */
static inline int fd_close(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static inline void fd_close_cleanup(int *fd)
{
    *fd = fd_close(*fd);
}

static inline void file_close_cleanup(FILE **file)
{
    if (*file) {
        (void)fclose(*file);
    }
}
