/* SPDX-License-Identifier: MIT
 *
 * A journal of the test's own: a socket where journald's is, in a mount namespace that nobody else
 * sees. What is sent there is taken off by the test.
 */
#pragma once

#include "private.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#define OWN_JOURNAL_DIRECTORY "/run/systemd/journal"
#define OWN_JOURNAL_SOCKET    OWN_JOURNAL_DIRECTORY "/socket"

/* An empty /run for this process; false where that is not allowed. */
static inline bool own_run(void)
{
    if (unshare(CLONE_NEWNS) < 0 && !(private_user() && unshare(CLONE_NEWNS) == 0)) {
        return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/systemd", 0755) == 0 &&
           mkdir(OWN_JOURNAL_DIRECTORY, 0755) == 0;
}

/* Listens where journald would; -1: it cannot. */
static inline int own_journal_listen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = OWN_JOURNAL_SOCKET};
    CLEANUP(fd_close_cleanup) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int ret = fd;

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return -1;
    }
    fd = -1;
    return ret;
}

static inline void own_journal_close(int fd)
{
    (void)fd_close(fd);
    (void)unlink(OWN_JOURNAL_SOCKET);
}

/* The next entry, as it was sent, with a NUL behind it: its length; -1: none within `msec`. */
static inline ssize_t own_journal_take(int fd, int msec, char *buffer, size_t size)
{
    struct pollfd journal = {.fd = fd, .events = POLLIN};
    ssize_t length;

    if (poll(&journal, 1, msec) != 1) {
        return -1;
    }
    length = recv(fd, buffer, size - 1, MSG_DONTWAIT);
    buffer[length > 0 ? length : 0] = '\0';
    return length;
}
