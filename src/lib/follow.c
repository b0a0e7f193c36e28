/* SPDX-License-Identifier: MIT */
#include "lib/follow.h"

/* How often it may be overtaken in one look. */
#define OVERTAKEN_MAX 16

int follower_start(struct follower *follower, const void *segment, size_t size)
{
    struct ring_reader reader;
    int r;

    if (size < RING_SIZE_MIN) {
        return -EAGAIN;
    }
    r = ring_attach(&reader, segment, size);
    if (r < 0) {
        return r;
    }
    *follower = (struct follower){.reader = reader};
    memcpy(follower->epoch, reader.header->epoch, sizeof(follower->epoch));
    return 0;
}

/* Is it still the ring that was opened? Asked after a look: that came before a new one began. */
static bool same_ring(const struct follower *follower)
{
    const struct ring_header *header = follower->reader.header;

    atomic_thread_fence(memory_order_acquire); /* pairs with ring_format(): its magic is first */
    return atomic_load_explicit(&header->magic, memory_order_relaxed) == RING_MAGIC &&
           memcmp(header->epoch, follower->epoch, sizeof(follower->epoch)) == 0;
}

/* Goes to the oldest record, and counts what that leaves out. -EAGAIN: there is none. */
static int seek(const struct follower *follower, struct ring_reader *reader, uint64_t *skipped)
{
    uint64_t number;

    if (atomic_load_explicit(&reader->header->tail, memory_order_relaxed) % RING_LINE != 0) {
        return -EPROTO;
    }
    number = ring_seek_oldest(reader);
    if (!same_ring(follower)) {
        return -ENOLINK;
    }
    if (number == 0) {
        return -EAGAIN;
    }
    if (number == RING_WRAP || number < follower->expected) {
        reader->number = 0; /* what comes next is not known any better */
        return -EPROTO;
    }
    *skipped += follower->expected ? number - follower->expected : 0;
    return 0;
}

/* It was overtaken: the next record is whatever is the oldest one then. */
static void lose_track(struct follower *follower)
{
    follower->expected = follower->reader.number;
    follower->reader.number = 0;
}

/* Looks for the next record. -EAGAIN: it is not there yet; -ESTALE: overtaken, look again. */
static int find(struct follower *follower, const struct ring_record **ret)
{
    struct ring_reader *reader = &follower->reader;

    if (reader->number == 0) {
        int r = seek(follower, reader, &follower->skipped);

        if (r < 0) {
            return r;
        }
        follower->expected = 0;
    }
    switch (ring_look(reader, ret)) {
    case RING_NOTHING:
        return same_ring(follower) ? -EAGAIN : -ENOLINK;
    case RING_OVERTAKEN:
        lose_track(follower);
        return -ESTALE;
    case RING_RECORD:
        break;
    }
    return 0;
}

int follower_take(struct follower *follower, char *buffer, size_t *ret_length)
{
    struct ring_reader *reader = &follower->reader;

    for (int i = 0; i < OVERTAKEN_MAX; i++) {
        const struct ring_record *record;
        size_t length;
        int r = find(follower, &record);

        if (r == -ESTALE) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        if (ring_copy(reader, record, buffer, &length) && same_ring(follower)) {
            follower->number = reader->number;
            follower->lost = follower->skipped;
            follower->skipped = 0;
            ring_advance(reader, length);
            *ret_length = length;
            return 0;
        }
        if (!ring_overtaken(reader)) {
            return same_ring(follower) ? -EPROTO : -ENOLINK;
        }
        lose_track(follower);
    }
    return -EAGAIN; /* for this time */
}

int follower_skip(struct follower *follower)
{
    struct ring_reader *reader = &follower->reader;
    int r = 0;

    /* From the oldest one on, at most as many as there is room for. */
    for (uint64_t i = 0; i < reader->capacity / RING_LINE; i++) {
        const struct ring_record *record;
        uint64_t length;

        r = find(follower, &record);
        if (r < 0 && r != -ESTALE) {
            break;
        }
        length = r == 0 ? ring_length(record) : 0;
        if (r == 0 && ring_overtaken(reader)) {
            lose_track(follower);
        } else if (r == 0) {
            ring_advance(reader, length);
        }
    }
    follower->skipped = 0;
    return r == -EAGAIN || r == -ESTALE ? 0 : r;
}

ssize_t follower_oldest_length(const struct follower *follower)
{
    struct ring_reader reader = follower->reader;
    const struct ring_record *record = NULL;
    uint64_t skipped = 0;
    int r = seek(follower, &reader, &skipped);

    if (r < 0 || ring_look(&reader, &record) != RING_RECORD) {
        return -EAGAIN;
    }
    return (ssize_t)ring_length(record);
}
