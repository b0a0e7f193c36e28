/* SPDX-License-Identifier: MIT */
#include "segment/segment.h"
#include "base/step.h"
#include "proto/plain.h"
#include "proto/reader.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* Touched in one system call: no other thread gets or gives back memory meanwhile. */
#define TOUCH_SLICE ((size_t)1 << 20)

#define ACQUIRE_TRIES 16 /* the key may be taken and freed under our eyes; not for ever */

/* The mode of a segment that is only tried out: others could write it, but not read it, which the
 * kernel lets nobody attach. No segment that is in use has it, nor one that segment_narrow() left.
 */
#define TRIAL_MODE 0602

static struct segment_stat stat_from(int id, const struct shmid_ds *ds)
{
    return (struct segment_stat){
        .id = id,
        .size = ds->shm_segsz,
        .mode = ds->shm_perm.mode & 0777,
        .uid = ds->shm_perm.uid,
        .creator_uid = ds->shm_perm.cuid,
        .gid = ds->shm_perm.gid,
        .creator_gid = ds->shm_perm.cgid,
        .creator_pid = ds->shm_cpid,
        .last_pid = ds->shm_lpid,
        .attached = ds->shm_nattch,
        .removed = ds->shm_perm.mode & SHM_DEST,
    };
}

int segment_query(int id, struct segment_stat *ret)
{
    struct shmid_ds ds;

    if (shmctl(id, IPC_STAT, &ds) < 0) {
        return -errno;
    }
    *ret = stat_from(id, &ds);
    return 0;
}

uint64_t segment_changed_at(int id)
{
    struct shmid_ds ds;

    return shmctl(id, IPC_STAT, &ds) < 0 ? 0 : (uint64_t)ds.shm_ctime;
}

/*
 * IPC_STAT wants read permission. Where we have none, the kernel's table of segments still says
 * what `ipcs` shows to everybody.
 */
static int query_any(uint32_t key, struct segment_stat *ret)
{
    struct shm_info info;
    struct shmid_ds ds;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info);

    for (int i = 0; i <= last; i++) {
        int id = shmctl(i, SHM_STAT_ANY, &ds);

        if (id >= 0 && (uint32_t)ds.shm_perm.__key == key) {
            *ret = stat_from(id, &ds);
            return 0;
        }
    }
    return -ENOENT;
}

int segment_classify(const struct segment_spec *spec, enum segment_answer *ret,
                     struct segment_stat *ret_stat)
{
    int id = shmget((key_t)spec->key, 0, 0);
    struct segment_stat stat;
    int r;

    if (id < 0 && errno == ENOENT) {
        *ret = SEGMENT_ABSENT;
        return 0;
    }
    if (id < 0 && errno != EACCES) {
        return -errno;
    }
    r = id < 0 ? -EACCES : segment_query(id, &stat);
    if (r == -EINVAL || r == -EIDRM) {
        *ret = SEGMENT_ABSENT;
        return 0;
    }
    if (r < 0) {
        r = query_any(spec->key, &stat);
    }
    if (r < 0) {
        *ret_stat = (struct segment_stat){.id = id};
        *ret = SEGMENT_UNKNOWN;
        return 0;
    }
    *ret_stat = stat;
    if (stat.creator_uid != geteuid()) {
        *ret = SEGMENT_FOREIGN;
    } else if (stat.size != spec->size) {
        *ret = SEGMENT_OTHER;
    } else {
        *ret = SEGMENT_OURS;
    }
    return 0;
}

static uid_t wanted_uid(const struct segment_spec *spec)
{
    return spec->uid == SEGMENT_OWN ? geteuid() : spec->uid;
}

static gid_t wanted_gid(const struct segment_spec *spec)
{
    return spec->gid == SEGMENT_OWN ? getegid() : spec->gid;
}

bool segment_narrows(const struct segment_spec *spec, const struct segment_stat *stat)
{
    return (stat->mode & ~spec->mode) != 0 || wanted_uid(spec) != stat->uid ||
           wanted_gid(spec) != stat->gid;
}

bool segment_is_adoptable(const struct segment_spec *spec, int *ret_id)
{
    enum segment_answer answer;
    struct segment_stat stat;
    bool adoptable = segment_classify(spec, &answer, &stat) == 0 && answer == SEGMENT_OURS &&
                     !(stat.attached > 0 && segment_narrows(spec, &stat));

    if (adoptable) {
        *ret_id = stat.id;
    }
    return adoptable;
}

