/* SPDX-License-Identifier: MIT
 *
 * Which call fails. The environment says it:
 *
 *   SHMD_FAULT          WHAT:N, the N-th of WHAT fails; WHAT:N+, and all that come after it, too.
 *                       WHAT is "calls" (system calls), "allocations", or the name of a function.
 *   SHMD_FAULT_CONTROL  a file; calls count, and fail, only while its first byte is "1". Its second
 *                       byte becomes "1" when the daemon waits for events.
 *   SHMD_FAULT_REPORT   a file for what was made to fail, and for what was left at the exit.
 *
 * Counted is what shmd and the libraries under it call, from the first call of shmd on; but not
 * what libconfig and libc's look-ups of users call: they take every allocation for granted, and
 * crash without.
 */
#pragma once

#include <stdbool.h>

enum fault_kind {
    FAULT_CALL,
    FAULT_ALLOCATION,
    FAULT_RELEASE, /* meant by its name only */
};

enum fault_origin {
    ORIGIN_SHMD,
    ORIGIN_LIBCONFIG,
    ORIGIN_OTHERS,
};

/* Must this call fail? `caller` is where it returns to. */
bool fault_strikes(const char *function, enum fault_kind kind, const void *caller);

/* The daemon waits for events. */
void fault_waits(void);

enum fault_origin fault_origin(const void *caller);

/* A line of the report; no allocation, no call that counts. */
__attribute__((format(printf, 1, 2))) void fault_report(const char *format, ...);

/* Where in its object a caller is: for addr2line. */
unsigned long fault_offset(const void *caller);
