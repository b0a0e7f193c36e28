/* SPDX-License-Identifier: MIT
 *
 * The log. Every acknowledged record is covered by exactly one entry, whose number has no gap; and
 * no state of the journal delays the daemon or makes it drop anything.
 */
#include "daemon/ackentry.h"
#include "daemon/log.h"

#include "base/clock.h"
#include "conf/conf.h"
#include "mock.h"
#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RATE 10000

struct fixture {
    char *directory;
    struct conf *conf;
    struct state *state;
    struct log *log;
};

static struct log *log_start_with(struct fixture *f, enum sink sink)
{
    struct log_options options = {.instance = "unit", .sink = sink, .state = f->state};
    struct log *log = NULL;

    return log_new(&options, &log) == 0 ? log : NULL;
}

static struct log *log_start(struct fixture *f)
{
    return log_start_with(f, SINK_JOURNAL);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    enum history history;
    pid_t pid;

    if (!f) {
        return -1;
    }
    *state = f;
    mock_journal_reset();
    f->directory = private_directory_new();
    if (!f->directory || setenv("RUNTIME_DIRECTORY", f->directory, 1) < 0 ||
        conf_new(&f->conf) < 0) {
        return -1;
    }
    f->conf->path = strdup("/etc/unit.conf");
    if (state_open(f->conf, &f->state, &history, &pid) < 0) {
        return -1;
    }
    f->log = log_start(f);
    if (!f->log) {
        return -1;
    }
    log_segment(f->log, 0x162e, 42);
    return 0;
}

static bool close_log(struct fixture *f)
{
    return log_close(take(f->log), PATIENCE_USEC, PATIENCE_USEC) > 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_journal_reset();
    if (f->log) {
        (void)close_log(f);
    }
    f->state = state_free(f->state);
    f->directory = private_directory_free(f->directory);
    f->conf = conf_free(f->conf);
    free(f);
    return 0;
}

/* By a session, or (0) by an anonymous client. */
static void acknowledge_in(struct fixture *f, uint64_t record, uint32_t session)
{
    struct ack ack = {.record_first = record,
                      .record_last = record,
                      .records = 1,
                      .bytes = 26,
                      .latency_usec = 400,
                      .key = 0x162e,
                      .segment_id = 42,
                      .pid = 4242,
                      .session = session,
                      .verified = session > 0};

    log_acknowledgement(f->log, &ack);
    log_wake(f->log);
}

static void acknowledge(struct fixture *f, uint64_t record)
{
    acknowledge_in(f, record, 0);
}

/* The acknowledgements that have arrived cover first…last, each record once and in order. */
static void assert_covered(uint64_t first, uint64_t last, uint64_t first_sequence)
{
    uint64_t next = first, sequence = first_sequence, bytes = 0;

    for (size_t i = 0; i < mock_journal_count(); i++) {
        if (strcmp(mock_journal_field(i, "SHMD_EVENT"), "acknowledged") != 0) {
            continue;
        }
        assert_int_equal(mock_journal_number(i, "SHMD_ACK_SEQ"), sequence);
        assert_int_equal(mock_journal_number(i, "SHMD_RECORD_FIRST"), next);
        next = mock_journal_number(i, "SHMD_RECORD_LAST") + 1;
        assert_int_equal(next - mock_journal_number(i, "SHMD_RECORD_FIRST"),
                         mock_journal_number(i, "SHMD_RECORDS"));
        bytes += mock_journal_number(i, "SHMD_BYTES");
        sequence++;
    }
    assert_int_equal(next, last + 1);
    assert_int_equal(bytes, 26 * (last - first + 1));
}

static void assert_field(size_t i, const char *name, const char *value)
{
    assert_non_null(mock_journal_field(i, name));
    assert_string_equal(mock_journal_field(i, name), value);
}

