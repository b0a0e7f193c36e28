/* SPDX-License-Identifier: MIT
 *
 * visitor SOCKET VISITS: sessions that come and go, one after the other. Each takes a few records,
 * in order, and acknowledges them; every third one leaves while it owes the last of them, and every
 * tenth one is a process that is killed there. Exit status 0: all were served.
 */
#include "lib/shmd.h"
#include "../patience.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST 16 /* the records of a visit, at most */

enum ending { LEAVES, OWES, IS_KILLED };

static enum ending ending_of(uint64_t visit)
{
    if (visit % 10 == 0) {
        return IS_KILLED;
    }
    return visit % 3 == 0 ? OWES : LEAVES;
}

static int take_record(struct shmd_subscriber *subscriber, struct shmd_record *record)
{
    int r;

    while ((r = shmd_next(subscriber, record)) == -EAGAIN) {
        r = shmd_wait(subscriber, PATIENCE_USEC);
        if (r < 0) {
            break;
        }
    }
    return r;
}

/* Takes as many records as the number of the visit says. */
static int take_records(struct shmd_subscriber *subscriber, uint64_t visit)
{
    uint64_t count = 1 + visit % LONGEST, last = 0;
    struct shmd_record record;

    for (uint64_t i = 1; i <= count; i++) {
        int r = take_record(subscriber, &record);

        if (r < 0) {
            return r;
        }
        if (record.lost > 0 || (last > 0 && record.number != last + 1)) {
            return -EBADMSG;
        }
        last = record.number;
        if (i == count && ending_of(visit) != LEAVES) {
            return 0;
        }
        r = shmd_acknowledge(subscriber, record.number);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int pay_visit(const char *socket, uint64_t visit)
{
    struct shmd_options options = {.socket = socket, .name = "visitor"};
    struct shmd_subscriber *subscriber;
    int r;

    options.start = visit % 2 == 0 ? SHMD_START_NEXT : SHMD_START_OLDEST;
    r = shmd_subscribe(&options, &subscriber);
    if (r < 0) {
        return r;
    }
    r = take_records(subscriber, visit);
    if (r == 0 && ending_of(visit) == IS_KILLED) {
        (void)raise(SIGKILL);
    }
    (void)shmd_unsubscribe(subscriber);
    return r;
}

/* The same in a process of its own; that it is killed is as it should be. */
static int pay_last_visit(const char *socket, uint64_t visit)
{
    pid_t pid = fork();
    int status;

    if (pid < 0) {
        return -errno;
    }
    if (pid == 0) {
        _exit(-pay_visit(socket, visit));
    }
    if (waitpid(pid, &status, 0) < 0) {
        return -errno;
    }
    return WIFEXITED(status) ? -WEXITSTATUS(status) : 0;
}

int main(int argc, char **argv)
{
    uint64_t visits;

    if (argc != 3) {
        fprintf(stderr, "usage: visitor SOCKET VISITS\n");
        return 2;
    }
    visits = strtoull(argv[2], NULL, 10);
    for (uint64_t visit = 1; visit <= visits; visit++) {
        int r = ending_of(visit) == IS_KILLED ? pay_last_visit(argv[1], visit)
                                              : pay_visit(argv[1], visit);

        if (r < 0) {
            fprintf(stderr, "visit %" PRIu64 ": %s\n", visit, strerror(-r));
            return 1;
        }
    }
    return 0;
}
