/* SPDX-License-Identifier: MIT
 *
 * subscriber SOCKET RECORDS: gets each record once and in order, from 1 to RECORDS, acknowledges
 * each of them, and leaves. It says "ready" when it has subscribed, begins when its standard input
 * ends, and says at the end who it is and how many records it has acknowledged: "acknowledged UID
 * PID RECORDS". Exit status 0: all was as it should be.
 */
#include "lib/shmd.h"
#include "../patience.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* Takes the next record, which must be this one. */
static bool take_record(struct shmd_subscriber *subscriber, uint64_t number)
{
    struct shmd_record record;
    int r;

    while ((r = shmd_next(subscriber, &record)) == -EAGAIN) {
        r = shmd_wait(subscriber, PATIENCE_USEC);
        if (r < 0) {
            break;
        }
    }
    if (r < 0) {
        fprintf(stderr, "pid %d, record %" PRIu64 ": %s\n", (int)getpid(), number, strerror(-r));
        return false;
    }
    if (record.number != number || record.lost > 0 || record.length != strlen(LETTERS) ||
        memcmp(record.data, LETTERS, record.length) != 0) {
        fprintf(stderr,
                "pid %d: record %" PRIu64 " of %zu bytes, %" PRIu64 " lost; expected %" PRIu64 "\n",
                (int)getpid(), record.number, record.length, record.lost, number);
        return false;
    }
    r = shmd_acknowledge(subscriber, number);
    if (r < 0) {
        fprintf(stderr, "pid %d, acknowledging %" PRIu64 ": %s\n", (int)getpid(), number,
                strerror(-r));
    }
    return r == 0;
}

int main(int argc, char **argv)
{
    struct shmd_options options = {.name = "stress", .start = SHMD_START_OLDEST};
    struct shmd_subscriber *subscriber;
    uint64_t records, acknowledged = 0;
    int r;

    if (argc != 3) {
        fprintf(stderr, "usage: subscriber SOCKET RECORDS\n");
        return 2;
    }
    options.socket = argv[1];
    records = strtoull(argv[2], NULL, 10);
    r = shmd_subscribe(&options, &subscriber);
    if (r < 0) {
        fprintf(stderr, "pid %d, subscribing: %s\n", (int)getpid(), strerror(-r));
        return 1;
    }
    printf("ready\n");
    (void)fflush(stdout);
    (void)getchar();
    while (acknowledged < records && take_record(subscriber, acknowledged + 1)) {
        acknowledged++;
    }
    (void)shmd_unsubscribe(subscriber);
    printf("acknowledged %u %d %" PRIu64 "\n", (unsigned)getuid(), (int)getpid(), acknowledged);
    return acknowledged == records ? 0 : 1;
}
