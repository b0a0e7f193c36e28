/* SPDX-License-Identifier: MIT
 *
 * A whole daemon in the thread of a test: its manager, with a segment, a socket and a journal of
 * its own. The test takes the place of its loop: turn() is what the loop does once.
 */
#pragma once

#include "daemon/manager.h"
#include "daemon/reload.h"
#include "daemon/subscribers.h"
#include "mock.h"
#include "peer.h"

#include <pthread.h>

struct daemon {
    char *directory;
    char *conf_path;
    char *socket_path;
    struct manager *manager;
};

static inline bool daemon_start(struct daemon *daemon)
{
    CLEANUP(free_cleanup) char *message = NULL;
    struct conf *conf = NULL;
    int status;

    return conf_load(daemon->conf_path, &conf, &message) == 0 &&
           manager_check(conf, &message) == 0 &&
           manager_new(conf, "unit", daemon->socket_path, &daemon->manager, &status) == 0;
}

/* For a daemon in this process. Its standard error is the journal, which the test can look at. */
static inline bool daemon_set_environment(const char *directory)
{
    char stream[64];
    struct stat st;

    (void)fstat(STDERR_FILENO, &st);
    (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
    return setenv("RUNTIME_DIRECTORY", directory, 1) == 0 &&
           setenv("JOURNAL_STREAM", stream, 1) == 0;
}

/* All that a daemon with this configuration needs for its start. */
static inline bool daemon_prepare(struct daemon *daemon, const char *conf)
{
    *daemon = (struct daemon){.directory = private_directory_new()};
    mock_journal_reset();
    return daemon->directory && chmod(daemon->directory, 0755) == 0 &&
           asprintf(&daemon->conf_path, "%s/shmd.conf", daemon->directory) > 0 &&
           asprintf(&daemon->socket_path, "%s/socket", daemon->directory) > 0 &&
           file_write(daemon->conf_path, conf, strlen(conf)) &&
           daemon_set_environment(daemon->directory);
}

static inline bool daemon_new(struct daemon *daemon, const char *conf)
{
    return daemon_prepare(daemon, conf) && daemon_start(daemon);
}

/* What comes of what there is to do now. */
static inline void daemon_turn(struct daemon *daemon)
{
    uint64_t now = clock_usec();
    bool worked, more;

    do {
        run_loop(daemon->manager->event);
        more = true;
        worked = manager_work(daemon->manager, &more, &now);
    } while (worked);
}

/* A reload that has begun comes to its end. */
static inline void daemon_end_reload(struct manager *manager)
{
    while (manager->preparation) {
        (void)sd_event_run(manager->event, UINT64_MAX);
    }
}

static inline void daemon_reload(struct manager *manager)
{
    manager_reload(manager);
    daemon_end_reload(manager);
}

/* Stops and removes the segment; or, if it leaves, keeps all for daemon_start(). */
static inline void daemon_stop(struct daemon *daemon, bool leave)
{
    if (daemon->manager) {
        daemon->manager->leave = leave;
    }
    daemon->manager = manager_free(daemon->manager);
}

static inline void daemon_free(struct daemon *daemon)
{
    daemon_stop(daemon, false);
    (void)private_directory_free(daemon->directory);
    free(daemon->conf_path);
    free(daemon->socket_path);
    *daemon = (struct daemon){0};
}

static inline int daemon_subscribe_from(struct daemon *daemon, struct peer *peer,
                                        enum message_start start)
{
    struct message_hello hello = peer_hello(start);

    if (!peer_connect(peer, daemon->socket_path)) {
        return -errno;
    }
    run_loop(daemon->manager->event);
    return peer_subscribe(peer, daemon->manager->event, &hello);
}

/* A subscriber from the oldest record on. */
static inline int daemon_subscribe(struct daemon *daemon, struct peer *peer)
{
    return daemon_subscribe_from(daemon, peer, MESSAGE_START_OLDEST);
}

/* Runs what waits for the daemon in a thread of its own; the daemon has its turns meanwhile. */
static inline bool daemon_serve(struct daemon *daemon, void *(*client)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, client, argument) != 0) {
        return false;
    }
    while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
        run_loop(daemon->manager->event);
    }
    return true;
}

/* Until all acknowledgements that were logged have arrived. */
static inline void daemon_flush(struct daemon *daemon)
{
    const struct acklog *acklog = &daemon->manager->state->file->acklog;

    subscribers_flush(daemon->manager);
    log_wake(daemon->manager->log);
    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         acklog_waiting(acklog) > 0 && clock_usec() < end;) {
        (void)usleep(1000);
    }
}

/* How many records all acknowledgements cover that the journal has. */
static inline unsigned long long daemon_logged_records(struct daemon *daemon)
{
    unsigned long long records = 0;

    daemon_flush(daemon);
    for (size_t i = 0; i < mock_journal_count(); i++) {
        if (strcmp(mock_journal_field(i, "SHMD_EVENT"), "acknowledged") == 0) {
            records += mock_journal_number(i, "SHMD_RECORDS");
        }
    }
    return records;
}

/* Waits until the journal knows of all records that were let go; false if that does not come. */
static inline bool daemon_has_told(struct daemon *daemon)
{
    const struct untold *untold = &daemon->manager->state->file->untold;

    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         !untold_is_empty(untold) && clock_usec() < end;) {
        (void)usleep(1000);
    }
    return untold_is_empty(untold);
}

/* Waits for the first entry of this event: its index, or -1. */
static inline int daemon_logged(const char *event)
{
    int i = mock_journal_find(event);

    for (size_t count = 1; i < 0 && mock_journal_wait(count); count++) {
        i = mock_journal_find(event);
    }
    return i;
}
