/* SPDX-License-Identifier: MIT
 *
 * The daemon that is measured: the real one ($SHMD, or ./shmd), with a key, a runtime directory and
 * a socket of its own, and its defaults but for what is asked. It logs to the journal; where there
 * is none, to a file.
 */
#pragma once

#include "bench/harness.h"

struct daemon {
    pid_t pid, listener;
    uint32_t key;
    char socket[300];
    uint64_t start_nsec; /* from fork to READY=1 */
};

/* `configuration`: lines of shmd.conf. Pinned to the first processor if `pinned`. */
void daemon_start(struct daemon *daemon, const char *configuration, bool pinned);

/* It must end well. All children end. */
void daemon_stop(struct daemon *daemon);

/* Of its threads: how often they went to sleep, and the processor time of those behind the first,
 * which is what logging takes. */
uint64_t daemon_sleeps(const struct daemon *daemon);
uint64_t daemon_log_nsec(const struct daemon *daemon);

/* Resident memory in KiB, without what it shares with its clients. */
uint64_t daemon_resident_kib(const struct daemon *daemon);

/* Is the journal there? */
bool journal_is_there(void);
