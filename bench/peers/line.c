/* SPDX-License-Identifier: MIT
 *
 * A limit: one cache line goes to the other processor, and another one comes back. No exchange
 * between two processes is faster.
 */
#include "bench/peer.h"

#include <stdatomic.h>

static struct {
    _Alignas(64) _Atomic uint64_t there;
    _Alignas(64) _Atomic uint64_t back;
} * lines;

static void prepare(struct exchange *x)
{
    (void)x;
    lines = shared_new(sizeof(*lines));
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static bool send(struct exchange *x)
{
    atomic_store_explicit(&lines->there, x->sent + 1, memory_order_release);
    return true;
}

static uint64_t heard(struct exchange *x)
{
    (void)x;
    return atomic_load_explicit(&lines->back, memory_order_acquire);
}

static bool receive(struct exchange *x)
{
    (void)x;
    return atomic_load_explicit(&lines->there, memory_order_acquire) !=
           atomic_load_explicit(&lines->back, memory_order_relaxed);
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    (void)x;
    atomic_store_explicit(&lines->back, number, memory_order_release);
}

const struct peer peer = {
    .name = "line",
    .rows = ROW_HOP,
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
