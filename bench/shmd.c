/* SPDX-License-Identifier: MIT
 *
 * shmd ROW SIZE SUBSCRIBERS MILLISECONDS: measures one row of shmd, as peer.c does of a peer: the
 * real daemon with its source `pattern`, and clients through libshmd.
 *
 * hop: the client holds a full ring and acknowledges one record after the other; each makes room
 * for one more, which the daemon publishes. What is timed is from before the acknowledgement to
 * when the new record is copied out and verified. The rule by which a ring has room (for a record
 * of the longest kind, and not across its end) means that some acknowledgements make room for none,
 * and then one for several. The client knows the rule, and times only where it is one for one.
 *
 * overwrite: the same with a ring where the newest data wins, and all SUBSCRIBERS but one sleep.
 */
#include "base/pattern.h"
#include "bench/daemon.h"
#include "lib/shmd.h"
#include "proto/writer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_USEC UINT64_C(10000000) /* says "broken", never "slow" */
#define ASLEEP_USEC  1000

struct bench {
    size_t size;
    unsigned subscribers;
    uint64_t nsec; /* how long to measure */
    struct daemon daemon;
    struct run run;
    struct samples samples;
    uint64_t per_sample;
    struct pattern pattern;
    bool began;
    char *buffer;
};

static struct bench bench;

/* --- a client --- */

static struct shmd_subscriber *subscribe(enum shmd_start start)
{
    struct shmd_options options = {.socket = bench.daemon.socket, .name = "bench", .start = start};
    struct shmd_subscriber *subscriber;
    int r = shmd_subscribe(&options, &subscriber);

    if (r < 0) {
        fail("shmd_subscribe", r);
    }
    return subscriber;
}

/* Copies the record out and verifies it: all are accepted, so that the source's numbers are ours.
 */
static void use(const void *data, size_t length, uint64_t number)
{
    if (!bench.began) {
        pattern_begin(&bench.pattern, number);
        bench.began = true;
    }
    memcpy(bench.buffer, data, length);
    if (length != bench.size || !pattern_check(&bench.pattern, bench.buffer, length)) {
        fprintf(stderr, "record %llu of %zu bytes is not what was published\n",
                (unsigned long long)number, length);
        exit(EXIT_FAILURE);
    }
}

/* False: there is none now. */
static bool take_one(struct shmd_subscriber *subscriber, uint64_t *ret_number)
{
    struct shmd_record record;
    int r = shmd_next(subscriber, &record);

    if (r == -EAGAIN) {
        return false;
    }
    if (r < 0) {
        fail("shmd_next", r);
    }
    use(record.data, record.length, record.number);
    *ret_number = record.number;
    return true;
}

static uint64_t take(struct shmd_subscriber *subscriber)
{
    uint64_t number;

    while (!take_one(subscriber, &number)) {
        int r = shmd_wait(subscriber, SILENCE_USEC);

        if (r < 0) {
            fail("shmd_wait", r);
        }
    }
    return number;
}

static void acknowledge(struct shmd_subscriber *subscriber, uint64_t number)
{
    int r = shmd_acknowledge(subscriber, number);

    if (r != 0) {
        fail("shmd_acknowledge", r);
    }
}

static void start(const char *configuration, const char *more)
{
    char text[1024];

    (void)snprintf(text, sizeof(text),
                   "source = { type = \"pattern\"; frame_size = %zu; };\n"
                   "limits = { sessions_per_user = 256; };\n%s%s",
                   bench.size, configuration, more);
    daemon_start(&bench.daemon, text, bench.subscribers + 1 <= processors());
    run_count(&bench.run, bench.daemon.pid);
}

static bool goes_on(void)
{
    return run_goes_on(&bench.run, &bench.samples, bench.nsec);
}

/* --- hop --- */

/* What the ring is like, for all we have seen: the positions behind the records. */
struct model {
    struct ring_writer writer;
    bool overwrite;
};

static uint64_t behind_next(const struct model *model, uint64_t position)
{
    struct ring_writer writer = model->writer;
    uint64_t end;

    ring_writer_go(&writer, position);
    return ring_place(&writer, bench.size, &end) + ring_footprint(bench.size);
}

static bool wants(const struct model *model)
{
    const struct ring_writer *writer = &model->writer;

    return model->overwrite ? writer->head - writer->tail < writer->capacity / 2
                            : ring_has_room(writer, ring_length_max(writer->capacity));
}

