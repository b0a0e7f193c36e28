/* SPDX-License-Identifier: MIT
 *
 * systemd's file-descriptor store, played by the test: what a service has kept there, it gets back
 * with its next start. Both are in this process.
 *
 * Descriptors are passed from number 3 on: store_reserve() keeps these numbers for that, and has to
 * come before anything else is opened, and again when they were closed. A group of tests is set up
 * by store_set_up(), and torn down by store_tear_down().
 */
#pragma once

#include "base/clock.h"
#include "daemon/notifier.h"
#include "private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define STORE_MAX      32 /* descriptors */
#define STORE_FIRST    3
#define STORE_FDS_MAX  8 /* in one message */
#define STORE_NAME_MAX 64

struct store {
    int socket; /* $NOTIFY_SOCKET */
    char path[100];
    size_t count;
    struct {
        int fd;
        bool polled; /* until its other end hangs up */
        char name[STORE_NAME_MAX];
    } kept[STORE_MAX];
};

static inline void store_reserve(void)
{
    for (int fd = STORE_FIRST; fd < STORE_FIRST + STORE_MAX; fd++) {
        int null = fcntl(fd, F_GETFD) < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fd;

        if (null >= 0 && null != fd) {
            (void)dup3(null, fd, O_CLOEXEC);
            (void)close(null);
        }
    }
}

static inline int store_set_up(void **state)
{
    (void)state;
    store_reserve();
    return 0;
}

static inline int store_tear_down(void **state)
{
    (void)state;
    return close_range(STORE_FIRST, STORE_FIRST + STORE_MAX - 1, 0);
}

/* Its socket is in this directory. */
static inline bool store_open(struct store *store, const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *store = (struct store){.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    (void)snprintf(store->path, sizeof(store->path), "%s/notify", directory);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
    return bind(store->socket, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           setenv("NOTIFY_SOCKET", store->path, 1) == 0;
}

static inline void store_drop(struct store *store, size_t i)
{
    (void)close(store->kept[i].fd);
    store->kept[i] = store->kept[--store->count];
}

/* Until it works, there is no room for one more message. False: that cannot be done. */
static inline bool store_fill(const struct store *store)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    (void)strcpy(address.sun_path, store->path);
    while (sendto(fd, "X=1", 3, 0, (struct sockaddr *)&address, sizeof(address)) == 3) {
    }
    error = errno;
    (void)close(fd);
    return error == EAGAIN;
}

/* Does what one message asks for. */
static inline void store_obey(struct store *store, char *text, const int *fds, size_t count)
{
    const char *name = strstr(text, "FDNAME=");
    char wanted[STORE_NAME_MAX] = "stored";

    if (name) {
        name += strlen("FDNAME=");
        (void)snprintf(wanted, sizeof(wanted), "%.*s", (int)strcspn(name, "\n"), name);
    }
    for (size_t i = store->count; strstr(text, "FDSTOREREMOVE=1") && i > 0; i--) {
        if (strcmp(store->kept[i - 1].name, wanted) == 0) {
            store_drop(store, i - 1);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, "FDSTORE=1") && store->count < STORE_MAX) {
            store->kept[store->count].fd = fds[i];
            store->kept[store->count].polled = !strstr(text, "FDPOLL=0");
            (void)strcpy(store->kept[store->count++].name, wanted);
        } else {
            (void)close(fds[i]);
        }
    }
}

/* Does what the service has asked for so far, and drops what has hung up, as systemd does. */
static inline void store_work(struct store *store)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * STORE_FDS_MAX)];
    } control;
    char text[1024];
    ssize_t length;

    do {
        struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        int fds[STORE_FDS_MAX];
        size_t count = 0;

        length = recvmsg(store->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        for (struct cmsghdr *header = length < 0 ? NULL : CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_type == SCM_RIGHTS) {
                count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(header), count * sizeof(int));
            }
        }
        if (length >= 0) {
            text[length] = '\0';
            store_obey(store, text, fds, count);
        }
    } while (length >= 0);
    for (size_t i = store->count; i > 0; i--) {
        struct pollfd kept = {.fd = store->kept[i - 1].fd};

        if (store->kept[i - 1].polled && poll(&kept, 1, 0) == 1 &&
            (kept.revents & (POLLHUP | POLLERR))) {
            store_drop(store, i - 1);
        }
    }
    store_reserve(); /* what a service has closed by now */
}

/* The same until nothing waits to be told any more. */
static inline void store_settle(struct store *store, struct notifier *notifier)
{
    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         notifier_waiting(notifier) > 0 && clock_usec() < end;) {
        store_work(store);
        (void)usleep(100);
    }
    store_work(store);
}

/* Passes all that is kept to the start that comes next; the store keeps it, too. */
static inline void store_pass(struct store *store)
{
    char names[STORE_MAX * (STORE_NAME_MAX + 1)] = "", number[16];

    if (store->count == 0) {
        (void)unsetenv("LISTEN_FDS");
        return;
    }
    for (size_t i = 0; i < store->count; i++) {
        (void)dup2(store->kept[i].fd, STORE_FIRST + (int)i);
        (void)strcat(i ? strcat(names, ":") : names, store->kept[i].name);
    }
    (void)snprintf(number, sizeof(number), "%zu", store->count);
    (void)setenv("LISTEN_FDS", number, 1);
    (void)setenv("LISTEN_FDNAMES", names, 1);
    (void)snprintf(number, sizeof(number), "%d", (int)getpid());
    (void)setenv("LISTEN_PID", number, 1);
}

/* Forgets everything. */
static inline void store_clear(struct store *store)
{
    while (store->count > 0) {
        store_drop(store, 0);
    }
}

static inline void store_close(struct store *store)
{
    store_clear(store);
    (void)close(store->socket);
    (void)unsetenv("NOTIFY_SOCKET");
    store_reserve();
}
