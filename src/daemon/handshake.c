/* SPDX-License-Identifier: MIT */
#include "daemon/handshake.h"
#include "base/clock.h"
#include "base/passing.h"
#include "base/shortage.h"
#include "base/step.h"
#include "base/timer.h"
#include "daemon/access.h"
#include "daemon/parting.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#define SAY_BURST       200                 /* messages of a user at once, … */
#define SAY_USEC        USEC_PER_MSEC       /* … and then one in so long */
#define KEEP_USEC       (USEC_PER_SEC / 20) /* between two of its sessions that are kept */
#define UNHEARD_OF_USER 16  /* connections of a user that have not read why they ended, … */
#define UNHEARD_MAX     256 /* … and of all: one more is not told why it is refused */

const char *handshake_objection(const struct session *session, int error)
{
    switch (error) {
    case -EPERM:
        return session->role == MESSAGE_PUBLISHER ? "this user may not publish"
                                                  : "this user may not subscribe";
    case -EACCES:
        return "the mode of the segment does not let this user read it";
    case -EAGAIN:
        return session->role == MESSAGE_PUBLISHER
                   ? "what was handed in under this number is published first: try again"
                   : "the segment was removed, and is made anew: try again";
    case -EUSERS:
        return "too many sessions";
    case -EOPNOTSUPP:
        return "the source is not push: nobody publishes here";
    default:
        return error_text(error);
    }
}

