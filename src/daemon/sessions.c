/* SPDX-License-Identifier: MIT */
#include "daemon/sessions.h"
#include "base/step.h"
#include "base/timer.h"
#include "daemon/fdstore.h"
#include "daemon/handshake.h"
#include "daemon/parting.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#define NEWCOMERS_SHARE 16    /* a part of all places, for users who have none yet, */
#define ROOTS_SHARE     32    /* and another one, for root */
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

static void forget(struct session *session)
{
    if (session->is_kept) {
        fdstore_forget(session->sessions->notifier, session->id);
    }
    session->is_kept = session->to_be_kept = false;
}

void sessions_end(struct session *session, enum session_reason reason, int error)
{
    struct sessions *sessions = session->sessions;

    unlink_session(session);
    sessions->hooks.ended(sessions->hooks.userdata, session, reason, error);
    STEP("session.ended");
    forget(session);
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
    forget(session);
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

/* How many places are taken, and how many of them each user has. Those who are away have none. */
static size_t count_places(struct sessions *sessions)
{
    size_t all = 0;

    for (struct usage *usage = sessions->usages.first; usage; usage = usage->next) {
        usage->places = 0;
    }
    for (const struct session *session = sessions->first; session; session = session->next) {
        if (!session_is_away(session)) {
            session->usage->places++;
            all++;
        }
    }
    return all + parting_count_places(sessions);
}

/* It was not heard yet: it has said something, or is put off with it. */
static bool has_spoken(const struct session *session)
{
    struct pollfd word = {.fd = session->socket, .events = POLLIN};

    return session->put_off || poll(&word, 1, 0) > 0;
}

/* Of those in front of `end` in the list, the oldest one that has not said yet what it wants. */
static struct session *find_unwelcome(const struct session *newcomer, const struct session *end)
{
    struct session *found = NULL;

    for (struct session *session = newcomer->sessions->first; session != end;
         session = session->next) {
        if (session != newcomer && session->deadline_source && !session_is_welcome(session) &&
            (session->usage == newcomer->usage ||
             session->usage->places >= newcomer->usage->places)) {
            found = session;
        }
    }
    return found;
}

/*
 * The oldest one that says nothing, of the same user, or of one who has more than the newcomer had.
 */
static struct session *find_silent(const struct session *newcomer)
{
    struct session *found = find_unwelcome(newcomer, NULL);

    while (found && has_spoken(found)) {
        found = find_unwelcome(newcomer, found);
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

/* By how many there are too many, for a newcomer of this user. */
static size_t count_excess(const struct session *newcomer)
{
    size_t all = count_places(newcomer->sessions);
    size_t most = places(newcomer->sessions, newcomer->identity.uid, newcomer->usage->places - 1);

    return all > most ? all - most : 0;
}

/*
 * Is there room for one more? Somebody may have to go who holds a place and has said nothing yet:
 * so nobody can keep others out by that.
 */
static bool make_room(const struct session *newcomer)
{
    size_t excess = count_excess(newcomer);
    struct session *silent;

    if (newcomer->identity.uid != 0 &&
        newcomer->usage->places > newcomer->sessions->limits.sessions_per_user) {
        return false;
    }
    silent = excess == 1 ? find_silent(newcomer) : NULL;
    if (silent) {
        sessions_drop(silent, SESSION_SILENT);
        excess = count_excess(newcomer); /* it may have left something unread */
    }
    return excess == 0;
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
    struct session *newcomer;
    int r;

    socket_refuse_descriptors(fd);
    if (!session) {
        parting_close(sessions, fd);
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
    newcomer = take(session);
    if (!make_room(newcomer)) {
        handshake_refuse(newcomer, -EUSERS);
    }
    return 0;
}

/* The next daemon goes on with it: systemd has its connection and its doorbell, too. */
static void leave_behind(struct session *session)
{
    session->socket_source = sd_event_source_disable_unref(session->socket_source);
    session->doorbell_source = sd_event_source_disable_unref(session->doorbell_source);
    session->socket = fd_close(session->socket);
    session->doorbell = fd_close(session->doorbell);
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
        leave_behind(session);
        return -ENOMEM;
    }
    session->first = cursor->first;
    session->acknowledged = cursor->logged;
    session->lost = session->lost_logged = cursor->lost;
    session_restore(session);
    if (socket_has_hung_up(session->socket)) {
        parting_hang_up(session); /* the page tells how far it had come */
    }
    if (!session_is_welcome(session)) { /* the rest is of no use, and its client has to see that */
        fdstore_forget(sessions->notifier, session->id);
        session_detach(session);
    } else if (session->socket >= 0 && session->doorbell >= 0) {
        r = handshake_resume(session);
    }
    if (r < 0) {
        leave_behind(session);
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
        parting_close(sessions, accept4(fd, NULL, NULL, SOCK_CLOEXEC));
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
    socket_refuse_descriptors(fd);
    sessions_stop_listening(sessions);
    (void)sd_event_source_disable_unref(sessions->listen_source);
    (void)fd_close(sessions->listen_fd);
    sessions->listen_source = source;
    sessions->listen_fd = fd;
    return 0;
}

int sessions_new(struct sd_event *event, int fd, struct notifier *notifier,
                 const struct sessions_hooks *hooks, uint32_t *last_id, struct sessions **ret)
{
    CLEANUP(fd_close_cleanup) int listen_fd = fd;
    CLEANUP(sessions_free_cleanup) struct sessions *sessions = calloc(1, sizeof(*sessions));
    int r;

    if (!sessions) {
        return -ENOMEM;
    }
    sessions->quiet_slowest = UINT64_MAX;
    sessions->event = event;
    sessions->notifier = notifier;
    sessions->hooks = *hooks;
    sessions->last_id = last_id;
    sessions->listen_fd = -1;
    sessions->reserve_fd = eventfd(0, EFD_CLOEXEC);
    if (sessions->reserve_fd < 0) {
        return -errno;
    }
    r = timer_new(event, 1, handshake_turn, sessions, &sessions->turn_source);
    if (r == 0) {
        r = timer_new(event, 0, parting_tick, sessions, &sessions->parting_source);
    }
    if (r == 0) {
        r = timer_new(event, 0, handshake_keep_turn, sessions, &sessions->keep_source);
    }
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

void sessions_stop_listening(struct sessions *sessions)
{
    int connection;

    (void)shutdown(sessions->listen_fd, SHUT_RD);
    while ((connection = accept4(sessions->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        parting_close(sessions, connection);
    }
}

struct sessions *sessions_free(struct sessions *sessions)
{
    struct session *session;

    while (sessions && (session = sessions->first)) {
        unlink_session(session);
        if (session->is_kept && sessions->notifier) {
            leave_behind(session);
        }
        (void)session_free(session);
    }
    if (sessions) {
        parting_clear(sessions);
        (void)sd_event_source_disable_unref(sessions->parting_source);
        (void)sd_event_source_disable_unref(sessions->turn_source);
        (void)sd_event_source_disable_unref(sessions->keep_source);
        (void)sd_event_source_disable_unref(sessions->listen_source);
        (void)fd_close(sessions->listen_fd);
        (void)fd_close(sessions->reserve_fd);
        usages_clear(&sessions->usages);
    }
    free(sessions);
    return NULL;
}
