/* SPDX-License-Identifier: MIT */
#include "base/step.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read once, before there are threads. */
static const char *wanted;
static size_t wanted_length;
static atomic_long arrivals_left;

__attribute__((constructor)) static void step_choose(void)
{
    const char *count;

    wanted = getenv("SHMD_CRASH_STEP");
    if (!wanted) {
        return;
    }
    wanted_length = strcspn(wanted, ":");
    count = wanted + wanted_length;
    arrivals_left = *count ? strtol(count + 1, NULL, 10) : 1;
}

void step(const char *name)
{
    if (!wanted || strlen(name) != wanted_length || memcmp(name, wanted, wanted_length) != 0) {
        return;
    }
    /* Relaxed: it only counts. */
    if (atomic_fetch_sub_explicit(&arrivals_left, 1, memory_order_relaxed) == 1) {
        (void)kill(getpid(), SIGKILL);
    }
}
