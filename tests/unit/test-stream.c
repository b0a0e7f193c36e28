/* SPDX-License-Identifier: MIT
 *
 * The daemon's side of a ring: when it wants a record, what it writes over, what it remembers, and
 * what the next daemon makes of it. The segment is memory, with nothing behind it: whoever reads
 * beyond its end dies.
 */
#include "base/clock.h"
#include "daemon/stream.h"
#include "proto/reader.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define SIZE     ((size_t)4096)
#define LARGE    ((size_t)256 << 10)
#define HUGE     ((size_t)64 << 20)
#define CAPACITY ((uint64_t)3840)
#define LONGEST  ((size_t)ring_length_max(CAPACITY))
#define HALF     (CAPACITY / 2 / RING_LINE) /* shortest records in half of the ring */
#define ID       7

/* What outlives a daemon. */
struct fixture {
    char *map; /* of `size`, and a page that nobody may touch */
    size_t size;
    struct state_file *file;
    struct segment segment;
    struct state state;
    struct stream stream;
    struct ring_reader reader;
    size_t lengths[1000]; /* of what was published, by number */
    enum ring_when_full when_full;
};

static int set_up_size(void **state, size_t size)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->size = size;
    f->map = shared_new(size + SIZE);
    f->file = shared_new(sizeof(*f->file));
    if (mprotect(f->map + size, SIZE, PROT_NONE) < 0) {
        return -1;
    }
    f->segment = (struct segment){.key = 1, .id = ID, .size = size, .map = f->map};
    f->state = (struct state){.file = f->file};
    memset(&f->file->epoch, 0x5a, sizeof(f->file->epoch));
    f->file->segment_id = -1;
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_size(state, SIZE);
}

static int set_up_large(void **state)
{
    return set_up_size(state, LARGE);
}

static int set_up_huge(void **state)
{
    return set_up_size(state, HUGE);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stream_close(&f->stream);
    (void)munmap(f->map, f->size + SIZE);
    (void)munmap(f->file, sizeof(*f->file));
    free(f);
    return 0;
}

/* Opens a ring. *ret_kept: it goes on with what was there, and did not begin an empty one. */
static int open_ring(struct fixture *f, bool *ret_kept)
{
    struct ring_header *header = (struct ring_header *)(void *)f->map;
    uint32_t generation = header->generation;
    int r;

    r = stream_new(&f->stream, f->segment.size, f->when_full);
    if (r == 0) {
        stream_open(&f->stream, &f->segment, &f->state);
    }
    *ret_kept = f->stream.writer.head > 0;
    if (r == 0 && (header->generation != generation + 1 || header->state != RING_OPEN)) {
        return -EPROTO; /* its readers are not told */
    }
    return r;
}

/* As a daemon begins. True: it went on with what was there. */
static bool start(struct fixture *f, enum ring_when_full when_full)
{
    bool kept;

    f->when_full = when_full;
    assert_int_equal(open_ring(f, &kept), 0);
    f->file->segment_id = ID;
    return kept;
}

/* As a daemon ends, and the next one begins. */
static bool start_again(struct fixture *f)
{
    stream_close(&f->stream);
    return start(f, f->when_full);
}

/* True: what was added is to be shown. */
static bool add(struct fixture *f, size_t length)
{
    char bytes[SIZE];
    uint64_t number = stream_added(&f->stream) + 1;

    memset(bytes, (int)(number & 0x7f), length);
    f->lengths[number % 1000] = length;
    memcpy(stream_place(&f->stream, length), bytes, length);
    return stream_add(&f->stream, length);
}

static void publish(struct fixture *f, size_t length)
{
    uint64_t number = stream_newest(&f->stream) + 1;

    assert_true(add(f, length));
    stream_show(&f->stream);
    assert_int_equal(stream_newest(&f->stream), number);
    assert_int_equal(state_number(f->file), number);
}

/* As long as it wants any; how many that were. */
static uint64_t fill(struct fixture *f, uint64_t fastest)
{
    uint64_t count = 0;

    while (stream_wants(&f->stream, fastest)) {
        publish(f, 1);
        count++;
        assert_true(count < 1000);
    }
    return count;
}

