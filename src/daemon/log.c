/* SPDX-License-Identifier: MIT */
#include "daemon/log.h"
#include "base/clock.h"
#include "base/step.h"
#include "base/thread.h"
#include "conf/conf.h"
#include "daemon/ackentry.h"

#include <errno.h>
#include <inttypes.h>

#define RETRY_USEC    (USEC_PER_SEC / 10)
#define LEFT_OUT_USEC USEC_PER_SEC /* between two rounds of entries about what was left out */
#define UNTOLD_USEC   USEC_PER_SEC /* between two entries about what nobody has acknowledged */
#define PAUSE_USEC    (10 * USEC_PER_MSEC) /* how long the daemon waits for a pause, at most */

/* So many acknowledgements at once, and then one each `cost` microseconds (budget.h). */
struct pace {
    uint64_t burst, cost;
    uint64_t until; /* those so far have used time up until then */
};

struct log {
    enum sink sink;
    const char *instance;
    sd_id128_t epoch;
    struct state *state;
    pthread_t thread;
    struct users users; /* of that thread */

    /* Of the daemon's thread. */
    int level;
    bool pushed; /* an acknowledgement, and the log's thread may sleep */

    /* What follows, and the queue in the state, is guarded by the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool sending;          /* … what is noted in the state meanwhile */
    bool pausing;          /* it is to leave the state alone */
    pthread_cond_t paused; /* … and does */
    uint32_t key;
    int segment_id;
    bool closing;
    uint64_t sent; /* entries */
    size_t ack_limit;
    struct pace all;            /* acknowledgements that are sent, … */
    struct pace anonymous;      /* … and those of anonymous clients */
    struct entry *first, *last; /* events that wait */
    size_t waiting;
    uint64_t left_out[EVENTS_COUNT]; /* of those that nobody was told of */
    bool leaves_out;                 /* there are some */
    uint64_t left_out_usec;          /* when that was logged last */
    uint64_t untold_due;             /* when the next one of these entries may be sent */
};

/* After something has failed. False: the log is being closed, and the next attempt is the last. */
static bool rest(struct log *log)
{
    struct timespec pause = clock_timespec(RETRY_USEC);
    bool closing;

    (void)nanosleep(&pause, NULL);
    (void)pthread_mutex_lock(&log->mutex);
    closing = log->closing;
    (void)pthread_mutex_unlock(&log->mutex);
    return !closing;
}

/* The mutex is let go of while something is sent that the outbox in the state is about. */
static void begin_sending(struct log *log)
{
    log->sending = true;
    (void)pthread_mutex_unlock(&log->mutex);
}

static void end_sending(struct log *log)
{
    (void)pthread_mutex_lock(&log->mutex);
    log->sending = false;
}

/*
 * Sends one entry, for as long as it takes: an error of the journal's socket passes when journald
 * is back, one of a file when its disk has room. If it does not pass, what waits is bounded, and
 * the next daemon has another standard error. Called without the mutex. False: the log is being
 * closed before it was sent.
 */
static bool send_surely(struct log *log, const struct entry *entry, uint64_t sequence)
{
    bool more = true;

    while (outbox_send(&log->state->file->outbox, entry, sequence, log->sink) < 0) {
        if (!more) {
            return false;
        }
        more = rest(log);
    }
    return true;
}

/* Called with the mutex. */
static void describe_segment(const struct log *log, struct entry *entry)
{
    entry_add(entry, "SHMD_KEY=0x%08" PRIx32, log->key);
    if (log->segment_id >= 0) {
        entry_add(entry, "SHMD_SHMID=%d", log->segment_id);
    }
}

/* The next event that waits, NULL if none does. */
static struct entry *event_take(struct log *log)
{
    struct entry *entry = log->first;

