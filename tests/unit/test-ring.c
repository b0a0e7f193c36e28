/* SPDX-License-Identifier: MIT
 *
 * The ring, one side at a time: what is written and read where, at every offset, at the borders of
 * its numbers, and, for what a reader does while it is being overtaken, with the writer's work put
 * between any two of its instructions. Both sides at once: ring-threads.c, tests/stress.
 */
#include "proto/reader.h"
#include "proto/writer.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SIZE     ((size_t)4096) /* a capacity of 60 lines */
#define CAPACITY ((uint64_t)3840)
#define LONGEST  (CAPACITY / 4 - sizeof(struct ring_record))
#define FAR      (UINT64_C(1) << 40) /* laps */

static const uint8_t epoch[16] = "0123456789abcdef";

/* In memory that a child shares. */
struct scene {
    _Alignas(64) char segment[SIZE];
    struct ring_writer writer;
    struct ring_reader reader;
    enum ring_look look;
    bool copied;
    bool done; /* the child is */
    size_t length;
    _Alignas(64) char buffer[SIZE];
};

static int set_up(void **state)
{
    struct scene *s = shared_new(sizeof(*s));

    memset(s->segment, 0xff, SIZE); /* whatever lay there: it looks like wrap markers */
    ring_format(&s->writer, s->segment, SIZE, epoch, RING_WAIT, 1);
    *state = s;
    return ring_attach(&s->reader, s->segment, SIZE) == 0 ? (int)(s->reader.number = 1) - 1 : -1;
}

static int tear_down(void **state)
{
    return munmap(*state, sizeof(struct scene));
}

/* A record whose bytes are all the same. */
static void publish_bytes(struct scene *s, size_t length, int byte)
{
    assert_true(ring_has_room(&s->writer, length));
    memset(ring_reserve(&s->writer, length), byte, length);
    (void)ring_commit(&s->writer, length);
}

/* A record whose bytes say which one it is. */
static void publish(struct scene *s, size_t length)
{
    publish_bytes(s, length, (int)(s->writer.number & 0x7f));
}

/* The reader takes the next record: it is this long, and whole. */
static void assert_next(struct scene *s, size_t length)
{
    const struct ring_record *record = NULL;
    uint64_t number = s->reader.number;

    assert_int_equal(ring_look(&s->reader, &record), RING_RECORD);
    assert_true(ring_copy(&s->reader, record, s->buffer, &s->length));
    assert_int_equal(s->length, length);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(s->buffer[i], (char)(number & 0x7f));
    }
    ring_advance(&s->reader, s->length);
}

static void assert_nothing(struct scene *s)
{
    const struct ring_record *record = NULL;

    assert_int_equal(ring_look(&s->reader, &record), RING_NOTHING);
}

static void drop_all(struct scene *s)
{
    while (ring_oldest(&s->writer)) {
        ring_drop_oldest(&s->writer);
    }
}

/* Goes to this position, as if all before had been written and read. */
static void go_to(struct scene *s, uint64_t position)
{
    s->writer.tail = position;
    ring_writer_go(&s->writer, position);
    ring_reader_go(&s->reader, position);
    atomic_store(&s->writer.header->tail, position);
    atomic_store(&ring_writer_at(&s->writer, position)->number, 0);
}

/* --- format and attach --- */

static void a_formatted_ring_says_what_it_is(void **state)
{
    struct scene *s = *state;
    const struct ring_header *header = s->writer.header;

    assert_int_equal(header->magic, RING_MAGIC);
    assert_int_equal(header->version, RING_VERSION);
    assert_int_equal(header->when_full, RING_WAIT);
    assert_int_equal(header->capacity, CAPACITY);
    assert_memory_equal(header->epoch, epoch, sizeof(epoch));
    assert_int_equal(header->state, RING_STARTING);
    assert_int_equal(ring_seek_oldest(&s->reader), 0);
    assert_null(ring_oldest(&s->writer));
}

static void what_is_no_ring_is_not_attached(void **state)
{
    struct scene *s = *state;
    struct ring_reader reader;

    assert_int_equal(ring_attach(&reader, s->segment, SIZE - 1), -EPROTO);
    assert_int_equal(ring_attach(&reader, s->segment, 2 * SIZE), -EPROTO); /* another capacity */
    s->writer.header->version++;
    assert_int_equal(ring_attach(&reader, s->segment, SIZE), -EPROTO);
    s->writer.header->version--;
    s->writer.header->capacity -= RING_LINE;
    assert_int_equal(ring_attach(&reader, s->segment, SIZE), -EPROTO);
    s->writer.header->capacity += RING_LINE;
    s->writer.header->magic = 0;
    assert_int_equal(ring_attach(&reader, s->segment, SIZE), -EAGAIN);
}

