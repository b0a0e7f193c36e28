/* SPDX-License-Identifier: MIT
 *
 * What a state file is, judged before it is mapped, and before anything in it is used: it may be
 * cut, of another version, or from before the machine was started.
 *
 * Whether it is one must be known for certain: a shortage of memory or descriptors says nothing,
 * and is an error.
 */
#pragma once

#include "daemon/state.h"

#define STATE_MAGIC        UINT64_C(0x7374617473686d64) /* "shmdstat" */
#define STATE_VERSION      12
#define STATE_PAGE         ((size_t)4096)
#define STATE_IMAGE_OFFSET ((sizeof(struct state_file) + STATE_PAGE - 1) / STATE_PAGE * STATE_PAGE)
#define STATE_IMAGE_MIN    ((size_t)2)

/* Is this the state of a daemon with that configuration file? 1: it is; 0: no. */
int statefile_belongs_to(int fd, const char *conf_path);

/* Is this a state to go on from? 1: it is; 0: no, and it can be forgotten. */
int statefile_is_sound(int fd);

/* Which boot of the machine this is; all zeros where that is hidden from us. */
int statefile_boot(sd_id128_t *ret);
