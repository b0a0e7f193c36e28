/* SPDX-License-Identifier: MIT
 *
 * Points in time as the command line gives them: the simple forms of what journalctl(1) takes.
 *
 *      2026-11-23   2026-11-23 14:05   2026-11-23 14:05:09      local time
 *      @1763906709   @1763906709.25                             since 1970
 *      now   today   yesterday                                  the latter two: 00:00
 *      -30s   -30min   -1h   -2days   -1week                    before now
 */
#pragma once

#include <stdint.h>

#define WHEN_EXPECTED                                                                              \
    "\"YYYY-MM-DD[ HH:MM[:SS]]\", @SECONDS, now, today, yesterday, or -NUMBER with s, min, h, "    \
    "days or weeks"

/* Microseconds since 1970, seen from `now_usec`. -EINVAL: none of these forms; -ERANGE: too far. */
int when_parse(const char *text, uint64_t now_usec, uint64_t *ret_usec);
