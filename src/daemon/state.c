/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"
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
    int r;

    if (stat("/proc/self/ns/ipc", &ns) < 0 || ns.st_ino == INITIAL_IPC_NS) {
        r = asprintf(ret, "%s/" STATE_NAME_PARTS ".state", directory, key);
    } else {
        r = asprintf(ret, "%s/" STATE_NAME_PARTS ".ipc-%lu.state", directory, key,
                     (unsigned long)ns.st_ino);
    }
    return r < 0 ? -ENOMEM : 0;
}

/* Opens and locks. The lock is ours until the descriptor is closed, or we die. */
static int open_locked(const char *path, int flags, int *ret, pid_t *ret_pid)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        CLEANUP(fd_close_cleanup) int fd = -1;
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        struct stat opened, named;

        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
        if (fd < 0) {
            return errno == ELOOP ? -EPERM : -errno;
        }
        if (fstat(fd, &opened) < 0) {
            return -errno;
        }
        if (!S_ISREG(opened.st_mode) || opened.st_uid != geteuid()) {
            return -EPERM;
        }
        if (fcntl(fd, F_SETLK, &lock) < 0) {
            *ret_pid = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
            return -EBUSY;
        }
        /* A daemon that stops removes its file: the one that we locked must still have its name. */
        if (lstat(path, &named) == 0 && named.st_ino == opened.st_ino) {
            *ret = fd;
            fd = -1;
            return 0;
        }
    }
    return -EBUSY;
}

/* Reads the fields that say whose state this is, without mapping it. */
static bool belongs_to(int fd, const char *conf_path)
{
    CLEANUP(free_cleanup) struct state_file *file = malloc(sizeof(*file));

    return file && pread(fd, file, sizeof(*file), 0) == (ssize_t)sizeof(*file) &&
           file->magic == STATE_MAGIC && file->version == STATE_VERSION &&
           strncmp(file->conf_path, conf_path, sizeof(file->conf_path)) == 0;
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

    while (dir && (entry = readdir(dir))) {
        CLEANUP(free_cleanup) char *other = NULL;
        CLEANUP(fd_close_cleanup) int fd = -1;
        pid_t pid;

        /* Of this namespace: the name differs in the key alone. */
        if (strncmp(entry->d_name, name, 4) != 0 || strlen(entry->d_name) != strlen(name) ||
            strcmp(entry->d_name + STATE_KEY_LENGTH, name + STATE_KEY_LENGTH) != 0) {
            continue;
        }
        if (asprintf(&other, "%s/%s", directory, entry->d_name) < 0) {
            other = NULL;
            return -ENOMEM;
        }
        if (open_locked(other, 0, &fd, &pid) < 0 || !belongs_to(fd, conf_path)) {
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

static sd_id128_t boot_id(void)
{
    sd_id128_t boot;

    /* Under ProcSubset=pid nobody can tell; /run is empty after a boot anyway. */
    return sd_id128_get_boot(&boot) < 0 ? SD_ID128_NULL : boot;
}

/* Is this a state to go on from? Judged before anything in it is used. */
static bool trustworthy(int fd)
{
    CLEANUP(free_cleanup) struct state_file *file = malloc(sizeof(*file));
    struct stat st;

    return file && fstat(fd, &st) == 0 &&
           pread(fd, file, sizeof(*file), 0) == (ssize_t)sizeof(*file) &&
           file->magic == STATE_MAGIC && file->version == STATE_VERSION &&
           sd_id128_equal(file->boot, boot_id()) && !sd_id128_is_null(file->epoch) &&
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
    int r = ftruncate(state->fd, 0) < 0 ? -errno : stretch(state->fd, image_size);

    if (r == 0) {
        r = map(state, image_size);
    }
    if (r < 0) {
        return r;
    }
    file = state->file;
    file->version = STATE_VERSION;
    file->boot = boot_id();
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
    r = open_locked(state->path, 0, &state->fd, ret_pid);
    if (r == -ENOENT) {
        r = inherit(state->directory, conf->path, state->path, &state->fd);
    }
    if (r == -ENOENT) {
        history = HISTORY_NONE;
        r = open_locked(state->path, O_CREAT, &state->fd, ret_pid);
    }
    if (r < 0) {
        return r;
    }
    if (history == HISTORY_CONTINUED && !trustworthy(state->fd)) {
        history = HISTORY_LOST;
    }
    r = history == HISTORY_CONTINUED ? proceed(state) : begin(state, conf);
    if (r < 0) {
        if (history == HISTORY_NONE) {
            state_remove(state);
        }
        return r;
    }
    (void)snprintf(state->file->conf_path, sizeof(state->file->conf_path), "%s", conf->path);
    outbox_settle(&state->file->outbox, &state->file->acklog);
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
    pid_t pid;
    int r = state_path(state->directory, key, &path);

    if (r < 0) {
        path = NULL;
        return r;
    }
    /* A state that lies there belongs to a daemon that runs, or to one that died. */
    r = open_locked(path, O_CREAT, &other, &pid);
    if (r < 0) {
        return r;
    }
    if (trustworthy(other) && !belongs_to(other, state->file->conf_path)) {
        return -EEXIST;
    }
    if (rename(state->path, path) < 0) {
        return -errno;
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