    if (entry) {
        log->first = entry->next;
        log->waiting--;
        return entry;
    }
    if (!log->leaves_out || (!log->closing && clock_usec() - log->left_out_usec < LEFT_OUT_USEC)) {
        return NULL;
    }
    for (size_t i = 0; i < EVENTS_COUNT; i++) {
        if (log->left_out[i] > 0) {
            entry =
                entry_new(EVENT_ENTRIES_LEFT_OUT, "%" PRIu64 " more %s '%s' came than were logged",
                          log->left_out[i], log->left_out[i] == 1 ? "entry" : "entries",
                          event_name((enum event)i));
            if (!entry) { /* there is no memory: later */
                log->left_out_usec = clock_usec();
                return NULL;
            }
            entry->told = (enum event)i;
            entry->times = log->left_out[i];
            entry_add(entry, "SHMD_LEFT_OUT=%" PRIu64, log->left_out[i]);
            entry_add(entry, "SHMD_LEFT_OUT_EVENT=%s", event_name((enum event)i));
            entry_describe(entry, log->instance, log->epoch);
            describe_segment(log, entry);
            log->left_out[i] = 0;
            return entry;
        }
    }
    log->leaves_out = false;
    log->left_out_usec = clock_usec();
    return NULL;
}

/* When one more may be sent. */
static uint64_t pace_due(const struct pace *pace)
{
    uint64_t burst_usec = pace->burst * pace->cost;

    return pace->until < burst_usec ? 0 : pace->until - burst_usec;
}

static void pace_charge(struct pace *pace, uint64_t now)
{
    spent_charge(&pace->until, now, pace->burst * pace->cost, pace->cost);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* When the next acknowledgement may be sent, if there is one; UINT64_MAX: there is none. */
static uint64_t ack_due(const struct log *log)
{
    uint64_t all = pace_due(&log->all), anonymous = pace_due(&log->anonymous);
    uint64_t sequence;
    struct ack ack;

    if (!acklog_peek(&log->state->file->acklog, &ack, &sequence)) {
        return UINT64_MAX;
    }
    if (log->closing) {
        return 0;
    }
    return ack.verified || anonymous < all ? all : anonymous;
}

/* When what nobody has acknowledged may be told; UINT64_MAX: there is nothing. */
static uint64_t untold_due(const struct log *log)
{
    if (untold_is_empty(&log->state->file->untold)) {
        return UINT64_MAX;
    }
    return log->closing ? 0 : log->untold_due;
}

/* Until something changes, or it is time for what waits. */
static void wait_for_change(struct log *log)
{
    uint64_t left_out = log->leaves_out ? log->left_out_usec + LEFT_OUT_USEC : UINT64_MAX;
    uint64_t due = earlier(left_out, earlier(ack_due(log), untold_due(log)));
    struct timespec deadline = clock_timespec(due);

    if (due < UINT64_MAX) {
        (void)pthread_cond_clockwait(&log->changed, &log->mutex, CLOCK_MONOTONIC, &deadline);
    } else {
        (void)pthread_cond_wait(&log->changed, &log->mutex);
    }
}

/*
 * The entry about an acknowledgement, whole: whoever audits the journal misses none of its fields.
 * Called without the mutex. NULL: the log is being closed while there is no memory.
 */
static struct entry *entry_of(struct log *log, const struct ack *ack, uint64_t sequence)
{
    for (bool more = true;; more = rest(log)) {
        CLEANUP(entry_free_cleanup)
        struct entry *entry = ackentry_new(ack, sequence, users_name(&log->users, ack->uid));

        entry_describe(entry, log->instance, log->epoch);
        if (entry && !entry->lacks) {
            return take(entry);
        }
        if (!more) {
            return NULL;
        }
    }
}

/* Sends the next acknowledgement; false if there is none yet, or no sending. */
static bool ack_send(struct log *log)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = NULL;
    uint64_t now = clock_usec();
    uint64_t sequence;
    struct ack ack;
    bool sent;

    if (ack_due(log) > now || !acklog_peek(&log->state->file->acklog, &ack, &sequence)) {
        return false;
    }
    pace_charge(&log->all, now);
    if (!ack.verified) {
        pace_charge(&log->anonymous, now);
    }
    begin_sending(log);
    entry = entry_of(log, &ack, sequence);
    sent = entry && send_surely(log, entry, sequence);
    end_sending(log);
    if (sent) {
        acklog_pop(&log->state->file->acklog);
        STEP("log.popped");
    }
    return sent;
}

