/* SPDX-License-Identifier: MIT
 *
 * The loop: work as long as there is some, look whether more comes, sleep.
 *
 * While there is work, the loop's events, timers and connections, have their turn now and then.
 * Whoever rings without having anything to say wakes us for nothing; where that goes on and on, we
 * rest for a moment before we listen again, so that it costs nobody else the processor.
 */
#include "base/patience.h"
#include "daemon/hangup.h"
#include "daemon/manager.h"
#include "daemon/report.h"
#include "daemon/starts.h"
#include "daemon/status.h"
#include "daemon/subscribers.h"

#include <sysexits.h>
#include <time.h>

#define EVENTS_USEC (2 * USEC_PER_MSEC) /* how long the loop's events may wait for work, … */
#define EVENTS_MAX  16                  /* … of which then so many have their turn */
#define FUTILE_MAX  16                  /* times woken for nothing, … */
#define FUTILE_USEC USEC_PER_MSEC       /* … each so soon after the one before, … */
#define REST_USEC   100                 /* … and we rest for so long */

/* The same as manager_work(), and then the log has its turn: the clients come first. */
static bool work(struct manager *manager, bool *more, uint64_t *now)
{
    bool worked = manager_work(manager, more, now);

    log_wake(manager->log);
    return worked;
}

/* What has come up while there was work: several, so that many who connect do not wait for long. */
static int see_to_events(sd_event *event)
{
    int r = 1;

    for (int i = 0; i < EVENTS_MAX && r > 0 && sd_event_get_state(event) != SD_EVENT_FINISHED;
         i++) {
        r = sd_event_run(event, 0);
    }
    return r;
}

/* We were woken, and there was nothing to do. */
static void rest_if_teased(struct manager *manager, uint64_t now)
{
    struct timespec moment = clock_timespec(REST_USEC);

    manager->futile = now - manager->futile_usec < FUTILE_USEC ? manager->futile + 1 : 0;
    manager->futile_usec = now;
    if (manager->futile > FUTILE_MAX) {
        (void)nanosleep(&moment, NULL);
    }
}

/*
 * Works as long as there is something to do, looks for a while whether more comes, and then sleeps.
 * The loop's events, timers and connections, get their turn at least every EVENTS_USEC; what they
 * have changed is seen to in the first round after them.
 */
static int turn(struct manager *manager)
{
    uint64_t now = clock_usec();
    uint64_t events_usec = now + EVENTS_USEC;
    struct patience patience = patience_begin(0, false, now);
    uint64_t waited = now - manager->worked_usec;
    bool more = true, worked = false;
    int looks = 0;
    int r;

    while (now < events_usec) {
        if (work(manager, &more, &now)) {
            if (!worked) {
                manager->learnt_usec =
                    patience_learn(manager->learnt_usec, manager->spin_usec, waited);
            }
            patience = patience_begin(manager->learnt_usec, manager->crowded, now);
            looks = 0;
            manager->futile = 0;
            manager->worked_usec = now;
            worked = true;
        } else if (++looks < PATIENCE_LOOKS && patience.limit_usec > 0) {
            relax();
        } else {
            subscribers_notify_quiet(manager);
            if (!patience_lasts(&patience, &now)) {
                break;
            }
            looks = 0;
        }
    }
    if (worked) {
        status_refresh(manager, now);
    }
    if (now >= events_usec) {
        subscribers_notify_quiet(manager);
        subscribers_quieten(manager);
        return see_to_events(manager->event);
    }
    if (!worked) {
        rest_if_teased(manager, now);
    }
    subscribers_announce_sleep(manager);
    /* Looked at once more (S3): what came before the announcement rang no bell. */
    more = true;
    r = sd_event_run(manager->event, work(manager, &more, &now) ? 0 : UINT64_MAX);
    subscribers_announce_awake(manager);
    return r;
}

int manager_run(struct manager *manager)
{
    int r = 0;

    (void)manager_refill(manager);
    report_started(manager);
    status_notify(manager);
    hangup_answer(manager->instance, 0, 0, NULL);
    notifier_tell(manager->notifier, "READY=1");
    starts_ready(manager->instance);
    while (r >= 0 && sd_event_get_state(manager->event) != SD_EVENT_FINISHED) {
        r = turn(manager);
    }
    if (r < 0) {
        report_gave_up(manager, r);
        r = EX_OSERR;
    } else {
        (void)sd_event_get_exit_code(manager->event, &r);
    }
    manager->leave |= r != EXIT_SUCCESS; /* the next daemon goes on */
    notifier_tell(manager->notifier, "STOPPING=1");
    (void)manager_look(manager); /* an acknowledgement that came with the signal */
    return r;
}
