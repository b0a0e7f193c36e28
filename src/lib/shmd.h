/* SPDX-License-Identifier: MIT
 *
 * libshmd: reading the records of shmd(8).
 *
 * Common to all functions:
 *
 *   - Failure is a negative errno value. What the caller may want to tell apart from success is a
 *     positive enumerator, named at the function.
 *   - Parameters named `ret…` are written only on success.
 *   - Durations are in microseconds.
 *   - Nothing is printed, no thread is started, no signal is handled, and there is no state outside
 *     the handles. A handle is for one thread at a time; different handles are independent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * An anonymous client: one that knows nothing but the key of a segment in the plain layout, where
 * the segment holds one record at a time. Other anonymous clients may read the same record, and
 * whoever acknowledges it first lets the daemon refill the segment. For that, this works against
 * every program that keeps the plain layout, see shmd-protocol(7).
 */
struct shmd_anonymous;

/* What can be seen of a segment by its key alone. */
struct shmd_anonymous_info {
    uint32_t key;
    int id;               /* of the segment, as ipcs(1) shows it */
    size_t size;          /* in bytes; a record has at most as many */
    mode_t mode;          /* permission bits only */
    uid_t owner_uid;      /* the owner now; who created the segment may have been another */
    gid_t owner_gid;      /* likewise */
    pid_t creator_pid;    /* who created the segment; it may have ended */
    pid_t last_pid;       /* who else attached or detached last; it may have ended */
    size_t attached;      /* how often the segment is attached, not counting this handle */
    bool record_waits;    /* a record stands in the segment, not acknowledged */
    size_t record_length; /* its length in bytes; 0 if none waits */
};

/* What shmd_anonymous_acknowledge() may return besides 0. */
enum {
    SHMD_ALREADY_ACKNOWLEDGED = 1,
};

/* A timeout that never ends. */
#define SHMD_FOREVER UINT64_MAX

/*
 * Attaches the segment with this key, for reading only or, if `writable`, for acknowledging too.
 * *ret is the caller's, who closes it with shmd_anonymous_close().
 *
 * key: 1…UINT32_MAX.
 *
 * Returns 0, or
 *   -EINVAL  the key is 0
 *   -ENOENT  no segment has this key
 *   -EACCES  the mode of the segment does not let this user read it (or write to it, if `writable`)
 *   -ENOMEM  no memory
 * and what else shmat(2) fails with.
 *
 * Since 0.1.
 */
int shmd_anonymous_open(uint32_t key, bool writable, struct shmd_anonymous **ret);

/*
 * Detaches the segment, and frees the handle; NULL is fine. A record that was not acknowledged
 * stays for the next client.
 *
 * Returns NULL.
 *
 * Since 0.1.
 */
struct shmd_anonymous *shmd_anonymous_close(struct shmd_anonymous *handle);

/*
 * Copies the next record into `buffer`. The first call takes the record that stands in the segment;
 * after that, the next record is one that was published later: it differs from the one before, or
 * the segment was seen acknowledged in between, or this handle has acknowledged. (A refill with the
 * very same bytes after somebody else's acknowledgement can therefore go unnoticed.) While there is
 * no such record, or while it is being written, waits for it.
 *
 * size: of the buffer, at least that of the segment (shmd_anonymous_info()). What lies in the
 * buffer after a failure, or behind the record, is undefined; no NUL is added. timeout_usec: how
 * long to wait; 0 looks once, SHMD_FOREVER waits without end. ret_length: the length of the record
 * in bytes, 1…size.
 *
 * Returns 0, or
 *   -ETIMEDOUT  no new record came in time
 *   -ENOLINK    nobody serves the segment any more: it has been removed, or nobody but this handle
 *               has had it attached for one second of waiting. (A daemon that was killed is back
 *               within that time. Other clients that wait count as attached: then, as with a
 *               shorter timeout, the wait ends with -ETIMEDOUT.)
 *   -EMSGSIZE   the buffer is smaller than the segment
 *   -EINTR      a signal handler interrupted the wait
 *   -EACCES     the mode of the segment was changed, and does not let this user read it any more
 *
 * Since 0.1.
 */
int shmd_anonymous_read(struct shmd_anonymous *handle, void *buffer, size_t size,
                        uint64_t timeout_usec, size_t *ret_length);

/*
 * Acknowledges the record that was read last, and no other one.
 *
 * Returns 0; SHMD_ALREADY_ACKNOWLEDGED if that record does not stand in the segment any more,
 * because somebody else was first (then nothing was written); or
 *   -EROFS    the handle is for reading only
 *   -ENODATA  no record was read since the last acknowledgement
 *   -ENOLINK  the segment has been removed: nobody would see the acknowledgement
 *   -EACCES   as shmd_anonymous_read()
 *
 * The plain layout has no record numbers: if somebody else has acknowledged, and the refill has the
 * very same bytes, it is that refill which is acknowledged.
 *
 * Since 0.1.
 */
int shmd_anonymous_acknowledge(struct shmd_anonymous *handle);

/*
 * Describes the segment as it is now. Takes no record and changes nothing.
 *
 * Returns 0, or
 *   -ENOLINK  the segment has been removed
 *   -EACCES   as shmd_anonymous_read()
 *
 * Since 0.1.
 */
int shmd_anonymous_info(const struct shmd_anonymous *handle, struct shmd_anonymous_info *ret);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
