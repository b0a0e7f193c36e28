/* SPDX-License-Identifier: MIT
 *
 * The acknowledgements that wait for the journal: none is dropped, and their numbers have no gap.
 */
#include "daemon/acklog.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct acklog acklog;

static int set_up(void **state)
{
    (void)state;
    memset(&acklog, 0, sizeof(acklog));
    return 0;
}

static struct ack anonymous(uint64_t record)
{
    return (struct ack){.record_first = record,
                        .record_last = record,
                        .records = 1,
                        .bytes = record * 10,
                        .latency_usec = record,
                        .pid = (int32_t)record};
}

/* One with a session of its own. */
static struct ack subscriber(uint64_t record, int pid)
{
    struct ack ack = anonymous(record);

    ack.session = (uint32_t)pid + 1;
    ack.pid = pid;
    ack.uid = 1000;
    ack.verified = 1;
    return ack;
}

static void push(size_t limit, struct ack ack)
{
    acklog_push(&acklog, limit, &ack);
}

/* Takes the entry to send next, whose number must be `sequence`. */
static struct ack pop(uint64_t sequence)
{
    struct ack ack;
    uint64_t number;

    assert_true(acklog_peek(&acklog, &ack, &number));
    assert_int_equal(number, sequence);
    acklog_pop(&acklog);
    return ack;
}

static void an_empty_queue_is_valid_and_yields_nothing(void **state)
{
    struct ack ack;
    uint64_t sequence = 99;

    (void)state;
    assert_true(acklog_valid(&acklog));
    assert_int_equal(acklog_waiting(&acklog), 0);
    assert_null(acklog_newest(&acklog));
    assert_false(acklog_peek(&acklog, &ack, &sequence));
    assert_int_equal(sequence, 99);
}

/* "The position of an entry, counted from 1 in each epoch, is its SHMD_ACK_SEQ" */
static void entries_come_out_in_order_with_numbers_from_1(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        push(ACKLOG_ENTRIES, anonymous(i));
        assert_int_equal(acklog_newest(&acklog)->record_last, i);
    }
    assert_int_equal(acklog_waiting(&acklog), 3);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(pop(i).record_first, i);
    }
    assert_int_equal(acklog_waiting(&acklog), 0);
    /* The newest stays known when it was sent: a restart compares with it. */
    assert_int_equal(acklog_newest(&acklog)->record_last, 3);
}

/* The entry being sent may be sent again until it is popped: by this daemon or the next one. */
static void peeking_changes_nothing(void **state)
{
    struct ack ack;
    uint64_t sequence;

    (void)state;
    push(ACKLOG_ENTRIES, anonymous(7));
    for (unsigned i = 0; i < 3; i++) {
        assert_true(acklog_peek(&acklog, &ack, &sequence));
        assert_int_equal(sequence, 1);
        assert_int_equal(ack.record_first, 7);
    }
}

/* The arrays are rings: positions go on for ever. */
static void numbers_go_on_beyond_the_array(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 3 * ACKLOG_ENTRIES; i++) {
        push(ACKLOG_ENTRIES, anonymous(i));
        if (i > 10) {
            assert_int_equal(pop(i - 10).record_first, i - 10);
        }
    }
    assert_int_equal(acklog_waiting(&acklog), 10);
    assert_true(acklog_valid(&acklog));
}

/* "all waiting entries of one session become one, which covers the sum of their records" */
static void a_full_queue_becomes_one_entry_behind_the_tail(void **state)
{
    struct ack ack;

    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        push(4, anonymous(i));
    }
    assert_int_equal(acklog_waiting(&acklog), 3);
    assert_int_equal(pop(1).records, 1);
    ack = pop(2);
    assert_int_equal(ack.record_first, 2);
    assert_int_equal(ack.record_last, 4);
    assert_int_equal(ack.records, 3);
    assert_int_equal(ack.bytes, 20 + 30 + 40);
    assert_int_equal(ack.latency_usec, 4);
    assert_int_equal(ack.pid, 4);
    ack = pop(3);
    assert_int_equal(ack.record_first, 5);
    assert_int_equal(ack.records, 1);
}

/* "The entry at the tail may be on its way to the journal and is left alone." */
static void the_entry_that_is_being_sent_never_changes(void **state)
{
    struct ack before, after;
    uint64_t sequence;

    (void)state;
    push(2, anonymous(1));
    assert_true(acklog_peek(&acklog, &before, &sequence));
    for (uint64_t i = 2; i <= 1000; i++) {
        push(2, anonymous(i));
        assert_true(acklog_peek(&acklog, &after, &sequence));
        assert_int_equal(sequence, 1);
        assert_memory_equal(&after, &before, sizeof(after));
    }
}

