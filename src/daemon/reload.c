/* SPDX-License-Identifier: MIT */
#include "daemon/reload.h"
#include "base/clock.h"
#include "base/shortage.h"
#include "base/step.h"
#include "daemon/manager.h"
#include "daemon/report.h"
#include "daemon/membership.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* Must the segment be another one, or can this one be changed? */
static bool needs_replacement(const struct manager *manager, const struct conf *conf,
                              const struct segment_spec *spec)
{
    struct segment_stat stat;

    if (spec->key != manager->segment.key || spec->size != manager->segment.size ||
        conf->layout != manager->conf->layout || conf->when_full != manager->conf->when_full) {
        return true;
    }
    /* Whoever is attached, or subscribes, would keep the rights that are to be taken away. */
    return segment_query(manager->segment.id, &stat) == 0 && segment_narrows(spec, &stat) &&
           (stat.attached > 1 || sessions_count(manager->sessions, MESSAGE_SUBSCRIBER) > 0);
}

/* Under another key, the new segment can be made while the old one still stands. */
static int acquire_elsewhere(struct manager *manager, const struct segment_spec *spec,
                             struct segment *ret, enum segment_origin *ret_origin,
                             char **ret_message)
{
    uint32_t old_key = manager->segment.key;
    struct segment_stat holder;
    int r = state_rekey(manager->state, spec->key);

    if (r == -EBUSY) {
        return asprintf(ret_message, "another shmd serves key 0x%08" PRIx32, spec->key) < 0
                   ? -ENOMEM
                   : r;
    }
    if (r < 0) {
        *ret_message = describe_state_failure(manager->state->path, r);
        return r;
    }
    r = segment_acquire(spec, ret, ret_origin, &holder);
    if (r < 0) {
        *ret_message = describe_failure(spec, r, &holder);
        (void)state_rekey(manager->state, old_key);
    }
    return r;
}

/* Under the same key, the old segment must go first, and with it the way back. */
static int acquire_in_place(struct manager *manager, const struct segment_spec *spec,
                            struct segment *ret, enum segment_origin *ret_origin,
                            char **ret_message)
{
    struct segment_stat holder;
    int r;

    (void)segment_remove(manager->segment.id);
    STEP("segment.gone");
    r = segment_acquire(spec, ret, ret_origin, &holder);
    if (r < 0) {
        *ret_message = describe_failure(spec, r, &holder);
        manager->exit_status = report_failed(manager, spec, r, &holder);
        manager_give_up_segment(manager);
        return -EIDRM;
    }
    *ret_origin = SEGMENT_REPLACED;
    return 0;
}

/*
 * Puts another segment in the place of this one. What may fail comes first, as long as nothing has
 * changed: the new segment under another key, or a rehearsal of it under the same one; and the room
 * for its image. A record that was not acknowledged goes on in a segment of the same size; for one
 * of another size, the source is asked anew.
 */
static int replace_segment(struct manager *manager, struct conf *conf,
                           const struct segment_spec *spec, char **ret_message)
{
    struct segment old = manager->segment;
    size_t image_size = state_image_size(conf);
    struct segment new = {.id = -1};
    enum segment_origin origin;
    bool elsewhere = spec->key != old.key;
    int r;

    if (elsewhere) {
        r = acquire_elsewhere(manager, spec, &new, &origin, ret_message);
    } else {
        r = segment_rehearse(spec);
        if (r < 0) {
            *ret_message = describe_failure(spec, r, NULL);
        }
    }
    if (r == 0 && image_size != manager->state->file->image_size) {
        r = state_resize(manager->state, image_size);
        if (r < 0) {
            *ret_message = describe_state_failure(manager->state->path, r);
        }
        if (r < 0 && elsewhere) {
            (void)segment_remove(new.id);
            segment_detach(&new);
            (void)state_rekey(manager->state, old.key);
        }
    }
    if (r == 0 && !elsewhere) {
        r = acquire_in_place(manager, spec, &new, &origin, ret_message);
    }
    if (r < 0) {
        return r;
    }
    if (elsewhere && segment_remove(old.id) == 0) {
        report_removed(manager, old.key, old.id);
    }
    r = manager_change_segment(manager, conf, &new);
    if (r == 0) {
        report_segment(manager, origin, old.id);
    }
    return r;
}

/* Applies what may fail. Where nothing goes on without an end, the segment is detached. */
static int apply(struct manager *manager, struct conf *conf, char **ret_message)
{
    CLEANUP(feed_close_cleanup) struct feed feed = {0};
    struct segment_spec spec = manager_spec(conf);
    bool keeps_source = intake_has(manager, conf);
    int r;

    r = keeps_source ? 0 : intake_open(manager, conf, &feed);
    if (r < 0) {
        return r;
    }
    if (needs_replacement(manager, conf, &spec)) {
        intake_lift(manager); /* its place may be in the image, which changes, too */
        r = replace_segment(manager, conf, &spec, ret_message);
        if (manager->segment.map) {
            intake_put_down(manager);
        }
    } else {
        r = segment_permit(&manager->segment, &spec);
        if (r == 0 && conf->lock_memory != manager->conf->lock_memory) {
            r = segment_lock(&manager->segment, conf->lock_memory);
        }
        if (r < 0) {
            struct segment_spec old = manager_spec(manager->conf);

            (void)segment_permit(&manager->segment, &old);
            *ret_message = describe_failure(&spec, r, NULL);
        }
    }
    if (r == 0 && keeps_source) {
        intake_hurry(manager);
    } else if (r == 0) {
        intake_switch(manager, &feed);
    }
    return r;
}

/* The message is the caller's to free; NULL: none but the error. */
static int reload(struct manager *manager, char **ret_message)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    struct conf *old = manager->conf;
    int r = conf_load(old->path, &conf, ret_message);

    if (r == 0) {
        r = conf_refuse_empty(conf, ret_message);
    }
    if (r == 0) {
        r = manager_check(conf, ret_message);
    }
    if (r == 0) {
        (void)manager_look(manager); /* an acknowledgement of what may be replaced now */
        r = apply(manager, conf, ret_message);
    }
    if (r == 0) {
        manager->conf = take(conf);
        (void)conf_free(old);
        log_configure(manager->log, manager->conf);
        membership_configure(manager);
        r = manager_poll(manager);
    }
    if (manager->segment.map) {
        (void)manager_refill(manager);
    }
    return r;
}

int manager_reload(struct manager *manager)
{
    CLEANUP(free_cleanup) char *message = NULL;
    int r;

    (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_usec());
    r = reload(manager, &message);
    if (r < 0) {
        report_reload(manager, EVENT_RELOAD_REFUSED, message ? message : error_text(r));
    } else {
        report_reload(manager, EVENT_RELOAD_DONE, "reload done");
    }
    (void)sd_notify(false, "READY=1");
    return manager->segment.map ? 0 : sd_event_exit(manager->event, manager->exit_status);
}