static void a_capacity_is_four_times_a_number_of_lines(void **state)
{
    (void)state;
    for (size_t size = RING_SIZE_MIN; size < RING_SIZE_MIN + 1000; size++) {
        uint64_t capacity = ring_capacity(size);

        assert_int_equal(capacity % (4 * RING_LINE), 0);
        assert_true(capacity + sizeof(struct ring_header) <= size);
        assert_true(capacity + sizeof(struct ring_header) + 4 * RING_LINE > size);
        assert_int_equal(ring_footprint(ring_length_max(capacity)), capacity / 4);
    }
}

/* The length in a record's header has 32 bits. */
static void the_longest_record_of_the_largest_ring_can_say_its_length(void **state)
{
    (void)state;
    assert_true(ring_length_max(ring_capacity((size_t)1 << 40)) <= UINT32_MAX);
}

/* --- records --- */

static void records_come_in_order_and_whole(void **state)
{
    struct scene *s = *state;

    for (size_t length = 0; length < 200; length++) {
        publish(s, length);
        assert_next(s, length);
        assert_nothing(s);
        drop_all(s);
    }
}

static void a_record_of_no_bytes_is_one(void **state)
{
    struct scene *s = *state;

    publish(s, 0);
    publish(s, 0);
    assert_next(s, 0);
    assert_next(s, 0);
    assert_nothing(s);
}

/* What was reserved is seen by nobody, and may be reserved again, at another length. */
static void what_is_reserved_is_not_there(void **state)
{
    struct scene *s = *state;

    memset(ring_reserve(&s->writer, LONGEST), 1, LONGEST);
    assert_nothing(s);
    memset(ring_reserve(&s->writer, 100), 1, 100);
    assert_nothing(s);
    assert_int_equal(ring_commit(&s->writer, 50), 1);
    publish(s, 7);
    assert_next(s, 50);
    assert_next(s, 7);
}

/* Each length at each offset: a wrap leads on, and nothing old looks new. */
static void each_length_fits_at_each_offset(void **state)
{
    struct scene *s = *state;

    for (uint64_t offset = 0; offset < CAPACITY; offset += RING_LINE) {
        for (uint64_t lines = 1; lines <= CAPACITY / 4 / RING_LINE; lines++) {
            size_t length = lines * RING_LINE - sizeof(struct ring_record);
            bool wraps = offset + lines * RING_LINE > CAPACITY;

            memset(s->writer.data, 0xff, CAPACITY);
            go_to(s, offset);
            assert_nothing(s);
            publish(s, length);
            assert_int_equal(s->writer.head, (wraps ? CAPACITY : offset) + lines * RING_LINE);
            publish(s, length);
            assert_next(s, length);
            assert_next(s, length);
            assert_nothing(s);
        }
    }
}

/* A reader that waits at the place of a marker is led on before the record is there, too. */
static void a_marker_leads_on_before_its_record_is_there(void **state)
{
    struct scene *s = *state;

    go_to(s, CAPACITY - RING_LINE);
    (void)ring_reserve(&s->writer, LONGEST);
    assert_nothing(s);
    assert_int_equal(ring_position(&s->reader), CAPACITY);
    publish(s, 10);
    assert_next(s, 10);
}

static void positions_and_numbers_have_64_bits(void **state)
{
    struct scene *s = *state;

    s->writer.number = s->reader.number = FAR * FAR / 3;
    go_to(s, FAR * CAPACITY - 5 * RING_LINE);
    for (int i = 0; i < 1000; i++) {
        publish(s, 1 + (size_t)i % LONGEST);
        assert_next(s, 1 + (size_t)i % LONGEST);
        drop_all(s);
    }
    assert_true(s->writer.head > FAR * CAPACITY);
    assert_int_equal(s->writer.number, FAR * FAR / 3 + 1000);
}

/* --- room --- */

static void a_full_ring_has_no_room(void **state)
{
    struct scene *s = *state;

    for (uint64_t i = 1; i < CAPACITY / RING_LINE; i++) { /* one line stays free */
        publish(s, 1);
    }
    assert_false(ring_has_room(&s->writer, 1));
    assert_false(ring_has_room(&s->writer, 0));
    ring_drop_oldest(&s->writer);
    assert_true(ring_has_room(&s->writer, 1));
    assert_false(ring_has_room(&s->writer, RING_LINE));
    publish(s, 1);
    assert_false(ring_has_room(&s->writer, 1));
}

/* An empty ring takes the longest record, wherever it begins; there may be three of them. */
static void the_longest_record_fits_at_each_offset(void **state)
{
    struct scene *s = *state;

    for (uint64_t offset = 0; offset < CAPACITY; offset += RING_LINE) {
        go_to(s, offset);
        assert_true(ring_has_room(&s->writer, LONGEST));
        publish(s, LONGEST);
        publish(s, LONGEST);
        assert_next(s, LONGEST);
        assert_next(s, LONGEST);
    }
}