/* A reader comes, to get this record first. */
static void join(struct fixture *f, uint64_t number)
{
    assert_int_equal(ring_attach(&f->reader, f->map, f->size), 0);
    ring_reader_go(&f->reader, stream_position(&f->stream, number));
    f->reader.number = number;
}

static void assert_next(struct fixture *f)
{
    const struct ring_record *record = ring_peek(&f->reader);
    uint64_t number = f->reader.number;

    assert_int_equal(ring_look(&f->reader, &record), RING_RECORD);
    assert_int_equal(ring_length(record), f->lengths[number % 1000]);
    for (size_t i = 0; i < ring_length(record); i++) {
        assert_int_equal(record->bytes[i], (char)(number & 0x7f));
    }
    ring_advance(&f->reader, f->lengths[number % 1000]);
}

static void assert_end(struct fixture *f)
{
    const struct ring_record *record = NULL;

    assert_int_equal(f->reader.number, stream_newest(&f->stream) + 1);
    assert_int_equal(ring_look(&f->reader, &record), RING_NOTHING);
}

/* Records first… are there, whole. */
static void assert_held(struct fixture *f, uint64_t first)
{
    assert_int_equal(stream_oldest(&f->stream), first);
    for (uint64_t number = first; number <= stream_newest(&f->stream) + 1; number++) {
        join(f, number);
        while (f->reader.number <= stream_newest(&f->stream)) {
            assert_next(f);
        }
        assert_end(f);
    }
}

/* --- publishing --- */

static void an_empty_ring_is_made(void **state)
{
    struct fixture *f = *state;

    assert_false(start(f, RING_WAIT));
    assert_int_equal(f->stream.writer.header->state, RING_OPEN);
    assert_memory_equal(f->stream.writer.header->epoch, &f->file->epoch, 16);
    assert_int_equal(stream_newest(&f->stream), 0);
    assert_held(f, 1);
}

static void numbers_go_on_from_the_state(void **state)
{
    struct fixture *f = *state;

    state_enter(f->file, 41, PHASE_EMPTY);
    assert_false(start(f, RING_WAIT));
    publish(f, 5);
    assert_int_equal(stream_newest(&f->stream), 42);
    assert_held(f, 42);
}

static void each_held_record_is_where_it_is_said_to_be(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 7;
    uint64_t released = 0;

    (void)start(f, RING_WAIT);
    for (int i = 0; i < 900; i++) {
        while (!stream_wants(&f->stream, 0)) {
            stream_release(&f->stream, ++released);
        }
        publish(f, (size_t)rand_r(&seed) % (i % 5 ? 200 : LONGEST + 1));
        assert_held(f, released + 1);
    }
}

static void bytes_and_times_are_remembered(void **state)
{
    struct fixture *f = *state;
    uint64_t total = 0;

    (void)start(f, RING_WAIT);
    for (size_t length = 10; length < 20; length++) {
        publish(f, length);
        total += length;
        assert_int_equal(stream_bytes(&f->stream, 1, length - 9), total);
        assert_int_equal(stream_bytes(&f->stream, length - 9, length - 9), length);
        assert_true(stream_usec(&f->stream, length - 9) > 0);
    }
}

static void the_longest_record_goes_through(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 20; i++) {
        publish(f, LONGEST);
        publish(f, 0);
        join(f, stream_newest(&f->stream) - 1);
        assert_next(f);
        assert_next(f);
        assert_end(f);
    }
}

/* --- groups --- */

/* How many records of this length come before they have to be shown. */
static uint64_t group_of(struct fixture *f, size_t length)
{
    const struct ring_record *record = NULL;
    uint64_t before = stream_newest(&f->stream), count = 0;

    join(f, before + 1);
    stream_begin(&f->stream, 0);
    do {
        assert_true(stream_wants(&f->stream, before));
        count++;
    } while (!add(f, length));
    assert_int_equal(stream_newest(&f->stream), before);
    assert_int_equal(stream_added(&f->stream), before + count);
    if (f->stream.when_full == RING_WAIT) {
        assert_int_equal(stream_oldest(&f->stream), before + 1);
    }
    assert_int_equal(state_number(f->file), before);
    assert_int_equal(ring_look(&f->reader, &record), RING_NOTHING);
    stream_show(&f->stream);
    (void)stream_end(&f->stream);
    assert_int_equal(stream_newest(&f->stream), before + count);
    assert_int_equal(state_number(f->file), before + count);
    for (uint64_t i = 0; i < count; i++) {
        assert_next(f);
    }
    assert_end(f);
    stream_release(&f->stream, before + count);
    return count;
}