/* ipcperms() of the kernel: the first of owner, group and others that it is one of counts. */
bool segment_may_read(const struct segment_stat *stat, uid_t uid, const gid_t *groups, size_t count)
{
    if (uid == 0) {
        return true;
    }
    if (uid == stat->uid || uid == stat->creator_uid) {
        return stat->mode & S_IRUSR;
    }
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == stat->gid || groups[i] == stat->creator_gid) {
            return stat->mode & S_IRGRP;
        }
    }
    return stat->mode & S_IROTH;
}

/*
 * Whoever attaches after a look would be overlooked; so first of all nobody can. A bit that means
 * nothing for a segment, and that is not wanted, says that this was not the end: whoever finds it
 * has rights to take away still, also where we are killed.
 */
int segment_narrow(const struct segment *segment, const struct segment_spec *spec)
{
    struct segment_spec nobody = {
        .uid = SEGMENT_OWN, .gid = SEGMENT_OWN, .mode = 0600 | (0111 & ~spec->mode)};
    struct segment_stat stat;
    int r = segment_query(segment->id, &stat);

    if (r < 0 || !segment_narrows(spec, &stat)) {
        return r;
    }
    r = segment_permit(segment, &nobody);
    if (r == 0) {
        r = segment_query(segment->id, &stat);
    }
    return r == 0 && stat.attached > 1 ? -EBUSY : r;
}

int segment_permit(const struct segment *segment, const struct segment_spec *spec)
{
    struct shmid_ds ds = {.shm_perm = {
                              .uid = wanted_uid(spec),
                              .gid = wanted_gid(spec),
                              .mode = (unsigned short)spec->mode,
                          }};

    return shmctl(segment->id, IPC_SET, &ds) < 0 ? -errno : 0;
}

int segment_lock(const struct segment *segment, bool lock)
{
    return shmctl(segment->id, lock ? SHM_LOCK : SHM_UNLOCK, NULL) < 0 ? -errno : 0;
}

int segment_remove(int id)
{
    return shmctl(id, IPC_RMID, NULL) < 0 ? -errno : 0;
}

void segment_detach(struct segment *segment)
{
    if (segment->map) {
        (void)shmdt(segment->map);
    }
    *segment = (struct segment){.id = -1};
}

int segment_touch(const struct segment *segment, size_t from, size_t length)
{
    size_t left = segment->size > from ? segment->size - from : 0;

    length = length < left ? length : left;
    for (size_t done = 0; done < length; done += TOUCH_SLICE) {
        size_t slice = length - done < TOUCH_SLICE ? length - done : TOUCH_SLICE;

        if (madvise(segment->map + from + done, slice, MADV_POPULATE_WRITE) < 0 &&
            errno != EINVAL) {
            return errno == EFAULT ? -ENOMEM : -errno;
        }
    }
    return 0;
}

static int attach(const struct segment_spec *spec, int id, struct segment *ret)
{
    void *map = shmat(id, NULL, 0);

    if (map == (void *)-1) {
        return -errno;
    }
    *ret = (struct segment){.key = spec->key, .id = id, .size = spec->size, .map = map};
    return 0;
}

int segment_find(int id, struct segment *ret)
{
    struct segment_stat stat;
    int r = segment_query(id, &stat);

    if (r == 0 && stat.creator_uid != geteuid()) {
        r = -EPERM;
    }
    return r < 0 ? r : attach(&(struct segment_spec){.size = stat.size}, id, ret);
}

/* Makes what is attached all that `spec` wants. */
static int fit(const struct segment *segment, const struct segment_spec *spec)
{
    int r = segment_narrow(segment, spec);

    if (r == 0) {
        r = segment_permit(segment, spec);
    }
    if (r == 0 && spec->touch) {
        r = segment_touch(segment, 0, segment->size);
    }
    if (r == 0) {
        r = segment_lock(segment, spec->lock);
        r = !spec->lock && r == -EPERM ? 0 : r;
    }
    return r;
}

/*
 * Attaches, with everything that `spec` wants; on failure nothing stays attached. `transient`: it
 * is removed at once, and so goes with us, also if we are killed.
 */
