/* SPDX-License-Identifier: MIT
 *
 * What systemd is told (sd_notify(3)), without waiting for it.
 *
 * PID 1 may be busy for seconds, and everybody may write to its socket; sd_notify(3) waits for as
 * long as there is no room. Here, what finds no room waits in a queue, and a thread waits for it. A
 * newer message takes the place of one about the same that still waits: of two states only the last
 * one is told, and of descriptors that were to be kept and are to be forgotten, nothing but that.
 *
 * Descriptors in the queue are copies. Only so many messages with some may wait; whoever has one
 * more tries again later. So what waits is bounded: by the names of what systemd already keeps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFIER_TEXT_MAX   2048 /* bytes of a message, with a NUL */
#define NOTIFIER_FDS_MAX    5    /* in a message */
#define NOTIFIER_STORES_MAX 64   /* messages with descriptors that wait */

struct notifier;

/* *ret is NULL where nobody wants to know ($NOTIFY_SOCKET); all functions take that. */
int notifier_new(struct notifier **ret);

/* "STATUS=…" */
void notifier_tell(struct notifier *notifier, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* WATCHDOG=1, ahead of what waits. */
void notifier_feed_watchdog(struct notifier *notifier);

/*
 * Has descriptors kept under a name, whoever hangs up. False: not now, as too much waits already,
 * or memory or descriptors are short.
 */
bool notifier_keep(struct notifier *notifier, const char *name, const int *fds, size_t count);

/* Has all descriptors of that name forgotten. */
void notifier_forget(struct notifier *notifier, const char *name);

/* Messages that are not sent yet. */
size_t notifier_waiting(struct notifier *notifier);

/* Waits until descriptors may be kept again; false: not before that time. */
bool notifier_await_room(struct notifier *notifier, uint64_t until_usec);

/* Sends what waits, for so long at most; what does not get away ends with the process. NULL. */
struct notifier *notifier_close(struct notifier *notifier, uint64_t timeout_usec);
