/* SPDX-License-Identifier: MIT
 *
 * The plain layout: the segment holds one record and nothing else.
 *
 *      offset   0    1    2         n-1   n              size-1
 *             +----+----+----+----+----+-----+-----+-----+-----+
 *             | r0 | r1 | r2 | …  |r n-1| NUL | NUL |  …  | NUL |
 *             +----+----+----+----+----+-----+-----+-----+-----+
 *               ^
 *               '*' here: a client has acknowledged the record
 *
 * Byte 0 is the only word of the protocol. The daemon stores it last, when it publishes; a client
 * stores '*' into it, when it is done. So:
 *
 *      daemon                                      client
 *      ------                                      ------
 *      bytes 2…n-1, NUL
 *      bytes 0, 1    (release)  ───────────────▶   byte 0 != '*'  (acquire)
 *                                                  reads bytes 0…n-1
 *      byte 0 == '*' (acquire)  ◀───────────────   byte 0 = '*'   (release)
 *
 * and nobody who saw byte 0 of a record sees anything older than that record. Where byte 0 is NUL,
 * nothing has been published yet, or the segment is about to go (plain_close()).
 *
 * Bytes 0 and 1 are published by one store, and before that byte 1 is made different from what it
 * will be. Clients write byte 0 only, so byte 1 tells for certain whether a record has been
 * published: a daemon that was killed in between has a successor who needs to know. What this
 * layout cannot do: a second client may still be reading when the first one acknowledges. A careful
 * reader copies, and then looks whether what it copied still stands (plain_read()).
 *
 * A record that is empty, that begins with '*', that contains a NUL or that is longer than
 * size - 1 cannot be told apart from another state of the segment, so it is never published.
 *
 * The segment is written by strangers. Its bytes are copied before they are judged.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define PLAIN_ACKNOWLEDGED '*'
#define PLAIN_SIZE_MIN     ((size_t)2) /* one byte and its NUL */

enum plain_fault {
    PLAIN_FITS,
    PLAIN_EMPTY,
    PLAIN_TOO_LONG,
    PLAIN_LOOKS_ACKNOWLEDGED,
    PLAIN_HAS_NUL,
};

/* Can a segment of `size` bytes hold this record? If not, why not. */
static inline enum plain_fault plain_judge(const char *record, size_t length, size_t size)
{
    if (length == 0) {
        return PLAIN_EMPTY;
    }
    if (length > size - 1) {
        return PLAIN_TOO_LONG;
    }
    if (record[0] == PLAIN_ACKNOWLEDGED) {
        return PLAIN_LOOKS_ACKNOWLEDGED;
    }
    if (memchr(record, '\0', length)) {
        return PLAIN_HAS_NUL;
    }
    return PLAIN_FITS;
}

/* Acquire: pairs with the release store of whoever wrote byte 0 (publish or acknowledge). */
static inline char plain_first(const char *segment)
{
    return __atomic_load_n(segment, __ATOMIC_ACQUIRE);
}

