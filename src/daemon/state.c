/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"
#include "base/shortage.h"
#include "conf/conf.h"
#include "daemon/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define STATE_MAGIC      UINT64_C(0x7374617473686d64) /* "shmdstat" */
#define STATE_VERSION    4
#define PAGE             ((size_t)4096)
#define IMAGE_OFFSET     ((sizeof(struct state_file) + PAGE - 1) / PAGE * PAGE)
#define INITIAL_IPC_NS   0xEFFFFFFFU /* the kernel's number for the initial IPC namespace */
#define OPEN_TRIES       16
#define IMAGE_SIZE_MIN   ((size_t)2)
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

/* -EBUSY: another daemon has it, *ret_pid says which. -ENOENT: it has lost its name meanwhile. */
static int lock(int fd, const char *path, pid_t *ret_pid)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat opened, named;

    if (fstat(fd, &opened) < 0) {
        return -errno;
    }
    if (!S_ISREG(opened.st_mode) || opened.st_uid != geteuid()) {
        return -EPERM;
    }
    if (fcntl(fd, F_SETLK, &whole) < 0) {
        if (errno != EAGAIN && errno != EACCES) {
            return -errno;
        }
        *ret_pid = fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK ? whole.l_pid : 0;
        return -EBUSY;
    }
    if (lstat(path, &named) < 0) {
        return -errno;
    }
    return named.st_ino == opened.st_ino ? 0 : -ENOENT;
}

/*
 * Opens and locks; makes the file (*ret_made) if `make` says so. The lock is ours until the
 * descriptor is closed, or we die. On failure nothing is left that was not there before.
 */
static int open_locked(const char *path, bool make, int *ret, bool *ret_made, pid_t *ret_pid)
{
    static const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

    for (int i = 0; i < OPEN_TRIES; i++) {
        CLEANUP(fd_close_cleanup) int fd = open(path, flags);
        bool made = false;
        int r;

        if (fd < 0 && errno == ENOENT && make) {
            fd = open(path, flags | O_CREAT | O_EXCL, 0600);
            made = fd >= 0;
        }
        if (fd < 0 && errno == EEXIST) {
            continue; /* another daemon was faster: is it ours? */
        }
        if (fd < 0) {
            return errno == ELOOP ? -EPERM : -errno;
        }
        r = lock(fd, path, ret_pid);
        if (r == 0) {
            *ret = fd;
            *ret_made = made;
            fd = -1;
            return 0;
        }
        /* A daemon that stops removes its file: the one that we locked must still have its name. */
        if (r != -ENOENT) {
            if (made && r != -EBUSY) {
                (void)unlink(path);
            }
            return r;
        }
    }
    return -EBUSY;
}

/*
 * The head of a state, the caller's to free, without mapping the file; NULL if it is none. Where it
 * cannot be read, nobody can tell whether it is one.
 */
static int head_read(int fd, struct state_file **ret)
{
    CLEANUP(free_cleanup) struct state_file *file = malloc(sizeof(*file));
    ssize_t length = file ? pread(fd, file, sizeof(*file), 0) : -1;

    if (length < 0) {
        return file ? -errno : -ENOMEM;
    }
    *ret = length == (ssize_t)sizeof(*file) && file->magic == STATE_MAGIC &&
                   file->version == STATE_VERSION
               ? take(file)
               : NULL;
    return 0;
}

/* Is this the state of a daemon with that configuration file? 1: it is; 0: no. */
static int belongs_to(int fd, const char *conf_path)
{
    CLEANUP(free_cleanup) struct state_file *file = NULL;
    int r = head_read(fd, &file);

    return r < 0 ? r : file && strncmp(file->conf_path, conf_path, sizeof(file->conf_path)) == 0;
}

static void dir_close_cleanup(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir);
    }
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
        r = open_locked(other, false, &fd, &made, &pid);
        if (r == 0) {
            r = belongs_to(fd, conf_path);
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
        (void)munmap(state->file, IMAGE_OFFSET);
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
    char *image = map_part(state, IMAGE_OFFSET, image_size);

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
    state->file = map_part(state, 0, IMAGE_OFFSET);
    return state->file ? map_image(state, image_size) : -errno;
}

static int boot_id(sd_id128_t *ret)
{
    int r = sd_id128_get_boot(ret);

    if (is_shortage(r)) {
        return r;
    }
    if (r < 0) {
        *ret = SD_ID128_NULL; /* under ProcSubset=pid; /run is empty after a boot anyway */
    }
    return 0;
}

/*
 * Is this a state to go on from? Judged before anything in it is used. 1: it is; 0: no, and it can
 * be forgotten. Whether it is one must be known for certain: a shortage says nothing.
 */
