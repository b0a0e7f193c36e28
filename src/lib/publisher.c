/* SPDX-License-Identifier: MIT
 *
 * A publisher.
 *
 * Once it has its WELCOME, everything is memory: it writes its records into its queue (queue.h),
 * and the daemon says in the session page up to which of them all are published. What is not
 * confirmed is not written over, so when a session ends, the next one begins with it: the daemon
 * says which record it wants first.
 *
 * Told to hand in no more (another source, another segment), it waits until the daemon has dealt
 * with what there is and hangs up, and then connects again, or learns why it cannot.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "lib/backlog.h"
#include "lib/member.h"
#include "proto/plain.h"

#include <errno.h>
#include <unistd.h>

#define IDLE_LOOKS 1024 /* in vain, before the kernel is asked whether the daemon lives */

struct shmd_publisher {
    struct member member;
    struct ring_writer writer;
    uint8_t epoch[16];
    uint64_t handed_in, confirmed;
    uint64_t rejected, rejected_before; /* in this session, and in those before */
    uint64_t known;                     /* to be confirmed, for whoever waits for more */
    struct backlog backlog;             /* what comes from the sessions before */
    unsigned idle;                      /* looks in vain */
};

DEFINE_CLEANUP(struct shmd_publisher, shmd_publisher_close)

/* --- the session --- */

/* What the page says. */
static void look(struct shmd_publisher *publisher)
{
    const struct page *page = publisher->member.link.page;
    uint64_t published, position;

    if (!publisher->member.connected) {
        return;
    }
    /* Acquire, both: pair with confirm() in the daemon. What ends here is then known, too. */
    position = atomic_load_explicit(&page->position, memory_order_acquire);
    queue_release(&publisher->writer, position);
    published = atomic_load_explicit(&page->published, memory_order_acquire);
    if (published > publisher->confirmed) {
        publisher->confirmed = published;
        publisher->rejected = atomic_load_explicit(&page->rejected, memory_order_relaxed);
        backlog_confirm(&publisher->backlog, published);
    }
}

/* The session is over; what is not confirmed is kept. -ENOMEM: it is not over yet. */
static int disconnect(struct shmd_publisher *publisher)
{
    const struct link *link = &publisher->member.link;
    int r;

    look(publisher); /* its last words */
    r = backlog_gather(&publisher->backlog, link->queue, link->welcome.segment_size,
                       publisher->confirmed, publisher->handed_in);
    if (r < 0) {
        return r;
    }
    publisher->rejected_before += publisher->rejected;
    publisher->rejected = 0;
    member_disconnect(&publisher->member);
    return 0;
}

static void ring_daemon(struct shmd_publisher *publisher)
{
    const struct link *link = &publisher->member.link;

    if (page_must_ring(&link->page->daemon_sleeps)) {
        (void)!write(link->daemon_doorbell, "", 1);
    }
}

/* A record that was handed in before; where it does not fit any more, its number. */
static bool put_anew(struct shmd_publisher *publisher, const char *bytes, size_t length)
{
    struct ring_writer *writer = &publisher->writer;

    if (length <= publisher->member.link.welcome.position) {
        return queue_put(writer, bytes, length);
    }
    if (!ring_has_room(writer, 0)) {
        return false;
    }
    queue_leave_out(writer, length);
    return true;
}

/* Hands in anew what there is room for. */
static void work_off(struct shmd_publisher *publisher)
{
    struct backlog *backlog = &publisher->backlog;
    bool any = false;

    while (!backlog_is_empty(backlog)) {
        size_t length;
        const char *bytes = backlog_peek(backlog, &length);

        if (!put_anew(publisher, bytes, length)) {
            break;
        }
        backlog_advance(backlog);
        any = true;
    }
    if (any) {
        ring_daemon(publisher);
    }
}

