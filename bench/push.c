/* SPDX-License-Identifier: MIT
 *
 * push ROW SIZE 1 MILLISECONDS: measures publishers, as shmd.c does subscribers.
 *
 * push: a client hands a record in, gets it back as a subscriber, acknowledges it, and waits for
 * its confirmation. push-stream: one client hands in, another one takes, as fast as they can.
 */
#include "base/pattern.h"
#include "bench/daemon.h"
#include "lib/shmd.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_USEC UINT64_C(10000000)

static struct daemon daemon_of_push;
static struct samples samples;
static struct run run;
static size_t size;
static uint64_t per_sample;
static char *in, *out;
static struct pattern made, expected;

static void check(int r, const char *what)
{
    if (r < 0) {
        fail(what, r);
    }
}

static void start(void)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "layout = \"ring\"; mode = \"0644\"; size = %zu; source = { type = \"push\"; };",
                   RING_BYTES);
    daemon_start(&daemon_of_push, text, true);
    run_count(&run, daemon_of_push.pid);
    pattern_begin(&made, 1);
    pattern_begin(&expected, 1);
}

static struct shmd_subscriber *subscribe(void)
{
    struct shmd_options options = {.socket = daemon_of_push.socket};
    struct shmd_subscriber *subscriber;

    check(shmd_subscribe(&options, &subscriber), "shmd_subscribe");
    return subscriber;
}

static struct shmd_publisher *publisher_open(void)
{
    struct shmd_options options = {.socket = daemon_of_push.socket};
    struct shmd_publisher *publisher;

    check(shmd_publisher_open(&options, &publisher), "shmd_publisher_open");
    return publisher;
}

static void publish(struct shmd_publisher *publisher)
{
    pattern_write(&made, in, size);
    check(shmd_publisher_publish(publisher, in, size, SILENCE_USEC, NULL),
          "shmd_publisher_publish");
}

/* False: there is none now. */
static bool take_one(struct shmd_subscriber *subscriber, uint64_t *ret_number)
{
    struct shmd_record record;
    int r = shmd_next(subscriber, &record);

    if (r == -EAGAIN) {
        return false;
    }
    check(r, "shmd_next");
    memcpy(out, record.data, record.length);
    if (record.length != size || !pattern_check(&expected, out, size)) {
        fprintf(stderr, "record %llu is not what was published\n",
                (unsigned long long)record.number);
        exit(EXIT_FAILURE);
    }
    *ret_number = record.number;
    return true;
}

static uint64_t measure_push(uint64_t nsec)
{
    struct shmd_publisher *publisher = publisher_open();
    struct shmd_subscriber *subscriber = subscribe();
    uint64_t number;

    processor_pin(1);
    while (samples.count % 16 != 0 || run_goes_on(&run, &samples, nsec)) {
        uint64_t before = ticks();

        publish(publisher);
        while (!take_one(subscriber, &number)) {
            check(shmd_wait(subscriber, SILENCE_USEC), "shmd_wait");
        }
        check(shmd_acknowledge(subscriber, number), "shmd_acknowledge");
        check(shmd_publisher_flush(publisher, SILENCE_USEC), "shmd_publisher_flush");
        samples_add(&samples, ticks() - before);
    }
    run_stop(&run);
    (void)shmd_unsubscribe(subscriber);
    (void)shmd_publisher_close(publisher);
    return samples.count;
}

/* flatten: see shmd.c. */
__attribute__((flatten)) _Noreturn static void take_all(_Atomic uint64_t *taken,
                                                        struct blocks *blocks)
{
    struct shmd_subscriber *subscriber = subscribe();
    uint64_t window = RING_BYTES / (size + 64);
    uint64_t batch = window / 4 < BATCH ? window / 4 : BATCH;
    uint64_t number = 0, acknowledged = 0;

    blocks->size = 2 * window;
    for (;;) {
        bool more = take_one(subscriber, &number);

        if (number - acknowledged >= batch || (!more && number > acknowledged)) {
            check(shmd_acknowledge(subscriber, number), "shmd_acknowledge");
            acknowledged = number;
            atomic_store_explicit(taken, number, memory_order_relaxed);
            blocks_add(blocks, number);
        } else if (!more) {
            check(shmd_wait(subscriber, SILENCE_USEC), "shmd_wait");
        }
    }
}

static uint64_t measure_stream(uint64_t nsec)
{
    _Atomic uint64_t *taken = shared_new(64);
    struct blocks *blocks = shared_new(sizeof(*blocks));
    struct shmd_publisher *publisher = publisher_open();
    pid_t pid = child_fork();
    uint64_t settled = nsec_now() + SETTLE_NSEC, before;

    if (pid == 0) {
        take_all(taken, blocks);
    }
    run_count(&run, pid);
    while (nsec_now() < settled || atomic_load(taken) == 0) {
        publish(publisher);
    }
    before = atomic_load(taken);
    run_start(&run);
    for (uint64_t end = nsec_now() + nsec; nsec_now() < end;) {
        for (int i = 0; i < BATCH; i++) {
            publish(publisher);
        }
    }
    before = atomic_load(taken) - before;
    run_stop(&run);
    children_end();
    samples = blocks->samples;
    per_sample = blocks->size;
    return before;
}

int main(int argc, char **argv)
{
    struct result result = {.peer = "shmd", .subscribers = 1};
    uint64_t nsec;

    if (argc != 5 || (strcmp(argv[1], "push") != 0 && strcmp(argv[1], "push-stream") != 0)) {
        fprintf(stderr, "usage: %s push|push-stream SIZE 1 MILLISECONDS\n", argv[0]);
        return 2;
    }
    result.row = argv[1];
    result.size = size = strtoull(argv[2], NULL, 10);
    nsec = strtoull(argv[4], NULL, 10) * 1000000;
    in = malloc(size + 64);
    out = malloc(size + 64);
    run_count(&run, getpid());
    start();
    result.records = strcmp(argv[1], "push") == 0 ? measure_push(nsec) : measure_stream(nsec);
    result.per_sample = per_sample;
    daemon_stop(&daemon_of_push);
    result_print(&result, &run, &samples);
    free(in);
    free(out);
    return 0;
}
