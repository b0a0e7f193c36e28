/* SPDX-License-Identifier: MIT
 *
 * Descriptors that a client sends along with its messages, and one whose last close takes time.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_SECONDS 600 /* so long that it must be seen */

static int lingering_listener = -1;

/* Whoever closes it last waits: its peer never reads. -1: there is no loopback network here. */
static inline int lingering_socket(void)
{
    static const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SECONDS};
    static const char bytes[65536];
    static const int little = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (lingering_listener < 0) {
        lingering_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)setsockopt(lingering_listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
        if (bind(lingering_listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(lingering_listener, SOMAXCONN) < 0) {
            (void)close(lingering_listener);
            lingering_listener = -1;
        }
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    if (getsockname(lingering_listener, (struct sockaddr *)&address, &length) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)close(fd);
        return -1;
    }
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Sends these bytes with that descriptor. False: errno says why not. */
static inline bool descriptor_send(int socket, const void *bytes, size_t length, int fd)
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

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)length;
}
