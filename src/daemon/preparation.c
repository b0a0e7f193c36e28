/* SPDX-License-Identifier: MIT */
#include "daemon/preparation.h"
#include "base/thread.h"
#include "daemon/failure.h"
#include "daemon/manager.h"
#include "daemon/report.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define PARTING_MSEC 100 /* for a thread that has nothing to wait for */

struct preparation {
    atomic_uint owners; /* the loop and the thread; who comes last, frees it */
    char *path;
    struct segment_spec is; /* the segment that there is now, … */
    uint64_t layout;        /* … and what it is used for */
    uint64_t when_full;
    int ready; /* an eventfd: the thread has done its part */
    sd_event_source *source;
    pthread_t thread;
    bool running; /* it is, as far as we know */
    preparation_done_t done;
    void *userdata;

    /* The thread's, and then the loop's. */
    int error;
    struct conf *conf;
    char *message;
};

static void release(struct preparation *preparation)
{
    /* Acquire and release: pair with the other owner's; what it has stored is there. */
    if (atomic_fetch_sub_explicit(&preparation->owners, 1, memory_order_acq_rel) > 1) {
        return;
    }
    (void)conf_free(preparation->conf);
    (void)fd_close(preparation->ready);
    free(preparation->message);
    free(preparation->path);
    free(preparation);
}

/* --- the thread --- */

/* May another segment have to be made? Then there must be memory for both of them. */
static bool may_replace(const struct preparation *preparation, const struct segment_spec *spec)
{
    const struct segment_spec *is = &preparation->is;

    return spec->key != is->key || spec->size != is->size || spec->mode != is->mode ||
           spec->uid != is->uid || spec->gid != is->gid ||
           preparation->conf->layout != preparation->layout ||
           preparation->conf->when_full != preparation->when_full;
}

static int prepare(struct preparation *preparation)
{
    struct segment_spec spec;
    int r = conf_load(preparation->path, &preparation->conf, &preparation->message);

    if (r == 0) {
        r = conf_refuse_empty(preparation->conf, &preparation->message);
    }
    if (r == 0) {
        r = manager_check(preparation->conf, &preparation->message);
    }
    if (r < 0) {
        return r;
    }
    spec = manager_spec(preparation->conf);
    spec.touch = true;
    if (may_replace(preparation, &spec)) {
        r = segment_rehearse(&spec, keylock_key(spec.key));
        if (r < 0) {
            preparation->message = describe_failure(&spec, r, NULL);
        }
    }
    return r;
}

static void *run(void *argument)
{
    struct preparation *preparation = argument;

    preparation->error = prepare(preparation);
    (void)eventfd_write(preparation->ready, 1);
    release(preparation);
    return NULL;
}

/* --- the loop --- */

static int on_ready(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct preparation *preparation = userdata;
    struct conf *conf;
    char *message;

    (void)s;
    (void)fd;
    (void)events;
    (void)pthread_join(preparation->thread, NULL); /* it is about to end */
    preparation->running = false;
    conf = take(preparation->conf);
    message = take(preparation->message);
    (void)sd_event_source_set_enabled(preparation->source, SD_EVENT_OFF);
    preparation->done(preparation->userdata, preparation->error, conf, message);
    return 0;
}

int preparation_start(sd_event *event, const struct conf *conf, preparation_done_t done,
                      void *userdata, struct preparation **ret)
{
    struct preparation *preparation = calloc(1, sizeof(*preparation));
    int r;

    if (!preparation) {
        return -ENOMEM;
    }
    *preparation = (struct preparation){
        .owners = 1,
        .path = strdup(conf->path),
        .is = manager_spec(conf),
        .layout = conf->layout,
        .when_full = conf->when_full,
        .ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .done = done,
        .userdata = userdata,
    };
    r = preparation->ready < 0 ? -errno : preparation->path ? 0 : -ENOMEM;
    if (r == 0) {
        r = sd_event_add_io(event, &preparation->source, preparation->ready, EPOLLIN, on_ready,
                            preparation);
    }
    if (r == 0) {
        atomic_store_explicit(&preparation->owners, 2, memory_order_relaxed); /* no thread yet */
        r = thread_start(&preparation->thread, run, preparation);
        preparation->running = r == 0;
        if (r < 0) {
            atomic_store_explicit(&preparation->owners, 1, memory_order_relaxed); /* none at all */
        }
    }
    if (r < 0) {
        (void)preparation_free(preparation);
        return r;
    }
    *ret = preparation;
    return 0;
}

struct preparation *preparation_free(struct preparation *preparation)
{
    if (preparation) {
        struct pollfd ready = {.fd = preparation->ready, .events = POLLIN};

        preparation->source = sd_event_source_disable_unref(preparation->source);
        if (preparation->running && poll(&ready, 1, PARTING_MSEC) > 0) {
            (void)pthread_join(preparation->thread, NULL);
        } else if (preparation->running) {
            (void)pthread_detach(preparation->thread);
        }
        release(preparation);
    }
    return NULL;
}
