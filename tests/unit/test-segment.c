/* SPDX-License-Identifier: MIT
 *
 * Whose is the segment under a key, and what may be done with it.
 */
#include "segment/segment.h"
#include "proto/writer.h"

#include "mock.h"
#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#define KEY    UINT32_C(0xf0e1d2c3) /* above INT32_MAX: a key has 32 bits */
#define SIZE   ((size_t)27)
#define SHMMNI "/proc/sys/kernel/shmmni"
#define SHMMAX "/proc/sys/kernel/shmmax"
#define SHMALL "/proc/sys/kernel/shmall"

static struct segment_spec spec;

/* Removes all segments of the namespace; it is ours. */
static void remove_all(void)
{
    struct shm_info info;
    struct shmid_ds ds;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info);

    for (int i = 0; i <= last; i++) {
        int id = shmctl(i, SHM_STAT_ANY, &ds);

        if (id >= 0) {
            (void)shmctl(id, IPC_RMID, NULL);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    spec = (struct segment_spec){.key = KEY,
                                 .size = SIZE,
                                 .mode = 0666,
                                 .uid = SEGMENT_OWN,
                                 .gid = SEGMENT_OWN,
                                 .touch = true};
    mock_shmget = NULL;
    mock_shmctl = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)set_up(state);
    remove_all();
    return 0;
}

/* How many segments there are. */
static int segments(void)
{
    struct shm_info info;

    assert_true(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info) >= 0);
    return info.used_ids;
}

static int made(size_t size, int mode)
{
    int id = shmget((key_t)KEY, size, IPC_CREAT | IPC_EXCL | mode);

    assert_true(id >= 0);
    return id;
}

static bool make_one(void *userdata)
{
    (void)userdata;
    return shmget((key_t)KEY, SIZE, IPC_CREAT | IPC_EXCL | 0600) >= 0;
}

/* A stranger has taken the key. */
static int foreign(void)
{
    assert_int_equal(check_as(PRIVATE_NOBODY, make_one, NULL), 0);
    return shmget((key_t)KEY, 0, 0);
}

static void assert_answer(enum segment_answer expected, struct segment_stat *ret_stat)
{
    enum segment_answer answer;

    assert_int_equal(segment_classify(&spec, &answer, ret_stat), 0);
    assert_int_equal(answer, expected);
}

static struct segment acquired(enum segment_origin expected)
{
    struct segment segment = {.id = -1};
    enum segment_origin origin;
    struct segment_stat holder;

    assert_int_equal(segment_acquire(&spec, &segment, &origin, &holder), 0);
    assert_int_equal(origin, expected);
    assert_true(segment.id >= 0);
    assert_non_null(segment.map);
    assert_int_equal(segment.key, spec.key);
    assert_int_equal(segment.size, spec.size);
    return segment;
}

static void assert_not_acquired(int error, struct segment_stat *ret_holder)
{
    struct segment segment = {.id = -42};
    enum segment_origin origin;

    assert_int_equal(segment_acquire(&spec, &segment, &origin, ret_holder), error);
    assert_int_equal(segment.id, -42);
}

/* --- whose is it? --- */

static void a_key_that_nobody_holds_is_absent(void **state)
{
    struct segment_stat stat;

    (void)state;
    assert_answer(SEGMENT_ABSENT, &stat);
}

static void our_segment_of_our_size_is_ours(void **state)
{
    struct segment_stat stat;
    int id = made(SIZE, 0640);

    (void)state;
    assert_answer(SEGMENT_OURS, &stat);
    assert_int_equal(stat.id, id);
    assert_int_equal(stat.size, SIZE);
    assert_int_equal(stat.mode, 0640);
    assert_int_equal(stat.uid, geteuid());
    assert_int_equal(stat.creator_uid, geteuid());
    assert_int_equal(stat.gid, getegid());
    assert_int_equal(stat.creator_pid, getpid());
    assert_int_equal(stat.attached, 0);
    assert_false(stat.removed);
}

