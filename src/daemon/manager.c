/* SPDX-License-Identifier: MIT */
#include "daemon/manager.h"
#include "base/clock.h"
#include "daemon/report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>

#define HEALTH_USEC  USEC_PER_SEC /* how often, at most, where we are awake anyway */
#define OTHERS_WRITE 0022         /* mode bits */
#define IDLE_USEC    USEC_PER_SEC /* without an acknowledgement, we look less often, … */
#define IDLE_FACTOR  4            /* … by this much */

struct segment_spec manager_spec(const struct conf *conf)
{
    return (struct segment_spec){
        .key = (uint32_t)conf->key,
        .size = conf->size,
        .mode = (mode_t)conf->mode,
        .uid = conf->uid,
        .gid = conf->gid,
        .lock = conf->lock_memory,
    };
}

int manager_check(const struct conf *conf, char **ret_message)
{
    char types[256] = "";

    if (source_find(conf->source_type)) {
        return 0;
    }
    for (size_t i = 0; source_type(i); i++) {
        strncat(types, i ? ", " : "", sizeof(types) - strlen(types) - 1);
        strncat(types, source_type(i), sizeof(types) - strlen(types) - 1);
    }
    return conf_refuse(conf, "source.type", ret_message, "source.type is \"%s\", expected: %s",
                       conf->source_type, types);
}

/* --- refill --- */

int manager_on_ask(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;

    (void)s;
    (void)usec;
    source_ask(manager->source);
    return 0;
}

/* Nothing usable came: the source is asked again, after a pause if that goes on. */
static void refill_again(struct manager *manager)
{
    uint64_t pause = refill_failed(&manager->refill);

    if (sd_event_source_set_time_relative(manager->ask_source, pause) < 0 ||
        sd_event_source_set_enabled(manager->ask_source, SD_EVENT_ONESHOT) < 0) {
        (void)sd_event_exit(manager->event, EXIT_FAILURE);
    }
}

static void on_answer(void *userdata, int error, const char *record, size_t length)
{
    struct manager *manager = userdata;
    enum plain_fault fault;

    if (error < 0) {
        report_source(manager, error);
        refill_again(manager);
        return;
    }
    fault = plain_judge(record, length, manager->segment.size);
    if (fault != PLAIN_FITS) {
        manager->state->file->rejected++;
        report_rejected(manager, fault, record, length);
        refill_again(manager);
        return;
    }
    refill_delivered(&manager->refill);
    record_publish(&manager->record, record, length);
}

void manager_refill(struct manager *manager)
{
    if (!record_waits(&manager->record) && refill_wanted(&manager->refill)) {
        source_ask(manager->source);
    }
}

int manager_open_source(struct manager *manager, const struct conf *conf, struct source **ret)
{
    struct source_context context = {
        .event = manager->event,
        .capacity = conf->size - 1,
        .answer = on_answer,
        .userdata = manager,
    };

    return source_open(source_find(conf->source_type), &context, ret);
}

/* --- looking at the segment --- */

/* Who attached or detached last: all that the kernel knows of an anonymous client. */
static pid_t last_pid(const struct manager *manager)
{
    struct segment_stat stat;

    if (segment_query(manager->segment.id, &stat) < 0 || stat.last_pid == getpid()) {
        return 0;
    }
    return stat.last_pid;
}

void manager_look(struct manager *manager)
{
    struct findings found = {0};

    if (manager->segment.map) { /* else a reload has failed half-way, and we are about to end */
        found = record_look(&manager->record);
    }
    if (found.scribbled) {
        report_scribbled(manager);
    }
    if (found.acknowledged) {
        struct ack ack = record_ack(&manager->record, last_pid(manager));
        const struct ack *newest = acklog_newest(&manager->state->file->acklog);

        /* Killed between the log and record_done(), an earlier daemon has logged it already. */
        if (!newest || newest->record_last < ack.record_last) {
            log_acknowledgement(manager->log, &ack);
            manager->state->file->acknowledged++;
        }
        manager->active_usec = clock_usec();
        record_done(&manager->record);
        manager_refill(manager);
    }
}

