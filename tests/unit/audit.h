/* SPDX-License-Identifier: MIT
 *
 * A judge, and synthetic journal entries for it: what unit tests of shm-client audit share.
 */
#pragma once

#include "client/judge.h"

#include "group.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAEMON   UINT64_C(994)
#define NOW_USEC UINT64_C(1700000000000000)
#define EPOCH    "0123456789abcdef0123456789abcdef"

/* Each test has a judge. */
static struct judge *judge;

static int set_up(void **state)
{
    (void)state;
    return judge_new(DAEMON, NOW_USEC, &judge);
}

static int tear_down(void **state)
{
    (void)state;
    judge = judge_free(judge);
    return 0;
}

/* An entry that the journal received long ago; its fields in lines, "NAME=value\nNAME=value". */
static struct claim claim_of(uint64_t sender, const char *fields)
{
    struct claim claim;
    char text[64];

    claim_clear(&claim, NOW_USEC - UINT64_C(3600000000));
    (void)snprintf(text, sizeof(text), "_UID=%" PRIu64, sender);
    claim_add(&claim, text, strlen(text));
    claim_add(&claim, "_PID=77", strlen("_PID=77"));
    while (*fields) {
        size_t length = strcspn(fields, "\n");

        claim_add(&claim, fields, length);
        fields += length + (fields[length] == '\n');
    }
    /* What a test does not say otherwise. */
    claim_add(&claim, "SHMD_INSTANCE=shmd", strlen("SHMD_INSTANCE=shmd"));
    claim_add(&claim, "SHMD_EPOCH=" EPOCH, strlen("SHMD_EPOCH=" EPOCH));
    return claim;
}

/* From the daemon, now or long ago. */
__attribute__((format(printf, 1, 2))) static inline void entry(const char *format, ...)
{
    char fields[2048];
    struct claim claim;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(fields, sizeof(fields), format, arguments);
    va_end(arguments);
    claim = claim_of(DAEMON, fields);
    assert_int_equal(judge_take(judge, &claim), 0);
}

#define ACK                                                                                        \
    "SHMD_EVENT=acknowledged\nSHMD_ACK_SEQ=%" PRIu64 "\nSHMD_RECORD_FIRST=%" PRIu64                \
    "\nSHMD_RECORD_LAST=%" PRIu64 "\nSHMD_RECORDS=%" PRIu64 "\nSHMD_BYTES=26\n"
#define OF_ALICE "SHMD_CLIENT_VERIFIED=yes\nSHMD_CLIENT_UID=1000\nSHMD_CLIENT_USER=alice"

/* A session of alice acknowledges first…last. */
static inline void ack(uint64_t sequence, uint64_t session, uint64_t first, uint64_t last)
{
    entry(ACK "SHMD_SESSION=%" PRIu64 "\n" OF_ALICE, sequence, first, last, last - first + 1,
          session);
}

/* An anonymous client acknowledges a record. */
static inline void ack_anonymous(uint64_t sequence)
{
    entry(ACK "SHMD_CLIENT_VERIFIED=no", sequence, sequence, sequence, UINT64_C(1));
}

static inline void started(uint64_t session, uint64_t first)
{
    entry("SHMD_EVENT=session-started\nSHMD_SESSION=%" PRIu64 "\nSHMD_RECORD_FIRST=%" PRIu64
          "\n" OF_ALICE,
          session, first);
}

static inline void ended(uint64_t session, uint64_t last)
{
    entry("SHMD_EVENT=session-ended\nSHMD_SESSION=%" PRIu64 "\nSHMD_RECORD_LAST=%" PRIu64
          "\n" OF_ALICE,
          session, last);
}

static inline void epoch_started(void)
{
    entry("SHMD_EVENT=epoch-started");
}

/* The end: nothing is wrong … */
static inline void assert_whole(void)
{
    judge_finish(judge);
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        assert_int_equal(judge->faults[i].places, 0);
    }
    assert_true(judge_is_whole(judge));
}

/* … or this alone, in one place. */
static inline void assert_only_fault(enum fault_kind kind, uint64_t first, uint64_t last)
{
    judge_finish(judge);
    assert_false(judge_is_whole(judge));
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        assert_int_equal(judge->faults[i].places, i == kind);
    }
    assert_int_equal(judge->faults[kind].listed[0].range.first, first);
    assert_int_equal(judge->faults[kind].listed[0].range.last, last);
    assert_int_equal(judge->faults[kind].total, last - first + 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