static void our_segment_of_another_size_is_other(void **state)
{
    struct segment_stat stat;

    (void)state;
    (void)made(SIZE + 1, 0666);
    assert_answer(SEGMENT_OTHER, &stat);
    assert_int_equal(stat.size, SIZE + 1);
    spec.size = SIZE + 1;
    assert_answer(SEGMENT_OURS, &stat);
    spec.size = SIZE + 2;
    assert_answer(SEGMENT_OTHER, &stat);
}

/* "foreign: another user made it: hands off", whatever its mode lets us do. */
static void a_strangers_segment_is_foreign(void **state)
{
    struct segment_stat stat;
    int id;

    (void)state;
    SKIP_UNLESS_ROOT();
    id = foreign();
    assert_answer(SEGMENT_FOREIGN, &stat);
    assert_int_equal(stat.id, id);
    assert_int_equal(stat.creator_uid, PRIVATE_NOBODY);
    assert_int_not_equal(stat.creator_pid, 0);
}

/* Given to us by its maker: still not ours. The creator keeps rights after a chown. */
static void a_segment_that_was_given_to_us_is_foreign(void **state)
{
    struct shmid_ds ds = {.shm_perm = {.uid = geteuid(), .gid = getegid(), .mode = 0666}};
    struct segment_stat stat;

    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(shmctl(foreign(), IPC_SET, &ds), 0);
    assert_answer(SEGMENT_FOREIGN, &stat);
    assert_int_equal(stat.uid, geteuid());
}

static bool sees_a_foreign_one(void *userdata)
{
    enum segment_answer answer;
    struct segment_stat stat;
    uid_t *owner = userdata;

    return segment_classify(&spec, &answer, &stat) == 0 && answer == SEGMENT_FOREIGN &&
           stat.creator_uid == *owner && stat.size == SIZE;
}

/* "IPC_STAT wants read permission. Where we have none, the kernel's table still says" */
static void a_segment_that_we_may_not_read_is_foreign(void **state)
{
    uid_t owner = geteuid();

    (void)state;
    SKIP_UNLESS_ROOT();
    (void)made(SIZE, 0600);
    assert_int_equal(check_as(PRIVATE_NOBODY, sees_a_foreign_one, &owner), 0);
}

static int nobody_tells(int id, int command, struct shmid_ds *ds)
{
    if (command == IPC_STAT || command == SHM_STAT_ANY) {
        errno = EACCES;
        return -1;
    }
    return __real_shmctl(id, command, ds);
}

static int no_access_by_key(key_t key, size_t size, int flags)
{
    if (!(flags & IPC_CREAT)) {
        errno = EACCES;
        return -1;
    }
    return __real_shmget(key, size, flags);
}

/* "unknown: the kernel does not tell: hands off" */
static void a_segment_of_which_nothing_is_known_is_left_alone(void **state)
{
    struct segment_stat stat;
    int id = made(SIZE, 0600);

    (void)state;
    mock_shmctl = nobody_tells;
    assert_answer(SEGMENT_UNKNOWN, &stat);
    assert_not_acquired(-EEXIST, &stat);
    mock_shmget = no_access_by_key;
    assert_answer(SEGMENT_UNKNOWN, &stat);
    assert_int_equal(stat.id, -1);
    assert_not_acquired(-EEXIST, &stat);
    assert_int_equal(stat.id, -1);
    mock_shmget = NULL;
    mock_shmctl = NULL;
    assert_int_equal(shmget((key_t)KEY, 0, 0), id);
}

/* --- acquire --- */

static int creations;

static int creates_exclusively(key_t key, size_t size, int flags)
{
    if (flags & IPC_CREAT) {
        creations++;
        /* What fails here makes the test fail: nothing is acquired. */
        if (!(flags & IPC_EXCL) || (flags & 0777) != 0600) {
            errno = EDOM;
            return -1;
        }
    }
    return __real_shmget(key, size, flags);
}

