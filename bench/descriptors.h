/* SPDX-License-Identifier: MIT
 *
 * For peers that are pairs of descriptors: one pair for each subscriber. Whole records are read and
 * written; acknowledgements are numbers on the way back.
 */
#pragma once

#include "bench/peer.h"

#include <fcntl.h>
#include <poll.h>

struct ends {
    int send, receive;      /* records */
    int acknowledge, heard; /* numbers */
};

static struct ends ends[SUBSCRIBERS_MAX];
static uint64_t heard_of[SUBSCRIBERS_MAX], heard_least, told;

static inline void set_blocking(int fd, bool blocks)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0) {
        fail("fcntl", errno);
    }
}

/* Reads `size` bytes; false: there is none yet. Once it has begun, it comes to an end. */
static inline bool read_whole(int fd, void *buffer, size_t size)
{
    size_t done = 0;

    do {
        ssize_t n = read(fd, (char *)buffer + done, size - done);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            fail("read", errno);
        }
        if (n == 0) {
            fail("read", EPIPE);
        }
        done += n > 0 ? (size_t)n : 0;
        if (n < 0 && done > 0) {
            relax();
        }
    } while (done > 0 && done < size);
    return done == size;
}

static inline bool write_whole(int fd, const void *buffer, size_t size)
{
    size_t done = 0;

    do {
        ssize_t n = write(fd, (const char *)buffer + done, size - done);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            fail("write", errno);
        }
        done += n > 0 ? (size_t)n : 0;
        if (n < 0 && done > 0) {
            relax();
        }
    } while (done > 0 && done < size);
    return done == size;
}

static inline void descriptors_publisher(struct exchange *x)
{
    for (unsigned i = 0; i < x->subscribers; i++) {
        bool blocks = x->sleeps && x->subscribers == 1;

        set_blocking(ends[i].send, blocks);
        set_blocking(ends[i].heard, blocks);
    }
}

static inline void descriptors_subscriber(struct exchange *x)
{
    set_blocking(ends[x->index].receive, x->sleeps);
}

/* What this subscriber has acknowledged; where reading waits, one number. */
static inline void hear(const struct exchange *x, unsigned i)
{
    uint64_t number;

    while (read_whole(ends[i].heard, &number, sizeof(number))) {
        heard_least = least_of(heard_of, x->subscribers, i, number);
        if (x->sleeps && x->subscribers == 1) {
            break;
        }
    }
}

/* While there is no room for records, there may be none for acknowledgements, either. */
static inline bool descriptors_send(struct exchange *x)
{
    record_make(x);
    for (unsigned i = 0; i < x->subscribers; i++) {
        while (!write_whole(ends[i].send, x->buffer, x->size)) {
            struct pollfd polled[] = {{.fd = ends[i].send, .events = POLLOUT},
                                      {.fd = ends[i].heard, .events = POLLIN}};

            (void)poll(polled, 2, x->sleeps ? -1 : 0);
            hear(x, i);
        }
    }
    return true;
}

static inline bool descriptors_receive(struct exchange *x)
{
    return read_whole(ends[x->index].receive, x->buffer, x->size);
}

static inline void descriptors_acknowledge(struct exchange *x, uint64_t number)
{
    while (!write_whole(ends[x->index].acknowledge, &number, sizeof(number))) {
        relax();
    }
}

static inline uint64_t descriptors_heard(struct exchange *x)
{
    struct pollfd polled[SUBSCRIBERS_MAX];

    /* Not if there was news while a record had to wait. */
    if (x->sleeps && x->subscribers > 1 && heard_least == told) {
        for (unsigned i = 0; i < x->subscribers; i++) {
            /* Only those who keep us waiting. */
            bool late = heard_of[i] == heard_least;

            polled[i] = (struct pollfd){.fd = late ? ends[i].heard : -1, .events = POLLIN};
        }
        (void)poll(polled, x->subscribers, -1);
    }
    for (unsigned i = 0; i < x->subscribers; i++) {
        hear(x, i);
    }
    told = heard_least;
    return told;
}

#define DESCRIPTORS_PEER                                                                           \
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP, .subscribers_max = SUBSCRIBERS_MAX,                 \
    .sleeps_in_crowd = true, .publisher = descriptors_publisher,                                   \
    .subscriber = descriptors_subscriber, .send = descriptors_send, .heard = descriptors_heard,    \
    .receive = descriptors_receive, .acknowledge = descriptors_acknowledge
