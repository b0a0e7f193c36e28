/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int file_read(const char *path, size_t max, char **ret, size_t *ret_length)
{
    CLEANUP(fd_close_cleanup) int fd = -1;
    CLEANUP(free_cleanup) char *text = NULL;
    struct stat st;
    size_t length = 0;

    /* O_NONBLOCK: opening a FIFO without a writer must not wait for one. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return S_ISDIR(st.st_mode) ? -EISDIR : -ENXIO;
    }
    text = malloc(max + 2);
    if (!text) {
        return -ENOMEM;
    }
    /* The file may grow while it is read: what counts is what was read. */
    while (length <= max) {
        ssize_t n = read(fd, text + length, max + 1 - length);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        length += (size_t)n;
    }
    if (length > max) {
        return -EFBIG;
    }
    text[length] = '\0';
    *ret = take(text);
    *ret_length = length;
    return 0;
}
