/* SPDX-License-Identifier: MIT
 *
 * One writer and several readers of a ring, as fast as they can, for as long as they may. Threads
 * (tests/unit/ring-threads.c) or processes (ring-processes.c): all that they share is struct
 * exchange.
 *
 * Length and bytes of a record follow from its number alone, so that a reader knows each byte that
 * it must find. Many of the bytes are chosen to mislead: they look like wrap markers, like cleared
 * numbers, and like the numbers of records that come next.
 *
 * A reader gets each record once, in order and whole; in `wait` it misses none, in `overwrite` it
 * counts those that it missed, and both together are all that were published.
 */
#pragma once

#include "base/clock.h"
#include "proto/reader.h"
#include "proto/writer.h"
#include "../patience.h"

#include <sched.h>

#define EXCHANGE_READERS 4
#define EXCHANGE_SIZE    ((size_t)16384)
#define EXCHANGE_LONGEST (EXCHANGE_SIZE / 4)
#define EXCHANGE_SLOW    3 /* this reader takes a nap now and then */

struct exchange_result {
    uint64_t got, lost;
    const char *fault; /* NULL: none */
    uint64_t fault_at; /* the number of the record */
};

struct exchange {
    _Alignas(64) char segment[EXCHANGE_SIZE];
    enum ring_when_full when_full;
    uint64_t usec; /* how long */
    struct {
        _Alignas(64) _Atomic uint64_t number;
    } acknowledged[EXCHANGE_READERS];
    _Alignas(64) _Atomic uint64_t published; /* 0: not at the end yet; then one more than all */
    struct exchange_result results[EXCHANGE_READERS];
    const char *writer_fault;
};

/* Mixes the bits of a number well (splitmix64). */
static inline uint64_t exchange_mix(uint64_t n)
{
    n += UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ^ n >> 31;
}

/* Mostly short, now and then the longest. */
static inline size_t exchange_length(uint64_t number)
{
    uint64_t random = exchange_mix(number);
    uint64_t longest = ring_length_max(ring_capacity(EXCHANGE_SIZE));

    return random % 32 == 0 ? longest : (random >> 8) % (random % 8 == 1 ? longest : 200);
}

/* The i-th eight bytes of a record. */
static inline uint64_t exchange_word(uint64_t number, size_t i)
{
    uint64_t random = exchange_mix(number << 16 ^ i);

    switch (random % 4) {
    case 0:
        return RING_WRAP;
    case 1:
        return number + (random >> 2) % 32;
    case 2:
        return 0;
    default:
        return random;
    }
}

/* The bytes of a record, rounded up to whole words. */
static inline size_t exchange_fill(uint64_t number, char *buffer)
{
    size_t length = exchange_length(number);

    for (size_t i = 0; i * sizeof(uint64_t) < length; i++) {
        uint64_t word = exchange_word(number, i);

        memcpy(buffer + i * sizeof(word), &word, sizeof(word));
    }
    return length;
}

static inline bool exchange_whole(uint64_t number, const char *bytes, size_t length)
{
    char expected[EXCHANGE_LONGEST];

    return length == exchange_fill(number, expected) && memcmp(bytes, expected, length) == 0;
}

static inline void exchange_nap(uint64_t usec)
{
    struct timespec pause = clock_timespec(usec);

    (void)nanosleep(&pause, NULL);
}

/* What all readers have acknowledged. Acquire: pairs with exchange_take(). */
static inline uint64_t exchange_slowest(struct exchange *exchange)
{
    uint64_t slowest = UINT64_MAX;

    for (size_t i = 0; i < EXCHANGE_READERS; i++) {
        uint64_t number =
            atomic_load_explicit(&exchange->acknowledged[i].number, memory_order_acquire);

        slowest = number < slowest ? number : slowest;
    }
    return slowest;
}

/* Makes room as the daemon does; false: nobody has acknowledged for too long. */
static inline bool exchange_make_room(struct exchange *exchange, struct ring_writer *writer,
                                      size_t length)
{
    uint64_t deadline = clock_usec() + PATIENCE_USEC;
    const struct ring_record *record;

    do {
        uint64_t slowest = exchange->when_full == RING_WAIT ? exchange_slowest(exchange) : 0;

        while ((record = ring_oldest(writer)) &&
               (exchange->when_full == RING_WAIT
                    ? atomic_load_explicit(&record->number, memory_order_relaxed) <= slowest
                    : !ring_has_room(writer, length))) {
            ring_drop_oldest(writer);
        }
        if (ring_has_room(writer, length)) {
            return true;
        }
        (void)sched_yield();
    } while (clock_usec() < deadline);
    return false;
}

