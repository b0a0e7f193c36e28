/* SPDX-License-Identifier: MIT */
#include "daemon/subscribers.h"
#include "base/clock.h"
#include "daemon/listen.h"
#include "daemon/report.h"
#include "daemon/status.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOST_USEC  USEC_PER_SEC         /* between two entries about what one subscriber lost */
#define FLUSH_USEC (10 * USEC_PER_MSEC) /* until the log's budget is asked again */

/* --- what the log is told --- */

/* Is there anything to be handed to the log? */
static bool pends(const struct session *session)
{
    return session->pending.record_first != 0;
}

static void hand_over(struct manager *manager, struct session *session)
{
    struct ack *ack = &session->pending;

    ack->key = manager->segment.key;
    ack->segment_id = manager->segment.id;
    ack->pid = session->identity.pid;
    ack->uid = session->identity.uid;
    ack->gid = session->identity.gid;
    ack->verified = true;
    memcpy(ack->name, session->identity.name, sizeof(ack->name));
    manager->state->file->acknowledged += ack->records;
    if (ack->records > 0) {
        log_acknowledgement(manager->log, ack);
    }
    session->pending = (struct ack){0};
}

/* Hands over those with an id from `first` to `last`; false if the budget does not cover them. */
static bool flush(struct manager *manager, uint32_t first, uint32_t last, bool all)
{
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        if (session->id < first || session->id > last || !pends(session)) {
            continue;
        }
        if (!all && !log_budget_take(manager->log)) {
            manager->flush_from = session->id; /* it is the first one next time */
            return false;
        }
        hand_over(manager, session);
    }
    return true;
}

bool subscribers_flush(struct manager *manager, bool all)
{
    uint32_t from = manager->flush_from;

    /* The newest session is the first in the list: from where it ended last, once around. */
    return flush(manager, 0, from, all) && flush(manager, from + 1, UINT32_MAX, all);
}

static int on_flush(sd_event_source *s, uint64_t usec, void *userdata)
{
    (void)usec;
    return subscribers_flush(userdata, false) ? 0
           : sd_event_source_set_time_relative(s, FLUSH_USEC) < 0
               ? -EIO
               : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* Takes note of what a subscriber claims to have acknowledged. */
static enum claim hear(struct manager *manager, struct session *session)
{
    const struct board *board = &manager->board;
    uint64_t before = session->acknowledged;
    uint64_t lost_before = session->lost;
    enum claim claim = session_look(session, board_newest(board), board_overwrites(board));

    if (claim == CLAIM_PROGRESS) {
        uint64_t now = clock_usec();
        uint64_t published = board_usec(board, session->acknowledged);

        /* Of those that it acknowledges, it lost the oldest ones. */
        uint64_t first = before + 1 + (session->lost - lost_before);

        if (first <= session->acknowledged) {
            session->pending.bytes += board_bytes(board, first, session->acknowledged);
        }
        session->pending.latency_usec = now > published ? now - published : 0;
        session->waiting_usec = session->acknowledged < board_newest(board) ? now : 0;
        if (session->lost != session->lost_logged && now - session->lost_usec >= LOST_USEC) {
            session->lost_usec = now;
            report_session_lost(manager, session);
        }
    }
    return claim;
}

/* --- hooks: a session comes and goes --- */

static int on_hello(void *userdata, struct session *session, const struct message_hello *hello,
                    struct message_welcome *welcome)
{
    struct manager *manager = userdata;
    struct board *board = &manager->board;
    const struct state_file *file = manager->state->file;
    uint64_t oldest = board_oldest(board);

    session->first = hello->start == MESSAGE_START_OLDEST ? oldest : board_newest(board) + 1;
    if (memcmp(hello->epoch, &file->epoch, sizeof(hello->epoch)) == 0 &&
        hello->after <= board_newest(board)) {
        session->first = hello->after + 1 > oldest ? hello->after + 1 : oldest;
    }
    welcome->layout = board->layout == LAYOUT_RING ? MESSAGE_RING : MESSAGE_PLAIN;
    welcome->when_full = (uint32_t)manager->conf->when_full;
    welcome->key = manager->segment.key;
    welcome->segment_id = manager->segment.id;
    welcome->segment_size = manager->segment.size;
    memcpy(welcome->epoch, &file->epoch, sizeof(welcome->epoch));
    welcome->position = board_position(board, session->first);
    welcome->lease_usec = manager->conf->lease_ms * USEC_PER_MSEC;
    welcome->spin_usec = (uint32_t)manager->spin_usec;
    if (board->layout == LAYOUT_PLAIN) {
        record_describe(&board->record, session->page);
    }
    return 0;
}

static void on_joined(void *userdata, struct session *session)
{
    struct manager *manager = userdata;

    report_session_started(manager, session);
    if (session->first <= board_newest(&manager->board)) {
        subscribers_notify(manager); /* its lease begins */
    }
}

static void on_ended(void *userdata, struct session *session, enum session_reason reason, int error)
{
    struct manager *manager = userdata;

    if (session_subscribes(session)) {
        if (reason != SESSION_LIED) {
            (void)hear(manager, session); /* what it acknowledged before it went, counts */
        }
        if (pends(session)) {
            hand_over(manager, session);
        }
        if (session->lost != session->lost_logged) {
            report_session_lost(manager, session);
        }
    }
    report_session_ended(manager, session, reason, error);
}

static char *on_report(void *userdata, const struct session *session)
{
    return status_json(userdata, session);
}

/* --- work --- */

struct progress subscribers_progress(const struct manager *manager)
{
    struct progress progress = {.slowest = UINT64_MAX, .fastest = manager->fastest};

    for (const struct session *session = manager->sessions->first; session;
         session = session->next) {
        if (session_subscribes(session)) {
            progress.subscribers = true;
            if (session->acknowledged < progress.slowest) {
                progress.slowest = session->acknowledged;
            }
            if (session->acknowledged > progress.fastest) {
                progress.fastest = session->acknowledged;
            }
        }
    }
    return progress;
}

/* Looks at one page. The session may be gone afterwards. True if it said anything. */
static bool look(struct manager *manager, struct session *session)
{
    enum claim claim = hear(manager, session);

    if (claim == CLAIM_FALSE) {
        sessions_drop(session, SESSION_LIED);
    }
    return claim != CLAIM_NOTHING;
}

bool subscribers_work(struct manager *manager)
{
    struct session *next;
    bool worked = false;

    for (struct session *session = manager->sessions->first; session; session = next) {
        next = session->next;
        worked |= session_subscribes(session) && look(manager, session);
    }
    if (worked && !subscribers_flush(manager, false)) {
        (void)sd_event_source_set_time_relative(manager->flush_source, FLUSH_USEC);
        (void)sd_event_source_set_enabled(manager->flush_source, SD_EVENT_ONESHOT);
    }
    return worked;
}

/* --- leases --- */

static void lease_arm(struct manager *manager, uint64_t usec)
{
    (void)sd_event_source_set_time(manager->lease_source, usec);
    (void)sd_event_source_set_enabled(manager->lease_source, SD_EVENT_ONESHOT);
    manager->lease_armed = true;
}

/* Evicts whoever owes for too long, and sleeps until the next one could. */
static int on_lease(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;
    uint64_t lease = manager->conf->lease_ms * USEC_PER_MSEC;
    uint64_t earliest = UINT64_MAX;
    uint64_t now;
    struct session *next;

    (void)s;
    (void)usec;
    manager->lease_armed = false;
    (void)subscribers_work(manager); /* who has acknowledged just now, owes less */
    now = clock_usec();
    for (struct session *session = manager->sessions->first; session; session = next) {
        next = session->next;
        if (!session_subscribes(session) || session->waiting_usec == 0) {
            continue;
        }
        if (now - session->waiting_usec >= lease) {
            sessions_drop(session, SESSION_EVICTED);
        } else if (session->waiting_usec + lease < earliest) {
            earliest = session->waiting_usec + lease;
        }
    }
    if (earliest < UINT64_MAX) {
        lease_arm(manager, earliest);
    }
    return 0;
}

void subscribers_notify(struct manager *manager)
{
    bool lease = !board_overwrites(&manager->board); /* else nobody waits for anybody */
    uint64_t now = lease ? clock_usec() : 0;
    uint64_t newest = board_newest(&manager->board);

    for (struct session *session = manager->sessions->first; session; session = session->next) {
        if (!session_subscribes(session)) {
            continue;
        }
        if (manager->board.layout == LAYOUT_PLAIN) {
            record_describe(&manager->board.record, session->page);
        }
        if (session->waiting_usec == 0 && session->acknowledged < newest) {
            session->waiting_usec = now;
        }
        session_notify(session);
    }
    if (lease && !manager->lease_armed && sessions_subscribers(manager->sessions) > 0) {
        lease_arm(manager, now + manager->conf->lease_ms * USEC_PER_MSEC);
    }
}

static void announce(struct manager *manager, uint32_t sleeps)
{
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        if (session_subscribes(session)) {
            atomic_store_explicit(&session->page->daemon_sleeps, sleeps, memory_order_relaxed);
        }
    }
}

