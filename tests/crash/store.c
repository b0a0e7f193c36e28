/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define FDS_MAX     253 /* as many as one message may carry */

int store_open(struct store *store, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int yes = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    (void)unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0) {
        return -errno;
    }
    store->notify_fd = fd;
    return 0;
}

static bool is_same(int a, int b)
{
    pid_t pid = getpid();

    return syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b) == 0;
}

static void store_add(struct store *store, int fd, const char *name, bool polled)
{
    struct kept *kept = &store->kept[store->count];

    for (size_t i = 0; i < store->count; i++) {
        if (is_same(store->kept[i].fd, fd)) {
            (void)close(fd);
            return;
        }
    }
    if (store->off || store->count == STORE_MAX) {
        (void)close(fd);
        return;
    }
    *kept = (struct kept){.fd = fd, .polled = polled};
    (void)snprintf(kept->name, sizeof(kept->name), "%s", name);
    store->count++;
}

static void store_drop(struct store *store, size_t i)
{
    (void)close(store->kept[i].fd);
    store->kept[i] = store->kept[--store->count];
}

static void store_remove(struct store *store, const char *name)
{
    for (size_t i = store->count; i-- > 0;) {
        if (strcmp(store->kept[i].name, name) == 0) {
            store_drop(store, i);
        }
    }
}

/* What one message says. */
struct notice {
    bool ready, stores, removes, polled;
    char name[STORE_NAME_MAX];
};

static struct notice parse(char *text)
{
    struct notice notice = {.polled = true, .name = "stored"};
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "READY=1") == 0) {
            notice.ready = true;
        } else if (strcmp(line, "FDSTORE=1") == 0) {
            notice.stores = true;
        } else if (strcmp(line, "FDSTOREREMOVE=1") == 0) {
            notice.removes = true;
        } else if (strcmp(line, "FDPOLL=0") == 0) {
            notice.polled = false;
        } else if (strncmp(line, "FDNAME=", 7) == 0) {
            (void)snprintf(notice.name, sizeof(notice.name), "%s", line + 7);
        }
    }
    return notice;
}

/* The descriptors that came with a message, and who sent it. */
static size_t attached(struct msghdr *message, int fds[FDS_MAX], pid_t *ret_pid)
{
    size_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(c), count * sizeof(int));
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred peer;

            memcpy(&peer, CMSG_DATA(c), sizeof(peer));
            *ret_pid = peer.pid;
        }
    }
    return count;
}

bool store_receive(struct store *store, pid_t pid)
{
    bool ready = false;

    for (;;) {
        char text[MESSAGE_MAX + 1];
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof(int) * FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec iov = {.iov_base = text, .iov_len = MESSAGE_MAX};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        ssize_t length = recvmsg(store->notify_fd, &message, MSG_CMSG_CLOEXEC);
        int fds[FDS_MAX];
        pid_t sender = 0;
        struct notice notice;
        size_t count;

        if (length < 0) {
            return ready;
        }
        text[length] = '\0';
        count = attached(&message, fds, &sender);
        notice = parse(text);
        if (sender == pid && notice.removes) {
            store_remove(store, notice.name);
        }
        for (size_t i = 0; i < count; i++) {
            if (sender == pid && notice.stores) {
                store_add(store, fds[i], notice.name, notice.polled);
            } else {
                (void)close(fds[i]);
            }
        }
        ready |= sender == pid && notice.ready;
    }
}

void store_drop_hung_up(struct store *store)
{
    for (size_t i = store->count; i-- > 0;) {
        struct pollfd look = {.fd = store->kept[i].fd};

        if (store->kept[i].polled && poll(&look, 1, 0) > 0 && look.revents & (POLLHUP | POLLERR)) {
            store_drop(store, i);
        }
    }
}

void store_shuffle(struct store *store, struct plan *plan)
{
    for (size_t i = store->count; i > 1; i--) {
        size_t j = plan_below(plan, i);
        struct kept kept = store->kept[i - 1];

        store->kept[i - 1] = store->kept[j];
        store->kept[j] = kept;
    }
}
