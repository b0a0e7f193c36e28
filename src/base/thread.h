/* SPDX-License-Identifier: MIT
 *
 * Threads beside an event loop.
 */
#pragma once

#include <pthread.h>
#include <signal.h>

/* The loop takes the signals: it hears of none. `attributes` may be NULL. -errno. */
static inline int thread_start(pthread_t *ret, const pthread_attr_t *attributes,
                               void *(*run)(void *argument), void *argument)
{
    sigset_t all, before;
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(ret, attributes, run, argument);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}