static void hops(size_t size, bool overwrite, useconds_t pause)
{
    struct model model = {.writer.capacity = ring_capacity(size), .overwrite = overwrite};
    struct shmd_subscriber *subscriber = subscribe(SHMD_START_OLDEST);
    struct ring_writer *writer = &model.writer;
    uint64_t acknowledged = 0, before;

    for (;;) {
        while (wants(&model)) {
            (void)take(subscriber);
            ring_writer_go(writer, behind_next(&model, writer->head));
        }
        if (bench.samples.count % 16 == 0 && !goes_on()) {
            break;
        }
        if (pause > 0) {
            (void)usleep(pause);
        }
        do {
            writer->tail = behind_next(&model, writer->tail);
            before = ticks();
            acknowledge(subscriber, ++acknowledged);
        } while (!wants(&model));
        (void)take(subscriber);
        samples_add(&bench.samples, ticks() - before);
        ring_writer_go(writer, behind_next(&model, writer->head));
    }
    run_stop(&bench.run);
    (void)shmd_unsubscribe(subscriber);
}

static size_t hop_configure(const char *more)
{
    char text[256];
    size_t size = sizeof(struct ring_header) + 4 * ring_footprint(bench.size);

    size = size < RING_SIZE_MIN ? RING_SIZE_MIN : size;
    (void)snprintf(text, sizeof(text), "layout = \"ring\"; mode = \"0644\"; size = %zu;\n", size);
    start(text, more);
    return size;
}

static uint64_t row_hop(void)
{
    size_t size = hop_configure("");

    processor_pin(1);
    hops(size, false, 0);
    return bench.samples.count;
}

static uint64_t row_asleep(void)
{
    size_t size = hop_configure("");

    processor_pin(1);
    hops(size, false, ASLEEP_USEC);
    return bench.samples.count;
}

static uint64_t row_overwrite(void)
{
    size_t size;
    unsigned sleepers = bench.subscribers - 1;

    bench.subscribers = 1; /* who is awake has a processor */
    size = hop_configure("when_full = \"overwrite\";");
    bench.subscribers += sleepers;
    for (unsigned i = 0; i < sleepers; i++) {
        (void)subscribe(SHMD_START_OLDEST); /* what it never acknowledges drives nothing */
    }
    processor_pin(1);
    hops(size, true, 0);
    return bench.samples.count;
}

/* --- plain --- */

static void plain_configure(void)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "size = %zu;\n", bench.size + 1);
    start(text, "");
}

static uint64_t row_plain(void)
{
    struct shmd_subscriber *subscriber;
    uint64_t number;

    plain_configure();
    processor_pin(1);
    subscriber = subscribe(SHMD_START_OLDEST);
    number = take(subscriber);
    while (bench.samples.count % 16 != 0 || goes_on()) {
        uint64_t before = ticks();

        acknowledge(subscriber, number);
        number = take(subscriber);
        samples_add(&bench.samples, ticks() - before);
    }
    run_stop(&bench.run);
    (void)shmd_unsubscribe(subscriber);
    return bench.samples.count;
}

static void read_anonymous(struct shmd_anonymous *client)
{
    static uint64_t number;
    size_t length;
    int r = shmd_anonymous_read(client, bench.buffer, bench.size + 64, SILENCE_USEC, &length);

    if (r < 0) {
        fail("shmd_anonymous_read", r);
    }
    use(bench.buffer, length, ++number);
}

static uint64_t row_star(void)
{
    struct shmd_anonymous *client;
    int r;

    plain_configure();
    processor_pin(1);
    r = shmd_anonymous_open(bench.daemon.key, true, &client);
    if (r < 0) {
        fail("shmd_anonymous_open", r);
    }
    read_anonymous(client);
    while (goes_on()) {
        uint64_t before = ticks();

        r = shmd_anonymous_acknowledge(client);
        if (r != 0) {
            fail("shmd_anonymous_acknowledge", r);
        }
        read_anonymous(client);
        samples_add(&bench.samples, ticks() - before);
    }
    run_stop(&bench.run);
    (void)shmd_anonymous_close(client);
    return bench.samples.count;
}

/* --- stream --- */

struct taken {
    _Alignas(64) _Atomic uint64_t count;
};

