/* SPDX-License-Identifier: MIT
 *
 * NAME ROW SIZE SUBSCRIBERS MILLISECONDS: measures one row of a peer. The publisher is this
 * process, each subscriber a child. Where there are as many processors as processes, each has its
 * own.
 */
#include "bench/peer.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define ASLEEP_USEC 1000

static struct samples samples;
static struct blocks blocks;
/* What the subscribers say of themselves. */
static struct {
    _Alignas(64) atomic_uint ready;
    struct {
        _Alignas(64) _Atomic uint64_t taken;
    } of[SUBSCRIBERS_MAX];
} * shared;

static void pause_between_looks(const struct exchange *x)
{
    if (x->crowded) {
        (void)sched_yield();
    } else if (!x->sleeps) {
        relax();
    }
}

/* --- subscribing --- */

static void take_record(struct exchange *x, uint64_t number)
{
    if (!peer.bare && !pattern_check(&x->pattern, x->buffer, x->size)) {
        fprintf(stderr, "%s: record %llu of %zu bytes is not what was sent\n", peer.name,
                (unsigned long long)number, x->size);
        _exit(EXIT_FAILURE);
    }
}

/* Acknowledges when there is nothing more, or `batch` records are owed. */
_Noreturn static void subscribe(struct exchange *x, uint64_t batch)
{
    uint64_t taken = 0, acknowledged = 0;

    for (;;) {
        bool more = peer.receive(x);

        if (more) {
            take_record(x, ++taken);
        }
        if (taken - acknowledged >= batch || (!more && taken > acknowledged)) {
            peer.acknowledge(x, taken);
            acknowledged = taken;
            atomic_store_explicit(&shared->of[x->index].taken, taken, memory_order_relaxed);
        } else if (!more) {
            pause_between_looks(x);
        }
    }
}

/* --- publishing --- */

static void send_surely(struct exchange *x)
{
    while (!peer.send(x)) {
        pause_between_looks(x);
    }
    x->sent++;
}

static void await(struct exchange *x, uint64_t number)
{
    while (peer.heard(x) < number) {
        pause_between_looks(x);
    }
}

static void hop(struct exchange *x)
{
    uint64_t before = ticks();

    send_surely(x);
    await(x, x->sent);
    samples_add(&samples, ticks() - before);
}

static void publish_hops(struct exchange *x, uint64_t nsec)
{
    for (uint64_t end = nsec_now() + nsec; nsec_now() < end;) {
        for (int i = 0; i < 16; i++) {
            hop(x);
        }
    }
}

static void publish_asleep(struct exchange *x, uint64_t nsec)
{
    for (uint64_t end = nsec_now() + nsec; nsec_now() < end;) {
        (void)usleep(ASLEEP_USEC);
        hop(x);
    }
}

static void publish_stream(struct exchange *x, uint64_t nsec)
{
    uint64_t heard = 0;

    for (uint64_t end = nsec_now() + nsec; nsec_now() < end;) {
        for (int i = 0; i < BATCH; i++) {
            while (x->sent - heard >= x->window) {
                heard = peer.heard(x);
                if (x->sent - heard >= x->window) {
                    pause_between_looks(x);
                }
            }
            send_surely(x);
        }
        blocks_add(&blocks, x->sent);
    }
    /* The rest is on its way. */
    x->sent = 0;
    for (unsigned i = 0; i < x->subscribers; i++) {
        x->sent += atomic_load_explicit(&shared->of[i].taken, memory_order_relaxed);
    }
    x->sent /= x->subscribers;
}

static void copy(struct exchange *x, uint64_t nsec)
{
    uint64_t taken = 0;
    struct pattern checking;

    pattern_begin(&checking, 1);
    for (uint64_t end = nsec_now() + nsec; nsec_now() < end;) {
        for (int i = 0; i < 16; i++) {
            uint64_t before = ticks();

            (void)peer.send(x);
            (void)peer.receive(x);
            if (!pattern_check(&checking, x->buffer, x->size)) {
                take_record(x, taken);
            }
            samples_add(&samples, ticks() - before);
            x->sent++;
        }
    }
}

/* --- one run --- */

static void subscriber_fork(struct exchange *x, struct run *run, uint64_t batch)
{
    pid_t pid = child_fork();

    if (pid == 0) {
        if (x->pinned) {
            processor_pin(1);
        }
        peer.subscriber(x);
        atomic_fetch_add(&shared->ready, 1);
        subscribe(x, batch);
    }
    run_count(run, pid);
}

static const struct {
    const char *name;
    unsigned row;
    void (*publish)(struct exchange *x, uint64_t nsec);
} rows[] = {
    {"hop", ROW_HOP, publish_hops},
    {"stream", ROW_STREAM, publish_stream},
    {"asleep", ROW_ASLEEP, publish_asleep},
    {"copy", ROW_COPY, copy},
};

static void measure(struct exchange *x, size_t row, uint64_t nsec)
{
    struct result result = {
        .peer = peer.name, .row = rows[row].name, .size = x->size, .subscribers = x->subscribers};
    static struct run run;
    uint64_t batch = rows[row].row != ROW_STREAM ? 1
                     : x->window / 4 < 1         ? 1
                     : x->window / 4 < BATCH     ? x->window / 4
                                                 : BATCH;

    run_count(&run, getpid());
    if (peer.prepare) {
        peer.prepare(x);
    }
    if (rows[row].row != ROW_COPY) {
        for (x->index = 0; x->index < x->subscribers; x->index++) {
            subscriber_fork(x, &run, batch);
        }
        if (x->pinned) {
            processor_pin(0);
        }
        peer.publisher(x);
        while (atomic_load(&shared->ready) < x->subscribers) {
            (void)usleep(1000);
        }
    }
    blocks.size = rows[row].row == ROW_STREAM ? 2 * x->window : 0;
    run_start(&run);
    rows[row].publish(x, nsec);
    run_stop(&run);
    children_end();
    result.records = x->sent;
    result.per_sample = blocks.size;
    result_print(&result, &run, blocks.samples.count > 0 ? &blocks.samples : &samples);
}

int main(int argc, char **argv)
{
    static struct exchange x;
    uint64_t milliseconds;

    if (argc != 5) {
        fprintf(stderr, "usage: %s hop|stream|asleep|copy SIZE SUBSCRIBERS MILLISECONDS\n",
                argv[0]);
        return 2;
    }
    x.size = strtoull(argv[2], NULL, 10);
    x.subscribers = (unsigned)strtoul(argv[3], NULL, 10);
    milliseconds = strtoull(argv[4], NULL, 10);
    if (x.subscribers > peer.subscribers_max) {
        unsupported("not to so many subscribers");
    }
    x.window = RING_BYTES / (x.size + 64);
    if (peer.window_max && x.window > peer.window_max) {
        x.window = peer.window_max;
    }
    x.crowded = x.subscribers + 1 > processors();
    x.pinned = !x.crowded;
    x.buffer = malloc(x.size + 64);
    pattern_begin(&x.pattern, 1);
    shared = shared_new(sizeof(*shared));
    (void)alarm((unsigned)(milliseconds / 1000) + 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, argv[1]) == 0 && (peer.rows & rows[i].row)) {
            x.sleeps = rows[i].row == ROW_ASLEEP || (x.crowded && peer.sleeps_in_crowd);
            x.crowded &= !x.sleeps;
            measure(&x, i, milliseconds * 1000000);
            free(x.buffer);
            return 0;
        }
    }
    unsupported("not such a row");
}
