/* SPDX-License-Identifier: MIT */
#include "daemon/sessions.h"
#include "base/step.h"
#include "base/timer.h"
#include "daemon/fdstore.h"
#include "daemon/handshake.h"
#include "daemon/parting.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#define ANYBODY         ((uid_t)-1)
#define NEWCOMERS_SHARE 16    /* a part of all places, for users who have none yet, */
#define ROOTS_SHARE     32    /* and another one, for root */
#define UNHEARD_OF_USER 16    /* connections of a user that have not read why they ended, … */
#define UNHEARD_MAX     256   /* … and of all: one more is not told why it is refused */
#define CONNECT_BURST   100   /* connections accepted in … */
#define CONNECT_USEC    10000 /* … this many microseconds, at most */

/* --- the list --- */

static void link_session(struct session *session)
{
    session->next = session->sessions->first;
    session->sessions->first = session;
    session->sessions->count++;
}

static void find_quiet_slowest(struct sessions *sessions)
{
    sessions->quiet_slowest = UINT64_MAX;
    for (const struct session *session = sessions->first; session; session = session->next) {
        if (session->quiet && session->acknowledged < sessions->quiet_slowest) {
            sessions->quiet_slowest = session->acknowledged;
        }
    }
}

static void unlink_session(struct session *session)
{
    struct session **at = &session->sessions->first;

    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    session->sessions->count--;
    if (session->quiet) {
        session->quiet = false;
        find_quiet_slowest(session->sessions);
    }
}

void sessions_quieten(struct sessions *sessions, bool (*may_rest)(struct session *session))
{
    struct session **at = &sessions->first;
    struct session *quiet = NULL;
    struct session **end = &quiet;

    while (session_is_lively(*at)) {
        struct session *session = *at;

        if (may_rest(session)) {
            *at = session->next;
            *end = session;
            end = &session->next;
            session->quiet = true;
        } else {
            at = &session->next;
        }
    }
    if (quiet) {
        *end = *at; /* in front of those who are quiet already */
        *at = quiet;
        find_quiet_slowest(sessions);
    }
}

void sessions_rouse(struct session *session)
{
    session->silent = 0;
    if (session->quiet) {
        unlink_session(session);
        link_session(session);
    }
}

void sessions_rouse_all(struct sessions *sessions)
{
    for (struct session *session = sessions->first; session; session = session->next) {
        session->quiet = false;
        session->silent = 0;
    }
    sessions->quiet_slowest = UINT64_MAX;
}

/* --- the end of a session --- */

void sessions_end(struct session *session, enum session_reason reason, int error)
{
    struct sessions *sessions = session->sessions;

    unlink_session(session);
    sessions->hooks.ended(sessions->hooks.userdata, session, reason, error);
    STEP("session.ended");
    if (session->is_kept) {
        fdstore_forget(session->id);
    }
    parting_begin(session);
    (void)session_free(session);
}

void sessions_leave(struct session *session)
{
    if (session_publishes(session)) {
        session_hang_up(session);
    } else {
        sessions_end(session, SESSION_LEFT, 0);
    }
}

static bool may_come_again(enum session_reason reason)
{
    return reason == SESSION_LEFT || reason == SESSION_CLOSED || reason == SESSION_DISMISSED ||
           reason == SESSION_DEAF;
}

void sessions_drop(struct session *session, enum session_reason reason)
{
    if (session_is_welcome(session)) {
        session_end(session, may_come_again(reason) ? PAGE_CLOSING : PAGE_EVICTED);
    }
    sessions_end(session, reason, 0);
}

void sessions_drop_all(struct sessions *sessions, enum page_state state)
{
    struct session *next;

    for (struct session *session = sessions->first; session; session = next) {
        next = session->next;
        if (session_is_welcome(session)) {
            session_end(session, state);
        }
        sessions_end(session, SESSION_CLOSED, 0);
    }
}

void sessions_send_away(struct session *session, enum page_state state)
{
    struct sessions *sessions = session->sessions;

    session_end(session, state);
    sessions->hooks.leaving(sessions->hooks.userdata, session);
    STEP("session.away");
    fdstore_forget(session->id);
    parting_begin(session);
    session_detach(session);
}

struct session *sessions_find(const struct sessions *sessions, uint32_t id)
{
    struct session *session = sessions->first;

    while (session && session->id != id) {
        session = session->next;
    }
    return session;
}

