/* SPDX-License-Identifier: MIT */
#include "daemon/membership.h"
#include "base/clock.h"
#include "base/step.h"
#include "daemon/handshake.h"
#include "daemon/leases.h"
#include "daemon/listener.h"
#include "daemon/parting.h"
#include "daemon/report.h"
#include "daemon/publishers.h"
#include "daemon/status.h"
#include "daemon/subscribers.h"

#include <errno.h>
#include <string.h>

#define KEEP_CLOSE_USEC (5 * USEC_PER_SEC) /* how long a stop waits for sessions to be kept */

/* --- coming --- */

/*
 * May it read the segment? Who may not is told nothing of its records in a session either. Root may
 * in any case; others as the kernel lets them attach it. -EACCES: it may not; -EAGAIN: there is no
 * segment at the moment.
 */
static int may_read(const struct manager *manager, struct session *session)
{
    struct segment_stat stat;
    int r = session_ask_groups(session);

    if (r < 0) {
        return r;
    }
    if (segment_query(manager->segment.id, &stat) < 0) {
        return -EAGAIN;
    }
    return segment_may_read(&stat, session->identity.uid, session->groups, session->groups_count)
               ? 0
               : -EACCES;
}

static bool may_no_more_read(const struct manager *manager, struct session *session)
{
    int r = may_read(manager, session);

    session_forget_groups(session);
    return r < 0;
}

/*
 * Of two sessions of one client, because we were killed while one took the place of the other: the
 * one that has come farther; the later one, if both are at its begin. (If the client knows of that
 * one, what it says is about it; and if it does not, it says nothing new.)
 */
static bool comes_after(const struct session *session, const struct session *other)
{
    return session->acknowledged > other->acknowledged ||
           (session->acknowledged == other->acknowledged &&
            session->cursor->takes_over == other->id);
}

/*
 * An earlier session of the same client: of the same process, for the kernel's word on that is
 * all there is. NULL: none, any more.
 *
 * Who says that it is new takes nothing over. A subscriber that certainly is the same process has
 * given up what it had; a publisher's records are published, whatever it says later.
 */
static struct session *find_earlier(const struct manager *manager, const struct session *session,
                                    uint32_t client)
{
    struct session *found = NULL;

    if (client == 0 || (session->is_new && session->role == MESSAGE_PUBLISHER)) {
        return NULL;
    }
    for (struct session *old = manager->sessions->first; old; old = old->next) {
        if (old != session && old->cursor && old->cursor->client == client &&
            old->role == session->role &&
            (session->is_new ? identity_is(&old->identity, &session->identity)
                             : identity_may_be(&old->identity, &session->identity)) &&
            (!found || comes_after(old, found))) {
            found = old;
        }
    }
    return found;
}

/* What it has acknowledged while there was nobody to see it. Judged as a page would be. */
static void hear_claim(struct manager *manager, struct session *old,
                       const struct message_hello *hello)
{
    uint64_t lost = hello->lost;
    uint64_t now = clock_usec(), published;

    if (!session_is_away(old) || hello->after <= old->acknowledged) {
        return;
    }
    if (!old->cursor->lossy || lost < old->lost ||
        lost - old->lost > hello->after - old->acknowledged) {
        lost = old->lost;
    }
    old->bytes +=
        subscribers_bytes(manager, old, old->acknowledged + 1 + lost - old->lost, hello->after);
    published = subscribers_usec(manager, old, hello->after);
    old->latency_usec = now > published && published > 0 ? now - published : 0;
    old->acknowledged = hello->after;
    old->lost = lost;
}

/* Forgets the one that has been late for longest, but for `spared`. */
static bool forget_one(struct manager *manager, const struct session *spared)
{
    struct session *found = NULL;

    for (struct session *session = manager->sessions->first; session; session = session->next) {
        found = session->cursor && session->cursor->late && session != spared ? session : found;
    }
    if (found) {
        sessions_drop(found, SESSION_FORGOTTEN);
    }
    return found != NULL;
}

/* Gives it a cursor, which holds what it gets from now on. */
static int make_cursor(struct manager *manager, struct session *session, uint32_t client,
                       const struct session *old)
{
    struct cursor *cursor;

    do {
        cursor = cursors_find_free(&manager->state->file->cursors);
    } while (!cursor && forget_one(manager, old));
    if (!cursor) {
        return -EUSERS;
    }
    *cursor = (struct cursor){
        .segment_id = manager->segment.id,
        .pid = session->identity.pid,
        .uid = session->identity.uid,
        .gid = session->identity.gid,
        .client = client,
        .role = session->role,
        .takes_over = old ? old->id : 0,
        .process = session->identity.process,
        .lossy = board_overwrites(&manager->board),
        .first = session->first,
        .logged = session->first - 1,
        .lease = {.hold = session->usage->hold},
    };
    memcpy(cursor->name, session->identity.name, sizeof(cursor->name));
    STEP("cursor.claim");
    cursor_claim(cursor, session->id);
    STEP("cursor.claimed");
    session->cursor = cursor;
    return 0;
}

