/* SPDX-License-Identifier: MIT
 *
 * Starts in a row that came to nothing.
 *
 * systemd starts a daemon that was killed 100 ms later, however often: it may have been killed by
 * chance, and its clients wait. But one that dies each time would be started ten times a second for
 * ever. So each start leaves a mark, NAME.starts in the runtime directory, which ends with an
 * orderly end; and a start that finds STARTS_FREE of them, or more, waits for its turn before it
 * does anything: twice as long each time. Whoever was ready, if only for a moment, is soon tried
 * again; one that never was, at last every STARTS_PAUSE_MAX.
 *
 * And a start that failed leaves the cause, NAME.failed, for those who find nobody there.
 */
#pragma once

#include <stdint.h>

#define STARTS_FREE      10u                 /* without a pause */
#define STARTS_PAUSE_MIN UINT64_C(200000)    /* microseconds, then doubled, … */
#define STARTS_PAUSE_MAX UINT64_C(30000000)  /* … up to this */
#define STARTS_READY_MAX (STARTS_FREE + 2u)  /* of one that was ready, at most so many count */
#define STARTS_FORGOTTEN UINT64_C(120000000) /* after so long none counts */

/* How long after the last one a start has its turn, when so many have come to nothing. */
uint64_t starts_pause(unsigned count);

/* As a service: waits for its turn, and leaves the mark. */
void starts_begin(const char *instance);

/* As a service: it could not start, and this is why. */
void starts_failed(const char *instance, const char *why);

/* It is ready. */
void starts_ready(const char *instance);

/* An orderly end, or one after which systemd does not try again. */
void starts_end(const char *instance);
