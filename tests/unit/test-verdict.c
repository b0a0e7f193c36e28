/* SPDX-License-Identifier: MIT
 *
 * What an audit prints: every number where it belongs, and nothing that drives a terminal.
 */
#include "audit.h"

#include "client/verdict.h"

static char text[16384];

static const char *printed(void (*write)(const struct judge *, FILE *))
{
    FILE *file = fmemopen(text, sizeof(text), "w");

    assert_non_null(file);
    judge_finish(judge);
    write(judge, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void test_text(void **state)
{
    (void)state;
    ack(3, 1, 1, 1);
    ack_anonymous(4);
    assert_string_equal(printed(verdict_write_text),
                        "instance shmd, epoch " EPOCH "\n"
                        "  entries:       2, numbers 3-4; 2 vacuumed before\n"
                        "  acknowledged:  2 records, 52 bytes\n"
                        "user alice (uid 1000): 1 session, 1 record, 26 bytes\n"
                        "anonymous: 1 record, 26 bytes\n"
                        "whole since the first entry; 2 before that are not there\n");
}

/* No fault, but worth a line. */
static void test_text_of_records_that_were_let_go(void **state)
{
    (void)state;
    ack(1, 1, 1, 1);
    entry("SHMD_EVENT=records-unread\nSHMD_RECORDS=10");
    (void)printed(verdict_write_text);
    assert_non_null(strstr(text, "\n  let go:        10 records that nobody had acknowledged\n"));
    assert_non_null(strstr(text, "\nwhole"));
}

static void test_text_of_faults(void **state)
{
    struct claim forged = claim_of(1000, "SHMD_EVENT=acknowledged");

    (void)state;
    ack(1, 1, 1, 1);
    ack(2, 1, 2, 2);
    ack(5, 1, 4, 4);
    ack(5, 1, 5, 5);
    ack(6, 1, 4, 5);
    forged.usec = 0;
    assert_int_equal(judge_take(judge, &forged), 0);
    (void)printed(verdict_write_text);
    assert_non_null(strstr(text, "\nmissing: entries 3-4 of shmd, epoch " EPOCH "\n"));
    assert_non_null(strstr(text, "\nrepeated: entry 5 of shmd, epoch " EPOCH "\n"));
    assert_non_null(strstr(text, "\nforeign: entry from uid 1000, pid 77, received 19"));
    assert_non_null(strstr(text, "\nholes: record 3 of session 1 of shmd, epoch " EPOCH "\n"));
    assert_non_null(strstr(text, "\noverlaps: records 4-5 of session 1 of shmd, epoch"));
    assert_non_null(strstr(text, "\nNOT whole: 2 entries missing, 1 entry repeated, 1 record in "
                                 "no entry, 1 overlap; and there is 1 foreign entry that claims "
                                 "to be ours (by uid 1000)\n"));
}

static void test_many_faults(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= FAULTS_LISTED + 11; i++) {
        ack_anonymous(2 * i);
    }
    (void)printed(verdict_write_text);
    assert_non_null(strstr(text, "\nmissing: and 10 more\n"));
    assert_non_null(strstr(text, "\nNOT whole: 30 entries missing\n"));
}

static void test_json(void **state)
{
    (void)state;
    assert_string_equal(printed(verdict_write_json),
                        "{\"whole\":true,\"epochs\":[],\"users\":[],\"faults\":{"
                        "\"missing\":{\"count\":0,\"places\":0,\"listed\":[]},"
                        "\"repeated\":{\"count\":0,\"places\":0,\"listed\":[]},"
                        "\"foreign\":{\"count\":0,\"places\":0,\"listed\":[]},"
                        "\"malformed\":{\"count\":0,\"places\":0,\"listed\":[]},"
                        "\"holes\":{\"count\":0,\"places\":0,\"listed\":[]},"
                        "\"overlaps\":{\"count\":0,\"places\":0,\"listed\":[]}},"
                        "\"damaged_files\":0,\"left_open_files\":0}\n");
    ack(1, 1, 1, 1);
    ack(3, 1, 3, 3);
    (void)printed(verdict_write_json);
    assert_non_null(strstr(text, "{\"whole\":false,\"epochs\":[{\"instance\":\"shmd\",\"epoch\":"
                                 "\"" EPOCH "\",\"first\":1,\"last\":3,\"vacuumed\":0,\"unread\":0,"
                                 "\"entries\":2,\"records\":2,\"lost\":0,\"bytes\":52}],"
                                 "\"users\":[{\"user\":\"alice\",\"uid\":1000,\"sessions\":1,"
                                 "\"entries\":2,"));
    assert_non_null(strstr(text, "\"missing\":{\"count\":1,\"places\":1,\"listed\":[{\"instance\":"
                                 "\"shmd\",\"epoch\":\"" EPOCH "\",\"first\":2,\"last\":2}]}"));
    assert_non_null(strstr(text, "\"session\":1,\"first\":2,\"last\":2}]}"));
}

/* Nothing in a value is more than text. */
static void test_hostile_values(void **state)
{
    (void)state;
    entry(ACK "SHMD_INSTANCE=\x1b]0;t\a\"\xc2\x9b\r\nSHMD_CLIENT_VERIFIED=yes\nSHMD_CLIENT_UID=0\n"
              "SHMD_CLIENT_USER=\x1b[2J\xff\\",
          UINT64_C(1), UINT64_C(1), UINT64_C(1), UINT64_C(1));
    (void)printed(verdict_write_text);
    assert_non_null(strstr(text, "instance ?]0;t?\"\\xc2\\x9b?, epoch"));
    assert_non_null(strstr(text, "user ?[2J\\xff\\ (uid 0)"));
    (void)printed(verdict_write_json);
    assert_non_null(strstr(text, "\"?]0;t?\\\"\\u009b?\""));
    assert_non_null(strstr(text, "\"?[2J\\ufffd\\\\\""));
}

TEST_GROUP("test-verdict")
{
    const struct CMUnitTest tests[] = {
        TEST(test_text),           TEST(test_text_of_records_that_were_let_go),
        TEST(test_text_of_faults), TEST(test_many_faults),
        TEST(test_json),           TEST(test_hostile_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
