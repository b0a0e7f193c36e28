/* SPDX-License-Identifier: MIT
 *
 * The judge of the journal: every kind of fault is found, what is no fault is none, and nothing
 * that another user has sent is believed.
 */
#include "audit.h"

#include <malloc.h>

static void test_empty(void **state)
{
    (void)state;
    assert_whole();
    assert_int_equal(judge->entries, 0);
    assert_null(judge->epochs);
}

static void test_whole(void **state)
{
    (void)state;
    epoch_started();
    ack(1, 1, 1, 1);
    ack(2, 1, 2, 9);
    ack_anonymous(3);
    assert_whole();
    assert_int_equal(judge->entries, 4);
    assert_int_equal(judge->epochs->amount.entries, 3);
    assert_int_equal(judge->epochs->amount.records, 10);
    assert_int_equal(judge->epochs->amount.bytes, 78);
    assert_int_equal(judge->users->uid, 1000);
    assert_string_equal(judge->users->name, "alice");
    assert_int_equal(judge->users->sessions, 1);
    assert_int_equal(judge->users->amount.records, 9);
    assert_int_equal(judge->users->next->who, WHO_ANONYMOUS);
    assert_int_equal(judge->users->next->amount.records, 1);
}

/* Entries are judged by their numbers, whatever their order. */
static void test_out_of_order(void **state)
{
    static const uint64_t order[] = {5, 2, 4, 1, 8, 3, 6, 7};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        ack(order[i], 1, order[i], order[i]);
    }
    epoch_started();
    assert_whole();
    assert_int_equal(judge->epochs->numbers.count, 1);
}

static void test_missing(void **state)
{
    (void)state;
    ack_anonymous(1);
    ack_anonymous(2);
    ack_anonymous(6);
    assert_only_fault(FAULT_MISSING, 3, 5);
}

/* The beginning is missing only if the journal goes back to it. */
static void test_missing_at_the_beginning(void **state)
{
    (void)state;
    ack_anonymous(4);
    epoch_started();
    assert_only_fault(FAULT_MISSING, 1, 3);
    assert_int_equal(judge->epochs->vacuumed, 0);
}

static void test_vacuumed(void **state)
{
    (void)state;
    ack_anonymous(4);
    ack_anonymous(5);
    assert_whole();
    assert_int_equal(judge->epochs->vacuumed, 3);
}

static void test_repeated(void **state)
{
    (void)state;
    ack_anonymous(1);
    ack_anonymous(2);
    ack_anonymous(1);
    assert_only_fault(FAULT_REPEATED, 1, 1);
    assert_int_equal(judge->epochs->amount.records, 2);
}

/* What another user has sent is counted and listed, and never believed. */
static void test_forged(void **state)
{
    static const char *const forgeries[] = {
        "SHMD_EVENT=epoch-started",
        "SHMD_EVENT=acknowledged\nSHMD_ACK_SEQ=3\nSHMD_RECORD_FIRST=3\nSHMD_RECORD_LAST=3\n"
        "SHMD_RECORDS=1\nSHMD_BYTES=1\nSHMD_CLIENT_VERIFIED=no",
        "SHMD_EVENT=session-ended\nSHMD_SESSION=1\nSHMD_RECORD_LAST=99\n" OF_ALICE,
        "SHMD_ACK_SEQ=9",
        "SHMD_EVENT=",
        "SHMD_EVENT=anything\nSHMD_INSTANCE=other",
    };
    struct claim claim;

    (void)state;
    ack_anonymous(2);
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        claim = claim_of(1000, forgeries[i]);
        assert_int_equal(judge_take(judge, &claim), 0);
    }
    judge_finish(judge);
    assert_true(judge_is_whole(judge)); /* else anybody could make every journal look faulty */
    assert_int_equal(judge->faults[FAULT_FOREIGN].total, 6);
    assert_string_equal(judge->faults[FAULT_FOREIGN].listed[5].uid, "1000");
    assert_string_equal(judge->faults[FAULT_FOREIGN].listed[5].pid, "77");
    assert_int_equal(judge->faults[FAULT_FOREIGN].listed[5].usec, claim.usec);
    assert_int_equal(judge->entries, 1);
    assert_int_equal(judge->epochs->vacuumed, 1);
    assert_int_equal(judge->epochs->amount.entries, 1);
    assert_null(judge->epochs->next);
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        assert_int_equal(judge->faults[i].places > 0, i == FAULT_FOREIGN);
    }
}

