/* SPDX-License-Identifier: MIT
 *
 * The record in the segment and its image. Neither a segment nor a file is needed: both are memory.
 */
#include "daemon/record.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SIZE    ((size_t)27)
#define LARGE   (2 * RECORD_SLICE + 1000)
#define ENTRIES 4 /* of the log's queue, at most */
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

struct fixture {
    struct record record;
    struct segment segment;
    struct state state;
};

static void resize(struct fixture *f, size_t size)
{
    free(f->segment.map);
    free(f->state.image);
    f->segment.map = calloc(1, size);
    f->state.image = calloc(1, size);
    f->segment.size = size;
    f->state.file->image_size = size;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f) {
        return -1;
    }
    *state = f;
    f->state.file = calloc(1, sizeof(*f->state.file));
    if (!f->state.file) {
        return -1;
    }
    resize(f, SIZE);
    f->segment.key = 5678;
    f->segment.id = 7;
    f->state.file->segment_id = -1;
    f->record = (struct record){.segment = &f->segment, .state = &f->state};
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    free(f->segment.map);
    free(f->state.image);
    free(f->state.file);
    free(f);
    return 0;
}

/* As a daemon begins. */
static void resume(struct fixture *f)
{
    record_resume(&f->record);
    f->state.file->segment_id = f->segment.id;
}

static void publish(struct fixture *f, const char *bytes)
{
    memcpy(record_place(&f->record, strlen(bytes)), bytes, strlen(bytes));
    record_publish(&f->record, strlen(bytes));
}

static void assert_found(struct fixture *f, bool acknowledged, bool scribbled)
{
    struct findings found = record_look(&f->record);

    assert_int_equal(found.acknowledged, acknowledged);
    assert_int_equal(found.scribbled, scribbled);
}

/* The segment holds the record, its NUL, and nothing else. */
static void assert_holds(struct fixture *f, const char *bytes)
{
    size_t length = strlen(bytes);

    assert_memory_equal(f->segment.map, bytes, length);
    for (size_t i = length; i < f->segment.size; i++) {
        assert_int_equal(f->segment.map[i], 0);
    }
}

static void assert_progress(struct fixture *f, uint64_t number, enum phase phase)
{
    assert_int_equal(state_number(f->state.file), number);
    assert_int_equal(state_phase(f->state.file), phase);
}

/* What is in the way of a daemon that dies: the phase is put back to what it was before. */
static void die_in(struct fixture *f, uint64_t number, enum phase phase)
{
    state_enter(f->state.file, number, phase);
}

static void there_is_no_record_at_first(void **state)
{
    struct fixture *f = *state;
    char buffer[SIZE];

    resume(f);
    assert_false(record_waits(&f->record));
    assert_found(f, false, false);
    assert_progress(f, 0, PHASE_EMPTY);
    assert_int_equal(plain_read(f->segment.map, SIZE, buffer), -EAGAIN);
}

/* "a record number, counted from 1" */
static void a_published_record_stands_in_the_segment(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    assert_true(record_waits(&f->record));
    assert_progress(f, 1, PHASE_PUBLISHED);
    assert_holds(f, LETTERS);
    assert_memory_equal(f->state.image, LETTERS, SIZE);
    assert_int_not_equal(f->state.file->published_usec, 0);
    assert_found(f, false, false);
}

/* The longest that a subscriber finds in its page, and the first that it has to look for. */
static void a_record_that_fits_stands_in_the_page(void **state)
{
    struct fixture *f = *state;
    struct page *page = calloc(1, sizeof(*page));
    char bytes[PAGE_RECORD_MAX + 2] = {0};

    assert_non_null(page);
    resize(f, sizeof(bytes));
    resume(f);
    memset(bytes, 'x', PAGE_RECORD_MAX);
    publish(f, bytes);
    record_describe(&f->record, page);
    assert_int_equal(page->length, PAGE_RECORD_MAX);
    assert_memory_equal(page->record, bytes, PAGE_RECORD_MAX);
    memset(bytes, 'y', PAGE_RECORD_MAX + 1);
    publish(f, bytes);
    record_describe(&f->record, page);
    assert_int_equal(page->length, PAGE_RECORD_MAX + 1);
    assert_int_equal(page->record[0], 'x');
    free(page);
}

