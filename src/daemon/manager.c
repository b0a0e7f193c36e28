/* SPDX-License-Identifier: MIT */
#include "daemon/manager.h"
#include "base/step.h"
#include "daemon/access.h"
#include "daemon/leases.h"
#include "daemon/membership.h"
#include "daemon/publishers.h"
#include "daemon/report.h"
#include "daemon/statename.h"
#include "daemon/status.h"
#include "daemon/subscribers.h"
#include "daemon/touch.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sysexits.h>

#define HEALTH_USEC  USEC_PER_SEC /* how often, at most, where we are awake anyway */
#define OTHERS_WRITE 0022         /* mode bits */
#define IDLE_USEC    USEC_PER_SEC /* without an acknowledgement, we look less often, … */
#define IDLE_FACTOR  8            /* … by this much */

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

/* Who is allowed something? */
static int resolve(const struct conf *conf, const char *setting, const char *list,
                   struct access **ret, char **ret_message)
{
    const char *name;
    size_t length;
    int r = access_resolve(list, ret, &name, &length);

    if (r == -ENOENT) {
        return conf_refuse(conf, setting, ret_message,
                           "%s names \"%.*s\", expected users, @groups of this system, or *, with "
                           "%s between them",
                           setting, (int)length, name,
                           memchr(name, ',', length) ? "spaces and no commas" : "spaces");
    }
    return r;
}

int manager_check(struct conf *conf, char **ret_message)
{
    int r =
        resolve(conf, "allow.subscribe", conf->allow_subscribe, &conf->subscribers, ret_message);

    if (r == 0) {
        r = resolve(conf, "allow.publish", conf->allow_publish, &conf->publishers, ret_message);
    }
    return r < 0 ? r : feed_check(conf, ret_message);
}

/* --- refill --- */

/* Who attached or detached last: all that the kernel knows of an anonymous client. */
static pid_t last_pid(const struct manager *manager)
{
    struct segment_stat stat;

    if (segment_query(manager->segment.id, &stat) < 0 || stat.last_pid == getpid()) {
        return 0;
    }
    return stat.last_pid;
}

/* An anonymous client has acknowledged the newest record. */
static void log_anonymous(struct manager *manager)
{
    struct record *record = &manager->board.record;
    struct ack ack = record_ack(record, last_pid(manager));

    manager->active_usec = clock_usec();
    if (!record_star_is_logged(record)) {
        record_note_star(record);
        log_acknowledgement(manager->log, &ack);
    }
    unread_except(manager, ack.record_last);
}

void manager_release(struct manager *manager, const struct progress *progress)
{
    struct board *board = &manager->board;

    manager->fastest = progress->fastest;
    if (board_release(board, progress)) {
        unread_release(manager, progress->slowest);
    }
    if (board_is_done(board, progress) ||
        (manager->intake.outdated && board_is_owed_nobody(board, progress))) {
        if (!record_withdraw(&board->record)) {
            log_anonymous(manager);
        } else if (progress->subscribers) {
            unread_release(manager, board_newest(board));
        } else {
            unread_outdate(manager, board_newest(board));
        }
        STEP("record.withdrawn");
        record_done(&board->record);
    }
}

static bool refill(struct manager *manager)
{
    bool confirmed;
    struct progress progress = subscribers_progress(manager);

    if (progress.subscribers && progress.slowest >= board_newest(&manager->board)) {
        (void)manager_look(manager); /* a '*' on what is about to be refilled counts, too */
    }
    manager_release(manager, &progress);
    intake_turn(manager, &progress);
    intake_fill(manager, &progress);
    if (manager->newcomer) {
        manager->newcomer = false;
        intake_repeat(manager);
    }
    confirmed = publishers_work(manager);
    leases_watch(manager, &progress);
    if (!manager->intake.published) {
        return confirmed;
    }
    manager->intake.published = false;
    subscribers_notify(manager);
    return true;
}

bool manager_refill(struct manager *manager)
{
    bool published = refill(manager);

    manager->round_usec = 0;
    return published;
}