/* The sender is the journal's word: a number, or nobody. */
static void test_sender(void **state)
{
    static const char *const senders[] = {"", "994x", "-1", " 994", "4294968290", "99999999999999"};
    struct claim claim;

    (void)state;
    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        claim = claim_of(DAEMON, "SHMD_EVENT=epoch-started");
        (void)snprintf(claim.values[CLAIM_SENDER_UID], CLAIM_VALUE_SIZE, "%s", senders[i]);
        assert_int_equal(judge_take(judge, &claim), 0);
    }
    assert_int_equal(judge->faults[FAULT_FOREIGN].total, 6);
    assert_null(judge->epochs);
}

/* An entry that is none of ours is none of our business, whoever sent it. */
static void test_others(void **state)
{
    struct claim claim = claim_of(1000, "MESSAGE=hello");

    (void)state;
    assert_int_equal(judge_take(judge, &claim), 0);
    entry("SHMD_EVENT=started");
    entry("SHMD_EVENT=reload-refused\nSHMD_EPOCH=");
    assert_whole();
}

/* Numbers count within an epoch of an instance. */
static void test_epochs_and_instances(void **state)
{
    static const char *const where[] = {
        "",
        "\nSHMD_EPOCH=ffffffffffffffffffffffffffffffff",
        "\nSHMD_INSTANCE=orders",
        "\nSHMD_INSTANCE=orders\nSHMD_EPOCH=ffffffffffffffffffffffffffffffff",
    };
    size_t epochs = 0;

    (void)state;
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        for (size_t i = 0; i < 4; i++) {
            if (i != 3 || sequence != 2) {
                entry(ACK "SHMD_SESSION=1\n" OF_ALICE "%s", sequence, sequence, sequence,
                      UINT64_C(1), where[i]);
            }
        }
    }
    judge_finish(judge);
    assert_int_equal(judge->faults[FAULT_MISSING].total, 1);
    assert_int_equal(judge->faults[FAULT_MISSING].listed[0].range.first, 2);
    assert_string_equal(judge->faults[FAULT_MISSING].listed[0].epoch->instance, "orders");
    assert_int_equal(judge->faults[FAULT_HOLE].total, 1);
    for (const struct epoch *epoch = judge->epochs; epoch; epoch = epoch->next) {
        epochs++;
    }
    assert_int_equal(epochs, 4);
    assert_int_equal(judge->users->sessions, 4);
    assert_int_equal(judge->users->amount.records, 11);
}