/* "At most so many records, and not more than a quarter of the ring." */
static void records_that_follow_at_once_are_shown_together(void **state)
{
    struct fixture *f = *state;
    size_t quarter = CAPACITY / 4 / RING_LINE;

    (void)start(f, RING_WAIT);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(group_of(f, 1), quarter);
        assert_in_range(group_of(f, 100), quarter / 2, quarter / 2 + 1); /* a marker counts */
        assert_int_equal(group_of(f, LONGEST), 1);
    }
}

/* With and without a line to itself, and with what fills a line. */
static void there_are_groups_of_records_of_any_length(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    for (size_t length = 0; length < 200; length++) {
        assert_in_range(group_of(f, length), 1, STREAM_GROUP_MAX);
    }
}

/* … nor more than 16 KiB, in a large one. Killed before its state knows of a whole group, it goes
 * on. */
static void no_group_is_larger_than_the_next_daemon_expects(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    assert_int_equal(group_of(f, 1), STREAM_GROUP_MAX);
    assert_int_equal(group_of(f, 1000), 16);
    assert_int_equal(group_of(f, 1), STREAM_GROUP_MAX);
    state_enter(f->file, STREAM_GROUP_MAX + 16, PHASE_EMPTY);
    assert_true(start_again(f));
    assert_int_equal(stream_newest(&f->stream), 2 * STREAM_GROUP_MAX + 16);
}

/* All that readers can see could be written over before a group is shown. */
static void where_records_are_written_over_there_are_no_groups(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(group_of(f, 1), 1);
    }
}

/* --- wait --- */

static void a_ring_that_waits_writes_over_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t count;

    (void)start(f, RING_WAIT);
    count = fill(f, 0);
    assert_true(count > CAPACITY / RING_LINE / 2);
    assert_held(f, 1);
    assert_int_equal(fill(f, count), 0); /* however fast the fastest is */
}

static void what_is_released_makes_room(void **state)
{
    struct fixture *f = *state;
    uint64_t count;

    (void)start(f, RING_WAIT);
    count = fill(f, 0);
    stream_release(&f->stream, 10);
    assert_int_equal(f->file->released, 10);
    assert_held(f, 11);
    assert_true(fill(f, 0) > 0);
    assert_held(f, 11);
    stream_release(&f->stream, 5); /* never backwards */
    assert_int_equal(f->file->released, 10);
    stream_release(&f->stream, count);
    assert_held(f, count + 1);
    stream_release(&f->stream, UINT64_MAX);
    assert_held(f, stream_newest(&f->stream) + 1);
}

/*
 * A reader that has acknowledged everything stands where a wrap marker comes. It finds the record
 * behind it, whatever is released and published meanwhile.
 */
static void what_is_released_stays_until_it_is_written_over(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 10; i++) {
        publish(f, 10);
    }
    (void)stream_release(&f->stream, 10);
    assert_int_equal(f->file->released, 10);
    assert_held(f, 1);
    publish(f, 10);
    assert_held(f, 1);
    assert_int_equal(atomic_load(&f->stream.writer.header->tail),
                     0); /* for who reads by key, too */
}

static void who_stands_at_a_wrap_marker_is_led_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    while (f->stream.writer.head < CAPACITY - RING_LINE) {
        publish(f, 1);
        stream_release(&f->stream, stream_newest(&f->stream));
    }
    join(f, stream_newest(&f->stream) + 1);
    publish(f, 300);
    stream_release(&f->stream, stream_newest(&f->stream) - 1);
    publish(f, 1);
    assert_next(f);
    assert_next(f);
    assert_end(f);
}

