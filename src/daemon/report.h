/* SPDX-License-Identifier: MIT
 *
 * The words of the log: what each event says, in one place.
 */
#pragma once

#include "daemon/manager.h"

/* An entry for which there is no manager and no log yet: sent at once. */
void report_early(const char *instance, enum event event, const char *message);

/* It cannot start, and leaves the cause for those who find nobody (starts.h). */
void report_unstarted(struct manager *manager, enum event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * `held`: what was found: the records of a ring, with which nobody can go on, or the one of a plain
 * segment, which goes on where that is adopted.
 */
void report_epoch(struct manager *manager, enum history history, const struct segment_records *held,
                  bool adopted);
void report_started(struct manager *manager);
void report_stopped(struct manager *manager, bool kept);

/* It ends for an error that passes. */
void report_gave_up(struct manager *manager, int error);

void report_segment(struct manager *manager, enum segment_origin origin, int old_id);
void report_touch_failed(struct manager *manager, int error);
void report_removed(struct manager *manager, uint32_t key, int id);
void report_lost(struct manager *manager);

/* The state file was removed. `error`: it cannot be made anew; 0: it was. */
void report_state_lost(struct manager *manager, int error);

/* Another shmd serves the key; `pid` is 0 if nobody knows which. */
void report_rival(struct manager *manager, uint32_t key, pid_t pid);

/* What may become of the segment, or of its key, without anybody's ill will. */
void report_survives_nobody(struct manager *manager);
void report_unlocked(struct manager *manager, int error);

/* It could not be had: segment-foreign or segment-failed. Returns the exit status. */
int report_failed(struct manager *manager, const struct segment_spec *spec, int error,
                  const struct segment_stat *holder);

/* Of its `length` bytes, `shown` are at hand. `publisher`: who pushed it; NULL: nobody. */
void report_rejected(struct manager *manager, const struct session *publisher,
                     const char *objection, size_t length, const char *record, size_t shown);
void report_source_failed(struct manager *manager, const char *reason);
void report_source_ended(struct manager *manager, const char *reason);

/* A line of a source's program, of any bytes. */
void report_source_said(struct manager *manager, const char *line, size_t length);

/* Counts, and logs at most once in a while. */
void report_scribbled(struct manager *manager);

/* Another daemon listens on our socket: there will be no sessions. */
void report_socket_taken(struct manager *manager);

/* Its name is gone. 0: it is made anew; else why it is not. */
void report_socket_lost(struct manager *manager, int error);

void report_session_started(struct manager *manager, const struct session *session);
void report_session_ended(struct manager *manager, const struct session *session,
                          enum session_reason reason, int error);
/* It is away, and its lease is over. */
void report_session_late(struct manager *manager, const struct session *session);
/* It claims to have lost more than the log knows. */
void report_session_lost(struct manager *manager, struct session *session);

void report_reload(struct manager *manager, enum event event, const char *message);
