/* SPDX-License-Identifier: MIT */
#include "daemon/listen.h"
#include "base/cleanup.h"
#include "base/shortage.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 128

static int socket_new(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

/* -EADDRINUSE: somebody listens there. 0: nobody does; that has to be known for certain. */
static int is_free(const struct sockaddr_un *address)
{
    CLEANUP(fd_close_cleanup) int fd = socket_new();

    if (fd < 0) {
        return fd;
    }
    /* EAGAIN: it does, and has more connections waiting than it can take. */
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        return -EADDRINUSE;
    }
    return is_shortage(-errno) ? -errno : 0;
}

int listen_open(const char *path, int *ret)
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    int r;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    r = is_free(&address);
    if (r < 0) {
        return r;
    }
    fd = socket_new();
    if (fd < 0) {
        return fd;
    }
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    if (unlink(path) < 0 && errno != ENOENT) { /* what a killed daemon left */
        return -errno;
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return -errno;
    }
    if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0) {
        r = -errno;
        (void)unlink(path);
        return r;
    }
    *ret = fd;
    fd = -1;
    return 0;
}