static void an_acknowledgement_is_found_once(void **state)
{
    struct fixture *f = *state;
    struct ack ack;

    resume(f);
    publish(f, LETTERS);
    f->segment.map[0] = '*';
    assert_found(f, true, false);
    ack = record_ack(&f->record, 4242);
    assert_int_equal(ack.record_first, 1);
    assert_int_equal(ack.record_last, 1);
    assert_int_equal(ack.records, 1);
    assert_int_equal(ack.bytes, 26);
    assert_int_equal(ack.key, 5678);
    assert_int_equal(ack.segment_id, 7);
    assert_int_equal(ack.pid, 4242);
    assert_int_equal(ack.verified, 0);
    record_done(&f->record);
    assert_false(record_waits(&f->record));
    assert_progress(f, 1, PHASE_EMPTY);
    assert_found(f, false, false);
    publish(f, "next");
    assert_progress(f, 2, PHASE_PUBLISHED);
}

/* A clock that went back (another boot's number in the state) is no latency of 580,000 years. */
static void a_latency_is_never_negative(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "a");
    assert_in_range(record_ack(&f->record, 0).latency_usec, 0, 60000000);
    f->state.file->published_usec = UINT64_MAX;
    assert_int_equal(record_ack(&f->record, 0).latency_usec, 0);
}

static void a_shorter_record_clears_what_a_longer_one_left(void **state)
{
    struct fixture *f = *state;
    static const char *const records[] = {LETTERS, "short", "longer one", "x", LETTERS, "yz"};

    resume(f);
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        publish(f, records[i]);
        assert_holds(f, records[i]);
        assert_found(f, false, false);
        f->segment.map[0] = '*';
        record_done(&f->record);
    }
}

/* "If the segment's bytes differ from it (other than `*` at byte 0), … restore the record." */
static void a_scribble_is_found_and_restored(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "abcdef");
    /* Every byte: the first one, those of the record, its NUL and what is behind it. */
    for (size_t i = 0; i < SIZE; i++) {
        f->segment.map[i] = '!';
        assert_found(f, false, true);
        assert_holds(f, "abcdef");
        assert_found(f, false, false);
    }
    f->segment.map[0] = '\0';
    assert_found(f, false, true);
    assert_holds(f, "abcdef");
    assert_true(record_waits(&f->record));
}

static void an_acknowledgement_with_a_scribble_is_both(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "abcdef");
    memcpy(f->segment.map, "*bCdef", 6);
    assert_found(f, true, true);
    /* The acknowledgement is not overwritten: it is still to be logged. */
    assert_int_equal(f->segment.map[0], '*');
    assert_string_equal(f->segment.map + 1, "bcdef");
}

/* What stands behind a record that is done with is of no interest: the next one covers it. */
static void nothing_is_restored_without_a_record(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "abc");
    f->segment.map[0] = '*';
    record_done(&f->record);
    f->segment.map[1] = '!';
    assert_found(f, false, false);
    assert_string_equal(f->segment.map, "*!c");
    publish(f, "xyz");
    assert_holds(f, "xyz");
}

/* "a larger one is gone through in turns": each byte is compared in a bounded number of looks. */
static void a_large_segment_is_compared_slice_by_slice(void **state)
{
    struct fixture *f = *state;
    static const size_t places[] = {
        1,         RECORD_SLICE - 1, RECORD_SLICE, RECORD_SLICE + 1, 2 * RECORD_SLICE - 1,
        LARGE - 1, 2 * RECORD_SLICE, LARGE / 2,    LARGE - 1000};

    resize(f, LARGE);
    resume(f);
    publish(f, "abc");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        unsigned found = 0;

        f->segment.map[places[i]] = '!';
        for (unsigned look = 0; look < 3; look++) {
            found += record_look(&f->record).scribbled;
        }
        assert_int_equal(found, 1);
        assert_holds(f, "abc");
    }
    /* Byte 0 is looked at each time. */
    for (unsigned look = 0; look < 3; look++) {
        f->segment.map[0] = '!';
        assert_found(f, false, true);
    }
}

