/* SPDX-License-Identifier: MIT */
#include "daemon/reload.h"
#include "base/clock.h"
#include "base/shortage.h"
#include "base/step.h"
#include "daemon/failure.h"
#include "daemon/hangup.h"
#include "daemon/manager.h"
#include "daemon/preparation.h"
#include "daemon/report.h"
#include "daemon/status.h"
#include "daemon/membership.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Must the segment be another one, or may this one be changed? */
static bool needs_replacement(const struct manager *manager, const struct conf *conf,
                              const struct segment_spec *spec)
{
    struct segment_stat stat;

    if (spec->key != manager->segment.key || spec->size != manager->segment.size ||
        conf->layout != manager->conf->layout || conf->when_full != manager->conf->when_full) {
        return true;
    }
    /* Whoever subscribes would keep the rights that are to be taken away. */
    return sessions_count(manager->sessions, MESSAGE_SUBSCRIBER) > 0 &&
           segment_query(manager->segment.id, &stat) == 0 && segment_narrows(spec, &stat);
}

/* -EBUSY: whoever is attached would keep the rights that are to be taken away. */
static int change_in_place(struct manager *manager, const struct conf *conf,
                           const struct segment_spec *spec)
{
    int r = segment_narrow(&manager->segment, spec);

    if (r == 0) {
        r = segment_permit(&manager->segment, spec);
    }
    if (r == 0 && conf->lock_memory != manager->conf->lock_memory) {
        r = segment_lock(&manager->segment, conf->lock_memory);
    }
    return r;
}

/* What takes the place of a segment and its board. */
struct replacement {
    struct segment_spec spec;
    size_t image_size; /* in the state */
    struct board board;
    struct segment segment;
    enum segment_origin origin;
    struct keylock keylock; /* of another key */
};

/* Under another key, the new segment can be made while the old one still stands. */
static int acquire_elsewhere(struct manager *manager, struct replacement *new, char **ret_message)
{
    uint32_t old_key = manager->segment.key;
    struct segment_stat holder;
    pid_t pid = 0;
    int locked = keylock_take(new->spec.key, &new->keylock, &pid);
    int r = locked == -EBUSY ? -EBUSY : state_rekey(manager->state, new->spec.key);

    if (r == -EBUSY) {
        *ret_message = describe_rival(new->spec.key, pid);
    } else if (r < 0) {
        *ret_message = describe_state_failure(manager->state->path, r);
    } else {
        r = segment_acquire(&new->spec, &new->segment, &new->origin, &holder);
        if (r < 0) {
            *ret_message = describe_failure(&new->spec, r, &holder);
            (void)state_rekey(manager->state, old_key);
        }
    }
    if (r < 0) {
        keylock_release(&new->keylock);
    }
    return r;
}

/* The old one is given up. */
static void leave_elsewhere(struct manager *manager, const struct replacement *new)
{
    manager_close_record(manager);
    if (segment_remove(manager->segment.id) == 0) {
        report_removed(manager, manager->segment.key, manager->segment.id);
    }
    keylock_release(&manager->keylock);
    manager->keylock = new->keylock;
}

/*
 * Under the same key, the old segment must give it up first, and that cannot be taken back. If
 * somebody else is faster than we, we go on with the old one as it is, for those who are attached
 * or have a session, and try to get the key back (manager.c).
 */
static int acquire_in_place(struct manager *manager, struct replacement *new, char **ret_message)
{
    struct segment_stat holder;
    int r;

    manager_close_record(manager);
    (void)segment_remove(manager->segment.id);
    STEP("segment.gone");
    r = segment_acquire(&new->spec, &new->segment, &new->origin, &holder);
    if (r < 0) {
        record_reopen(&manager->board.record);
        *ret_message = describe_failure(&new->spec, r, &holder);
        manager->keyless = true;
        return r;
    }
    new->origin = SEGMENT_REPLACED;
    return 0;
}

/* All that may fail, with which nothing has changed; the segment comes last. */
static int prepare(struct manager *manager, const struct conf *conf, struct replacement *new,
                   char **ret_message)
{
    int r = board_new(&new->board, conf, new->spec.size);

    if (r == 0) {
        r = state_make_room(manager->state, new->image_size);
        if (r < 0) {
            *ret_message = describe_state_failure(manager->state->path, r);
        }
    }
    if (r == 0) {
        r = new->spec.key != manager->segment.key ? acquire_elsewhere(manager, new, ret_message)
                                                  : acquire_in_place(manager, new, ret_message);
    }
    if (r < 0) {
        board_close(&new->board);
    }
    return r;
}

