/* SPDX-License-Identifier: MIT
 *
 * A client that says to a daemon's socket, and writes into its page, whatever a test wants. It
 * never waits: the daemon is in the same thread, and its turn is between two calls.
 */
#pragma once

#include "private.h"
#include "proto/message.h"
#include "proto/page.h"
#include "proto/queue.h"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

struct peer {
    int socket;
    int fds[MESSAGE_WELCOME_FDS]; /* page, own bell, the daemon's bell */
    struct message_welcome welcome;
    struct page *page;
    uint64_t lost; /* what it says it has lost */
    void *queue;   /* a publisher's, with who writes there */
    struct ring_writer writer;
};

#define PEER_NONE ((struct peer){.socket = -1, .fds = {-1, -1, -1, -1}})

/* Lets the loop do all that it has to do now. */
static inline void run_loop(sd_event *event)
{
    while (sd_event_run(event, 0) > 0) {
    }
}

static inline bool peer_connect(struct peer *peer, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *peer = PEER_NONE;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    peer->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return connect(peer->socket, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* As another user with these groups, for which we must be root. */
static inline bool peer_connect_as(struct peer *peer, const char *path, uid_t uid, gid_t gid,
                                   const gid_t *groups, size_t count)
{
    bool connected = false;

    if (setgroups(count, groups) == 0 && setegid(gid) == 0 && seteuid(uid) == 0) {
        connected = peer_connect(peer, path);
    }
    return seteuid(0) == 0 && setegid(0) == 0 && setgroups(0, NULL) == 0 && connected;
}

static inline bool peer_say(const struct peer *peer, const void *bytes, size_t length)
{
    return send(peer->socket, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* What was said to us: its length, 0 at the end, negative errno. */
static inline ssize_t peer_hear(struct peer *peer, void *buffer, size_t size)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_WELCOME_FDS)];
    } control;
    struct iovec iov = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t length = recvmsg(peer->socket, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (header && header->cmsg_type == SCM_RIGHTS) {
        memcpy(peer->fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    }
    return length < 0 ? -errno : length;
}

/* Has the daemon hung up? What it said before is thrown away. */
static inline bool peer_is_dropped(struct peer *peer)
{
    char buffer[1024];
    ssize_t length;

    while ((length = peer_hear(peer, buffer, sizeof(buffer))) > 0) {
    }
    return length == 0 || length == -ECONNRESET;
}

static inline struct message_hello peer_hello(enum message_start start)
{
    return (struct message_hello){
        .head = message_head(MESSAGE_HELLO, sizeof(struct message_hello)),
        .role = MESSAGE_SUBSCRIBER,
        .start = start,
        .name = "peer",
    };
}

/* Takes the WELCOME, if one has come. Otherwise the negative error that it was refused with. */
static inline int peer_welcomed(struct peer *peer)
{
    union {
        struct message_welcome welcome;
        struct message_refused refused;
    } answer;
    ssize_t length = peer_hear(peer, &answer, sizeof(answer));

    if (length < 0) {
        return (int)length;
    }
    if (message_is(&answer, (size_t)length, MESSAGE_REFUSED, sizeof(answer.refused))) {
        return answer.refused.error;
    }
    if (!message_is(&answer, (size_t)length, MESSAGE_WELCOME, sizeof(answer.welcome))) {
        return -EPROTO;
    }
    peer->welcome = answer.welcome;
    peer->page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, peer->fds[0], 0);
    return peer->page == MAP_FAILED ? -errno : 0;
}

static inline int peer_subscribe(struct peer *peer, sd_event *event,
                                 const struct message_hello *hello)
{
    (void)peer_say(peer, hello, sizeof(*hello)); /* or it was refused before it said anything */
    run_loop(event);
    return peer_welcomed(peer);
}

static inline void peer_acknowledge(const struct peer *peer, uint64_t number)
{
    page_acknowledge(peer->page, number, peer->lost);
}

/* Has the daemon rung its bell? */
static inline bool peer_is_rung(const struct peer *peer)
{
    struct pollfd bell = {.fd = peer->fds[1], .events = POLLIN};

    return poll(&bell, 1, 0) == 1; /* or it has hung up, which wakes, too */
}

/* Rings the daemon's. */
static inline bool peer_ring(const struct peer *peer)
{
    return write(peer->fds[2], "", 1) == 1;
}

static inline void peer_leave(struct peer *peer)
{
    if (peer->queue) {
        (void)munmap(peer->queue, peer->welcome.segment_size);
    }
    if (peer->page) {
        (void)munmap(peer->page, PAGE_SIZE);
    }
    for (size_t i = 0; i < MESSAGE_WELCOME_FDS; i++) {
        (void)fd_close(peer->fds[i]);
    }
    (void)fd_close(peer->socket);
    *peer = PEER_NONE;
}
