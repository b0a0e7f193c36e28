/* SPDX-License-Identifier: MIT */
#include "daemon/preparation.h"
#include "base/step.h"
#include "base/thread.h"
#include "daemon/failure.h"
#include "daemon/manager.h"

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
    int state_fd; /* of the state, … */
    char *state_path;
    size_t image_size;
    struct state *state; /* … which itself is the loop's alone */
    int ready;           /* an eventfd: the thread has done its part */
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
    free(preparation->state_path);
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

/* The image comes first: the segment needs memory besides. */
static int find_memory(struct preparation *preparation, const struct segment_spec *spec)
{
    size_t wanted = state_image_size(preparation->conf);
    int r = state_stretch(preparation->state_fd, preparation->image_size, wanted);

    if (r < 0) {
        preparation->message = describe_state_failure(preparation->state_path, r);
        return r;
    }
    STEP("state.stretched");
    r = segment_rehearse(spec, keylock_key(spec->key));
    if (r < 0) {
        preparation->message = describe_failure(spec, r, NULL);
    }
    return r;
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
    return may_replace(preparation, &spec) ? find_memory(preparation, &spec) : 0;
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

/* The thread has ended. */
static void join(struct preparation *preparation)
{
    (void)pthread_join(preparation->thread, NULL);
    preparation->running = false;
    preparation->state->lent = false;
}

static int on_ready(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct preparation *preparation = userdata;
    struct conf *conf;
    char *message;

    (void)s;
    (void)fd;
    (void)events;
    join(preparation); /* it is about to end */
    conf = take(preparation->conf);
    message = take(preparation->message);
    (void)sd_event_source_set_enabled(preparation->source, SD_EVENT_OFF);
    preparation->done(preparation->userdata, preparation->error, conf, message);
    return 0;
}

int preparation_start(sd_event *event, const struct conf *conf, struct state *state,
                      preparation_done_t done, void *userdata, struct preparation **ret)
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
        .state_fd = state->fd,
        .state_path = strdup(state->path),
        .image_size = state->file->image_size,
        .state = state,
        .ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .done = done,
        .userdata = userdata,
    };
    r = preparation->ready < 0                         ? -errno
        : preparation->path && preparation->state_path ? 0
                                                       : -ENOMEM;
    if (r == 0) {
        r = sd_event_add_io(event, &preparation->source, preparation->ready, EPOLLIN, on_ready,
                            preparation);
    }
    if (r == 0) {
        atomic_store_explicit(&preparation->owners, 2, memory_order_relaxed); /* no thread yet */
        r = thread_start(&preparation->thread, NULL, run, preparation);
        preparation->running = state->lent = r == 0;
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
            join(preparation);
        } else if (preparation->running) {
            (void)pthread_detach(preparation->thread);
        }
        release(preparation);
    }
    return NULL;
}