/* However much is written over, a record stays that a reader can go to. */
static void writing_over_never_empties_the_ring(void **state)
{
    struct scene *s = *state;
    unsigned seed = 1;

    publish(s, LONGEST);
    for (int i = 0; i < 100000; i++) {
        size_t length = (size_t)rand_r(&seed) % (LONGEST + 1);

        while (!ring_has_room(&s->writer, length)) {
            ring_drop_oldest(&s->writer);
        }
        assert_non_null(ring_oldest(&s->writer));
        publish(s, length);
        assert_true(ring_seek_oldest(&s->reader) > 0);
    }
}

static void dropping_ends_at_the_head(void **state)
{
    struct scene *s = *state;

    go_to(s, CAPACITY - RING_LINE);
    (void)ring_reserve(&s->writer, LONGEST); /* a marker, and nothing behind it */
    assert_null(ring_oldest(&s->writer));
    ring_drop_oldest(&s->writer);
    assert_true(s->writer.tail <= s->writer.head);
    publish(s, 3);
    assert_next(s, 3);
}

/*
 * The record behind a wrap marker is held, and more is published: a reader that has not come past
 * the marker yet still finds that record.
 */
static void the_tail_does_not_pass_a_marker_before_its_record_goes(void **state)
{
    struct scene *s = *state;

    go_to(s, CAPACITY - RING_LINE);
    publish(s, 100);
    assert_non_null(ring_oldest(&s->writer)); /* as the daemon asks after each acknowledgement */
    publish(s, 5);
    assert_next(s, 100);
    assert_next(s, 5);
}

/* --- overtaken --- */

static void publish_over(struct scene *s, size_t length, int byte)
{
    while (!ring_has_room(&s->writer, length)) {
        ring_drop_oldest(&s->writer);
    }
    publish_bytes(s, length, byte);
}

static void who_is_overtaken_learns_it(void **state)
{
    struct scene *s = *state;
    const struct ring_record *record = NULL;

    publish(s, LONGEST);
    assert_int_equal(ring_look(&s->reader, &record), RING_RECORD);
    for (int i = 0; i < 4; i++) {
        publish_over(s, LONGEST, 'x');
    }
    assert_false(ring_copy(&s->reader, record, s->buffer, &s->length));
    assert_int_equal(ring_look(&s->reader, &record), RING_OVERTAKEN);
    assert_int_equal(ring_seek_oldest(&s->reader), 3);
    assert_int_equal(ring_look(&s->reader, &record), RING_RECORD);
}

static void a_length_that_cannot_be_is_not_believed(void **state)
{
    struct scene *s = *state;
    const struct ring_record *record = NULL;

    publish(s, 10);
    ring_writer_at(&s->writer, 0)->length = UINT32_MAX;
    assert_int_equal(ring_look(&s->reader, &record), RING_NOTHING);
    record = ring_peek(&s->reader);
    assert_false(ring_copy(&s->reader, record, s->buffer, &s->length));
}

/*
 * Runs read() in a child once for each of its instructions, and lets write() happen in between;
 * afterwards, fine() judges what read() has left in the scene. Returns how many instructions there
 * were, 0 if it was not fine. Where a child cannot be stepped through, the test is skipped.
 */
static long interleave(struct scene *s, void (*prepare)(struct scene *),
                       void (*read)(struct scene *), void (*write)(struct scene *),
                       bool (*fine)(struct scene *))
{
    for (long steps = 1;; steps++) {
        int status;
        pid_t pid;

        prepare(s);
        s->done = false;
        pid = child_start();
        if (pid == 0) {
            if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
                (void)raise(SIGSTOP);
                read(s);
                *(volatile bool *)&s->done = true;
            }
            _exit(0);
        }
        for (long i = 0; i <= steps; i++) {
            if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
                skip();
            }
            if (*(volatile bool *)&s->done) {
                child_end(pid);
                return steps;
            }
            if (i < steps && ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) {
                child_end(pid);
                skip();
            }
        }
        write(s);
        if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || child_wait(pid) != 0 || !fine(s)) {
            return 0;
        }
    }
}

static void prepare_ring(struct scene *s)
{
    memset(s->segment, 0xff, SIZE);
    ring_format(&s->writer, s->segment, SIZE, epoch, RING_OVERWRITE, 1);
    (void)ring_attach(&s->reader, s->segment, SIZE);
    s->reader.number = 1;
    s->look = RING_NOTHING;
    s->copied = false;
}

/* Record 2 is at the tail, on the second line, and the next record will begin on the first. */
static void prepare_seek(struct scene *s)
{
    prepare_ring(s);
    publish_over(s, 1, 'a');
    for (int i = 0; i < 3; i++) {
        publish_over(s, LONGEST, 'a');
    }
    publish_over(s, LONGEST - RING_LINE, 'a');
    assert_int_equal(s->writer.head, CAPACITY);
    assert_int_equal(s->writer.header->tail, RING_LINE);
}