static inline void exchange_write(struct exchange *exchange)
{
    static const uint8_t epoch[16] = "stress";
    uint64_t end = clock_usec() + exchange->usec;
    struct ring_writer writer;
    char buffer[EXCHANGE_LONGEST];

    ring_format(&writer, exchange->segment, EXCHANGE_SIZE, epoch, exchange->when_full, 1);
    while (clock_usec() < end) {
        size_t length = exchange_fill(writer.number, buffer);

        if (!ring_has_room(&writer, length)) {
            ring_show(&writer); /* nobody acknowledges what he does not see */
        }
        if (!exchange_make_room(exchange, &writer, length)) {
            exchange->writer_fault = "a reader acknowledges nothing any more";
            break;
        }
        if (exchange->when_full == RING_WAIT) {
            /* As a source does it. Readers use it in place: only the number's order holds them
             * apart. */
            memcpy(ring_reserve(&writer, length), buffer, length);
        } else {
            ring_move(ring_reserve(&writer, length), buffer, length);
        }
        (void)ring_add(&writer, length);
        /* Where there may be groups, some. */
        if (exchange->when_full == RING_OVERWRITE || exchange_mix(writer.number) % 4 == 0) {
            ring_show(&writer);
        }
        if (exchange->when_full == RING_OVERWRITE && exchange_mix(writer.number) % 64 == 0) {
            exchange_nap(1); /* or no reader ever catches up */
        }
    }
    ring_show(&writer);
    atomic_store_explicit(&exchange->published, writer.number, memory_order_release);
}

static inline const char *exchange_overtaken(struct ring_reader *reader,
                                             struct exchange_result *result)
{
    uint64_t expected = reader->number;
    uint64_t oldest = ring_seek_oldest(reader);

    if (oldest < expected) {
        return "the oldest record is older than one that was written over";
    }
    result->lost += oldest - expected;
    return NULL;
}

/* Takes one record, if there is one. */
static inline const char *exchange_take(struct exchange *exchange, size_t me,
                                        struct ring_reader *reader)
{
    struct exchange_result *result = &exchange->results[me];
    const struct ring_record *record = NULL;
    char buffer[EXCHANGE_LONGEST];
    size_t length;

    switch (ring_look(reader, &record)) {
    case RING_NOTHING:
        (void)sched_yield();
        return NULL;
    case RING_OVERTAKEN:
        return exchange->when_full == RING_WAIT ? "overtaken, and the writer should wait"
                                                : exchange_overtaken(reader, result);
    case RING_RECORD:
        break;
    }
    if (exchange->when_full == RING_WAIT) {
        length = ring_length(record);
        if (!exchange_whole(reader->number, record->bytes, length)) {
            return "torn, in place";
        }
    } else if (!ring_copy(reader, record, buffer, &length)) {
        return exchange_overtaken(reader, result);
    } else if (!exchange_whole(reader->number, buffer, length)) {
        return "torn";
    }
    ring_advance(reader, length);
    result->got++;
    /* Release: pairs with exchange_slowest(). */
    atomic_store_explicit(&exchange->acknowledged[me].number, reader->number - 1,
                          memory_order_release);
    return NULL;
}

static inline void exchange_read(struct exchange *exchange, size_t me)
{
    struct exchange_result *result = &exchange->results[me];
    uint64_t silent_since = clock_usec();
    struct ring_reader reader;

    while (ring_attach(&reader, exchange->segment, EXCHANGE_SIZE) < 0) {
        (void)sched_yield();
    }
    reader.number = 1;
    for (;;) {
        uint64_t all = atomic_load_explicit(&exchange->published, memory_order_acquire);
        uint64_t number = reader.number;

        if (number == all) {
            break;
        }
        result->fault = exchange_take(exchange, me, &reader);
        if (!result->fault && all > 0 && reader.number > all) {
            result->fault = "a record that was never published";
        }
        if (!result->fault && reader.number == number &&
            clock_usec() - silent_since > PATIENCE_USEC) {
            result->fault = "nothing comes any more";
        }
        if (result->fault) {
            result->fault_at = number;
            return;
        }
        if (reader.number != number) {
            silent_since = clock_usec();
        }
        if (me == EXCHANGE_SLOW && exchange_mix(reader.number) % 4096 == 0) {
            exchange_nap(10 * USEC_PER_MSEC);
        }
    }
    if (result->got + result->lost != reader.number - 1) {
        result->fault = "got and lost are not what was published";
        result->fault_at = reader.number;
    }
}
