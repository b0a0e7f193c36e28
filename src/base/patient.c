/* SPDX-License-Identifier: MIT */
#include "base/patient.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_MSEC 200 /* a signal may have come right before we wait: looked at again so soon */

int patient_write_on(int fd, const void *bytes, size_t length, size_t *written, bool (*stop)(void))
{
    while (*written < length) {
        ssize_t n = write(fd, (const char *)bytes + *written, length - *written);

        if (n >= 0) {
            *written += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};

            (void)poll(&room, 1, LOOK_MSEC);
        } else if (errno != EINTR) {
            return -errno;
        }
        /* Also after a part: a signal that came meanwhile interrupts no further write. */
        if (*written < length && stop && stop()) {
            return -EINTR;
        }
    }
    return 0;
}

int patient_write(int fd, const void *bytes, size_t length, bool (*stop)(void))
{
    size_t written = 0;

    return patient_write_on(fd, bytes, length, &written, stop);
}

static ssize_t put(void *cookie, const char *bytes, size_t length)
{
    int r = patient_write((int)(intptr_t)cookie, bytes, length, NULL);

    if (r < 0) {
        errno = -r;
        return 0;
    }
    return (ssize_t)length;
}

static void replace(FILE **stream, int fd, int buffering)
{
    const cookie_io_functions_t functions = {.write = put};
    FILE *patient = fopencookie((void *)(intptr_t)fd, "w", functions);

    if (patient) {
        (void)setvbuf(patient, NULL, buffering, BUFSIZ);
        *stream = patient;
    }
}

void patient_streams(void)
{
    replace(&stdout, STDOUT_FILENO, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
    replace(&stderr, STDERR_FILENO, _IOLBF);
}
