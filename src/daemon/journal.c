/* SPDX-License-Identifier: MIT */
#include "daemon/journal.h"
#include "base/cleanup.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELD_PARTS    5 /* at most */

static struct iovec part(const void *bytes, size_t length)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
}

/* "NAME=value\n"; or, if there is a newline in it, "NAME\n", the value's length, value, "\n". */
static size_t write_field(const struct iovec *field, uint64_t *length, struct iovec *parts)
{
    const char *name = field->iov_base;
    const char *value = memchr(name, '=', field->iov_len);
    size_t name_length = value ? (size_t)(value - name) : field->iov_len;
    size_t count = 0;

    if (!value || !memchr(value, '\n', field->iov_len - name_length)) {
        parts[count++] = *field;
    } else {
        size_t value_length = field->iov_len - name_length - 1;

        *length = htole64(value_length);
        parts[count++] = part(name, name_length);
        parts[count++] = part("\n", 1);
        parts[count++] = part(length, sizeof(*length));
        parts[count++] = part(value + 1, value_length);
    }
    parts[count++] = part("\n", 1);
    return count;
}

int journal_send(const struct iovec *fields, size_t count, struct mmsghdr *note)
{
    CLEANUP(fd_close_cleanup) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    struct iovec parts[JOURNAL_FIELDS_MAX * FIELD_PARTS];
    uint64_t lengths[JOURNAL_FIELDS_MAX];
    size_t used = 0;

    if (fd < 0) {
        return -errno;
    }
    if (count > JOURNAL_FIELDS_MAX) {
        return -E2BIG;
    }
    for (size_t i = 0; i < count; i++) {
        used += write_field(&fields[i], &lengths[i], parts + used);
    }
    *note = (struct mmsghdr){.msg_hdr = {
                                 .msg_name = &address,
                                 .msg_namelen = sizeof(address),
                                 .msg_iov = parts,
                                 .msg_iovlen = used,
                             }};
    return sendmmsg(fd, note, 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