/* MESSAGE, MESSAGE_ID, PRIORITY, SYSLOG_IDENTIFIER, SHMD_EVENT, _INSTANCE, _EPOCH, _KEY: in all. */
static void assert_common_fields(struct fixture *f, size_t i)
{
    char epoch[SD_ID128_STRING_MAX];

    assert_non_null(mock_journal_field(i, "MESSAGE"));
    assert_non_null(mock_journal_field(i, "MESSAGE_ID"));
    assert_non_null(mock_journal_field(i, "PRIORITY"));
    assert_non_null(mock_journal_field(i, "SHMD_EVENT"));
    assert_field(i, "SYSLOG_IDENTIFIER", "shmd"); /* what journalctl -t looks for */
    assert_field(i, "SHMD_INSTANCE", "unit");
    assert_field(i, "SHMD_EPOCH", sd_id128_to_string(f->state->file->epoch, epoch));
    assert_field(i, "SHMD_KEY", "0x0000162e");
}

/* --- entries --- */

static void an_event_has_what_every_entry_has(void **state)
{
    struct fixture *f = *state;

    log_event(f->log, entry_new(EVENT_SCRIBBLED, "somebody wrote"));
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 1);
    assert_common_fields(f, 0);
    assert_field(0, "MESSAGE", "somebody wrote");
    assert_field(0, "SHMD_SHMID", "42");
}

static void without_a_segment_an_entry_names_none(void **state)
{
    struct fixture *f = *state;

    log_segment(f->log, 0x162e, -1);
    log_event(f->log, entry_new(EVENT_STARTED, "no segment yet"));
    assert_true(close_log(f));
    assert_common_fields(f, 0);
    assert_null(mock_journal_field(0, "SHMD_SHMID"));
}

/* Its fields say who, what, how fast. */
static void an_acknowledgement_has_its_fields(void **state)
{
    struct fixture *f = *state;

    acknowledge(f, 7);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 1);
    assert_common_fields(f, 0);
    assert_field(0, "MESSAGE",
                 "anonymous client (pid 4242, unverified) acknowledged record 7 (26 bytes) after "
                 "0.4 ms");
    assert_field(0, "SHMD_EVENT", "acknowledged");
    assert_field(0, "PRIORITY", "6");
    assert_field(0, "SHMD_SHMID", "42");
    assert_field(0, "SHMD_ACK_SEQ", "1");
    assert_field(0, "SHMD_RECORD_FIRST", "7");
    assert_field(0, "SHMD_RECORD_LAST", "7");
    assert_field(0, "SHMD_RECORDS", "1");
    assert_field(0, "SHMD_BYTES", "26");
    assert_field(0, "SHMD_CLIENT_PID", "4242");
    assert_field(0, "SHMD_CLIENT_VERIFIED", "no");
    assert_field(0, "SHMD_LATENCY_USEC", "400");
    /* "nobody knows them" */
    assert_null(mock_journal_field(0, "SHMD_CLIENT_UID"));
    assert_null(mock_journal_field(0, "SHMD_CLIENT_NAME"));
}

static void a_range_says_that_there_were_several(void **state)
{
    struct ack ack = {
        .record_first = 7, .record_last = 19, .records = 13, .bytes = 338, .pid = 4242};
    CLEANUP(entry_free_cleanup) struct entry *entry = ackentry_new(&ack, 3, "alice");

    (void)state;
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_int_equal(strncmp(mock_journal_field(0, "MESSAGE"),
                             "anonymous clients (last pid 4242, unverified) acknowledged records "
                             "7-19 (338 bytes)",
                             81),
                     0);
    assert_field(0, "SHMD_RECORDS", "13");
}

static void one_byte_is_said_as_such(void **state)
{
    struct ack ack = {.record_first = 7, .record_last = 7, .records = 1, .bytes = 1, .pid = 4242};
    CLEANUP(entry_free_cleanup) struct entry *entry = ackentry_new(&ack, 3, NULL);

    (void)state;
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_field(0, "MESSAGE",
                 "anonymous client (pid 4242, unverified) acknowledged record 7 (1 byte) after 0.0 "
                 "ms");
}

/* A subscriber that was overtaken in between has acknowledged fewer than from first to last. */
static void a_range_says_what_was_lost_of_it(void **state)
{
    struct ack ack = {.record_first = 7,
                      .record_last = 19,
                      .records = 3,
                      .bytes = 78,
                      .latency_usec = 400,
                      .session = 5,
                      .pid = 4242,
                      .uid = 1000,
                      .verified = true};
    CLEANUP(entry_free_cleanup) struct entry *entry = ackentry_new(&ack, 3, "alice");

    (void)state;
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_field(0, "MESSAGE",
                 "alice (uid 1000, pid 4242) acknowledged records 7-19 but for 10 lost (78 bytes), "
                 "the last one after 0.4 ms");
    assert_field(0, "SHMD_RECORDS", "3");
    assert_field(0, "SHMD_LOST", "10");
}

