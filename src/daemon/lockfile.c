/* SPDX-License-Identifier: MIT */
#include "daemon/lockfile.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define OPEN_TRIES 16

/* -EBUSY: another daemon has it, *ret_pid says which. -ENOENT: it has lost its name meanwhile. */
static int lock(int fd, const char *path, pid_t *ret_pid)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat opened, named;

    if (fstat(fd, &opened) < 0) {
        return -errno;
    }
    if (!S_ISREG(opened.st_mode)) {
        return -ENXIO;
    }
    if (opened.st_uid != geteuid()) {
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

int lockfile_open(const char *path, bool make, int *ret, bool *ret_made, pid_t *ret_pid)
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
            return -errno;
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
