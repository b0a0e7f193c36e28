/* SPDX-License-Identifier: MIT */
#include "daemon/parting.h"
#include "daemon/sessions.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

struct parting {
    struct parting *next;
    struct sessions *sessions;
    struct usage *usage;
    int socket;
    sd_event_source *source;
};

/* A page that says why its session has ended. */
struct notice {
    struct notice *next; /* the one before it */
    struct usage *usage;
    struct page *page;
};

size_t socket_unread(int socket)
{
    int bytes = 0;

    /* Whoever is woken by a reader may see its last byte still there; no message is that short. */
    return ioctl(socket, SIOCOUTQ, &bytes) == 0 && bytes > 1 ? (size_t)bytes : 0;
}

static bool has_hung_up(int socket)
{
    struct pollfd look = {.fd = socket};

    return poll(&look, 1, 0) > 0 && (look.revents & POLLHUP);
}

static void parting_end(struct parting *parting)
{
    struct parting **at = &parting->sessions->partings;

    while (*at != parting) {
        at = &(*at)->next;
    }
    *at = parting->next;
    (void)sd_event_source_disable_unref(parting->source);
    (void)fd_close(parting->socket);
    usage_drop(parting->usage);
    free(parting);
}

static int on_event(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct parting *parting = userdata;

    (void)s;
    (void)events;
    if (socket_unread(fd) == 0) {
        parting_end(parting);
    }
    return 0;
}

static void notice_forget(struct notice **at)
{
    struct notice *notice = *at;

    *at = notice->next;
    (void)munmap(notice->page, PAGE_SIZE);
    usage_drop(notice->usage);
    free(notice);
}

/* Takes the page over. The oldest one of this user may have to go, or the oldest of all. */
static void notice_leave(struct session *session)
{
    struct sessions *sessions = session->sessions;
    struct notice **last_of_user = NULL, **last = NULL;
    struct notice *notice = malloc(sizeof(*notice));
    size_t most = sessions->limits.sessions_per_user;
    size_t of_user = 0, all = 0;

    if (!notice) {
        return;
    }
    if (session->identity.uid == 0) {
        most = sessions->limits.sessions; /* no limit but this is root's */
    }
    *notice = (struct notice){.next = sessions->notices,
                              .usage = usage_hold(&sessions->usages, session->identity.uid),
                              .page = session->page};
    session->page = NULL;
    sessions->notices = notice;
    for (struct notice **at = &sessions->notices; *at; at = &(*at)->next) {
        all++;
        last = at;
        if ((*at)->usage == notice->usage) {
            of_user++;
            last_of_user = at;
        }
    }
    if (of_user > most || all > sessions->limits.sessions) {
        last = of_user > most ? last_of_user : last;
        (void)madvise((*last)->page, PAGE_SIZE, MADV_REMOVE);
        notice_forget(last);
    }
}

void parting_begin(struct session *session)
{
    struct parting *parting;

    session->socket_source = sd_event_source_disable_unref(session->socket_source);
    if (session->socket < 0) {
        return;
    }
    if (session_subscribes(session) && has_hung_up(session->socket)) {
        /* Nobody looks at it any more: whoever holds it, holds no memory of ours. */
        (void)madvise(session->page, PAGE_SIZE, MADV_REMOVE);
    } else if (session_subscribes(session)) {
        notice_leave(session);
    }
    (void)shutdown(session->socket, SHUT_RDWR); /* for all who hold it, at both ends */
    if (socket_unread(session->socket) == 0) {
        return;
    }
    parting = calloc(1, sizeof(*parting));
    /* Room for writing comes up whenever something was read; each event is told once. */
    if (!parting || sd_event_add_io(session->sessions->event, &parting->source, session->socket,
                                    EPOLLOUT | EPOLLET, on_event, parting) < 0) {
        free(parting);
        return;
    }
    parting->sessions = session->sessions;
    parting->usage = usage_hold(&session->sessions->usages, session->identity.uid);
    parting->socket = session->socket;
    session->socket = -1;
    parting->next = session->sessions->partings;
    session->sessions->partings = parting;
}

size_t parting_count(const struct sessions *sessions, uid_t uid)
{
    size_t count = 0;

    for (const struct parting *parting = sessions->partings; parting; parting = parting->next) {
        count += uid == (uid_t)-1 || parting->usage->uid == uid;
    }
    return count;
}

size_t parting_unread(const struct sessions *sessions, uid_t uid)
{
    size_t bytes = 0;

    for (const struct parting *parting = sessions->partings; parting; parting = parting->next) {
        bytes += parting->usage->uid == uid ? socket_unread(parting->socket) : 0;
    }
    for (const struct session *session = sessions->first; session; session = session->next) {
        bytes += session->identity.uid == uid && session->socket >= 0
                     ? socket_unread(session->socket)
                     : 0;
    }
    return bytes;
}

void parting_clear(struct sessions *sessions)
{
    while (sessions->partings) {
        parting_end(sessions->partings);
    }
    while (sessions->notices) {
        notice_forget(&sessions->notices);
    }
}
