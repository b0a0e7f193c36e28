/* SPDX-License-Identifier: MIT
 *
 * A limit: a bare ring in shared memory, without sessions, log, sleep or protection. Each record
 * stands in a slot of its own, behind its number, which is the commit word; each subscriber
 * acknowledges in a cache line of its own.
 */
#include "bench/peer.h"

#include <stdatomic.h>

struct slot {
    _Atomic uint64_t number;
    uint64_t length;
    char bytes[];
};

static struct {
    _Alignas(64) _Atomic uint64_t acknowledged;
} * progress;

static char *slots;
static size_t stride, mask;
static uint64_t least, taken;

static struct slot *slot_of(uint64_t number)
{
    return (struct slot *)(void *)(slots + (number & mask) * stride);
}

static void prepare(struct exchange *x)
{
    size_t count = 4;

    stride = (sizeof(struct slot) + x->size + 63) / 64 * 64;
    while (2 * count * stride <= RING_BYTES) {
        count *= 2;
    }
    mask = count - 1;
    x->window = count;
    slots = shared_new(count * stride);
    memset(slots, 0, count * stride);
    progress = shared_new(SUBSCRIBERS_MAX * sizeof(*progress));
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static uint64_t heard(struct exchange *x)
{
    least = UINT64_MAX;
    for (unsigned i = 0; i < x->subscribers; i++) {
        uint64_t number = atomic_load_explicit(&progress[i].acknowledged, memory_order_acquire);

        least = number < least ? number : least;
    }
    return least;
}

static bool send(struct exchange *x)
{
    struct slot *slot = slot_of(x->sent + 1);

    if (x->sent - least > mask && x->sent - heard(x) > mask) {
        return false;
    }
    pattern_write(&x->pattern, slot->bytes, x->size);
    slot->length = x->size;
    atomic_store_explicit(&slot->number, x->sent + 1, memory_order_release);
    return true;
}

static bool receive(struct exchange *x)
{
    const struct slot *slot = slot_of(taken + 1);

    if (atomic_load_explicit(&slot->number, memory_order_acquire) != taken + 1) {
        return false;
    }
    memcpy(x->buffer, slot->bytes, slot->length);
    taken++;
    return true;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    atomic_store_explicit(&progress[x->index].acknowledged, number, memory_order_release);
}

const struct peer peer = {
    .name = "ring",
    .rows = ROW_HOP | ROW_STREAM,
    .subscribers_max = SUBSCRIBERS_MAX,
    .prepare = prepare,
    .publisher = nothing,
    .subscriber = nothing,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
