/* SPDX-License-Identifier: MIT
 *
 * A whole daemon for a fuzz target: apart from the machine, in one thread, and quick to come and
 * go. Its loop is played here, bounded; what waits for a moment to come is told that it has.
 */
#pragma once

#include "fuzz.h"

#include "../unit/daemon.h"

#include <dirent.h>

#define ROUNDS 64 /* of what there is to do */

static char *directory;

/* Once, before there is any thread: a namespace and a directory of our own. */
static inline void clear(void)
{
    directory = private_directory_free(directory);
}

__attribute__((constructor)) static void set_apart(void)
{
    private_ipc_or_skip();
    directory = private_directory_new();
    assert(directory && daemon_set_environment(directory) && atexit(clear) == 0);
    (void)unsetenv("NOTIFY_SOCKET");
}

/* --- the log's thread --- */

/*
 * It has its turn when it is waited for, which is in the end: so the same input does the same at
 * any time, and takes no longer where processors are busy.
 */
static struct {
    bool caught;
    void *(*run)(void *userdata);
    void *userdata;
} later;

int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *userdata);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *userdata);
int __wrap_pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
                                const struct timespec *deadline);

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *userdata)
{
    if (!later.caught) { /* libFuzzer's own */
        return __real_pthread_create(ret, attributes, run, userdata);
    }
    later.run = run;
    later.userdata = userdata;
    *ret = pthread_self();
    return 0;
}

int __wrap_pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
                                const struct timespec *deadline)
{
    (void)thread;
    (void)ret;
    (void)clock;
    (void)deadline;
    (void)later.run(later.userdata);
    return 0;
}

/* --- start --- */

static inline bool start(struct daemon *daemon)
{
    sigset_t signals;
    bool started;

    /* A daemon reads its signals in its loop; here, they are for whoever runs us. */
    (void)sigprocmask(SIG_BLOCK, NULL, &signals);
    later.caught = true;
    started = daemon_start(daemon);
    later.caught = false;
    (void)sigprocmask(SIG_SETMASK, &signals, NULL);
    return started;
}

/* --- its turn, and time --- */

static inline void run_events(struct manager *manager, size_t most)
{
    while (most-- > 0 && sd_event_run(manager->event, 0) > 0) {
    }
}

/* As its loop does: it was asleep, has events, works, and goes to sleep. */
static inline void turn(struct manager *manager)
{
    uint64_t now = clock_usec();
    bool more = true;

    subscribers_announce_awake(manager);
    run_events(manager, ROUNDS);
    for (int i = 0; i < ROUNDS && manager_work(manager, &more, &now); i++) {
    }
    subscribers_notify_quiet(manager);
    subscribers_announce_sleep(manager);
    more = true;
    (void)manager_work(manager, &more, &now);
    log_wake(manager->log);
}

/* A timer that is running has run out. */
static inline void expire(sd_event_source *timer)
{
    int enabled;

    if (sd_event_source_get_enabled(timer, &enabled) > 0) {
        (void)sd_event_source_set_time(timer, 1);
    }
}

static inline void expire_leases(struct manager *manager)
{
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        struct lease *lease = session->cursor ? &session->cursor->lease : NULL;

        if (lease && lease->since > 0) {
            lease->since =
                lease_time(&manager->state->file->lease_clock, clock_usec()) - session->lease_usec;
        }
    }
    expire(manager->lease_source);
}

/* --- what is left --- */

static inline char *path_of(const char *name)
{
    char *path;

    assert(asprintf(&path, "%s/%s", directory, name) > 0);
    return path;
}

static inline size_t descriptors(void)
{
    DIR *open = opendir("/proc/self/fd");
    size_t count = 0;

    while (open && readdir(open)) {
        count++;
    }
    (void)closedir(open);
    return count;
}
