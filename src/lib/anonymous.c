/* SPDX-License-Identifier: MIT
 *
 * An anonymous client of the plain layout.
 *
 * Nobody tells an anonymous client anything: it has the segment's bytes, and what the kernel knows
 * about the segment. So it waits by looking again, at first after 50 µs, then less and less often
 * down to every 5 ms; and it learns from IPC_STAT whether waiting makes sense at all.
 *
 * A record is new if it was not there at the last look. As the layout has no record numbers, the
 * handle keeps a copy of the record it returned last: the same bytes count as a new record only if
 * byte 0 was seen without a record in between. The copy also guards the acknowledgement. A client
 * that takes its time must not acknowledge a record that it never read, only because that begins
 * with the same byte.
 */
#include "lib/shmd.h"

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
    char *segment;
    size_t size;
    pid_t last_pid; /* before us */

    char *record; /* the one that was returned last; room for a whole segment */
    size_t length;
    bool unacknowledged; /* that record, by us */
    bool expect_new;     /* whatever record stands in the segment next is a new one */
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

int shmd_anonymous_open(uint32_t key, bool writable, struct shmd_anonymous **ret)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *handle = NULL;
    struct shmid_ds ds;
    void *segment;
    int r;

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
    segment = shmat(handle->id, NULL, writable ? 0 : SHM_RDONLY);
    if (segment == (void *)-1) {
        return errno == EINVAL || errno == EIDRM ? -ENOENT : -errno;
    }
    handle->segment = segment;
    handle->record = malloc(handle->size);
    if (!handle->record) {
        return -ENOMEM;
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

/* Does the record that was returned last still stand in the segment, with its NUL? */
static bool record_stands(const struct shmd_anonymous *handle)
{
    return memcmp(handle->segment, handle->record, handle->length) == 0 &&
           (handle->length == handle->size || handle->segment[handle->length] == '\0');
}

/* One look at the segment: -EAGAIN if there is no new record yet. */
static ssize_t take_record(struct shmd_anonymous *handle, char *buffer)
{
    ssize_t length;

    if (!handle->expect_new && record_stands(handle)) {
        return -EAGAIN;
    }
    length = plain_read(handle->segment, handle->size, buffer);
    if (length < 0) {
        handle->expect_new = true;
        return length;
    }
    handle->expect_new = false;
    handle->unacknowledged = true;
    handle->length = (size_t)length;
    memcpy(handle->record, buffer, handle->length);
    return length;
}

int shmd_anonymous_read(struct shmd_anonymous *handle, void *buffer, size_t size,
                        uint64_t timeout_usec, size_t *ret_length)
{
    uint64_t now = clock_usec();
    uint64_t deadline = now + min_u64(timeout_usec, UINT64_MAX - now);
    uint64_t pause = PAUSE_MIN_USEC;
    uint64_t served = now; /* when somebody else had the segment attached */

    if (size < handle->size) {
        return -EMSGSIZE;
    }
    for (;;) {
        struct timespec wake_up;
        struct shmid_ds ds;
        ssize_t length;
        int r;

        /* First: what stands in a segment that was removed is no record any more. */
        r = segment_stat(handle, &ds);
        if (r < 0) {
            return r;
        }
        length = take_record(handle, buffer);
        if (length >= 0) {
            *ret_length = (size_t)length;
            return 0;
        }
        now = clock_usec();
        if (ds.shm_nattch > 1) {
            served = now;
        }
        if (now - served >= ALONE_MAX_USEC) {
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
    if (!record_stands(handle) || !plain_acknowledge(handle->segment, handle->record[0])) {
        return SHMD_ALREADY_ACKNOWLEDGED;
    }
    return 0;
}

int shmd_anonymous_info(const struct shmd_anonymous *handle, struct shmd_anonymous_info *ret)
{
    struct shmid_ds ds;
    char first;
    int r;

    r = segment_stat(handle, &ds);
    if (r < 0) {
        return r;
    }
    first = plain_first(handle->segment);
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
        .record_waits = first != PLAIN_ACKNOWLEDGED && first != '\0',
    };
    if (ret->record_waits) {
        ret->record_length = strnlen(handle->segment, handle->size);
    }
    return 0;
}
