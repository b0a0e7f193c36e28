/* SPDX-License-Identifier: MIT
 *
 * The mark is an empty file: its size is how many there were, and its time when the last one was.
 * That needs no room, where a lack of it may be the reason.
 */
#include "daemon/starts.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/runtime.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

uint64_t starts_pause(unsigned count)
{
    uint64_t pause = STARTS_PAUSE_MIN;

    if (count < STARTS_FREE) {
        return 0;
    }
    for (unsigned i = STARTS_FREE; i < count && pause < STARTS_PAUSE_MAX; i++) {
        pause *= 2;
    }
    return pause < STARTS_PAUSE_MAX ? pause : STARTS_PAUSE_MAX;
}

static int mark_open(const char *instance, const char *kind, int flags)
{
    CLEANUP(free_cleanup) char *path = runtime_mark(instance, kind);

    return path ? open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0600) : -1;
}

static void mark_remove(const char *instance, const char *kind)
{
    CLEANUP(free_cleanup) char *path = runtime_mark(instance, kind);

    if (path) {
        (void)unlink(path);
    }
}

void starts_begin(const char *instance)
{
    CLEANUP(fd_close_cleanup) int fd = mark_open(instance, "starts", O_CREAT);
    uint64_t now = clock_usec_since_1970(), then, pause;
    struct stat st;
    unsigned count;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return;
    }
    then = (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
    count = st.st_size < INT_MAX ? (unsigned)st.st_size : INT_MAX;
    if (now < then || now - then >= STARTS_FORGOTTEN) { /* or the clock was set */
        count = 0;
    }
    pause = starts_pause(count);
    if (now - then < pause) {
        struct timespec rest = clock_timespec(pause - (now - then));

        (void)sd_notifyf(false, "STATUS=rests for %u s, because %u starts in a row came to nothing",
                         (unsigned)(rest.tv_sec + 1), count);
        (void)nanosleep(&rest, NULL);
    }
    (void)!ftruncate(fd, (off_t)count + 1);
    (void)futimens(fd, NULL);
}

void starts_failed(const char *instance, const char *why)
{
    CLEANUP(fd_close_cleanup) int fd = mark_open(instance, "failed", O_CREAT | O_TRUNC);

    if (fd >= 0 && fchmod(fd, 0644) == 0) {
        (void)dprintf(fd, "%s\n", why);
    }
}

void starts_ready(const char *instance)
{
    CLEANUP(fd_close_cleanup) int fd = mark_open(instance, "starts", 0);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > STARTS_READY_MAX) {
        (void)!ftruncate(fd, STARTS_READY_MAX);
    }
    mark_remove(instance, "failed");
}

void starts_end(const char *instance)
{
    mark_remove(instance, "starts");
}
