/* SPDX-License-Identifier: MIT
 *
 * A program with an event loop of its own, on the public header alone: it sleeps in poll(2) on
 * shmd_get_fd(), after shmd_arm().
 *
 *   loop SOCKET hold          takes all records before it acknowledges them, at once; see below
 *   loop SOCKET follow FILE   follows until there is this FILE, and acknowledges every fifth record
 *   loop SOCKET errors        what the functions return that never succeed
 *   loop SOCKET careless      acknowledges nothing, and looks at one return value only
 *   loop SOCKET few           with fewer descriptors than a session takes, and then with more
 *   loop SOCKET leave FILE    ends its session, and the program when there is this FILE
 *
 * With one more argument, a child that was forked in the session holds copies of all descriptors.
 */
#include "lib/shmd.h"
#include "../patience.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#define LETTERS  "abcdefghijklmnopqrstuvwxyz"
#define HELD_MAX 10000
#define FULL     700 /* a ring of 64 KiB has a few more of them */
#define SLOWLY   300

/* Who has read all that there may be, waits in vain for so long before it believes it. */
#define NO_MORE_USEC 500000

static void expect(int result, int expected, const char *what)
{
    if (result != expected) {
        printf("%s: %d instead of %d\n", what, result, expected);
        exit(1);
    }
}

/* Sleeps until there is news; how often it slept. */
static int sleep_until_news(struct shmd_subscriber *subscriber, int timeout_msec)
{
    struct pollfd bell = {.fd = shmd_get_fd(subscriber), .events = POLLIN};

    if (shmd_arm(subscriber) == SHMD_NEWS) {
        return 0;
    }
    if (poll(&bell, 1, timeout_msec) < 0) {
        perror("poll");
        exit(1);
    }
    return 1;
}

/* How many bells lie in the stream socket, the only one that this program has. */
static int count_bells(void)
{
    for (int fd = 3; fd < 64; fd++) {
        int type, bells;
        socklen_t length = sizeof(type);

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
            ioctl(fd, FIONREAD, &bells) == 0) {
            return bells;
        }
    }
    return -1;
}

/*
 * Takes the ring from one end to the other, and uses the records in place, all of them, until one
 * acknowledgement gives them back. That puts it to sleep, and then there is plenty to do: who is
 * awake is not rung for.
 */
static void hold(struct shmd_subscriber *subscriber)
{
    static struct shmd_record held[HELD_MAX];
    struct shmd_record record;
    int count = 0;

    for (bool more = true; more;) {
        while (count < HELD_MAX && shmd_next(subscriber, &held[count]) == 0) {
            count++;
        }
        /* Before it is full, whoever sees no more is faster than the daemon. */
        more = sleep_until_news(subscriber, count < FULL ? PATIENCE_MSEC : 200) == 0 ||
               count < FULL ||
               (count < HELD_MAX && shmd_next(subscriber, &held[count]) == 0 && count++);
    }
    for (int i = 0; i < count; i++) {
        if (held[i].number != held[0].number + (uint64_t)i || held[i].length != 26 ||
            memcmp(held[i].data, LETTERS, 26) != 0) {
            printf("record %d of %d is not what it was\n", i, count);
            exit(1);
        }
    }
    printf("held %d records\n", count);
    expect(sleep_until_news(subscriber, 0), 1, "armed without news");
    expect(shmd_acknowledge(subscriber, held[count - 1].number), 0, "acknowledge all");
    expect(shmd_acknowledge(subscriber, held[0].number), 0, "acknowledge once more");
    for (int i = 0; i < SLOWLY; i++) {
        while (shmd_next(subscriber, &record) == -EAGAIN) {
            (void)sleep_until_news(subscriber, PATIENCE_MSEC);
        }
        expect(shmd_acknowledge(subscriber, record.number), 0, "acknowledge one");
        (void)usleep(1000);
    }
    printf("%d bells while it was awake\n", count_bells());
}

