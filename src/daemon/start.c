/* SPDX-License-Identifier: MIT
 *
 * The manager's first and last moments: what is made in which order, and what is left behind.
 *
 * The segment and the state live together: a stop removes both, unless the segment is kept, or the
 * journal has not taken every acknowledgement yet: then the state stays, and the next daemon goes
 * on with it. So it does where this one cannot go on. A start that fails leaves nothing that was
 * not there before, and takes nothing away that was: the segment is not touched before the socket
 * is had.
 */
#include "base/clock.h"
#include "base/shortage.h"
#include "daemon/failure.h"
#include "daemon/fdstore.h"
#include "daemon/manager.h"
#include "daemon/membership.h"
#include "daemon/preparation.h"
#include "daemon/reload.h"
#include "daemon/report.h"
#include "daemon/statename.h"
#include "daemon/status.h"
#include "daemon/touch.h"
#include "source/program.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

#define TICK_USEC           (5 * USEC_PER_SEC) /* without a watchdog */
#define NOTIFIER_CLOSE_USEC (5 * USEC_PER_SEC) /* how long a stop waits for systemd, … */
#define LOG_CLOSE_USEC      (5 * USEC_PER_SEC) /* … and for the journal, … */
#define LOG_LEAVE_USEC                                                                             \
    (USEC_PER_SEC / 4) /* … and, for each entry, where the next daemon goes on                   \
                        */

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
    (void)s;
    (void)si;
    manager_reload(userdata);
    return 0;
}

static int on_child(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
    (void)s;
    (void)si;
    (void)userdata;
    program_reap_others();
    return 0;
}

static int on_stop(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
    struct manager *manager = userdata;

    (void)s;
    manager->leave = si->ssi_signo == SIGUSR1;
    return sd_event_exit(manager->event, EXIT_SUCCESS);
}

static int signals_new(struct manager *manager)
{
    static const struct {
        int number;
        sd_event_signal_handler_t handler;
    } signals[] = {{SIGHUP, on_hangup},
                   {SIGTERM, on_stop},
                   {SIGINT, on_stop},
                   {SIGUSR1, on_stop},
                   {SIGCHLD, on_child}};
    sigset_t set;

    /* Blocked before there is a thread: they are read by the loop alone. */
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)sigaddset(&set, signals[i].number);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return -errno;
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        int r = sd_event_add_signal(manager->event, NULL, signals[i].number, signals[i].handler,
                                    manager);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* The poll timer is a periodic timerfd: cheaper than setting a timer anew for each look. */
static int timers_new(struct manager *manager)
{
    uint64_t watchdog;
    int r;

    manager->tick_usec = sd_watchdog_enabled(false, &watchdog) > 0 ? watchdog / 2 : TICK_USEC;
    manager->poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (manager->poll_fd < 0) {
        return -errno;
    }
    r = sd_event_add_io(manager->event, &manager->poll_source, manager->poll_fd, EPOLLIN,
                        manager_on_poll, manager);
    if (r < 0) {
        return r;
    }
    r = sd_event_add_time_relative(manager->event, &manager->tick_source, CLOCK_MONOTONIC,
                                   manager->tick_usec, 0, manager_on_tick, manager);
    if (r < 0) {
        return r;
    }
    r = sd_event_source_set_enabled(manager->tick_source, SD_EVENT_ON);
    if (r >= 0) {
        r = status_new(manager);
    }
    if (r >= 0) {
        r = touch_new(manager);
    }
    return r < 0 ? r : intake_new(manager);
}

/* Without a state, a record in a plain segment goes on, if that does; those of a ring do not. */
static void report_past(struct manager *manager, enum history history)
{
    struct segment_spec spec = manager_spec(manager->conf);
    struct segment_records held = segment_take_stock(spec.key);
    int id;

    report_epoch(manager, history, &held,
                 manager->conf->layout == LAYOUT_PLAIN && segment_is_adoptable(&spec, &id));
}