/* Bytes 0 and 1, as one word. A segment is aligned to a page. */
static inline uint16_t plain_word(char first, char second)
{
    char bytes[2] = {first, second};
    uint16_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* What stands at byte 1 while a record that has `second` there is not published. */
static inline char plain_unpublished(char second)
{
    return second == PLAIN_ACKNOWLEDGED ? '+' : PLAIN_ACKNOWLEDGED;
}

/* Before the record of `image` counts as the next one. */
static inline void plain_prepare(char *segment, const char *image)
{
    __atomic_store_n(segment + 1, plain_unpublished(image[1]), __ATOMIC_RELEASE);
}

/* The record stands there: bytes 0 and 1 are its own. */
static inline void plain_stand(char *segment, const char *image)
{
    __atomic_store_n((uint16_t *)(void *)segment, plain_word(image[0], image[1]), __ATOMIC_RELEASE);
}

/*
 * Publishes the first `extent` bytes of `image`: a record, its NUL, and as many NULs as it takes to
 * cover what stood there before. Release: pairs with plain_first() of a client.
 */
static inline void plain_publish(char *segment, const char *image, size_t extent)
{
    /* Nobody sees a byte of it before the '*' that came before it. Pairs with plain_read(). */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(segment + 2, image + 2, extent - 2);
    plain_stand(segment, image);
}

/* Was the record of `image` published, after plain_prepare()? */
static inline bool plain_is_published(const char *segment, const char *image)
{
    return __atomic_load_n(segment + 1, __ATOMIC_ACQUIRE) != plain_unpublished(image[1]);
}

/*
 * Takes a published record back, so that nobody reads it any more, nor half of the next one: byte 0
 * becomes '*'. False: it was '*' already, a client has acknowledged. Release: pairs with
 * plain_first() of a client; acquire: with plain_acknowledge().
 */
static inline bool plain_withdraw(char *segment, const char *image)
{
    uint16_t stands = plain_word(image[0], image[1]);
    uint16_t withdrawn = plain_word(PLAIN_ACKNOWLEDGED, plain_unpublished(image[1]));

    while (!__atomic_compare_exchange_n((uint16_t *)(void *)segment, &stands, withdrawn, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        if (plain_first((const char *)&stands) == PLAIN_ACKNOWLEDGED) {
            return false;
        }
    }
    return true;
}

/*
 * Nobody acknowledges what stands there any more, as the segment is about to go: byte 0 becomes
 * NUL. The other bytes stay, for who reads the record just now. False: it is '*', a client has
 * acknowledged. Acquire: pairs with plain_acknowledge().
 */
static inline bool plain_close(char *segment)
{
    char first = plain_first(segment);

    while (first != PLAIN_ACKNOWLEDGED &&
           !__atomic_compare_exchange_n(segment, &first, '\0', false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
    }
    return first != PLAIN_ACKNOWLEDGED;
}

/* The segment stays, with the record that begins with `first`. A '*' that has come meanwhile, too.
 */
static inline void plain_reopen(char *segment, char first)
{
    char closed = '\0';

    /* Release: pairs with plain_first() of a client. */
    (void)__atomic_compare_exchange_n(segment, &closed, first, false, __ATOMIC_RELEASE,
                                      __ATOMIC_RELAXED);
}

/*
 * Acknowledges the record that begins with `first`, and no other: false if byte 0 has changed in
 * the meantime, which means that somebody else has acknowledged it. Release: pairs with
 * plain_first() of the daemon.
 */
static inline bool plain_acknowledge(char *segment, char first)
{
    return __atomic_compare_exchange_n(segment, &first, PLAIN_ACKNOWLEDGED, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* Does a whole record stand there? */
static inline bool plain_stands(const char *segment, size_t size)
{
    char first = plain_first(segment);

    return first != PLAIN_ACKNOWLEDGED && first != '\0' && strnlen(segment, size) < size;
}

/*
 * Copies the record into `buffer` (`size` bytes, as large as the segment) and returns its length;
 * -EAGAIN while there is none (acknowledged, or nothing published yet) or while it is changing.
 */
static inline ssize_t plain_read(const char *segment, size_t size, char *buffer)
{
    char first = plain_first(segment);
    size_t length;

    if (first == PLAIN_ACKNOWLEDGED || first == '\0') {
        return -EAGAIN;
    }
    memcpy(buffer + 1, segment + 1, size - 1);
    buffer[0] = first;
    length = strnlen(buffer, size);
    /*
     * The record must stand there still. While byte 0 is '*', what is behind it may be half of the
     * next record. Acquire: the second look is later than the copy.
     */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (plain_first(segment) != first) {
        return -EAGAIN;
    }
    if (memcmp(segment + 1, buffer + 1, (length < size ? length + 1 : size) - 1) != 0) {
        return -EAGAIN;
    }
    return (ssize_t)length;
}
