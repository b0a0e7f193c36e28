/* SPDX-License-Identifier: MIT */
#include "daemon/statename.h"
#include "daemon/lockfile.h"
#include "daemon/runtime.h"
#include "daemon/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

bool state_is_named(const struct state *state)
{
    struct stat ours, named;

    if (lstat(state->path, &named) < 0) {
        return errno != ENOENT && errno != ENOTDIR;
    }
    return fstat(state->fd, &ours) < 0 ||
           (ours.st_dev == named.st_dev && ours.st_ino == named.st_ino);
}

/* Copies a part that is mapped into another file, and maps that part of it in the same place. */
static int move_part(int fd, size_t offset, size_t length, void *place, size_t mapped)
{
    void *copy = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    int r = 0;

    if (copy == MAP_FAILED) {
        return -errno;
    }
    memcpy(copy, place, length);
    if (mremap(copy, mapped, mapped, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
        r = -errno;
        (void)munmap(copy, mapped);
    }
    return r;
}

/*
 * All of it. It comes to no harm if that ends halfway: what is mapped is always all that there is,
 * be it of one file or of two.
 */
static int move_to(struct state *state, int fd)
{
    size_t image_size = state->file->image_size;
    int r = -posix_fallocate(fd, 0, (off_t)(STATE_IMAGE_OFFSET + image_size));

    if (r == 0) {
        r = move_part(fd, STATE_IMAGE_OFFSET, image_size, state->image, state->image_mapped);
    }
    return r < 0 ? r : move_part(fd, 0, STATE_IMAGE_OFFSET, state->file, STATE_IMAGE_OFFSET);
}

/* Is there another daemon's state under that name? Its lock says so. */
static bool is_taken(const char *path)
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    bool made;
    pid_t pid;

    return lockfile_open(path, false, &fd, &made, &pid) == -EBUSY;
}

int state_name_again(struct state *state)
{
    CLEANUP(free_cleanup) char *directory = NULL;
    CLEANUP(free_cleanup) char *path = NULL;
    CLEANUP(fd_close_cleanup) int fd = -1;
    bool made;
    pid_t pid;
    int r;

    if (state->lent) {
        return -EAGAIN;
    }
    if (is_taken(state->path)) {
        return -EBUSY;
    }
    (void)runtime_directory(&directory); /* it may have been removed with all that was in it */
    if (asprintf(&path, "%s.new", state->path) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    (void)unlink(path); /* what a kill has left */
    r = lockfile_open(path, true, &fd, &made, &pid);
    if (r < 0) {
        return r;
    }
    r = move_to(state, fd);
    if (r == 0) {
        int old = state->fd;

        state->fd = fd;
        fd = old;
        r = rename(path, state->path) < 0 ? -errno : 0;
    }
    if (r < 0) {
        (void)unlink(path);
    }
    return r;
}
