/* SPDX-License-Identifier: MIT
 *
 * Stands between shmd and libc (LD_PRELOAD), and lets one call fail, or all from one on: SQLite's
 * way to reach every path that copes with an error.
 *
 * Each function fails with an error that it has on a machine which is short of something. What
 * gives something back (close, munmap, shmdt, free) never fails, and neither does waiting, nor the
 * write that tells of the failure.
 */
#undef _FORTIFY_SOURCE /* whose inline functions have the same names */

#include "fault.h"
#include "ledger.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CALLER __builtin_return_address(0)

/* The function that this one stands before. */
#define NEXT(name) ((__typeof__(&(name)))(uintptr_t)next(&name##_next, #name))

static void *next(void **found, const char *name)
{
    if (!*found) {
        *found = dlsym(RTLD_NEXT, name);
    }
    return *found;
}

/* A function that fails with -1 (or that value as a pointer) and errno. */
#define CALL(type, name, error, parameters, arguments)                                             \
    static void *name##_next;                                                                      \
    type name parameters                                                                           \
    {                                                                                              \
        if (fault_strikes(#name, FAULT_CALL, CALLER)) {                                            \
            errno = (error);                                                                       \
            return (type)-1;                                                                       \
        }                                                                                          \
        return NEXT(name) arguments;                                                               \
    }

/* A function that returns its error. */
#define CALL_POSITIVE(name, error, parameters, arguments)                                          \
    static void *name##_next;                                                                      \
    int name parameters                                                                            \
    {                                                                                              \
        return fault_strikes(#name, FAULT_CALL, CALLER) ? (error) : NEXT(name) arguments;          \
    }

/* --- files --- */

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

static void *open_next, *openat_next;

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    if (fault_strikes("open", FAULT_CALL, CALLER)) {
        errno = EMFILE;
        return -1;
    }
    return NEXT(open)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    if (fault_strikes("openat", FAULT_CALL, CALLER)) {
        errno = EMFILE;
        return -1;
    }
    return NEXT(openat)(directory, path, flags, mode);
}

/* What asks for nothing cannot fail. */
static void *fcntl_next;

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if ((command == F_SETLK || command == F_ADD_SEALS || command == F_DUPFD_CLOEXEC) &&
        fault_strikes("fcntl", FAULT_CALL, CALLER)) {
        errno = command == F_SETLK ? ENOLCK : command == F_ADD_SEALS ? EBUSY : EMFILE;
        return -1;
    }
    return NEXT(fcntl)(fd, command, argument);
}

CALL(ssize_t, pread, EIO, (int fd, void *buffer, size_t length, off_t offset),
     (fd, buffer, length, offset))
CALL(int, stat, ENOMEM, (const char *path, struct stat *ret), (path, ret))
CALL(int, lstat, ENOMEM, (const char *path, struct stat *ret), (path, ret))
CALL(int, fstat, ENOMEM, (int fd, struct stat *ret), (fd, ret))
/* Of a file: bells, timers and signals are always there to be read. */
static void *read_next;

ssize_t read(int fd, void *buffer, size_t length)
{
    struct stat st;

    if (NEXT(fstat)(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        fault_strikes("read", FAULT_CALL, CALLER)) {
        errno = EIO;
        return -1;
    }
    return NEXT(read)(fd, buffer, length);
}

CALL(int, chmod, EIO, (const char *path, mode_t mode), (path, mode))
CALL(int, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
CALL(int, rename, ENOSPC, (const char *from, const char *to), (from, to))
CALL(int, ftruncate, EIO, (int fd, off_t length), (fd, length))
CALL_POSITIVE(posix_fallocate, ENOSPC, (int fd, off_t offset, off_t length), (fd, offset, length))

/* What gives back does not fail among the calls, but by its own name. */
static void *unlink_next;

int unlink(const char *path)
{
    if (fault_strikes("unlink", FAULT_RELEASE, CALLER)) {
        errno = EIO;
        return -1;
    }
    return NEXT(unlink)(path);
}

static void *opendir_next;

DIR *opendir(const char *path)
{
    if (fault_strikes("opendir", FAULT_CALL, CALLER)) {
        errno = EMFILE;
        return NULL;
    }
    return NEXT(opendir)(path);
}

/* --- memory and segments --- */

CALL(void *, mmap, ENOMEM,
     (void *at, size_t length, int protection, int flags, int fd, off_t offset),
     (at, length, protection, flags, fd, offset))
CALL(int, madvise, ENOMEM, (void *at, size_t length, int advice), (at, length, advice))
CALL(int, memfd_create, EMFILE, (const char *name, unsigned flags), (name, flags))
CALL(int, shmget, ENOSPC, (key_t key, size_t size, int flags), (key, size, flags))
CALL(void *, shmat, ENOMEM, (int id, const void *at, int flags), (id, at, flags))

static void *shmctl_next;

int shmctl(int id, int command, struct shmid_ds *ds)
{
    bool fails = command == IPC_RMID ? fault_strikes("shmctl_remove", FAULT_RELEASE, CALLER)
                                     : fault_strikes("shmctl", FAULT_CALL, CALLER);

    if (fails) {
        errno = command == SHM_LOCK ? ENOMEM : command == IPC_STAT ? EACCES : EPERM;
        return -1;
    }
    return NEXT(shmctl)(id, command, ds);
}

/* --- events --- */

CALL(int, epoll_create1, EMFILE, (int flags), (flags))

static void *epoll_ctl_next;

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation != EPOLL_CTL_DEL && fault_strikes("epoll_ctl", FAULT_CALL, CALLER)) {
        errno = operation == EPOLL_CTL_ADD ? ENOSPC : ENOMEM;
        return -1;
    }
    return NEXT(epoll_ctl)(epoll, operation, fd, event);
}

