/* SPDX-License-Identifier: MIT */
#include "daemon/touch.h"
#include "base/clock.h"
#include "daemon/manager.h"
#include "daemon/report.h"

#define SLICE      ((size_t)1 << 20) /* bytes that are touched in about two milliseconds */
#define PAUSE_USEC USEC_PER_MSEC     /* for the others */

static void next_slice(struct manager *manager)
{
    (void)sd_event_source_set_time_relative(manager->touch_source, PAUSE_USEC);
    (void)sd_event_source_set_enabled(manager->touch_source, SD_EVENT_ONESHOT);
}

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
        next_slice(manager);
    }
    return 0;
}

int touch_new(struct manager *manager)
{
    int r = sd_event_add_time_relative(manager->event, &manager->touch_source, CLOCK_MONOTONIC, 0,
                                       1, on_touch, manager);

    return r < 0 ? r : sd_event_source_set_enabled(manager->touch_source, SD_EVENT_OFF);
}

void touch_begin(struct manager *manager)
{
    manager->touched = 0;
    next_slice(manager);
}
