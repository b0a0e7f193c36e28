/* SPDX-License-Identifier: MIT
 *
 * What the daemon must not forget when it is killed, in a file that it maps:
 *
 *      ┌────────────┬───────────┬────────────────────────────┬─────────┬────────────────┐
 *      │ who we are │ record in │ acknowledgements that wait │ cursors │ image: our own │
 *      │ epoch, key │ progress  │ for the journal            │         │ copy of the    │
 *      │            │           │                            │         │ segment        │
 *      └────────────┴───────────┴────────────────────────────┴─────────┴────────────────┘
 *
 * Stores into the mapping are in the kernel's hands at once, so SIGKILL loses none of them. Each
 * step of the daemon ends with one store of one word that makes it count (`progress`, `commit`),
 * and the next daemon goes on from there. Only what continues for certain is continued: a file that
 * is missing, cut, of another version or from before a reboot begins a new epoch.
 *
 * The file is named after the key (and, outside the initial one, the IPC namespace: a key means
 * something only there), and it is locked: two daemons on one key are told so. It lives in the
 * runtime directory as long as the segment does.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/acklog.h"
#include "daemon/cursor.h"
#include "daemon/outbox.h"
#include "daemon/tally.h"
#include "daemon/transfer.h"
#include "daemon/untold.h"

#include <limits.h>
#include <sys/types.h>
#include <systemd/sd-id128.h>

struct conf;

enum layout {
    LAYOUT_PLAIN,
    LAYOUT_RING,
};

/* How far the record in the image has come. */
enum phase {
    PHASE_EMPTY,     /* it is done with (0: there was none yet); the source is to be asked */
    PHASE_FILLED,    /* the image is whole, the segment may not be */
    PHASE_PUBLISHED, /* both are; it waits for its acknowledgement */
};

/* The '*' of a record that is being logged; before, so many had been acknowledged in all. */
struct starred {
    uint64_t record; /* 0: none is */
    uint64_t total;
};

/* Records that somebody has acknowledged, behind others that nobody has. */
struct stretch {
    uint64_t first, last;
};

#define STRETCHES_MAX 16

struct state_file {
    uint64_t magic;
    uint32_t version;
    uint32_t key;
    uint32_t layout;
    uint32_t when_full;
    uint64_t progress; /* record number << 2 | phase */
    sd_id128_t epoch;
    sd_id128_t boot;
    uint64_t image_size;    /* of the segment */
    uint64_t extent;        /* bytes of the segment, from its begin, that may not be NUL */
    uint64_t record_length; /* the image is NUL behind it */
    uint64_t published_usec;
    uint64_t rejected;
    uint64_t released;  /* ring: every subscriber has acknowledged up to this one */
    uint64_t covered;   /* some subscriber has, or the journal says that none has; see unread.h */
    int64_t segment_id; /* -1: none yet */
    uint64_t live;      /* the last record that came about by itself: nobody makes it anew */
    uint64_t gone;      /* up to this one, they went with the segment that they were in, … */
    uint64_t gone_why;  /* … enum unread_why */
    struct stretch stretches[STRETCHES_MAX]; /* beyond what is covered; else of no meaning */
    struct untold untold;
    struct tally tally;
    struct starred starred;
    char conf_path[PATH_MAX];
    struct acklog acklog;
    struct outbox outbox;
    struct transfer transfer;
    struct lease_clock lease_clock;
    struct cursors cursors;
};

struct state {
    int fd;
    bool lent; /* to a thread, and not closed before that has ended (preparation.h) */
    char *path;
    char *directory;
    struct state_file *file; /* stays where it is */
    char *image;
    size_t image_mapped;
    uint64_t furthest; /* no stretch goes beyond this record */
};

static inline enum phase state_phase(const struct state_file *file)
{
    return (enum phase)(file->progress & 3);
}

/* The number of the record that `phase` is about: the last one that there was. */
static inline uint64_t state_number(const struct state_file *file)
{
    return file->progress >> 2;
}

/* Release: what was stored before is there when this is. It pairs with our own death only. */
static inline void state_enter(struct state_file *file, uint64_t number, enum phase phase)
{
    __atomic_store_n(&file->progress, number << 2 | phase, __ATOMIC_RELEASE);
}

/* What is known of the past. */
enum history {
    HISTORY_NONE,      /* no file: a first start, or a clean stop before it */
    HISTORY_CONTINUED, /* the epoch goes on */
    HISTORY_LOST,      /* there was a file, but not one to go on from */
};

/*
 * Finds or makes the state for a configuration: the one of its key, or one that an earlier daemon
 * with the same configuration file left under another key. -EBUSY: another daemon has it, *ret_pid
 * says which; others as of lockfile_open(). -EFBIG: no room could be made for it.
 */
int state_open(const struct conf *conf, struct state **ret, enum history *ret_history,
               pid_t *ret_pid);

/* The path in messages about a failure to open, the caller's to free; NULL without memory. */
char *state_describe(const struct conf *conf);

/* Moves to another key. -EBUSY: another daemon has that key. */
int state_rekey(struct state *state, uint32_t key);

/*
 * Stretches the file of a state whose image is `image_size` bytes, for one of `wanted`. It takes
 * long if that is much: so it can be done beside the loop, which knows the descriptor alone.
 */
int state_stretch(int fd, size_t image_size, size_t wanted);

/* That was in vain. */
void state_cut(struct state *state);

/*
 * Room for an image of that size, with which nothing has changed; but `image` may have moved. It
 * takes no time where the file was stretched before.
 */
int state_make_room(struct state *state, size_t image_size);

/* Makes an image of another size, for which there is room, all NUL: the record in it is given up.
 */
void state_resize(struct state *state, size_t image_size);

/* How large an image a configuration needs: a ring needs none. */
size_t state_image_size(const struct conf *conf);

/* Forgets: the file is removed, if its name still leads to it. */
void state_remove(struct state *state);

/* Unmaps; the file stays, unless it was removed. */
struct state *state_free(struct state *state);

DEFINE_CLEANUP(struct state, state_free)