/* The same of what nobody has acknowledged. */
static bool untold_send(struct log *log)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = NULL;
    struct untold *untold = &log->state->file->untold;
    struct untold_records about;
    bool sent = false;

    if (untold_due(log) > clock_usec() || !untold_go(untold, &about)) {
        return false;
    }
    entry = ackentry_unread(&about);
    entry_describe(entry, log->instance, log->epoch);
    describe_segment(log, entry);
    begin_sending(log);
    if (entry && !entry->lacks) {
        sent = send_surely(log, entry, OUTBOX_UNTOLD | about.last);
    } else {
        (void)rest(log);
    }
    end_sending(log);
    if (sent) {
        untold_arrived(untold);
        log->untold_due = clock_usec() + UNTOLD_USEC;
    }
    return sent;
}

static bool event_send(struct log *log)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = event_take(log);
    struct tally *tally = &log->state->file->tally;
    uint64_t sequence;
    bool sent;

    if (!entry) {
        return false;
    }
    sequence = tally_sequence(tally, entry->told, entry->times);
    begin_sending(log);
    sent = send_surely(log, entry, sequence);
    end_sending(log);
    if (sent) {
        tally_tell(tally, sequence);
    } else { /* it still waits: log_close() says so */
        entry->next = log->first;
        log->last = log->first ? log->last : entry;
        log->first = take(entry);
        log->waiting++;
    }
    return sent;
}