static void an_unknown_pid_is_no_field(void **state)
{
    struct ack ack = {.record_first = 7, .record_last = 7, .records = 1, .bytes = 26};
    CLEANUP(entry_free_cleanup) struct entry *entry = ackentry_new(&ack, 1, "alice");

    (void)state;
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_non_null(strstr(mock_journal_field(0, "MESSAGE"), "(pid unknown, unverified)"));
    assert_null(mock_journal_field(0, "SHMD_CLIENT_PID"));
}

static void entries_of_a_kind_come_in_order(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 100; i++) {
        log_event(f->log, entry_new(EVENT_SCRIBBLED, "%u", i));
        acknowledge(f, i + 1);
    }
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 200);
    assert_covered(1, 100, 1);
    for (unsigned i = 0, event = 0; i < 200; i++) {
        if (strcmp(mock_journal_field(i, "SHMD_EVENT"), "scribbled") == 0) {
            assert_int_equal(mock_journal_number(i, "MESSAGE"), event++);
        }
    }
}

static void configure(struct fixture *f, uint64_t level, uint64_t queue, uint64_t rate)
{
    const struct conf conf = {.log_level = level, .log_queue = queue, .log_rate = rate};

    log_configure(f->log, &conf);
}

/* "Least priority that is logged; acknowledgements are logged always." */
static void the_level_filters_events_but_never_acknowledgements(void **state)
{
    struct fixture *f = *state;

    configure(f, LOG_ERR, ACKLOG_ENTRIES, RATE);
    log_event(f->log, entry_new(EVENT_STARTED, "a notice"));
    log_event(f->log, entry_new(EVENT_SCRIBBLED, "a warning"));
    log_event(f->log, entry_new(EVENT_SEGMENT_FAILED, "an error"));
    log_event(f->log, NULL);
    acknowledge(f, 1);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 2);
    assert_true(mock_journal_find("segment-failed") >= 0);
    assert_true(mock_journal_find("acknowledged") >= 0);
}

/* --- a journal that fails, or does not read --- */

/* While the sockets of the journal are stopped: -ECONNREFUSED. */
static void what_the_journal_refuses_is_sent_again(void **state)
{
    struct fixture *f = *state;

    mock_journal_fail(-ECONNREFUSED, 2);
    log_event(f->log, entry_new(EVENT_STARTED, "once"));
    acknowledge(f, 1);
    assert_true(mock_journal_wait(2));
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 2);
    assert_int_equal(mock_journal_tries(), 4);
    assert_covered(1, 1, 1);
}

/* If it would block, this program would not end: there is nothing to measure. */
static void a_journal_that_blocks_does_not_block_us(void **state)
{
    struct fixture *f = *state;

    mock_journal_block(true);
    log_event(f->log, entry_new(EVENT_STARTED, "first"));
    assert_true(mock_journal_wait_blocked());
    for (unsigned i = 1; i <= 500; i++) {
        log_event(f->log, entry_new(EVENT_SCRIBBLED, "%u", i));
        acknowledge(f, i);
    }
    assert_int_equal(mock_journal_count(), 0);
    mock_journal_block(false);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 1001);
    assert_covered(1, 500, 1);
}

/* "when the queue is full, ranges grow instead of entries being dropped" */
static void a_full_queue_grows_ranges_and_drops_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t record = 0;

    configure(f, LOG_INFO, 4, RATE);
    for (unsigned round = 0; round < 5; round++) {
        mock_journal_block(true);
        acknowledge(f, ++record);
        assert_true(mock_journal_wait_blocked());
        while (record % 1000 != 0) {
            acknowledge(f, ++record);
        }
        assert_in_range(acklog_waiting(&f->state->file->acklog), 1, 4);
        mock_journal_block(false);
    }
    assert_true(close_log(f));
    assert_covered(1, 5000, 1);
    assert_in_range(mock_journal_count(), 2, 25);
}

