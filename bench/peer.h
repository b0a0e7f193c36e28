/* SPDX-License-Identifier: MIT
 *
 * A peer: another way to hand records from one process to others, measured with the same work. Each
 * is one file in bench/peers/ with one const struct, and becomes one program with peer.c.
 *
 *      publisher                                   subscriber
 *      ---------                                   ----------
 *      send():  makes the next record  ────────▶   receive(): copies it out
 *               and copies it in                   (peer.c verifies it)
 *      heard(): all up to this one     ◀────────   acknowledge(): all up to this one
 *
 * hop: one record at a time. stream: as many as the window allows, acknowledged in batches. asleep:
 * one each millisecond, and everybody waits in the kernel in between.
 */
#pragma once

#include "base/pattern.h"
#include "base/relax.h"
#include "bench/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBSCRIBERS_MAX 64

enum {
    ROW_HOP = 1,
    ROW_STREAM = 2, /* to one or to many: as many as subscribers_max says */
    ROW_ASLEEP = 4,
    ROW_COPY = 8, /* no exchange at all: in and out in one process */
};

struct exchange {
    size_t size; /* of each record, in bytes */
    unsigned subscribers;
    unsigned index; /* a subscriber: which one */
    bool sleeps;    /* receive() and heard() wait in the kernel if there is nothing */
    bool crowded;   /* more processes than processors: yields between looks */
    bool pinned;    /* a processor for each process */
    uint64_t window;
    uint64_t sent;
    struct pattern pattern; /* of the publisher, or of this subscriber */
    char *buffer;           /* a record, of the publisher or of this subscriber */
};

struct peer {
    const char *name;
    unsigned rows;
    unsigned subscribers_max;
    bool bare;            /* nothing but the signal: no record, nothing to verify */
    bool sleeps_in_crowd; /* with more processes than processors, it is better off asleep */
    uint64_t window_max;  /* 0: no limit of its own */

    void (*prepare)(struct exchange *x);    /* before there are several processes */
    void (*publisher)(struct exchange *x);  /* in the publisher; returns when all can hear it */
    void (*subscriber)(struct exchange *x); /* in each subscriber */

    /* Makes record number x->sent + 1 and hands it over; false: there is no room now. */
    bool (*send)(struct exchange *x);
    /* What all subscribers have acknowledged. */
    uint64_t (*heard)(struct exchange *x);
    /* The next record is in x->buffer; false: there is none now. */
    bool (*receive)(struct exchange *x);
    void (*acknowledge)(struct exchange *x, uint64_t number);
};

/* The one of this program. */
extern const struct peer peer;

/* Makes the next record in x->buffer. */
static inline void record_make(struct exchange *x)
{
    pattern_write(&x->pattern, x->buffer, x->size);
}

/* For acknowledgements that come from each subscriber by itself: notes one, returns the least. */
static inline uint64_t least_of(uint64_t *heard, unsigned count, unsigned index, uint64_t number)
{
    uint64_t least = UINT64_MAX;

    heard[index] = number;
    for (unsigned i = 0; i < count; i++) {
        least = heard[i] < least ? heard[i] : least;
    }
    return least;
}
