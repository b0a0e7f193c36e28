/* SPDX-License-Identifier: MIT
 *
 * A look at the text before libconfig parses it, at what libconfig 1.5 would take silently:
 *
 *   - an integer beyond 32 bits without the suffix L is cut to 32 bits: it gets the suffix here, so
 *     that its value arrives whole and is judged by its range;
 *   - an integer beyond 64 bits is cut too: refused;
 *   - a NUL byte ends the text for libconfig, whatever follows: refused;
 *   - @include would read other files: refused.
 */
#pragma once

#include <stddef.h>

/*
 * Makes the text for libconfig, the caller's to free. -EINVAL with the line and the reason (a
 * static string), -ENOMEM.
 */
int conf_scan(const char *text, size_t length, char **ret, unsigned *ret_line,
              const char **ret_reason);

/* Length of the comment or string that begins here, 0 if none does. */
size_t conf_scan_skip(const char *at);

/* How many letters, digits and others of these there are. */
size_t conf_scan_run(const char *at, const char *others);