static int connect_publisher(struct shmd_publisher *publisher)
{
    struct message_hello hello = member_hello(&publisher->member);
    const struct message_welcome *welcome = &publisher->member.link.welcome;
    int r;

    hello.after = publisher->confirmed;
    memcpy(hello.epoch, publisher->epoch, sizeof(hello.epoch));
    r = member_connect(&publisher->member, &hello, NULL);
    if (r < 0) {
        return r;
    }
    if (welcome->first <= publisher->confirmed || welcome->first > publisher->handed_in + 1) {
        member_disconnect(&publisher->member);
        return -EPROTO;
    }
    memcpy(publisher->epoch, welcome->epoch, sizeof(publisher->epoch));
    publisher->confirmed = welcome->first - 1;
    backlog_confirm(&publisher->backlog, publisher->confirmed);
    publisher->writer =
        queue_writer(publisher->member.link.queue, welcome->segment_size, welcome->first);
    work_off(publisher);
    return 0;
}

/* Sees to it that there is a session. 0, -EAGAIN: not now, or why there will be none. */
static int keep_connected(struct shmd_publisher *publisher)
{
    struct member *member = &publisher->member;
    int r;

    member_disarm(member);
    look(publisher);
    if (member->connected) {
        enum page_state state = link_state(&member->link);
        /* Told to hand in no more, it stays to hear what becomes of what it has. */
        bool gone =
            member->hung_up || ((state != PAGE_ACTIVE || ++publisher->idle % IDLE_LOOKS == 0) &&
                                !link_lives(&member->link));

        if (state == PAGE_EVICTED) {
            return member_fail(member, -EPROTO); /* it says that we hand in no records */
        }
        r = gone ? disconnect(publisher) : 0;
        if (r < 0) {
            return r;
        }
    }
    if (!member->connected) {
        /* Who was refused asks anew: what is not confirmed is in this handle alone. */
        if (!member_is_due(member)) {
            return member->failed ? member->failed : -EAGAIN;
        }
        r = connect_publisher(publisher);
        if (r < 0) {
            return member_put_off(member, r);
        }
    }
    if (!backlog_is_empty(&publisher->backlog)) {
        work_off(publisher);
    }
    return 0;
}

/* That all is confirmed, and that there is room where it was, come one after the other. */
static bool has_news(const struct member *member)
{
    const struct shmd_publisher *publisher = (const struct shmd_publisher *)member;
    const struct page *page = member->link.page;

    if (member->hung_up) {
        return true;
    }
    if (!member->connected) {
        return member_is_due(member);
    }
    return atomic_load_explicit(&page->published, memory_order_acquire) > publisher->known ||
           atomic_load_explicit(&page->position, memory_order_relaxed) > publisher->writer.tail;
}

int shmd_publisher_open(const struct shmd_options *options, struct shmd_publisher **ret)
{
    static const struct member_kind kind = {.role = MESSAGE_PUBLISHER, .has_news = has_news};
    CLEANUP(shmd_publisher_close_cleanup)
    struct shmd_publisher *publisher = calloc(1, sizeof(*publisher));
    int r;

    *ret = NULL;
    if (!publisher) {
        return -ENOMEM;
    }
    r = member_open(&publisher->member, &kind, options);
    if (r == 0) {
        r = connect_publisher(publisher);
    }
    if (r < 0) {
        return r;
    }
    *ret = take(publisher);
    return 0;
}

struct shmd_publisher *shmd_publisher_close(struct shmd_publisher *publisher)
{
    if (publisher) {
        member_close(&publisher->member);
        backlog_clear(&publisher->backlog);
    }
    free(publisher);
    return NULL;
}

/* --- handing in --- */

/* Can a record of this kind be published at all? */
static int judge(const struct shmd_publisher *publisher, const void *data, size_t length)
{
    const struct link *link = &publisher->member.link;

    if (length > link->welcome.position) {
        return -EMSGSIZE;
    }
    if (!link_is_ring(link) && plain_judge(data, length, length + 1) != PLAIN_FITS) {
        return -EBADMSG;
    }
    return 0;
}

