/* SPDX-License-Identifier: MIT */
#include "daemon/subscribers.h"
#include "base/clock.h"
#include "base/step.h"
#include "base/timer.h"
#include "daemon/handshake.h"
#include "daemon/leases.h"
#include "daemon/report.h"
#include "daemon/status.h"
#include "daemon/unread.h"

#include <errno.h>
#include <string.h>

#define LOST_USEC  USEC_PER_SEC          /* between two entries about what one subscriber lost */
#define FLUSH_USEC (100 * USEC_PER_MSEC) /* between the ranges of a session in debt */
#define SILENT_MAX 8                     /* stretches of work in which one need not say anything */

/* --- what the log is told --- */

/* Records that it has acknowledged, and that the log does not know of yet. */
static uint64_t pending(const struct session *session)
{
    const struct cursor *cursor = session->cursor;

    return session_is_logged(session)
               ? session->acknowledged - cursor->logged - (session->lost - cursor->lost)
               : 0;
}

/* What was heard of it last: its user is charged, and it is silent no more. */
static void charge(struct manager *manager, struct session *session, uint64_t now)
{
    uint64_t published = session->published_usec;

    if (session->heard == 0) {
        return;
    }
    budget_charge(&manager->budget, BUDGET_ACKNOWLEDGED, &session->spent, &session->usage->spending,
                  now, budget_weight(session->heard));
    session->heard = 0;
    session->latency_usec = published > 0 && now > published ? now - published : 0;
    leases_renew(manager, session, now);
    if (session->lost != session->lost_logged && now - session->lost_usec >= LOST_USEC) {
        session->lost_usec = now;
        report_session_lost(manager, session);
    }
}

void subscribers_hand_over(struct manager *manager, struct session *session)
{
    struct cursor *cursor = session->cursor;
    struct ack ack = {
        .record_first = cursor->logged + 1,
        .record_last = session->acknowledged,
        .records = pending(session),
        .bytes = session->bytes,
        .latency_usec = session->latency_usec,
        .lost = session->lost,
        .key = manager->segment.key,
        .segment_id = manager->segment.id,
        .session = session->id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .gid = session->identity.gid,
        .verified = true,
    };

    /* What it has only lost is told with what it acknowledges next, or when it ends. */
    if (ack.records == 0) {
        return;
    }
    memcpy(ack.name, session->identity.name, sizeof(ack.name));
    log_acknowledgement(manager->log, &ack);
    cursor->lost = ack.lost;
    STEP("cursor.lost");
    __atomic_store_n(&cursor->logged, ack.record_last, __ATOMIC_RELEASE); /* cursors_settle() */
    STEP("cursor.logged");
    session->bytes = 0;
}

static bool in_debt(const struct manager *manager, const struct session *session, uint64_t now)
{
    return budget_in_debt(&manager->budget, BUDGET_ACKNOWLEDGED, &session->spent,
                          &session->usage->spending, now);
}

/* Of `all`, or of those who are not in debt (budget.h); false if some is left. */
static bool flush(struct manager *manager, bool all)
{
    uint64_t now = manager_usec(manager);
    bool done = true;

    for (struct session *session = manager->sessions->first; session_is_lively(session);
         session = session->next) {
        charge(manager, session, now);
        if (pending(session) == 0) {
            continue;
        }
        if (all || !in_debt(manager, session, now)) {
            subscribers_hand_over(manager, session);
        } else {
            done = false;
        }
    }
    return done;
}

void subscribers_flush(struct manager *manager)
{
    (void)flush(manager, true);
}

/* Those who are in debt have waited for long enough: a range for each. */
static int on_flush(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct manager *manager = userdata;

    (void)s;
    (void)usec;
    manager->flush_armed = false;
    subscribers_flush(manager);
    return 0;
}

uint64_t subscribers_bytes(const struct manager *manager, const struct session *session,
                           uint64_t first, uint64_t last)
{
    int segment_id = session->cursor->segment_id;

    return segment_id == manager->segment.id ? board_bytes(&manager->board, first, last)
                                             : past_bytes(manager->pasts, segment_id, first, last);
}

uint64_t subscribers_usec(const struct manager *manager, const struct session *session,
                          uint64_t number)
{
    int segment_id = session->cursor->segment_id;

    return segment_id == manager->segment.id ? board_usec(&manager->board, number)
                                             : past_usec(manager->pasts, segment_id, number);
}

