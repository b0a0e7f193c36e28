/* SPDX-License-Identifier: MIT */
#include "client/progress.h"
#include "client/output.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#define PAUSE_USEC (200 * USEC_PER_MSEC) /* between two of them */

void progress_start(struct progress *progress)
{
    *progress =
        (struct progress){.wanted = output_is_screen(STDERR_FILENO), .drawn_usec = clock_usec()};
}

/* As 1.5 MB; returns how wide it is. */
static int bytes_write(FILE *file, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1000;
        unit++;
    }
    return fprintf(file, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

static int counts_write(uint64_t records, uint64_t bytes)
{
    return fprintf(stderr, "\r%" PRIu64 " %s, ", records, text_records(records)) +
           bytes_write(stderr, bytes);
}

/* Over what is left of the line before; without a word to the terminal that not each understands.
 */
static void blank(struct progress *progress, int width)
{
    if (progress->width > width) {
        (void)fprintf(stderr, "%*s", progress->width - width, "");
    }
    progress->width = width;
}

void progress_update(struct progress *progress, uint64_t records, uint64_t bytes)
{
    uint64_t now, passed, rate;
    int width;

    if (!progress->wanted) {
        return;
    }
    now = clock_usec();
    passed = now - progress->drawn_usec;
    if (passed < PAUSE_USEC) {
        return;
    }
    width = counts_write(records, bytes);
    rate =
        (uint64_t)((double)(records - progress->records) * (double)USEC_PER_SEC / (double)passed +
                   0.5);
    width += fprintf(stderr, ", %" PRIu64 " %s/s", rate, text_records(rate));
    blank(progress, width);
    (void)fflush(stderr);
    progress->drawn = true;
    progress->drawn_usec = now;
    progress->records = records;
}

void progress_clear(struct progress *progress)
{
    if (progress->width > 0) {
        (void)fputc('\r', stderr);
        blank(progress, 0);
        (void)fputc('\r', stderr);
        (void)fflush(stderr);
    }
}

void progress_end(struct progress *progress, uint64_t records, uint64_t bytes)
{
    if (progress->drawn) {
        blank(progress, counts_write(records, bytes));
        (void)fputc('\n', stderr);
        progress->width = 0;
        progress->drawn = false;
    }
}
