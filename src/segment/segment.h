/* SPDX-License-Identifier: MIT
 *
 * The life of a System V segment: whose is it, and what may we do with it.
 *
 * A key is a name that anybody may have taken before us. So a segment is only ever created with
 * IPC_EXCL; when the key is taken, its holder is looked at without touching it, and one of these
 * answers is given:
 *
 *      absent    nobody holds the key (any more)              → create
 *      ours      our user made it, and it has our geometry    → adopt, whoever is attached
 *      other     our user made it, with another geometry      → replace: remove, create anew
 *      foreign   another user made it                         → hands off
 *      unknown   the kernel does not tell                     → hands off
 *
 * Geometry is the size. Permissions are not: they are set on an adopted segment, unless that would
 * take away rights from programs that are attached and would keep them; then it is replaced.
 *
 * Functions return 0 or a negative errno; segment_cause() puts that in words.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEGMENT_OWN ((uint32_t)-1) /* for a uid or gid: the daemon's own */

/* What is wanted. */
struct segment_spec {
    uint32_t key;
    size_t size;
    mode_t mode;
    uid_t uid;  /* or SEGMENT_OWN */
    gid_t gid;  /* or SEGMENT_OWN */
    bool lock;  /* keep its pages in memory */
    bool touch; /* get all of them now, however long that takes: see segment_touch() */
};

/* What is there, in the kernel's word. */
struct segment_stat {
    int id;
    size_t size;
    mode_t mode;
    uid_t uid, creator_uid;
    gid_t gid, creator_gid;
    pid_t creator_pid, last_pid;
    size_t attached;
    bool removed; /* marked for destruction: it ends with its last attachment */
};

/* A segment that we are attached to. */
struct segment {
    uint32_t key;
    int id;
    size_t size;
    char *map;  /* NULL: none */
    bool blank; /* it was made right now, and nobody has written there */
};

enum segment_answer {
    SEGMENT_ABSENT,
    SEGMENT_OURS,
    SEGMENT_OTHER,
    SEGMENT_FOREIGN,
    SEGMENT_UNKNOWN,
};

/* How segment_acquire() came by its segment, or why it did not (with -EEXIST). */
enum segment_origin {
    SEGMENT_CREATED,
    SEGMENT_ADOPTED,
    SEGMENT_REPLACED,
};

/* Would segment_acquire() adopt a segment, and which one? */
bool segment_is_adoptable(const struct segment_spec *spec, int *ret_id);

/* Whose is the segment under this key? *ret_stat is written unless it is absent. */
int segment_classify(const struct segment_spec *spec, enum segment_answer *ret,
                     struct segment_stat *ret_stat);

/*
 * Creates, adopts or replaces. -EEXIST: the key is held by a segment that is not ours to touch;
 * *ret_holder says which (its id is -1 if the kernel does not tell). Where that
 * is wanted, every page has been touched, so that a shortage of memory shows here and not later.
 */
int segment_acquire(const struct segment_spec *spec, struct segment *ret,
                    enum segment_origin *ret_origin, struct segment_stat *ret_holder);

/*
 * One without a key, for a daemon that has lost it: only who is told its id can attach it. It goes
 * with its last attachment.
 */
int segment_make_keyless(const struct segment_spec *spec, struct segment *ret);

/*
 * Could such a segment be made now? Makes one and removes it. `key` is one for our own use, so that
 * what a kill leaves is found the next time.
 */
int segment_rehearse(const struct segment_spec *spec, uint32_t key);

/*
 * Touches the pages of these bytes, so that the kernel gives them to us now, and not when a record
 * is written there: then a shortage would be a signal. What is in them does not change. A second
 * for half a GiB or so.
 */
int segment_touch(const struct segment *segment, size_t from, size_t length);

/*
 * Does a segment stay when nobody is attached? 1; 0: no, kernel.shm_rmid_forced removes it then.
 * `key` is one for our own use, so that what a kill leaves is found the next time.
 */
int segment_survives(uint32_t key);

/*
 * Where the permissions of `spec` take rights away, nobody can attach any more until
 * segment_permit(). -EBUSY: somebody but us is attached, and would keep them.
 */
int segment_narrow(const struct segment *segment, const struct segment_spec *spec);

/* Applies uid, gid and mode. Programs that are attached keep the access that they have. */
int segment_permit(const struct segment *segment, const struct segment_spec *spec);

/* Would the permissions of `spec` take rights from anybody who may have attached under `stat`? */
bool segment_narrows(const struct segment_spec *spec, const struct segment_stat *stat);

/* May this user, who is in these groups, attach it to read it? As the kernel decides. */
bool segment_may_read(const struct segment_stat *stat, uid_t uid, const gid_t *groups,
                      size_t count);

/* Locks or unlocks its pages in memory. */
int segment_lock(const struct segment *segment, bool lock);

/* -EIDRM or -EINVAL: it does not exist any more. */
int segment_query(int id, struct segment_stat *ret);

/* When it was made, or its permission changed last, in seconds since 1970; 0: it does not exist. */
uint64_t segment_changed_at(int id);

/*
 * Removes what an earlier daemon of ours left under this key, if it is the segment `id`, or
 * SEGMENT_ANY. Who reads a ring there is told that it is superseded.
 */
int segment_retire(uint32_t key, int id);
#define SEGMENT_ANY (-2) /* -1 is none */

/* What a segment of ours under this key holds. */
struct segment_records {
    bool ring;
    uint64_t first, last; /* of the ring; none: the first comes after the last */
    bool plain;           /* a record stands there, in the plain layout */
};

struct segment_records segment_take_stock(uint32_t key);

/* Removes it: nobody else can attach, and it ends with its last attachment. */
int segment_remove(int id);

/* Attaches a segment of ours that is there. */
int segment_find(int id, struct segment *ret);

/* Detaches; the segment stays. */
void segment_detach(struct segment *segment);

/* What a shortage is, met on the way to a segment of that size: -EFBIG if it does not pass. */
int segment_finally(int error, size_t size);

/* The likely cause of a failure to acquire, and what to do about it. A static string. */
const char *segment_cause(int error);