/* The clock is read once for a round of work: that takes longer than a look. */
static void account(struct manager *manager)
{
    if (manager->round_usec == 0) {
        manager->round_usec = clock_usec();
    }
    subscribers_account(manager);
}

/*
 * A ring wants to be refilled only when something was heard, or when the last refill has left
 * something (`more`): otherwise the look at the pages is all.
 *
 * What gets an entry of its own is logged before what it makes room for is published: so whoever
 * finds us dead still finds how long its records were. Where there are only ranges, which come
 * later anyway, the clients need not wait for us to count.
 */
bool manager_work(struct manager *manager, bool *more, uint64_t *now)
{
    enum heard heard;
    bool worked;

    heard = subscribers_listen(manager, *now);
    if (heard == HEARD_ENTRIES) {
        account(manager);
    }
    if (heard != HEARD_NOTHING || *more || manager->board.layout != LAYOUT_RING ||
        intake_awaits_publishers(manager)) {
        *more = refill(manager);
    }
    if (heard == HEARD_RANGES) {
        account(manager);
    }
    worked = heard != HEARD_NOTHING || *more;
    if (worked) {
        *now = manager_usec(manager);
    }
    manager->round_usec = 0;
    return worked;
}

/* --- looking at the segment --- */

/*
 * If subscribers still owe the record that an anonymous client has acknowledged, it stays for them:
 * true.
 */
static bool acknowledge_anonymous(struct manager *manager)
{
    struct progress progress = {.subscribers = false}; /* at the end, all have left */

    if (manager->sessions) {
        progress = subscribers_progress(manager);
    }
    log_anonymous(manager);
    if (progress.subscribers && progress.slowest < board_newest(&manager->board)) {
        return true;
    }
    record_done(&manager->board.record);
    manager->newcomer = true; /* whoever comes next may not have seen it */
    return false;
}

bool manager_look(struct manager *manager)
{
    struct findings found;

    if (manager->board.layout != LAYOUT_PLAIN) {
        return false;
    }
    found = record_look(&manager->board.record);
    if (found.scribbled) {
        report_scribbled(manager);
    }
    if (found.acknowledged && acknowledge_anonymous(manager)) {
        record_restore_first(&manager->board.record); /* for the next anonymous client, too */
    }
    return found.acknowledged;
}

void manager_close_record(struct manager *manager)
{
    struct record *record = &manager->board.record;

    if (manager->board.layout == LAYOUT_PLAIN && record_waits(record) && !record_close(record)) {
        (void)acknowledge_anonymous(manager);
    }
}

void manager_change_segment(struct manager *manager, const struct segment *segment,
                            const struct board *board)
{
    intake_lift(manager);
    /* First of all: who is sent away takes what there is, if that is all that there will be. */
    board_announce(&manager->board, RING_SUPERSEDED);
    membership_send_away(manager);
    if (board_overwrites(&manager->board)) {
        unread_forget(manager, manager->state->file->gone + 1, board_oldest(&manager->board) - 1);
    }
    leases_forget(manager);
    past_keep(&manager->pasts, &manager->board, manager->segment.id);
    segment_detach(&manager->segment);
    manager->segment = *segment;
    manager->fastest = state_number(manager->state->file);
    manager->board = *board;
    board_open(&manager->board, &manager->segment, manager->state);
    manager->keyless = false;
    manager->state->file->gone_why = UNREAD_RECONFIGURED; /* if any is */
    unread_reconsider(manager);
    past_forget(&manager->pasts, manager->sessions);
    intake_put_down(manager);
    touch_begin(manager);
}

/*
 * The end for an error that passes, from which the loop cannot recover: what there is stays, and
 * the next daemon goes on with it.
 */
static int give_up(struct manager *manager, int error)
{
    report_gave_up(manager, error);
    return sd_event_exit(manager->event, EX_OSERR);
}

/*
 * The lock of the key goes, too, when somebody removes all semaphores: taken anew. False: another
 * daemon was faster, and has the key from now on.
 */
