/* SPDX-License-Identifier: MIT
 *
 * The plain layout, and its promise to a reader: a record whole, or none.
 */
#include "proto/plain.h"

#include "private.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#define SIZE    ((size_t)27)
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static void publish(char *segment, size_t size, const char *record)
{
    char image[256] = {0};

    assert_true(strlen(record) < size && size <= sizeof(image));
    memcpy(image, record, strlen(record));
    plain_publish(segment, image, size);
}

static void a_record_that_fits_has_no_fault(void **state)
{
    (void)state;
    assert_int_equal(plain_judge(LETTERS, 26, SIZE), PLAIN_FITS);
    assert_int_equal(plain_judge("a", 1, SIZE), PLAIN_FITS);
    assert_int_equal(plain_judge("a", 1, PLAIN_SIZE_MIN), PLAIN_FITS);
    assert_int_equal(plain_judge("a*\n\xff", 4, SIZE), PLAIN_FITS);
}

/* "A record that is empty, begins with `*`, contains a NUL or is too long cannot be represented."
 */
static void what_the_segment_cannot_hold_has_its_fault(void **state)
{
    (void)state;
    assert_int_equal(plain_judge("", 0, SIZE), PLAIN_EMPTY);
    assert_int_equal(plain_judge(NULL, 0, SIZE), PLAIN_EMPTY);
    assert_int_equal(plain_judge(LETTERS "a", 27, SIZE), PLAIN_TOO_LONG);
    assert_int_equal(plain_judge("ab", 2, PLAIN_SIZE_MIN), PLAIN_TOO_LONG);
    assert_int_equal(plain_judge("a", SIZE_MAX, SIZE), PLAIN_TOO_LONG);
    assert_int_equal(plain_judge("*", 1, SIZE), PLAIN_LOOKS_ACKNOWLEDGED);
    assert_int_equal(plain_judge("*abc", 4, SIZE), PLAIN_LOOKS_ACKNOWLEDGED);
    assert_int_equal(plain_judge("\0", 1, SIZE), PLAIN_HAS_NUL);
    assert_int_equal(plain_judge("ab\0cd", 5, SIZE), PLAIN_HAS_NUL);
    assert_int_equal(plain_judge("abc\0", 4, SIZE), PLAIN_HAS_NUL);
}

/* "A record of n bytes stands at offset 0 and ends with a NUL." */
static void what_is_published_is_what_is_read(void **state)
{
    char segment[SIZE] = {0};
    char buffer[SIZE];

    (void)state;
    publish(segment, SIZE, LETTERS);
    assert_memory_equal(segment, LETTERS, SIZE);
    assert_int_equal(plain_read(segment, SIZE, buffer), 26);
    assert_string_equal(buffer, LETTERS);
    publish(segment, SIZE, "z");
    assert_int_equal(plain_read(segment, SIZE, buffer), 1);
    assert_string_equal(buffer, "z");
}

/* Whoever is attached still reads no record there, and acknowledges none; bytes that he has are
 * whole.
 */
static void what_is_closed_is_acknowledged_by_nobody(void **state)
{
    char segment[SIZE] = {0};
    char buffer[SIZE];

    (void)state;
    publish(segment, SIZE, LETTERS);
    assert_true(plain_close(segment));
    assert_int_equal(plain_read(segment, SIZE, buffer), -EAGAIN);
    assert_false(plain_acknowledge(segment, 'a'));
    assert_memory_equal(segment + 1, &LETTERS[1], SIZE - 1);
    plain_reopen(segment, 'a');
    assert_string_equal(segment, LETTERS);
    assert_true(plain_acknowledge(segment, 'a'));
    assert_false(plain_close(segment));
    plain_reopen(segment, 'a');
    assert_int_equal(plain_first(segment), PLAIN_ACKNOWLEDGED);
}

/* The smallest segment: one byte and its NUL. */
static void two_bytes_are_a_segment(void **state)
{
    char segment[2] = "";
    char buffer[2];

    (void)state;
    plain_publish(segment, "q", 2);
    assert_int_equal(plain_read(segment, 2, buffer), 1);
    assert_true(plain_acknowledge(segment, 'q'));
    assert_memory_equal(segment, "*", 2);
}

/* "Publishes the first `extent` bytes" and none behind them. */
static void publishing_ends_at_its_extent(void **state)
{
    char segment[8] = "xxxxxxx";

    (void)state;
    plain_publish(segment, "abc\0abc", 4);
    assert_memory_equal(segment, "abc\0xxx", 8);
    plain_publish(segment, "Z", 2);
    assert_memory_equal(segment, "Z\0c\0xxx", 8);
}

