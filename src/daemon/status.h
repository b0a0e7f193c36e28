/* SPDX-License-Identifier: MIT
 *
 * How the daemon is: one line for systemd, one JSON document for whoever asks through the socket.
 * Both say the same.
 */
#pragma once

#include "daemon/manager.h"

/* The timer. */
int status_new(struct manager *manager);

/* Sends STATUS= if it has changed. */
void status_notify(struct manager *manager);

/* Something may have changed: the same at once, or STATUS_USEC after the last time. */
void status_refresh(struct manager *manager, uint64_t now);

/*
 * The caller's to free; NULL without memory. Everybody is told the totals and his own sessions;
 * other users' sessions only root and the daemon's own user.
 */
char *status_json(const struct manager *manager, const struct session *asker);