/* Every record is covered once, whatever limit and however slow the journal. */
static void compaction_keeps_every_record_and_byte(void **state)
{
    static const size_t limits[] = {2, 3, 7, 100, ACKLOG_ENTRIES};

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        uint64_t pushed = 0, covered = 0, bytes = 0, sequence = 0;

        (void)set_up(state);
        while (covered < 20000) {
            if (pushed < 20000) {
                push(limits[i], anonymous(++pushed));
                assert_true(acklog_valid(&acklog));
                assert_in_range(acklog_waiting(&acklog), 1, limits[i] == 2 ? 3 : limits[i]);
            }
            /* The journal reads in fits and starts. */
            if (pushed == 20000 || pushed % 911 < 100) {
                struct ack ack = pop(++sequence);

                assert_int_equal(ack.record_first, covered + 1);
                assert_int_equal(ack.records, ack.record_last - ack.record_first + 1);
                covered = ack.record_last;
                bytes += ack.bytes;
            }
        }
        assert_int_equal(bytes, UINT64_C(10) * 20000 * 20001 / 2);
        assert_int_equal(acklog_waiting(&acklog), 0);
    }
}

/* Anonymous clients are one client; a subscriber is told apart by its session. */
static void subscribers_are_never_merged_with_others(void **state)
{
    struct ack named = subscriber(5, 300);
    struct ack other_uid = subscriber(6, 400);
    struct ack same_process = subscriber(7, 100);

    (void)state;
    (void)strcpy(named.name, "named");
    other_uid.uid = 2000;
    same_process.session = 500;
    push(8, anonymous(1)); /* the tail */
    push(8, subscriber(2, 100));
    push(8, anonymous(3));
    push(8, subscriber(4, 200));
    push(8, named);
    push(8, other_uid);
    push(8, same_process);
    push(8, anonymous(8));
    push(8, subscriber(9, 100));
    assert_int_equal(pop(1).record_first, 1);
    assert_int_equal(pop(2).record_first, 2);
    assert_int_equal(pop(3).records, 2); /* 3 and 8 */
    assert_int_equal(pop(4).record_first, 4);
    assert_string_equal(pop(5).name, "named");
    assert_int_equal(pop(6).uid, 2000);
    assert_int_equal(pop(7).session, 500);
    assert_int_equal(pop(8).record_first, 9);
}

static void the_sum_of_each_subscriber_is_kept(void **state)
{
    uint64_t pushed[4] = {0}, covered[4] = {0};

    (void)state;
    for (uint64_t i = 1; i <= 5000; i++) {
        int client = (int)(i * i % 4);

        push(16, subscriber(i, client));
        pushed[client]++;
        assert_in_range(acklog_waiting(&acklog), 1, 16);
    }
    for (uint64_t sequence = 1; acklog_waiting(&acklog) > 0; sequence++) {
        struct ack ack = pop(sequence);

        covered[ack.pid] += ack.records;
    }
    assert_memory_equal(covered, pushed, sizeof(covered));
}

/* What is popped covers this many records in all, and their bytes. */
struct sums {
    uint64_t entries, records, bytes, anonymous, of_1000, of_several, merged;
};

static struct sums pop_all(void)
{
    struct sums sums = {0};

    for (uint64_t sequence = acklog.tail + 1; acklog_waiting(&acklog) > 0; sequence++) {
        struct ack ack = pop(sequence);

        sums.entries++;
        sums.records += ack.records;
        sums.bytes += ack.bytes;
        sums.anonymous += ack.verified ? 0 : ack.records;
        sums.of_1000 += ack.verified && ack.uid == 1000 ? ack.records : 0;
        sums.of_several += ack.verified && ack.uid == ACK_SEVERAL ? ack.records : 0;
        if (ack.verified && ack.session == 0) { /* of several */
            sums.merged++;
            assert_int_equal(ack.pid, 0);
            assert_string_equal(ack.name, "");
            assert_true(ack.record_first < ack.record_last);
        }
    }
    return sums;
}

/* Fills the queue with one entry for each of as many sessions, and pushes one more. */
static void crowd(uint32_t users)
{
    for (uint64_t i = 1; i <= ACKLOG_ENTRIES + 1; i++) {
        struct ack ack = i % 100 == 0 ? anonymous(i) : subscriber(i, (int)i);

        ack.uid = 1000 + (uint32_t)(i % users);
        (void)strcpy(ack.name, "somebody");
        push(ACKLOG_ENTRIES, ack);
        assert_true(acklog_valid(&acklog));
    }
}