/* Sizes at which a slice ends just before, at or behind the end. */
static void slices_end_at_the_end_of_the_segment(void **state)
{
    static const size_t sizes[] = {2, RECORD_SLICE - 1, RECORD_SLICE, RECORD_SLICE + 1,
                                   2 * RECORD_SLICE};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        f->record.compared = 0;
        resize(f, sizes[i]);
        resume(f);
        publish(f, "a");
        for (unsigned look = 0; look < 5; look++) {
            assert_found(f, false, false);
            assert_true(f->record.compared < sizes[i]);
        }
        f->segment.map[sizes[i] - 1] = '!';
        assert_true(record_look(&f->record).scribbled || record_look(&f->record).scribbled);
        assert_holds(f, "a");
    }
}

/* A reload has put a smaller segment in the place of a large one, between two slices of it. */
static void a_smaller_segment_is_compared_from_its_begin(void **state)
{
    struct fixture *f = *state;

    resize(f, LARGE);
    resume(f);
    publish(f, "abc");
    assert_found(f, false, false);
    assert_true(f->record.compared > SIZE);
    resize(f, SIZE);
    f->state.file->extent = SIZE;
    f->state.file->record_length = 0;
    f->segment.id++;
    die_in(f, 1, PHASE_EMPTY);
    resume(f);
    publish(f, "xyz");
    assert_true(f->record.compared < SIZE); /* else the next look is beyond both */
    assert_found(f, false, false);
}

/* --- after a death --- */

static void killed_before_the_number_counts_the_record_is_made_anew(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    f->segment.map[0] = '*';
    record_done(&f->record);
    /* The next daemon's record was half filled in, and is not known. */
    memcpy(f->state.image, "half of ", 8);
    resume(f);
    assert_false(record_waits(&f->record));
    assert_progress(f, 1, PHASE_EMPTY);
    publish(f, "whole");
    assert_progress(f, 2, PHASE_PUBLISHED);
    assert_holds(f, "whole");
    assert_found(f, false, false);
}

/* "Killed in FILLED, the next daemon … publishes it if not", with the same number. */
static void killed_while_publishing_it_is_published_again(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    f->segment.map[0] = '*';
    record_done(&f->record);
    publish(f, "second");
    /* As if only some bytes had come to the segment. */
    die_in(f, 2, PHASE_FILLED);
    f->state.file->extent = SIZE;
    memcpy(f->segment.map, "**conefghijklmnopqrstuvwxyz", SIZE);
    resume(f);
    assert_progress(f, 2, PHASE_PUBLISHED);
    assert_holds(f, "second");
}

/* Killed right behind the store that publishes, a client was quicker than the next daemon. */
static void killed_when_it_was_published_it_is_not_published_again(void **state)
{
    static const char *const records[] = {"second", "s*cond", "s+cond", "s"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        resume(f);
        publish(f, records[i]);
        die_in(f, i + 1, PHASE_FILLED);
        f->segment.map[0] = '*';
        resume(f);
        assert_progress(f, i + 1, PHASE_PUBLISHED);
        assert_found(f, true, false);
        record_done(&f->record);
    }
}

/* --- taken back --- */

static void what_is_taken_back_is_read_by_nobody(void **state)
{
    struct fixture *f = *state;
    char buffer[SIZE];

    resume(f);
    publish(f, LETTERS);
    assert_true(record_withdraw(&f->record));
    assert_int_equal(plain_read(f->segment.map, SIZE, buffer), -EAGAIN);
    record_done(&f->record);
    assert_progress(f, 1, PHASE_EMPTY);
    publish(f, "next");
    assert_holds(f, "next");
}