static int prepare(const struct segment_spec *spec, int id, bool transient, struct segment *ret)
{
    struct segment segment;
    int r = attach(spec, id, &segment);

    if (transient) {
        (void)segment_remove(id);
    }
    if (r < 0) {
        return r;
    }
    r = fit(&segment, spec);
    if (r < 0) {
        segment_detach(&segment);
        return r;
    }
    *ret = segment;
    return 0;
}

/* May there ever be room for so many bytes, whatever else goes? */
static bool could_hold(size_t size)
{
    struct shminfo limits;
    struct sysinfo system;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits) < 0 ||
            (size - 1) / page < limits.shmall) &&
           (sysinfo(&system) < 0 || size / system.mem_unit <= system.totalram + system.totalswap);
}

int segment_finally(int error, size_t size)
{
    return (error == -ENOSPC || error == -ENOMEM) && !could_hold(size) ? -EFBIG : error;
}

/* -EEXIST: the key is taken. The permissions come last: until then nobody else can attach. */
static int create(const struct segment_spec *spec, struct segment *ret)
{
    int id = shmget((key_t)spec->key, spec->size, IPC_CREAT | IPC_EXCL | 0600);
    int r;

    if (id < 0) {
        return segment_finally(-errno, spec->size);
    }
    STEP("segment.made");
    r = segment_finally(prepare(spec, id, false, ret), spec->size);
    if (r < 0) {
        (void)segment_remove(id);
    }
    ret->blank = r == 0;
    STEP("segment.prepared");
    return r;
}

/*
 * Makes a segment to try something out with, under a key for our own use: what was left there by
 * one of ours that was killed goes. Anything else that is there stays: it may be the segment of
 * another instance, whose key that is, or of another user. Then the trial has no key.
 */
static int make_trial(uint32_t key, size_t size)
{
    int id = shmget((key_t)key, 0, 0);
    struct segment_stat stat;

    if (id >= 0 && segment_query(id, &stat) == 0 && stat.creator_uid == geteuid() &&
        stat.mode == TRIAL_MODE) {
        (void)segment_remove(id);
    }
    id = shmget((key_t)key, size, IPC_CREAT | IPC_EXCL | TRIAL_MODE);
    return id < 0 && errno == EEXIST ? shmget(IPC_PRIVATE, size, TRIAL_MODE) : id;
}

int segment_rehearse(const struct segment_spec *spec, uint32_t key)
{
    struct segment segment;
    int id = make_trial(key, spec->size);
    int r;

    if (id < 0) {
        return segment_finally(-errno, spec->size);
    }
    STEP("segment.rehearsed");
    r = prepare(spec, id, true, &segment);
    if (r == 0) {
        segment_detach(&segment);
    }
    return segment_finally(r, spec->size);
}

int segment_make_keyless(const struct segment_spec *spec, struct segment *ret)
{
    int id = shmget(IPC_PRIVATE, spec->size, 0600);

    return id < 0 ? -errno : prepare(spec, id, true, ret);
}

/* Tells the readers of a ring that another segment takes its place, and removes it. */
static int supersede(const struct segment_stat *stat)
{
    void *map = shmat(stat->id, NULL, 0);
    struct ring_reader ring;

    if (map != (void *)-1) {
        if (ring_attach(&ring, map, stat->size) == 0) {
            struct ring_header *header = map;

            /* Release; pairs with a reader's acquire load: all records are there. */
            atomic_store_explicit(&header->state, RING_SUPERSEDED, memory_order_release);
            /* Who reads on there looks at this. Release: pairs with link_is_taken_over(). */
            atomic_fetch_add_explicit(&header->generation, 1, memory_order_release);
        }
        (void)shmdt(map);
    }
    return segment_remove(stat->id);
}

int segment_retire(uint32_t key, int id)
{
    int found = shmget((key_t)key, 0, 0);
    struct segment_stat stat;
    int r;

    if (found < 0 || (id != SEGMENT_ANY && found != id)) {
        return -ENOENT;
    }
    r = segment_query(found, &stat);
    if (r < 0) {
        return r;
    }
    return stat.creator_uid == geteuid() ? supersede(&stat) : -EPERM;
}

/* What stands there may be damaged: the walk ends after a lap, at the latest. */
static struct segment_records walk(struct ring_reader *ring)
{
    struct segment_records found = {.ring = true, .first = 1};
    const struct ring_record *record;