/* "where that does not make room, …, those of one user" */
static void a_crowd_of_sessions_becomes_one_entry_for_each_user(void **state)
{
    struct sums sums;

    (void)state;
    crowd(2);
    sums = pop_all();
    assert_int_equal(sums.entries, 1 + 2 + 1 + 1); /* tail, users, anonymous ones, newest */
    assert_int_equal(sums.merged, 2);
    assert_int_equal(sums.records, ACKLOG_ENTRIES + 1);
    assert_int_equal(sums.bytes, 10 * (UINT64_C(4097) * 4098 / 2));
    assert_int_equal(sums.anonymous, ACKLOG_ENTRIES / 100);
    assert_int_equal(sums.of_1000, 2048 - ACKLOG_ENTRIES / 100);
    assert_int_equal(sums.of_several, 0);
}

/* "then it compacts again when there are twice as many entries": each compaction changes arrays */
static void more_sessions_than_the_limit_do_not_compact_at_each_push(void **state)
{
    unsigned compactions = 0;
    struct sums sums;

    (void)state;
    for (uint64_t i = 1; i <= 10000; i++) {
        uint64_t array = acklog.commit & 1;

        push(2, subscriber(i, (int)(i % 500)));
        compactions += array != (acklog.commit & 1);
        assert_true(acklog_waiting(&acklog) <= 2 * (1 + 500));
    }
    assert_in_range(compactions, 10, 40);
    sums = pop_all();
    assert_int_equal(sums.records, 10000);
    /* … and forgets that as soon as there is room again. */
    for (uint64_t i = 1; i <= 10; i++) {
        push(2, anonymous(i));
        assert_true(acklog_waiting(&acklog) <= 3);
    }
}

/* "and at last those of all users" */
static void a_crowd_of_users_becomes_one_entry(void **state)
{
    struct sums sums;

    (void)state;
    crowd(ACKLOG_ENTRIES);
    sums = pop_all();
    assert_int_equal(sums.entries, 1 + 1 + 1 + 1);
    assert_int_equal(sums.merged, 1);
    assert_int_equal(sums.records, ACKLOG_ENTRIES + 1);
    assert_int_equal(sums.bytes, 10 * (UINT64_C(4097) * 4098 / 2));
    assert_int_equal(sums.anonymous, ACKLOG_ENTRIES / 100);
    assert_int_equal(sums.of_several, ACKLOG_ENTRIES + 1 - 2 - ACKLOG_ENTRIES / 100);
}

/* As long as there is room, each stands for itself. */
static void nothing_is_merged_before_it_must_be(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= ACKLOG_ENTRIES; i++) {
        push(ACKLOG_ENTRIES, subscriber(i, (int)i));
    }
    assert_int_equal(acklog_waiting(&acklog), ACKLOG_ENTRIES);
    for (uint64_t i = 1; i <= ACKLOG_ENTRIES; i++) {
        assert_int_equal(pop(i).session, i + 1);
    }
}

/* Many sessions, and a limit that they are beyond: never more than fits into the array. */
static void more_sessions_than_the_limit_are_merged_no_more_than_they_must(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 2000; i++) {
        push(2, subscriber(i, (int)(i % 50)));
        assert_in_range(acklog_waiting(&acklog), 1, 2 * 51);
    }
    assert_int_equal(pop_all().of_1000, 2000);
}

/* "The newest entry is always the one that was pushed last, as it was": but for the total. */
static void the_newest_entry_is_as_it_was_pushed(void **state)
{
    uint64_t total = 0;

    (void)state;
    for (uint64_t i = 1; i <= 2 * ACKLOG_ENTRIES; i++) {
        struct ack ack = subscriber(i, (int)(i % 30));

        ack.records = i % 5 + 1;
        push(i % 2 ? 3 : ACKLOG_ENTRIES, ack);
        ack.total = total += ack.records;
        assert_memory_equal(acklog_newest(&acklog), &ack, sizeof(ack));
        assert_int_equal(acklog_total(&acklog), total);
    }
    (void)pop_all();
    assert_int_equal(acklog_total(&acklog), total); /* what was sent counts, too */
}

/* The restarted daemon asks: is the record that I find acknowledged in the log already? */
static void the_newest_entry_is_known_after_compaction(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        push(3, anonymous(i));
        assert_int_equal(acklog_newest(&acklog)->record_last, i);
    }
}

/*
 * "An entry is written before the head that makes it count": killed before that store, the queue is
 * what it was. The death is played by putting back the word that the dead one did not store.
 */