/* An anonymous client was quicker: that is to be logged. */
static void an_acknowledgement_is_not_taken_back(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    f->segment.map[0] = '*';
    assert_false(record_withdraw(&f->record));
}

/* Somebody scribbles at the same time. */
static void what_was_scribbled_on_is_taken_back_too(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    f->segment.map[0] = f->segment.map[1] = '!';
    assert_true(record_withdraw(&f->record));
    assert_int_equal(plain_first(f->segment.map), PLAIN_ACKNOWLEDGED);
}

/* "killed in PUBLISHED, it … publishes again what was just being withdrawn": no '*' of a client. */
static void killed_while_it_is_taken_back_it_stands_again(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    assert_true(record_withdraw(&f->record));
    resume(f);
    assert_progress(f, 1, PHASE_PUBLISHED);
    assert_found(f, false, false);
    assert_holds(f, LETTERS);
}

/* … and while it is closed: another segment was about to take its place. */
static void killed_while_it_is_closed_it_stands_again(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    assert_true(record_close(&f->record));
    resume(f);
    assert_progress(f, 1, PHASE_PUBLISHED);
    assert_found(f, false, false);
    assert_holds(f, LETTERS);
}

/* --- logged already --- */

static void log_it(struct fixture *f, uint64_t number, bool verified)
{
    struct ack ack = record_ack(&f->record, 1);

    ack.record_first = ack.record_last = number;
    ack.verified = verified;
    acklog_push(&f->state.file->acklog, ACKLOG_ENTRIES, &ack);
}

/* A daemon that is killed after it has logged a '*', and before it has done what follows. */
static void what_is_logged_is_known(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "first");
    f->segment.map[0] = '*';
    assert_false(record_star_is_logged(&f->record));
    log_it(f, 1, true); /* a subscriber's */
    resume(f);
    assert_false(record_star_is_logged(&f->record));
    record_note_star(&f->record); /* … and killed before it is logged */
    resume(f);
    assert_false(record_star_is_logged(&f->record));
    record_note_star(&f->record);
    log_it(f, 1, false);
    resume(f);
    assert_true(record_star_is_logged(&f->record));
    log_it(f, 1, true); /* by the next daemon, which is killed, too */
    resume(f);
    assert_true(record_star_is_logged(&f->record));
    record_done(&f->record);
    publish(f, "second");
    f->segment.map[0] = '*';
    resume(f);
    assert_false(record_star_is_logged(&f->record)); /* that was the first */
}

/* Taken back, as subscribers still owe the record; and while no daemon runs, the next one comes. */
static void what_comes_after_it_was_taken_back_is_another_one(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "first");
    f->segment.map[0] = '*';
    record_note_star(&f->record);
    log_it(f, 1, false);
    record_restore_first(&f->record);
    assert_holds(f, "first");
    f->segment.map[0] = '*';
    resume(f);
    assert_found(f, true, false);
    assert_false(record_star_is_logged(&f->record));
}

/* --- another daemon, another segment --- */

/* "killed in PUBLISHED, it looks for the '*'": which must not be overwritten. */
static void an_acknowledgement_that_came_meanwhile_is_found(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    f->segment.map[0] = '*';
    f->record = (struct record){.segment = &f->segment, .state = &f->state};
    resume(f);
    assert_true(record_waits(&f->record));
    assert_found(f, true, false);
    assert_int_equal(record_ack(&f->record, 1).record_first, 1);
}

static void a_record_that_waits_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, LETTERS);
    resume(f);
    assert_progress(f, 1, PHASE_PUBLISHED);
    assert_holds(f, LETTERS);
}

/* Another segment has nothing of it: whatever the phase, it is brought in line. */
static void another_segment_gets_the_record(void **state)
{
    static const enum phase phases[] = {PHASE_FILLED, PHASE_PUBLISHED};
    struct fixture *f = *state;

    resume(f);
    publish(f, "abc");
    for (size_t i = 0; i < 2; i++) {
        die_in(f, 1, phases[i]);
        f->segment.id++;
        memset(f->segment.map, '!', SIZE);
        resume(f);
        assert_progress(f, 1, PHASE_PUBLISHED);
        assert_holds(f, "abc");
    }
}

