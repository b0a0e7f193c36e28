/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"
#include "base/shortage.h"
#include "conf/conf.h"
#include "daemon/lockfile.h"
#include "daemon/runtime.h"
#include "daemon/statefile.h"
#include "daemon/statename.h"
#include "proto/message.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define BLOCK_BYTES      512         /* of stat(2) */
#define INITIAL_IPC_NS   0xEFFFFFFFU /* the kernel's number for the initial IPC namespace */
#define STATE_NAME_PARTS "key-%08x"
#define STATE_KEY_LENGTH 12 /* of that */

static int state_path(const char *directory, uint32_t key, char **ret)
{
    struct stat ns;
    int r = stat("/proc/self/ns/ipc", &ns) < 0 ? -errno : 0;

    if (is_shortage(r)) {
        return r;
    }
    if (r < 0 || ns.st_ino == INITIAL_IPC_NS) {
        r = asprintf(ret, "%s/" STATE_NAME_PARTS ".state", directory, key);
    } else {
        r = asprintf(ret, "%s/" STATE_NAME_PARTS ".ipc-%lu.state", directory, key,
                     (unsigned long)ns.st_ino);
    }
    return r < 0 ? -ENOMEM : 0;
}

static void dir_close_cleanup(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir);
    }
}

/* Which configuration file it is: a relative path is another one in another directory. */
static void locate(const struct conf *conf, char ret_path[PATH_MAX])
{
    CLEANUP(free_cleanup) char *here = conf->path[0] == '/' ? NULL : getcwd(NULL, 0);

    (void)snprintf(ret_path, PATH_MAX, "%s%s%s", here ? here : "", here ? "/" : "", conf->path);
}

/*
 * Does the state of that path belong to a configuration file? 1: it does; 0: no. It is looked at
 * without its lock: whoever begins to serve it at this moment would take us for another daemon.
 */
static int belongs_to(const char *path, const char *conf_path)
{
    CLEANUP(fd_close_cleanup)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    return fd < 0 ? -errno : statefile_belongs_to(fd, conf_path);
}

/*
 * Looks for the state of a daemon that had the same configuration file and another key, and gives
 * it the name of this key. -ENOENT: none.
 */
static int inherit(const char *directory, const char *conf_path, const char *path, int *ret)
{
    CLEANUP(dir_close_cleanup) DIR *dir = opendir(directory);
    const char *name = strrchr(path, '/') + 1;
    const struct dirent *entry;

    if (!dir) {
        return -errno;
    }
    while ((entry = readdir(dir))) {
        CLEANUP(free_cleanup) char *other = NULL;
        CLEANUP(fd_close_cleanup) int fd = -1;
        bool made;
        pid_t pid;
        int r;

        /* Of this namespace: the name differs in the key alone. */
        if (strncmp(entry->d_name, name, 4) != 0 || strlen(entry->d_name) != strlen(name) ||
            strcmp(entry->d_name + STATE_KEY_LENGTH, name + STATE_KEY_LENGTH) != 0) {
            continue;
        }
        if (asprintf(&other, "%s/%s", directory, entry->d_name) < 0) {
            other = NULL;
            return -ENOMEM;
        }
        r = belongs_to(other, conf_path);
        if (r > 0) {
            r = lockfile_open(other, false, &fd, &made, &pid);
            if (r == 0) {
                r = statefile_belongs_to(fd, conf_path); /* still */
            }
        }
        if (is_shortage(r)) {
            return r; /* it may have been the one */
        }
        if (r <= 0) {
            continue;
        }
        if (rename(other, path) < 0) {
            return -errno;
        }
        *ret = fd;
        fd = -1;
        return 0;
    }
    return -ENOENT;
}

static void unmap(struct state *state)
{
    if (state->file) {
        (void)munmap(state->file, STATE_IMAGE_OFFSET);
    }
    if (state->image) {
        (void)munmap(state->image, state->image_mapped);
    }
    state->file = NULL;
    state->image = NULL;
}

/* NULL: errno says why. */
static void *map_part(const struct state *state, size_t offset, size_t length)
{
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, state->fd, (off_t)offset);

    return memory == MAP_FAILED ? NULL : memory;
}

/* Maps the image, which the file is long enough for, in the place of the one before. */
static int map_image(struct state *state, size_t image_size)
{
    char *image = map_part(state, STATE_IMAGE_OFFSET, image_size);

    if (!image) {
        return -errno;
    }
    if (state->image) {
        (void)munmap(state->image, state->image_mapped);
    }
    state->image = image;
    state->image_mapped = image_size;
    return 0;
}

