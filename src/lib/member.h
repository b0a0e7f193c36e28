/* SPDX-License-Identifier: MIT
 *
 * A member: what a subscriber and a publisher have in common. It has a session with the daemon, and
 * when that ends it has another one, by itself.
 *
 * The caller's descriptor is an epoll of our own: it can stay the same while what it watches
 * changes, the doorbell of a session or, without one, the timer for the next attempt to get one.
 */
#pragma once

#include "lib/link.h"

struct member;

/* What is different for a subscriber and a publisher. */
struct member_kind {
    enum message_role role;
    /* Is there anything for the caller to do? */
    bool (*has_news)(const struct member *member);
};

/* Each begins with this. */
struct member {
    const struct member_kind *kind;
    struct shmd_options options;
    char *instance, *socket;
    char name[MESSAGE_NAME_SIZE];
    uint32_t id; /* among those of this process */
    int epoll, timer;

    struct link link;
    bool connected;
    bool hung_up;        /* the daemon has: what there is now is all that there will be */
    bool armed;          /* the daemon was told that we sleep, and not yet that we are awake */
    int failed;          /* why there will be no session, as far as is known; 0: there may be */
    uint64_t retry_usec; /* the pause before the next attempt */
    uint64_t retry_at;
    uint64_t spin_usec; /* how long it pays to look before sleeping; learnt */
};

/* Makes it, without a session. On failure, too, member_close() is due. */
int member_open(struct member *member, const struct member_kind *kind,
                const struct shmd_options *options);
void member_close(struct member *member);

/* A HELLO as far as it is always the same. */
struct message_hello member_hello(const struct member *member);

/* Has a session; `set_up` does with the new link what may fail before it counts. Optional. */
int member_connect(struct member *member, const struct message_hello *hello,
                   int (*set_up)(struct member *member, const struct link *link));

/* The session is over: there will be another one. */
void member_disconnect(struct member *member);

/* Is it time for another attempt? */
bool member_is_due(const struct member *member);

/* The next attempt is due in a while. A negative errno value: it is due now. */
int member_pause(struct member *member, uint64_t usec);

/* An attempt has failed. -EAGAIN: the next one may not; others: it was refused. */
int member_put_off(struct member *member, int error);

/* There will be no session: from now on, who waits is told. Returns the error. */
static inline int member_fail(struct member *member, int error)
{
    member->failed = error;
    return error;
}

/* Announces that the caller will sleep: 0, SHMD_NEWS, or why there is nothing to wait for. */
int member_arm(struct member *member);

/* We are awake (S5). Who sleeps in an event loop of his own shows it by what he does next. */
static inline void member_disarm(struct member *member)
{
    if (member->armed) {
        member->armed = false;
        page_announce_awake(&member->link.page->client_sleeps);
    }
}

/* Waits for news: 0, -ETIMEDOUT, -EINTR, or why there is nothing to wait for. */
int member_wait(struct member *member, uint64_t timeout_usec);
