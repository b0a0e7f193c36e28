/* SPDX-License-Identifier: MIT
 *
 * A limit: two processes that sleep wake each other with an eventfd each.
 */
#include "bench/peer.h"

#include <sys/eventfd.h>

static int there, back;
static uint64_t acknowledged;

static void prepare(struct exchange *x)
{
    (void)x;
    there = eventfd(0, EFD_CLOEXEC);
    back = eventfd(0, EFD_CLOEXEC);
    if (there < 0 || back < 0) {
        fail("eventfd", errno);
    }
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static bool send(struct exchange *x)
{
    (void)x;
    return eventfd_write(there, 1) == 0;
}

static uint64_t heard(struct exchange *x)
{
    eventfd_t count;

    (void)x;
    if (eventfd_read(back, &count) == 0) {
        acknowledged += count;
    }
    return acknowledged;
}

static bool receive(struct exchange *x)
{
    eventfd_t count;

    (void)x;
    return eventfd_read(there, &count) == 0;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    (void)x;
    (void)number;
    (void)eventfd_write(back, 1);
}

const struct peer peer = {
    .name = "eventfd",
    .rows = ROW_ASLEEP,
    .subscribers_max = 1,
    .bare = true,
    .prepare = prepare,
    .publisher = nothing,
    .subscriber = nothing,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