/*
 * Puts another segment in the place of this one. A record that was not acknowledged goes on in a
 * segment of the same size; for one of another size, the source is asked anew.
 */
static int replace_segment(struct manager *manager, const struct conf *conf,
                           const struct segment_spec *spec, char **ret_message)
{
    struct replacement new = {
        .spec = *spec, .image_size = state_image_size(conf), .keylock = KEYLOCK_NONE};
    int old_id = manager->segment.id;
    int r = prepare(manager, conf, &new, ret_message);

    if (r < 0) {
        return r;
    }
    if (new.spec.key != manager->segment.key) {
        leave_elsewhere(manager, &new);
    }
    if (new.image_size != manager->state->file->image_size) {
        state_resize(manager->state, new.image_size);
    }
    manager_change_segment(manager, &new.segment, &new.board);
    report_segment(manager, new.origin, old_id);
    return 0;
}

/* Applies what may fail. */
static int apply_conf(struct manager *manager, struct conf *conf, char **ret_message)
{
    CLEANUP(feed_close_cleanup) struct feed feed = {0};
    struct segment_spec spec = manager_spec(conf);
    bool keeps_source = intake_has(manager, conf);
    int r;

    r = keeps_source ? 0 : intake_open(manager, conf, &feed);
    if (r < 0) {
        return r;
    }
    r = needs_replacement(manager, conf, &spec) ? -EBUSY : change_in_place(manager, conf, &spec);
    if (r == -EBUSY) {
        intake_lift(manager); /* its place may be in the image, which changes, too */
        r = replace_segment(manager, conf, &spec, ret_message);
        intake_put_down(manager);
    } else if (r < 0) {
        *ret_message = describe_failure(&spec, r, NULL);
    }
    if (r < 0) {
        struct segment_spec old = manager_spec(manager->conf);

        (void)segment_permit(&manager->segment, &old);
    }
    if (r == 0 && keeps_source) {
        intake_hurry(manager);
    } else if (r == 0) {
        intake_switch(manager, &feed);
    }
    return r;
}

/* The message is the caller's to free; NULL: none but the error. On success, it takes conf over. */
static int apply(struct manager *manager, struct conf *conf, char **ret_message)
{
    struct conf *old = manager->conf;
    int r;

    r = manager_poll(manager, conf);
    if (r == 0) {
        r = apply_conf(manager, conf, ret_message);
    }
    if (r < 0) {
        (void)manager_poll(manager, old);
    } else {
        manager->conf = conf;
        (void)conf_free(old);
        log_configure(manager->log, manager->conf);
        membership_configure(manager);
    }
    (void)manager_look(manager); /* who may not write any more, may have acknowledged until now */
    (void)manager_refill(manager);
    return r;
}

static void finish(struct manager *manager, int error, const char *message)
{
    const char *refusal = message ? message : error_text(error);

    manager->refused = error < 0;
    manager->reloads_done = manager->reloads;
    if (error < 0) {
        report_reload(manager, EVENT_RELOAD_REFUSED, refusal);
    } else {
        report_reload(manager, EVENT_RELOAD_DONE, "reload done");
    }
    hangup_answer(manager->instance, manager->reloads, manager->reloads_done,
                  error < 0 ? refusal : NULL);
    status_notify(manager);
    notifier_tell(manager->notifier, "READY=1");
}

static void begin(struct manager *manager);

static void on_prepared(void *userdata, int error, struct conf *prepared, char *text)
{
    struct manager *manager = userdata;
    CLEANUP(conf_free_cleanup) struct conf *conf = prepared;
    CLEANUP(free_cleanup) char *message = text;
    int r = error;

    manager->preparation = preparation_free(manager->preparation);
    if (manager->outdated) { /* what has been read may be old by now */
        state_cut(manager->state);
        begin(manager);
        return;
    }
    if (r == 0) {
        r = apply(manager, conf, &message);
    }
    if (r == 0) {
        (void)take(conf);
    } else {
        state_cut(manager->state);
    }
    finish(manager, r, message);
}

static void begin(struct manager *manager)
{
    int r = preparation_start(manager->event, manager->conf, manager->state, on_prepared, manager,
                              &manager->preparation);

    manager->outdated = false;
    if (r < 0) {
        finish(manager, r, NULL);
    }
}

void manager_reload(struct manager *manager)
{
    notifier_tell(manager->notifier, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_usec());
    hangup_answer(manager->instance, ++manager->reloads, manager->reloads_done, NULL);
    if (manager->preparation) {
        manager->outdated = true;
    } else {
        begin(manager);
    }
}