    if (!ring_is_walkable(ring) || ring_seek_oldest(ring) == 0) {
        return found;
    }
    found.first = ring->number;
    found.last = ring->number - 1;
    for (uint64_t left = ring->capacity / RING_LINE;
         left > 0 && ring_look(ring, &record) == RING_RECORD; left--) {
        found.last = ring->number;
        ring_advance(ring, ring_length(record));
    }
    return found;
}

struct segment_records segment_take_stock(uint32_t key)
{
    struct segment_records found = {.first = 1};
    int id = shmget((key_t)key, 0, 0);
    struct segment_stat stat;
    struct ring_reader ring;
    void *memory;
    int r;

    if (id < 0 || segment_query(id, &stat) < 0 || stat.creator_uid != geteuid()) {
        return found;
    }
    memory = shmat(id, NULL, SHM_RDONLY);
    if (memory == (void *)-1) {
        return found;
    }
    r = ring_attach(&ring, memory, stat.size);
    if (r == 0) {
        found = walk(&ring);
    } else if (r == -EAGAIN || stat.size < RING_SIZE_MIN) {
        found.plain = plain_stands(memory, stat.size);
    } else {
        found.ring = true; /* of another version */
    }
    (void)shmdt(memory);
    return found;
}

/* Tried out, because /proc/sys is hidden from a service. */
int segment_survives(uint32_t key)
{
    struct segment_stat stat;
    void *memory;
    int id = make_trial(key, 1);
    int r;

    if (id < 0) {
        return -errno;
    }
    memory = shmat(id, NULL, 0);
    r = memory == (void *)-1 ? -errno : 0;
    if (r == 0) {
        (void)shmdt(memory);
        r = segment_query(id, &stat) == 0;
    }
    (void)segment_remove(id);
    return r;
}

int segment_acquire(const struct segment_spec *spec, struct segment *ret,
                    enum segment_origin *ret_origin, struct segment_stat *ret_holder)
{
    enum segment_origin origin = SEGMENT_CREATED;

    for (int i = 0; i < ACQUIRE_TRIES; i++) {
        enum segment_answer answer;
        struct segment_stat stat;
        int r = create(spec, ret);

        if (r == 0) {
            *ret_origin = origin;
        }
        if (r != -EEXIST) {
            return r;
        }
        r = segment_classify(spec, &answer, &stat);
        if (r < 0) {
            return r;
        }
        if (answer == SEGMENT_OURS) {
            r = prepare(spec, stat.id, false, ret);
            STEP("segment.adopted");
            if (r == 0) {
                *ret_origin = SEGMENT_ADOPTED;
            }
            if (r != -EBUSY && r != -EINVAL && r != -EIDRM) {
                return r;
            }
            answer = r == -EBUSY ? SEGMENT_OTHER : SEGMENT_ABSENT; /* removed under our eyes */
        }
        if (answer == SEGMENT_OTHER) {
            r = supersede(&stat);
            if (r < 0 && r != -EINVAL && r != -EIDRM) {
                return r;
            }
            origin = SEGMENT_REPLACED;
        } else if (answer != SEGMENT_ABSENT) {
            *ret_holder = stat;
            return -EEXIST;
        }
    }
    return -EAGAIN;
}

const char *segment_cause(int error)
{
    switch (error) {
    case -EINVAL:
        return "the size is beyond the kernel's limits (SHMMIN, SHMMAX): see sysctl kernel.shmmax";
    case -ENOMEM:
        return "not enough memory for the segment, or, with lock_memory, not enough that may be "
               "locked: "
               "choose a smaller size, or see LimitMEMLOCK= and ulimit -l";
    case -ENOSPC:
        return "the system's limit of segments or of shared pages is reached (SHMMNI, SHMALL; it "
               "is "
               "not about the disk): see ipcs -u, sysctl kernel.shmmni and kernel.shmall";
    case -EACCES:
        return "no permission to attach the segment: it belongs to another user";
    case -EPERM:
        return "no permission to change the segment or to lock its memory: see lock_memory, "
               "LimitMEMLOCK= and who owns the segment";
    case -EFBIG:
        return "the size is more than this machine has memory and swap space, or more than all "
               "segments may have together (SHMALL): choose a smaller size, or see sysctl "
               "kernel.shmall";
    case -EAGAIN:
        return "other programs take and free the key all the time: choose another key";
    case -EEXIST:
        return "the key is held by another's segment: choose another key";
    default:
        return "unexpected";
    }
}
