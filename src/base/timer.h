/* SPDX-License-Identifier: MIT
 *
 * Timers of an event loop that fire once and are off until they are started again.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

/* Makes one that is off. accuracy_usec: so late may it fire; 0: as late as sd-event likes. */
static inline int timer_new(sd_event *event, uint64_t accuracy_usec,
                            sd_event_time_handler_t handler, void *userdata, sd_event_source **ret)
{
    int r = sd_event_add_time_relative(event, ret, CLOCK_MONOTONIC, 0, accuracy_usec, handler,
                                       userdata);

    return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

/* It fires in so long, and not when it would have. */
static inline int timer_start(sd_event_source *timer, uint64_t usec)
{
    int r = sd_event_source_set_time_relative(timer, usec);

    return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* It fires in so long at the latest: whoever comes next does not put off those who wait for it. */
static inline int timer_expect(sd_event_source *timer, uint64_t usec)
{
    return sd_event_source_get_enabled(timer, NULL) > 0 ? 0 : timer_start(timer, usec);
}