static void another_segment_without_a_record_is_covered_by_the_next(void **state)
{
    struct fixture *f = *state;

    resume(f);
    publish(f, "abc");
    record_done(&f->record);
    f->segment.id++;
    memset(f->segment.map, '!', SIZE);
    f->segment.map[0] = '*';
    resume(f);
    assert_progress(f, 1, PHASE_EMPTY);
    assert_int_equal(f->segment.map[0], '*');
    publish(f, "xy");
    assert_holds(f, "xy");
    assert_found(f, false, false);
}

/* It was left by a daemon whose state is lost: its record may be read as it was, or not at all. */
static void what_stands_in_a_strange_segment_is_never_half_of_a_record(void **state)
{
    struct fixture *f = *state;
    char buffer[SIZE];
    ssize_t length;

    memcpy(f->segment.map, LETTERS, SIZE);
    resume(f);
    length = plain_read(f->segment.map, SIZE, buffer);
    assert_true(length == -EAGAIN || memcmp(buffer, LETTERS, SIZE) == 0);
}

/* What a daemon leaves when it is killed, in memory that outlives it. */
struct estate {
    struct state_file file;
    char image[SIZE];
    char segment[SIZE];
};

/* The daemon that has this estate. */
static struct fixture heir(struct estate *estate)
{
    return (struct fixture){
        .state = {.file = &estate->file, .image = estate->image},
        .segment = {.key = 5678, .id = 7, .size = SIZE, .map = estate->segment},
    };
}

static void publish_the_second(void *userdata)
{
    struct fixture f = heir(userdata);

    f.record = (struct record){.segment = &f.segment, .state = &f.state};
    record_done(&f.record);
    publish(&f, "second");
}

static bool holds(const struct fixture *f, const char *bytes)
{
    char expected[SIZE] = {0};

    memcpy(expected, bytes, strlen(bytes));
    return memcmp(f->segment.map, expected, SIZE) == 0;
}

/* A copy, but for what no record has to do with, which is large. */
static void inherit(struct estate *to, const struct estate *from)
{
    memcpy(&to->file, &from->file, offsetof(struct state_file, acklog));
    memcpy(to->image, from->image, sizeof(to->image));
    memcpy(to->segment, from->segment, sizeof(to->segment));
}

/* The next daemon finds the first record acknowledged, or done with, or the second one whole. */
static bool the_next_daemon_goes_on(void *userdata)
{
    static struct estate estate;
    struct fixture f;
    struct findings found;

    inherit(&estate, userdata);
    f = heir(&estate);
    f.record = (struct record){.segment = &f.segment, .state = &f.state};
    record_resume(&f.record);
    found = record_look(&f.record);
    if (found.scribbled || found.acknowledged != (f.segment.map[0] == '*' &&
                                                  state_phase(&estate.file) == PHASE_PUBLISHED)) {
        return false;
    }
    if (record_waits(&f.record) && !found.acknowledged) {
        return state_number(&estate.file) == 2 && holds(&f, "second");
    }
    record_done(&f.record);
    publish(&f, "xyz");
    return state_number(&estate.file) == 2 && holds(&f, "xyz") && !record_look(&f.record).scribbled;
}

/* A '*' is logged and taken back. */
static void log_and_take_back(void *userdata)
{
    struct fixture f = heir(userdata);

    f.record = (struct record){.segment = &f.segment, .state = &f.state};
    record_note_star(&f.record);
    log_it(&f, 1, false);
    record_restore_first(&f.record);
}

