/* SPDX-License-Identifier: MIT */
#include "bench/harness.h"

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch_path[256];
static pid_t scratch_owner;
static pid_t children[80];
static volatile sig_atomic_t children_count;

/* --- failing --- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_scratch(void)
{
    if (scratch_owner == getpid()) {
        (void)nftw(scratch_path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
}

void fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(EXIT_FAILURE);
}

void unsupported(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(UNSUPPORTED);
}

const char *scratch(void)
{
    const char *parent = getenv("TMPDIR");

    if (!scratch_owner) {
        (void)snprintf(scratch_path, sizeof(scratch_path), "%s/shmd-bench.XXXXXX",
                       parent && *parent ? parent : "/tmp");
        if (!mkdtemp(scratch_path)) {
            fail(scratch_path, errno);
        }
        scratch_owner = getpid();
        (void)atexit(remove_scratch);
    }
    return scratch_path;
}

/* --- time --- */

static uint64_t nsec_of(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t nsec_now(void)
{
    return nsec_of(CLOCK_MONOTONIC);
}

void run_count(struct run *run, pid_t pid)
{
    run->pids[run->count++] = pid;
}

static uint64_t cpu_nsec(const struct run *run)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < run->count; i++) {
        clockid_t clock;

        if (clock_getcpuclockid(run->pids[i], &clock) == 0) {
            sum += nsec_of(clock);
        }
    }
    return sum;
}

/* Whoever traces system calls finds the measured part between these two. */
void run_start(struct run *run)
{
    (void)access("/bench/start", F_OK);
    run->cpu_nsec = cpu_nsec(run);
    run->start_nsec = nsec_now();
    run->start_ticks = ticks();
}

bool run_goes_on(struct run *run, struct samples *samples, uint64_t nsec)
{
    uint64_t now = nsec_now();

    if (run->begin_nsec == 0) {
        run->begin_nsec = now;
    }
    if (run->start_nsec == 0 && now - run->begin_nsec >= SETTLE_NSEC) {
        memset(samples, 0, sizeof(*samples));
        run_start(run);
        return true;
    }
    return run->start_nsec == 0 || now - run->start_nsec < nsec;
}

void run_stop(struct run *run)
{
    run->ticks = ticks() - run->start_ticks;
    run->nsec = nsec_now() - run->start_nsec;
    run->cpu_nsec = cpu_nsec(run) - run->cpu_nsec;
    (void)access("/bench/stop", F_OK);
}

/* --- percentiles --- */

static size_t step_of(uint64_t value)
{
    unsigned shift = 0;

    while (value >> shift >= 2 * SAMPLES_STEPS) {
        shift++;
    }
    return shift * SAMPLES_STEPS + (size_t)(value >> shift);
}

static double value_of(size_t step)
{
    size_t shift = step < 2 * SAMPLES_STEPS ? 0 : step / SAMPLES_STEPS - 1;

    return ((double)(step - shift * SAMPLES_STEPS) + 0.5) * (double)(UINT64_C(1) << shift);
}

void samples_add(struct samples *samples, uint64_t ticks)
{
    samples->of[step_of(ticks)]++;
    samples->count++;
}

static void print_percentile(const struct samples *samples, double share, double nsec)
{
    uint64_t below = 0;

    if (!samples || samples->count == 0) {
        printf(" -");
        return;
    }
    for (size_t i = 0; i < sizeof(samples->of) / sizeof(samples->of[0]); i++) {
        below += samples->of[i];
        if ((double)below >= share * (double)samples->count) {
            printf(" %.1f", value_of(i) * nsec);
            return;
        }
    }
}

void result_print(const struct result *result, const struct run *run, const struct samples *samples)
{
    double records = result->records > 0 ? (double)result->records : 1;
    double per_sample = result->per_sample > 0 ? (double)result->per_sample : 1;
    double nsec_per_tick = (double)run->nsec / (double)run->ticks / per_sample;

    printf("result %s %s %zu %u %llu %.1f", result->peer, result->row, result->size,
           result->subscribers, (unsigned long long)result->records, (double)run->nsec / records);
    print_percentile(samples, 0.5, nsec_per_tick);
    print_percentile(samples, 0.99, nsec_per_tick);
    print_percentile(samples, 0.999, nsec_per_tick);
    printf(" %.1f\n", (double)run->cpu_nsec / records);
    (void)fflush(stdout);
}

void value_print(const char *peer, const char *name, const char *unit, double number)
{
    printf("value %s %s %s %.3f\n", peer, name, unit, number);
    (void)fflush(stdout);
}

/* --- processors and processes --- */

unsigned processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

void processor_pin(unsigned which)
{
    cpu_set_t all, one;

    if (sched_getaffinity(0, sizeof(all), &all) < 0) {
        return;
    }
    which %= (unsigned)CPU_COUNT(&all);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all) && which-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
            (void)sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

/* A child that ends while we measure has said why. */
static void on_child(int signal)
{
    (void)signal;
    _exit(EXIT_FAILURE);
}

pid_t child_fork(void)
{
    pid_t pid;

    (void)signal(SIGCHLD, on_child);
    (void)fflush(stdout);
    pid = fork();
    if (pid < 0) {
        fail("fork", errno);
    }
    if (pid == 0) {
        (void)signal(SIGCHLD, SIG_DFL);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        children_count = 0;
    } else {
        children[children_count++] = pid;
    }
    return pid;
}

void children_end(void)
{
    (void)signal(SIGCHLD, SIG_DFL);
    for (int i = 0; i < children_count; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
    }
    children_count = 0;
}

void *shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        fail("mmap", errno);
    }
    return memory;
}
