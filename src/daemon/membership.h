/* SPDX-License-Identifier: MIT
 *
 * Who is a subscriber or a publisher: how they come, come back, and go.
 *
 * Each has a cursor in the state from before it has its WELCOME until it is gone for good. A daemon
 * that finds cursors at its start finds the sessions that go with them, too, if systemd kept them;
 * if not, they are away, and when a client says in its HELLO which session it goes on from, that
 * one ends where the new one begins.
 */
#pragma once

#include "daemon/manager.h"

struct inherited;

/* With all that may fail before anything is known of the segment. The socket is taken over. */
int membership_open(struct manager *manager, int fd);

/* The segment is there: the sessions of an earlier daemon go on. */
int membership_restore(struct manager *manager, struct inherited *inherited);

/* After a start and a reload. */
void membership_configure(struct manager *manager);

/* Another segment takes the place of this one: its subscribers are told, and expected back. */
void membership_send_away(struct manager *manager);

/* Closes the socket. `forget`: all sessions end, for good. */
void membership_close(struct manager *manager, bool forget);
