/* SPDX-License-Identifier: MIT */
#include "daemon/fdstore.h"
#include "proto/page.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#define SESSION_NAME      "session-%" PRIu32
#define SESSION_NAME_SIZE sizeof("session-4294967295")
#define LISTENER_NAME     "listener"

struct inherited {
    int count;
    char **names; /* freed one by one as they are taken; NULL: taken */
};

bool fdstore_keep_listener(struct notifier *notifier, int fd)
{
    return notifier && notifier_keep(notifier, LISTENER_NAME, &fd, 1);
}

void fdstore_forget_listener(struct notifier *notifier)
{
    notifier_forget(notifier, LISTENER_NAME);
}

bool fdstore_keep(struct notifier *notifier, uint32_t session, const int fds[KEPT_FDS])
{
    char name[SESSION_NAME_SIZE];
    int there[KEPT_FDS];
    size_t count = 0;

    _Static_assert(KEPT_FDS <= NOTIFIER_FDS_MAX, "in one message");

    for (size_t i = 0; i < KEPT_FDS; i++) {
        if (fds[i] >= 0) {
            there[count++] = fds[i];
        }
    }
    (void)snprintf(name, sizeof(name), SESSION_NAME, session);
    return notifier_keep(notifier, name, there, count);
}

void fdstore_forget(struct notifier *notifier, uint32_t session)
{
    char name[SESSION_NAME_SIZE];

    (void)snprintf(name, sizeof(name), SESSION_NAME, session);
    notifier_forget(notifier, name);
}

int inherited_new(struct inherited **ret)
{
    struct inherited *inherited = calloc(1, sizeof(*inherited));
    int r;

    if (!inherited) {
        return -ENOMEM;
    }
    r = sd_listen_fds_with_names(true, &inherited->names);
    if (r < 0) {
        free(inherited);
        return r;
    }
    inherited->count = r;
    *ret = inherited;
    return 0;
}

/* The i-th one is the caller's now. */
static int hand_out(struct inherited *inherited, int i)
{
    free(inherited->names[i]);
    inherited->names[i] = NULL;
    return SD_LISTEN_FDS_START + i;
}

int inherited_take_listener(struct inherited *inherited, bool *ret_own)
{
    int found = -1;
    bool own = true;

    for (int i = 0; i < inherited->count && own; i++) {
        if (inherited->names[i] &&
            sd_is_socket_unix(SD_LISTEN_FDS_START + i, SOCK_SEQPACKET, 1, NULL, 0) > 0) {
            own = strcmp(inherited->names[i], LISTENER_NAME) == 0;
            found = i;
        }
    }
    if (found < 0) {
        return -1;
    }
    *ret_own = own;
    return hand_out(inherited, found);
}

static enum kept kind_of(int fd)
{
    int type = 0;
    socklen_t length = sizeof(type);
    struct stat st = {0};

    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
    (void)fstat(fd, &st);
    switch (type) {
    case SOCK_SEQPACKET:
        return KEPT_SOCKET;
    case SOCK_DGRAM:
        return KEPT_DOORBELL;
    case SOCK_STREAM:
        return KEPT_CLIENT_DOORBELL;
    default:
        return st.st_size == PAGE_SIZE ? KEPT_PAGE : KEPT_QUEUE;
    }
}

bool inherited_take_session(struct inherited *inherited, uint32_t session, int ret_fds[KEPT_FDS])
{
    char name[SESSION_NAME_SIZE];
    bool any = false;

    (void)snprintf(name, sizeof(name), SESSION_NAME, session);
    for (size_t i = 0; i < KEPT_FDS; i++) {
        ret_fds[i] = -1;
    }
    for (int i = 0; i < inherited->count; i++) {
        if (inherited->names[i] && strcmp(inherited->names[i], name) == 0) {
            int fd = hand_out(inherited, i);
            enum kept kind = kind_of(fd);

            (void)fd_close(ret_fds[kind]);
            ret_fds[kind] = fd;
            any = true;
        }
    }
    return any;
}

int inherited_take_connection(struct inherited *inherited)
{
    for (int i = 0; i < inherited->count; i++) {
        if (inherited->names[i] &&
            sd_is_socket(SD_LISTEN_FDS_START + i, AF_UNIX, SOCK_SEQPACKET, 0) > 0) {
            return hand_out(inherited, i);
        }
    }
    return -1;
}

void inherited_forget(const struct inherited *inherited, struct notifier *notifier)
{
    for (int i = 0; i < inherited->count; i++) {
        if (inherited->names[i]) {
            notifier_forget(notifier, inherited->names[i]);
        }
    }
}

struct inherited *inherited_free(struct inherited *inherited)
{
    for (int i = 0; inherited && i < inherited->count; i++) {
        if (inherited->names[i]) {
            (void)fd_close(hand_out(inherited, i));
        }
    }
    if (inherited) {
        free(inherited->names);
    }
    free(inherited);
    return NULL;
}
