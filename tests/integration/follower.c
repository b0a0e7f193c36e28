/* SPDX-License-Identifier: MIT
 *
 * A subscriber on the public API, as an application would write it: it takes each record,
 * acknowledges it, and does nothing about a daemon that goes away but call the library again.
 *
 *      follower SOCKET NAME FILE [PAUSE-USEC [TELL-MSEC]]
 *
 * It ends when FILE is there, or with an error. On standard output: one line for everything that is
 * not as it should be, one for each segment that it reads, and at the end what it has got; with
 * TELL-MSEC, in such intervals, how far it is. Records that come twice, out of order, or torn make
 * it exit with 1. Each epoch counts anew. A record is what the alphabet source makes, or a
 * publisher's (parcel.h): then it says of each publisher what it has got, too.
 */
#include "base/clock.h"
#include "lib/shmd.h"
#include "../parcel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_USEC      50000 /* between two looks whether the file is there */
#define PUBLISHERS_MAX 64

struct progress {
    struct parcel publishers[PUBLISHERS_MAX]; /* their last ones */
    uint64_t first, last, records, lost;
    int faults;
    int segment_id;
    uint64_t tell_usec, told_usec;
    uint8_t epoch[16];
};

static void fault(struct progress *progress, const char *what, uint64_t number)
{
    progress->faults++;
    printf("%s: record %llu after %llu\n", what, (unsigned long long)number,
           (unsigned long long)progress->last);
}

/* Each publisher's come once and in order, whatever becomes of the others'. */
static void judge_parcel(struct progress *progress, const struct shmd_record *record)
{
    struct parcel *last = progress->publishers;
    struct parcel parcel;

    if (!parcel_read(record->data, record->length, &parcel)) {
        fault(progress, "torn", record->number);
        return;
    }
    while (last->name[0] && strcmp(last->name, parcel.name) != 0) {
        last++;
    }
    if (parcel.number <= last->number) {
        fault(progress, "a publisher's twice", record->number);
    } else if (parcel.number != last->number + 1 && progress->lost == 0 && progress->first == 1) {
        fault(progress, "a publisher's out of order", record->number);
    }
    *last = parcel;
}

static void judge_alphabet(struct progress *progress, const struct shmd_record *record)
{
    const char *bytes = record->data;

    for (size_t i = 0; i < record->length; i++) {
        if (bytes[i] != (char)('a' + i % 26)) {
            fault(progress, "torn", record->number);
            break;
        }
    }
}

static void judge(struct progress *progress, const struct shmd_record *record, bool goes_on)
{
    if (goes_on && record->number <= progress->last) {
        fault(progress, "twice", record->number);
    } else if (goes_on && record->number != progress->last + 1 + record->lost) {
        fault(progress, "out of order", record->number);
    }
    if (progress->records == 0) {
        progress->first = record->number;
    }
    if (parcel_is(record->data, record->length)) {
        judge_parcel(progress, record);
    } else {
        judge_alphabet(progress, record);
    }
    progress->last = record->number;
    progress->lost += record->lost;
    progress->records++;
}

/* True if the record that is about to be judged follows the one before. */
static bool tell_segment(struct progress *progress, const struct shmd_subscriber *subscriber)
{
    struct shmd_subscription now;
    bool same_epoch;

    shmd_describe(subscriber, &now);
    same_epoch = memcmp(now.epoch, progress->epoch, sizeof(now.epoch)) == 0;
    memcpy(progress->epoch, now.epoch, sizeof(now.epoch));
    if (now.segment_id != progress->segment_id) {
        progress->segment_id = now.segment_id;
        printf("segment %d of %zu bytes, epoch %02x%02x%02x%02x\n", now.segment_id,
               now.segment_size, now.epoch[0], now.epoch[1], now.epoch[2], now.epoch[3]);
    }
    return progress->records > 0 && same_epoch;
}

static void tell_progress(struct progress *progress)
{
    uint64_t now = progress->tell_usec ? clock_usec() : 0;

    if (progress->tell_usec && now - progress->told_usec >= progress->tell_usec) {
        progress->told_usec = now;
        printf("at %llu ms: %llu records\n", (unsigned long long)(now / USEC_PER_MSEC),
               (unsigned long long)progress->records);
    }
}

/* Takes what is there; 0 when there is no more for now. */
static int take(struct shmd_subscriber *subscriber, struct progress *progress, useconds_t pause)
{
    struct shmd_record record;
    int r;

    while ((r = shmd_next(subscriber, &record)) == 0) {
        judge(progress, &record, tell_segment(progress, subscriber));
        tell_progress(progress);
        r = shmd_acknowledge(subscriber, record.number);
        if (r < 0) {
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
    struct shmd_subscription end;
    useconds_t pause;
    int r;

    if (argc < 4) {
        (void)fputs("usage: follower SOCKET NAME FILE [PAUSE-USEC [TELL-MSEC]]\n", stderr);
        return 1;
    }
    setlinebuf(stdout);
    options.socket = argv[1];
    options.name = argv[2];
    pause = argc > 4 ? (useconds_t)atoi(argv[4]) : 0;
    progress.tell_usec = argc > 5 ? strtoull(argv[5], NULL, 10) * USEC_PER_MSEC : 0;
    r = shmd_subscribe(&options, &subscriber);
    if (r < 0) {
        printf("subscribe: %s\n", strerror(-r));
        return 1;
    }
    while (r == 0 && access(argv[3], F_OK) < 0) {
        tell_progress(&progress);
        r = take(subscriber, &progress, pause);
        if (r == 0) {
            r = shmd_wait(subscriber, LOOK_USEC);
            r = r == -ETIMEDOUT ? 0 : r;
        }
    }
    shmd_describe(subscriber, &end);
    for (const struct parcel *last = progress.publishers; last->name[0]; last++) {
        printf("from %s: up to %llu\n", last->name, (unsigned long long)last->number);
    }
    printf("got %llu records, %llu-%llu, lost %llu, acknowledged %llu, faults %d%s%s\n",
           (unsigned long long)progress.records, (unsigned long long)progress.first,
           (unsigned long long)progress.last, (unsigned long long)progress.lost,
           (unsigned long long)end.acknowledged, progress.faults, r < 0 ? ", ended by " : "",
           r < 0 ? strerror(-r) : "");
    (void)shmd_unsubscribe(subscriber);
    return r < 0 || progress.faults > 0;
}