static void *run(void *argument)
{
    struct log *log = argument;

    (void)pthread_mutex_lock(&log->mutex);
    for (;;) {
        while (log->pausing) {
            (void)pthread_cond_signal(&log->paused);
            (void)pthread_cond_wait(&log->changed, &log->mutex);
        }
        if (event_send(log) || untold_send(log) || ack_send(log)) {
            log->sent++;
            continue;
        }
        if (log->closing) {
            break;
        }
        wait_for_change(log);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return NULL;
}

int log_new(const struct log_options *options, struct log **ret)
{
    CLEANUP(free_cleanup) struct log *log = calloc(1, sizeof(*log));
    int r;

    if (!log) {
        return -ENOMEM;
    }
    log->sink = options->sink;
    log->instance = options->instance;
    log->epoch = options->state->file->epoch;
    log->state = options->state;
    log->key = options->state->file->key;
    log->segment_id = -1;
    log->level = LOG_DEBUG;
    log->ack_limit = ACKLOG_ENTRIES;
    for (size_t i = 0; i < EVENTS_COUNT; i++) { /* what the daemon before us has not told */
        log->left_out[i] = tally_untold(&log->state->file->tally, (enum event)i);
        log->leaves_out |= log->left_out[i] > 0;
    }
    log->all.burst = LOG_BURST;
    log->anonymous.burst = BUDGET_SESSION_BURST;
    r = -pthread_mutex_init(&log->mutex, NULL);
    if (r == 0) {
        r = -pthread_cond_init(&log->changed, NULL);
    }
    if (r == 0) {
        r = -pthread_cond_init(&log->paused, NULL);
    }
    if (r == 0) {
        r = thread_start(&log->thread, NULL, run, log);
    }
    if (r < 0) {
        return r;
    }
    *ret = take(log);
    return 0;
}

void log_configure(struct log *log, const struct conf *conf)
{
    log->level = (int)conf->log_level;
    (void)pthread_mutex_lock(&log->mutex);
    log->ack_limit = conf->log_queue;
    log->all.cost = USEC_PER_SEC / (LOG_RATE * conf->log_rate);
    log->anonymous.cost = USEC_PER_SEC / conf->log_rate;
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_segment(struct log *log, uint32_t key, int id)
{
    (void)pthread_mutex_lock(&log->mutex);
    log->key = key;
    log->segment_id = id;
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_event(struct log *log, struct entry *entry)
{
    if (!entry || event_priority(entry->event) > log->level) {
        (void)entry_free(entry);
        return;
    }
    entry_describe(entry, log->instance, log->epoch);
    (void)pthread_mutex_lock(&log->mutex);
    describe_segment(log, entry);
    log->state->file->tally.came[entry->event]++;
    if (log->waiting == EVENTS_WAITING_MAX) {
        log->left_out[entry->event]++;
        log->leaves_out = true;
        (void)entry_free(entry);
    } else {
        if (log->first) {
            log->last->next = entry;
        } else {
            log->first = entry;
        }
        log->last = entry;
        log->waiting++;
    }
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_left_out(struct log *log, enum event event)
{
    (void)pthread_mutex_lock(&log->mutex);
    log->state->file->tally.came[event]++;
    log->left_out[event]++;
    log->leaves_out = true;
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_acknowledgement(struct log *log, const struct ack *ack)
{
    struct acklog *acklog = &log->state->file->acklog;

    (void)pthread_mutex_lock(&log->mutex);
    STEP("log.push");
    if (ack->verified || pace_due(&log->anonymous) <= clock_usec()) {
        acklog_push(acklog, log->ack_limit, ack);
    } else {
        acklog_push_gathered(acklog, log->ack_limit, ack);
    }
    STEP("log.pushed");
    (void)pthread_mutex_unlock(&log->mutex);
    log->pushed = true;
}

void log_let_go(struct log *log, uint64_t first, uint64_t last, enum unread_why why)
{
    if (event_priority(EVENT_RECORDS_UNREAD) > log->level) {
        return;
    }
    (void)pthread_mutex_lock(&log->mutex);
    untold_add(&log->state->file->untold, first, last, why);
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_wake(struct log *log)
{
    if (log->pushed) {
        log->pushed = false;
        (void)pthread_cond_signal(&log->changed);
    }
}

bool log_pause(struct log *log)
{
    struct timespec deadline = clock_timespec(clock_usec() + PAUSE_USEC);
    int r = 0;

    (void)pthread_mutex_lock(&log->mutex);
    log->pausing = true;
    while (log->sending && r == 0) {
        r = pthread_cond_clockwait(&log->paused, &log->mutex, CLOCK_MONOTONIC, &deadline);
    }
    if (log->sending) {
        log_go_on(log);
        return false;
    }
    return true; /* with the mutex */
}

void log_go_on(struct log *log)
{
    log->pausing = false;
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
}

/* How many entries the journal has taken. */
static uint64_t count_sent(struct log *log)
{
    uint64_t sent;

    (void)pthread_mutex_lock(&log->mutex);
    sent = log->sent;
    (void)pthread_mutex_unlock(&log->mutex);
    return sent;
}

/* Until the thread has ended. -ETIMEDOUT */
static int join(struct log *log, uint64_t timeout_usec, uint64_t patience_usec)
{
    uint64_t end = clock_usec() + timeout_usec;
    uint64_t before, now;
    int r;

    do {
        struct timespec deadline;

        before = count_sent(log);
        now = clock_usec();
        deadline = clock_timespec(end - now < patience_usec ? end : now + patience_usec);
        r = -pthread_clockjoin_np(log->thread, NULL, CLOCK_MONOTONIC, &deadline);
    } while (r == -ETIMEDOUT && clock_usec() < end && count_sent(log) != before);
    return r;
}

int log_close(struct log *log, uint64_t timeout_usec, uint64_t patience_usec)
{
    struct entry *entry;
    bool done;
    int r;

    (void)pthread_mutex_lock(&log->mutex);
    log->closing = true;
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
    r = join(log, timeout_usec, patience_usec);
    if (r < 0) {
        return r; /* it hangs in the journal, and goes down with the process */
    }
    done = acklog_waiting(&log->state->file->acklog) == 0 &&
           untold_is_empty(&log->state->file->untold) && !log->first;
    while ((entry = log->first)) {
        log->first = entry->next;
        (void)entry_free(entry);
    }
    (void)pthread_cond_destroy(&log->changed);
    (void)pthread_cond_destroy(&log->paused);
    (void)pthread_mutex_destroy(&log->mutex);
    free(log);
    return done;
}

void entry_describe(struct entry *entry, const char *instance, sd_id128_t epoch)
{
    entry_add(entry, "SHMD_INSTANCE=%s", instance);
    entry_add(entry, "SHMD_EPOCH=" SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(epoch));
}
