/* SPDX-License-Identifier: MIT
 *
 * instructions MODE RECORDS: a daemon and a subscriber take turns in one thread until so many
 * records have been published, taken and acknowledged. Run under callgrind, which counts what
 * exchange() executes; that is the same at each run and on each machine.
 *
 * stream: each turn is a batch. hop: each turn is one record, in a ring that is full otherwise.
 * push: each turn is a batch, which a publisher hands in first. compiler: says what the figures
 * depend on.
 *
 * What depends on time must not depend on how fast valgrind is: the clock is ours, and goes on by a
 * microsecond whenever it is read. What logs is another thread, and is not counted.
 */
#include "base/pattern.h"
#include "lib/shmd.h"

#include "../unit/daemon.h"

#define SIZE  26
#define BATCH 64

#define RING                                                                                       \
    "layout = \"ring\"; mode = \"0644\"; source = { type = \"pattern\"; frame_size = 26; };"
#define STREAM RING "size = 65536;"
#define HOP    RING "size = 4096;"
#define PUSH   "layout = \"ring\"; mode = \"0644\"; size = 65536; source = { type = \"push\"; };"

struct exchange {
    struct daemon daemon;
    struct shmd_subscriber *subscriber;
    struct shmd_publisher *publisher; /* push */
    struct pattern made, expected;
    bool pushes;
    int result;
};

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
void exchange(struct exchange *exchange, uint64_t records, uint64_t batch);

/* Of the daemon's thread: the log's has another one, so that it does not push ours on. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    static _Thread_local uint64_t usec;

    (void)clock;
    *ret = clock_timespec(USEC_PER_SEC + usec++);
    return 0;
}

static void *connect_clients(void *argument)
{
    struct exchange *exchange = argument;
    struct shmd_options options = {.socket = exchange->daemon.socket_path};

    exchange->result = shmd_subscribe(&options, &exchange->subscriber);
    if (exchange->result == 0 && exchange->pushes) {
        exchange->result = shmd_publisher_open(&options, &exchange->publisher);
    }
    return NULL;
}

/* Takes one; false: there is none. */
static bool take_record(struct exchange *exchange, uint64_t *ret_number)
{
    struct shmd_record record;
    char buffer[SIZE];

    if (shmd_next(exchange->subscriber, &record) != 0) {
        return false;
    }
    memcpy(buffer, record.data, SIZE);
    if (!pattern_check(&exchange->expected, buffer, SIZE)) {
        abort();
    }
    *ret_number = record.number;
    return true;
}

static void hand_in(struct exchange *exchange, uint64_t count)
{
    char buffer[SIZE];

    for (uint64_t i = 0; i < count; i++) {
        pattern_write(&exchange->made, buffer, SIZE);
        if (shmd_publisher_publish(exchange->publisher, buffer, SIZE, 0, NULL) != 0) {
            abort();
        }
    }
}

/* What callgrind counts. */
__attribute__((noinline)) void exchange(struct exchange *exchange, uint64_t records, uint64_t batch)
{
    struct manager *manager = exchange->daemon.manager;
    uint64_t number = 0, acknowledged = 0, now = clock_usec();
    bool more = true;

    while (acknowledged < records) {
        if (exchange->pushes) {
            hand_in(exchange, batch);
        }
        (void)manager_work(manager, &more, &now);
        while (number - acknowledged < batch && take_record(exchange, &number)) {
        }
        (void)shmd_acknowledge(exchange->subscriber, number);
        acknowledged = number;
    }
}

int main(int argc, char **argv)
{
    static struct exchange one;
    bool hop = argc == 3 && strcmp(argv[1], "hop") == 0;
    uint64_t records = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

    if (argc == 2 && strcmp(argv[1], "compiler") == 0) {
        (void)printf("gcc-%d\n", __GNUC__); /* clang says 4 */
        return 0;
    }
    if (records == 0) {
        (void)fprintf(stderr, "usage: instructions stream|hop|push RECORDS, or: compiler\n");
        return 2;
    }
    if (unshare(CLONE_NEWIPC) < 0 && !private_user()) {
        return 77;
    }
    one.pushes = argc == 3 && strcmp(argv[1], "push") == 0;
    if (!daemon_new(&one.daemon, hop          ? HOP
                                 : one.pushes ? PUSH
                                              : STREAM) ||
        !daemon_serve(&one.daemon, connect_clients, &one) || one.result < 0) {
        return 1;
    }
    pattern_begin(&one.made, 1);
    pattern_begin(&one.expected, 1);
    exchange(&one, records, hop ? 1 : BATCH);
    one.subscriber = shmd_unsubscribe(one.subscriber);
    one.publisher = shmd_publisher_close(one.publisher);
    daemon_free(&one.daemon);
    return 0;
}
