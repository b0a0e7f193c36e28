/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARRIVALS_MAX 256
#define MISSES_MAX   3  /* at the first arrival, one after the other */
#define OCTAVES      10 /* the shortest pauses are 2^10 times shorter than the longest */

int plan_read_steps(struct plan *plan, const char *path)
{
    FILE *file = fopen(path, "re");
    char name[STEP_NAME_MAX];

    if (!file) {
        return -errno;
    }
    while (fscanf(file, "%63s", name) == 1 && plan->count < STEPS_MAX) {
        struct step_tried *step = &plan->steps[plan->count++];

        (void)snprintf(step->name, sizeof(step->name), "%s", name);
        step->arrival_max = ARRIVALS_MAX;
    }
    (void)fclose(file);
    return 0;
}

void plan_seed(struct plan *plan, uint64_t seed)
{
    /* Seeds that are alike begin differently (splitmix64); it must not be 0. */
    seed += UINT64_C(0x9e3779b97f4a7c15);
    seed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    seed = (seed ^ (seed >> 27)) * UINT64_C(0x94d049bb133111eb);
    plan->random = (seed ^ (seed >> 31)) | 1;
}

/* xorshift64* */
uint64_t plan_below(struct plan *plan, uint64_t bound)
{
    uint64_t x = plan->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    plan->random = x;
    return bound ? ((x * UINT64_C(2685821657736338717)) >> 16) % bound : 0;
}

/* Short ones are as likely as long ones: the start of a life is as interesting as the rest. */
static uint64_t short_or_long(struct plan *plan, uint64_t max)
{
    return plan_below(plan, (max >> plan_below(plan, OCTAVES)) + 1);
}

static struct step_tried *next_step(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct step_tried *step = &plan->steps[plan->turn++ % plan->count];

        if (step->missed < MISSES_MAX) {
            return step;
        }
    }
    return NULL;
}

struct life plan_next(struct plan *plan)
{
    struct life life = {.arrival = 1};

    if (plan_below(plan, 2) == 0) {
        life.step = next_step(plan);
    }
    if (!life.step) {
        life.usec = plan_below(plan, 2) ? plan_below(plan, plan->pause_max_usec + 1)
                                        : short_or_long(plan, plan->pause_max_usec);
        return life;
    }
    if (life.step->killed > 0 && plan_below(plan, 2)) {
        life.arrival += short_or_long(plan, life.step->arrival_max - 1);
    }
    life.usec = plan->patience_usec;
    return life;
}

void plan_learn(struct life *life, bool reached)
{
    struct step_tried *step = life->step;

    if (reached) {
        step->killed++;
        step->missed = 0;
    } else if (life->arrival > 1) {
        step->arrival_max = life->arrival / 2;
    } else {
        step->missed++;
    }
}