/* "Create with IPC_CREAT|IPC_EXCL, never without"; until it is prepared, nobody else can attach. */
static void a_new_segment_is_created_exclusively(void **state)
{
    struct segment segment;
    struct segment_stat stat;

    (void)state;
    mock_shmget = creates_exclusively;
    creations = 0;
    segment = acquired(SEGMENT_CREATED);
    assert_int_equal(creations, 1);
    assert_int_equal(segment_query(segment.id, &stat), 0);
    assert_int_equal(stat.mode, 0666);
    assert_int_equal(stat.size, SIZE);
    assert_int_equal(stat.attached, 1);
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(segment.map[i], 0);
    }
    segment_detach(&segment);
    assert_int_equal(segment.id, -1);
    assert_null(segment.map);
    assert_int_equal(segments(), 1);
}

/* "Every page of a new segment has been touched" */
static void every_page_is_there_from_the_start(void **state)
{
    struct segment segment;
    struct shm_info info;

    (void)state;
    spec.size = (size_t)1 << 20;
    segment = acquired(SEGMENT_CREATED);
    assert_true(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info) >= 0);
    assert_int_equal(info.shm_rss + info.shm_swp, spec.size / (size_t)sysconf(_SC_PAGESIZE));
    segment_detach(&segment);
}

/* "ours: adopt, whoever is attached"; what stands in it stays. */
static void our_segment_is_adopted_with_its_bytes(void **state)
{
    struct segment first = acquired(SEGMENT_CREATED);
    struct segment second;

    (void)state;
    (void)strcpy(first.map, "a record");
    second = acquired(SEGMENT_ADOPTED);
    assert_int_equal(second.id, first.id);
    assert_string_equal(second.map, "a record");
    segment_detach(&first);
    segment_detach(&second);
}

/* "Permissions are … set on an adopted segment" */
static void an_adopted_segment_gets_its_permissions(void **state)
{
    struct segment segment;
    struct segment_stat stat;
    int id = made(SIZE, 0600);

    (void)state;
    segment = acquired(SEGMENT_ADOPTED);
    assert_int_equal(segment_query(id, &stat), 0);
    assert_int_equal(stat.mode, 0666);
    segment_detach(&segment);
    /* Narrower ones, too, where nobody is attached. */
    spec.mode = 0600;
    segment = acquired(SEGMENT_ADOPTED);
    assert_int_equal(segment.id, id);
    assert_int_equal(segment_query(id, &stat), 0);
    assert_int_equal(stat.mode, 0600);
    segment_detach(&segment);
}

static void our_segment_of_another_size_is_replaced(void **state)
{
    int id = made(SIZE + 1, 0666);
    char *old = shmat(id, NULL, 0);
    struct segment segment;
    struct segment_stat stat;

    (void)state;
    assert_true(old != (char *)-1);
    (void)strcpy(old, "old bytes");
    segment = acquired(SEGMENT_REPLACED);
    assert_int_not_equal(segment.id, id);
    /* "attached clients keep their old bytes" */
    assert_string_equal(old, "old bytes");
    assert_int_equal(segment_query(id, &stat), 0);
    assert_true(stat.removed);
    assert_int_equal(shmdt(old), 0);
    segment_detach(&segment);
}

