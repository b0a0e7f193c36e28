/* SPDX-License-Identifier: MIT
 *
 * Ending by a signal as by a count that was reached: what was handed over is acknowledged, and the
 * exit status says whether anything was lost.
 */
#pragma once

#include <stdbool.h>

/* From now on SIGINT, SIGTERM and SIGHUP interrupt a wait, and are only noted; the second one
 * ends the program at once. */
void stop_catch(void);

/* Has one come? */
bool stop_wanted(void);
