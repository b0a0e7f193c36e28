/* SPDX-License-Identifier: MIT */
#include "lib/connection.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ANSWER_SECONDS 5

int connection_open(const struct shmd_options *options, int *ret)
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval bound = {.tv_sec = ANSWER_SECONDS};
    int length =
        options && options->socket
            ? snprintf(address.sun_path, sizeof(address.sun_path), "%s", options->socket)
            : snprintf(address.sun_path, sizeof(address.sun_path), "%s/shmd/%s.sock", RUNSTATEDIR,
                       options && options->instance ? options->instance : "shmd");

    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        return -EINVAL;
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof(bound)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return errno == EAGAIN || errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    }
    *ret = fd;
    fd = -1;
    return 0;
}

static int send_message(int socket, const void *message, size_t length)
{
    /* Refused before it was asked: the answer is there already. */
    if (send(socket, message, length, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) {
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    }
    return 0;
}

int connection_close(int fd)
{
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR); /* a child that was forked may have it, too */
    }
    return fd_close(fd);
}

static void close_all(int fds[MESSAGE_WELCOME_FDS])
{
    for (size_t i = 0; i < MESSAGE_WELCOME_FDS; i++) {
        fds[i] = fd_close(fds[i]);
    }
}

/*
 * Receives one message, and its descriptors; those of ret_fds that did not come are -1. -EMFILE:
 * there was none free for one of them.
 */
static ssize_t receive(int socket, void *buffer, size_t size, int ret_fds[MESSAGE_WELCOME_FDS])
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
    ssize_t length;

    for (size_t i = 0; i < MESSAGE_WELCOME_FDS; i++) {
        ret_fds[i] = -1;
    }
    length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0 && errno == ECONNRESET) {
        length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC); /* it said why before it hung up */
    }
    if (length < 0) {
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            memcpy(ret_fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
        }
    }
    /* The kernel drops what it has no number for, and says no more than that. */
    if ((message.msg_flags & MSG_CTRUNC) && ret_fds[MESSAGE_WELCOME_FDS - 1] < 0) {
        close_all(ret_fds);
        return -EMFILE;
    }
    return length;
}

/* What an answer that is not the wanted one means. */
static int refusal(const void *answer, size_t length)
{
    const struct message_refused *refused = answer;

    if (length == 0) {
        return -ECONNRESET; /* the daemon went away while it was asked */
    }
    if (!message_is(answer, length, MESSAGE_REFUSED, sizeof(*refused)) || refused->error >= 0) {
        return -EPROTO;
    }
    /* It has none free; what this process has is another matter. */
    return refused->error == -EMFILE ? -EUSERS : refused->error;
}

int connection_hello(int socket, const struct message_hello *hello, struct message_welcome *ret,
                     int ret_fds[MESSAGE_WELCOME_FDS])
{
    union {
        struct message_welcome welcome;
        struct message_refused refused;
    } answer;
    /* A publisher gets its queue, too. */
    int last = hello->role == MESSAGE_PUBLISHER ? 3 : 2;
    ssize_t length;
    int r = send_message(socket, hello, sizeof(*hello));

    if (r < 0) {
        return r;
    }
    length = receive(socket, &answer, sizeof(answer), ret_fds);
    if (length < 0) {
        return (int)length;
    }
    r = 0;
    if (!message_is(&answer, (size_t)length, MESSAGE_WELCOME, sizeof(answer.welcome))) {
        r = refusal(&answer, (size_t)length);
    } else if (ret_fds[last] < 0) {
        r = -EPROTO;
    }
    if (r < 0) {
        close_all(ret_fds);
        return r;
    }
    *ret = answer.welcome;
    return 0;
}

int shmd_status(const struct shmd_options *options, char **ret)
{
    CLEANUP(connection_close_cleanup) int socket = -1;
    CLEANUP(free_cleanup) char *answer = malloc(MESSAGE_REPORT_MAX + sizeof(struct message) + 1);
    struct message question = message_head(MESSAGE_STATUS, sizeof(question));
    int fds[MESSAGE_WELCOME_FDS];
    ssize_t length;
    int r;

    *ret = NULL;
    if (!answer) {
        return -ENOMEM;
    }
    r = connection_open(options, &socket);
    if (r == 0) {
        r = send_message(socket, &question, sizeof(question));
    }
    if (r < 0) {
        return r;
    }
    length = receive(socket, answer, MESSAGE_REPORT_MAX + sizeof(struct message), fds);
    if (length < 0) {
        return (int)length;
    }
    close_all(fds); /* nothing of ours sends any */
    if (!message_is(answer, (size_t)length, MESSAGE_REPORT, (size_t)length)) {
        return refusal(answer, (size_t)length);
    }
    memmove(answer, answer + sizeof(question), (size_t)length - sizeof(question));
    answer[(size_t)length - sizeof(question)] = '\0';
    *ret = take(answer);
    return 0;
}
