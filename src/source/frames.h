/* SPDX-License-Identifier: MIT
 *
 * Frames: records out of a stream of bytes, whatever pieces it comes in.
 *
 *      pipe ──frames_read──▶ buffer ──frames_next──▶ the host's place for the record
 *        └───────── the rest of a long record of known length ─────────▶
 *
 * A read takes as much as there is, and one after the other the records in it are copied to where
 * they will be published: few system calls, and nothing is taken in before it is asked for. A
 * record that is long begins in its place, and what follows of it is read right there.
 *
 * Memory is bounded by the buffer. Of a record that is longer than its place, the rest is counted
 * and left out: its length tells that it was too long, and the next one is found in any case.
 */
#pragma once

#include "source/source.h"

#include <sys/types.h>

#define FRAMES_BUFFER ((size_t)65536) /* bytes; as much as a pipe holds */

struct frames {
    const struct source *source; /* whose host has the places */
    enum source_framing framing;
    uint64_t frame_size;
    char *buffer;
    size_t from; /* what has come and is in no place yet: … */
    size_t to;
    size_t searched; /* … without a newline so far */

    /* A record that has begun in its place. */
    bool begun;
    uint64_t length; /* how long it will be, if that is known */
    uint64_t come;   /* how much of it has come, … */
    size_t kept;     /* … and is in the place, … */
    size_t held;     /* … which is that long */
};

/* `source` need not be open yet. */
int frames_new(struct frames *frames, const struct source *source, enum source_framing framing,
               uint64_t frame_size);
void frames_free(struct frames *frames);

/*
 * Reads once what there is; `sparing`: nothing beyond the record that has begun. Returns as read(2)
 * does, and a negative errno. frames_next() must have said that it needs more.
 */
ssize_t frames_read(struct frames *frames, int fd, bool sparing);

/* True: a record is in the host's place, to be delivered with that length. False: read more. */
bool frames_next(struct frames *frames, size_t *ret_length);

/*
 * No more will come. True: what is left is a record, as by frames_next(). False: nothing is left,
 * or half a record, which is dropped: how much was it?
 */
bool frames_finish(struct frames *frames, size_t *ret_length, uint64_t *ret_dropped);

/* Forgets what has come. */
void frames_reset(struct frames *frames);

/* How many bytes have come of a record that is not complete. */
uint64_t frames_pending(const struct frames *frames);