/* The first record of who has read none. */
static uint64_t first_record(struct manager *manager, const struct session *session,
                             enum message_start start)
{
    uint64_t oldest = board_oldest(&manager->board);
    uint64_t newest = board_newest(&manager->board);

    if (start == MESSAGE_START_NEXT) {
        return newest + 1;
    }
    if (board_overwrites(&manager->board)) {
        return start == MESSAGE_START_DEFAULT && oldest < newest ? newest : oldest;
    }
    return leases_first(manager, session, oldest);
}

/* Where it begins, and what it has acknowledged meanwhile. */
static int subscriber_hello(struct manager *manager, struct session *session, struct session *old,
                            const struct message_hello *hello)
{
    struct board *board = &manager->board;
    uint64_t oldest = board_oldest(board);
    int r = may_read(manager, session);

    if (r < 0) {
        return r;
    }
    if (!subscribers_progress(manager).subscribers) {
        leases_forget(manager);
    }
    session->first = first_record(manager, session, (enum message_start)hello->start);
    if (memcmp(hello->epoch, &manager->state->file->epoch, sizeof(hello->epoch)) != 0 ||
        hello->after > board_newest(board)) {
        return 0;
    }
    session->first = hello->after + 1;
    /* What is not there any more is lost to it; where records are written over, it tells. */
    if (session->first < oldest && !board_has_passed(board)) {
        session->first = oldest;
    }
    if (old) {
        session->resumes = session->first == hello->after + 1 ? old->id : 0;
        hear_claim(manager, old, hello);
        subscribers_hand_over(manager, old);
        STEP("session.heard");
    }
    return 0;
}

static void subscriber_welcome(struct manager *manager, struct session *session,
                               struct message_welcome *welcome)
{
    struct board *board = &manager->board;

    welcome->segment_size = manager->segment.size;
    welcome->position = board->layout == LAYOUT_RING ? board_position(board, session->first)
                                                     : segment_changed_at(manager->segment.id);
    if (board->layout == LAYOUT_PLAIN && record_waits(&board->record)) {
        session->told = board_newest(board);
        record_describe(&board->record, session->page);
    }
}

static int on_hello(void *userdata, struct session *session, const struct message_hello *hello,
                    struct message_welcome *welcome)
{
    struct manager *manager = userdata;
    static const uint8_t none[sizeof(hello->epoch)];
    bool publishes = session_publishes(session);
    struct session *old;
    int r;

    session->is_new = hello->after == 0 && memcmp(hello->epoch, none, sizeof(none)) == 0;
    old = find_earlier(manager, session, hello->client);
    r = publishes ? publishers_hello(manager, session, old, hello)
                  : subscriber_hello(manager, session, old, hello);
    if (r == 0) {
        r = make_cursor(manager, session, hello->client, old);
    }
    if (r < 0) {
        return r;
    }
    welcome->layout = manager->board.layout == LAYOUT_RING ? MESSAGE_RING : MESSAGE_PLAIN;
    welcome->when_full = (uint32_t)manager->conf->when_full;
    welcome->key = manager->segment.key;
    welcome->segment_id = manager->segment.id;
    memcpy(welcome->epoch, &manager->state->file->epoch, sizeof(welcome->epoch));
    session->lease_usec = leases_length(manager, session);
    welcome->lease_usec = session->lease_usec;
    welcome->spin_usec = (uint32_t)manager->spin_usec;
    if (publishes) {
        publishers_welcome(session, welcome);
    } else {
        subscriber_welcome(manager, session, welcome);
    }
    return 0;
}

/*
 * Their cursors have held what comes next, until the new one's client has its WELCOME: had it come
 * to nothing, all would be as before.
 */
static void end_earlier(struct manager *manager, const struct session *session)
{
    struct session *old;

    while ((old = find_earlier(manager, session, session->cursor->client))) {
        sessions_drop(old, SESSION_RESUMED);
        STEP("session.resumed");
    }
}

static void on_joined(void *userdata, struct session *session)
{
    struct manager *manager = userdata;

    session->cursor->welcomed = true;
    end_earlier(manager, session);
    report_session_started(manager, session);
    status_refresh(manager, clock_usec());
    subscribers_tell_crowd(manager);
    if (session_publishes(session)) {
        return;
    }
    unread_reconsider(manager);
    manager->newcomer |= !session->resumes && session->first > board_newest(&manager->board);
    if (session->first <= board_newest(&manager->board)) {
        subscribers_notify(manager); /* its lease begins */
    }
}

/* --- going --- */

