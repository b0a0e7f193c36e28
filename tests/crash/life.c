/* SPDX-License-Identifier: MIT */
#include "keeper.h"
#include "spawn.h"
#include "../patience.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define STOPS_USEC     30000        /* --stops: the longest time from ready to the stop */
#define STARTS_TO_STEP UINT64_C(30) /* a step is waited for as long as so many starts take */
#define STEP_USEC_MAX  UINT64_C(3000000)

void life_begin(void)
{
    static bool spared;
    uint64_t now = now_usec();
    char *errors = in_directory("errors"), *step = NULL;
    struct spawn with = {.command = keeper.command,
                         .errors = errors,
                         .listener = keeper.listener,
                         .store = &keeper.store};

    keeper.ready = keeper.stopped = false;
    keeper.kill_at = keeper.stop_at = NEVER;
    keeper.begun_at = now;
    keeper.fail_at = now + PATIENCE_USEC;
    keeper.life = (struct life){0};
    spared = keeper.stops && !spared;
    if (keeper.stage == STAGE_KILLING && keeper.killed >= keeper.kills) {
        keeper.stage = STAGE_DONE;
    }
    keeper.mortal = keeper.stage == STAGE_KILLING && !spared;
    if (keeper.mortal) {
        keeper.life = plan_next(&keeper.plan);
        keeper.kill_at = now + keeper.life.usec;
    }
    if (keeper.life.step &&
        asprintf(&step, "%s:%lu", keeper.life.step->name, keeper.life.arrival) < 0) {
        abort();
    }
    with.step = step;
    store_drop_hung_up(&keeper.store);
    store_shuffle(&keeper.store, &keeper.plan);
    keeper.pid = spawn(&with);
    free(errors);
    free(step);
    if (keeper.pid < 0) {
        fail("fork: %s", strerror(-keeper.pid));
    }
}

/* Where a start takes longer, all that follows it does, too. */
static void learn_patience(void)
{
    uint64_t usec = STARTS_TO_STEP * (now_usec() - keeper.begun_at);

    usec = usec < STEP_USEC_MAX ? usec : STEP_USEC_MAX;
    if (usec > keeper.plan.patience_usec) {
        keeper.plan.patience_usec = usec;
    }
}

void life_is_ready(void)
{
    keeper.ready = true;
    learn_patience();
    if (keeper.stage != STAGE_ENDING) {
        keeper.fail_at = NEVER;
    }
    if (keeper.stage == STAGE_WAITING) {
        (void)printf("ready\n");
    } else if (keeper.stage == STAGE_DONE) {
        (void)printf("done\n");
    } else if (keeper.stage == STAGE_KILLING && keeper.stops) {
        keeper.stop_at = now_usec() + plan_below(&keeper.plan, STOPS_USEC);
    }
}

void life_stop(void)
{
    keeper.stopped = true;
    keeper.stop_at = NEVER;
    keeper.fail_at = now_usec() + PATIENCE_USEC;
    (void)kill(keeper.pid, SIGTERM);
}

static const char *way_it_ended(bool killed, bool by_us)
{
    if (!killed) {
        return "stopped";
    }
    if (!by_us) {
        return "step";
    }
    return keeper.life.step ? "missed" : "random";
}

void life_end(int status)
{
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bool by_us = keeper.kill_at == 0;
    const char *step = keeper.life.step ? keeper.life.step->name : "-";

    keeper.pid = 0;
    if (!(killed && keeper.mortal && (by_us || keeper.life.step)) &&
        !(keeper.stopped && WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        fail("the daemon %s %d%s, step %s", WIFEXITED(status) ? "exited with" : "died of signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
             keeper.ready ? "" : " before it was ready", step);
    }
    if (keeper.mortal) {
        (void)fprintf(keeper.report, "%s %lu %s %s\n", step, keeper.life.arrival,
                      way_it_ended(killed, by_us), keeper.ready ? "ready" : "starting");
        keeper.killed += killed;
    }
    if (keeper.life.step) {
        plan_learn(&keeper.life, killed && !by_us);
    }
    if (keeper.stage == STAGE_ENDING) {
        if (killed) {
            fail("it was killed while it was stopped");
        }
        return;
    }
    life_begin();
}
