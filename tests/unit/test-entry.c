/* SPDX-License-Identifier: MIT
 *
 * One journal entry, in the journal or as a line on standard error.
 */
#include "daemon/entry.h"

#include "mock.h"
#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static int set_up(void **state)
{
    (void)state;
    mock_journal_reset();
    return 0;
}

/* --- kinds of entries --- */

/* "Every kind of entry has a MESSAGE_ID", which is its own. */
static void every_event_has_a_name_and_an_id_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < EVENTS_COUNT; i++) {
        const char *id = event_message_id((enum event)i);

        assert_int_equal(strlen(id), 32);
        assert_int_equal(strspn(id, "0123456789abcdef"), 32);
        assert_true(strlen(event_name((enum event)i)) > 0);
        assert_in_range(event_priority((enum event)i), LOG_ERR, LOG_INFO);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(id, event_message_id((enum event)j));
            assert_string_not_equal(event_name((enum event)i), event_name((enum event)j));
        }
    }
}

/* The names are what administrators filter by: they never change. */
static void events_are_called_what_the_manual_says(void **state)
{
    (void)state;
    assert_string_equal(event_name(EVENT_STARTED), "started");
    assert_string_equal(event_name(EVENT_ACKNOWLEDGED), "acknowledged");
    assert_string_equal(event_name(EVENT_SEGMENT_FOREIGN), "segment-foreign");
    assert_string_equal(event_name(EVENT_RECORD_REJECTED), "record-rejected");
    assert_string_equal(event_name(EVENT_RELOAD_REFUSED), "reload-refused");
    assert_int_equal(event_priority(EVENT_RECORD_REJECTED), LOG_WARNING);
    assert_int_equal(event_priority(EVENT_SCRIBBLED), LOG_WARNING);
    assert_int_equal(event_priority(EVENT_SEGMENT_FOREIGN), LOG_ERR);
}

/* --- fields --- */

static void an_entry_says_what_it_is(void **state)
{
    CLEANUP(entry_free_cleanup)
    struct entry *entry = entry_new(EVENT_SCRIBBLED, "%s wrote %d bytes", "somebody", 7);

    (void)state;
    entry_add(entry, "SHMD_KEY=0x%08x", 5678U);
    entry_add_data(entry, "SHMD_RECORD", "a\0b\n", 4);
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_int_equal(mock_journal_count(), 1);
    assert_string_equal(mock_journal_field(0, "MESSAGE"), "somebody wrote 7 bytes");
    assert_string_equal(mock_journal_field(0, "MESSAGE_ID"), event_message_id(EVENT_SCRIBBLED));
    assert_string_equal(mock_journal_field(0, "PRIORITY"), "4");
    assert_string_equal(mock_journal_field(0, "SHMD_EVENT"), "scribbled");
    assert_string_equal(mock_journal_field(0, "SHMD_KEY"), "0x0000162e");
    assert_memory_equal(mock_journal_field(0, "SHMD_RECORD"), "a\0b\n", 5);
    assert_null(mock_journal_field(0, "NOTHING"));
}

static void a_field_may_be_empty(void **state)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = entry_new(EVENT_STARTED, "started");

    (void)state;
    entry_add_data(entry, "SHMD_RECORD", "", 0);
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_string_equal(mock_journal_field(0, "SHMD_RECORD"), "");
}

/* "Making an entry never fails for the caller: what memory is too short for is left out." */
static void fields_beyond_the_limit_are_left_out(void **state)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = entry_new(EVENT_STARTED, "started");

    (void)state;
    for (unsigned i = 0; i < 2 * ENTRY_FIELDS_MAX; i++) {
        entry_add(entry, "FIELD_%u=%u", i, i);
        entry_add_data(entry, "DATA", "x", 1);
    }
    assert_int_equal(entry->count, ENTRY_FIELDS_MAX);
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_string_equal(mock_journal_field(0, "MESSAGE"), "started");
}