/* The next daemon logs it if this one has not; and a further one that has come meanwhile. */
static bool each_is_logged_once(void *userdata)
{
    const struct estate *from = userdata;
    static struct estate estate;
    struct fixture f = heir(&estate);
    bool another;

    inherit(&estate, from);
    memcpy(&estate.file.acklog, &from->file.acklog,
           offsetof(struct acklog, entries) + ENTRIES * sizeof(struct ack));
    f.record = (struct record){.segment = &f.segment, .state = &f.state};
    another = estate.segment[0] != '*';
    if (another) {
        estate.segment[0] = '*';
    }
    record_resume(&f.record);
    if (record_look(&f.record).acknowledged && !record_star_is_logged(&f.record)) {
        record_note_star(&f.record);
        log_it(&f, 1, false);
    }
    return acklog_total(&estate.file.acklog) == (another ? 2 : 1);
}

static void publish_and_star(struct fixture *f, struct estate *estate)
{
    estate->file.segment_id = -1;
    f->record = (struct record){.segment = &f->segment, .state = &f->state};
    resume(f);
    publish(f, LETTERS);
    estate->segment[0] = '*';
}

static void killed_at_any_instruction_each_is_logged_once(void **state)
{
    struct estate *estate = shared_new(sizeof(*estate));
    struct fixture f = heir(estate);
    long steps;

    (void)state;
    publish_and_star(&f, estate);
    steps = step_through(log_and_take_back, each_is_logged_once, estate);
    if (steps < 0) {
        SKIP("no process can be stepped through");
    }
    assert_true(steps > 0);
    assert_int_equal(acklog_total(&estate->file.acklog), 1);
    assert_int_equal(estate->segment[0], 'a');
}

/* "SIGKILL the daemon at any instruction … record numbers go on" */
static void killed_at_any_instruction_the_next_daemon_goes_on(void **state)
{
    struct estate *estate = shared_new(sizeof(*estate));
    struct fixture f = heir(estate);
    long steps;

    (void)state;
    publish_and_star(&f, estate);
    steps = step_through(publish_the_second, the_next_daemon_goes_on, estate);
    if (steps < 0) {
        SKIP("no process can be stepped through");
    }
    assert_true(steps > 0);
    assert_true(holds(&f, "second"));
    assert_progress(&f, 2, PHASE_PUBLISHED);
    assert_int_equal(munmap(estate, sizeof(*estate)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-record")
{
    const struct CMUnitTest tests[] = {
        TEST(there_is_no_record_at_first),
        TEST(a_published_record_stands_in_the_segment),
        TEST(a_record_that_fits_stands_in_the_page),
        TEST(an_acknowledgement_is_found_once),
        TEST(a_latency_is_never_negative),
        TEST(a_shorter_record_clears_what_a_longer_one_left),
        TEST(a_scribble_is_found_and_restored),
        TEST(an_acknowledgement_with_a_scribble_is_both),
        TEST(nothing_is_restored_without_a_record),
        TEST(a_large_segment_is_compared_slice_by_slice),
        TEST(slices_end_at_the_end_of_the_segment),
        TEST(a_smaller_segment_is_compared_from_its_begin),
        TEST(killed_before_the_number_counts_the_record_is_made_anew),
        TEST(killed_while_publishing_it_is_published_again),
        TEST(killed_when_it_was_published_it_is_not_published_again),
        TEST(what_is_taken_back_is_read_by_nobody),
        TEST(an_acknowledgement_is_not_taken_back),
        TEST(what_was_scribbled_on_is_taken_back_too),
        TEST(killed_while_it_is_taken_back_it_stands_again),
        TEST(killed_while_it_is_closed_it_stands_again),
        TEST(what_is_logged_is_known),
        TEST(what_comes_after_it_was_taken_back_is_another_one),
        TEST(killed_at_any_instruction_each_is_logged_once),
        TEST(an_acknowledgement_that_came_meanwhile_is_found),
        TEST(a_record_that_waits_is_left_as_it_is),
        TEST(another_segment_gets_the_record),
        TEST(another_segment_without_a_record_is_covered_by_the_next),
        TEST(what_stands_in_a_strange_segment_is_never_half_of_a_record),
        TEST(killed_at_any_instruction_the_next_daemon_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