/* ... and the next daemon. */
static void who_stands_at_a_wrap_marker_is_led_on_after_a_restart(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    while (f->stream.writer.head < CAPACITY - RING_LINE) {
        publish(f, 1);
        stream_release(&f->stream, stream_newest(&f->stream));
    }
    join(f, stream_newest(&f->stream) + 1);
    publish(f, 300);
    assert_true(start_again(f));
    publish(f, 1);
    assert_next(f);
    assert_next(f);
    assert_end(f);
}

/* --- overwrite --- */

/* "With no subscriber at all, the ring fills up once, and waits." */
static void without_subscribers_a_ring_fills_up_once(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    assert_int_equal(fill(f, 0), HALF);
    assert_int_equal(fill(f, 0), 0);
}

/* "The fastest subscriber drives the source." */
static void the_fastest_drives(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    (void)fill(f, 0);
    for (uint64_t fastest = 1; fastest < 500; fastest++) {
        assert_int_equal(fill(f, fastest), 1);
    }
    assert_true(stream_oldest(&f->stream) > 400);
    assert_held(f, stream_oldest(&f->stream));
}

static void what_is_lost_is_counted_exactly(void **state)
{
    struct fixture *f = *state;
    const struct ring_record *record = NULL;
    unsigned seed = 3;

    (void)start(f, RING_OVERWRITE);
    join(f, 1);
    for (int i = 0; i < 500; i++) {
        publish(f, (size_t)rand_r(&seed) % (LONGEST + 1));
    }
    assert_int_equal(ring_look(&f->reader, &record), RING_OVERTAKEN);
    assert_int_equal(ring_seek_oldest(&f->reader), stream_oldest(&f->stream));
    while (f->reader.number <= 500) {
        assert_next(f);
    }
    assert_end(f);
}

/*
 * All have acknowledged a record, and one comes back who has it to get all the same: it stands
 * there until it is written over. Nobody finds himself before the record that he expects.
 */
static void who_comes_back_for_less_finds_it_or_was_overtaken(void **state)
{
    struct fixture *f = *state;
    const struct ring_record *record = NULL;
    uint64_t found = 0;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 100; i++) {
        publish(f, i % 40 ? 10 : LONGEST / 2);
    }
    stream_release(&f->stream, 95);
    for (uint64_t number = 1; number <= 100; number++) {
        join(f, number);
        if (ring_look(&f->reader, &record) == RING_OVERTAKEN) {
            assert_true(ring_seek_oldest(&f->reader) > number);
            continue;
        }
        found++;
        while (f->reader.number <= 100) {
            assert_next(f);
        }
        assert_end(f);
    }
    assert_true(found > 5);
}

/* Nobody knows any more how many bytes the lost ones had; but it is no absurd number. */
static void the_bytes_of_what_was_lost_are_not_absurd(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 500; i++) {
        publish(f, 10);
    }
    for (uint64_t first = 1; first <= 500; first++) {
        for (uint64_t last = first; last <= 500; last++) {
            assert_true(stream_bytes(&f->stream, first, last) <= (last - first + 1) * 10);
        }
    }
}

/* When it was published, is forgotten with it; but it was before what is known, not long ago. */
static void the_time_of_what_was_lost_is_not_absurd(void **state)
{
    struct fixture *f = *state;
    uint64_t begun = clock_usec();
    uint64_t oldest;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 500; i++) {
        publish(f, 10);
    }
    oldest = stream_oldest(&f->stream);
    for (int daemons = 0; daemons < 2; daemons++) {
        for (uint64_t number = 1; number < oldest; number++) {
            assert_true(stream_usec(&f->stream, number) <= stream_usec(&f->stream, oldest));
            assert_true(stream_usec(&f->stream, number) >= begun);
        }
        assert_true(start_again(f));
    }
}

/* Pages of what is remembered that there is memory for; not counting the first and the last. */
static size_t pages_of_traces(const struct fixture *f)
{
    size_t length = (f->stream.mask + 1) * sizeof(*f->stream.traces);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = length / page - 1, found = 0;
    CLEANUP(free_cleanup) unsigned char *resident = malloc(count);
    uintptr_t from = ((uintptr_t)f->stream.traces + page - 1) / page * page;

    assert_non_null(resident);
    assert_int_equal(mincore((void *)from, count * page, resident), 0);
    for (size_t i = 0; i < count; i++) {
        found += resident[i] & 1;
    }
    return found;
}