/* Its last words, and all that it is still to be logged for. */
static void settle(struct manager *manager, struct session *session, bool believed)
{
    if (!session_is_logged(session)) {
        return;
    }
    if (session_subscribes(session) && believed) {
        (void)subscribers_hear(manager, session); /* what it acknowledged before it went, counts */
    }
    subscribers_hand_over(manager, session);
    if (session->lost != session->lost_logged) {
        report_session_lost(manager, session);
    }
}

static void on_leaving(void *userdata, struct session *session)
{
    struct manager *manager = userdata;

    settle(manager, session, true);
    if (session_publishes(session)) {
        publishers_leave(session);
    }
    leases_await(manager, session);
}

/* Nobody is there any more who could hand in anew what is in its queue. */
static bool has_gone(const struct session *session)
{
    return session->socket < 0 || socket_has_hung_up(session->socket);
}

static void on_ended(void *userdata, struct session *session, enum session_reason reason, int error)
{
    struct manager *manager = userdata;

    settle(manager, session, reason != SESSION_LIED);
    if (session_is_owed(session)) {
        subscribers_release(manager, session);
    }
    if (session->cursor && session->role == MESSAGE_PUBLISHER) {
        publishers_end(session, reason == SESSION_RESUMED ||
                                    (reason == SESSION_CLOSED && !has_gone(session)));
    }
    publishers_forget(manager, session);
    report_session_ended(manager, session, reason, error);
    if (session->cursor) {
        status_refresh(manager, clock_usec());
        STEP("cursor.release");
        cursor_release(session->cursor);
        subscribers_tell_crowd(manager);
        unread_reconsider(manager);
        past_forget(&manager->pasts, manager->sessions);
    }
}

static char *on_report(void *userdata, const struct session *session)
{
    return status_json(userdata, session);
}

void membership_send_away(struct manager *manager)
{
    sessions_rouse_all(manager->sessions);
    subscribers_work(manager);
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        if (session_subscribes(session)) {
            sessions_send_away(session, PAGE_SUPERSEDED);
        }
    }
}

/* --- coming back --- */

/* What a daemon before us, which is dead, has told a subscriber last. */
static enum page_state last_told(const struct session *session)
{
    return session_subscribes(session)
               ? atomic_load_explicit(&session->page->state, memory_order_relaxed)
               : PAGE_ACTIVE;
}

/* What becomes of a session that is there again, as far as it is. */
static void receive(struct manager *manager, struct session *session)
{
    const struct cursor *cursor = session->cursor;
    enum page_state told = last_told(session);

    if (session_subscribes(session) && subscribers_hear(manager, session) == CLAIM_FALSE) {
        sessions_drop(session, SESSION_LIED);
    } else if (session_is_away(session)) {
        settle(manager, session, true);
        leases_begin(manager, session, clock_usec()); /* if it has not begun in a life before */
    } else if (told == PAGE_SUPERSEDED || told == PAGE_CLOSING) {
        sessions_send_away(session, told); /* and systemd had not forgotten all of it yet */
    } else if (session->socket < 0 && session_publishes(session)) {
        publishers_receive(session); /* it has left something behind */
    } else if (session->socket < 0) {
        sessions_drop(session, SESSION_LEFT);
    } else if (session_subscribes(session) && cursor->segment_id != manager->segment.id) {
        sessions_send_away(session, PAGE_SUPERSEDED);
    } else if (session_publishes(session) && (!cursor->welcomed || session->doorbell < 0)) {
        /* The same; but if it has handed something in, that is published. */
        session_end(session, PAGE_CLOSING);
        session_wake(session);
        session_hang_up(session);
        publishers_receive(session);
    } else if (!cursor->welcomed || session->doorbell < 0 ||
               (session_subscribes(session) && may_no_more_read(manager, session))) {
        /* It may not know of its session, could not wake us, or will learn why it may not read. */
        sessions_send_away(session, PAGE_CLOSING);
    } else if (session_publishes(session)) {
        publishers_receive(session);
    }
}

/* Can a session be made of it? */
static bool cursor_is_valid(const struct manager *manager, const struct cursor *cursor)
{
    return (cursor->role == MESSAGE_SUBSCRIBER && cursor->logged <= board_newest(&manager->board) &&
            cursor->lost <= cursor->logged) ||
           (cursor->role == MESSAGE_PUBLISHER && cursor->published <= MESSAGE_NUMBER_MAX);
}

/* Has its client got its WELCOME? It has, for certain, if it was noted or something was handed in.
 */
static bool is_known_to_its_client(const struct session *session)
{
    return session->cursor->welcomed || publishers_left_something(session);
}

/*
 * The daemon before us was killed while one session took the place of another: both are there. What
 * both publishers' queues hold are the same records, so one of them goes. A subscriber comes again
 * if it is not certain, and both hold what it is owed until then.
 */