/* "Byte 1 tells for certain whether a record has been published", whatever it is. */
static void a_record_tells_whether_it_was_published(void **state)
{
    static const char *const records[] = {"abc", "a*c", "a+c", "a", "xy"};
    char segment[SIZE] = "xyz";

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        char image[SIZE] = {0};

        memcpy(image, records[i], strlen(records[i]));
        plain_prepare(segment, image);
        assert_false(plain_is_published(segment, image));
        plain_publish(segment, image, SIZE);
        assert_true(plain_is_published(segment, image));
        assert_string_equal(segment, records[i]);
        assert_true(plain_acknowledge(segment, records[i][0]));
        assert_true(plain_is_published(segment, image));
    }
}

/* "Takes a published record back … False: it was '*' already" */
static void a_record_is_taken_back_or_acknowledged(void **state)
{
    const char image[SIZE] = LETTERS;
    char segment[SIZE] = {0};
    char buffer[SIZE];

    (void)state;
    plain_publish(segment, image, SIZE);
    assert_true(plain_withdraw(segment, image));
    assert_int_equal(plain_read(segment, SIZE, buffer), -EAGAIN);
    assert_false(plain_is_published(segment, image));
    assert_false(plain_withdraw(segment, image));
    plain_publish(segment, image, SIZE);
    assert_true(plain_acknowledge(segment, 'a'));
    assert_false(plain_withdraw(segment, image));
    assert_true(plain_is_published(segment, image)); /* the acknowledgement stands */
    plain_publish(segment, image, SIZE);
    segment[0] = segment[1] = '!'; /* whatever stands there */
    assert_true(plain_withdraw(segment, image));
    assert_int_equal(plain_first(segment), PLAIN_ACKNOWLEDGED);
}

/* "A client that sets byte 0 to `*` has acknowledged." */
static void an_acknowledgement_changes_one_byte(void **state)
{
    char segment[SIZE] = LETTERS;

    (void)state;
    assert_true(plain_acknowledge(segment, 'a'));
    assert_memory_equal(segment, "*bcdefghijklmnopqrstuvwxyz", SIZE);
    assert_int_equal(plain_first(segment), PLAIN_ACKNOWLEDGED);
}

/* "Acknowledges the record that begins with `first`, and no other" */
static void no_other_record_is_acknowledged(void **state)
{
    char segment[SIZE] = LETTERS;

    (void)state;
    assert_false(plain_acknowledge(segment, 'b'));
    assert_string_equal(segment, LETTERS);
    assert_true(plain_acknowledge(segment, 'a'));
    assert_false(plain_acknowledge(segment, 'a'));
}

/* "-EAGAIN while there is none (acknowledged, or nothing published yet)" */
static void there_is_nothing_to_read_without_a_record(void **state)
{
    char segment[SIZE] = LETTERS;
    char buffer[SIZE];

    (void)state;
    segment[0] = '*';
    assert_int_equal(plain_read(segment, SIZE, buffer), -EAGAIN);
    memset(segment, 0, SIZE);
    assert_int_equal(plain_read(segment, SIZE, buffer), -EAGAIN);
    segment[1] = 'b';
    assert_int_equal(plain_read(segment, SIZE, buffer), -EAGAIN);
}

/* The segment is written by strangers: one without any NUL is read to its end, not beyond. */
static void a_segment_without_a_nul_is_read_to_its_end(void **state)
{
    char segment[SIZE + 1];
    char buffer[SIZE];

    (void)state;
    memset(segment, 'x', sizeof(segment));
    assert_int_equal(plain_read(segment, SIZE, buffer), SIZE);
}

/*
 * A segment whose byte 0 ends one page and whose other bytes are on the next: where a reader stands
 * after its first look is where its access to the second page comes to meanwhile().
 */
static struct {
    char *pages;
    char *segment;
    size_t page;
    void (*happens)(char *segment);
} gap;

static void meanwhile(int number)
{
    (void)number;
    (void)mprotect(gap.pages, 2 * gap.page, PROT_READ | PROT_WRITE);
    gap.happens(gap.segment);
}

