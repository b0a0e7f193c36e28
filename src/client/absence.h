/* SPDX-License-Identifier: MIT
 *
 * On a terminal there is somebody who wonders why nothing moves: told when the daemon is away for
 * longer than a restart takes, and when it is back.
 */
#pragma once

#include "client/progress.h"

struct absence {
    uint64_t since_usec; /* 0: it is there */
    bool told;
};

/* Is it away now? To be asked again and again; what is said does not mix with the progress line. */
void absence_tell(struct absence *absence, bool away, struct progress *progress);