/* As many as there may be at once, one by one, and 5,000 more: how many these are in all. */
static uint64_t acknowledge_many(struct fixture *f, size_t burst, uint32_t session)
{
    uint64_t record = 0;

    while (mock_journal_count() < burst) {
        acknowledge_in(f, ++record, session);
        assert_true(mock_journal_wait((size_t)(record < burst ? record : burst)));
    }
    for (int i = 0; i < 5000; i++) {
        acknowledge_in(f, ++record, session);
    }
    assert_true(mock_journal_wait(burst + 1)); /* from then on, there is a debt */
    acknowledge_in(f, ++record, session);
    assert_in_range(acklog_waiting(&f->state->file->acklog), 0, 4);
    return record;
}

/* Whoever acknowledges how much: beyond the burst, the rest waits for its time, or for the end. */
static void more_than_the_rate_wait_and_become_ranges(void **state)
{
    struct fixture *f = *state;
    uint64_t records;

    configure(f, LOG_INFO, 4, 1);
    records = acknowledge_many(f, LOG_BURST, 7);
    assert_true(close_log(f));
    assert_covered(1, records, 1);
    assert_in_range(mock_journal_count(), LOG_BURST, LOG_BURST + 1000);
}

/* Nobody can tell them apart; and they do not keep the others waiting for long. */
static void anonymous_clients_together_have_what_one_session_has(void **state)
{
    struct fixture *f = *state;
    uint64_t records;

    configure(f, LOG_INFO, ACKLOG_ENTRIES, 1);
    records = acknowledge_many(f, BUDGET_SESSION_BURST, 0);
    acknowledge_in(f, records + 1, 7);
    assert_int_equal(acklog_newest(&f->state->file->acklog)->session, 7);
    assert_in_range(acklog_waiting(&f->state->file->acklog), 0, 4);
    assert_true(close_log(f));
    assert_covered(1, records + 1, 1);
    assert_in_range(mock_journal_count(), BUDGET_SESSION_BURST, BUDGET_SESSION_BURST + 1000);
}

/* "when the journal does not read for so long that they do not fit, they are counted by kind" */
static void events_that_do_not_fit_are_counted_and_reported(void **state)
{
    struct fixture *f = *state;
    int first;

    mock_journal_block(true);
    log_event(f->log, entry_new(EVENT_STARTED, "being sent"));
    assert_true(mock_journal_wait_blocked());
    for (unsigned i = 0; i < EVENTS_WAITING_MAX; i++) {
        log_event(f->log, entry_new(EVENT_SEGMENT_CREATED, "%u", i));
    }
    for (unsigned i = 0; i < 7; i++) {
        log_event(f->log, entry_new(EVENT_SCRIBBLED, "too many"));
        log_event(f->log, entry_new(EVENT_RECORD_REJECTED, "too many"));
    }
    log_event(f->log, entry_new(EVENT_RECORD_REJECTED, "too many"));
    mock_journal_block(false);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 1 + EVENTS_WAITING_MAX + 2);
    assert_int_equal(mock_journal_find("scribbled"), -1);
    first = mock_journal_find("entries-left-out");
    assert_int_equal(first, 1 + EVENTS_WAITING_MAX);
    for (size_t i = (size_t)first; i < (size_t)first + 2; i++) {
        bool scribbled = strcmp(mock_journal_field(i, "SHMD_LEFT_OUT_EVENT"), "scribbled") == 0;

        assert_field(i, "SHMD_EVENT", "entries-left-out");
        assert_field(i, "SHMD_LEFT_OUT_EVENT", scribbled ? "scribbled" : "record-rejected");
        assert_field(i, "SHMD_LEFT_OUT", scribbled ? "7" : "8");
    }
}

/* "Every entry: MESSAGE, … SHMD_KEY": the one that the log makes itself, too. */
static void a_count_of_left_out_events_has_what_every_entry_has(void **state)
{
    struct fixture *f = *state;

    mock_journal_block(true);
    log_event(f->log, entry_new(EVENT_STARTED, "being sent"));
    assert_true(mock_journal_wait_blocked());
    for (unsigned i = 0; i <= EVENTS_WAITING_MAX; i++) {
        log_event(f->log, entry_new(EVENT_SCRIBBLED, "%u", i));
    }
    mock_journal_block(false);
    assert_true(close_log(f));
    assert_common_fields(f, (size_t)mock_journal_find("entries-left-out"));
}