static int map(struct state *state, size_t image_size)
{
    state->file = map_part(state, 0, STATE_IMAGE_OFFSET);
    return state->file ? map_image(state, image_size) : -errno;
}

/* What lies behind the image is of no use; it does no harm either. */
static int cut(int fd, size_t image_size)
{
    return ftruncate(fd, (off_t)(STATE_IMAGE_OFFSET + image_size)) < 0 ? -errno : 0;
}

/* Does its file system have room for so many bytes, if nothing else is there? */
static bool could_hold(int fd, size_t length)
{
    struct statvfs fs;

    /* A tmpfs without a limit says 0. */
    return fstatvfs(fd, &fs) < 0 || fs.f_blocks == 0 || length / fs.f_frsize < fs.f_blocks;
}

/*
 * The length must be there before it is mapped: a short file system is an error, not SIGBUS.
 * -EFBIG: it will never be there.
 */
static int stretch(int fd, size_t image_size)
{
    size_t length = STATE_IMAGE_OFFSET + image_size;
    int r = ftruncate(fd, (off_t)length) < 0 ? -errno : -posix_fallocate(fd, 0, (off_t)length);

    return r == -ENOSPC && !could_hold(fd, length) ? -EFBIG : r;
}

/* Is the file as long as that, and without a hole? */
static bool is_stretched(int fd, size_t image_size)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (size_t)st.st_size == STATE_IMAGE_OFFSET + image_size &&
           st.st_blocks >= st.st_size / BLOCK_BYTES;
}

/* Begins a new epoch. The magic comes last: before that, it is no state. */
static int begin(struct state *state, const struct conf *conf)
{
    size_t image_size = state_image_size(conf);
    struct state_file *file;
    sd_id128_t boot;
    int r = statefile_boot(&boot);

    if (r == 0) {
        r = ftruncate(state->fd, 0) < 0 ? -errno : stretch(state->fd, image_size);
    }
    if (r == 0) {
        r = map(state, image_size);
    }
    if (r < 0) {
        return r;
    }
    file = state->file;
    file->version = STATE_VERSION;
    file->boot = boot;
    file->image_size = image_size;
    file->layout = (uint32_t)conf->layout;
    file->when_full = (uint32_t)conf->when_full;
    file->key = (uint32_t)conf->key;
    file->segment_id = -1;
    file->extent = image_size;
    locate(conf, file->conf_path);
    r = sd_id128_randomize(&file->epoch);
    if (r < 0) {
        return r;
    }
    __atomic_store_n(&file->magic, STATE_MAGIC, __ATOMIC_RELEASE); /* pairs with our death only */
    return 0;
}

static int proceed(struct state *state)
{
    uint64_t image_size;

    if (pread(state->fd, &image_size, sizeof(image_size),
              (off_t)offsetof(struct state_file, image_size)) != (ssize_t)sizeof(image_size)) {
        return -EIO;
    }
    (void)cut(state->fd, image_size); /* it may have been stretched in vain */
    return map(state, image_size);
}

/* What the daemon before us was killed in the midst of. */
static int settle(struct state *state)
{
    struct state_file *file = state->file;
    const struct untold_version *untold = untold_now(&file->untold);
    uint64_t let_go = untold->last, sequence = file->outbox.sequence;
    int r = outbox_settle(&file->outbox, &file->acklog);

    if (r == 0) {
        r = outbox_has_sent(&file->outbox, sequence);
    }
    if (r > 0 && sequence == (OUTBOX_UNTOLD | untold->going.last)) {
        untold_arrived(&file->untold);
    } else if (r > 0 && (sequence & OUTBOX_EVENT) && !(sequence & OUTBOX_UNTOLD)) {
        tally_tell(&file->tally, sequence);
    }
    file->covered = let_go > file->covered ? let_go : file->covered;
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        if (file->stretches[i].last > MESSAGE_NUMBER_MAX) {
            file->stretches[i].last = 0; /* damaged */
        }
        if (file->stretches[i].last > state->furthest) {
            state->furthest = file->stretches[i].last;
        }
    }
    cursors_settle(&file->cursors, &file->acklog);
    return r < 0 ? r : 0;
}

