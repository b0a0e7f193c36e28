/* SPDX-License-Identifier: MIT */
#include "daemon/touch.h"
#include "base/clock.h"
#include "base/timer.h"
#include "daemon/manager.h"
#include "daemon/report.h"

#define SLICE      ((size_t)1 << 20) /* bytes that are touched in about two milliseconds */
#define PAUSE_USEC USEC_PER_MSEC     /* for the others */

static int on_touch(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    int r = segment_touch(&manager->segment, manager->touched, SLICE);

    (void)s;
    (void)usec;
    manager->touched += SLICE;
    if (r < 0) {
        report_touch_failed(manager, r);
    } else if (manager->touched < manager->segment.size) {
        (void)timer_start(manager->touch_source, PAUSE_USEC);
    }
    return 0;
}

int touch_new(struct manager *manager)
{
    return timer_new(manager->event, 1, on_touch, manager, &manager->touch_source);
}

void touch_begin(struct manager *manager)
{
    manager->touched = 0;
    (void)timer_start(manager->touch_source, PAUSE_USEC);
}