/* Opens the state, and starts the log on it. Failures are logged without it. */
static int past_open(struct manager *manager, int *ret_status)
{
    CLEANUP(free_cleanup) char *path = NULL;
    CLEANUP(free_cleanup) char *text = NULL;
    enum history history;
    uint32_t key = (uint32_t)manager->conf->key;
    pid_t pid = 0;
    int locked = keylock_take(key, &manager->keylock, &pid);
    int r = locked == -EBUSY ? -EBUSY : state_open(manager->conf, &manager->state, &history, &pid);

    if (r == -EBUSY) {
        text = describe_rival(key, pid);
        *ret_status = EX_UNAVAILABLE;
    } else if (r < 0) {
        path = state_describe(manager->conf);
        text = describe_state_failure(path, r);
        *ret_status = failure_status(r);
    } else {
        struct log_options options = {
            .instance = manager->instance, .sink = sink_detect(), .state = manager->state};

        manager->fresh = history != HISTORY_CONTINUED;
        r = log_new(&options, &manager->log);
        if (r == 0) {
            log_configure(manager->log, manager->conf);
            log_segment(manager->log, key, -1);
            if (manager->fresh) {
                report_past(manager, history);
            }
            if (locked < 0) {
                report_unlocked(manager, locked);
            }
            return 0;
        }
    }
    report_unstarted(manager, EVENT_START_FAILED, "%s", text ? text : error_text(r));
    return r;
}

/*
 * Removes what an earlier daemon has left under a key, unless another one has found it there. Where
 * there is nothing, the key's lock is not even tried: one that starts there would find it taken.
 */
static void retire(struct manager *manager, uint32_t key, int id)
{
    struct keylock lock = KEYLOCK_NONE;
    pid_t pid;

    if (id < 0) {
        return;
    }
    if (key != (uint32_t)manager->conf->key && keylock_take(key, &lock, &pid) == -EBUSY) {
        return;
    }
    if (segment_retire(key, id) == 0) {
        report_removed(manager, key, id);
    }
    keylock_release(&lock);
}

/*
 * A segment that is no more: a new one may get its id, in an IPC namespace that has got the number
 * of the one before.
 */
static void forget_removed(struct state_file *file)
{
    struct segment_stat stat;
    int r = segment_query((int)file->segment_id, &stat);

    if (r == -EINVAL || r == -EIDRM) {
        file->segment_id = -1;
    }
}

/* Why there is nothing left of what an earlier daemon had published. */
static enum unread_why loss(const struct state_file *before, const struct manager *manager,
                            enum segment_origin origin, bool damaged)
{
    if (damaged) {
        return UNREAD_DAMAGED;
    }
    if (before->key != manager->segment.key || before->layout != manager->board.layout ||
        before->when_full != manager->board.when_full || origin == SEGMENT_REPLACED) {
        return UNREAD_RECONFIGURED;
    }
    return UNREAD_REMOVED;
}

/*
 * The segment under our key, whatever it takes. A ring of ours that is damaged is not emptied: who
 * reads there would not know, and another one takes its place.
 */
static int acquire(struct manager *manager, const struct segment_spec *spec,
                   enum segment_origin *ret_origin, bool *ret_damaged,
                   struct segment_stat *ret_holder)
{
    struct state_file *file = manager->state->file;
    int r = segment_acquire(spec, &manager->segment, ret_origin, ret_holder);

    *ret_damaged = r == 0 && file->segment_id == manager->segment.id &&
                   !board_resume(&manager->board, &manager->segment, manager->state);
    if (*ret_damaged) {
        segment_detach(&manager->segment);
        retire(manager, spec->key, (int)file->segment_id);
        r = segment_acquire(spec, &manager->segment, ret_origin, ret_holder);
    }
    return r;
}

