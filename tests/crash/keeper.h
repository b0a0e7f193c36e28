/* SPDX-License-Identifier: MIT
 *
 * What the keeper knows: what it holds for the daemon, and how the life of the daemon that runs
 * now is meant to end.
 */
#pragma once

#include "journal.h"
#include "plan.h"
#include "store.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define NEVER UINT64_MAX

enum stage {
    STAGE_WAITING, /* for SIGUSR1 */
    STAGE_KILLING,
    STAGE_DONE,
    STAGE_ENDING,
};

struct keeper {
    const char *directory;
    char **command;
    bool stops;
    unsigned long long kills, killed;
    enum stage stage;
    int signals, listener;
    FILE *report;
    struct store store;
    struct journal journal;
    struct plan plan;

    /* Of the daemon that runs. */
    pid_t pid;
    struct life life;
    bool mortal, ready, stopped, reload_wanted;
    uint64_t begun_at, kill_at, stop_at, fail_at;
};

extern struct keeper keeper;

uint64_t now_usec(void);

/* A path in the keeper's directory, the caller's to free. */
char *in_directory(const char *name);

/* Something that must not happen has happened: says so, kills the daemon, and exits. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Starts the daemon, and decides how it is going to end. */
void life_begin(void);

/* The daemon has said that it is ready. */
void life_is_ready(void);

/* Ends it with SIGTERM. */
void life_stop(void);

/* It has ended with this status: as it should? Then, mostly, the next life begins. */
void life_end(int status);
