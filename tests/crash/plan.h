/* SPDX-License-Identifier: MIT
 *
 * How each life of the daemon is to end: at a random moment, or at a marked step of its code.
 *
 * The steps take turns. Which of them are reached depends on what the daemon is asked to do, so
 * one that is not reached in time is tried again with an earlier arrival, and given up after a
 * while.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEPS_MAX     256
#define STEP_NAME_MAX 64

struct step_tried {
    char name[STEP_NAME_MAX];
    unsigned long long killed;
    unsigned long long missed; /* at its first arrival, since it was last reached */
    unsigned long arrival_max;
};

struct plan {
    uint64_t random; /* the generator's state, never 0 */
    uint64_t pause_max_usec;
    uint64_t patience_usec; /* how long a step is waited for */
    size_t count, turn;
    struct step_tried steps[STEPS_MAX];
};

struct life {
    struct step_tried *step; /* NULL: at a random moment */
    unsigned long arrival;   /* the how-manieth */
    uint64_t usec;           /* until it is killed in any case */
};

/* Reads the names of the steps, one on each line. Negative errno. */
int plan_read_steps(struct plan *plan, const char *path);

/* Begins with `seed`: what follows is the same each time. */
void plan_seed(struct plan *plan, uint64_t seed);

/* A number below `bound`. */
uint64_t plan_below(struct plan *plan, uint64_t bound);

/* How the next life ends. */
struct life plan_next(struct plan *plan);

/* It was killed at its step, or not. */
void plan_learn(struct life *life, bool reached);