static void follow(struct shmd_subscriber *subscriber, const char *file)
{
    unsigned long long records = 0, lost = 0, slept = 0, last = 0;
    int fd = shmd_get_fd(subscriber);
    int r = 0;

    while (access(file, F_OK) < 0) {
        struct shmd_record record;

        r = shmd_next(subscriber, &record);
        if (r == -EAGAIN) {
            slept += (unsigned long long)sleep_until_news(subscriber, 100);
            expect(shmd_get_fd(subscriber), fd, "descriptor");
            continue;
        }
        expect(r, 0, "next");
        if (last > 0 && record.number != last + 1 + record.lost) {
            printf("record %llu follows %llu\n", (unsigned long long)record.number, last);
            exit(1);
        }
        records++;
        lost += record.lost;
        last = record.number;
        /* Of a plain segment there is no next one before this one is acknowledged. */
        if (last % 5 == 0 || sleep_until_news(subscriber, 0) == 1) {
            r = shmd_acknowledge(subscriber, last);
            expect(r == SHMD_LATER ? 0 : r, 0, "acknowledge");
        }
    }
    printf("got %llu records, last %llu, lost %llu, slept %llu times\n", records, last, lost,
           slept);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void errors(struct shmd_subscriber *subscriber)
{
    /* Again and again: the first time may be before it waits. */
    const struct itimerval soon = {.it_interval = {.tv_usec = 50000},
                                   .it_value = {.tv_usec = 50000}};
    const struct itimerval never = {.it_value = {0}};
    struct sigaction action = {.sa_handler = on_alarm};
    struct shmd_record record, beyond;

    expect(shmd_acknowledge(subscriber, 0), -EINVAL, "acknowledge 0");
    expect(shmd_next(subscriber, &record), 0, "next");
    expect(shmd_acknowledge(subscriber, record.number - 1), -EINVAL, "acknowledge another's");
    beyond = record;
    do {
        while (shmd_next(subscriber, &record) == 0) {
            beyond = record;
        }
    } while (shmd_wait(subscriber, NO_MORE_USEC) == 0);
    expect(shmd_acknowledge(subscriber, beyond.number + 1), -EINVAL, "acknowledge what comes");
    expect(shmd_wait(subscriber, 0), -ETIMEDOUT, "look");
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    expect(shmd_wait(subscriber, SHMD_FOREVER), -EINTR, "wait until a signal");
    (void)setitimer(ITIMER_REAL, &never, NULL);
    expect(shmd_acknowledge(subscriber, beyond.number), 0, "acknowledge all");
    expect(shmd_wait(subscriber, SHMD_FOREVER), 0, "wait for a record");
    expect(shmd_next(subscriber, &record), 0, "next");
    puts("all as they should be");
}

static void careless(struct shmd_subscriber *subscriber)
{
    struct shmd_record record;
    int r;

    do {
        r = shmd_wait(subscriber, SHMD_FOREVER);
        (void)shmd_next(subscriber, &record);
    } while (r == 0);
    expect(r, -ETIME, "wait, evicted");
    expect(shmd_arm(subscriber), -ETIME, "arm, evicted");
    puts("told that it was evicted");
}

static void few(const struct shmd_options *options)
{
    const struct rlimit before = {.rlim_cur = 1024, .rlim_max = 1024};
    int refused = 0;

    for (rlim_t limit = 3;; limit++) {
        struct shmd_subscriber *subscriber = (void *)-1L;
        struct rlimit low = {.rlim_cur = limit, .rlim_max = before.rlim_max};
        int r;

        (void)setrlimit(RLIMIT_NOFILE, &low);
        r = shmd_subscribe(options, &subscriber);
        (void)setrlimit(RLIMIT_NOFILE, &before);
        if (r == 0) {
            (void)shmd_unsubscribe(subscriber);
            break;
        }
        expect(r, -EMFILE, "subscribe with few descriptors");
        expect(subscriber == NULL, 1, "no handle");
        refused++;
    }
    printf("refused %d times\n", refused);
}

/* It lives as long as we do. */
static void fork_child(void)
{
    if (fork() == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
}

int main(int argc, char **argv)
{
    struct shmd_options options = {.start = SHMD_START_OLDEST, .name = "loop"};
    struct shmd_subscriber *subscriber;
    int r;

    if (argc < 3) {
        return 2;
    }
    setlinebuf(stdout);
    options.socket = argv[1];
    if (strcmp(argv[2], "few") == 0) {
        few(&options);
        return 0;
    }
    r = shmd_subscribe(&options, &subscriber);
    expect(r, 0, "subscribe");
    if (argc > 4) {
        fork_child();
    }
    puts("subscribed");
    if (strcmp(argv[2], "hold") == 0) {
        hold(subscriber);
    } else if (strcmp(argv[2], "follow") == 0 && argc > 3) {
        follow(subscriber, argv[3]);
    } else if (strcmp(argv[2], "careless") == 0) {
        careless(subscriber);
    } else if (strcmp(argv[2], "leave") == 0 && argc > 3) {
        (void)shmd_unsubscribe(subscriber);
        while (access(argv[3], F_OK) < 0) {
            (void)usleep(10000);
        }
        return 0;
    } else {
        errors(subscriber);
    }
    (void)shmd_unsubscribe(subscriber);
    return 0;
}
