/* SPDX-License-Identifier: MIT */
#include "lib/member.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/shortage.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>

#define RETRY_MIN_USEC (10 * USEC_PER_MSEC)  /* between two attempts to connect again */
#define RETRY_MAX_USEC (100 * USEC_PER_MSEC) /* far below a lease */

static int watch(struct member *member, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(member->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_timer(struct member *member, uint64_t usec)
{
    struct itimerspec in = {.it_value = clock_timespec(usec)};

    return timerfd_settime(member->timer, 0, &in, NULL) < 0 ? -errno : 0;
}

int member_open(struct member *member, const struct member_kind *kind,
                const struct shmd_options *options)
{
    static const struct shmd_options defaults;

    *member = (struct member){.kind = kind, .link = LINK_CLOSED, .timer = -1, .epoll = -1};
    options = options ? options : &defaults;
    if (options->name && strlen(options->name) >= sizeof(member->name)) {
        return -EINVAL;
    }
    if (options->name) {
        memcpy(member->name, options->name, strlen(options->name));
    }
    member->instance = options->instance ? strdup(options->instance) : NULL;
    member->socket = options->socket ? strdup(options->socket) : NULL;
    if ((options->instance && !member->instance) || (options->socket && !member->socket)) {
        return -ENOMEM;
    }
    member->options = (struct shmd_options){
        .instance = member->instance, .socket = member->socket, .start = options->start};
    if (getrandom(&member->id, sizeof(member->id), 0) < 0) {
        return -errno;
    }
    member->id |= 1; /* 0 is none */
    member->epoll = epoll_create1(EPOLL_CLOEXEC);
    member->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (member->epoll < 0 || member->timer < 0) {
        return -errno;
    }
    return watch(member, member->timer);
}

void member_close(struct member *member)
{
    link_close(&member->link);
    (void)fd_close(member->epoll);
    (void)fd_close(member->timer);
    free(member->instance);
    free(member->socket);
}

struct message_hello member_hello(const struct member *member)
{
    struct message_hello hello = {
        .head = message_head(MESSAGE_HELLO, sizeof(hello)),
        .role = member->kind->role,
        .client = member->id,
    };

    memcpy(hello.name, member->name, sizeof(hello.name));
    return hello;
}

int member_connect(struct member *member, const struct message_hello *hello,
                   int (*set_up)(struct member *member, const struct link *link))
{
    struct link link;
    int r = link_open(&member->options, hello, &link);

    if (r < 0) {
        return r;
    }
    r = set_up ? set_up(member, &link) : 0;
    if (r == 0) {
        r = watch(member, link.doorbell); /* comes last: a link that is closed is not watched */
    }
    if (r < 0) {
        link_close(&link);
        return r;
    }
    member->link = link;
    member->connected = true;
    member->failed = 0;
    (void)set_timer(member, 0); /* an attempt that has come due is not news any more */
    member->retry_usec = RETRY_MIN_USEC;
    member->spin_usec = link.welcome.spin_usec;
    return 0;
}

void member_disconnect(struct member *member)
{
    /* Closing would be enough, if no child that was forked had it, too. */
    (void)epoll_ctl(member->epoll, EPOLL_CTL_DEL, member->link.doorbell, NULL);
    link_close(&member->link);
    member->connected = member->armed = member->hung_up = false;
    member->retry_at = 0;
}

bool member_is_due(const struct member *member)
{
    return clock_usec() >= member->retry_at;
}

/* Is it an error that another attempt may not meet? */
static bool passes(int error)
{
    return error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET || error == -EINTR ||
           error == -ETIMEDOUT || error == -EPIPE || error == -EUSERS || is_shortage(error);
}

int member_pause(struct member *member, uint64_t usec)
{
    int r = set_timer(member, usec > 0 ? usec : 1); /* 0 would never come */

    member->retry_at = r < 0 ? 0 : clock_usec() + usec;
    return r;
}

int member_put_off(struct member *member, int error)
{
    int r;

    if (!passes(error)) {
        member->retry_at = clock_usec() + RETRY_MAX_USEC;
        return member_fail(member, error);
    }
    member->failed = 0;
    r = member_pause(member, member->retry_usec);
    member->retry_usec *= 2;
    if (member->retry_usec > RETRY_MAX_USEC) {
        member->retry_usec = RETRY_MAX_USEC;
    }
    return r < 0 ? r : -EAGAIN;
}
