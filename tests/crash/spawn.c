/* SPDX-License-Identifier: MIT */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_START 3

static void set_number(const char *name, unsigned long long number)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%llu", number);
    (void)setenv(name, text, 1);
}

/* Standard error is a file of which JOURNAL_STREAM says that it leads to the journal. */
static bool set_errors(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char text[64];
    struct stat st;

    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &st) < 0) {
        return false;
    }
    (void)close(fd);
    (void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
    return setenv("JOURNAL_STREAM", text, 1) == 0;
}

/* First all of them out of the way, then each to its place. */
static bool set_descriptors(int listener, const struct store *store)
{
    static char names[(STORE_MAX + 1) * STORE_NAME_MAX];
    static int fds[STORE_MAX + 1];
    size_t count = 0, used = 0;
    int beyond = LISTEN_START + (int)store->count + 1;

    if (listener >= 0) {
        fds[count++] = fcntl(listener, F_DUPFD_CLOEXEC, beyond);
        used = (size_t)snprintf(names, sizeof(names), "shmd");
    }
    for (size_t i = 0; i < store->count; i++) {
        fds[count++] = fcntl(store->kept[i].fd, F_DUPFD_CLOEXEC, beyond);
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ":" : "",
                                 store->kept[i].name);
    }
    for (size_t i = 0; i < count; i++) {
        if (fds[i] < 0 || dup2(fds[i], LISTEN_START + (int)i) < 0) {
            return false;
        }
    }
    if (count > 0) {
        set_number("LISTEN_FDS", count);
        set_number("LISTEN_PID", (unsigned long long)getpid());
        (void)setenv("LISTEN_FDNAMES", names, 1);
    }
    return true;
}

pid_t spawn(const struct spawn *spawn)
{
    pid_t pid = fork();
    sigset_t none;

    if (pid != 0) {
        return pid < 0 ? -errno : pid;
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (spawn->step) {
        (void)setenv("SHMD_CRASH_STEP", spawn->step, 1);
    }
    if (set_errors(spawn->errors) && set_descriptors(spawn->listener, spawn->store)) {
        (void)execv(spawn->command[0], spawn->command);
    }
    _exit(EXIT_FAILURE);
}