static bool keep_lock(struct manager *manager)
{
    uint32_t key = manager->segment.key;
    bool had = manager->keylock.id >= 0;
    pid_t pid = 0;
    int r;

    if (keylock_holds(&manager->keylock)) {
        return true;
    }
    manager->keylock = KEYLOCK_NONE;
    r = keylock_take(key, &manager->keylock, &pid);
    if (r == -EBUSY) {
        report_rival(manager, key, pid);
        (void)sd_event_exit(manager->event, EX_UNAVAILABLE);
        return false;
    }
    if (r < 0 && had) {
        report_unlocked(manager, r);
    }
    return true;
}

/*
 * The segment was removed: made anew, with the same records. Where that is not possible, because
 * somebody else has taken the key meanwhile, we go on with what we are attached to, and look again
 * in a while: so do those who have a session.
 */
static void replace_lost(struct manager *manager)
{
    struct segment_spec spec = manager_spec(manager->conf);
    int old_id = manager->segment.id;
    enum segment_origin origin;
    struct segment_stat holder = {0};
    struct segment new;
    struct board board;
    int r = board_new(&board, manager->conf, spec.size);

    if (!manager->keyless) {
        report_lost(manager);
    }
    if (r == 0) {
        r = segment_acquire(&spec, &new, &origin, &holder);
    }
    if (r < 0) {
        board_close(&board);
        if (!manager->keyless) {
            (void)report_failed(manager, &spec, r, &holder);
        }
        manager->keyless = true;
        return;
    }
    manager_close_record(manager);
    if (board.layout == LAYOUT_RING) {
        ring_duplicate(new.map, manager->segment.map, new.size);
        manager->state->file->segment_id = new.id;
    }
    manager_change_segment(manager, &new, &board);
    report_segment(manager, origin, old_id);
}

void manager_keep_state(struct manager *manager)
{
    int r;

    if (state_is_named(manager->state) || !log_pause(manager->log)) {
        return;
    }
    r = state_name_again(manager->state);
    log_go_on(manager->log);
    if (r == 0 || !manager->nameless) {
        report_state_lost(manager, r);
    }
    manager->nameless = r < 0;
}

static void health(struct manager *manager)
{
    struct segment_stat stat;
    int r;

    if (!keep_lock(manager)) {
        return;
    }
    manager_keep_state(manager);
    r = segment_query(manager->segment.id, &stat);
    if (r == -EINVAL || r == -EIDRM || (r == 0 && stat.removed)) {
        replace_lost(manager);
    }
    listener_check(manager);
    manager->health_usec = clock_usec();
    status_notify(manager);
}

/* May anybody but our own user write the segment? Only then is there a '*' to look for. */
static bool others_write(const struct conf *conf)
{
    return conf->layout == LAYOUT_PLAIN &&
           ((conf->mode & OTHERS_WRITE) || (conf->uid != CONF_OWN && conf->uid != geteuid()));
}

int manager_poll(struct manager *manager, const struct conf *conf)
{
    struct itimerspec every = {0};
    uint64_t interval = conf->poll_interval_ms * USEC_PER_MSEC;

    /* A look costs little, but waking a sleeping processor for it does. */
    interval *= manager->idle ? IDLE_FACTOR : 1;
    if (others_write(conf)) {
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
    (void)manager_look(manager);
    now = clock_usec();
    idle = now - manager->active_usec >= IDLE_USEC;
    if (idle != manager->idle) {
        int r;

        manager->idle = idle;
        r = manager_poll(manager, manager->conf);
        if (r < 0) {
            return give_up(manager, r);
        }
    }
    if (now - manager->health_usec >= HEALTH_USEC) {
        health(manager);
    }
    return 0;
}

int manager_on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    int r;

    (void)usec;
    notifier_feed_watchdog(manager->notifier);
    health(manager);
    r = sd_event_source_set_time_relative(s, manager->tick_usec);
    return r < 0 ? give_up(manager, r) : r;
}
