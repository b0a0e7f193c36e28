/* SPDX-License-Identifier: MIT */
#include "base/passing.h"

#include <errno.h>
#include <string.h>

int passing_send(int socket, struct msghdr message, const int *fds, size_t count, int flags)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * PASSING_MAX)];
    } control = {0};

    if (count > PASSING_MAX) {
        return -EINVAL;
    }
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
