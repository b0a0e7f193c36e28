/* SPDX-License-Identifier: MIT
 *
 * The manager owns every object of the daemon and joins them: it is the only one that knows all.
 *
 *      source ──record──▶ manager ──▶ segment ──────────▶ clients
 *         ▲                  │  ▲                            │
 *         └──────ask─────────┘  └──acknowledgement: page,────┘
 *                            │     or '*' in the segment
 *                            └──acknowledgement──▶ log
 *
 * Everything happens in one event loop; the log (log.h) and what systemd is told (notifier.h) have
 * a thread each, because both may have to wait.
 */
#pragma once

#include "base/clock.h"
#include "conf/conf.h"
#include "daemon/board.h"
#include "daemon/budget.h"
#include "daemon/intake.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/notifier.h"
#include "daemon/past.h"
#include "daemon/sessions.h"
#include "daemon/unread.h"
#include "segment/keylock.h"

#include <systemd/sd-event.h>

/* Whose turn it is among the publishers, see publishers.h. */
struct turn {
    struct session *publisher;
    unsigned left;             /* records */
    struct session *collected; /* whose records are not counted yet; NULL: nobody's */
};

struct manager {
    struct conf *conf;
    const char *instance;

    sd_event *event;
    sd_event_source *poll_source;   /* looks at the segment; NULL where nobody may write it */
    sd_event_source *tick_source;   /* watchdog, health */
    sd_event_source *status_source; /* the status for systemd, where it has just been said */
    uint64_t status_usec;           /* … when */
    uint64_t started_usec;
    sd_event_source *flush_source; /* acknowledgements that are logged as ranges, later */
    bool flush_armed;              /* … which is going to happen */
    sd_event_source *lease_source; /* the next lease that may run out */
    uint64_t lease_armed;          /* for when; UINT64_MAX: it is off */
    int poll_fd;

    struct log *log;
    struct notifier *notifier;
    struct state *state;
    struct keylock keylock; /* of the segment's key */
    struct segment segment;
    bool found; /* the segment was there before this start, and stays if that fails */
    struct board board;
    struct sessions *sessions;
    char *socket_path; /* of one of our own */
    struct listener listener;
    struct intake intake;
    struct turn turn;
    uint64_t owed_from; /* the first record that any subscriber gets; UINT64_MAX: there is none */
    struct past *pasts;
    struct preparation *preparation; /* of a reload; NULL: there is none going on, … */
    bool outdated;                   /* … or that one has to be done again */
    uint64_t reloads, reloads_done;  /* how many it was asked for, and has done */
    bool refused;                    /* … the last one it has refused */
    sd_event_source *touch_source;   /* the next pages of the segment are touched */
    size_t touched;                  /* bytes */
    bool newcomer;                   /* may not have seen what was published last */
    struct budget budget;            /* of entries in the journal */

    uint64_t spin_usec;   /* how long to look for news before sleeping, at most, … */
    uint64_t learnt_usec; /* … and as it has paid lately */
    uint64_t worked_usec; /* when there was work last */
    unsigned futile;      /* so often we were woken for nothing, one time soon after the other */
    uint64_t futile_usec; /* the last time */
    size_t processors;
    bool crowded;         /* we and our clients are more than these */
    bool quiet_unaware;   /* there is news that the quiet ones were not told */
    uint64_t round_usec;  /* the time, within a round of work, once somebody has asked for it */
    uint64_t fastest;     /* the most that any subscriber has acknowledged */
    bool fresh;           /* a new epoch began with this start */
    bool started;         /* … which came to its end */
    bool nameless;        /* the state file was removed, and could not be made anew yet */
    bool keyless;         /* the key is somebody else's: we go on with the segment, without */
    bool leave;           /* stop, but leave the segment to the next daemon */
    uint64_t tick_usec;   /* period */
    uint64_t health_usec; /* when it was looked at last */
    uint64_t active_usec; /* when somebody acknowledged last */
    bool idle;            /* … which is a while ago */
    uint64_t scribbles;   /* since the last entry about them */
    uint64_t scribble_usec;
    char status[1024];
};

/* Takes `conf` over; `socket_path` may be NULL. What fails has been logged, and *ret_status is the
 * exit status. */
int manager_new(struct conf *conf, const char *instance, const char *socket_path,
                struct manager **ret, int *ret_status);

/* Runs until it is told to stop; returns the exit status. */
int manager_run(struct manager *manager);

struct manager *manager_free(struct manager *manager);

DEFINE_CLEANUP(struct manager, manager_free)

/*
 * Looks up who is allowed something, and the driver of the source. -EINVAL and a message: one of
 * them is not known. It may take long, as it asks for names.
 */
int manager_check(struct conf *conf, char **ret_message);

/* The time: within a round of work, what the clock said in it. */
static inline uint64_t manager_usec(const struct manager *manager)
{
    return manager->round_usec > 0 ? manager->round_usec : clock_usec();
}

/* --- between the files of the manager: start.c, manager.c, loop.c, reload.c --- */

/* What the configuration wants of the segment. */
struct segment_spec manager_spec(const struct conf *conf);

/* Releases what all are done with. */
void manager_release(struct manager *manager, const struct progress *progress);

/* The same, asks for what is wanted, tells who sleeps; true if published. */
bool manager_refill(struct manager *manager);

/*
 * All that there is to do now; true if there was anything. *now is the time, or was it a moment
 * ago; if there was anything, it is when that was done.
 */
bool manager_work(struct manager *manager, bool *more, uint64_t *now);

/* One look at a plain segment: an anonymous acknowledgement, damage. */
bool manager_look(struct manager *manager);

/*
 * A plain segment is about to go: nobody acknowledges its record any more, and what an anonymous
 * client has acknowledged until now, counts. record_reopen(): it stays after all.
 */
void manager_close_record(struct manager *manager);

/*
 * Goes on with another segment and a board for it, which it takes over. Who reads the old one is
 * told that it is superseded, and subscribes again. Nothing here can fail: there is no way back.
 */
void manager_change_segment(struct manager *manager, const struct segment *segment,
                            const struct board *board);

/* Begins, changes or ends the polling, as a configuration wants it. */
int manager_poll(struct manager *manager, const struct conf *conf);

/* If somebody has removed the state file, it is made anew. */
void manager_keep_state(struct manager *manager);

int manager_on_poll(sd_event_source *s, int fd, uint32_t events, void *userdata);
int manager_on_tick(sd_event_source *s, uint64_t usec, void *userdata);
