/* SPDX-License-Identifier: MIT */
#include "client/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#define PAUSE_USEC (200 * USEC_PER_MSEC) /* between two of them */
#define CLEAR      "\r\033[K"

void progress_start(struct progress *progress)
{
    *progress = (struct progress){.wanted = isatty(STDERR_FILENO), .drawn_usec = clock_usec()};
}

/* As 1.5 MB. */
static void bytes_write(FILE *file, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1000;
        unit++;
    }
    (void)fprintf(file, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

void progress_update(struct progress *progress, uint64_t records, uint64_t bytes)
{
    uint64_t now, passed;

    if (!progress->wanted) {
        return;
    }
    now = clock_usec();
    passed = now - progress->drawn_usec;
    if (passed < PAUSE_USEC) {
        return;
    }
    (void)fprintf(stderr, CLEAR "%" PRIu64 " records, ", records);
    bytes_write(stderr, bytes);
    (void)fprintf(stderr, ", %.0f records/s",
                  (double)(records - progress->records) * (double)USEC_PER_SEC / (double)passed);
    (void)fflush(stderr);
    progress->shown = true;
    progress->drawn_usec = now;
    progress->records = records;
}

void progress_clear(struct progress *progress)
{
    if (progress->shown) {
        (void)fputs(CLEAR, stderr);
        (void)fflush(stderr);
        progress->shown = false;
    }
}
