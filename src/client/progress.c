/* SPDX-License-Identifier: MIT */
#include "client/progress.h"
#include "client/output.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAUSE_USEC     (200 * USEC_PER_MSEC) /* between two of them */
#define LINE_MAX_WIDTH 160

void progress_start(struct progress *progress)
{
    *progress =
        (struct progress){.wanted = output_is_screen(STDERR_FILENO), .drawn_usec = clock_usec()};
}

/* 3 records, 1.5 MB */
static void counts_describe(char *text, size_t size, uint64_t records, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double amount = (double)bytes;
    size_t unit = 0;

    while (amount >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1000;
        unit++;
    }
    (void)snprintf(text, size, "%" PRIu64 " %s, %.*f %s", records, text_records(records), unit > 0,
                   amount, units[unit]);
}

/* How much there is room for, without the last column: some terminals begin another line there. */
static int columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1
                                                                           : LINE_MAX_WIDTH;
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
    char counts[LINE_MAX_WIDTH / 2];
    char line[LINE_MAX_WIDTH];
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
    rate =
        (uint64_t)((double)(records - progress->records) * (double)USEC_PER_SEC / (double)passed +
                   0.5);
    counts_describe(counts, sizeof(counts), records, bytes);
    width = snprintf(line, sizeof(line), "%s, %" PRIu64 " %s/s", counts, rate, text_records(rate));
    width = width < columns() ? width : columns();
    (void)fprintf(stderr, "\r%.*s", width, line);
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
    char counts[LINE_MAX_WIDTH / 2];

    if (progress->drawn) {
        counts_describe(counts, sizeof(counts), records, bytes);
        blank(progress, fprintf(stderr, "\r%s", counts) - 1);
        (void)fputc('\n', stderr);
        progress->width = 0;
        progress->drawn = false;
    }
}
