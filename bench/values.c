/* SPDX-License-Identifier: MIT
 *
 * What a daemon costs that nobody asks for records: processor time and wake-ups at rest, its start,
 * its memory.
 */
#include "bench/daemon.h"
#include "lib/shmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN        "size = 27;"
#define RING         "layout = \"ring\"; mode = \"0644\"; size = 1048576;"
#define SESSIONS_MAX 256

#define SETTLE_USEC 1500000 /* until it looks less often */
#define IDLE_USEC   2000000

static struct daemon measured;

static void start(const char *configuration)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "%s limits = { sessions_per_user = %d; };", configuration,
                   SESSIONS_MAX);
    daemon_start(&measured, text, false);
}

static struct shmd_subscriber *subscribe(void)
{
    struct shmd_options options = {.socket = measured.socket, .start = SHMD_START_NEXT};
    struct shmd_subscriber *subscriber;
    int r = shmd_subscribe(&options, &subscriber);

    if (r < 0) {
        fail("shmd_subscribe", r);
    }
    return subscriber;
}

/* With one subscriber, who has nothing to do either. */
static void idle(const char *layout, const char *configuration)
{
    struct shmd_subscriber *subscriber;
    static struct run run;
    uint64_t sleeps;
    char name[64];

    start(configuration);
    run = (struct run){0};
    run_count(&run, measured.pid);
    subscriber = subscribe();
    (void)usleep(SETTLE_USEC);
    sleeps = daemon_sleeps(&measured);
    run_start(&run);
    (void)usleep(IDLE_USEC);
    run_stop(&run);
    sleeps = daemon_sleeps(&measured) - sleeps;
    (void)snprintf(name, sizeof(name), "idle-processor-%s", layout);
    value_print("shmd", name, "us/s", (double)run.cpu_nsec * 1e6 / (double)run.nsec);
    (void)snprintf(name, sizeof(name), "idle-wakeups-%s", layout);
    value_print("shmd", name, "1/s", (double)sleeps * 1e9 / (double)run.nsec);
    (void)shmd_unsubscribe(subscriber);
    daemon_stop(&measured);
}

static void resident(unsigned sessions)
{
    struct shmd_subscriber *subscribers[SESSIONS_MAX];
    char name[64];

    start(RING);
    for (unsigned i = 0; i < sessions; i++) {
        subscribers[i] = subscribe();
    }
    (void)snprintf(name, sizeof(name), "resident-with-%u-sessions", sessions);
    value_print("shmd", name, "KiB", (double)daemon_resident_kib(&measured));
    for (unsigned i = 0; i < sessions; i++) {
        (void)shmd_unsubscribe(subscribers[i]);
    }
    daemon_stop(&measured);
}

int main(void)
{
    idle("plain", PLAIN);
    idle("ring", RING);
    start(PLAIN);
    value_print("shmd", "start-to-ready", "ms", (double)measured.start_nsec / 1e6);
    daemon_stop(&measured);
    resident(0);
    resident(64);
    resident(SESSIONS_MAX);
    return 0;
}