static void *epoll_wait_next;

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    fault_waits();
    return NEXT(epoll_wait)(epoll, events, max, timeout);
}

CALL(int, eventfd, EMFILE, (unsigned count, int flags), (count, flags))
CALL(int, pipe2, EMFILE, (int ends[2], int flags), (ends, flags))
CALL(int, signalfd, EMFILE, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(int, timerfd_create, EMFILE, (clockid_t clock, int flags), (clock, flags))
CALL(int, timerfd_settime, ENOMEM,
     (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
     (fd, flags, value, old))
CALL_POSITIVE(pthread_create, EAGAIN,
              (pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
               void *(*run)(void *), void *restrict argument),
              (thread, attributes, run, argument))

/* --- sockets --- */

CALL(int, socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
CALL(int, bind, ENOMEM, (int fd, __CONST_SOCKADDR_ARG address, socklen_t length),
     (fd, address, length))
CALL(int, socketpair, EMFILE, (int domain, int type, int protocol, int pair[2]),
     (domain, type, protocol, pair))
CALL(int, connect, ENOMEM, (int fd, __CONST_SOCKADDR_ARG address, socklen_t length),
     (fd, address, length))
CALL(int, listen, ENOMEM, (int fd, int backlog), (fd, backlog))
CALL(int, accept4, EMFILE, (int fd, __SOCKADDR_ARG address, socklen_t *restrict length, int flags),
     (fd, address, length, flags))
CALL(int, getsockopt, ENOBUFS,
     (int fd, int level, int option, void *restrict value, socklen_t *restrict length),
     (fd, level, option, value, length))
CALL(ssize_t, send, ENOBUFS, (int fd, const void *bytes, size_t length, int flags),
     (fd, bytes, length, flags))
CALL(ssize_t, sendmsg, ENOBUFS, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
CALL(int, sendmmsg, ENOBUFS, (int fd, struct mmsghdr *messages, unsigned count, int flags),
     (fd, messages, count, flags))
CALL(ssize_t, recv, ENOMEM, (int fd, void *buffer, size_t length, int flags),
     (fd, buffer, length, flags))
CALL(ssize_t, recvmsg, ENOMEM, (int fd, struct msghdr *message, int flags), (fd, message, flags))

/* --- time --- */

/* A start that fails rests before it ends: not here. */
unsigned sleep(unsigned seconds)
{
    (void)seconds;
    return 0;
}

/* The other names that libraries know these functions by. */
#define ALIAS(name, other) extern __typeof__(name) other __attribute__((alias(#name)))
ALIAS(open, open64);
ALIAS(open, __open_2);
ALIAS(open, __open64_2);
ALIAS(openat, openat64);
ALIAS(openat, __openat64_2);
ALIAS(fcntl, fcntl64);
ALIAS(pread, pread64);
ALIAS(mmap, mmap64);
ALIAS(ftruncate, ftruncate64);
ALIAS(posix_fallocate, posix_fallocate64);
int stat64(const char *path, struct stat64 *ret) __attribute__((alias("stat")));
int lstat64(const char *path, struct stat64 *ret) __attribute__((alias("lstat")));
int fstat64(int fd, struct stat64 *ret) __attribute__((alias("fstat")));