/* A program in a process of its own has attached, and would keep its right to write. */
static void narrowing_while_somebody_is_attached_replaces(void **state)
{
    int id = made(SIZE, 0666);
    struct segment segment;
    int ready[2];
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid = child_start();
    if (pid == 0) {
        (void)!write(ready[1], shmat(id, NULL, 0) == (void *)-1 ? "-" : "+", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, '+');
    spec.mode = 0644;
    segment = acquired(SEGMENT_REPLACED);
    assert_int_not_equal(segment.id, id);
    child_end(pid);
    segment_detach(&segment);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void *latecomer;

/* Attaches as late as its old rights let it: just before they are taken away. */
static int attach_in_time(int id, int command, struct shmid_ds *ds)
{
    if (command == IPC_SET && !latecomer) {
        latecomer = shmat(id, NULL, 0);
    }
    return __real_shmctl(id, command, ds);
}

/* "unless that would take away rights from programs that are attached and would keep them" */
static void who_attaches_in_the_last_moment_keeps_no_rights(void **state)
{
    int id = made(SIZE, 0666);
    struct segment segment;

    (void)state;
    latecomer = NULL;
    mock_shmctl = attach_in_time;
    spec.mode = 0644;
    segment = acquired(SEGMENT_REPLACED);
    assert_int_not_equal(segment.id, id);
    assert_int_equal(shmdt(latecomer), 0);
    segment_detach(&segment);
}

/* P5: the next daemon finds that rights are still to be taken away. */
static void killed_while_it_takes_rights_away_it_goes_on(void **state)
{
    static const mode_t modes[] = {0644, 0600, 0700};
    struct segment segment;
    void *map;

    (void)state;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        spec.mode = 0666;
        segment = acquired(i == 0 ? SEGMENT_CREATED : SEGMENT_ADOPTED);
        map = shmat(segment.id, NULL, 0);
        spec.mode = modes[i];
        assert_int_equal(segment_narrow(&segment, &spec), -EBUSY);
        segment_detach(&segment); /* killed */
        segment = acquired(SEGMENT_REPLACED);
        assert_int_equal(shmdt(map), 0);
        segment_detach(&segment);
    }
}

static void owner_and_group_are_applied(void **state)
{
    struct segment segment;
    struct segment_stat stat;

    (void)state;
    SKIP_UNLESS_ROOT();
    spec.uid = 4242;
    spec.gid = 4343;
    segment = acquired(SEGMENT_CREATED);
    assert_int_equal(segment_query(segment.id, &stat), 0);
    assert_int_equal(stat.uid, 4242);
    assert_int_equal(stat.gid, 4343);
    assert_int_equal(stat.creator_uid, 0);
    segment_detach(&segment);
    /* It stays ours, and can be had back. */
    spec.uid = SEGMENT_OWN;
    segment = acquired(SEGMENT_ADOPTED);
    assert_int_equal(segment_query(segment.id, &stat), 0);
    assert_int_equal(stat.uid, 0);
    segment_detach(&segment);
}

static void locked_memory_is_locked_and_unlocked(void **state)
{
    struct segment segment;
    struct shmid_ds ds;

    (void)state;
    SKIP_UNLESS_ROOT();
    spec.lock = true;
    segment = acquired(SEGMENT_CREATED);
    assert_int_equal(shmctl(segment.id, IPC_STAT, &ds), 0);
    assert_true(ds.shm_perm.mode & SHM_LOCKED);
    assert_int_equal(segment_lock(&segment, false), 0);
    assert_int_equal(shmctl(segment.id, IPC_STAT, &ds), 0);
    assert_false(ds.shm_perm.mode & SHM_LOCKED);
    segment_detach(&segment);
}

/* "hands off": nothing of it changes, and the holder is named. */
static void a_strangers_segment_is_not_touched(void **state)
{
    struct segment_stat holder;
    struct shmid_ds before, after;
    int id;

    (void)state;
    SKIP_UNLESS_ROOT();
    id = foreign();
    assert_int_equal(shmctl(id, IPC_STAT, &before), 0);
    assert_not_acquired(-EEXIST, &holder);
    assert_int_equal(shmctl(id, IPC_STAT, &after), 0);
    assert_memory_equal(&after, &before, sizeof(after));
    assert_int_equal(holder.id, id);
    assert_int_equal(holder.creator_uid, PRIVATE_NOBODY);
    assert_int_equal(holder.creator_pid, before.shm_cpid);
    assert_int_equal(segments(), 1);
}

/* --- the key is taken and freed under our eyes --- */

static int lookups;

static int taken_when_created_free_when_looked_at(key_t key, size_t size, int flags)
{
    (void)key;
    (void)size;
    lookups++;
    errno = flags & IPC_CREAT ? EEXIST : ENOENT;
    return -1;
}

/* "absent (raced away: retry, bounded)" */
static void a_key_that_comes_and_goes_is_given_up_in_the_end(void **state)
{
    struct segment_stat holder;

    (void)state;
    lookups = 0;
    mock_shmget = taken_when_created_free_when_looked_at;
    assert_not_acquired(-EAGAIN, &holder);
    assert_in_range(lookups, 4, 100);
}

static int gone_when_looked_at(int id, int command, struct shmid_ds *ds)
{
    if (command == IPC_STAT) {
        mock_shmctl = NULL;
        (void)__real_shmctl(id, IPC_RMID, NULL);
    }
    return __real_shmctl(id, command, ds);
}

static int gone_after_the_look(int id, int command, struct shmid_ds *ds)
{
    int r = __real_shmctl(id, command, ds);

    if (command == IPC_STAT) {
        mock_shmctl = NULL;
        (void)__real_shmctl(id, IPC_RMID, NULL);
    }
    return r;
}

static void a_segment_that_goes_while_we_look_is_made_anew(void **state)
{
    int (*const moments[])(int, int, struct shmid_ds *) = {gone_when_looked_at,
                                                           gone_after_the_look};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int id = made(SIZE, 0666);
        struct segment segment;

        mock_shmctl = moments[i];
        segment = acquired(SEGMENT_CREATED);
        assert_int_not_equal(segment.id, id);
        segment_detach(&segment);
        remove_all();
    }
}

