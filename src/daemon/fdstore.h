/* SPDX-License-Identifier: MIT
 *
 * What systemd keeps for us while we are dead: the listening socket, whoever made it, and the
 * descriptors of every session. A daemon that is killed takes nothing with it; the next one gets
 * them all back, and a client notices a pause.
 *
 * The descriptors of a session have one name, "session-N", and are told apart by what they are.
 * systemd keeps a connection whose other end has hung up, too: to close it may take time
 * (disposal.h), which is the next daemon's to wait for, and not systemd's.
 *
 * Without systemd nothing is kept, and clients connect again.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/notifier.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is kept of a session. */
enum kept {
    KEPT_SOCKET,
    KEPT_PAGE,
    KEPT_DOORBELL,
    KEPT_CLIENT_DOORBELL,
    KEPT_QUEUE, /* publisher */
    KEPT_FDS,
};

/* The listening socket, where there is no socket unit. False: nobody keeps it. */
bool fdstore_keep_listener(struct notifier *notifier, int fd);
void fdstore_forget_listener(struct notifier *notifier);

/* Those that the session does not have are -1. False: not now, see notifier_keep(). */
bool fdstore_keep(struct notifier *notifier, uint32_t session, const int fds[KEPT_FDS]);
void fdstore_forget(struct notifier *notifier, uint32_t session);

/* What we were given at the start. */
struct inherited;

/* Once in the life of a process. */
int inherited_new(struct inherited **ret);

/*
 * The caller's to close; -1: there is none. *ret_own: one that a daemon before us has made. Where
 * there is a socket unit, its socket is the right one.
 */
int inherited_take_listener(struct inherited *inherited, bool *ret_own);

/* Those of a session, the caller's to close; missing ones are -1. False: there are none. */
bool inherited_take_session(struct inherited *inherited, uint32_t session, int ret_fds[KEPT_FDS]);

/*
 * Has systemd forget what nobody took; not before all is there that goes on with the rest. A start
 * that fails forgets nothing: the next one finds it all again.
 */
void inherited_forget(const struct inherited *inherited, struct notifier *notifier);

/* The next connection that nobody took, the caller's to close; -1: there is none. */
int inherited_take_connection(struct inherited *inherited);

/* Closes what nobody took. */
struct inherited *inherited_free(struct inherited *inherited);

DEFINE_CLEANUP(struct inherited, inherited_free)
