/* SPDX-License-Identifier: MIT
 *
 * With what a client makes others wait, who close or use what it has handed them: a socket that
 * lingers, and memory that does not come.
 */
#pragma once

#include "private.h"
#include "proto/page.h"

#include <arpa/inet.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LINGER_SECONDS 600

static int holdup_listener = -1;

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

/* Who closes it, waits for ten minutes: its peer never reads. -1: there is no loopback here. */
static inline int holdup_socket(void)
{
    static const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
    static const char bytes[65536];
    static const int little = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (holdup_listener < 0) {
        holdup_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)setsockopt(holdup_listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
        if (bind(holdup_listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(holdup_listener, SOMAXCONN) < 0) {
            holdup_listener = fd_close(holdup_listener);
        }
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    if (fd < 0 || getsockname(holdup_listener, (struct sockaddr *)&address, &length) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return fd_close(fd);
    }
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0 ? fd_close(fd) : fd;
}

/* Sends these bytes with that descriptor, which is closed here. */
static inline bool holdup_send(int socket, const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    bool sent;

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    sent = sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)length;
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
    holdup_listener = fd_close(holdup_listener);
    return !holdup_late;
}
