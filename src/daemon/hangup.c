/* SPDX-License-Identifier: MIT
 *
 * As a service, the one who reloads must not end before systemd knows that the daemon has begun:
 * "systemctl reload" would return with nothing done. A busy daemon may say so later than we end,
 * and so we say it in its name; that it has done it, it says itself.
 */
#include "daemon/hangup.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define NAME_BYTES 16 /* of a process, with the NUL */

/* The name of the program that a process runs. */
static int name_of(pid_t pid, char ret_name[NAME_BYTES])
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    char path[sizeof("/proc//comm") + 3 * sizeof(pid)];
    ssize_t length;

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? -ESRCH : -errno;
    }
    length = read(fd, ret_name, NAME_BYTES);
    if (length <= 0) {
        return length < 0 ? -errno : -ESRCH;
    }
    ret_name[length - 1] = '\0'; /* was a newline */
    return 0;
}

int hangup_send(pid_t pid)
{
    char own[NAME_BYTES], name[NAME_BYTES];
    int r = name_of(pid, name);

    if (r < 0) {
        return r;
    }
    if (prctl(PR_GET_NAME, own) < 0) {
        return -errno;
    }
    if (strcmp(name, own) != 0) {
        return -ESRCH;
    }
    (void)sd_notify(false, "RELOADING=1");
    if (kill(pid, SIGHUP) < 0) {
        r = -errno;
        (void)sd_notify(false, "READY=1");
    }
    return r;
}
