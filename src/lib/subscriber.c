/* SPDX-License-Identifier: MIT
 *
 * A subscriber.
 *
 * Once it has its WELCOME, everything is memory: records are read from the segment, which is mapped
 * read-only, and acknowledged by a store into the session page. The connection only stands for the
 * session, and is looked at again only when the daemon is gone.
 *
 * A subscriber outlives its sessions. What a session consists of (struct link) is thrown away when
 * the daemon goes, or when it says that another segment has come, and made anew; what the
 * subscriber knows of its own progress stays, and tells the daemon where to go on.
 *
 * The caller's descriptor is an epoll of our own: it can stay the same while what it watches
 * changes, the doorbell of a session or, without one, the timer for the next attempt to get one.
 */
#include "lib/subscriber.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/timerfd.h>

#define RETRY_MIN_USEC (10 * USEC_PER_MSEC)  /* between two attempts to connect again */
#define RETRY_MAX_USEC (100 * USEC_PER_MSEC) /* far below a lease */

DEFINE_CLEANUP(struct shmd_subscriber, shmd_unsubscribe)

static int watch(struct shmd_subscriber *subscriber, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(subscriber->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_timer(struct shmd_subscriber *subscriber, uint64_t usec)
{
    struct itimerspec in = {.it_value = clock_timespec(usec)};

    return timerfd_settime(subscriber->timer, 0, &in, NULL) < 0 ? -errno : 0;
}

/* Copies of records, where they cannot be used in place. */
static int make_buffer(struct shmd_subscriber *subscriber, const struct link *link)
{
    size_t size =
        link_is_ring(link) ? ring_length_max(link->reader.capacity) : link->welcome.segment_size;
    char *buffer;

    if ((link_is_ring(link) && link_is_kept(link)) || size <= subscriber->buffer_size) {
        return 0;
    }
    buffer = realloc(subscriber->buffer, size);
    if (!buffer) {
        return -ENOMEM;
    }
    subscriber->buffer = buffer;
    subscriber->buffer_size = size;
    return 0;
}

/* What the subscriber knows of its progress, where its new session begins. */
static void go_on(struct shmd_subscriber *subscriber)
{
    const struct message_welcome *welcome = &subscriber->link.welcome;
    uint64_t before = welcome->first - 1;

    gaps_rebase(&subscriber->gaps);
    if (memcmp(subscriber->epoch, welcome->epoch, sizeof(subscriber->epoch)) != 0) {
        memcpy(subscriber->epoch, welcome->epoch, sizeof(subscriber->epoch));
        subscriber->acknowledged = subscriber->returned = before;
        subscriber->uncertain = 0;
        subscriber->gaps = (struct gaps){0};
        return;
    }
    if (before > subscriber->acknowledged) {
        /* The daemon has not waited for us, and does not count what was lost before. */
        subscriber->gaps = (struct gaps){0};
        subscriber->uncertain = before < subscriber->returned ? before : subscriber->returned;
        subscriber->acknowledged = before;
    }
    if (before > subscriber->returned) {
        subscriber->lost_new += before - subscriber->returned;
        subscriber->returned = before;
    }
    if (link_is_ring(&subscriber->link)) {
        subscriber_skip_returned(subscriber);
    }
}

static int connect_link(struct shmd_subscriber *subscriber)
{
    struct message_hello hello = {
        .head = message_head(MESSAGE_HELLO, sizeof(hello)),
        .role = MESSAGE_SUBSCRIBER,
        .start = subscriber->options.start == SHMD_START_NEXT ? MESSAGE_START_NEXT
                                                              : MESSAGE_START_OLDEST,
        /* Goes on where the last session ended. */
        .after = subscriber->acknowledged,
        .lost = subscriber->gaps.settled,
        .subscriber = subscriber->id,
    };
    struct link link;
    int r;

    memcpy(hello.epoch, subscriber->epoch, sizeof(hello.epoch));
    memcpy(hello.name, subscriber->name, sizeof(hello.name));
    r = link_open(&subscriber->options, &hello, &link);

    if (r < 0) {
        return r;
    }
    r = make_buffer(subscriber, &link);
    if (r == 0) {
        r = watch(subscriber, link.doorbell);
    }
    if (r < 0) {
        link_close(&link);
        return r;
    }
    subscriber->link = link;
    subscriber->connected = true;
    go_on(subscriber);
    (void)set_timer(subscriber, 0); /* an attempt that has come due is not news any more */
    subscriber->retry_usec = RETRY_MIN_USEC;
    subscriber->spin_usec = link.welcome.spin_usec;
    return 0;
}

void subscriber_disconnect(struct shmd_subscriber *subscriber)
{
    /* The caller may still be reading a record there. */
    if (subscriber->retired) {
        (void)shmdt(subscriber->retired);
    }
    subscriber->retired = take(subscriber->link.segment);
    link_close(&subscriber->link); /* which takes its doorbell out of the epoll, too */
    subscriber->connected = false;
    subscriber->retry_at = 0;
}

/* Is it an error that another attempt may not meet? */
static bool passes(int error)
{
    return error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET || error == -EAGAIN ||
           error == -ETIMEDOUT || error == -EPIPE || error == -EUSERS;
}

int subscriber_reconnect(struct shmd_subscriber *subscriber)
{
    uint64_t now = clock_usec();
    int r;

    if (now < subscriber->retry_at) {
        return -EAGAIN;
    }
    r = connect_link(subscriber);
    if (r < 0 && passes(r)) {
        subscriber->retry_at = now + subscriber->retry_usec;
        r = set_timer(subscriber, subscriber->retry_usec);
        subscriber->retry_usec *= 2;
        if (subscriber->retry_usec > RETRY_MAX_USEC) {
            subscriber->retry_usec = RETRY_MAX_USEC;
        }
        return r < 0 ? r : -EAGAIN;
    }
    return r;
}

int shmd_subscribe(const struct shmd_options *options, struct shmd_subscriber **ret)
{
    CLEANUP(shmd_unsubscribe_cleanup)
    struct shmd_subscriber *subscriber = calloc(1, sizeof(*subscriber));
    static const struct shmd_options defaults;
    int r;

    if (!subscriber) {
        return -ENOMEM;
    }
    subscriber->link = LINK_CLOSED;
    subscriber->timer = -1;
    subscriber->epoll = -1;
    options = options ? options : &defaults;
    if (options->name && strlen(options->name) >= sizeof(subscriber->name)) {
        return -EINVAL;
    }
    if (options->name) {
        memcpy(subscriber->name, options->name, strlen(options->name));
    }
    subscriber->instance = options->instance ? strdup(options->instance) : NULL;
    subscriber->socket = options->socket ? strdup(options->socket) : NULL;
    if ((options->instance && !subscriber->instance) || (options->socket && !subscriber->socket)) {
        return -ENOMEM;
    }
    subscriber->options = (struct shmd_options){
        .instance = subscriber->instance, .socket = subscriber->socket, .start = options->start};
    if (getrandom(&subscriber->id, sizeof(subscriber->id), 0) < 0) {
        return -errno;
    }
    subscriber->id |= 1; /* 0 is none */
    subscriber->epoll = epoll_create1(EPOLL_CLOEXEC);
    subscriber->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (subscriber->epoll < 0 || subscriber->timer < 0) {
        return -errno;
    }
    r = watch(subscriber, subscriber->timer);
    if (r == 0) {
        r = connect_link(subscriber);
    }
    if (r < 0) {
        return r;
    }
    *ret = take(subscriber);
    return 0;
}

struct shmd_subscriber *shmd_unsubscribe(struct shmd_subscriber *subscriber)
{
    if (subscriber) {
        link_close(&subscriber->link);
        if (subscriber->retired) {
            (void)shmdt(subscriber->retired);
        }
        (void)fd_close(subscriber->epoll);
        (void)fd_close(subscriber->timer);
        free(subscriber->instance);
        free(subscriber->socket);
        free(subscriber->buffer);
    }
    free(subscriber);
    return NULL;
}

int shmd_get_fd(const struct shmd_subscriber *subscriber)
{
    return subscriber->epoll;
}

void shmd_describe(const struct shmd_subscriber *subscriber, struct shmd_subscription *ret)
{
    const struct message_welcome *welcome = &subscriber->link.welcome;

    *ret = (struct shmd_subscription){
        .key = welcome->key,
        .segment_id = welcome->segment_id,
        .segment_size = welcome->segment_size,
        .ring = link_is_ring(&subscriber->link),
        .overwrite = !link_is_kept(&subscriber->link),
        .lease_usec = welcome->lease_usec,
        .connected = subscriber->connected,
        .acknowledged = subscriber->acknowledged,
        .lost = subscriber->gaps.lost,
    };
    memcpy(ret->epoch, subscriber->epoch, sizeof(ret->epoch));
}