/* The segment was removed under our eyes: made anew, with the same record. */
static int replace_lost(struct manager *manager)
{
    struct segment_spec spec = manager_spec(manager->conf);
    int old_id = manager->segment.id;
    enum segment_origin origin;
    struct segment_stat holder;
    struct segment new;
    int r;

    manager_look(manager); /* whoever is attached may have acknowledged */
    report_lost(manager);
    r = segment_acquire(&spec, &new, &origin, &holder);
    if (r < 0) {
        return sd_event_exit(manager->event, report_failed(manager, &spec, r, &holder));
    }
    segment_detach(&manager->segment);
    manager->segment = new;
    report_segment(manager, origin, old_id);
    record_resume(&manager->record);
    return 0;
}

static void status_update(struct manager *manager)
{
    const struct state_file *file = manager->state->file;
    char status[sizeof(manager->status)];

    (void)snprintf(status, sizeof(status),
                   "key 0x%08" PRIx32 ", plain, %zu bytes, segment %d: %" PRIu64
                   " records, %" PRIu64 " acknowledged, %" PRIu64 " rejected",
                   manager->segment.key, manager->segment.size, manager->segment.id,
                   state_number(file), file->acknowledged, file->rejected);
    if (strcmp(status, manager->status) != 0) {
        memcpy(manager->status, status, sizeof(status));
        (void)sd_notifyf(false, "STATUS=%s", status);
    }
}

static int health(struct manager *manager)
{
    struct segment_stat stat;
    int r = segment_query(manager->segment.id, &stat);

    if (r == -EINVAL || r == -EIDRM || (r == 0 && stat.removed)) {
        r = replace_lost(manager);
        if (r < 0) {
            return r;
        }
    }
    manager->health_usec = clock_usec();
    status_update(manager);
    return 0;
}

/* May anybody but our own user write the segment? Only then is there a '*' to look for. */
static bool others_write(const struct conf *conf)
{
    return (conf->mode & OTHERS_WRITE) || (conf->uid != CONF_OWN && conf->uid != geteuid());
}

int manager_poll(struct manager *manager)
{
    struct itimerspec every = {0};
    uint64_t interval = manager->conf->poll_interval_ms * USEC_PER_MSEC;

    /* A look costs little, but waking a sleeping processor for it does. */
    interval *= manager->idle ? IDLE_FACTOR : 1;
    if (others_write(manager->conf)) {
        every.it_value = every.it_interval = clock_timespec(interval);
    }
    return timerfd_settime(manager->poll_fd, 0, &every, NULL) < 0 ? -errno : 0;
}

int manager_on_poll(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct manager *manager = userdata;
    uint64_t expirations, now;
    bool idle;

    (void)s;
    (void)events;
    (void)!read(fd, &expirations, sizeof(expirations)); /* the timer goes on when it is read */
    manager_look(manager);
    now = clock_usec();
    idle = now - manager->active_usec >= IDLE_USEC;
    if (idle != manager->idle) {
        int r;

        manager->idle = idle;
        r = manager_poll(manager);
        if (r < 0) {
            return r;
        }
    }
    return now - manager->health_usec < HEALTH_USEC ? 0 : health(manager);
}

int manager_on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    int r;

    (void)usec;
    (void)sd_notify(false, "WATCHDOG=1");
    r = health(manager);
    if (r < 0) {
        return r;
    }
    return sd_event_source_set_time_relative(s, manager->tick_usec);
}

int manager_run(struct manager *manager)
{
    int r;

    manager_refill(manager);
    r = manager_poll(manager);
    if (r == 0) {
        report_started(manager);
        status_update(manager);
        (void)sd_notify(false, "READY=1");
        r = sd_event_loop(manager->event);
    }
    (void)sd_notify(false, "STOPPING=1");
    manager_look(manager); /* an acknowledgement that came with the signal */
    return r < 0 ? EXIT_FAILURE : r;
}