/* A ring may be one of gigabytes, and others wait while it is opened. */
static void what_is_remembered_takes_memory_as_records_come(void **state)
{
    struct fixture *f = *state;
    size_t most = ((size_t)2 << 20) / (size_t)sysconf(_SC_PAGESIZE); /* of huge pages, one */

    (void)start(f, RING_WAIT);
    publish(f, 10);
    assert_in_range(pages_of_traces(f), 0, most);
    assert_true(start_again(f));
    assert_in_range(pages_of_traces(f), 0, most);
    assert_true(clock_usec() - stream_usec(&f->stream, 1) < PATIENCE_USEC);
}

/* --- taken over --- */

static void the_next_daemon_goes_on(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 5;

    (void)start(f, RING_WAIT);
    for (int i = 0; i < 300; i++) {
        uint64_t oldest, newest = stream_newest(&f->stream);

        while (stream_wants(&f->stream, 0)) {
            publish(f, (size_t)rand_r(&seed) % 300);
            newest++;
        }
        oldest = stream_oldest(&f->stream);
        assert_true(start_again(f));
        assert_int_equal(stream_newest(&f->stream), newest);
        assert_held(f, oldest);
        for (uint64_t number = oldest; number <= newest; number++) {
            assert_int_equal(stream_bytes(&f->stream, number, number), f->lengths[number % 1000]);
        }
        stream_release(&f->stream, oldest + (uint64_t)i % (newest - oldest + 2) - 1);
    }
}

/* What all have acknowledged does not come back, even if nothing was published since. */
static void what_was_released_stays_so(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    (void)fill(f, 0);
    stream_release(&f->stream, 20);
    assert_true(start_again(f));
    assert_held(f, 21);
    stream_release(&f->stream, stream_newest(&f->stream));
    assert_true(start_again(f));
    assert_held(f, stream_newest(&f->stream) + 1);
}

/* The record was committed, and the daemon killed before its state said so. */
static void a_commit_counts_before_the_state_knows_it(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    publish(f, 10);
    publish(f, 20);
    state_enter(f->file, 1, PHASE_EMPTY);
    assert_true(start_again(f));
    assert_int_equal(stream_newest(&f->stream), 2);
    assert_int_equal(state_number(f->file), 2);
    assert_held(f, 1);
}

static void restart_without_keeping(struct fixture *f)
{
    uint64_t newest = state_number(f->file);

    assert_false(start_again(f));
    assert_int_equal(stream_newest(&f->stream), newest); /* no number comes twice */
    publish(f, 1);
    assert_held(f, newest + 1);
}

static struct ring_header *prepare(struct fixture *f)
{
    (void)start(f, RING_WAIT);
    for (int i = 0; i < 10; i++) {
        publish(f, 10);
    }
    return f->stream.writer.header;
}

static void a_ring_of_another_epoch_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)prepare(f);
    memset(&f->file->epoch, 0x11, sizeof(f->file->epoch));
    restart_without_keeping(f);
}

static void a_ring_of_another_kind_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)prepare(f);
    f->when_full = RING_OVERWRITE;
    restart_without_keeping(f);
}

static void another_segment_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)prepare(f);
    f->file->segment_id = ID + 1;
    restart_without_keeping(f);
}

static void a_damaged_header_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    prepare(f)->magic = 0;
    restart_without_keeping(f);
    f->stream.writer.header->capacity = 1;
    restart_without_keeping(f);
    f->stream.writer.header->version = 99;
    restart_without_keeping(f);
}

/* A tail where no record can begin. */
static void a_tail_that_cannot_be_is_not_taken_over(void **state)
{
    static const uint64_t tails[] = {1, CAPACITY - 1, CAPACITY - 8, UINT64_MAX, 63, 65};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        prepare(f)->tail = tails[i];
        restart_without_keeping(f);
        stream_close(&f->stream);
    }
}