int state_open(const struct conf *conf, struct state **ret, enum history *ret_history,
               pid_t *ret_pid)
{
    CLEANUP(state_free_cleanup) struct state *state = calloc(1, sizeof(*state));
    enum history history = HISTORY_CONTINUED;
    char conf_path[PATH_MAX];
    bool made;
    int r;

    if (!state) {
        return -ENOMEM;
    }
    state->fd = -1;
    r = runtime_directory(&state->directory);
    if (r == 0) {
        r = state_path(state->directory, (uint32_t)conf->key, &state->path);
    }
    if (r < 0) {
        return r;
    }
    r = lockfile_open(state->path, false, &state->fd, &made, ret_pid);
    if (r == -ENOENT) {
        locate(conf, conf_path);
        r = inherit(state->directory, conf_path, state->path, &state->fd);
    }
    if (r == -ENOENT) {
        history = HISTORY_NONE;
        r = lockfile_open(state->path, true, &state->fd, &made, ret_pid);
    }
    if (r < 0) {
        return r;
    }
    if (history == HISTORY_CONTINUED) {
        r = statefile_is_sound(state->fd);
        if (r < 0) {
            return r;
        }
        history = r ? HISTORY_CONTINUED : HISTORY_LOST;
    }
    r = history == HISTORY_CONTINUED ? proceed(state) : begin(state, conf);
    if (r == 0) {
        r = settle(state);
    }
    if (r < 0) {
        if (history == HISTORY_NONE) {
            state_remove(state);
        }
        return r;
    }
    locate(conf, state->file->conf_path);
    *ret = take(state);
    *ret_history = history;
    return 0;
}

char *state_describe(const struct conf *conf)
{
    CLEANUP(free_cleanup) char *directory = NULL;
    char *path;

    if (runtime_path(&directory) < 0) {
        return NULL;
    }
    return state_path(directory, (uint32_t)conf->key, &path) < 0 ? NULL : path;
}

int state_rekey(struct state *state, uint32_t key)
{
    CLEANUP(free_cleanup) char *path = NULL;
    CLEANUP(fd_close_cleanup) int other = -1;
    bool made;
    pid_t pid;
    int r = state_path(state->directory, key, &path);

    if (r < 0) {
        path = NULL;
        return r;
    }
    /* A state that lies there belongs to a daemon that runs, or to one that died. */
    r = lockfile_open(path, true, &other, &made, &pid);
    if (r < 0) {
        return r;
    }
    r = statefile_is_sound(other);
    if (r > 0) {
        r = statefile_belongs_to(other, state->file->conf_path) ?: -EEXIST;
    }
    if (r >= 0 && rename(state->path, path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        if (made) {
            (void)unlink(path);
        }
        return r;
    }
    free(state->path);
    state->path = take(path);
    return 0;
}

int state_stretch(int fd, size_t image_size, size_t wanted)
{
    int r = wanted > image_size ? stretch(fd, wanted) : 0;

    if (r < 0) {
        (void)cut(fd, image_size);
    }
    return r;
}

void state_cut(struct state *state)
{
    (void)cut(state->fd, state->file->image_size);
}

int state_make_room(struct state *state, size_t image_size)
{
    int r = is_stretched(state->fd, image_size)
                ? 0
                : state_stretch(state->fd, state->file->image_size, image_size);

    return r == 0 && image_size > state->image_mapped ? map_image(state, image_size) : r;
}

void state_resize(struct state *state, size_t image_size)
{
    if (state_phase(state->file) != PHASE_EMPTY) {
        state->file->gone = state_number(state->file);
    }
    state_enter(state->file, state_number(state->file), PHASE_EMPTY);
    /* Behind the record, it is NUL; and so is the file behind the image. */
    memset(state->image, 0, state->file->record_length + 1);
    state->file->record_length = 0;
    /* At no time is the extent beyond the image: killed here, the next daemon goes on. */
    if (state->file->extent > image_size) {
        __atomic_store_n(&state->file->extent, image_size, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&state->file->image_size, image_size, __ATOMIC_RELEASE);
    __atomic_store_n(&state->file->extent, image_size, __ATOMIC_RELEASE);
    state_cut(state); /* this comes last, and may fail */
}

size_t state_image_size(const struct conf *conf)
{
    return conf->layout == LAYOUT_PLAIN ? conf->size : STATE_IMAGE_MIN;
}

void state_remove(struct state *state)
{
    if (state_is_named(state)) {
        (void)unlink(state->path);
    }
}

struct state *state_free(struct state *state)
{
    if (state) {
        unmap(state);
        state->fd = state->lent ? -1 : fd_close(state->fd);
        free(state->path);
        free(state->directory);
    }
    free(state);
    return NULL;
}
