/* SPDX-License-Identifier: MIT */
#include "daemon/listen.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 128

/* Does anybody listen there? */
static bool is_served(const struct sockaddr_un *address)
{
    CLEANUP(fd_close_cleanup)
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* EAGAIN: it does, and has more connections waiting than it can take. */
    return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN;
}

int listen_open(const char *path, int *ret)
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    if (is_served(&address)) {
        return -EADDRINUSE;
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    (void)unlink(path); /* what a killed daemon left */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
        listen(fd, BACKLOG) < 0) {
        return -errno;
    }
    *ret = fd;
    fd = -1;
    return 0;
}
