/* SPDX-License-Identifier: MIT
 *
 * What a test must have for itself, so that it can run anywhere and leaves nothing behind: an IPC
 * namespace, a directory, a child process.
 *
 * A group that makes segments calls private_ipc_or_skip() before its first test.
 */
#pragma once

#include "base/cleanup.h"
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIVATE_SECONDS 300   /* that a group, or a child, may take */
#define PRIVATE_NOBODY  65534 /* a uid and gid that is not ours */

/* Ends a test that cannot run here, and says why. */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        print_message("# %s\n", reason);                                                           \
        skip();                                                                                    \
    } while (0)

/* For a test with another user in it. */
#define SKIP_UNLESS_ROOT()                                                                         \
    do {                                                                                           \
        if (geteuid() != 0) {                                                                      \
            SKIP("only root can play another user");                                               \
        }                                                                                          \
    } while (0)

/* Writes a file whole; false if it cannot. */
static inline bool file_write(const char *path, const char *text, size_t length)
{
    CLEANUP(fd_close_cleanup) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd >= 0 && write(fd, text, length) == (ssize_t)length;
}

/* In a user namespace of our own, we stay who we are. */
static inline bool private_user(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char map[64];

    if (unshare(CLONE_NEWUSER | CLONE_NEWIPC) < 0) {
        return false;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
    if (!file_write("/proc/self/setgroups", "deny", 4) ||
        !file_write("/proc/self/uid_map", map, strlen(map))) {
        return false;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)gid, (unsigned)gid);
    return file_write("/proc/self/gid_map", map, strlen(map));
}

/*
 * Moves this process into an IPC namespace of its own: no segment of the machine is seen, and those
 * that are made end with it. Where that is not allowed, the group ends, and says so in TAP.
 */
static inline void private_ipc_or_skip(void)
{
    if (unshare(CLONE_NEWIPC) < 0 && !private_user()) {
        (void)printf("1..0 # SKIP no IPC namespace of its own: %s\n", strerror(errno));
        exit(EXIT_SUCCESS);
    }
}

/* A fresh directory, the caller's to remove; NULL if there is none. */
static inline char *private_directory_new(void)
{
    const char *parent = getenv("TMPDIR");
    char *path;

    if (asprintf(&path, "%s/shmd-unit.XXXXXX", parent && *parent ? parent : "/tmp") < 0) {
        return NULL;
    }
    if (!mkdtemp(path)) {
        free(path);
        return NULL;
    }
    return path;
}

static inline int private_entry_remove(const char *path, const struct stat *st, int type,
                                       struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline char *private_directory_free(char *path)
{
    if (path) {
        (void)nftw(path, private_entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    }
    free(path);
    return NULL;
}

DEFINE_CLEANUP(char, private_directory_free)

/*
 * As fork(): a child that ends with its parent, and by itself. It must end with _exit(), and assert
 * nothing: it would go on with the tests.
 */
static inline pid_t child_start(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)alarm(PRIVATE_SECONDS);
    }
    return pid;
}

/* The exit status of a child, 128 and the signal if one killed it. */
static inline int child_wait(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void child_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)child_wait(pid);
}

/* Runs a check in a child with another uid and gid (root only); its exit status: 0 is true. */
static inline int check_as(uid_t id, bool (*check)(void *userdata), void *userdata)
{
    pid_t pid = child_start();

    if (pid == 0) {
        bool changed = setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0;

        _exit(changed && check(userdata) ? 0 : 1);
    }
    return child_wait(pid);
}

/* Zeroed memory that a child shares with us. Never fails: the test cannot go on without. */
static inline void *shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        abort();
    }
    return memory;
}

/*
 * Plays a death at any instruction: runs act() in a child, one instruction at a time, and asks
 * after each of them whether fine() is what has come of it so far. What they look at must be
 * shared. Returns how many instructions there were; 0: after one of them it was not fine; -1: a
 * child cannot be stepped through here.
 */
static inline long step_through(void (*act)(void *userdata), bool (*fine)(void *userdata),
                                void *userdata)
{
    pid_t pid = child_start();
    int status;

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
            (void)raise(SIGSTOP);
            act(userdata);
        }
        _exit(0);
    }
    for (long steps = 0;; steps++) {
        if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
            return steps > 0 ? steps : -1;
        }
        if (!fine(userdata)) {
            child_end(pid);
            return 0;
        }
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) {
            child_end(pid);
            return -1;
        }
    }
}