/* Values that the daemon never sends: told as such, never believed, never a crash. */
static void test_malformed(void **state)
{
    static const char *const malformed[] = {
        "SHMD_ACK_SEQ=",
        "SHMD_ACK_SEQ=0",
        "SHMD_ACK_SEQ=x",
        "SHMD_ACK_SEQ=-1",
        "SHMD_ACK_SEQ=+1",
        "SHMD_ACK_SEQ=1 ",
        "SHMD_ACK_SEQ=18446744073709551616",
        "SHMD_RECORD_FIRST=0",
        "SHMD_RECORD_FIRST=5",
        "SHMD_RECORD_LAST=",
        "SHMD_RECORD_LAST=99999999999999999999",
        "SHMD_RECORDS=2",
        "SHMD_RECORDS=0",
        "SHMD_RECORDS=18446744073709551615",
        "SHMD_RECORDS=many",
        "SHMD_LOST=1",
        "SHMD_LOST=18446744073709551615",
        "SHMD_LOST=18446744073709551615\nSHMD_RECORDS=2",
        "SHMD_BYTES=",
        "SHMD_SESSION=none",
        "SHMD_CLIENT_VERIFIED=maybe",
        "SHMD_CLIENT_VERIFIED=",
        "SHMD_CLIENT_UID=4294967296",
        "SHMD_CLIENT_UID=alice",
        "SHMD_EPOCH=",
        "SHMD_EPOCH=0123456789abcdef0123456789ABCDEF",
        "SHMD_EPOCH=0123456789abcdef0123456789abcde",
        "SHMD_EPOCH=0123456789abcdef0123456789abcdef0",
        "SHMD_CLIENT_VERIFIED=no\nSHMD_RECORD_LAST=5",
        "SHMD_CLIENT_VERIFIED=no\nSHMD_RECORD_FIRST=5\nSHMD_RECORDS=2",
    };
    const size_t count = sizeof(malformed) / sizeof(malformed[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        entry("%s\nSHMD_EVENT=acknowledged\nSHMD_ACK_SEQ=1\nSHMD_RECORD_FIRST=4\n"
              "SHMD_RECORD_LAST=4\nSHMD_RECORDS=1\nSHMD_BYTES=26\nSHMD_SESSION=1\n" OF_ALICE,
              malformed[i]);
        assert_int_equal(judge->faults[FAULT_MALFORMED].places, i + 1);
    }
    judge_finish(judge);
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        assert_int_equal(judge->faults[i].places, i == FAULT_MALFORMED ? count : 0);
    }
    assert_null(judge->users);
}

/* The greatest numbers there are: totals stop there, nothing wraps. */
static void test_overflow(void **state)
{
    (void)state;
    ack(1, 1, 1, UINT64_MAX);
    ack(UINT64_MAX, 2, 1, UINT64_MAX);
    ended(1, UINT64_MAX);
    started(2, 1);
    judge_finish(judge);
    assert_int_equal(judge->epochs->amount.records, UINT64_MAX);
    assert_int_equal(judge->faults[FAULT_MISSING].total, UINT64_MAX - 2);
    assert_int_equal(judge->faults[FAULT_HOLE].places, 0);
    assert_int_equal(judge->faults[FAULT_OVERLAP].places, 0);
}

/* All are counted, the first ones are kept. */
static void test_many_faults(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        ack_anonymous(2 * i);
    }
    judge_finish(judge);
    assert_int_equal(judge->faults[FAULT_MISSING].places, 99);
    assert_int_equal(judge->faults[FAULT_MISSING].total, 99);
    assert_int_equal(judge->faults[FAULT_MISSING].listed[0].range.first, 3);
    assert_int_equal(judge->faults[FAULT_MISSING].listed[FAULTS_LISTED - 1].range.first,
                     2 * FAULTS_LISTED + 1);
}

/* Many sessions that come and go are no more to keep than a few. (Memory is what malloc() says;
 * with a sanitizer it says nothing.) */
static void test_nothing_grows(void **state)
{
    size_t used;

    (void)state;
    epoch_started();
    ack_anonymous(20001);
    used = mallinfo2().uordblks;
    for (uint64_t i = 1; i <= 20000; i++) {
        started(i, i);
        ended(i, i);
        ack(i, i, i, i);
    }
    assert_true(mallinfo2().uordblks < used + 10000);
    assert_whole();
    assert_int_equal(judge->users->next->sessions, 20000);
}

TEST_GROUP("test-judge")
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_whole),
        TEST(test_out_of_order),
        TEST(test_missing),
        TEST(test_missing_at_the_beginning),
        TEST(test_vacuumed),
        TEST(test_repeated),
        TEST(test_forged),
        TEST(test_sender),
        TEST(test_others),
        TEST(test_epochs_and_instances),
        TEST(test_malformed),
        TEST(test_overflow),
        TEST(test_many_faults),
        TEST(test_nothing_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
