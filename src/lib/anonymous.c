/* SPDX-License-Identifier: MIT
 *
 * An anonymous client.
 *
 * Nobody tells an anonymous client anything: it has the segment's bytes, and what the kernel knows
 * about the segment. So it waits by looking again, at first after 50 µs, then less and less often
 * down to every 5 ms; and it learns from IPC_STAT whether waiting makes sense at all.
 *
 * Plain. A record is new if it was not there at the last look. As the layout has no record numbers,
 * the handle keeps a copy of the record it returned last: the same bytes count as a new record only
 * if byte 0 was seen without a record in between. The copy also guards the acknowledgement. A
 * client that takes its time must not acknowledge a record that it never read, only because that
 * begins with the same byte.
 *
 * Ring. See follow.h.
 */
#include "lib/shmd.h"
#include "lib/attach.h"
#include "lib/follow.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

/* The pause between two looks: the first one, and the longest. */
#define PAUSE_MIN_USEC UINT64_C(50)
#define PAUSE_MAX_USEC (5 * USEC_PER_MSEC)

/* How long nobody else may be attached until a wait is given up: a restart is shorter. */
#define ALONE_MAX_USEC USEC_PER_SEC

struct shmd_anonymous {
    uint32_t key;
    int id;
    bool writable;
    bool is_ring;
    char *segment;
    size_t size;
    pid_t last_pid; /* before us */
    uint64_t alone; /* since when we find nobody else who has the segment attached; 0: we do not */
    uint64_t seen;  /* when we looked last */

    /* plain */
    char *record; /* the one that was returned last; room for a whole segment */
    size_t length;
    bool unacknowledged; /* that record, by us */
    bool expect_new;     /* whatever record stands in the segment next is a new one */

    struct follower follower; /* ring */
};

DEFINE_CLEANUP(struct shmd_anonymous, shmd_anonymous_close)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the kernel knows about the segment; -ENOLINK if it has been removed. */
static int segment_stat(const struct shmd_anonymous *handle, struct shmid_ds *ret)
{
    struct shmid_ds ds;

    if (shmctl(handle->id, IPC_STAT, &ds) < 0) {
        return errno == EINVAL || errno == EIDRM ? -ENOLINK : -errno;
    }
    if (ds.shm_perm.mode & SHM_DEST) {
        return -ENOLINK;
    }
    *ret = ds;
    return 0;
}

/* Finds out whether it is a ring. -EPROTO: of another version. */
static int detect_ring(struct shmd_anonymous *handle)
{
    int r;

    if (handle->is_ring) {
        return 0;
    }
    r = follower_start(&handle->follower, handle->segment, handle->size);
    if (r == 0) {
        handle->is_ring = true;
        handle->writable = false;
    }
    return r == -EAGAIN ? 0 : r;
}

static int attach(struct shmd_anonymous *handle, bool writable)
{
    void *segment = attach_alone(handle->id, handle->size, writable ? 0 : SHM_RDONLY);

    if (segment == (void *)-1) {
        return errno == EINVAL || errno == EIDRM ? -ENOENT : -errno;
    }
    if (handle->segment) {
        (void)shmdt(handle->segment);
    }
    handle->segment = segment;
    return 0;
}

int shmd_anonymous_open(uint32_t key, bool writable, struct shmd_anonymous **ret)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *handle = NULL;
    struct shmid_ds ds;
    int r;

    *ret = NULL;
    /* IPC_PRIVATE: would make a segment instead of finding one. */
    if (key == 0) {
        return -EINVAL;
    }
    handle = calloc(1, sizeof *handle);
    if (!handle) {
        return -ENOMEM;
    }
    handle->key = key;
    handle->writable = writable;
    handle->expect_new = true;
    /* No mode, no size: both would only be compared, and fail where shmat() tells it better. */
    handle->id = shmget((key_t)key, 0, 0);
    if (handle->id < 0) {
        return -errno;
    }
    r = segment_stat(handle, &ds);
    if (r < 0) {
        return r == -ENOLINK ? -ENOENT : r;
    }
    handle->size = ds.shm_segsz;
    handle->last_pid = ds.shm_lpid;
    r = attach(handle, false);
    if (r == 0) {
        r = detect_ring(handle);
    }
    if (r == 0 && handle->writable) {
        r = attach(handle, true);
    }
    if (r < 0) {
        return r;
    }
    if (!handle->is_ring) {
        handle->record = malloc(handle->size);
        if (!handle->record) {
            return -ENOMEM;
        }
    }
    *ret = take(handle);
    return 0;
}

struct shmd_anonymous *shmd_anonymous_close(struct shmd_anonymous *handle)
{
    if (!handle) {
        return NULL;
    }
    if (handle->segment) {
        (void)shmdt(handle->segment);
    }
    free(handle->record);
    free(handle);
    return NULL;
}

/* --- plain --- */

/* Does the record that was returned last still stand in the segment, with its NUL? */
static bool record_stands(const struct shmd_anonymous *handle)
{
    return memcmp(handle->segment, handle->record, handle->length) == 0 &&
           (handle->length == handle->size || handle->segment[handle->length] == '\0');
}

/* The length of the record that stands in the segment; -EAGAIN if there is none. */
static ssize_t plain_length(const struct shmd_anonymous *handle)
{
    char first = plain_first(handle->segment);

    if (first == PLAIN_ACKNOWLEDGED || first == '\0') {
        return -EAGAIN;
    }
    return (ssize_t)strnlen(handle->segment, handle->size);
}

/* Keeps in mind which record (a length, or -EAGAIN for none) stands there. */
static void remember(struct shmd_anonymous *handle, const char *record, ssize_t length)
{
    handle->expect_new = length < 0;
    if (length >= 0) {
        handle->length = (size_t)length;
        memmove(handle->record, record, handle->length);
    }
}