/* The chain of records ends before what the state knows was published. */
static void a_ring_that_ends_too_early_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)prepare(f);
    ring_writer_at(&f->stream.writer, 5 * RING_LINE)->number = 77;
    restart_without_keeping(f);
}

/* A group may have been shown, and not be known yet; more than that is none of its. */
static void a_ring_that_is_ahead_of_the_state_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    for (int i = 0; i < STREAM_GROUP_MAX + 1; i++) {
        publish(f, 10);
    }
    state_enter(f->file, 1, PHASE_EMPTY);
    assert_true(start_again(f));
    assert_int_equal(stream_newest(&f->stream), STREAM_GROUP_MAX + 1);
    state_enter(f->file, 0, PHASE_EMPTY);
    assert_false(start_again(f));
}

/* Where there are no groups, it is one record. */
static void nor_is_one_that_is_written_over_and_further_ahead(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_OVERWRITE);
    for (int i = 0; i < 3; i++) {
        publish(f, 10);
    }
    state_enter(f->file, 2, PHASE_EMPTY);
    assert_true(start_again(f));
    state_enter(f->file, 1, PHASE_EMPTY);
    assert_false(start_again(f));
}

/* Killed after it had shown a record, and before it said where the next one will be. */
static void the_header_catches_up_with_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct ring_header *header;
    uint64_t before;

    (void)start(f, RING_WAIT);
    publish(f, 10);
    header = f->stream.writer.header;
    before = header->head;
    publish(f, 10);
    header->head = before;
    assert_true(start_again(f));
    assert_int_equal(header->head, 2 * RING_LINE);
}

/* Somebody's marker behind the last record of a full ring leads to the oldest one's place. */
static void a_marker_where_there_is_no_room_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    while (ring_has_room(&f->stream.writer, 1)) {
        publish(f, 1);
    }
    assert_int_equal(f->stream.writer.head, CAPACITY - RING_LINE);
    ring_writer_head(&f->stream.writer)->number = RING_WRAP;
    restart_without_keeping(f);
}

/* Records that lead round and round. */
static void a_ring_without_an_end_is_not_taken_over(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    for (uint64_t i = 0; i < CAPACITY / RING_LINE; i++) {
        struct ring_record *record = ring_writer_at(&f->stream.writer, i * RING_LINE);

        record->number = i + 1;
        record->length = 1;
    }
    state_enter(f->file, CAPACITY / RING_LINE, PHASE_EMPTY);
    restart_without_keeping(f);
}

static void the_end_is_told(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING_WAIT);
    stream_announce(&f->stream, RING_SUPERSEDED);
    assert_int_equal(((struct ring_header *)(void *)f->map)->state, RING_SUPERSEDED);
    stream_close(&f->stream);
    stream_announce(&f->stream, RING_CLOSED); /* it is closed: nothing happens */
    assert_int_equal(((struct ring_header *)(void *)f->map)->state, RING_SUPERSEDED);
}

/* --- killed at any instruction --- */

/* Where several may become visible together, several; else one. */
static size_t several(const struct fixture *f)
{
    return f->when_full == RING_WAIT ? 3 : 1;
}

static void publish_several(void *userdata)
{
    struct fixture *f = userdata;
    static const char bytes[200] = {1};

    stream_begin(&f->stream, 1);
    for (size_t i = 0; i < several(f); i++) {
        memcpy(stream_place(&f->stream, sizeof(bytes)), bytes, sizeof(bytes));
        (void)stream_add(&f->stream, sizeof(bytes));
    }
    stream_show(&f->stream);
}