void handshake_refuse(struct session *session, int error)
{
    const struct sessions *sessions = session->sessions;
    struct message_refused message = {
        .head = message_head(MESSAGE_REFUSED, sizeof(message)),
        .error = error,
    };

    session->refused = socket_unread(session->socket) == 0;
    if (parting_count(sessions, session->identity.uid, true) < UNHEARD_OF_USER &&
        parting_count(sessions, ANYBODY, true) < UNHEARD_MAX) {
        (void)snprintf(message.text, sizeof(message.text), "%s",
                       handshake_objection(session, error));
        (void)send(session->socket, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    sessions_end(session, SESSION_REFUSED, error);
}

/* What it calls itself, without anything that could fool a reader of the log. */
static void claim_name(struct session *session, const char name[MESSAGE_NAME_SIZE])
{
    char *own = session->identity.name;

    _Static_assert(ACK_NAME_SIZE == MESSAGE_NAME_SIZE, "copied as it is");
    for (size_t i = 0; i < MESSAGE_NAME_SIZE - 1 && name[i]; i++) {
        own[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '_';
    }
}

/* -EPERM: it may not. */
static int may(struct session *session)
{
    const struct sessions_limits *limits = &session->sessions->limits;
    int r = session_ask_groups(session);

    if (r < 0) {
        return r;
    }
    return access_allows(session->role == MESSAGE_PUBLISHER ? limits->publishers
                                                            : limits->subscribers,
                         session->identity.uid, session->groups, session->groups_count)
               ? 0
               : -EPERM;
}

static int on_doorbell(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct session *session = userdata;

    (void)s;
    (void)fd;
    (void)events;
    if (session_hear(session)) {
        sessions_rouse(session); /* the loop is awake, and looks at the pages */
    } else {
        sessions_drop(session, SESSION_MALFORMED);
    }
    return 0;
}

static int watch_doorbell(struct session *session)
{
    return sd_event_add_io(session->sessions->event, &session->doorbell_source, session->doorbell,
                           EPOLLIN | EPOLLET, on_doorbell, session);
}

static bool hello_is_valid(const struct message_hello *hello)
{
    switch (hello->role) {
    case MESSAGE_SUBSCRIBER:
        return hello->start <= MESSAGE_START_OLDEST;
    case MESSAGE_PUBLISHER:
        return hello->start == 0 && hello->after <= MESSAGE_NUMBER_MAX;
    default:
        return false;
    }
}

static void hand_to_systemd(struct session *session)
{
    const int fds[KEPT_FDS] = {
        [KEPT_SOCKET] = session->socket,     [KEPT_PAGE] = session->page_fd,
        [KEPT_DOORBELL] = session->doorbell, [KEPT_CLIENT_DOORBELL] = session->client_doorbell,
        [KEPT_QUEUE] = session->queue_fd,
    };

    STEP("session.keep");
    session->is_kept = fdstore_keep(session->sessions->notifier, session->id, fds);
    STEP("session.kept");
}

/*
 * What is kept, PID 1 has to take and to give back, for everybody. So each user has as many
 * sessions kept at once as he may have, and then one each KEEP_USEC: whoever comes, acknowledges
 * and leaves without end costs no more than that.
 */
static void keep(struct session *session)
{
    const struct sessions_limits *limits = &session->sessions->limits;
    uint64_t *until = &session->usage->kept_until;
    uint64_t now = clock_usec();
    uint64_t burst =
        KEEP_USEC * (session->identity.uid == 0 ? limits->sessions : limits->sessions_per_user);

    if (!spent_is_debt(*until, now, burst)) {
        hand_to_systemd(session);
        if (session->is_kept) {
            spent_charge(until, now, burst, KEEP_USEC);
        }
    }
}

/* They are mapped, and neither systemd nor the client needs ours any more. */
static void close_shared(struct session *session)
{
    session->page_fd = fd_close(session->page_fd);
    session->queue_fd = fd_close(session->queue_fd);
}

void handshake_keep(struct session *session)
{
    if (session->is_kept || session->to_be_kept) {
        return;
    }
    keep(session);
    if (session->is_kept) {
        close_shared(session);
    } else {
        session->to_be_kept = timer_expect(session->sessions->keep_source, KEEP_USEC) >= 0;
    }
}

int handshake_keep_turn(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct sessions *sessions = userdata;

    (void)s;
    (void)usec;
    for (struct session *session = sessions->first; session; session = session->next) {
        if (session->to_be_kept) {
            session->to_be_kept = false;
            handshake_keep(session);
        }
    }
    return 0;
}

void handshake_keep_at_last(struct session *session, uint64_t until_usec)
{
    if (!session->is_kept && notifier_await_room(session->sessions->notifier, until_usec)) {
        hand_to_systemd(session);
    }
}

/* Makes a subscriber or a publisher of it. */
static int welcome(struct session *session, const struct message_hello *hello)
{
    struct sessions *sessions = session->sessions;
    struct message_welcome answer = {.head = message_head(MESSAGE_WELCOME, sizeof(answer))};
    struct iovec iov = {.iov_base = &answer, .iov_len = sizeof(answer)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[MESSAGE_WELCOME_FDS];
    int count;
    int r;

    if (!hello_is_valid(hello)) {
        return -EPROTO;
    }
    session->role = hello->role;
    r = may(session);
    if (r < 0) {
        return r;
    }
    claim_name(session, hello->name);
    r = session_equip(session);
    if (r < 0) {
        return r;
    }
    r = sessions->hooks.hello(sessions->hooks.userdata, session, hello, &answer);
    if (r < 0) {
        return r;
    }
    answer.session = session->id;
    answer.first = session->first;
    session->acknowledged = session->first - 1;
    atomic_store_explicit(&session->page->acknowledged, session->acknowledged,
                          memory_order_relaxed); /* the message is later */
    count = session_share(session, fds);
    if (count < 0) {
        return count;
    }
    r = watch_doorbell(session);
    if (r >= 0) {
        if (session_publishes(session)) {
            keep(session); /* it may hand in something, and die */
        }
        r = passing_send(session->socket, message, fds, (size_t)count, MSG_DONTWAIT);
        STEP("welcome.sent");
    }
    (void)fd_close(fds[1]);
    (void)fd_close(fds[2]);
    if (session->is_kept) {
        close_shared(session);
    }
    if (r < 0) {
        return r;
    }
    r = sd_event_source_set_time_relative(
        session->deadline_source, session->is_kept ? SESSION_HELLO_USEC : SESSION_KEEP_USEC);
    if (r < 0) {
        return r;
    }
    sessions->hooks.joined(sessions->hooks.userdata, session);
    return 0;
}

static void report(struct session *session)
{
    struct sessions *sessions = session->sessions;
    CLEANUP(free_cleanup)
    char *json = sessions->hooks.report(sessions->hooks.userdata, session);
    size_t length = json ? strlen(json) : 0;
    struct message head = message_head(MESSAGE_REPORT, sizeof(head) + length);
    struct iovec parts[] = {
        {.iov_base = &head, .iov_len = sizeof(head)},
        {.iov_base = json, .iov_len = length},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    bool room = parting_unread(sessions, session->identity.uid) + length <= SESSIONS_UNREAD_MAX;

    session->asked = true;
    session->is_hearing |= session_is_welcome(session) && socket_unread(session->socket) == 0;
    /* An asker that does not read what it asked for gets no more. */
    if (!json || length > MESSAGE_REPORT_MAX || !room ||
        sendmsg(session->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        session->unread = json && (!room || errno == EAGAIN);
        sessions_leave(session);
    }
}

/* Who has left already, and has nothing to tell, is only mentioned in the log. */
static void greet(struct session *session, const struct message_hello *hello, bool gone)
{
    int r;

    if (gone && hello->after == 0 && hello_is_valid(hello)) {
        session->role = hello->role;
        claim_name(session, hello->name);
        sessions_leave(session);
        return;
    }
    r = welcome(session, hello);
    if (r < 0) {
        handshake_refuse(session, r);
    } else {
        session_forget_groups(session);
    }
}

/* --- turns --- */

static bool has_said_enough(const struct session *session, uint64_t now)
{
    return session->identity.uid != 0 &&
           spent_is_debt(session->usage->said_until, now, SAY_BURST * SAY_USEC);
}

/*
 * Each user has so many messages at once, and then one each SAY_USEC: so whoever connects without
 * end keeps nobody else waiting. Root has no limit.
 */
static bool put_off(struct session *session)
{
    uint64_t now = clock_usec();

    if (!has_said_enough(session, now)) {
        spent_charge(&session->usage->said_until, now, SAY_BURST * SAY_USEC, SAY_USEC);
        return false;
    }
    session->put_off = true;
    (void)sd_event_source_set_enabled(session->socket_source, SD_EVENT_OFF);
    (void)timer_expect(session->sessions->turn_source, SAY_USEC);
    return true;
}

int handshake_turn(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct sessions *sessions = userdata;
    uint64_t now = clock_usec();
    bool more = false;

    (void)usec;
    for (struct session *session = sessions->first; session; session = session->next) {
        if (session->put_off && !has_said_enough(session, now)) {
            session->put_off = false;
            (void)sd_event_source_set_enabled(session->socket_source, SD_EVENT_ON);
        }
        more |= session->put_off;
    }
    return more ? timer_start(s, SAY_USEC) : 0;
}

/* --- messages --- */

static int on_message(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct session *session = userdata;
    struct message_hello hello;
    struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t length;

    (void)s;
    if (put_off(session)) {
        return 0;
    }
    length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_PEEK); /* see disposal.h */
    if (length >= 0 && !(message.msg_flags & MSG_CTRUNC)) {
        length = recv(fd, &hello, sizeof(hello), MSG_DONTWAIT); /* the same */
    }
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    /* What a publisher has handed in before it shut down its side, was meant. */
    if (length < 0 || (length == 0 && ((events & EPOLLHUP) || session_publishes(session)))) {
        sessions_leave(session);
    } else if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        sessions_drop(session, SESSION_MALFORMED);
    } else if (message_is(&hello, (size_t)length, MESSAGE_STATUS, sizeof(struct message))) {
        report(session);
    } else if (message_is(&hello, (size_t)length, MESSAGE_HELLO, sizeof(hello)) &&
               !session_is_welcome(session)) {
        greet(session, &hello, events & EPOLLHUP);
    } else {
        sessions_drop(session, SESSION_MALFORMED);
    }
    return 0;
}

/*
 * Of each user, and of all together, no more are away than there may be sessions, for they have
 * cursors. Who is late is not expected any more, and gives way: first the one of this user that has
 * been away for longest.
 */
static bool may_come_back(const struct session *session)
{
    const struct sessions *sessions = session->sessions;
    struct session *late = NULL;
    size_t away = 0, all = 0;

    for (struct session *other = sessions->first; other; other = other->next) {
        all += session_is_away(other);
        if (session_is_away(other) && other->usage == session->usage) {
            away++;
            late = other->cursor->late ? other : late;
        }
    }
    if (session->identity.uid == 0 ||
        (away < sessions->limits.sessions_per_user && all < sessions->limits.sessions)) {
        return true;
    }
    if (late) {
        sessions_drop(late, SESSION_FORGOTTEN);
    }
    return late != NULL;
}

/* It did not read its WELCOME: it may be stopped, and keeps its place for as long as its lease. */
static void end_deaf(struct session *session)
{
    if (may_come_back(session)) {
        session->deaf = true;
        sessions_send_away(session, PAGE_CLOSING);
    } else {
        sessions_drop(session, SESSION_DEAF);
    }
}

/* It has lived for a moment, and later for long enough to have read what it was sent. */
static int on_time(struct session *session)
{
    if ((!session->is_kept && !session->to_be_kept) || session->asked) {
        handshake_keep(session);
        session->asked = false; /* it may be the report that is not read yet */
        return timer_start(session->deadline_source, SESSION_HELLO_USEC);
    }
    session->deadline_source = sd_event_source_disable_unref(session->deadline_source);
    if (!session->is_hearing && socket_unread(session->socket) > 0) {
        end_deaf(session);
    }
    return 0;
}

/* If it is we who are late, its word is there, and is heard first: its turn is the next one. */
static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct session *session = userdata;
    struct pollfd word = {.fd = session->socket, .events = POLLIN};

    (void)usec;
    if (session_is_welcome(session)) {
        return on_time(session);
    }
    if (session->put_off) { /* it has said it, and is heard when it is its turn */
        return timer_start(s, SESSION_HELLO_USEC);
    }
    if (!session->asked && poll(&word, 1, 0) > 0) {
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
    }
    sessions_drop(session, session->asked ? SESSION_LEFT : SESSION_SILENT);
    return 0;
}

static int watch_socket(struct session *session)
{
    return sd_event_add_io(session->sessions->event, &session->socket_source, session->socket,
                           EPOLLIN, on_message, session);
}

int handshake_begin(struct session *session)
{
    int r = watch_socket(session);

    return r < 0 ? r
                 : sd_event_add_time_relative(session->sessions->event, &session->deadline_source,
                                              CLOCK_MONOTONIC, SESSION_HELLO_USEC, 0, on_deadline,
                                              session);
}

int handshake_resume(struct session *session)
{
    int r = handshake_begin(session); /* it may not have read its WELCOME yet */

    return r < 0 ? r : watch_doorbell(session);
}