/* --- what the system refuses --- */

static void limit_get(const char *path, char *value, size_t size)
{
    CLEANUP(file_close_cleanup) FILE *file = fopen(path, "re");

    assert_non_null(file);
    assert_non_null(fgets(value, (int)size, file));
}

/* Sets one of the namespace's limits, and returns what it was; skips where that is not allowed. */
static void limit_set(const char *path, const char *value, char *old, size_t size)
{
    limit_get(path, old, size); /* has closed it: skipping does not come back */
    if (!file_write(path, value, strlen(value))) {
        SKIP("the limits of the namespace cannot be set");
    }
}

static void assert_nothing_fits(int error)
{
    struct segment_stat holder;
    int before = segments();

    assert_not_acquired(error, &holder);
    assert_int_equal(segment_rehearse(&spec, KEY + 1), error);
    assert_int_equal(segments(), before);
}

/* "ENOSPC (SHMMNI/SHMALL, not the disk)" */
static void the_limit_of_segments_is_an_error(void **state)
{
    char old[32];

    (void)state;
    assert_true(shmget(IPC_PRIVATE, SIZE, 0600) >= 0);
    limit_set(SHMMNI, "1", old, sizeof(old));
    assert_nothing_fits(-ENOSPC);
    assert_true(file_write(SHMMNI, old, strlen(old)));
}

/* Others may give pages back; but not more than there may ever be. */
static void the_limit_of_pages_is_an_error(void **state)
{
    char old[32];

    (void)state;
    limit_set(SHMALL, "1", old, sizeof(old));
    spec.size = 65536;
    assert_nothing_fits(-EFBIG);
    assert_int_equal(segment_finally(-ENOSPC, 4096), -ENOSPC);
    assert_int_equal(segment_finally(-ENOMEM, 4097), -EFBIG);
    assert_int_equal(segment_finally(-EACCES, 4097), -EACCES);
    assert_true(file_write(SHMALL, old, strlen(old)));
}

/* "EINVAL (SHMMIN/SHMMAX)" */
static void the_limit_of_size_is_an_error(void **state)
{
    char old[32];

    (void)state;
    limit_set(SHMMAX, "4096", old, sizeof(old));
    spec.size = 4097;
    assert_nothing_fits(-EINVAL);
    assert_true(file_write(SHMMAX, old, strlen(old)));
}

static bool may_not_lock(void *userdata)
{
    const struct rlimit none = {0, 0};
    struct segment segment;
    enum segment_origin origin;
    struct segment_stat holder;
    int before = segments();

    (void)userdata;
    spec.lock = true;
    return setrlimit(RLIMIT_MEMLOCK, &none) == 0 &&
           segment_acquire(&spec, &segment, &origin, &holder) == -EPERM &&
           segment_rehearse(&spec, KEY + 1) == -EPERM && segments() == before;
}