/* --- the end --- */

static bool closes_in_time(struct fixture *f, bool block, bool patient)
{
    uint64_t start = clock_usec();
    bool closed;

    if (block) {
        mock_journal_block(true);
    } else {
        mock_journal_fail(-ECONNREFUSED, 1000000);
    }
    acknowledge(f, 1);
    acknowledge(f, 2);
    if (block && !mock_journal_wait_blocked()) {
        return false;
    }
    closed = log_close(f->log, patient ? 100 * USEC_PER_MSEC : PATIENCE_USEC,
                       patient ? PATIENCE_USEC : 100 * USEC_PER_MSEC) > 0;
    /* "what was not stays in the state" */
    return !closed && clock_usec() - start < PATIENCE_USEC &&
           acklog_waiting(&f->state->file->acklog) == 2;
}

/*
 * "Sends what waits, for at most `timeout_usec`, and not longer than the journal goes on to take an
 * entry each `patience_usec`; and ends." In a child: a thread that hangs in the
 * journal goes down with its process.
 */
static void a_journal_that_never_reads_does_not_stop_the_end(void **state)
{
    struct fixture *f = *state;
    pid_t pid;

    assert_true(close_log(f));
    for (unsigned i = 0; i < 4; i++) {
        bool block = i & 1, patient = i & 2;

        pid = child_start();
        if (pid == 0) {
            struct log_options options = {
                .instance = "unit", .sink = SINK_JOURNAL, .state = f->state};

            memset(&f->state->file->acklog, 0, sizeof(f->state->file->acklog));
            _exit(log_new(&options, &f->log) == 0 && closes_in_time(f, block, patient) ? 0 : 1);
        }
        assert_int_equal(child_wait(pid), 0);
    }
    /* The next daemon sends them. */
    f->log = log_start(f);
    assert_non_null(f->log);
    acknowledge(f, 3);
    assert_true(close_log(f));
    assert_covered(1, 3, 1);
}

/* "True if everything was sent" */
static void an_event_that_could_not_be_sent_is_not_everything(void **state)
{
    struct fixture *f = *state;

    mock_journal_fail(-ECONNREFUSED, 1000000);
    log_event(f->log, entry_new(EVENT_STOPPED, "stopped"));
    assert_false(close_log(f));
    assert_int_equal(mock_journal_count(), 0);
}

/* Without the journal, the same: a disk is full. */
static void what_standard_error_does_not_take_is_not_lost(void **state)
{
    struct fixture *f = *state;
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];
    char text[1024] = "";

    assert_true(close_log(f));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(dup2(full, STDERR_FILENO) >= 0);
    f->log = log_start_with(f, SINK_STDERR);
    acknowledge(f, 1);
    acknowledge(f, 2);
    assert_false(close_log(f));
    assert_int_equal(acklog_waiting(&f->state->file->acklog), 2);
    f->log = log_start_with(f, SINK_STDERR);
    acknowledge(f, 3);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0); /* there is room again */
    assert_true(close_log(f));
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    for (const char *record = "123", *at = text; *record; record++) {
        at = strstr(at, "acknowledged record ");
        assert_non_null(at);
        at += strlen("acknowledged record ");
        assert_int_equal(*at, *record);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(full);
    (void)close(kept);
}

/* What nobody has acknowledged: what the journal did not take, the next daemon tells, and once. */
static void what_was_let_go_is_told_by_the_next_daemon(void **state)
{
    struct fixture *f = *state;
    uint64_t records = 0;

    log_let_go(f->log, 1, 10, UNREAD_LEFT_BEHIND);
    assert_true(mock_journal_wait(1));
    mock_journal_fail(-ECONNREFUSED, UINT_MAX);
    log_let_go(f->log, 11, 20, UNREAD_LEFT_BEHIND);
    assert_false(close_log(f));
    f->log = log_start(f);
    log_let_go(f->log, 21, 25, UNREAD_REMOVED);
    mock_journal_fail(0, 0);
    assert_true(close_log(f));
    for (size_t i = 0; i < mock_journal_count(); i++) {
        assert_string_equal(mock_journal_field(i, "SHMD_EVENT"), "records-unread");
        records += mock_journal_number(i, "SHMD_RECORDS");
    }
    assert_int_equal(records, 25);
}