/* A next daemon would find all that was held, and perhaps the new ones, all of them; and go on. */
static bool goes_on(void *userdata)
{
    const struct fixture *f = userdata;
    struct fixture next = {.segment = f->segment, .size = f->size, .when_full = f->when_full};
    static char map[SIZE] __attribute__((aligned(64)));
    static struct state_file file;
    uint64_t before = stream_newest(&f->stream), newest, oldest;
    struct stream dead = f->stream; /* as it was before */
    bool kept, fine;

    memcpy(map, f->map, SIZE);
    memcpy(&file, f->file, offsetof(struct state_file, acklog)); /* the rest is not the ring's */
    next.map = next.segment.map = map;
    next.file = next.state.file = &file;
    if (open_ring(&next, &kept) < 0) {
        return false;
    }
    newest = stream_newest(&next.stream);
    oldest = stream_oldest(&next.stream);
    fine = kept && (newest == before || newest == before + several(f)) &&
           (f->when_full == RING_OVERWRITE ? oldest <= before : oldest == stream_oldest(&dead)) &&
           stream_position(&next.stream, newest + 1) == next.stream.writer.head;
    stream_close(&next.stream);
    return fine;
}

static void kill_anywhere(struct fixture *f, enum ring_when_full when_full)
{
    long steps;

    (void)start(f, when_full);
    if (when_full == RING_WAIT) { /* a wrap, with some released, and some held */
        while (f->stream.writer.head < CAPACITY - 6 * RING_LINE) {
            publish(f, 1);
        }
        stream_release(&f->stream, 20);
    } else { /* one that writes over others */
        for (int i = 0; i < 70; i++) {
            publish(f, 1);
        }
    }
    steps = step_through(publish_several, goes_on, f);
    if (steps < 0) {
        skip(); /* a child cannot be traced here */
    }
    assert_true(steps > 10);
}

static void killed_anywhere_a_ring_that_waits_goes_on(void **state)
{
    kill_anywhere(*state, RING_WAIT);
}

static void killed_anywhere_a_ring_that_is_written_over_goes_on(void **state)
{
    kill_anywhere(*state, RING_OVERWRITE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-stream")
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_ring_is_made),
        TEST(numbers_go_on_from_the_state),
        TEST(each_held_record_is_where_it_is_said_to_be),
        TEST(bytes_and_times_are_remembered),
        TEST(the_longest_record_goes_through),
        TEST(records_that_follow_at_once_are_shown_together),
        TEST(there_are_groups_of_records_of_any_length),
        cmocka_unit_test_setup_teardown(no_group_is_larger_than_the_next_daemon_expects,
                                        set_up_large, tear_down),
        TEST(where_records_are_written_over_there_are_no_groups),
        TEST(a_ring_that_waits_writes_over_nothing),
        TEST(what_is_released_makes_room),
        TEST(what_is_released_stays_until_it_is_written_over),
        TEST(who_stands_at_a_wrap_marker_is_led_on),
        TEST(who_stands_at_a_wrap_marker_is_led_on_after_a_restart),
        TEST(without_subscribers_a_ring_fills_up_once),
        TEST(the_fastest_drives),
        TEST(what_is_lost_is_counted_exactly),
        TEST(who_comes_back_for_less_finds_it_or_was_overtaken),
        TEST(the_bytes_of_what_was_lost_are_not_absurd),
        cmocka_unit_test_setup_teardown(what_is_remembered_takes_memory_as_records_come,
                                        set_up_huge, tear_down),
        TEST(the_time_of_what_was_lost_is_not_absurd),
        TEST(the_next_daemon_goes_on),
        TEST(what_was_released_stays_so),
        TEST(a_commit_counts_before_the_state_knows_it),
        TEST(a_ring_of_another_epoch_is_not_taken_over),
        TEST(a_ring_of_another_kind_is_not_taken_over),
        TEST(another_segment_is_not_taken_over),
        TEST(a_damaged_header_is_not_taken_over),
        TEST(a_tail_that_cannot_be_is_not_taken_over),
        TEST(a_ring_that_ends_too_early_is_not_taken_over),
        TEST(a_ring_that_is_ahead_of_the_state_is_not_taken_over),
        TEST(nor_is_one_that_is_written_over_and_further_ahead),
        TEST(the_header_catches_up_with_what_is_there),
        TEST(a_marker_where_there_is_no_room_is_not_taken_over),
        TEST(a_ring_without_an_end_is_not_taken_over),
        TEST(the_end_is_told),
        TEST(killed_anywhere_a_ring_that_waits_goes_on),
        TEST(killed_anywhere_a_ring_that_is_written_over_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
