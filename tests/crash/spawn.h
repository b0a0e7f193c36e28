/* SPDX-License-Identifier: MIT
 *
 * How a service manager starts a service: what it has kept for it lies in order from descriptor
 * 3 on, with its names in the environment, and standard error is the journal.
 */
#pragma once

#include "store.h"

struct spawn {
    char **command;
    const char *errors; /* the file that plays the stream to the journal */
    const char *step;   /* NULL: none */
    int listener;       /* -1: none */
    const struct store *store;
};

/* Negative errno. */
pid_t spawn(const struct spawn *spawn);