/* --- accepting --- */

/* Those who are away do not count; of one user, or (ANYBODY) of all. */
static size_t count(const struct sessions *sessions, uid_t uid)
{
    size_t found = 0;

    for (const struct session *session = sessions->first; session; session = session->next) {
        found += !session_is_away(session) && (uid == ANYBODY || session->identity.uid == uid);
    }
    return found + parting_count(sessions, uid);
}

/* The oldest of those who have not said yet what they want: the newest one is first in the list. */
static struct session *find_silent(const struct sessions *sessions)
{
    struct session *found = NULL;

    for (struct session *session = sessions->first; session; session = session->next) {
        found = session->deadline_source && !session_is_welcome(session) ? session : found;
    }
    return found;
}

/*
 * How many of all places a user can take who has so many: some are left for users who have none
 * yet, and some of these for root.
 */
static size_t places(const struct sessions *sessions, uid_t uid, size_t has)
{
    size_t all = sessions->limits.sessions;

    return uid == 0 ? all : all - all / ROOTS_SHARE - (has > 0 ? all / NEWCOMERS_SHARE : 0);
}

/*
 * Is there room for one more? Somebody may have to go who holds a place and has said nothing yet:
 * so nobody can keep others out by that.
 */
static bool make_room(struct sessions *sessions, const struct session *session)
{
    uid_t uid = session->identity.uid;
    size_t has = count(sessions, uid) - 1;
    struct session *silent;

    if (uid != 0 && has >= sessions->limits.sessions_per_user) {
        return false;
    }
    if (count(sessions, ANYBODY) <= places(sessions, uid, has)) {
        return true;
    }
    silent = find_silent(sessions);
    if (!silent || silent == session) {
        return false;
    }
    sessions_drop(silent, SESSION_SILENT);
    return true;
}

static struct session *session_new(struct sessions *sessions)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session) {
        session->socket = session->doorbell = session->client_doorbell = -1;
        session->page_fd = session->queue_fd = -1;
        session->sessions = sessions;
    }
    return session;
}

/* They begin anew some day: 0 is no number, and one that is in use stays with who has it. */
static uint32_t next_id(struct sessions *sessions)
{
    do {
        ++*sessions->last_id;
    } while (*sessions->last_id == 0 || sessions_find(sessions, *sessions->last_id));
    return *sessions->last_id;
}

/* Takes the connection over, whatever happens. */
static int session_accept(struct sessions *sessions, int fd)
{
    CLEANUP(session_free_cleanup) struct session *session = session_new(sessions);
    int r;

    if (!session) {
        (void)fd_close(fd);
        return -ENOMEM;
    }
    session->socket = fd;
    r = identity_of_peer(fd, &session->identity);
    if (r < 0) {
        return r;
    }
    session->usage = usage_hold(&sessions->usages, session->identity.uid);
    if (!session->usage) {
        return -ENOMEM;
    }
    session->id = next_id(sessions);
    r = handshake_begin(session);
    if (r < 0) {
        return r;
    }
    link_session(session);
    if (!make_room(sessions, session)) {
        bool unheard = parting_count(sessions, session->identity.uid) >= UNHEARD_OF_USER ||
                       parting_count(sessions, ANYBODY) >= UNHEARD_MAX;

        if (unheard) {
            sessions_end(take(session), SESSION_REFUSED, -EUSERS);
        } else {
            handshake_refuse(take(session), -EUSERS);
        }
        return 0;
    }
    (void)take(session);
    return 0;
}

int sessions_restore(struct sessions *sessions, struct cursor *cursor, const int fds[KEPT_FDS],
                     struct session **ret)
{
    CLEANUP(session_free_cleanup) struct session *session = session_new(sessions);
    int r = 0;

