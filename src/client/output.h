/* SPDX-License-Identifier: MIT
 *
 * What shm-client says, and how it ends.
 */
#pragma once

#include "client/options.h"

#include <stddef.h>
#include <stdint.h>

/* The exit statuses, as in the manual; 5 is reserved there for records lost. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOBODY = 3, /* no such segment, or nobody serves it */
    EXIT_TIMED_OUT = 4,
};

/* One line `shm-client: what happened: what to do` on standard error. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The error that `what` (the segment, or who serves it) is missing; names the service to look at.
 */
enum exit_status output_nobody(const struct options *options, uint32_t key, const char *what);

/*
 * Writes a record to standard output, and hands it over to the system. A negative errno value: some
 * of it is lost.
 */
int output_record(enum format format, uint32_t key, int segment, const char *record, size_t length);

/* Hands over what else was written to standard output, and says so if that fails. */
enum exit_status output_end(void);