void subscribers_announce_sleep(struct manager *manager)
{
    announce(manager, 1);
    atomic_thread_fence(memory_order_seq_cst); /* S2: pairs with page_must_ring() of the clients */
}

void subscribers_announce_awake(struct manager *manager)
{
    announce(manager, 0);
}

void subscribers_configure(struct manager *manager)
{
    struct sessions_limits limits = {
        .sessions = manager->conf->sessions,
        .sessions_per_user = manager->conf->sessions_per_user,
        .allowed = manager->conf->allow_subscribe,
    };

    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    sessions_configure(manager->sessions, &limits);
    manager->spin_usec = processors > 1 ? manager->conf->spin_us : 0;
    if (manager->lease_armed) {
        lease_arm(manager, clock_usec()); /* it may run out earlier now */
    }
}

int subscribers_open(struct manager *manager)
{
    struct sessions_hooks hooks = {
        .hello = on_hello,
        .joined = on_joined,
        .ended = on_ended,
        .report = on_report,
        .userdata = manager,
    };
    int fd = -1;
    int r = listen_open(manager->socket_path, &manager->bound, &fd);

    if (r == -EADDRINUSE) {
        report_socket_taken(manager);
        r = 0;
    }
    if (r == 0) {
        r = sessions_new(manager->event, fd, &hooks, &manager->sessions);
    }
    if (r == 0) {
        r = sd_event_add_time_relative(manager->event, &manager->flush_source, CLOCK_MONOTONIC, 0,
                                       1, on_flush, manager);
    }
    if (r == 0) {
        r = sd_event_source_set_enabled(manager->flush_source, SD_EVENT_OFF);
    }
    if (r == 0) {
        r = sd_event_add_time_relative(manager->event, &manager->lease_source, CLOCK_MONOTONIC, 0,
                                       1, on_lease, manager);
    }
    if (r < 0) {
        return r;
    }
    subscribers_configure(manager);
    return sd_event_source_set_enabled(manager->lease_source, SD_EVENT_OFF);
}

void subscribers_close(struct manager *manager)
{
    if (manager->segment.map) {
        (void)subscribers_work(manager);
    }
    manager->sessions = sessions_free(manager->sessions);
    if (manager->bound) {
        (void)unlink(manager->socket_path);
    }
}
