/* SPDX-License-Identifier: MIT */
#include "client/absence.h"
#include "base/clock.h"
#include "client/output.h"

#include <unistd.h>

#define RESTART_USEC USEC_PER_SEC /* a restart is shorter */

static void say(struct progress *progress, const char *text)
{
    progress_clear(progress);
    output_note(text);
}

void absence_tell(struct absence *absence, bool away, struct progress *progress)
{
    uint64_t now = clock_usec();

    if (!away) {
        if (absence->told) {
            say(progress, "the daemon is back");
        }
        *absence = (struct absence){0};
        return;
    }
    if (absence->since_usec == 0) {
        absence->since_usec = now;
    }
    if (!absence->told && now - absence->since_usec >= RESTART_USEC && isatty(STDERR_FILENO)) {
        absence->told = true;
        say(progress, "the daemon is away: waiting until it is back");
    }
}
