/* SPDX-License-Identifier: MIT
 *
 * The socket, and who comes through it.
 *
 * A connection has a moment to say what it wants (handshake.h). How many there may be is bounded,
 * in all and for each user, and one descriptor is held in reserve, so that there is always one to
 * accept a connection with and refuse it. What a subscriber is to be told and how its end matters
 * to others is the owner's to say: through the hooks.
 *
 * Most of many sessions may have nothing to say for a long time. Looking at all their pages again
 * and again would cost those who do; so at the end of the list there are the quiet ones: each has
 * been told that the daemon sleeps, and rings when it has something to say.
 */
#pragma once

#include "daemon/access.h"
#include "daemon/fdstore.h"
#include "daemon/session.h"

struct sd_event;

#define SESSION_HELLO_USEC UINT64_C(2000000) /* for a connection to say what it wants, … */
#define SESSION_KEEP_USEC  UINT64_C(100000)  /* … and for a session to be worth keeping */

#define ANYBODY ((uid_t)-1) /* all users */

/* What all clients of a user may leave unread, in bytes of the kernel. */
#define SESSIONS_UNREAD_MAX ((size_t)1 << 20)

/* Why a session ended, for the log. */
enum session_reason {
    SESSION_LEFT,      /* the client closed its connection, or died */
    SESSION_RESUMED,   /* … and goes on in another one */
    SESSION_EVICTED,   /* its lease ran out in silence, */
    SESSION_AWAITED,   /* … or while others waited */
    SESSION_FORGOTTEN, /* it was late, and did not come at all */
    SESSION_MALFORMED, /* a message that is none */
    SESSION_LIED,      /* a claim that cannot be true */
    SESSION_BROKEN,    /* what it handed in is no record */
    SESSION_SILENT,    /* said nothing in time */
    SESSION_DEAF,      /* did not read its WELCOME in time */
    SESSION_REFUSED,   /* not allowed, or too many */
    SESSION_CLOSED,    /* the daemon goes */
    SESSION_DISMISSED, /* a publisher that has to connect again */
};

struct sessions_hooks {
    /* Fills `welcome` and the session's first record; a negative errno refuses it. */
    int (*hello)(void *userdata, struct session *session, const struct message_hello *hello,
                 struct message_welcome *welcome);
    /* It has its WELCOME. */
    void (*joined)(void *userdata, struct session *session);
    /* Its connection is about to be closed, but it is expected back. */
    void (*leaving)(void *userdata, struct session *session);
    /* Before it is freed; `error` is what it was refused with. */
    void (*ended)(void *userdata, struct session *session, enum session_reason reason, int error);
    /* The JSON document for this asker, the caller's to free; NULL without memory. */
    char *(*report)(void *userdata, const struct session *session);
    void *userdata;
};

struct sessions_limits {
    size_t sessions;
    size_t sessions_per_user;
    const struct access *subscribers; /* who may; valid until the next configuration */
    const struct access *publishers;  /* … likewise */
};

struct sessions {
    struct session *first;
    size_t count;
    uint64_t quiet_slowest; /* what all quiet ones have acknowledged; UINT64_MAX: there are none */
    struct sd_event *event;
    struct sd_event_source *listen_source;
    struct sd_event_source *turn_source;    /* of those who are put off, … */
    struct sd_event_source *keep_source;    /* … and of those who are to be kept */
    struct sd_event_source *parting_source; /* of those whom it takes time to part from */
    struct notifier *notifier;              /* systemd, which keeps them; not ours */
    int listen_fd;
    int reserve_fd;
    uint32_t *last_id;
    struct sessions_hooks hooks;
    struct sessions_limits limits;
    struct usages usages;
    struct parting *partings; /* see parting.h, … */
    struct notice *notices;   /* … likewise */
};

/*
 * Listens on `fd`, a listening SOCK_SEQPACKET socket, and takes it over; -1: nobody can come.
 * `last_id`, the number that was given to the last session, outlives the sessions.
 */
int sessions_new(struct sd_event *event, int fd, struct notifier *notifier,
                 const struct sessions_hooks *hooks, uint32_t *last_id, struct sessions **ret);

void sessions_configure(struct sessions *sessions, const struct sessions_limits *limits);

/*
 * Makes a session of an earlier daemon anew, from its cursor and from what was kept of its
 * descriptors, which it takes over. Without its page, it is away; without its socket only, the
 * client has gone, and the page tells how far it had come.
 */
int sessions_restore(struct sessions *sessions, struct cursor *cursor, const int fds[KEPT_FDS],
                     struct session **ret);

/* For a walk through those who are not quiet: it ends with the first one that is. */
static inline bool session_is_lively(const struct session *session)
{
    return session && !session->quiet;
}

/* Those of the others who may are quiet from now on: they have been told that the daemon sleeps. */
void sessions_quieten(struct sessions *sessions, bool (*may_rest)(struct session *session));

/* It has something to say. */
void sessions_rouse(struct session *session);

void sessions_rouse_all(struct sessions *sessions);

/* NULL if there is none with this number. */
struct session *sessions_find(const struct sessions *sessions, uint32_t id);

/* Ends one session: tells it through its page, calls the hook, frees it. */
void sessions_drop(struct session *session, enum session_reason reason);

/* Ends all sessions with this state in their pages. */
void sessions_drop_all(struct sessions *sessions, enum page_state state);

/* Tells a client through its page to connect again, and keeps what it must not lose. */
void sessions_send_away(struct session *session, enum page_state state);

/* Subscribers or publishers, with those who are away. */
size_t sessions_count(const struct sessions *sessions, enum message_role role);

/* Clients come here from now on; `fd` is taken over, and the one before is closed. */
int sessions_listen(struct sessions *sessions, int fd);

/* Nobody listens there after us: who has connected, and is not accepted yet, is turned away. */
void sessions_stop_listening(struct sessions *sessions);

/* Closes what is ours. What systemd keeps of the sessions stays, for the next daemon. */
struct sessions *sessions_free(struct sessions *sessions);

DEFINE_CLEANUP(struct sessions, sessions_free)

/* --- for handshake.c --- */

/* Its client has gone. What a publisher has handed in is published first. */
void sessions_leave(struct session *session);

/* Calls the hook and frees it. */
void sessions_end(struct session *session, enum session_reason reason, int error);
