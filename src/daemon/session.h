/* SPDX-License-Identifier: MIT
 *
 * A session: one subscriber or publisher, its connection, its page, and how far it has come.
 *
 * What the client writes into its page is a claim. It is copied once, judged against what the
 * daemon itself knows, and only then becomes our `acknowledged`; a claim that cannot be true ends
 * the session.
 *
 * Each doorbell is a pair of sockets, one for each side. So no open file is shared that can be
 * waited for: a client that changes the flags of its own (O_NONBLOCK belongs to the open file)
 * cannot make the daemon block; and no lock is shared. (A pipe has one for both ends: who reads
 * there with splice(2) keeps who writes, or closes, waiting. And whoever closes an eventfd last,
 * waits for the epoll_wait(2) of all who watch it.) The daemon's is watched edge-triggered: a
 * client that fills it deprives only itself of a bell. When the daemon dies, the client's hangs up.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/cursor.h"
#include "daemon/identity.h"
#include "daemon/usage.h"
#include "proto/message.h"
#include "proto/page.h"
#include "proto/queue.h"

#include <stdbool.h>
#include <sys/types.h>

struct sd_event_source;

struct session {
    struct session *next;
    struct sessions *sessions; /* whom it belongs to */
    uint32_t id;
    uint32_t role; /* enum message_role; 0: it has not said */
    struct identity identity;
    gid_t *groups; /* of its process, primary one first; NULL: nobody has asked yet */
    size_t groups_count;
    struct usage *usage; /* of its user */

    int socket; /* -1: publisher: it has gone, and what it has handed in is still to be published */
    int doorbell;        /* ours: datagrams come from the client's socket, … */
    int client_doorbell; /* … and a stream goes to its other one */
    int page_fd, queue_fd;
    struct sd_event_source *socket_source, *doorbell_source, *deadline_source;

    /* From here on only once it is welcome; before, page is NULL. */
    struct page *page;
    struct cursor *cursor; /* in the state; what it does not cover yet, the log is to be told */
    uint64_t first;        /* the number of the first record that it gets */
    uint32_t resumes;      /* the session that it goes on from; 0: none */
    bool is_new;           /* it says that it has had no session before */
    uint64_t told;         /* plain: the record that its page tells of; publisher: confirmed */
    uint64_t acknowledged; /* all up to this one are dealt with */
    uint64_t lost;         /* of these, how many were written over unread */
    bool refused;          /* nothing is unread but that it was */
    bool asked;            /* it wanted to know the status */
    bool unread;           /* … more often than it has read the answer */
    bool is_hearing;       /* it has read its WELCOME, for certain */
    bool deaf;             /* it is away because it did not read its WELCOME */
    bool put_off;          /* its message waits for its user's next turn */
    bool is_kept;          /* systemd has its descriptors, or is about to get them */
    bool to_be_kept;       /* … in its user's turn */
    bool quiet;            /* it is not looked at until it rings; see sessions.h */
    unsigned silent;       /* for so many stretches of work it has said nothing */
    uint64_t lost_usec;    /* when the log was told last of what it lost */
    uint64_t lost_logged;  /* … and of these, how many the log knows of */
    uint64_t spent;        /* see budget.h */
    uint64_t lease_usec;   /* how long it may owe (lease.h) */
    uint64_t bytes;        /* acknowledged, and not yet handed to the log */
    uint64_t latency_usec; /* of the last one of these */
    uint64_t heard;        /* records acknowledged, and not yet charged to its user; of them, … */
    uint64_t published_usec; /* … the last one was published then */

    /* Of a publisher; its acknowledged records are those of its own that are dealt with. */
    struct ring_reader queue; /* what it hands in */
    size_t queue_size;
    size_t longest;       /* record that it was told to fit, in bytes */
    uint64_t given_up;    /* records that it had handed in, and that go to nobody any more */
    uint64_t unpublished; /* … that it may hand in anew */
    uint64_t queue_end;   /* what it has handed in ends before this position; 0: it goes on */
    bool broken;          /* what stands in its queue is no record */
    bool closing;         /* it was told to hand in no more */
};

enum claim {
    CLAIM_NOTHING,  /* nothing new */
    CLAIM_PROGRESS, /* acknowledged more */
    CLAIM_FALSE,    /* backwards, or beyond what was published */
};

/* Asks the kernel for its groups, once: they are those of the moment when it connected. */
int session_ask_groups(struct session *session);

/* There may be 65,536 of them, and the kernel still knows them. */
void session_forget_groups(struct session *session);

/* Makes the page. On failure nothing has changed. */
int session_equip(struct session *session);

/* A publisher: makes its queue, for records of up to `longest` bytes. */
int session_equip_queue(struct session *session, size_t longest, const uint8_t epoch[16]);

/*
 * Maps page and queue of an earlier daemon's session from their descriptors, if they are what they
 * should be.
 */
void session_restore(struct session *session);

/*
 * Makes the doorbells. The descriptors for the WELCOME: page, the client's doorbell, the daemon's
 * doorbell, and a publisher's queue. The caller closes the doorbells, for these ends are the
 * client's. Returns how many.
 */
int session_share(struct session *session, int ret_fds[MESSAGE_WELCOME_FDS]);

/* Takes away what the client has rung. False: it has sent something else, which lies there. */
bool session_hear(struct session *session);

/*
 * Looks what the client claims; `published` is the newest record, and where records were written
 * over in its session (`lossy`) it may claim to have lost some. Updates the session on progress.
 */
enum claim session_look(struct session *session, uint64_t published, bool lossy);

/* Tells the client that there is news: rings if it sleeps. */
void session_notify(struct session *session);

/* The same after page_fence(). */
void session_ring(struct session *session);

/* Says in the page how it ends. What wakes the client is that its doorbell hangs up: … */
void session_end(struct session *session, enum page_state state);

/* … where that comes later, it is woken now. */
void session_wake(struct session *session);

/* Is it a subscriber or a publisher, and there? */
static inline bool session_is_welcome(const struct session *session)
{
    return session->page != NULL;
}

static inline bool session_subscribes(const struct session *session)
{
    return session_is_welcome(session) && session->role == MESSAGE_SUBSCRIBER;
}

static inline bool session_publishes(const struct session *session)
{
    return session_is_welcome(session) && session->role == MESSAGE_PUBLISHER;
}

/* Is what it acknowledges logged, whether it is here, away, or late? */
static inline bool session_is_logged(const struct session *session)
{
    return session->cursor && session->role == MESSAGE_SUBSCRIBER;
}

/* Does it hold up records until it has acknowledged them, here or away? */
static inline bool session_is_owed(const struct session *session)
{
    return session_is_logged(session) && !session->cursor->late;
}

/* Is it expected back, after a restart or with another segment? */
static inline bool session_is_away(const struct session *session)
{
    return session->cursor && !session->page;
}

/* A publisher: so many of the records that it has handed in were published. */
static inline uint64_t session_published(const struct session *session)
{
    return session->acknowledged + 1 - session->first - session->lost;
}

/*
 * A publisher has handed in all that counts: no more than its queue holds, for who goes on to write
 * there could do so without end.
 */
static inline void session_end_queue(struct session *session)
{
    if (session->queue_end == 0) {
        session->queue_end = ring_position(&session->queue) + session->queue.capacity;
    }
}

/* Ends the connection. A publisher's queue stays, with what it has handed in until now. */
void session_hang_up(struct session *session);

/* Makes it one that is away: its connection is closed, its cursor stays. */
void session_detach(struct session *session);

/* Closes everything. The event sources go first. */
struct session *session_free(struct session *session);

DEFINE_CLEANUP(struct session, session_free)