static void settle_successions(struct manager *manager)
{
    struct session *next;

    for (struct session *session = manager->sessions->first; session; session = next) {
        struct session *old = sessions_find(manager->sessions, session->cursor->takes_over);

        next = session->next;
        if (!old || old->role != session->role || old->cursor->client != session->cursor->client) {
            continue;
        }
        if (is_known_to_its_client(session)) {
            next = next == old ? old->next : next;
            sessions_drop(old, SESSION_RESUMED);
        } else if (session->role == MESSAGE_PUBLISHER) {
            sessions_drop(session, SESSION_RESUMED);
        }
    }
}

/* Each cursor was left by a session. */
static int restore(struct manager *manager, struct inherited *inherited)
{
    struct cursors *cursors = &manager->state->file->cursors;

    transfer_settle(&manager->state->file->transfer, cursors, board_newest(&manager->board));
    for (size_t i = 0; i < CURSORS_MAX; i++) {
        struct cursor *cursor = &cursors->all[i];
        struct session *session;
        int fds[KEPT_FDS];
        int r;

        if (cursor->session == 0) {
            continue;
        }
        if (!cursor_is_valid(manager, cursor)) {
            cursor_release(cursor); /* damaged: its client will connect again */
            continue;
        }
        (void)inherited_take_session(inherited, cursor->session, fds);
        r = sessions_restore(manager->sessions, cursor, fds, &session);
        if (r < 0) {
            return r;
        }
        leases_adopt(manager, session);
        STEP("session.restored");
    }
    settle_successions(manager);
    for (struct session *session = manager->sessions->first, *next; session; session = next) {
        next = session->next;
        receive(manager, session);
    }
    return 0;
}

/* --- all of it --- */

void membership_configure(struct manager *manager)
{
    struct sessions_limits limits = {
        .sessions = manager->conf->sessions,
        .sessions_per_user = manager->conf->sessions_per_user,
        .subscribers = manager->conf->subscribers,
        .publishers = manager->conf->publishers,
    };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    sessions_configure(manager->sessions, &limits);
    budget_configure(&manager->budget, manager->conf->log_rate);
    manager->processors = processors > 1 ? (size_t)processors : 1;
    manager->spin_usec = processors > 1 ? manager->conf->spin_us : 0;
    subscribers_tell_crowd(manager);
    leases_reconsider(manager);
}

int membership_open(struct manager *manager, int fd)
{
    static const struct sessions_hooks hooks = {
        .hello = on_hello,
        .joined = on_joined,
        .leaving = on_leaving,
        .ended = on_ended,
        .report = on_report,
    };
    struct sessions_hooks own = hooks;
    int r;

    own.userdata = manager;
    r = sessions_new(manager->event, fd, manager->notifier, &own,
                     &manager->state->file->cursors.last, &manager->sessions);
    if (r == 0) {
        r = leases_open(manager);
    }
    if (r == 0) {
        r = subscribers_open(manager);
    }
    if (r == 0) {
        membership_configure(manager);
    }
    return r;
}

int membership_restore(struct manager *manager, struct inherited *inherited)
{
    int r = restore(manager, inherited);
    int connection;

    if (r == 0) {
        inherited_forget(inherited, manager->notifier);
        while ((connection = inherited_take_connection(inherited)) >= 0) {
            parting_close(manager->sessions, connection);
        }
        unread_reconsider(manager);
        past_forget(&manager->pasts, manager->sessions);
        subscribers_tell_crowd(manager);
        subscribers_notify(manager);
    }
    return r;
}

/*
 * Their sessions stay for the next daemon. But whoever has gone is not waited for by a service that
 * stops, and systemd keeps nothing of it.
 */
static void leave_publishers(struct manager *manager)
{
    bool stops = manager->started && !manager->leave;
    struct session *next;

    for (struct session *session = manager->sessions->first; session; session = next) {
        next = session->next;
        if (session_publishes(session) && stops && has_gone(session)) {
            sessions_drop(session, SESSION_CLOSED);
        } else if (session_publishes(session)) {
            publishers_leave(session);
        }
    }
}

void membership_close(struct manager *manager, bool forget)
{
    uint64_t until = clock_usec() + KEEP_CLOSE_USEC;

    sessions_rouse_all(manager->sessions);
    subscribers_work(manager);
    subscribers_flush(manager);
    if (forget) {
        sessions_drop_all(manager->sessions, PAGE_CLOSING);
    } else {
        leave_publishers(manager);
    }
    for (struct session *session = manager->sessions->first; session; session = session->next) {
        if (session_is_welcome(session)) {
            handshake_keep_at_last(session, until);
        }
    }
    leases_close(manager);
    if (listener_ends(manager)) {
        sessions_stop_listening(manager->sessions);
    }
    manager->sessions = sessions_free(manager->sessions);
}