/* Hands it in. -EAGAIN: not now; -EMSGSIZE, -EBADMSG: not at all. */
static inline int hand_in(struct shmd_publisher *publisher, const void *data, size_t length)
{
    const struct link *link = &publisher->member.link;
    int r;

    if (!publisher->member.connected || publisher->member.hung_up ||
        link_state(link) != PAGE_ACTIVE || !backlog_is_empty(&publisher->backlog)) {
        return -EAGAIN;
    }
    r = judge(publisher, data, length);
    if (r < 0) {
        return r;
    }
    member_disarm(&publisher->member);
    if (!queue_put(&publisher->writer, data, length)) {
        return -EAGAIN;
    }
    publisher->handed_in++;
    ring_daemon(publisher);
    return 0;
}

static uint64_t deadline_of(uint64_t timeout_usec)
{
    uint64_t now = timeout_usec == 0 || timeout_usec == SHMD_FOREVER ? 0 : clock_usec();

    return timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + timeout_usec;
}

/* Waits for more than is known to be confirmed, or for another session. */
static int wait_until(struct shmd_publisher *publisher, uint64_t deadline)
{
    uint64_t now = deadline == UINT64_MAX ? 0 : clock_usec();

    publisher->known = publisher->confirmed;
    return member_wait(&publisher->member, deadline == UINT64_MAX ? SHMD_FOREVER
                                           : deadline > now       ? deadline - now
                                                                  : 0);
}

/* Where that was not possible at once; apart, so that the usual saves no registers for it. */
__attribute__((noinline)) static int hand_in_later(struct shmd_publisher *publisher,
                                                   const void *data, size_t length,
                                                   uint64_t timeout_usec)
{
    uint64_t deadline = deadline_of(timeout_usec);

    for (;;) {
        int r = keep_connected(publisher);

        if (r == 0) {
            r = hand_in(publisher, data, length); /* there is room by now, or another queue */
        }
        if (r != -EAGAIN) {
            return r;
        }
        if (timeout_usec == 0) {
            return -EAGAIN;
        }
        r = wait_until(publisher, deadline);
        if (r < 0) {
            return r;
        }
    }
}

/* flatten: a record takes so little that calls would be a tenth of it. */
__attribute__((flatten)) int shmd_publisher_publish(struct shmd_publisher *publisher,
                                                    const void *data, size_t length,
                                                    uint64_t timeout_usec, uint64_t *ret_number)
{
    int r;

    data = data ? data : "";
    r = hand_in(publisher, data, length);
    if (r == -EAGAIN) {
        r = hand_in_later(publisher, data, length, timeout_usec);
    }
    if (r == 0 && ret_number) {
        *ret_number = publisher->handed_in;
    }
    return r;
}

int shmd_publisher_flush(struct shmd_publisher *publisher, uint64_t timeout_usec)
{
    uint64_t deadline = deadline_of(timeout_usec);

    for (;;) {
        int r = keep_connected(publisher);

        if (publisher->confirmed == publisher->handed_in) {
            return 0;
        }
        if (r < 0 && r != -EAGAIN) {
            return r;
        }
        r = wait_until(publisher, deadline);
        if (r < 0) {
            return r;
        }
    }
}

int shmd_publisher_get_fd(const struct shmd_publisher *publisher)
{
    return publisher->member.epoll;
}

int shmd_publisher_arm(struct shmd_publisher *publisher, uint64_t confirmed)
{
    publisher->known = confirmed;
    return member_arm(&publisher->member);
}

int shmd_publisher_confirmed(struct shmd_publisher *publisher, uint64_t *ret)
{
    int r = keep_connected(publisher);

    if (r < 0 && r != -EAGAIN) {
        return r;
    }
    *ret = publisher->confirmed;
    return 0;
}

void shmd_publisher_describe(const struct shmd_publisher *publisher, struct shmd_publication *ret)
{
    const struct message_welcome *welcome = &publisher->member.link.welcome;

    *ret = (struct shmd_publication){
        .key = welcome->key,
        .ring = link_is_ring(&publisher->member.link),
        .record_max = welcome->position,
        .connected = publisher->member.connected,
        .handed_in = publisher->handed_in,
        .confirmed = publisher->confirmed,
        .rejected = publisher->rejected_before + publisher->rejected,
    };
    memcpy(ret->epoch, publisher->epoch, sizeof(ret->epoch));
}
