/* SPDX-License-Identifier: MIT
 *
 * ring-processes MODE SECONDS: a writer process and four reader processes of one ring, for so long.
 * MODE: "wait" or "overwrite". Exit status 0: each reader got each record once, in order and whole,
 * except those that it knows that it lost.
 */
#include "exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(struct exchange *exchange, size_t i)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) {
            _exit(1);
        }
        if (i < EXCHANGE_READERS) {
            exchange_read(exchange, i);
        } else {
            exchange_write(exchange);
        }
        _exit(0);
    }
    return pid;
}

static bool judge(const struct exchange *exchange)
{
    bool fine = !exchange->writer_fault;

    if (exchange->writer_fault) {
        printf("# writer: %s\n", exchange->writer_fault);
    }
    printf("# %" PRIu64 " records\n", exchange->published - 1);
    for (size_t i = 0; i < EXCHANGE_READERS; i++) {
        const struct exchange_result *result = &exchange->results[i];

        printf("# reader %zu: got %" PRIu64 ", lost %" PRIu64 "\n", i, result->got, result->lost);
        if (result->fault) {
            printf("# reader %zu: %s, at record %" PRIu64 "\n", i, result->fault, result->fault_at);
        }
        fine = fine && !result->fault && result->got > 0 &&
               result->got + result->lost == exchange->published - 1 &&
               (exchange->when_full == RING_OVERWRITE || result->lost == 0);
    }
    return fine;
}

int main(int argc, char **argv)
{
    struct exchange *exchange;
    bool fine = true;

    if (argc != 3 || (strcmp(argv[1], "wait") != 0 && strcmp(argv[1], "overwrite") != 0) ||
        atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: ring-processes wait|overwrite SECONDS\n");
        return 2;
    }
    exchange =
        mmap(NULL, sizeof(*exchange), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (exchange == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    exchange->when_full = strcmp(argv[1], "wait") == 0 ? RING_WAIT : RING_OVERWRITE;
    exchange->usec = (uint64_t)atoi(argv[2]) * USEC_PER_SEC;
    for (size_t i = 0; i <= EXCHANGE_READERS; i++) {
        if (start(exchange, i) < 0) {
            perror("fork");
            return 1;
        }
    }
    for (size_t i = 0; i <= EXCHANGE_READERS; i++) {
        int status;

        fine = wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && fine;
    }
    return judge(exchange) && fine ? 0 : 1;
}
