/* SPDX-License-Identifier: MIT
 *
 * A reload that somebody asks for: a process that tells a daemon to reload, and what it is told.
 *
 *      shmd --reload=PID ──SIGHUP──▶ daemon
 *              ▲                       │ how many it was asked for, and has done; why not the last
 *              └── INSTANCE.reload ◀───┘
 *
 * The file is made as a service only (runtime.h). "systemctl reload" waits for it, and fails if the
 * daemon refuses what looked right before.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define HANGUP_REFUSAL_MAX 2048 /* bytes of a message */

/*
 * Tells a daemon to reload, and waits until it has. 0: it is done, or nobody can know (not as a
 * service): then its log tells. -ESRCH: no process has this id, or one that is no shmd, and that a
 * SIGHUP might end. -ECANCELED: it has refused, and `ret_refusal` says why; or it has ended
 * meanwhile. Others: it may not be told.
 */
int hangup_send(pid_t pid, const char *instance, char ret_refusal[HANGUP_REFUSAL_MAX]);

/*
 * What a daemon has to say of it: so many reloads it was asked for, it is done with so many, and
 * the last one was refused because of this; NULL: it was not.
 */
void hangup_answer(const char *instance, uint64_t asked, uint64_t done, const char *refusal);

/* It ends, and answers nobody any more. */
void hangup_end(const char *instance);