/* Has our user the key, with a segment of whatever size? */
static bool has_key(const struct segment_spec *spec)
{
    enum segment_answer answer;
    struct segment_stat stat;

    return segment_classify(spec, &answer, &stat) == 0 &&
           (answer == SEGMENT_OURS || answer == SEGMENT_OTHER);
}

/*
 * The key was ours, and somebody has taken it in the moment between the old segment and the new
 * one. What was in the old one is gone, so there is no way back: we go on without the key, for
 * those who have a session, and take it as soon as it is free, as a reload does that loses it.
 */
static int go_keyless(struct manager *manager, const struct segment_spec *spec, int error,
                      const struct segment_stat *holder)
{
    manager->keyless = true;
    (void)report_failed(manager, spec, error, holder);
    return segment_make_keyless(spec, &manager->segment);
}

/* Does this start go on with the segment that the daemon before us has left? */
static bool stays(const struct state_file *file, const struct conf *conf,
                  const struct segment_spec *spec)
{
    int id;

    return file->layout == conf->layout && file->when_full == conf->when_full &&
           segment_is_adoptable(spec, &id) && id == file->segment_id;
}

/*
 * An anonymous client has acknowledged the record in a plain segment that is about to go, while no
 * daemon ran. It goes on in the next one, if it can: subscribers may owe it.
 */
static void hear_left(struct manager *manager)
{
    struct state_file *file = manager->state->file;
    struct segment left = {.map = NULL};
    struct record record = {.segment = &left, .state = manager->state};
    struct ack ack;

    if (file->layout != LAYOUT_PLAIN || !record_waits(&record) || record_star_is_logged(&record) ||
        segment_find((int)file->segment_id, &left) < 0) {
        return;
    }
    left.key = file->key;
    if (left.size == file->image_size && plain_first(left.map) == PLAIN_ACKNOWLEDGED &&
        plain_is_published(left.map, manager->state->image)) {
        ack = record_ack(&record, 0);
        record_note_star(&record);
        log_acknowledgement(manager->log, &ack);
        unread_forget(manager, ack.record_first, ack.record_last);
    }
    segment_detach(&left);
}

/*
 * Gets the segment, with the record that the state knows. What goes for it goes last, if that is
 * possible; only a segment of another kind under the same key cannot stay until then.
 */
static int segment_open(struct manager *manager, int *ret_status)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct segment_spec spec = manager_spec(manager->conf);
    struct state_file *file = manager->state->file;
    bool overwrote = file->layout == LAYOUT_RING && file->when_full == RING_OVERWRITE;
    uint64_t gone = file->gone;
    size_t image_size = state_image_size(manager->conf);
    enum segment_origin origin;
    struct segment_stat holder = {0};
    enum unread_why why;
    bool had_key = has_key(&spec);
    bool damaged = false;
    int r = state_make_room(manager->state, image_size);

    spec.touch = true; /* nobody waits yet */
    if (r < 0) {
        text = describe_state_failure(manager->state->path, r);
        *ret_status = failure_status(r);
        report_unstarted(manager, EVENT_START_FAILED, "%s", text ? text : error_text(r));
        return r;
    }
    if (!stays(file, manager->conf, &spec)) {
        hear_left(manager);
        past_read(&manager->pasts, manager->state);
    }
    forget_removed(file);
    if (file->key == spec.key &&
        (file->layout != manager->conf->layout || file->when_full != manager->conf->when_full)) {
        retire(manager, file->key, (int)file->segment_id);
    }
    if (manager->fresh &&
        (manager->conf->layout == LAYOUT_RING || segment_take_stock(spec.key).ring)) {
        /* Without its state, nobody can tell what a ring holds: its readers find another one. */
        (void)segment_retire(spec.key, SEGMENT_ANY);
    }
    r = segment_finally(board_new(&manager->board, manager->conf, spec.size), spec.size);
    if (r == 0) {
        r = acquire(manager, &spec, &origin, &damaged, &holder);
        if (had_key && (r == -EEXIST || r == -EAGAIN)) {
            r = go_keyless(manager, &spec, r, &holder);
            origin = SEGMENT_REPLACED;
        }
    }
    if (r < 0) {
        *ret_status = report_failed(manager, &spec, r, &holder);
        return r;
    }
    manager->found = origin == SEGMENT_ADOPTED;
    report_segment(manager, origin, -1);
    if (file->key != spec.key) {
        retire(manager, file->key, (int)file->segment_id);
    }
    why = loss(file, manager, origin, damaged);
    if (file->image_size != image_size) {
        state_resize(manager->state, image_size);
    }
    if (origin == SEGMENT_ADOPTED && manager->board.layout == LAYOUT_PLAIN) {
        record_adopt(&manager->segment, manager->state);
    }
    board_open(&manager->board, &manager->segment, manager->state);
    if (file->gone != gone) {
        file->gone_why = (uint64_t)why;
    }
    if (file->gone != gone && overwrote && file->gone > manager->segment.size / RING_LINE) {
        /* No more is meant than it could hold. */
        unread_forget(manager, gone + 1, file->gone - manager->segment.size / RING_LINE);
    }
    if (segment_survives(keylock_key(spec.key)) == 0) {
        report_survives_nobody(manager);
    }
    manager->owed_from = UINT64_MAX;
    manager->fastest = board_oldest(&manager->board) - 1; /* nobody drives it on over a restart */
    return 0;
}

