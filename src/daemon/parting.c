/* SPDX-License-Identifier: MIT */
#include "daemon/parting.h"
#include "base/clock.h"
#include "base/timer.h"
#include "daemon/disposal.h"
#include "daemon/sessions.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#define TICK_USEC (10 * USEC_PER_MSEC)
#define LATE      100 /* ticks until what is not disposed of counts for its user */
#define END_TICKS 10  /* … until the end of the daemon waits for it no more */

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

struct parting {
    struct parting *next;
    struct sessions *sessions;
    struct usage *usage;     /* NULL: it is not known whose it is */
    bool refused;            /* nothing is unread but that it was refused */
    sd_event_source *source; /* it waits for its client to read; NULL: it is being disposed of */
    unsigned ticks;          /* … for so long */
    struct disposal disposal;
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

void socket_refuse_descriptors(int socket)
{
    static const int no;

    (void)setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

bool socket_has_hung_up(int socket)
{
    struct pollfd look = {.fd = socket};

    return poll(&look, 1, 0) > 0 && (look.revents & POLLHUP);
}

static void parting_free(struct parting *parting)
{
    struct parting **at = &parting->sessions->partings;

    while (*at != parting) {
        at = &(*at)->next;
    }
    *at = parting->next;
    (void)sd_event_source_disable_unref(parting->source);
    disposal_abandon(&parting->disposal);
    usage_drop(parting->usage);
    free(parting);
}

static void wait_for_tick(struct sessions *sessions)
{
    (void)timer_expect(sessions->parting_source, TICK_USEC);
}

static int on_event(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct parting *parting = userdata;

    (void)s;
    (void)events;
    if (socket_unread(fd) > 0) {
        return 0;
    }
    parting->source = sd_event_source_disable_unref(parting->source);
    if (disposal_proceed(&parting->disposal)) {
        parting_free(parting);
    } else {
        wait_for_tick(parting->sessions);
    }
    return 0;
}

/* Goes on with all that is to be disposed of. True: something is left. */
static bool tick(struct sessions *sessions)
{
    struct parting *next;
    bool left = false;

    for (struct parting *parting = sessions->partings; parting; parting = next) {
        next = parting->next;
        if (parting->source) {
            continue;
        }
        if (disposal_proceed(&parting->disposal)) {
            parting_free(parting);
        } else {
            parting->ticks++;
            left = true;
        }
    }
    return left;
}

int parting_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
    (void)usec;
    return tick(userdata) ? timer_start(s, TICK_USEC) : 0;
}

/*
 * Closes a connection that is shut down, when its client has read what there is, and empties a
 * page. Room for writing comes up whenever something was read; each event is told once.
 */
static void part(const struct parting *like)
{
    struct sessions *sessions = like->sessions;
    struct parting now = *like;
    struct parting *parting;
    bool waits = now.usage && now.disposal.socket >= 0 && socket_unread(now.disposal.socket) > 0;

    if (!waits && disposal_proceed(&now.disposal)) {
        return;
    }
    parting = malloc(sizeof(*parting));
    if (!parting) {
        disposal_abandon(&now.disposal);
        return;
    }
    *parting = now;
    parting->usage = now.usage ? usage_hold(&sessions->usages, now.usage->uid) : NULL;
    parting->next = sessions->partings;
    sessions->partings = parting;
    if (!waits || sd_event_add_io(sessions->event, &parting->source, parting->disposal.socket,
                                  EPOLLOUT | EPOLLET, on_event, parting) < 0) {
        wait_for_tick(sessions);
    }
}

static void notice_forget(struct notice **at)
{
    struct notice *notice = *at;

    *at = notice->next;
    if (notice->page) {
        (void)munmap(notice->page, PAGE_SIZE);
    }
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
        part(&(struct parting){.sessions = sessions,
                               .usage = (*last)->usage,
                               .disposal = {.socket = -1, .page = take((*last)->page)}});
        notice_forget(last);
    }
}

/* For all who hold it, at both ends. */
static void leave(struct session *session, void *page)
{
    session->socket_source = sd_event_source_disable_unref(session->socket_source);
    if (session->socket >= 0) {
        (void)shutdown(session->socket, SHUT_RDWR);
        part(&(struct parting){.sessions = session->sessions,
                               .usage = session->usage,
                               .refused = session->refused,
                               .disposal = {.socket = session->socket, .page = page}});
        session->socket = -1;
    }
}

void parting_begin(struct session *session)
{
    void *page = NULL;

    if (session->socket >= 0 && session_subscribes(session)) {
        if (socket_has_hung_up(session->socket)) {
            /* Nobody looks at it any more: whoever holds it, holds no memory of ours. */
            page = take(session->page);
        } else {
            notice_leave(session);
        }
    }
    leave(session, page);
}

void parting_hang_up(struct session *session)
{
    leave(session, NULL);
}

void parting_close(struct sessions *sessions, int socket)
{
    if (socket >= 0) {
        (void)shutdown(socket, SHUT_RDWR);
        part(&(struct parting){.sessions = sessions, .disposal = {.socket = socket}});
    }
}

size_t parting_count(const struct sessions *sessions, uid_t uid, bool refused)
{
    size_t count = 0;

    for (const struct parting *parting = sessions->partings; parting; parting = parting->next) {
        count += parting->source && parting->refused == refused &&
                 (uid == ANYBODY || parting->usage->uid == uid);
    }
    return count;
}

size_t parting_count_places(const struct sessions *sessions)
{
    size_t all = 0;

    for (const struct parting *parting = sessions->partings; parting; parting = parting->next) {
        if (parting->usage && !parting->refused && (parting->source || parting->ticks >= LATE)) {
            parting->usage->places++;
            all++;
        }
    }
    return all;
}

size_t parting_unread(const struct sessions *sessions, uid_t uid)
{
    size_t bytes = 0;

    for (const struct parting *parting = sessions->partings; parting; parting = parting->next) {
        bytes += parting->source && parting->usage->uid == uid
                     ? socket_unread(parting->disposal.socket)
                     : 0;
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
    struct timespec moment = clock_timespec(TICK_USEC);

    for (struct parting *parting = sessions->partings; parting; parting = parting->next) {
        parting->source = sd_event_source_disable_unref(parting->source);
    }
    for (int i = 0; i < END_TICKS && tick(sessions); i++) {
        (void)nanosleep(&moment, NULL);
    }
    while (sessions->partings) {
        parting_free(sessions->partings);
    }
    while (sessions->notices) {
        notice_forget(&sessions->notices);
    }
}
