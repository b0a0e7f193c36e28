/* SPDX-License-Identifier: MIT */
#include "daemon/identity.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/shortage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#define PIDFS_MAGIC     0x50494446 /* before Linux 6.9, all pidfds have one inode */
#define STAT_MAX        ((size_t)4096)
#define STAT_START_TIME 20 /* fields between the state and the time of the start */

/* When it was started, in clock ticks since the boot; 0 where /proc does not show the process. */
static uint64_t start_time(pid_t pid)
{
    CLEANUP(free_cleanup) char *text = NULL;
    unsigned long long ticks = 0;
    char path[32];
    size_t length;
    char *at;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(path, STAT_MAX, &text, &length) < 0) {
        return 0;
    }
    at = strrchr(text, ')'); /* behind its name, which may be anything */
    for (int i = 0; at && i < STAT_START_TIME; i++) {
        at = strchr(at + 1, ' ');
    }
    return at && sscanf(at, "%llu", &ticks) == 1 ? ticks : 0;
}

/* 0 with *ret, or a shortage. What has ended already has no number. */
static int process_of_peer(int socket, pid_t pid, uint64_t *ret)
{
    CLEANUP(fd_close_cleanup) int pidfd = -1;
    socklen_t length = sizeof(pidfd);
    struct statfs fs = {0};
    struct stat st;

    *ret = 0;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) < 0) {
        int error = errno;

        pidfd = -1;
        *ret = error == ENOPROTOOPT ? start_time(pid) : 0;
        return is_shortage(-error) ? -error : 0;
    }
    if (fstatfs(pidfd, &fs) < 0 || fstat(pidfd, &st) < 0) {
        return -errno;
    }
    *ret = fs.f_type == PIDFS_MAGIC ? st.st_ino : start_time(pid);
    return 0;
}

int identity_of_peer(int socket, struct identity *ret)
{
    struct identity identity = {0};
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);
    int r;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return -errno;
    }
    identity = (struct identity){.pid = peer.pid, .uid = peer.uid, .gid = peer.gid};
    r = process_of_peer(socket, peer.pid, &identity.process);
    if (r < 0) {
        return r;
    }
    *ret = identity;
    return 0;
}
