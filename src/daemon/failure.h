/* SPDX-License-Identifier: MIT
 *
 * What the daemon could not have: in words, that say where it was wanted, why it is not there and
 * what to do; and as the exit status of a start.
 *
 * All texts are the caller's to free; NULL without memory.
 */
#pragma once

#include "segment/segment.h"

/*
 * EX_OSERR for what passes by itself, so that another start may have it; EX_NOPERM for what this
 * user may not; EX_UNAVAILABLE for all that somebody has to mend first.
 */
int failure_status(int error);

/* Another shmd serves the key; `pid` is 0 if nobody knows which. */
char *describe_rival(uint32_t key, pid_t pid);

/* No segment. */
char *describe_failure(const struct segment_spec *spec, int error,
                       const struct segment_stat *holder);

/* No state file. `path` may be NULL. */
char *describe_state_failure(const char *path, int error);

/* No socket. */
char *describe_socket_failure(const char *path, int error);