/* Where clients connect: beside the state, $RUNTIME_DIRECTORY/NAME.sock. */
static int socket_name(struct manager *manager, const char *path, int *ret_status)
{
    if (path ? (manager->socket_path = strdup(path)) == NULL
             : asprintf(&manager->socket_path, "%s/%s.sock", manager->state->directory,
                        manager->instance) < 0) {
        manager->socket_path = NULL;
        report_unstarted(manager, EVENT_START_FAILED, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    if (strlen(manager->socket_path) > LISTEN_PATH_MAX) {
        *ret_status = EX_CONFIG;
        report_unstarted(manager, EVENT_CONFIGURATION_REFUSED,
                         "the path of the socket is too long, expected at most %zu bytes: %s; "
                         "choose a shorter one with --instance or --socket",
                         LISTEN_PATH_MAX, manager->socket_path);
        return -ENAMETOOLONG;
    }
    return 0;
}

static int socket_open(struct manager *manager, struct inherited **ret, int *ret_status)
{
    CLEANUP(free_cleanup) char *text = NULL;
    int fd;
    int r = inherited_new(ret);

    if (r == 0) {
        r = listener_open(manager, *ret, &fd);
        text = r < 0 ? describe_socket_failure(manager->socket_path, r) : NULL;
    }
    if (r == 0) {
        r = membership_open(manager, fd);
    }
    if (r < 0) {
        *ret_status = failure_status(r);
        report_unstarted(manager, EVENT_START_FAILED, "%s%s",
                         text ? "" : "no sessions: ", text ? text : error_text(r));
    }
    return r;
}

int manager_new(struct conf *conf, const char *instance, const char *socket_path,
                struct manager **ret, int *ret_status)
{
    CLEANUP(manager_free_cleanup) struct manager *manager = calloc(1, sizeof(*manager));
    CLEANUP(inherited_free_cleanup) struct inherited *inherited = NULL;
    int r;

    *ret_status = EX_OSERR;
    if (!manager) {
        report_early(instance, EVENT_START_FAILED, strerror(ENOMEM));
        (void)conf_free(conf);
        return -ENOMEM;
    }
    manager->conf = conf;
    manager->instance = instance;
    manager->started_usec = clock_usec();
    manager->poll_fd = -1;
    manager->segment.id = -1;
    manager->keylock = KEYLOCK_NONE;
    r = sd_event_default(&manager->event);
    if (r >= 0) {
        r = signals_new(manager);
    }
    if (r == 0) {
        r = timers_new(manager);
    }
    if (r == 0) {
        r = notifier_new(&manager->notifier);
    }
    if (r < 0) {
        report_unstarted(manager, EVENT_START_FAILED, "no event loop: %s", error_text(r));
        return r;
    }
    r = past_open(manager, ret_status);
    if (r == 0) {
        r = socket_name(manager, socket_path, ret_status);
    }
    if (r == 0) {
        r = socket_open(manager, &inherited, ret_status);
    }
    if (r == 0) {
        r = segment_open(manager, ret_status);
    }
    if (r == 0) {
        r = membership_restore(manager, inherited);
        if (r == 0) {
            r = manager_poll(manager, conf);
        }
        if (r == 0) {
            r = intake_start(manager); /* last: others may notice it */
        }
        if (r < 0) {
            report_unstarted(manager, EVENT_START_FAILED,
                             "neither its sessions nor its source can go on: %s", error_text(r));
        }
    }
    if (r < 0) {
        return r;
    }
    manager->started = true;
    (void)manager_look(manager); /* who may not write any more, may have acknowledged until now */
    *ret = take(manager);
    return 0;
}

/* The segment goes, unless it is wanted by the next daemon. */
static void segment_close(struct manager *manager, bool forget)
{
    int id = manager->segment.id;

    if (forget && segment_remove(id) == 0) {
        report_removed(manager, manager->segment.key, id);
    }
    segment_detach(&manager->segment);
}

struct manager *manager_free(struct manager *manager)
{
    int logged = 0;
    bool forget;

    if (!manager) {
        return NULL;
    }
    manager->preparation = preparation_free(manager->preparation);
    forget = manager->started ? !manager->leave && !manager->conf->keep : manager->fresh;
    if (manager->started && !forget) {
        manager_keep_state(manager);
    }
    if (manager->segment.map && forget) {
        board_announce(&manager->board, RING_CLOSED);
    }
    if (manager->sessions) {
        membership_close(manager, forget);
    }
    listener_remove(manager);
    if (manager->started && forget) {
        manager_close_record(manager);
        unread_leave(manager);
    }
    if (manager->segment.map) {
        segment_close(manager, forget && (manager->started || !manager->found));
    }
    board_close(&manager->board);
    keylock_release(&manager->keylock);
    if (manager->started) {
        report_stopped(manager, !forget);
    }
    intake_close(&manager->intake);
    manager->notifier = notifier_close(manager->notifier, NOTIFIER_CLOSE_USEC);
    if (manager->log) {
        logged = log_close(manager->log, LOG_CLOSE_USEC,
                           manager->leave ? LOG_LEAVE_USEC : LOG_CLOSE_USEC);
        forget &= logged > 0; /* or else the next one sends what was not */
    }
    if (manager->state && forget) {
        state_remove(manager->state);
    } else if (manager->started && !state_is_named(manager->state)) {
        (void)state_name_again(manager->state); /* the log was in the way until now */
    }
    if (logged < 0) {
        return NULL; /* log and state end with the process */
    }
    manager->state = state_free(manager->state);
    manager->pasts = past_free(manager->pasts);
    manager->poll_source = sd_event_source_unref(manager->poll_source);
    manager->tick_source = sd_event_source_unref(manager->tick_source);
    manager->touch_source = sd_event_source_unref(manager->touch_source);
    manager->status_source = sd_event_source_unref(manager->status_source);
    manager->flush_source = sd_event_source_unref(manager->flush_source);
    manager->lease_source = sd_event_source_unref(manager->lease_source);
    free(manager->socket_path);
    manager->poll_fd = fd_close(manager->poll_fd);
    manager->event = sd_event_unref(manager->event);
    manager->conf = conf_free(manager->conf);
    free(manager);
    return NULL;
}
