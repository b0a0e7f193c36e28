/* SPDX-License-Identifier: MIT
 *
 * What every measuring program has: a clock that costs little, percentiles, processors, and one
 * form in which results are printed for bench/run:
 *
 *      result PEER ROW SIZE SUBSCRIBERS RECORDS NS P50 P99 P999 CPU_NS
 *      value PEER NAME UNIT NUMBER
 *
 * NS: nanoseconds of the run for each record. P50…P999: of single round trips, or of a stream's
 * blocks for each record; "-" where there are none. CPU_NS: processor time for each record, of all
 * processes together.
 *
 * Nothing here returns a failure: a program that cannot measure says why and ends with status 1, or
 * with UNSUPPORTED if a peer cannot do a row at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define UNSUPPORTED  77
#define RING_BYTES   ((size_t)1 << 20) /* of every ring that is measured as a stream */
#define BATCH        64                /* records that one acknowledgement covers, at most */
#define NSEC_PER_SEC UINT64_C(1000000000)

/* A histogram of ticks, 64 steps for each power of two: percentiles within 2 %. */
#define SAMPLES_STEPS 64
struct samples {
    uint64_t count;
    uint64_t of[64 * SAMPLES_STEPS];
};

/*
 * A stream is timed in blocks of twice what may be under way: none can be done with unless both
 * sides have run. So the median says how fast they are together, whoever else is on the machine.
 */
struct blocks {
    struct samples samples;
    uint64_t size, begin, begin_ticks; /* in records */
};

/* One run, from start to stop. */
struct run {
    uint64_t begin_nsec; /* of what does not count yet */
    uint64_t start_nsec, start_ticks;
    uint64_t nsec, ticks; /* that it took */
    uint64_t cpu_nsec;
    pid_t pids[80]; /* whose processor time counts */
    size_t count;
};

struct result {
    const char *peer, *row;
    size_t size;
    unsigned subscribers;
    uint64_t records;
    uint64_t per_sample; /* records that each sample is of; 0: one */
};

/* The time stamp counter, where there is one. */
static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
#endif
}

uint64_t nsec_now(void);

void samples_add(struct samples *samples, uint64_t ticks);

/* So many records have come by now. */
static inline void blocks_add(struct blocks *blocks, uint64_t records)
{
    if (records - blocks->begin >= blocks->size) {
        uint64_t now = ticks();

        if (blocks->begin > 0) {
            samples_add(&blocks->samples,
                        (now - blocks->begin_ticks) * blocks->size / (records - blocks->begin));
        }
        blocks->begin = records;
        blocks->begin_ticks = now;
    }
}

void run_count(struct run *run, pid_t pid);
void run_start(struct run *run);
void run_stop(struct run *run);

/*
 * For loops that measure shmd: true until `nsec` have been measured. Before that, SETTLE_NSEC count
 * for nothing: until then, what a user has saved up of the daemon's budget for log entries is used
 * up, and another entry is written for each acknowledgement.
 */
#define SETTLE_NSEC (12 * NSEC_PER_SEC / 10)
bool run_goes_on(struct run *run, struct samples *samples, uint64_t nsec);

void result_print(const struct result *result, const struct run *run,
                  const struct samples *samples);
void value_print(const char *peer, const char *name, const char *unit, double number);

/* How many processors we may use, and: only this one, counted from 0, from now on. */
unsigned processors(void);
void processor_pin(unsigned which);

/* As fork(), for a child that ends with its parent; if it ends by itself, so does the parent. */
pid_t child_fork(void);
void children_end(void);

/* Zeroed memory that is shared with children. */
void *shared_new(size_t size);

/* A directory of this run, under $TMPDIR, that is removed with what is in it. */
const char *scratch(void);

_Noreturn void fail(const char *what, int error);
_Noreturn void unsupported(const char *why);
