/* SPDX-License-Identifier: MIT
 *
 * Waiting for news: look for a moment, announce that we sleep, look once more, sleep on the
 * doorbell (proto/page.h, S1–S5). How long it pays to look is learnt from how long it took.
 */
#include "lib/member.h"
#include "base/patience.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* Takes what has accumulated out of the doorbell. False: the other end is gone. */
static bool drain(struct member *member)
{
    char bells[256];
    ssize_t n;

    do {
        n = read(member->link.doorbell, bells, sizeof(bells));
    } while (n == (ssize_t)sizeof(bells) || (n < 0 && errno == EINTR));
    return n != 0;
}

int member_arm(struct member *member)
{
    if (member->failed) {
        return member->failed;
    }
    if (!member->connected) {
        return member->kind->has_news(member) ? SHMD_NEWS : 0;
    }
    if (!drain(member)) {
        member->hung_up = true;
        return SHMD_NEWS;
    }
    member->armed = true;
    page_announce_sleep(&member->link.page->client_sleeps);
    if (!member->kind->has_news(member)) {
        return 0;
    }
    member_disarm(member);
    return SHMD_NEWS;
}

/* Looks for as long as it has paid lately. */
static bool spin(struct member *member, uint64_t now, uint64_t deadline)
{
    uint64_t limit = member->connected ? member->spin_usec : 0;
    bool crowded =
        limit > 0 && atomic_load_explicit(&member->link.page->crowded, memory_order_relaxed);
    struct patience patience = patience_begin(limit, crowded, now);

    do {
        for (int i = 0; i < PATIENCE_LOOKS; i++) {
            if (member->kind->has_news(member)) {
                return true;
            }
            relax();
        }
    } while (patience_lasts(&patience, &now) && now < deadline);
    return false;
}

int member_wait(struct member *member, uint64_t timeout_usec)
{
    uint64_t now = clock_usec(), began = now;
    uint64_t deadline = timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + timeout_usec;

    if (spin(member, now, deadline)) {
        return member->failed;
    }
    for (;;) {
        struct pollfd bell = {.fd = member->epoll, .events = POLLIN};
        struct timespec left;
        int r = member_arm(member);

        if (r != 0) {
            return r < 0 ? r : 0;
        }
        if (member->connected) {
            bell.fd = member->link.doorbell;
        }
        now = clock_usec();
        left = clock_timespec(deadline > now ? deadline - now : 0);
        r = ppoll(&bell, 1, deadline == UINT64_MAX ? NULL : &left, NULL);
        member_disarm(member);
        if (r < 0) {
            return -errno;
        }
        if (member->connected) {
            uint64_t waited = r > 0 ? clock_usec() - began : UINT64_MAX; /* r is 0: in vain */

            member->spin_usec =
                patience_learn(member->spin_usec, member->link.welcome.spin_usec, waited);
        }
        if (member->kind->has_news(member)) {
            return 0;
        }
        if (r == 0) {
            return -ETIMEDOUT;
        }
    }
}