/* Takes note of what it says; who is charged for it, and when, comes later. */
static enum claim hear(const struct manager *manager, struct session *session)
{
    uint64_t before = session->acknowledged;
    uint64_t lost_before = session->lost;
    enum claim claim = session_look(session, board_newest(&manager->board), session->cursor->lossy);

    if (claim == CLAIM_PROGRESS) {
        /* Of those that it acknowledges, it lost the oldest ones. */
        uint64_t first = before + 1 + (session->lost - lost_before);

        if (first <= session->acknowledged) {
            session->bytes += subscribers_bytes(manager, session, first, session->acknowledged);
        }
        session->published_usec = subscribers_usec(manager, session, session->acknowledged);
        session->heard += session->acknowledged - before;
        session->silent = 0;
    }
    return claim;
}

/* Takes note of what a subscriber claims to have acknowledged. */
enum claim subscribers_hear(struct manager *manager, struct session *session)
{
    enum claim claim = hear(manager, session);

    charge(manager, session, clock_usec());
    return claim;
}

/* --- who goes --- */

void subscribers_release(struct manager *manager, const struct session *session)
{
    struct progress progress;

    if (!session->cursor->welcomed) { /* it got nothing */
        return;
    }
    unread_cover(manager, session);
    progress = subscribers_progress(manager);
    if (!progress.subscribers) {
        progress.subscribers = true;
        progress.slowest = session->acknowledged;
        if (progress.fastest < progress.slowest) {
            progress.fastest = progress.slowest;
        }
        manager_release(manager, &progress);
    }
}

void subscribers_await_no_more(struct manager *manager, struct session *session)
{
    report_session_late(manager, session);
    session->cursor->late = true;
    subscribers_release(manager, session);
    unread_reconsider(manager);
    status_refresh(manager, clock_usec());
}

/* --- work --- */

struct progress subscribers_progress(const struct manager *manager)
{
    uint64_t quiet_slowest = manager->sessions->quiet_slowest;
    struct progress progress = {.subscribers = quiet_slowest < UINT64_MAX,
                                .slowest = quiet_slowest,
                                .fastest = manager->fastest};

    for (const struct session *session = manager->sessions->first; session_is_lively(session);
         session = session->next) {
        if (session_is_owed(session)) {
            progress.subscribers = true;
            if (session->acknowledged < progress.slowest) {
                progress.slowest = session->acknowledged;
            }
            if (session->acknowledged > progress.fastest) {
                progress.fastest = session->acknowledged;
            }
            if (session->page && session->acknowledged > progress.foremost) {
                progress.foremost = session->acknowledged;
            }
        }
    }
    return progress;
}

/*
 * Looks at one page. The session may be gone afterwards.
 *
 * Whoever acknowledges is worth keeping, so that the next daemon can go on from there. Nothing
 * depends on that, though: what was heard is in the state as soon as it is handed to the log, and
 * is logged once, by whoever comes after us. If we are killed before systemd has the session, it
 * ends with us like one by hand: its client finds that the connection has hung up, and says in its
 * next HELLO what it has acknowledged besides (hear_claim()). What is lost then is what a client
 * has stored that ends, too, before we have looked: as it is before its first acknowledgement was
 * heard. To hold the entry back until the session is kept would lose all that was heard.
 */
static enum heard look(struct manager *manager, struct session *session, uint64_t now)
{
    switch (hear(manager, session)) {
    case CLAIM_NOTHING:
        return HEARD_NOTHING;
    case CLAIM_PROGRESS:
        if (!session->is_kept) {
            handshake_keep(session);
        }
        return in_debt(manager, session, now) ? HEARD_RANGES : HEARD_ENTRIES;
    default:
        sessions_drop(session, SESSION_LIED);
        return HEARD_ENTRIES;
    }
}

/* Those in debt have their turn in a while: once, and not later for every further record. */
static void flush_later(struct manager *manager)
{
    /* However many there are, their ranges are no more than a budget's worth. */
    uint64_t pause = FLUSH_USEC + manager->sessions->count * manager->budget.all_cost;

    if (!manager->flush_armed) {
        manager->flush_armed = timer_start(manager->flush_source, pause) >= 0;
    }
}