/* One look at the segment: -EAGAIN if there is no new record yet. */
static int plain_take(struct shmd_anonymous *handle, char *buffer, size_t *ret_length)
{
    ssize_t length;

    if (!handle->expect_new && record_stands(handle)) {
        return -EAGAIN;
    }
    length = plain_read(handle->segment, handle->size, buffer);
    remember(handle, buffer, length);
    if (length < 0) {
        return (int)length;
    }
    handle->unacknowledged = true;
    *ret_length = (size_t)length;
    return 0;
}

/* --- both layouts --- */

static size_t record_max(const struct shmd_anonymous *handle)
{
    return handle->is_ring ? follower_record_max(&handle->follower) : handle->size;
}

/*
 * One look, -EAGAIN if there is no new record. In a plain segment that was removed, what stands
 * there is no record any more; a ring is read to its end.
 */
static int take_record(struct shmd_anonymous *handle, char *buffer, size_t *ret_length,
                       struct shmid_ds *ret_ds)
{
    int r, removed;

    if (!handle->is_ring) {
        r = segment_stat(handle, ret_ds);
        return r < 0 ? r : plain_take(handle, buffer, ret_length);
    }
    r = follower_take(&handle->follower, buffer, ret_length);
    if (r != -EAGAIN) {
        return r;
    }
    removed = segment_stat(handle, ret_ds);
    if (removed == 0) {
        return -EAGAIN;
    }
    r = follower_take(&handle->follower, buffer, ret_length); /* what came in between */
    return r == -EAGAIN ? removed : r;
}

/* For so long that it is no restart. A wait may come in parts; what was not looked at, counts not.
 */
static bool is_alone(struct shmd_anonymous *handle, const struct shmid_ds *ds, uint64_t now)
{
    if (ds->shm_nattch > 1) {
        handle->alone = 0;
    } else if (handle->alone == 0 || now - handle->seen >= ALONE_MAX_USEC / 2) {
        handle->alone = now;
    }
    handle->seen = now;
    return handle->alone > 0 && now - handle->alone >= ALONE_MAX_USEC;
}

int shmd_anonymous_read(struct shmd_anonymous *handle, void *buffer, size_t size,
                        uint64_t timeout_usec, size_t *ret_length)
{
    uint64_t now = clock_usec();
    uint64_t deadline = now + min_u64(timeout_usec, UINT64_MAX - now);
    uint64_t pause = PAUSE_MIN_USEC;

    (void)detect_ring(handle); /* it may have been opened in the moment in which it was made */
    if (size < record_max(handle)) {
        return -EMSGSIZE;
    }
    for (;;) {
        struct timespec wake_up;
        struct shmid_ds ds;
        int r = take_record(handle, buffer, ret_length, &ds);

        if (r != -EAGAIN) {
            return r;
        }
        now = clock_usec();
        if (is_alone(handle, &ds, now)) {
            return -ENOLINK;
        }
        if (now >= deadline) {
            return -ETIMEDOUT;
        }
        wake_up = clock_timespec(min_u64(now + pause, deadline));
        r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake_up, NULL);
        if (r != 0) {
            return -r;
        }
        pause = min_u64(pause * 2, PAUSE_MAX_USEC);
    }
}

int shmd_anonymous_skip(struct shmd_anonymous *handle)
{
    (void)detect_ring(handle);
    if (handle->is_ring) {
        return follower_skip(&handle->follower);
    }
    remember(handle, handle->record, plain_read(handle->segment, handle->size, handle->record));
    handle->unacknowledged = false;
    return 0;
}

void shmd_anonymous_place(const struct shmd_anonymous *handle, uint64_t *ret_number,
                          uint64_t *ret_lost)
{
    *ret_number = handle->follower.number;
    if (ret_lost) {
        *ret_lost = handle->follower.lost;
    }
}

int shmd_anonymous_acknowledge(struct shmd_anonymous *handle)
{
    struct shmid_ds ds;
    int r;

    if (!handle->writable) {
        return -EROFS;
    }
    if (!handle->unacknowledged) {
        return -ENODATA;
    }
    r = segment_stat(handle, &ds);
    if (r < 0) {
        return r;
    }
    handle->unacknowledged = false;
    handle->expect_new = true;
    if (record_stands(handle) && plain_acknowledge(handle->segment, handle->record[0])) {
        return 0;
    }
    return plain_first(handle->segment) == '\0' ? -ENOLINK : SHMD_ALREADY_ACKNOWLEDGED;
}

int shmd_anonymous_info(const struct shmd_anonymous *handle, struct shmd_anonymous_info *ret)
{
    struct shmid_ds ds;
    ssize_t length;
    int r;

    r = segment_stat(handle, &ds);
    if (r < 0) {
        return r;
    }
    *ret = (struct shmd_anonymous_info){
        .key = handle->key,
        .id = handle->id,
        .size = handle->size,
        .mode = (mode_t)(ds.shm_perm.mode & 0777),
        .owner_uid = ds.shm_perm.uid,
        .owner_gid = ds.shm_perm.gid,
        .creator_pid = ds.shm_cpid,
        .last_pid = ds.shm_lpid == getpid() ? handle->last_pid : ds.shm_lpid,
        .attached = ds.shm_nattch - 1,
        .ring = handle->is_ring,
        .overwrite = handle->is_ring && follower_overwrites(&handle->follower),
        .record_max = record_max(handle),
    };
    length = handle->is_ring ? follower_oldest_length(&handle->follower) : plain_length(handle);
    ret->record_waits = length >= 0;
    ret->record_length = length >= 0 ? (size_t)length : 0;
    return 0;
}