    if (!session) {
        for (size_t i = 0; i < KEPT_FDS; i++) {
            (void)fd_close(fds[i]);
        }
        return -ENOMEM;
    }
    session->socket = fds[KEPT_SOCKET];
    session->page_fd = fds[KEPT_PAGE];
    session->queue_fd = fds[KEPT_QUEUE];
    session->doorbell = fds[KEPT_DOORBELL];
    session->client_doorbell = fds[KEPT_CLIENT_DOORBELL];
    session->id = cursor->session;
    session->role = cursor->role;
    session->cursor = cursor;
    session->identity = (struct identity){
        .pid = cursor->pid, .uid = cursor->uid, .gid = cursor->gid, .process = cursor->process};
    memcpy(session->identity.name, cursor->name, sizeof(cursor->name) - 1);
    session->usage = usage_hold(&sessions->usages, cursor->uid);
    if (!session->usage) {
        return -ENOMEM;
    }
    session->first = cursor->first;
    session->acknowledged = cursor->logged;
    session->lost = session->lost_logged = cursor->lost;
    session_restore(session);
    if (!session_is_welcome(session)) { /* the rest is of no use, and its client has to see that */
        fdstore_forget(session->id);
        session_detach(session);
    } else if (session->socket >= 0 && session->doorbell >= 0) {
        r = handshake_resume(session);
    }
    if (r < 0) {
        return r;
    }
    *ret = session;
    link_session(take(session));
    return 0;
}

static int on_connect(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct sessions *sessions = userdata;
    int connection;

    (void)s;
    (void)events;
    if (sessions->reserve_fd < 0) {
        sessions->reserve_fd = eventfd(0, EFD_CLOEXEC);
    }
    connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0 && (errno == EMFILE || errno == ENFILE)) {
        /* No descriptor: the reserve takes the connection off the queue, and it is closed. */
        sessions->reserve_fd = fd_close(sessions->reserve_fd);
        (void)fd_close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
        sessions->reserve_fd = eventfd(0, EFD_CLOEXEC);
        return 0;
    }
    if (connection >= 0) {
        (void)session_accept(sessions, connection);
    }
    return 0;
}

int sessions_listen(struct sessions *sessions, int fd)
{
    sd_event_source *source = NULL;
    int r = sd_event_add_io(sessions->event, &source, fd, EPOLLIN, on_connect, sessions);

    if (r >= 0) {
        /* Where even the reserve is gone, the loop must not spin. */
        r = sd_event_source_set_ratelimit(source, CONNECT_USEC, CONNECT_BURST);
    }
    if (r < 0) {
        (void)sd_event_source_disable_unref(source);
        (void)fd_close(fd);
        return r;
    }
    (void)sd_event_source_disable_unref(sessions->listen_source);
    (void)fd_close(sessions->listen_fd);
    sessions->listen_source = source;
    sessions->listen_fd = fd;
    return 0;
}

int sessions_new(struct sd_event *event, int fd, const struct sessions_hooks *hooks,
                 uint32_t *last_id, struct sessions **ret)
{
    CLEANUP(fd_close_cleanup) int listen_fd = fd;
    CLEANUP(sessions_free_cleanup) struct sessions *sessions = calloc(1, sizeof(*sessions));
    int r;

    if (!sessions) {
        return -ENOMEM;
    }
    sessions->quiet_slowest = UINT64_MAX;
    sessions->event = event;
    sessions->hooks = *hooks;
    sessions->last_id = last_id;
    sessions->listen_fd = -1;
    sessions->reserve_fd = eventfd(0, EFD_CLOEXEC);
    if (sessions->reserve_fd < 0) {
        return -errno;
    }
    r = timer_new(event, 1, handshake_turn, sessions, &sessions->turn_source);
    if (r < 0) {
        return r;
    }
    if (fd >= 0) {
        listen_fd = -1;
        r = sessions_listen(sessions, fd);
        if (r < 0) {
            return r;
        }
    }
    *ret = take(sessions);
    return 0;
}

void sessions_configure(struct sessions *sessions, const struct sessions_limits *limits)
{
    sessions->limits = *limits;
}

size_t sessions_count(const struct sessions *sessions, enum message_role role)
{
    size_t found = 0;

    for (const struct session *session = sessions->first; session; session = session->next) {
        found += (session->cursor ? !session->cursor->late : session_is_welcome(session)) &&
                 session->role == role;
    }
    return found;
}

struct sessions *sessions_free(struct sessions *sessions)
{
    struct session *session;

    while (sessions && (session = sessions->first)) {
        unlink_session(session);
        (void)session_free(session);
    }
    if (sessions) {
        parting_clear(sessions);
        (void)sd_event_source_disable_unref(sessions->turn_source);
        (void)sd_event_source_disable_unref(sessions->listen_source);
        (void)fd_close(sessions->listen_fd);
        (void)fd_close(sessions->reserve_fd);
        usages_clear(&sessions->usages);
    }
    free(sessions);
    return NULL;
}
