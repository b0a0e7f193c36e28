/* SPDX-License-Identifier: MIT
 *
 * The socket at which clients arrive: whose it is, and whether its name still leads to it. What
 * lies in /run is removed by a hand or by a program that cleans up, and the daemon would go on to
 * listen where nobody can come.
 */
#pragma once

#include "daemon/listen.h"

#include <stdbool.h>
#include <sys/types.h>

struct inherited;
struct manager;

struct listener {
    char path[LISTEN_PATH_MAX + 1]; /* empty: it has no name, or there is no socket */
    dev_t device;                   /* what stood there when it was had, … */
    ino_t inode;                    /* … 0: nobody knows */
    bool bound;                     /* by us, or by a daemon before us, and ours to remove */
    bool made;                      /* … by this start */
    bool kept;                      /* … by systemd: the next daemon goes on with it */
    bool lost;                      /* its name is gone, and that has been said */
};

/*
 * The socket that systemd holds, or one of our own, which systemd then holds for the next daemon.
 * *ret is -1 where another daemon listens, which has been logged.
 */
int listener_open(struct manager *manager, struct inherited *inherited, int *ret);

/* Looks for its name. One of our own is made anew; who has to do it otherwise is told. */
void listener_check(struct manager *manager);

/* Does nobody go on with it after us? */
bool listener_ends(const struct manager *manager);

/* Unless the next daemon goes on with it. A start that fails leaves what was there before. */
void listener_remove(const struct manager *manager);
