/* SPDX-License-Identifier: MIT
 *
 * A subscriber on the public API, as an application would write it: it takes each record,
 * acknowledges it, and does nothing about a daemon that goes away but call the library again.
 *
 *      follower SOCKET NAME FILE [PAUSE-USEC]
 *
 * It ends when FILE is there, or with an error. On standard output: one line for everything that is
 * not as it should be, one for each segment that it reads, and at the end what it has got. Records
 * that come twice, out of order, or torn make it exit with 1.
 */
#include "lib/shmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_USEC 50000 /* between two looks whether the file is there */

struct progress {
    uint64_t first, last, records, lost;
    int faults;
    int segment_id;
};

static void fault(struct progress *progress, const char *what, uint64_t number)
{
    progress->faults++;
    printf("%s: record %llu after %llu\n", what, (unsigned long long)number,
           (unsigned long long)progress->last);
}

static void judge(struct progress *progress, const struct shmd_record *record)
{
    const char *bytes = record->data;

    if (progress->records > 0 && record->number <= progress->last) {
        fault(progress, "twice", record->number);
    } else if (progress->records > 0 && record->number != progress->last + 1 + record->lost) {
        fault(progress, "out of order", record->number);
    }
    for (size_t i = 0; i < record->length; i++) {
        if (bytes[i] != (char)('a' + i % 26)) {
            fault(progress, "torn", record->number);
            break;
        }
    }
    if (progress->records == 0) {
        progress->first = record->number;
    }
    progress->last = record->number;
    progress->lost += record->lost;
    progress->records++;
}

static void tell_segment(struct progress *progress, const struct shmd_subscriber *subscriber)
{
    struct shmd_subscription now;

    shmd_describe(subscriber, &now);
    if (now.segment_id != progress->segment_id) {
        progress->segment_id = now.segment_id;
        printf("segment %d of %zu bytes, epoch %02x%02x%02x%02x\n", now.segment_id,
               now.segment_size, now.epoch[0], now.epoch[1], now.epoch[2], now.epoch[3]);
    }
}

/* Takes what is there; 0 when there is no more for now. */
static int take(struct shmd_subscriber *subscriber, struct progress *progress, useconds_t pause)
{
    struct shmd_record record;
    int r;

    while ((r = shmd_next(subscriber, &record)) == 0) {
        judge(progress, &record);
        tell_segment(progress, subscriber);
        r = shmd_acknowledge(subscriber, record.number);
        if (r < 0 && r != -ENOTCONN) { /* which only says that it is told later */
            return r;
        }
        if (pause) {
            (void)usleep(pause);
            return 0;
        }
    }
    return r == -EAGAIN ? 0 : r;
}

int main(int argc, char **argv)
{
    struct shmd_options options = {.start = SHMD_START_OLDEST};
    struct progress progress = {.segment_id = -1};
    struct shmd_subscriber *subscriber;
    useconds_t pause;
    int r;

    if (argc < 4) {
        (void)fputs("usage: follower SOCKET NAME FILE [PAUSE-USEC]\n", stderr);
        return 1;
    }
    setlinebuf(stdout);
    options.socket = argv[1];
    options.name = argv[2];
    pause = argc > 4 ? (useconds_t)atoi(argv[4]) : 0;
    r = shmd_subscribe(&options, &subscriber);
    if (r < 0) {
        printf("subscribe: %s\n", strerror(-r));
        return 1;
    }
    while (r == 0 && access(argv[3], F_OK) < 0) {
        r = take(subscriber, &progress, pause);
        if (r == 0) {
            r = shmd_wait(subscriber, LOOK_USEC);
            r = r == -ETIMEDOUT ? 0 : r;
        }
    }
    printf("got %llu records, %llu-%llu, lost %llu, faults %d%s%s\n",
           (unsigned long long)progress.records, (unsigned long long)progress.first,
           (unsigned long long)progress.last, (unsigned long long)progress.lost, progress.faults,
           r < 0 ? ", ended by " : "", r < 0 ? strerror(-r) : "");
    (void)shmd_unsubscribe(subscriber);
    return r < 0 || progress.faults > 0;
}
