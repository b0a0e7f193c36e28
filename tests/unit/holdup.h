/* SPDX-License-Identifier: MIT
 *
 * With what a client makes others wait, who close or use what it has handed them: a socket that
 * lingers, and memory that does not come.
 */
#pragma once

#include "../descriptors.h"
#include "private.h"
#include "proto/page.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

/* Sends these bytes with that descriptor, which is closed here. */
static inline bool holdup_send(int socket, const void *bytes, size_t length, int fd)
{
    bool sent = descriptor_send(socket, bytes, length, fd);

    (void)fd_close(fd);
    return sent;
}

/* The kernel would refuse them at the sender's, as it does for those who connect later. */
static inline void holdup_permit(int socket)
{
    static const int yes = 1;

    (void)setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &yes, sizeof(yes));
}

/* Memory that never comes, for whoever touches it. NULL: only root may have that here. */
static inline void *holdup_memory(int *ret_faults)
{
    struct uffdio_api api = {.api = UFFD_API};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    void *memory =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register area = {.range = {.start = (uintptr_t)memory, .len = PAGE_SIZE},
                                   .mode = UFFDIO_REGISTER_MODE_MISSING};

    *ret_faults = fd;
    return fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &area) == 0
               ? memory
               : NULL;
}

/* Tells when somebody waits for the memory. */
static inline void holdup_tell(int faults, int ready)
{
    struct pollfd fault = {.fd = faults, .events = POLLIN};

    if (fork() == 0) {
        (void)!(poll(&fault, 1, PATIENCE_MSEC) > 0 && write(ready, "", 1));
        _exit(0);
    }
}

/*
 * A process that reads from a descriptor, or writes there, and gets no further than to the memory.
 * -1: there is none to be had.
 */
static inline pid_t holdup_process(int fd, bool writes)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0) {
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        int faults;
        void *memory = holdup_memory(&faults);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (memory) {
            holdup_tell(faults, ready[1]);
            (void)fd_close(ready[1]);
            (void)!(writes ? write(fd, memory, PAGE_SIZE) : read(fd, memory, PAGE_SIZE));
        }
        _exit(1);
    }
    (void)fd_close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        (void)waitpid(pid, NULL, 0);
        pid = -1;
    }
    (void)fd_close(ready[0]);
    return pid;
}

static inline void holdup_end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* --- who is held up is set free when patience ends, so that the test can fail --- */

static volatile sig_atomic_t holdup_late;
static volatile pid_t holdup_culprit;

static inline void holdup_on_alarm(int number)
{
    (void)number;
    holdup_late = 1;
    if (holdup_culprit > 0) {
        (void)kill(holdup_culprit, SIGKILL);
    }
}

static inline void holdup_watch(pid_t culprit)
{
    static const struct sigaction action = {.sa_handler = holdup_on_alarm};

    holdup_late = 0;
    holdup_culprit = culprit;
    (void)sigaction(SIGALRM, &action, NULL);
    (void)alarm(PATIENCE_SEC);
}

/* Was nobody held up? */
static inline bool holdup_passed(void)
{
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(PRIVATE_SECONDS);
    lingering_listener = fd_close(lingering_listener);
    return !holdup_late;
}
