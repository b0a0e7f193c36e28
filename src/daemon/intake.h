/* SPDX-License-Identifier: MIT
 *
 * The intake joins the source and the board: it asks for the records that are wanted, gives the
 * source the place where each is to be written, and publishes what comes.
 *
 * When a reload names another source, the one before retires: it yields what it had taken in, and
 * only then is the next one asked. When a segment takes the place of another in the middle of a
 * record, what the source has written of it moves along.
 */
#pragma once

#include "daemon/feed.h"
#include "daemon/refill.h"
#include "daemon/stream.h"

#include <systemd/sd-event.h>

struct manager;
struct progress;

/* What becomes of the daemon when a source has ended. */
enum on_end {
    ON_END_HOLD,    /* it stays, with the records that there are */
    ON_END_RESTART, /* the source is begun anew, after a pause if that happens often */
    ON_END_EXIT,    /* it stops as soon as all is acknowledged */
};

/* That the source yields nothing, for anybody who asks. */
struct trouble {
    char reason[512];    /* the last one; "": it yields */
    uint64_t since_usec; /* the first one, since 1970 */
};

struct intake {
    struct feed feed;
    struct trouble trouble;
    struct feed next; /* as soon as that one has ended */
    struct refill refill;
    sd_event_source *ask_source; /* the pause after a failed refill */
    size_t placed;               /* how long the source's place is; 0: it has none */
    char *place;                 /* where it is */
    char *moved;                 /* what was written there, on its way to another segment */
    bool torn;                   /* … or lost on that way */
    bool published;              /* something that nobody has been told of yet */
    bool outdated;               /* there is something newer than what was published last */
    bool ended;                  /* the source has, and what follows has not been seen to */
    unsigned restarts;           /* in quick succession */
    uint64_t opened_usec;        /* when the source was opened last */
};

/* Its timer. */
int intake_new(struct manager *manager);

/*
 * The first source: the one that the configuration names. But if publishers of an earlier daemon
 * are there, what they have handed in comes before it, as it does in a reload.
 */
int intake_start(struct manager *manager);

/* The type of the source that there is, though a reload may have named another one. */
const char *intake_source_type(const struct manager *manager);

/* Opens the source that a configuration names. */
int intake_open(struct manager *manager, struct conf *conf, struct feed *ret);

/* Is it, or will it soon be, the source that this configuration names? */
bool intake_has(const struct manager *manager, const struct conf *conf);

/* The source from now on, or as soon as the one that there is has ended. Takes it over. */
void intake_switch(struct manager *manager, struct feed *next);

/* A pause is over: what the source had lacked may be there now. */
void intake_hurry(struct manager *manager);

/* Asks for the records that are wanted, as long as they come at once, and publishes them. */
void intake_fill(struct manager *manager, const struct progress *progress);

/* Records were added to the board; shows them if that is due. */
void intake_note(struct manager *manager, bool due);

/* Publishes what was added to the board. */
void intake_show(struct manager *manager);

/* … and no more: it may be in the midst of a note about a publisher's records. */
void intake_show_added(struct manager *manager);

/* Before a record is copied: what was added does not wait for a long one. */
static inline void intake_make_way(struct manager *manager, size_t length)
{
    if (length >= STREAM_GROUP_BYTES) {
        intake_show(manager);
    }
}

/* Does the source that there is now take what publishers hand in? */
bool intake_collects(const struct manager *manager);

/* Is that source waiting for a publisher to hand something in? */
bool intake_awaits_publishers(const struct manager *manager);

/* Sees to what follows when the source has ended. */
void intake_turn(struct manager *manager, const struct progress *progress);

/* Somebody came who may not have seen what was delivered last. */
void intake_repeat(struct manager *manager);

/* Before the segment is given up, and when there is another one. */
void intake_lift(struct manager *manager);
void intake_put_down(struct manager *manager);

void intake_close(struct intake *intake);
