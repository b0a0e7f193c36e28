/* SPDX-License-Identifier: MIT */
#include "daemon/listener.h"
#include "base/shortage.h"
#include "daemon/fdstore.h"
#include "daemon/manager.h"
#include "daemon/report.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0: its name leads to it; -EEXIST: to something else; else it leads nowhere, or nobody can tell.
 */
static int look(const struct listener *listener)
{
    struct stat st;

    if (lstat(listener->path, &st) < 0) {
        return -errno;
    }
    return listener->inode == 0 || (st.st_dev == listener->device && st.st_ino == listener->inode)
               ? 0
               : -EEXIST;
}

/* Notes what its name leads to now. */
static void identify(struct listener *listener, int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t length = sizeof(address);
    struct stat st = {0};

    *listener->path = '\0';
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        length <= offsetof(struct sockaddr_un, sun_path)) {
        return;
    }
    (void)snprintf(listener->path, sizeof(listener->path), "%.*s",
                   (int)(length - offsetof(struct sockaddr_un, sun_path)), address.sun_path);
    (void)lstat(listener->path, &st);
    listener->device = st.st_dev;
    listener->inode = st.st_ino;
}

static int bind_own(struct manager *manager, int *ret)
{
    int r = listen_open(manager->socket_path, ret);

    if (r == 0) {
        manager->listener.bound = true;
        manager->listener.kept = fdstore_keep_listener(manager->notifier, *ret);
        identify(&manager->listener, *ret);
    }
    return r;
}

int listener_open(struct manager *manager, struct inherited *inherited, int *ret)
{
    struct listener *listener = &manager->listener;
    int r;

    *ret = inherited_take_listener(inherited, &listener->bound);
    listener->kept = listener->bound;
    if (listener->bound && access(manager->socket_path, F_OK) < 0) {
        fdstore_forget_listener(manager->notifier); /* nobody finds it any more */
        listener->bound = listener->kept = false;
        *ret = fd_close(*ret);
    }
    if (*ret >= 0) {
        identify(listener, *ret);
        return 0;
    }
    r = bind_own(manager, ret);
    listener->made = r == 0;
    if (r == -EADDRINUSE) {
        report_socket_taken(manager);
        r = 0;
    }
    return r;
}

/* Who has connected has a session; who is about to, finds the new one. */
static int make_anew(struct manager *manager)
{
    int fd;
    int r;

    if (manager->listener.kept) {
        fdstore_forget_listener(manager->notifier);
    }
    r = bind_own(manager, &fd);
    if (r == 0) {
        r = sessions_listen(manager->sessions, fd);
        if (r < 0) {
            (void)unlink(manager->listener.path); /* it is tried again */
        }
    }
    return r;
}

void listener_check(struct manager *manager)
{
    struct listener *listener = &manager->listener;
    int r = *listener->path ? look(listener) : 0;

    if (r == 0 || is_shortage(r)) {
        return;
    }
    r = listener->bound ? make_anew(manager) : -ENOENT;
    if (r == 0 || !listener->lost) {
        report_socket_lost(manager, r);
    }
    listener->lost = r < 0;
}

bool listener_ends(const struct manager *manager)
{
    const struct listener *listener = &manager->listener;
    bool stops = manager->started ? !manager->leave : listener->made;

    return listener->bound && (stops || !listener->kept);
}

void listener_remove(const struct manager *manager)
{
    const struct listener *listener = &manager->listener;

    if (listener_ends(manager) && look(listener) != -EEXIST) {
        (void)unlink(listener->path);
    }
}
