/* SPDX-License-Identifier: MIT */
#include "daemon/handshake.h"
#include "base/step.h"
#include "base/shortage.h"
#include "daemon/access.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

const char *handshake_objection(const struct session *session, int error)
{
    switch (error) {
    case -EPERM:
        return session->role == MESSAGE_PUBLISHER ? "this user may not publish"
                                                  : "this user may not subscribe";
    case -EACCES:
        return "the mode of the segment does not let this user read it";
    case -EAGAIN:
        return "the segment was removed, and is made anew: try again";
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
    struct message_refused message = {
        .head = message_head(MESSAGE_REFUSED, sizeof(message)),
        .error = error,
    };

    (void)snprintf(message.text, sizeof(message.text), "%s", handshake_objection(session, error));
    (void)send(session->socket, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
    /* What it has said lies there unread, and would reset the connection before it reads ours. */
    (void)shutdown(session->socket, SHUT_RD);
    while (recv(session->socket, &message, sizeof(message), MSG_DONTWAIT) > 0) {
    }
    sessions_end(session, SESSION_REFUSED, error);
}

static int send_with_fds(int socket, const void *bytes, size_t length, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_WELCOME_FDS)];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = CMSG_SPACE(sizeof(int) * count),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
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
static int may(const struct session *session)
{
    const struct sessions_limits *limits = &session->sessions->limits;
    CLEANUP(free_cleanup) gid_t *groups = NULL;
    size_t count;
    int r = access_groups(session->socket, session->identity.gid, &groups, &count);

    if (r < 0) {
        return r;
    }
    return access_allows(session->role == MESSAGE_PUBLISHER ? limits->publishers
                                                            : limits->subscribers,
                         session->identity.uid, groups, count)
               ? 0
               : -EPERM;
}

static int on_doorbell(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    /* It has woken the loop, which looks at the pages: that is all it is for. */
    (void)s;
    (void)fd;
    (void)events;
    sessions_rouse(userdata);
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

/* Makes a subscriber or a publisher of it. */
static int welcome(struct session *session, const struct message_hello *hello)
{
    struct sessions *sessions = session->sessions;
    struct message_welcome answer = {.head = message_head(MESSAGE_WELCOME, sizeof(answer))};
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
    r = watch_doorbell(session);
    if (r < 0) {
        return r;
    }
    count = session_share(session, fds);
    if (count < 0) {
        return count;
    }
    STEP("welcome.store");
    fdstore_keep(session->id, (const int[KEPT_FDS]){
                                  [KEPT_SOCKET] = session->socket,
                                  [KEPT_PAGE] = session->page_fd,
                                  [KEPT_DOORBELL] = session->doorbell,
                                  [KEPT_CLIENT_DOORBELL] = session->client_doorbell,
                                  [KEPT_QUEUE] = session->queue_fd,
                              });
    STEP("welcome.stored");
    r = send_with_fds(session->socket, &answer, sizeof(answer), fds, (size_t)count);
    STEP("welcome.sent");
    (void)fd_close(fds[1]);
    session->page_fd = fd_close(session->page_fd); /* they are mapped */
    session->queue_fd = fd_close(session->queue_fd);
    if (r < 0) {
        return r;
    }
    session->deadline_source = sd_event_source_disable_unref(session->deadline_source);
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

    session->asked = true;
    /* An asker that does not read what it asked for gets no more. */
    if (!json || length > MESSAGE_REPORT_MAX ||
        sendmsg(session->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        session->unread = json && errno == EAGAIN;
        sessions_leave(session);
    }
}

static int on_message(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct session *session = userdata;
    struct message_hello hello;
    struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    (void)s;
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (length < 0 || (length == 0 && (events & EPOLLHUP))) {
        sessions_leave(session);
    } else if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        sessions_drop(session, SESSION_MALFORMED);
    } else if (message_is(&hello, (size_t)length, MESSAGE_STATUS, sizeof(struct message))) {
        report(session);
    } else if (message_is(&hello, (size_t)length, MESSAGE_HELLO, sizeof(hello)) &&
               !session_is_welcome(session)) {
        int r = welcome(session, &hello);

        if (r < 0) {
            handshake_refuse(session, r);
        }
    } else {
        sessions_drop(session, SESSION_MALFORMED);
    }
    return 0;
}

/* If it is we who are late, its word is there, and is heard first: its turn is the next one. */
static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct session *session = userdata;
    struct pollfd word = {.fd = session->socket, .events = POLLIN};

    (void)usec;
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

    if (r < 0) {
        return r;
    }
    return sd_event_add_time_relative(session->sessions->event, &session->deadline_source,
                                      CLOCK_MONOTONIC, SESSION_HELLO_USEC, 0, on_deadline, session);
}

int handshake_resume(struct session *session)
{
    int r = watch_socket(session);

    return r < 0 ? r : watch_doorbell(session);
}