/* flatten: calls of our own between two records are not what is measured. */
__attribute__((flatten)) _Noreturn static void stream_take(struct taken *taken,
                                                           struct blocks *blocks)
{
    struct shmd_subscriber *subscriber = subscribe(SHMD_START_OLDEST);
    uint64_t window = RING_BYTES / (bench.size + 64);
    uint64_t batch = window / 4 < BATCH ? window / 4 : BATCH;
    uint64_t number = 0, acknowledged = 0;

    blocks->size = 2 * window;
    for (;;) {
        bool more = take_one(subscriber, &number);

        if (number - acknowledged >= batch || (!more && number > acknowledged)) {
            acknowledge(subscriber, number);
            acknowledged = number;
            atomic_store_explicit(&taken->count, number, memory_order_relaxed);
            blocks_add(blocks, number);
        } else if (!more) {
            int r = shmd_wait(subscriber, SILENCE_USEC);

            if (r < 0) {
                fail("shmd_wait", r);
            }
        }
    }
}

static uint64_t sum(const struct taken *taken)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < bench.subscribers; i++) {
        all += atomic_load_explicit(&taken[i].count, memory_order_relaxed);
    }
    return all;
}

static uint64_t row_stream(void)
{
    struct taken *taken = shared_new(bench.subscribers * sizeof(*taken));
    struct blocks *blocks = shared_new(bench.subscribers * sizeof(*blocks));
    bool pinned = bench.subscribers + 1 <= processors();
    uint64_t before, log_nsec;
    char text[128];

    (void)snprintf(text, sizeof(text), "layout = \"ring\"; mode = \"0644\"; size = %zu;\n",
                   RING_BYTES);
    start(text, "");
    for (unsigned i = 0; i < bench.subscribers; i++) {
        pid_t pid = child_fork();

        if (pid == 0) {
            if (pinned) {
                processor_pin(1);
            }
            stream_take(&taken[i], &blocks[i]);
        }
        run_count(&bench.run, pid);
    }
    for (unsigned i = 0; i < bench.subscribers; i++) {
        while (atomic_load(&taken[i].count) == 0) {
            (void)usleep(1000);
        }
    }
    (void)usleep(SETTLE_NSEC / 1000);
    log_nsec = daemon_log_nsec(&bench.daemon);
    before = sum(taken);
    run_start(&bench.run);
    (void)usleep((useconds_t)(bench.nsec / 1000));
    before = sum(taken) - before;
    run_stop(&bench.run);
    log_nsec = daemon_log_nsec(&bench.daemon) - log_nsec;
    if (bench.subscribers == 1) {
        char name[64];

        (void)snprintf(name, sizeof(name), "log-share-of-a-processor-%zu", bench.size);
        value_print("shmd", name, "%", 100.0 * (double)log_nsec / (double)bench.run.nsec);
    }
    children_end(); /* before the daemon goes */
    bench.samples = blocks[0].samples;
    bench.per_sample = blocks[0].size;
    return before / bench.subscribers;
}

static const struct {
    const char *name;
    uint64_t (*measure)(void); /* returns the records; the daemon still runs */
} rows[] = {
    {"hop", row_hop},     {"asleep", row_asleep}, {"overwrite", row_overwrite},
    {"plain", row_plain}, {"star", row_star},     {"stream", row_stream},
};

int main(int argc, char **argv)
{
    struct result result = {.peer = "shmd"};

    if (argc != 5) {
        fprintf(stderr, "usage: %s ROW SIZE SUBSCRIBERS MILLISECONDS\n", argv[0]);
        return 2;
    }
    bench.size = strtoull(argv[2], NULL, 10);
    bench.subscribers = (unsigned)strtoul(argv[3], NULL, 10);
    bench.nsec = strtoull(argv[4], NULL, 10) * 1000000;
    bench.buffer = malloc(bench.size + 64);
    run_count(&bench.run, getpid());
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, argv[1]) == 0) {
            result.records = rows[i].measure();
            daemon_stop(&bench.daemon);
            result.row = rows[i].name;
            result.size = bench.size;
            result.subscribers = bench.subscribers;
            result.per_sample = bench.per_sample;
            result_print(&result, &bench.run, &bench.samples);
            free(bench.buffer);
            return 0;
        }
    }
    fprintf(stderr, "%s: no such row\n", argv[1]);
    return 2;
}
