/* SPDX-License-Identifier: MIT
 *
 * Marked steps of the code, for the crash test: places at which dying would matter most.
 *
 *      STEP("publish.committed");
 *
 * says that everything before it has happened and nothing behind it. It is nothing at all
 * unless configured with --enable-crash-steps. Then the environment may name one step at which
 * the process kills itself: SHMD_CRASH_STEP=NAME, or NAME:N for the N-th time that any thread
 * comes by.
 */
#pragma once

#ifdef CRASH_STEPS
void step(const char *name);
#define STEP(name) step(name)
#else
#define STEP(name) ((void)0)
#endif