/* What cannot be prepared as it is wanted is not left behind. */
static void memory_that_cannot_be_locked_is_not_left_behind(void **state)
{
    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(check_as(PRIVATE_NOBODY, may_not_lock, NULL), 0);
}

/* "The likely cause of a failure to acquire, and what to do about it." */
static void every_failure_has_its_cause_by_name(void **state)
{
    static const struct {
        int error;
        const char *word;
    } causes[] = {{-EINVAL, "SHMMAX"}, {-ENOMEM, "memory"},     {-ENOSPC, "SHMMNI"},
                  {-ENOSPC, "SHMALL"}, {-EACCES, "permission"}, {-EPERM, "permission"},
                  {-EAGAIN, "key"},    {-EEXIST, "key"},        {-EFBIG, "SHMALL"}};

    (void)state;
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        assert_non_null(strstr(segment_cause(causes[i].error), causes[i].word));
    }
    assert_non_null(segment_cause(-EIO));
}

/* --- rehearse, remove --- */

#define TRIAL_MODE 0602 /* by which segment.c knows what it only tries out */

/* "Makes one and removes it", also what one left that was killed. */
static void a_rehearsal_leaves_nothing(void **state)
{
    int id = made(SIZE, 0666);
    struct segment_stat stat;

    (void)state;
    spec.size = 8192;
    assert_int_equal(segment_rehearse(&spec, KEY + 1), 0);
    assert_int_equal(segments(), 1);
    assert_true(shmget((key_t)(KEY + 1), 1, IPC_CREAT | IPC_EXCL | TRIAL_MODE) >= 0);
    assert_int_equal(segment_rehearse(&spec, KEY + 1), 0);
    assert_int_equal(segments(), 1);
    assert_int_equal(segment_query(id, &stat), 0);
    assert_int_equal(stat.attached, 0);
}

/* The key that goes with ours for such trials is that of a segment in use: of a neighbour, whose
 * daemon may be restarted just now, or of another user. It stays, and the trial is made. */
static void a_trial_leaves_alone_what_has_its_key(void **state)
{
    static const int modes[] = {0600, 0644, 0666, 0711, 0777};

    (void)state;
    for (size_t i = 0; i <= sizeof(modes) / sizeof(modes[0]); i++) {
        bool ours = i < sizeof(modes) / sizeof(modes[0]);
        struct segment_stat before, after;
        int id;

        if (!ours && geteuid() != 0) {
            return;
        }
        id = ours ? made(SIZE, modes[i]) : foreign();
        assert_int_equal(segment_query(id, &before), 0);
        assert_int_equal(segment_rehearse(&spec, KEY), 0);
        assert_in_range(segment_survives(KEY), 0, 1);
        assert_int_equal(segment_query(id, &after), 0);
        assert_false(after.removed);
        assert_int_equal(after.mode, before.mode);
        assert_int_equal(after.last_pid, 0); /* nobody has attached it */
        assert_int_equal(segments(), 1);
        assert_int_equal(segment_remove(id), 0);
    }
}

static void a_leftover_of_ours_is_removed(void **state)
{
    int id = made(SIZE, 0666);

    (void)state;
    assert_int_equal(segment_retire(KEY, id), 0);
    assert_int_equal(segments(), 0);
    assert_int_equal(segment_retire(KEY, id), -ENOENT);
}

/* Who reads on in a ring finds out at the next record, not only when there is none any more. */
static void a_ring_that_is_retired_says_so(void **state)
{
    static const uint8_t epoch[16] = "epoch";
    int id = made(RING_SIZE_MIN, 0600);
    void *map = shmat(id, NULL, 0);
    struct ring_header *header = map;
    struct ring_writer writer;
    uint32_t generation;

    (void)state;
    assert_true(map != (void *)-1);
    ring_format(&writer, map, RING_SIZE_MIN, epoch, RING_WAIT, 1);
    header->state = RING_OPEN;
    generation = header->generation;
    assert_int_equal(segment_retire(KEY, id), 0);
    assert_int_equal(header->state, RING_SUPERSEDED);
    assert_int_equal(header->generation, generation + 1);
    assert_int_equal(shmdt(map), 0);
}

