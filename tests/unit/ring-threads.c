/* SPDX-License-Identifier: MIT
 *
 * The ring as threads of one process, for ThreadSanitizer (configure CC=clang
 * --with-sanitizers=thread): one writer, several readers, both modes. What is claimed: see
 * exchange.h.
 */
#include "../stress/exchange.h"

#include "private.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define EXCHANGE_USEC USEC_PER_SEC

struct reader {
    pthread_t thread;
    struct exchange *exchange;
    size_t number;
};

static void *run_reader(void *userdata)
{
    const struct reader *reader = userdata;

    exchange_read(reader->exchange, reader->number);
    return NULL;
}

static void *run_writer(void *userdata)
{
    exchange_write(userdata);
    return NULL;
}

static void exchange_among_threads(enum ring_when_full when_full)
{
    struct exchange *exchange = shared_new(sizeof(*exchange));
    struct reader readers[EXCHANGE_READERS];
    pthread_t writer;

    exchange->when_full = when_full;
    exchange->usec = EXCHANGE_USEC;
    for (size_t i = 0; i < EXCHANGE_READERS; i++) {
        readers[i] = (struct reader){.exchange = exchange, .number = i};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    assert_int_equal(pthread_create(&writer, NULL, run_writer, exchange), 0);
    for (size_t i = 0; i < EXCHANGE_READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_null(exchange->writer_fault);
    for (size_t i = 0; i < EXCHANGE_READERS; i++) {
        const struct exchange_result *result = &exchange->results[i];

        if (result->fault) {
            fail_msg("reader %zu: %s, at record %" PRIu64, i, result->fault, result->fault_at);
        }
        assert_true(result->got > 0);
        assert_int_equal(result->got + result->lost, exchange->published - 1);
        assert_true(when_full == RING_OVERWRITE || result->lost == 0);
    }
    (void)munmap(exchange, sizeof(*exchange));
}

static void threads_lose_nothing_where_the_writer_waits(void **state)
{
    (void)state;
    exchange_among_threads(RING_WAIT);
}

static void threads_lose_nothing_unnoticed_where_it_does_not(void **state)
{
    (void)state;
    exchange_among_threads(RING_OVERWRITE);
}

TEST_GROUP("ring-threads")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_lose_nothing_where_the_writer_waits),
        cmocka_unit_test(threads_lose_nothing_unnoticed_where_it_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
