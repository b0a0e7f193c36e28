/* SPDX-License-Identifier: MIT
 *
 * What a client may make wait for as long as it likes is done in a thread:
 *
 *   - A message may carry descriptors, and whoever drops the last reference to a file closes it: a
 *     TCP socket that lingers (SO_LINGER) waits there for its peer. So a connection, or a doorbell,
 *     is closed when nothing lies in it, and only by a look (MSG_PEEK) is it known what does: that
 *     takes references of its own, and never drops the last one. What carries no descriptors is
 *     received at once.
 *   - To empty a page takes the lock of its memfd. A client holds it while it writes there with
 *     write(2), from memory that it provides itself, page by page (userfaultfd, FUSE).
 *
 * A close that lingers is interrupted by a signal; the rest ends when its client does, or with the
 * process: an exit does not linger. Each has a thread of its own, so that none waits for another's.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct disposal {
    int socket; /* to be closed, shut down already: nothing more comes; -1: none */
    void *page; /* to be emptied and unmapped; NULL: none */
    pthread_t thread;
    bool running; /* the thread has both */
};

/*
 * Goes on with it, and with a thread that still waits, interrupts it. True: it is done. Otherwise
 * to be called again in a while, also where there was no thread to be had.
 */
bool disposal_proceed(struct disposal *disposal);

/* What has not come to its end is left to itself. */
void disposal_abandon(struct disposal *disposal);