static int trustworthy(int fd)
{
    CLEANUP(free_cleanup) struct state_file *file = NULL;
    sd_id128_t boot;
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : head_read(fd, &file);

    if (r == 0) {
        r = boot_id(&boot);
    }
    if (r < 0) {
        return r;
    }
    return file && sd_id128_equal(file->boot, boot) && !sd_id128_is_null(file->epoch) &&
           file->image_size >= IMAGE_SIZE_MIN && (uint64_t)st.st_size >= IMAGE_OFFSET &&
           file->image_size <= (uint64_t)st.st_size - IMAGE_OFFSET &&
           file->record_length < file->image_size && file->extent >= IMAGE_SIZE_MIN &&
           file->extent <= file->image_size && state_phase(file) <= PHASE_PUBLISHED &&
           acklog_valid(&file->acklog) && memchr(file->conf_path, '\0', sizeof(file->conf_path));
}

/* The length must be there before it is mapped: a short file system is an error, not SIGBUS. */
static int stretch(int fd, size_t image_size)
{
    int r = ftruncate(fd, (off_t)(IMAGE_OFFSET + image_size)) < 0 ? -errno : 0;

    return r < 0 ? r : -posix_fallocate(fd, 0, (off_t)(IMAGE_OFFSET + image_size));
}

/* Begins a new epoch. The magic comes last: before that, it is no state. */
static int begin(struct state *state, const struct conf *conf)
{
    size_t image_size = state_image_size(conf);
    struct state_file *file;
    sd_id128_t boot;
    int r = boot_id(&boot);

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
    (void)snprintf(file->conf_path, sizeof(file->conf_path), "%s", conf->path);
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
    return map(state, image_size);
}

int state_open(const struct conf *conf, struct state **ret, enum history *ret_history,
               pid_t *ret_pid)
{
    CLEANUP(state_free_cleanup) struct state *state = calloc(1, sizeof(*state));
    enum history history = HISTORY_CONTINUED;
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
    r = open_locked(state->path, false, &state->fd, &made, ret_pid);
    if (r == -ENOENT) {
        r = inherit(state->directory, conf->path, state->path, &state->fd);
    }
    if (r == -ENOENT) {
        history = HISTORY_NONE;
        r = open_locked(state->path, true, &state->fd, &made, ret_pid);
    }
    if (r < 0) {
        return r;
    }
    if (history == HISTORY_CONTINUED) {
        r = trustworthy(state->fd);
        if (r < 0) {
            return r;
        }
        history = r ? HISTORY_CONTINUED : HISTORY_LOST;
    }
    r = history == HISTORY_CONTINUED ? proceed(state) : begin(state, conf);
    if (r == 0) {
        r = outbox_settle(&state->file->outbox, &state->file->acklog);
    }
    if (r < 0) {
        if (history == HISTORY_NONE) {
            state_remove(state);
        }
        return r;
    }
    (void)snprintf(state->file->conf_path, sizeof(state->file->conf_path), "%s", conf->path);
    cursors_settle(&state->file->cursors, &state->file->acklog);
    *ret = take(state);
    *ret_history = history;
    return 0;
}

char *state_describe(const struct conf *conf)
{
    CLEANUP(free_cleanup) char *directory = NULL;
    char *path;

    if (runtime_directory(&directory) < 0) {
        return strdup("the runtime directory");
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
    r = open_locked(path, true, &other, &made, &pid);
    if (r < 0) {
        return r;
    }
    r = trustworthy(other);
    if (r > 0) {
        r = belongs_to(other, state->file->conf_path) ?: -EEXIST;
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

int state_resize(struct state *state, size_t image_size)
{
    size_t old_size = state->file->image_size;
    int r = image_size > old_size ? stretch(state->fd, image_size) : 0;

    if (r == 0) {
        r = map_image(state, image_size);
    }
    if (r < 0) {
        return r;
    }
    state_enter(state->file, state_number(state->file), PHASE_EMPTY);
    state->file->record_length = 0;
    memset(state->image, 0, image_size);
    /* At no time is the extent beyond the image: killed here, the next daemon goes on. */
    if (state->file->extent > image_size) {
        __atomic_store_n(&state->file->extent, image_size, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&state->file->image_size, image_size, __ATOMIC_RELEASE);
    __atomic_store_n(&state->file->extent, image_size, __ATOMIC_RELEASE);
    /* A file that is too long does no harm: this comes last, and may fail. */
    (void)!ftruncate(state->fd, (off_t)(IMAGE_OFFSET + image_size));
    return 0;
}

size_t state_image_size(const struct conf *conf)
{
    return conf->layout == 0 ? conf->size : IMAGE_SIZE_MIN;
}

void state_remove(struct state *state)
{
    (void)unlink(state->path);
}

struct state *state_free(struct state *state)
{
    if (state) {
        unmap(state);
        state->fd = fd_close(state->fd);
        free(state->path);
        free(state->directory);
    }
    free(state);
    return NULL;
}
