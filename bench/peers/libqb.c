/* SPDX-License-Identifier: MIT
 *
 * libqb's ring buffer, as corosync and pacemaker use it: one for each subscriber, and one back. It
 * waits on semaphores only where it has to sleep.
 */
#include "bench/peer.h"

#include <qb/qbrb.h>

static qb_ringbuffer_t *there[SUBSCRIBERS_MAX], *back[SUBSCRIBERS_MAX];
static uint64_t heard_of[SUBSCRIBERS_MAX], least;
static int timeout;

static qb_ringbuffer_t *ring_new(const char *kind, unsigned index, size_t size, uint32_t flags)
{
    qb_ringbuffer_t *ring;
    char name[64];

    (void)snprintf(name, sizeof(name), "shmd-bench-%d-%s-%u", (int)getpid(), kind, index);
    ring = qb_rb_open(name, size, QB_RB_FLAG_CREATE | QB_RB_FLAG_SHARED_PROCESS | flags, 0);
    if (!ring) {
        fail("qb_rb_open", errno);
    }
    return ring;
}

static void rings_close(void)
{
    for (unsigned i = 0; i < SUBSCRIBERS_MAX && there[i]; i++) {
        qb_rb_close(there[i]);
        qb_rb_close(back[i]);
    }
}

static void prepare(struct exchange *x)
{
    uint32_t flags = x->sleeps ? 0 : QB_RB_FLAG_NO_SEMAPHORE;

    for (unsigned i = 0; i < x->subscribers; i++) {
        there[i] = ring_new("records", i, RING_BYTES, flags);
        back[i] = ring_new("words", i, 65536, flags);
    }
    timeout = x->sleeps ? 1000 : 0;
    (void)atexit(rings_close);
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static bool send(struct exchange *x)
{
    record_make(x);
    for (unsigned i = 0; i < x->subscribers; i++) {
        void *chunk;

        while (!(chunk = qb_rb_chunk_alloc(there[i], x->size))) {
            relax();
        }
        memcpy(chunk, x->buffer, x->size);
        (void)qb_rb_chunk_commit(there[i], x->size);
    }
    return true;
}

static uint64_t heard(struct exchange *x)
{
    for (unsigned i = 0; i < x->subscribers; i++) {
        uint64_t number;

        while (qb_rb_chunk_read(back[i], &number, sizeof(number), timeout) > 0) {
            least = least_of(heard_of, x->subscribers, i, number);
            if (x->sleeps) {
                break;
            }
        }
    }
    return least;
}

static bool receive(struct exchange *x)
{
    return qb_rb_chunk_read(there[x->index], x->buffer, x->size, timeout) > 0;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    while (qb_rb_chunk_write(back[x->index], &number, sizeof(number)) < 0) {
        relax();
    }
}

const struct peer peer = {
    .name = "libqb",
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP,
    .subscribers_max = SUBSCRIBERS_MAX,
    .prepare = prepare,
    .publisher = nothing,
    .subscriber = nothing,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
