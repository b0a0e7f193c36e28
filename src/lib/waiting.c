/* SPDX-License-Identifier: MIT
 *
 * Waiting for a record: look for a moment, announce that we sleep, look once more, sleep on the
 * doorbell (proto/page.h, S1–S5). How long it pays to look is learnt from whether it did.
 */
#include "lib/subscriber.h"
#include "base/clock.h"
#include "base/relax.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* Would shmd_next() say anything but -EAGAIN? */
static bool has_news(const struct shmd_subscriber *subscriber)
{
    const struct link *link = &subscriber->link;

    if (!subscriber->connected) {
        return clock_usec() >= subscriber->retry_at;
    }
    if (link_state(link) != PAGE_ACTIVE || link_is_taken_over(link)) {
        return true;
    }
    if (link_is_ring(link)) {
        struct ring_reader look = link->reader;
        const struct ring_record *record;

        return ring_look(&look, &record) != RING_NOTHING;
    }
    return atomic_load_explicit(&link->page->published, memory_order_acquire) >
           subscriber->returned;
}

/* Takes what has accumulated out of the doorbell. False: the other end is gone. */
static bool drain(struct shmd_subscriber *subscriber)
{
    char bells[256];
    ssize_t n;

    do {
        n = read(subscriber->link.doorbell, bells, sizeof(bells));
    } while (n == (ssize_t)sizeof(bells) || (n < 0 && errno == EINTR));
    return n != 0;
}

int shmd_arm(struct shmd_subscriber *subscriber)
{
    if (!subscriber->connected) {
        return has_news(subscriber) ? SHMD_NEWS : 0;
    }
    if (!drain(subscriber)) {
        subscriber_disconnect(subscriber);
        return SHMD_NEWS;
    }
    page_announce_sleep(&subscriber->link.page->client_sleeps);
    if (!has_news(subscriber)) {
        return 0;
    }
    page_announce_awake(&subscriber->link.page->client_sleeps);
    return SHMD_NEWS;
}

/* Looks for a while: it learns how long that pays. */
static bool spin(struct shmd_subscriber *subscriber)
{
    uint64_t limit = subscriber->connected ? subscriber->link.welcome.spin_usec : 0;
    uint64_t end = clock_usec() + (limit ? subscriber->spin_usec : 0);

    do {
        for (int i = 0; i < 16; i++) {
            if (has_news(subscriber)) {
                subscriber->spin_usec = limit;
                return true;
            }
            relax();
        }
    } while (clock_usec() < end);
    subscriber->spin_usec = subscriber->spin_usec / 2 + 1;
    return false;
}

int shmd_wait(struct shmd_subscriber *subscriber, uint64_t timeout_usec)
{
    uint64_t now = clock_usec();
    uint64_t deadline = timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + timeout_usec;

    if (spin(subscriber)) {
        return 0;
    }
    for (;;) {
        struct pollfd bell = {.fd = subscriber->epoll, .events = POLLIN};
        struct timespec left;
        int r = shmd_arm(subscriber);

        if (r != 0) {
            return 0;
        }
        if (subscriber->connected) {
            bell.fd = subscriber->link.doorbell;
        }
        now = clock_usec();
        left = clock_timespec(deadline > now ? deadline - now : 0);
        r = ppoll(&bell, 1, deadline == UINT64_MAX ? NULL : &left, NULL);
        if (subscriber->connected) {
            page_announce_awake(&subscriber->link.page->client_sleeps);
        }
        if (r < 0) {
            return -errno;
        }
        if (has_news(subscriber)) {
            return 0;
        }
        if (r == 0) {
            return -ETIMEDOUT;
        }
    }
}
