/* SPDX-License-Identifier: MIT */
#include "base/sealed.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static int map(int fd, size_t size, void **ret)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED) {
        return -errno;
    }
    *ret = memory;
    return 0;
}

int sealed_new(const char *name, size_t size, int *ret_fd, void **ret)
{
    CLEANUP(fd_close_cleanup) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_SEAL) < 0) {
        return -errno;
    }
    r = map(fd, size, ret);
    if (r < 0) {
        return r;
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int sealed_map(int fd, size_t size, void **ret)
{
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS || sealed_size(fd) != size) {
        return -EINVAL;
    }
    return map(fd, size, ret);
}

size_t sealed_size(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
}