static void an_entry_counts_with_its_commit_and_not_before(void **state)
{
    uint64_t commit;

    (void)state;
    push(8, anonymous(1));
    commit = acklog.commit;
    push(8, anonymous(2));
    acklog.commit = commit;
    assert_true(acklog_valid(&acklog));
    assert_int_equal(acklog_waiting(&acklog), 1);
    assert_int_equal(acklog_newest(&acklog)->record_last, 1);
    assert_int_equal(pop(1).record_first, 1);
    /* The next daemon sees the acknowledgement again, and pushes it. */
    push(8, anonymous(2));
    assert_int_equal(pop(2).record_first, 2);
}

/* "a compacted queue is written into a second array before the one word `commit`" */
static void a_compaction_counts_with_its_commit_and_not_before(void **state)
{
    static struct ack before[ACKLOG_ENTRIES];
    uint64_t commit;

    (void)state;
    for (uint64_t i = 1; i <= 6; i++) {
        push(6, anonymous(i));
    }
    commit = acklog.commit;
    memcpy(before, acklog.entries[commit & 1], sizeof(before));
    push(6, anonymous(7));
    assert_int_equal(acklog_waiting(&acklog), 3);
    assert_int_not_equal(acklog.commit & 1, commit & 1);
    /* The array that counted before was not touched. */
    assert_memory_equal(acklog.entries[commit & 1], before, sizeof(before));
    acklog.commit = commit;
    assert_true(acklog_valid(&acklog));
    for (uint64_t i = 1; i <= 6; i++) {
        assert_int_equal(pop(i).record_first, i);
    }
    assert_int_equal(acklog_waiting(&acklog), 0);
}

/* Whatever was done so far: the records 1…7 or, without the last one, 1…6 are covered, in order. */
static bool nothing_is_lost(void *userdata)
{
    const struct acklog *shared = userdata;
    uint64_t next = 1;

    memcpy(&acklog, shared, sizeof(acklog));
    if (!acklog_valid(&acklog)) {
        return false;
    }
    while (acklog_waiting(&acklog) > 0) {
        struct ack ack;
        uint64_t sequence;

        (void)acklog_peek(&acklog, &ack, &sequence);
        if (ack.record_first != next || ack.records != ack.record_last - next + 1) {
            return false;
        }
        next = ack.record_last + 1;
        acklog_pop(&acklog);
    }
    return next == 7 || next == 8;
}

/* A queue with one entry for each of many sessions: as it was, or with one more record. */
static bool nothing_is_lost_of_a_crowd(void *userdata)
{
    const struct acklog *shared = userdata;
    struct sums sums;

    if (memcmp(&acklog, shared, sizeof(acklog)) == 0) {
        return true; /* looked at already */
    }
    memcpy(&acklog, shared, sizeof(acklog));
    if (!acklog_valid(&acklog)) {
        return false;
    }
    sums = pop_all();
    memcpy(&acklog, shared, sizeof(acklog));
    return sums.records == 3100 || sums.records == 3101;
}

static void push_one_more(void *userdata)
{
    struct ack ack = subscriber(3101, 3101);

    acklog_push(userdata, ACKLOG_ENTRIES, &ack);
}

static void push_the_seventh(void *userdata)
{
    struct ack ack = anonymous(7);

    acklog_push(userdata, 6, &ack);
}

static void gather_the_seventh(void *userdata)
{
    struct ack ack = anonymous(7);

    acklog_push_gathered(userdata, ACKLOG_ENTRIES, &ack);
}

/* "Safe against SIGKILL at any instruction", whichever way it is pushed. */
static void killed_at_any_instruction_no_record_is_lost(void **state)
{
    void (*const ways[])(void *) = {push_the_seventh, gather_the_seventh};

    (void)state;
    for (size_t way = 0; way < 2; way++) {
        struct acklog *shared = shared_new(sizeof(*shared));
        long steps;

        for (uint64_t i = 1; i <= 6; i++) {
            struct ack ack = anonymous(i);

            acklog_push(shared, 6, &ack);
        }
        steps = step_through(ways[way], nothing_is_lost, shared);
        if (steps < 0) {
            SKIP("no process can be stepped through");
        }
        assert_true(steps > 0);
        assert_int_equal(acklog_waiting(shared), 3);
        assert_int_equal(munmap(shared, sizeof(*shared)), 0);
    }
}

