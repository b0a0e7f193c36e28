/* SPDX-License-Identifier: MIT
 *
 * The service manager's side of a service's life, as far as it concerns its descriptors: the
 * notification socket, and the store of those that the service wants back when it is started
 * again.
 *
 * It keeps to what systemd(1) does: a descriptor that is stored twice is kept once; one whose
 * peer has hung up is dropped, the others of its name stay; and in which order they come back
 * nobody promises, so it is another one each time.
 */
#pragma once

#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define STORE_MAX      4096 /* descriptors */
#define STORE_NAME_MAX 64

struct kept {
    int fd;
    bool polled; /* dropped when its peer hangs up */
    char name[STORE_NAME_MAX];
};

struct store {
    bool off; /* takes nothing, as where there is no service manager */
    int notify_fd;
    size_t count;
    struct kept kept[STORE_MAX];
};

/* Listens at `path`. Negative errno. */
int store_open(struct store *store, const char *path);

/* Takes in what `pid` has said so far. True if it said READY=1 after anything else. */
bool store_receive(struct store *store, pid_t pid);

/* Drops what has no peer any more. */
void store_drop_hung_up(struct store *store);

/* Puts it into another order. */
void store_shuffle(struct store *store, struct plan *plan);