/* Reads while something happens between the reader's first look and its copy. */
static ssize_t read_while(const char *record, void (*happens)(char *segment), char *buffer)
{
    struct sigaction action = {.sa_handler = meanwhile};
    struct sigaction before;
    ssize_t length;

    gap.page = (size_t)sysconf(_SC_PAGESIZE);
    gap.pages =
        mmap(NULL, 2 * gap.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(gap.pages != MAP_FAILED);
    gap.segment = gap.pages + gap.page - 1;
    gap.happens = happens;
    publish(gap.segment, SIZE, record);
    assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
    assert_int_equal(mprotect(gap.pages + gap.page, gap.page, PROT_NONE), 0);
    length = plain_read(gap.segment, SIZE, buffer);
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
    assert_int_equal(munmap(gap.pages, 2 * gap.page), 0);
    return length;
}

static void another_record_comes(char *segment)
{
    plain_publish(segment, "ZYXWVUTSRQPONMLKJIHGFEDCBA", SIZE);
}

static void a_new_record_of_the_same_first_byte_comes(char *segment)
{
    plain_publish(segment, "aaaaaaaaaaaaaaaaaaaaaaaaaa", SIZE);
}

static void half_of_the_next_record_comes(char *segment)
{
    segment[0] = PLAIN_ACKNOWLEDGED;
    memcpy(segment + 1, "YXWVUT", 6);
}

/* "-EAGAIN … while it is changing" */
static void a_record_that_changes_while_it_is_read_is_none(void **state)
{
    char buffer[SIZE];

    (void)state;
    assert_int_equal(read_while(LETTERS, another_record_comes, buffer), -EAGAIN);
}

/* Whole before it is copied, it may be returned: it is one record. */
static void a_record_that_is_whole_when_it_is_copied_is_one(void **state)
{
    char buffer[SIZE];

    (void)state;
    assert_int_equal(read_while(LETTERS, a_new_record_of_the_same_first_byte_comes, buffer), 26);
    assert_string_equal(buffer, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
}

/*
 * Another client acknowledges, and the daemon stands (or was killed) in the middle of the next
 * record: `aYXWVUThij…` was never a record.
 */
static void half_a_record_behind_an_acknowledgement_is_none(void **state)
{
    char buffer[SIZE];

    (void)state;
    assert_int_equal(read_while(LETTERS, half_of_the_next_record_comes, buffer), -EAGAIN);
}

#define RACE_SIZE    ((size_t)8192)
#define RACE_RECORDS 400

struct race {
    char segment[RACE_SIZE];
    char buffer[RACE_SIZE];
    unsigned read, mixtures;
    bool over;
};

/* The daemon: publishes when the last record was acknowledged; each record is of one letter. */
static void *run_daemon(void *userdata)
{
    struct race *race = userdata;
    char image[RACE_SIZE] = {0};

    for (unsigned i = 0; i < RACE_RECORDS; i++) {
        while (plain_first(race->segment) != PLAIN_ACKNOWLEDGED) {
            (void)sched_yield();
        }
        memset(image, 'a' + (int)(i % 26), RACE_SIZE - 1);
        plain_publish(race->segment, image, RACE_SIZE);
    }
    __atomic_store_n(&race->over, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Another client: acknowledges whatever it sees. */
static void *run_acknowledger(void *userdata)
{
    struct race *race = userdata;

    while (!__atomic_load_n(&race->over, __ATOMIC_ACQUIRE)) {
        char first = plain_first(race->segment);

        if (first != PLAIN_ACKNOWLEDGED) {
            (void)plain_acknowledge(race->segment, first);
        }
        (void)sched_yield();
    }
    return NULL;
}

static void read_once(struct race *race)
{
    ssize_t length = plain_read(race->segment, RACE_SIZE, race->buffer);

    if (length < 0) {
        return;
    }
    race->read++;
    for (size_t i = 1; i < RACE_SIZE - 1; i++) {
        if (length != RACE_SIZE - 1 || race->buffer[i] != race->buffer[0]) {
            race->mixtures++;
            return;
        }
    }
}

static void *run_reader(void *userdata)
{
    struct race *race = userdata;

    while (!__atomic_load_n(&race->over, __ATOMIC_ACQUIRE)) {
        read_once(race);
        (void)sched_yield();
    }
    return NULL;
}

/*
 * "Nobody who saw byte 0 of a record sees anything older than that record", and what plain_read()
 * returns was one record, even while others acknowledge it and the daemon writes the next one.
 */
static void a_reader_never_sees_a_mixture_of_two_records(void **state)
{
    static struct race race;
    void *(*const roles[])(void *) = {run_acknowledger, run_reader, run_daemon};
    pthread_t threads[3];

    (void)state;
    race.segment[0] = PLAIN_ACKNOWLEDGED;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, roles[i], &race), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(race.mixtures, 0);
}

TEST_GROUP("test-plain")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_that_fits_has_no_fault),
        cmocka_unit_test(what_the_segment_cannot_hold_has_its_fault),
        cmocka_unit_test(what_is_published_is_what_is_read),
        cmocka_unit_test(what_is_closed_is_acknowledged_by_nobody),
        cmocka_unit_test(two_bytes_are_a_segment),
        cmocka_unit_test(publishing_ends_at_its_extent),
        cmocka_unit_test(a_record_tells_whether_it_was_published),
        cmocka_unit_test(a_record_is_taken_back_or_acknowledged),
        cmocka_unit_test(an_acknowledgement_changes_one_byte),
        cmocka_unit_test(no_other_record_is_acknowledged),
        cmocka_unit_test(there_is_nothing_to_read_without_a_record),
        cmocka_unit_test(a_segment_without_a_nul_is_read_to_its_end),
        cmocka_unit_test(a_record_that_changes_while_it_is_read_is_none),
        cmocka_unit_test(a_record_that_is_whole_when_it_is_copied_is_one),
        cmocka_unit_test(half_a_record_behind_an_acknowledgement_is_none),
        cmocka_unit_test(a_reader_never_sees_a_mixture_of_two_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