/* Many sessions, and room for more: the death is played where the queue that counts is written. */
static void killed_before_the_commit_a_crowd_loses_nothing(void **state)
{
    struct acklog *shared = shared_new(sizeof(*shared));
    uint64_t commit;

    (void)state;
    for (uint64_t i = 1; i <= 3100; i++) {
        struct ack ack = subscriber(i, (int)i);

        acklog_push(shared, ACKLOG_ENTRIES, &ack);
    }
    memcpy(&acklog, shared, sizeof(acklog));
    commit = shared->commit;
    push_one_more(shared);
    /* What counted before the last store is as it was. */
    shared->commit = commit;
    assert_true(nothing_is_lost_of_a_crowd(shared));
    assert_int_equal(acklog_waiting(shared), 3100);
    assert_int_equal(munmap(shared, sizeof(*shared)), 0);
}

/* Whoever else's wait between them stay as they are. */
static void anonymous_entries_that_are_gathered_leave_the_others_alone(void **state)
{
    struct ack ack;

    (void)state;
    push(ACKLOG_ENTRIES, anonymous(1));
    for (uint64_t i = 2; i <= 9; i++) {
        push(ACKLOG_ENTRIES, i % 2 ? subscriber(i, 7) : anonymous(i));
    }
    ack = anonymous(10);
    acklog_push_gathered(&acklog, ACKLOG_ENTRIES, &ack);
    assert_int_equal(acklog_total(&acklog), 10);
    assert_int_equal(acklog_waiting(&acklog), 1 + 1 + 4 + 1);
    assert_int_equal(pop(1).record_first, 1);
    ack = pop(2);
    assert_int_equal(ack.record_first, 2);
    assert_int_equal(ack.record_last, 8);
    assert_int_equal(ack.records, 4);
    for (uint64_t i = 3; i <= 9; i += 2) {
        ack = pop(2 + i / 2);
        assert_int_equal(ack.record_first, i);
        assert_int_equal(ack.session, 8);
    }
    assert_int_equal(pop(7).record_first, 10);
}

/* "Do the positions make sense? For a queue that comes out of a file." */
static void positions_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    acklog.commit = (uint64_t)ACKLOG_ENTRIES << 1;
    assert_true(acklog_valid(&acklog));
    acklog.commit = ((uint64_t)ACKLOG_ENTRIES + 1) << 1;
    assert_false(acklog_valid(&acklog));
    acklog.tail = 1;
    assert_true(acklog_valid(&acklog));
    acklog.commit = 0;
    assert_false(acklog_valid(&acklog));
    acklog.tail = UINT64_MAX;
    acklog.commit = 10;
    assert_false(acklog_valid(&acklog));
    acklog.tail = 0;
    acklog.commit = UINT64_MAX;
    assert_false(acklog_valid(&acklog));
}

TEST_GROUP("test-acklog")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_queue_is_valid_and_yields_nothing, set_up),
        cmocka_unit_test_setup(entries_come_out_in_order_with_numbers_from_1, set_up),
        cmocka_unit_test_setup(peeking_changes_nothing, set_up),
        cmocka_unit_test_setup(numbers_go_on_beyond_the_array, set_up),
        cmocka_unit_test_setup(a_full_queue_becomes_one_entry_behind_the_tail, set_up),
        cmocka_unit_test_setup(the_entry_that_is_being_sent_never_changes, set_up),
        cmocka_unit_test_setup(compaction_keeps_every_record_and_byte, set_up),
        cmocka_unit_test_setup(subscribers_are_never_merged_with_others, set_up),
        cmocka_unit_test_setup(anonymous_entries_that_are_gathered_leave_the_others_alone, set_up),
        cmocka_unit_test_setup(the_sum_of_each_subscriber_is_kept, set_up),
        cmocka_unit_test_setup(a_crowd_of_sessions_becomes_one_entry_for_each_user, set_up),
        cmocka_unit_test_setup(more_sessions_than_the_limit_do_not_compact_at_each_push, set_up),
        cmocka_unit_test_setup(a_crowd_of_users_becomes_one_entry, set_up),
        cmocka_unit_test_setup(nothing_is_merged_before_it_must_be, set_up),
        cmocka_unit_test_setup(more_sessions_than_the_limit_are_merged_no_more_than_they_must,
                               set_up),
        cmocka_unit_test_setup(the_newest_entry_is_as_it_was_pushed, set_up),
        cmocka_unit_test_setup(the_newest_entry_is_known_after_compaction, set_up),
        cmocka_unit_test_setup(an_entry_counts_with_its_commit_and_not_before, set_up),
        cmocka_unit_test_setup(a_compaction_counts_with_its_commit_and_not_before, set_up),
        cmocka_unit_test_setup(killed_at_any_instruction_no_record_is_lost, set_up),
        cmocka_unit_test_setup(killed_before_the_commit_a_crowd_loses_nothing, set_up),
        cmocka_unit_test_setup(positions_that_make_no_sense_are_refused, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
