/* SPDX-License-Identifier: MIT
 *
 * Tells another shmd to reload its configuration.
 */
#pragma once

#include <sys/types.h>

/*
 * 0: it was told; what comes of it, its log says. -ESRCH: no process has this id, or one that is no
 * shmd, and that a SIGHUP might end. Others: that could not be found out, or it may not be told.
 */
int hangup_send(pid_t pid);