/* How many entries of this event were left out, the journal says. */
static unsigned long long left_out_of(const char *event)
{
    unsigned long long count = 0;

    for (size_t i = 0; i < mock_journal_count(); i++) {
        const char *of = mock_journal_field(i, "SHMD_LEFT_OUT_EVENT");

        count += of && strcmp(of, event) == 0 ? mock_journal_number(i, "SHMD_LEFT_OUT") : 0;
    }
    return count;
}

/* They waited in memory; and so did the count of those for which there was no room. */
static void events_that_went_with_the_daemon_are_counted_by_the_next(void **state)
{
    struct fixture *f = *state;

    mock_journal_fail(-ECONNREFUSED, UINT_MAX);
    log_event(f->log, entry_new(EVENT_SCRIBBLED, "one"));
    log_event(f->log, entry_new(EVENT_SEGMENT_LOST, "two"));
    log_event(f->log, entry_new(EVENT_SCRIBBLED, "three"));
    log_left_out(f->log, EVENT_SOURCE_SAID);
    for (int i = 0; i < 3; i++) { /* nor do the next ones have a journal */
        assert_false(close_log(f));
        f->log = log_start(f);
    }
    log_event(f->log, entry_new(EVENT_SCRIBBLED, "four"));
    mock_journal_fail(0, 0);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 4);
    assert_int_equal(left_out_of("scribbled"), 2);
    assert_int_equal(left_out_of("segment-lost"), 1);
    assert_int_equal(left_out_of("source-said"), 1);
    assert_true(mock_journal_find("scribbled") >= 0);
    mock_journal_reset();
    f->log = log_start(f);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 0);
}

/* The same of one that was killed. */
static void events_of_a_daemon_that_was_killed_are_counted_by_the_next(void **state)
{
    struct fixture *f = *state;
    pid_t pid;

    assert_true(close_log(f));
    pid = child_start();
    if (pid == 0) {
        f->log = log_start(f);
        mock_journal_block(true);
        for (int i = 0; i < 2 * EVENTS_WAITING_MAX; i++) {
            log_event(f->log, entry_new(EVENT_SCRIBBLED, "%d", i));
        }
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(child_wait(pid), 128 + SIGKILL);
    f->log = log_start(f);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 1);
    assert_int_equal(left_out_of("scribbled"), 2 * EVENTS_WAITING_MAX);
}

static void numbers_go_on_with_the_next_daemon(void **state)
{
    struct fixture *f = *state;

    acknowledge(f, 1);
    acknowledge(f, 2);
    assert_true(close_log(f));
    f->log = log_start(f);
    assert_non_null(f->log);
    acknowledge(f, 3);
    assert_true(close_log(f));
    assert_int_equal(mock_journal_count(), 3);
    assert_covered(1, 3, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-log")
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_has_what_every_entry_has),
        TEST(without_a_segment_an_entry_names_none),
        TEST(an_acknowledgement_has_its_fields),
        TEST(a_range_says_that_there_were_several),
        TEST(one_byte_is_said_as_such),
        TEST(a_range_says_what_was_lost_of_it),
        TEST(an_unknown_pid_is_no_field),
        TEST(entries_of_a_kind_come_in_order),
        TEST(the_level_filters_events_but_never_acknowledgements),
        TEST(what_the_journal_refuses_is_sent_again),
        TEST(a_journal_that_blocks_does_not_block_us),
        TEST(a_full_queue_grows_ranges_and_drops_nothing),
        TEST(more_than_the_rate_wait_and_become_ranges),
        TEST(anonymous_clients_together_have_what_one_session_has),
        TEST(events_that_do_not_fit_are_counted_and_reported),
        TEST(a_count_of_left_out_events_has_what_every_entry_has),
        TEST(a_journal_that_never_reads_does_not_stop_the_end),
        TEST(an_event_that_could_not_be_sent_is_not_everything),
        TEST(what_standard_error_does_not_take_is_not_lost),
        TEST(what_was_let_go_is_told_by_the_next_daemon),
        TEST(events_that_went_with_the_daemon_are_counted_by_the_next),
        TEST(events_of_a_daemon_that_was_killed_are_counted_by_the_next),
        TEST(numbers_go_on_with_the_next_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
