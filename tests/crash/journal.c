/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ENTRY_MAX   (256 * 1024)
#define AT_ONCE     512
#define BUFFER_SIZE (8 << 20)

/* Of an entry, what is of interest, in the order of the line. */
static const char *const names[] = {
    "SHMD_ACK_SEQ",      "SHMD_EPOCH",       "SHMD_SESSION", "SHMD_CLIENT_UID", "SHMD_CLIENT_PID",
    "SHMD_RECORD_FIRST", "SHMD_RECORD_LAST", "SHMD_RECORDS", "SHMD_LOST",       "SHMD_SHMID",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

struct part {
    const char *data;
    size_t length;
};

static bool equals(struct part part, const char *text)
{
    return part.length == strlen(text) && memcmp(part.data, text, part.length) == 0;
}

/* The next field of an entry; false: it is not one. */
static bool take_field(const char **at, const char *end, struct part *name, struct part *value)
{
    const char *line = memchr(*at, '\n', (size_t)(end - *at));
    const char *equal;
    uint64_t length;

    if (!line) {
        return false;
    }
    equal = memchr(*at, '=', (size_t)(line - *at));
    if (equal) {
        *name = (struct part){*at, (size_t)(equal - *at)};
        *value = (struct part){equal + 1, (size_t)(line - equal - 1)};
        *at = line + 1;
        return true;
    }
    *name = (struct part){*at, (size_t)(line - *at)};
    if ((size_t)(end - line - 1) < sizeof(length)) {
        return false;
    }
    memcpy(&length, line + 1, sizeof(length));
    length = le64toh(length);
    line += 1 + sizeof(length);
    if ((size_t)(end - line) <= length || line[length] != '\n') {
        return false;
    }
    *value = (struct part){line, length};
    *at = line + length + 1;
    return true;
}

static void take_entry(struct journal *journal, const char *data, size_t length)
{
    struct part found[NAMES] = {{0}};
    struct part message = {"", 0}, event = {"", 0};
    const char *at = data, *end = data + length;

    journal->entries++;
    while (at < end) {
        struct part name, value;

        if (!take_field(&at, end, &name, &value)) {
            journal->malformed++;
            return;
        }
        for (size_t i = 0; i < NAMES; i++) {
            if (equals(name, names[i])) {
                found[i] = value;
            }
        }
        if (equals(name, "MESSAGE")) {
            message = value;
        }
        if (equals(name, "SHMD_EVENT")) {
            event = value;
        }
    }
    if (!found[0].data) {
        (void)fprintf(journal->others, "%.*s: %.*s\n", (int)event.length, event.data,
                      (int)message.length, message.data);
        return;
    }
    for (size_t i = 0; i < NAMES; i++) {
        (void)fprintf(journal->acknowledgements, "%.*s%c", found[i].data ? (int)found[i].length : 1,
                      found[i].data ? found[i].data : "-", i + 1 < NAMES ? ' ' : '\n');
    }
}

/* An entry that is too large for a datagram comes in a file of its own. */
static void take_file(struct journal *journal, int fd)
{
    struct stat st;
    void *data;

    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) {
            take_entry(journal, data, (size_t)st.st_size);
            (void)munmap(data, (size_t)st.st_size);
        }
    }
    (void)close(fd);
}

bool journal_receive(struct journal *journal)
{
    static char buffer[ENTRY_MAX];

    for (int i = 0; i < AT_ONCE; i++) {
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = {.iov_base = buffer, .iov_len = sizeof(buffer)};
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        ssize_t length = recvmsg(journal->fd, &message, MSG_CMSG_CLOEXEC);
        struct cmsghdr *c;

        if (length < 0) {
            return false;
        }
        c = CMSG_FIRSTHDR(&message);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            int fd;

            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
            take_file(journal, fd);
        } else if (length > 0) {
            take_entry(journal, buffer, (size_t)length);
        }
    }
    return true;
}

int journal_open(struct journal *journal, const char *path, const char *acknowledgements,
                 const char *others)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = BUFFER_SIZE;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    journal->acknowledgements = fopen(acknowledgements, "we");
    journal->others = fopen(others, "we");
    if (!journal->acknowledgements || !journal->others) {
        return -errno;
    }
    setlinebuf(journal->others);
    journal->fd = fd;
    return 0;
}
