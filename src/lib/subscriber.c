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
 */
#include "lib/subscriber.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/shm.h>

DEFINE_CLEANUP(struct shmd_subscriber, shmd_unsubscribe)

/* Copies of records, where they cannot be used in place. */
static int make_buffer(struct member *member, const struct link *link)
{
    struct shmd_subscriber *subscriber = (struct shmd_subscriber *)member;
    size_t size =
        link_is_ring(link) ? ring_length_max(link->reader.capacity) : link->welcome.segment_size;
    char *buffer;

    if (link_is_in_place(link) || size <= subscriber->buffer_size) {
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
    const struct message_welcome *welcome = &subscriber->member.link.welcome;
    uint64_t before = welcome->first - 1;

    gaps_rebase(&subscriber->gaps);
    if (memcmp(subscriber->epoch, welcome->epoch, sizeof(subscriber->epoch)) != 0) {
        memcpy(subscriber->epoch, welcome->epoch, sizeof(subscriber->epoch));
        subscriber->before = subscriber->acknowledged = subscriber->returned = before;
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
    if (link_is_ring(&subscriber->member.link)) {
        subscriber_skip_returned(subscriber);
    }
}

static const enum message_start starts[] = {
    [SHMD_START_DEFAULT] = MESSAGE_START_DEFAULT,
    [SHMD_START_OLDEST] = MESSAGE_START_OLDEST,
    [SHMD_START_NEXT] = MESSAGE_START_NEXT,
};

static int connect_subscriber(struct shmd_subscriber *subscriber)
{
    struct message_hello hello = member_hello(&subscriber->member);
    enum shmd_start start = subscriber->member.options.start;
    int r;

    if (start >= sizeof(starts) / sizeof(starts[0])) {
        return -EINVAL;
    }
    hello.start = starts[start];
    /* Goes on where the last session ended. */
    memcpy(hello.epoch, subscriber->epoch, sizeof(hello.epoch));
    hello.after = subscriber->acknowledged;
    hello.lost = subscriber->gaps.settled;
    r = member_connect(&subscriber->member, &hello, make_buffer);
    if (r == 0) {
        subscriber->late = false;
        go_on(subscriber);
    }
    return r;
}

bool subscriber_is_certain(const struct shmd_subscriber *subscriber)
{
    struct ring_reader look = subscriber->member.link.reader;
    uint64_t oldest;

    if (!link_is_in_place(&subscriber->member.link) ||
        subscriber->returned == subscriber->acknowledged) {
        return true;
    }
    atomic_thread_fence(memory_order_acquire); /* the look is later than what the caller has read */
    oldest = ring_seek_oldest(&look);
    return oldest != 0 && oldest <= subscriber->acknowledged + 1 &&
           memcmp(look.header->epoch, subscriber->epoch, sizeof(subscriber->epoch)) == 0;
}

void subscriber_disconnect(struct shmd_subscriber *subscriber)
{
    const struct link *link = &subscriber->member.link;

    if (subscriber->member.connected) {
        if (!subscriber_is_certain(subscriber)) {
            subscriber->uncertain = subscriber->returned;
            (void)member_fail(&subscriber->member, -ETIME); /* as if evicted: the lease was over */
        }
        /* Of a daemon that was killed, nobody knows what it has seen of this session. */
        subscriber->late |=
            link_state(link) == PAGE_ACTIVE && subscriber->acknowledged >= link->welcome.first;
    }
    /* The caller may still be reading a record there. */
    if (subscriber->retired) {
        (void)shmdt(subscriber->retired);
    }
    subscriber->retired = take(subscriber->member.link.segment);
    subscriber->settled = false;
    member_disconnect(&subscriber->member);
}

/*
 * Told to go on elsewhere, it takes all that there is. What it acknowledges of that, the daemon is
 * told with the next HELLO, for which it waits as long as the lease: half of it has to be enough.
 * After a stop, nobody waits.
 */
bool subscriber_may_stay(struct shmd_subscriber *subscriber)
{
    uint64_t now = clock_usec();

    if (subscriber->part_by == 0) {
        subscriber->part_by = now + subscriber->member.link.welcome.lease_usec / 2;
    }
    return now < subscriber->part_by || link_state(&subscriber->member.link) == PAGE_CLOSING;
}

/* It has taken all, and may not have acknowledged all. */
void subscriber_part(struct shmd_subscriber *subscriber)
{
    uint64_t now = clock_usec();

    subscriber_disconnect(subscriber);
    subscriber->owes = subscriber->returned > subscriber->acknowledged && now < subscriber->part_by;
    if (subscriber->owes) {
        (void)member_pause(&subscriber->member, subscriber->part_by - now);
    }
}

int subscriber_reconnect(struct shmd_subscriber *subscriber)
{
    int r;

    if (subscriber->member.failed) {
        return subscriber->member.failed;
    }
    if (!member_is_due(&subscriber->member)) {
        return -EAGAIN;
    }
    subscriber->owes = false;
    r = connect_subscriber(subscriber);
    if (r == 0) {
        subscriber->part_by = 0;
    }
    return r < 0 ? member_put_off(&subscriber->member, r) : 0;
}

/* Would shmd_next() say anything but -EAGAIN? */
static bool has_news(const struct member *member)
{
    const struct shmd_subscriber *subscriber = (const struct shmd_subscriber *)member;
    const struct link *link = &member->link;

    if (!member->connected) {
        return member_is_due(member);
    }
    if (member->hung_up || link_state(link) != PAGE_ACTIVE || link_is_taken_over(link)) {
        return true;
    }
    if (link_is_ring(link)) {
        struct ring_reader look = link->reader;
        const struct ring_record *record;

        return !link_is_blank(link) && ring_look(&look, &record) != RING_NOTHING;
    }
    return atomic_load_explicit(&link->page->published, memory_order_acquire) >
           subscriber->returned;
}

int shmd_subscribe(const struct shmd_options *options, struct shmd_subscriber **ret)
{
    static const struct member_kind kind = {.role = MESSAGE_SUBSCRIBER, .has_news = has_news};
    CLEANUP(shmd_unsubscribe_cleanup)
    struct shmd_subscriber *subscriber = calloc(1, sizeof(*subscriber));
    int r;

    *ret = NULL;
    if (!subscriber) {
        return -ENOMEM;
    }
    r = member_open(&subscriber->member, &kind, options);
    if (r == 0) {
        r = connect_subscriber(subscriber);
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
        struct member *member = &subscriber->member;

        if (member->connected && (subscriber->late || !link_lives(&member->link))) {
            subscriber_disconnect(subscriber);
        }
        if (subscriber->late) {
            (void)connect_subscriber(subscriber); /* whose HELLO tells it */
        }
        member_close(member);
        if (subscriber->retired) {
            (void)shmdt(subscriber->retired);
        }
        free(subscriber->buffer);
    }
    free(subscriber);
    return NULL;
}

int shmd_get_fd(const struct shmd_subscriber *subscriber)
{
    return subscriber->member.epoll;
}

int shmd_arm(struct shmd_subscriber *subscriber)
{
    return member_arm(&subscriber->member);
}

int shmd_wait(struct shmd_subscriber *subscriber, uint64_t timeout_usec)
{
    return member_wait(&subscriber->member, timeout_usec);
}

void shmd_describe(const struct shmd_subscriber *subscriber, struct shmd_subscription *ret)
{
    const struct message_welcome *welcome = &subscriber->member.link.welcome;

    *ret = (struct shmd_subscription){
        .key = welcome->key,
        .segment_id = welcome->segment_id,
        .segment_size = welcome->segment_size,
        .ring = link_is_ring(&subscriber->member.link),
        .overwrite = !link_is_kept(&subscriber->member.link),
        .lease_usec = welcome->lease_usec,
        .connected = subscriber->member.connected,
        .acknowledged = subscriber->acknowledged,
        .lost = subscriber->gaps.lost,
    };
    memcpy(ret->epoch, subscriber->epoch, sizeof(ret->epoch));
}
