/* SPDX-License-Identifier: MIT
 *
 * The ring layout: a stream of records of any length, written by one, read by many.
 *
 *      ┌────────┬───────────────────────────────────────────────────────────────┐
 *      │ header │ data: `capacity` bytes, a multiple of 64                       │
 *      └────────┴───────────────────────────────────────────────────────────────┘
 *
 *                tail                                  head
 *      ───────────┬────────────┬─────────┬─────────────┬──────┬──────────────────▶ position
 *       may be    │ record 7   │ rec. 8  │ record 9    │ 0    │ to be written
 *       written   │            │         │             │      │
 *      ───────────┴────────────┴─────────┴─────────────┴──────┴──────────────────
 *
 * A position is an absolute 64-bit count of bytes; its place in the data is position % capacity.
 * Each record begins on a cache line (64 bytes) with its number and length. The number is the
 * commit word: it is stored last, with release order, and before that the place of the next
 * record's number was cleared, so that old bytes never look like a commit. A reader knows the
 * number that it expects and waits for it in place: a small record costs the transfer of one cache
 * line.
 *
 *      writer                                        reader (expects n at position p)
 *      ------                                        ------
 *      W1 tail ≥ p' + …            (release fence)
 *      W2 number at the next place = 0
 *      W3 length, bytes
 *      W4 number at p = n          (release)  ────▶  R1 number at p == n?  (acquire)
 *                                                    R2 uses or copies length and bytes
 *                                                    R3 (acquire fence) tail ≤ p? else overtaken
 *
 * Where the writer waits for its readers, several records may become visible together: all but the
 * first have their numbers already, and the first one's number is stored last (ring_add(),
 * ring_show()). So a reader does not take lines away that are about to be written, and whoever
 * finds the writer dead finds all of such a group, or nothing. Where records are written over there
 * are no groups: all that can be seen could be written over before the group is shown.
 *
 * W1/R3 is the other half: before bytes are written over, the tail is moved past them; a reader
 * that has copied looks at the tail afterwards. If the tail has not passed its position, no byte of
 * what it copied can have been written by then. A reader whom the writer waits for need not look.
 *
 * Where a record does not fit before the end of the data, a wrap marker takes the place of its
 * number, and the record begins at the start of the data. A record takes at most a quarter of the
 * ring, so that a marker never wastes more.
 *
 * No client writes a word of the segment. What a reader finds is nevertheless bounded before it is
 * used: the daemon is trusted, a file of the same shape is not.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RING_MAGIC   UINT64_C(0x676e6972646d6873) /* "shmdring" */
#define RING_VERSION 1
#define RING_LINE    ((uint64_t)64)
#define RING_WRAP    UINT64_MAX /* the number of a wrap marker; records count from 1 */

enum ring_state {
    RING_STARTING,   /* not to be read yet */
    RING_OPEN,       /* its daemon serves it, or is being restarted */
    RING_SUPERSEDED, /* another segment has taken its place: attach again by key */
    RING_CLOSED,     /* the daemon has stopped: no more records */
};

enum ring_when_full {
    RING_WAIT,      /* the writer waits for the slowest subscriber */
    RING_OVERWRITE, /* the newest data wins */
};

struct ring_header {
    _Alignas(64) _Atomic uint64_t magic; /* stored last */
    uint32_t version;
    uint32_t when_full;
    uint64_t capacity;
    uint8_t epoch[16];
    _Alignas(64) _Atomic uint32_t state;
    _Atomic uint32_t generation; /* how often a daemon has taken the ring over, or retired it */
    _Alignas(64) _Atomic uint64_t
        tail; /* of the oldest record that is whole, or of a marker before it */
    _Alignas(64) _Atomic uint64_t head; /* where the next record will be */
};

struct ring_record {
    _Atomic uint64_t number;
    uint32_t length;
    uint32_t left_out; /* 0 in a segment */
    char bytes[];
};

_Static_assert(sizeof(struct ring_header) == 256, "part of the layout");
_Static_assert(offsetof(struct ring_header, state) == 64, "part of the layout");
_Static_assert(offsetof(struct ring_header, generation) == 68, "part of the layout");
_Static_assert(offsetof(struct ring_header, tail) == 128, "part of the layout");
_Static_assert(offsetof(struct ring_header, head) == 192, "part of the layout");
_Static_assert(offsetof(struct ring_record, bytes) == 16, "part of the layout");

#define RING_SIZE_MIN ((size_t)4096)

/* What a segment of `size` bytes holds: a multiple of four lines. */
static inline uint64_t ring_capacity(size_t size)
{
    return (size - sizeof(struct ring_header)) / (4 * RING_LINE) * (4 * RING_LINE);
}

/* The longest record: with its header, a quarter; and its length must fit into its header. */
static inline uint64_t ring_length_max(uint64_t capacity)
{
    uint64_t length = capacity / 4 - sizeof(struct ring_record);

    return length < UINT32_MAX ? length : UINT32_MAX;
}

/* What a record takes up. */
static inline uint64_t ring_footprint(uint64_t length)
{
    return (sizeof(struct ring_record) + length + RING_LINE - 1) / RING_LINE * RING_LINE;
}

/*
 * Copies a record's bytes into the ring, or out of it. Where records are written over, a reader may
 * copy what is being written at that moment; it finds out afterwards (R3), and drops the copy. For
 * ThreadSanitizer that is a race unless it is atomic: only there, each byte is.
 */
#if defined(__SANITIZE_THREAD__)
#define RING_COPIES_ATOMICALLY 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING_COPIES_ATOMICALLY 1
#endif
#endif
static inline void ring_move(char *to, const char *from, size_t length)
{
#ifdef RING_COPIES_ATOMICALLY
    for (size_t i = 0; i < length; i++) {
        __atomic_store_n(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    }
#else
    memcpy(to, from, length);
#endif
}

/* What a record says of its length: to be judged, it may be no record any more. */
static inline uint32_t ring_length(const struct ring_record *record)
{
    return __atomic_load_n(&record->length, __ATOMIC_RELAXED);
}