/* Another segment has that key now, or that id another key. */
static void only_the_segment_with_that_key_and_id_is_a_leftover(void **state)
{
    int id = made(SIZE, 0666);
    int other = shmget(IPC_PRIVATE, SIZE, 0600);

    (void)state;
    assert_int_equal(segment_retire(KEY, other), -ENOENT);
    assert_int_equal(segment_retire(KEY + 1, id), -ENOENT);
    assert_true(segment_retire(KEY, -1) < 0);
    assert_true(segment_retire(KEY + 1, -1) < 0);
    assert_int_equal(segments(), 2);
}

static void a_strangers_segment_is_no_leftover(void **state)
{
    (void)state;
    SKIP_UNLESS_ROOT();
    assert_int_equal(segment_retire(KEY, foreign()), -EPERM);
    assert_int_equal(segments(), 1);
}

static void what_was_removed_is_known_to_be(void **state)
{
    struct segment segment = acquired(SEGMENT_CREATED);
    struct segment_stat stat;
    int id = segment.id;

    (void)state;
    assert_int_equal(segment_remove(id), 0);
    assert_int_equal(segment_query(id, &stat), 0);
    assert_true(stat.removed);
    segment_detach(&segment);
    assert_int_equal(segment_query(id, &stat), -EINVAL);
    assert_int_equal(segment_remove(id), -EINVAL);
    segment_detach(&segment); /* once more does no harm */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Whatever kernel.shm_rmid_forced says here: nothing is left, also of one that was killed. */
static void trying_whether_a_segment_survives_leaves_nothing(void **state)
{
    int before = segments();

    (void)state;
    assert_in_range(segment_survives(KEY + 1), 0, 1);
    assert_int_equal(segments(), before);
    assert_true(shmget((key_t)(KEY + 1), 1, IPC_CREAT | IPC_EXCL | TRIAL_MODE) >= 0);
    assert_in_range(segment_survives(KEY + 1), 0, 1);
    assert_int_equal(segments(), before);
}

TEST_GROUP("test-segment")
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_nobody_holds_is_absent),
        TEST(our_segment_of_our_size_is_ours),
        TEST(our_segment_of_another_size_is_other),
        TEST(a_strangers_segment_is_foreign),
        TEST(a_segment_that_was_given_to_us_is_foreign),
        TEST(a_segment_that_we_may_not_read_is_foreign),
        TEST(a_segment_of_which_nothing_is_known_is_left_alone),
        TEST(a_new_segment_is_created_exclusively),
        TEST(every_page_is_there_from_the_start),
        TEST(our_segment_is_adopted_with_its_bytes),
        TEST(an_adopted_segment_gets_its_permissions),
        TEST(our_segment_of_another_size_is_replaced),
        TEST(narrowing_while_somebody_is_attached_replaces),
        TEST(who_attaches_in_the_last_moment_keeps_no_rights),
        TEST(killed_while_it_takes_rights_away_it_goes_on),
        TEST(owner_and_group_are_applied),
        TEST(locked_memory_is_locked_and_unlocked),
        TEST(a_strangers_segment_is_not_touched),
        TEST(a_key_that_comes_and_goes_is_given_up_in_the_end),
        TEST(a_segment_that_goes_while_we_look_is_made_anew),
        TEST(the_limit_of_segments_is_an_error),
        TEST(the_limit_of_pages_is_an_error),
        TEST(the_limit_of_size_is_an_error),
        TEST(memory_that_cannot_be_locked_is_not_left_behind),
        TEST(every_failure_has_its_cause_by_name),
        TEST(a_rehearsal_leaves_nothing),
        TEST(a_trial_leaves_alone_what_has_its_key),
        TEST(a_leftover_of_ours_is_removed),
        TEST(a_ring_that_is_retired_says_so),
        TEST(only_the_segment_with_that_key_and_id_is_a_leftover),
        TEST(a_strangers_segment_is_no_leftover),
        TEST(what_was_removed_is_known_to_be),
        TEST(trying_whether_a_segment_survives_leaves_nothing),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