enum heard subscribers_listen(struct manager *manager, uint64_t now)
{
    enum heard most = HEARD_NOTHING;
    struct session *next;

    for (struct session *session = manager->sessions->first; session_is_lively(session);
         session = next) {
        next = session->next;
        if (session_subscribes(session)) {
            enum heard heard = look(manager, session, now);

            most = heard > most ? heard : most;
        }
    }
    return most;
}

void subscribers_account(struct manager *manager)
{
    if (!flush(manager, false)) {
        flush_later(manager);
    }
}

void subscribers_work(struct manager *manager)
{
    if (subscribers_listen(manager, 0) != HEARD_NOTHING) {
        subscribers_account(manager);
    }
}

void subscribers_notify(struct manager *manager)
{
    bool lease = !board_overwrites(&manager->board); /* else nobody waits for anybody */
    uint64_t now = lease ? manager_usec(manager) : 0;
    uint64_t newest = board_newest(&manager->board);

    for (struct session *session = manager->sessions->first; session_is_lively(session);
         session = session->next) {
        if (!session_subscribes(session)) {
            continue;
        }
        if (manager->board.layout == LAYOUT_PLAIN && session->told != newest) {
            session->told = newest;
            record_describe(&manager->board.record, session->page);
        }
        if (lease && session->cursor->lease.since == 0 && session->acknowledged < newest) {
            leases_begin(manager, session, now);
        }
    }
    page_fence(); /* K2, for all of them */
    for (struct session *session = manager->sessions->first; session_is_lively(session);
         session = session->next) {
        if (session_subscribes(session)) {
            session_ring(session);
        }
    }
    manager->quiet_unaware = true;
}

void subscribers_notify_quiet(struct manager *manager)
{
    if (manager->quiet_unaware) {
        manager->quiet_unaware = false;
        page_fence();
        for (struct session *session = manager->sessions->first; session; session = session->next) {
            if (session->quiet) {
                session_ring(session);
            }
        }
    }
}

/* Of publishers, there is only news for us while the source waits for some. */
static void announce(struct manager *manager, bool sleeps)
{
    bool awaits = sleeps && intake_awaits_publishers(manager);

    for (struct session *session = manager->sessions->first; session_is_lively(session);
         session = session->next) {
        if (session_is_welcome(session)) {
            atomic_store_explicit(&session->page->daemon_sleeps,
                                  session_publishes(session) ? awaits : sleeps,
                                  memory_order_relaxed);
        }
    }
}

void subscribers_announce_sleep(struct manager *manager)
{
    announce(manager, true);
    atomic_thread_fence(memory_order_seq_cst); /* S2: pairs with page_must_ring() of the clients */
}

void subscribers_announce_awake(struct manager *manager)
{
    announce(manager, false);
}

/* Are we, and those who are not quiet, more than there are processors? */
static bool is_crowded(const struct manager *manager)
{
    size_t present = 1;

    for (const struct session *session = manager->sessions->first; session_is_lively(session);
         session = session->next) {
        present += session_is_welcome(session);
    }
    return present > manager->processors;
}

void subscribers_tell_crowd(struct manager *manager)
{
    manager->crowded = is_crowded(manager);
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        if (session_is_welcome(session)) {
            atomic_store_explicit(&session->page->crowded, manager->crowded, memory_order_relaxed);
        }
    }
}

/* Announced as sleepers do (page.h), to this one alone, and looked at once more. */
static bool may_rest(struct session *session)
{
    struct page *page = session->page;

    if (!session_subscribes(session) || ++session->silent <= SILENT_MAX || pending(session) > 0) {
        return false;
    }
    page_announce_sleep(&page->daemon_sleeps);
    if (atomic_load_explicit(&page->acknowledged, memory_order_relaxed) == session->acknowledged) {
        return true;
    }
    page_announce_awake(&page->daemon_sleeps);
    return false;
}

void subscribers_quieten(struct manager *manager)
{
    if (!board_overwrites(&manager->board)) {
        return;
    }
    sessions_quieten(manager->sessions, may_rest);
    if (is_crowded(manager) != manager->crowded) {
        subscribers_tell_crowd(manager);
    }
}

int subscribers_open(struct manager *manager)
{
    return timer_new(manager->event, 1, on_flush, manager, &manager->flush_source);
}