static void no_entry_is_taken_everywhere(void **state)
{
    (void)state;
    entry_add(NULL, "FIELD=%d", 1);
    entry_add_data(NULL, "FIELD", "x", 1);
    assert_int_equal(entry_send(NULL, SINK_JOURNAL), 0);
    assert_int_equal(entry_send(NULL, SINK_STDERR), 0);
    assert_null(entry_free(NULL));
    assert_int_equal(mock_journal_tries(), 0);
}

static void an_error_of_the_journal_is_handed_on(void **state)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = entry_new(EVENT_STARTED, "started");

    (void)state;
    mock_journal_fail(-ECONNREFUSED, 1);
    assert_int_equal(entry_send(entry, SINK_JOURNAL), -ECONNREFUSED);
    assert_int_equal(mock_journal_count(), 0);
    assert_int_equal(entry_send(entry, SINK_JOURNAL), 0);
    assert_int_equal(mock_journal_count(), 1);
}

/* --- lines --- */

/* What a function writes to standard error; the caller's to free. */
static char *written(const struct entry *entry, ssize_t *ret_length)
{
    int saved = dup(STDERR_FILENO);
    char *text = calloc(1, 65536);
    int ends[2];

    assert_non_null(text);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    (void)fflush(stderr);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)entry_send(entry, SINK_STDERR);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(ends[1]);
    *ret_length = read(ends[0], text, 65535);
    (void)close(ends[0]);
    return text;
}

static void without_the_journal_a_message_is_a_line(void **state)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = entry_new(EVENT_STARTED, "it is %s", "on");
    CLEANUP(free_cleanup) char *line = NULL;
    ssize_t length;

    (void)state;
    entry_add(entry, "SHMD_KEY=1");
    line = written(entry, &length);
    assert_string_equal(line, "shmd: it is on\n");
    assert_int_equal(mock_journal_tries(), 0);
}

/* "One line, whatever the message holds": nothing in it drives a terminal or begins a line. */
static void control_characters_become_question_marks(void **state)
{
    CLEANUP(entry_free_cleanup)
    struct entry *entry =
        entry_new(EVENT_STARTED, "%s", "a\nshmd: b\rc\td\x1b[31me\x7f\x01\xc3\xa9");
    CLEANUP(free_cleanup) char *line = NULL;
    ssize_t length;

    (void)state;
    line = written(entry, &length);
    assert_string_equal(line, "shmd: a?shmd: b?c?d?[31me??\xc3\xa9\n");
}

static void a_long_message_is_cut_to_one_line(void **state)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = entry_new(EVENT_STARTED, "%5000d", 7);
    CLEANUP(free_cleanup) char *line = NULL;
    ssize_t length;

    (void)state;
    line = written(entry, &length);
    assert_in_range(length, 1024, 4096);
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

/* --- journal or not --- */

static void assert_sink(const char *stream, enum sink expected)
{
    assert_int_equal(stream ? setenv("JOURNAL_STREAM", stream, 1) : unsetenv("JOURNAL_STREAM"), 0);
    assert_int_equal(sink_detect(), expected);
}

/* "The journal, if standard error is connected to it ($JOURNAL_STREAM)." */
static void the_journal_is_used_where_standard_error_is_the_journal(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    assert_sink(stream, SINK_JOURNAL);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
                   (uintmax_t)st.st_ino + 1);
    assert_sink(stream, SINK_STDERR);
    assert_sink("", SINK_STDERR);
    assert_sink("nonsense", SINK_STDERR);
    assert_sink("1", SINK_STDERR);
    assert_sink(NULL, SINK_STDERR);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

TEST_GROUP("test-entry")
{
    const struct CMUnitTest tests[] = {
        TEST(every_event_has_a_name_and_an_id_of_its_own),
        TEST(events_are_called_what_the_manual_says),
        TEST(an_entry_says_what_it_is),
        TEST(a_field_may_be_empty),
        TEST(fields_beyond_the_limit_are_left_out),
        TEST(no_entry_is_taken_everywhere),
        TEST(an_error_of_the_journal_is_handed_on),
        TEST(without_the_journal_a_message_is_a_line),
        TEST(control_characters_become_question_marks),
        TEST(a_long_message_is_cut_to_one_line),
        TEST(the_journal_is_used_where_standard_error_is_the_journal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
