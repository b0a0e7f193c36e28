/* SPDX-License-Identifier: MIT
 *
 * Where a record ends in what was read, and where the next one begins: pure.
 */
#pragma once

#include "client/options.h"

#include <stddef.h>

struct frame {
    const char *record;
    size_t length;
    size_t taken; /* of what was read, with what frames the record */
};

enum frame_found {
    FRAME_NONE, /* not yet: more has to be read */
    FRAME_RECORD,
    FRAME_TOO_LONG, /* it is longer than `longest`, or will be */
    FRAME_CUT,      /* the input ends in the middle of a record */
};

/*
 * Looks for the next record in the `length` bytes at hand; `ended`: there are no more to come. In
 * the first `searched` of them none ends: a long one is not looked through anew for each of its
 * parts.
 */
enum frame_found frame_find(enum framing framing, const char *bytes, size_t length, size_t searched,
                            bool ended, size_t longest, struct frame *ret);
