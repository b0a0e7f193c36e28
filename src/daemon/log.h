/* SPDX-License-Identifier: MIT
 *
 * The log: entries go to the journal from a thread of their own.
 *
 * Sending to the journal blocks while journald is stopped or slow; the daemon must not. So there is
 * one thread that sends, and in front of it:
 *
 *   - acknowledgements, in the state file (acklog.h): bounded, and nothing is ever dropped;
 *   - what nobody has acknowledged (untold.h), there, too: an entry a second, which tells of all;
 *   - all other events, in memory, EVENTS_WAITING_MAX at most: when the journal does not read for
 *     so long that they do not fit, they are counted by kind, and the count is logged. Those that
 *     wait are counted in the state (tally.h): if the daemon ends first, the next one logs that.
 *
 * All functions are for the daemon's thread.
 */
#pragma once

#include "daemon/budget.h"
#include "daemon/entry.h"
#include "daemon/state.h"

#define EVENTS_WAITING_MAX 1024

/*
 * Acknowledgements that are sent: so many at once, and so many a second, as a multiple of what one
 * session may have logged (budget.h); whatever comes, those that are more wait, and become ranges.
 * Of anonymous clients, whom nobody can tell apart, all together have as many as one session.
 */
#define LOG_BURST BUDGET_ALL_BURST
#define LOG_RATE  (2 * BUDGET_ALL_RATE)

struct conf;
struct log;

struct log_options {
    const char *instance;
    enum sink sink;
    struct state *state; /* outlives the log */
};

int log_new(const struct log_options *options, struct log **ret);

/* Settings that a reload may change. */
void log_configure(struct log *log, const struct conf *conf);

/* What all further entries say of the segment; id -1: there is none. */
void log_segment(struct log *log, uint32_t key, int id);

/* Queues an entry, with what every entry has; takes it over (NULL is taken, too). */
void log_event(struct log *log, struct entry *entry);

/* Counts an entry that is not made: how many there were is logged, at most once a second. */
void log_left_out(struct log *log, enum event event);

/*
 * Queues an acknowledgement. Once this returns, no death of the daemon can lose it. It is sent once
 * the log is woken, which takes longer than anything else: time for that is when nobody waits.
 */
void log_acknowledgement(struct log *log, const struct ack *ack);
void log_wake(struct log *log);

/* Queues that these records were let go. No death of the daemon can lose it, either. */
void log_let_go(struct log *log, uint64_t first, uint64_t last, enum unread_why why);

/*
 * The log leaves the state alone, until log_go_on(). False: it is in the midst of sending, and did
 * not come to an end within a moment.
 */
bool log_pause(struct log *log);
void log_go_on(struct log *log);

/*
 * Sends what waits, for at most `timeout_usec`, and not longer than the journal goes on to take an
 * entry each `patience_usec`; and ends. 1 if everything was sent; 0: what was not stays in the
 * state; -ETIMEDOUT: its thread hangs, and still uses the state.
 */
int log_close(struct log *log, uint64_t timeout_usec, uint64_t patience_usec);

/* Adds what every entry has. */
void entry_describe(struct entry *entry, const char *instance, sd_id128_t epoch);