static void seek(struct scene *s)
{
    (void)ring_seek_oldest(&s->reader);
}

/* Over record 2 come bytes that look like wrap markers; their record is not there yet. */
static void write_half(struct scene *s)
{
    while (!ring_has_room(&s->writer, LONGEST)) {
        ring_drop_oldest(&s->writer);
    }
    memset(ring_reserve(&s->writer, LONGEST), 0xff, LONGEST);
}

static void write_whole(struct scene *s)
{
    write_half(s);
    (void)ring_commit(&s->writer, LONGEST);
}

/* The oldest is 2, before it was written over, or else 3. */
static bool sought(struct scene *s)
{
    const uint64_t *places = (const uint64_t[]){0, 0, 1, 16}; /* in lines */

    return (s->reader.number == 2 || s->reader.number == 3) &&
           ring_position(&s->reader) == places[s->reader.number] * RING_LINE;
}

/* "Goes to the oldest record that is whole." */
static void who_seeks_the_oldest_while_it_is_written_over_finds_it(void **state)
{
    assert_true(interleave(*state, prepare_seek, seek, write_half, sought) > 1);
    assert_true(interleave(*state, prepare_seek, seek, write_whole, sought) > 1);
}

static void prepare_copy(struct scene *s)
{
    prepare_ring(s);
    publish_over(s, 40, 'a');
    publish_over(s, LONGEST, 'b');
}

static void look_and_copy(struct scene *s)
{
    const struct ring_record *record = NULL;

    s->look = ring_look(&s->reader, &record);
    s->copied = s->look == RING_RECORD && ring_copy(&s->reader, record, s->buffer, &s->length);
}

static void write_over(struct scene *s)
{
    for (int i = 0; i < 4; i++) {
        publish_over(s, LONGEST, i % 2 ? 0 : 1);
    }
}

static bool whole_or_overtaken(struct scene *s)
{
    if (!s->copied) {
        return s->look != RING_NOTHING;
    }
    for (size_t i = 0; i < s->length; i++) {
        if (s->buffer[i] != 'a') {
            return false;
        }
    }
    return s->length == 40;
}

/* P2: "never returns torn bytes". */
static void what_is_copied_while_it_is_written_over_is_whole_or_nothing(void **state)
{
    assert_true(interleave(*state, prepare_copy, look_and_copy, write_over, whole_or_overtaken) >
                1);
}

static void duplicate(void *userdata)
{
    struct scene *s = userdata;

    ring_duplicate(s->buffer, s->segment, SIZE);
}

static bool all_or_none_is_there(void *userdata)
{
    const struct scene *s = userdata;
    struct ring_reader reader;

    return ring_attach(&reader, s->buffer, SIZE) < 0 || memcmp(s->buffer, s->segment, SIZE) == 0;
}

/* P1: whoever attaches the segment to which a ring is copied finds each record whole. */
static void a_ring_is_copied_as_a_whole(void **state)
{
    struct scene *s = *state;
    long steps;

    publish(s, 40);
    publish(s, LONGEST);
    memset(s->buffer, 0xff, SIZE);
    steps = step_through(duplicate, all_or_none_is_there, s);
    if (steps < 0) {
        SKIP("no process can be stepped through");
    }
    assert_true(steps > 0);
    assert_memory_equal(s->buffer, s->segment, SIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-ring")
{
    const struct CMUnitTest tests[] = {
        TEST(a_formatted_ring_says_what_it_is),
        TEST(what_is_no_ring_is_not_attached),
        TEST(a_capacity_is_four_times_a_number_of_lines),
        TEST(the_longest_record_of_the_largest_ring_can_say_its_length),
        TEST(records_come_in_order_and_whole),
        TEST(a_record_of_no_bytes_is_one),
        TEST(what_is_reserved_is_not_there),
        TEST(each_length_fits_at_each_offset),
        TEST(a_marker_leads_on_before_its_record_is_there),
        TEST(positions_and_numbers_have_64_bits),
        TEST(a_full_ring_has_no_room),
        TEST(the_longest_record_fits_at_each_offset),
        TEST(writing_over_never_empties_the_ring),
        TEST(dropping_ends_at_the_head),
        TEST(the_tail_does_not_pass_a_marker_before_its_record_goes),
        TEST(who_is_overtaken_learns_it),
        TEST(a_length_that_cannot_be_is_not_believed),
        TEST(who_seeks_the_oldest_while_it_is_written_over_finds_it),
        TEST(what_is_copied_while_it_is_written_over_is_whole_or_nothing),
        TEST(a_ring_is_copied_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
