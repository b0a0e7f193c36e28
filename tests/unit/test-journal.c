/* SPDX-License-Identifier: MIT
 *
 * What arrives at the journal's socket: byte for byte the native protocol, and noted as sent if and
 * only if it was.
 */
#include "daemon/journal.h"

#include "own-journal.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/uio.h>

#include <cmocka.h>

#define SIZE 4096

static int set_up(void **state)
{
    static int fd;

    fd = own_journal_listen();
    *state = &fd;
    return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    own_journal_close(*(int *)*state);
    return 0;
}

static struct iovec field(const char *bytes, size_t length)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
}

/* Sends fields, and asserts that exactly these bytes arrive. */
static void assert_sent(int fd, const struct iovec *fields, size_t count, const char *expected,
                        size_t length)
{
    struct mmsghdr note = {0};
    char buffer[SIZE];

    assert_int_equal(journal_send(fields, count, &note), 0);
    assert_int_equal(note.msg_len, length);
    assert_int_equal(own_journal_take(fd, PATIENCE_MSEC, buffer, sizeof(buffer)), length);
    assert_memory_equal(buffer, expected, length);
}

#define ASSERT_SENT(fd, fields, count, expected)                                                   \
    assert_sent(fd, fields, count, expected, sizeof(expected) - 1)

/* --- the protocol --- */

static void a_field_is_a_line(void **state)
{
    const struct iovec fields[] = {field("MESSAGE=hello", 13), field("PRIORITY=6", 10),
                                   field("EMPTY=", 6), field("EQUALS=a=b=", 11)};

    ASSERT_SENT(*(int *)*state, fields, 4, "MESSAGE=hello\nPRIORITY=6\nEMPTY=\nEQUALS=a=b=\n");
}

/* "NAME\n", the value's length, value, "\n": nobody forges a field with a newline in a value. */
static void a_value_with_a_newline_has_its_length(void **state)
{
    const struct iovec fields[] = {field("A=x\nPRIORITY=0", 14), field("B=\n", 3), field("C=c", 3)};

    assert_int_equal(le64toh(12), 12); /* as it is written below */
    ASSERT_SENT(*(int *)*state, fields, 3,
                "A\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\nB\n\x01\0\0\0\0\0\0\0\n\nC=c\n");
}

static void any_byte_may_be_in_a_value(void **state)
{
    const struct iovec fields[] = {field("A=\0\xff\x01", 5), field("B=\n\0\n", 5)};

    ASSERT_SENT(*(int *)*state, fields, 2, "A=\0\xff\x01\nB\n\x03\0\0\0\0\0\0\0\n\0\n\n");
}

static void there_is_room_for_as_many_fields_as_is_said(void **state)
{
    struct iovec fields[JOURNAL_FIELDS_MAX + 1];
    struct mmsghdr note = {0};
    char buffer[SIZE];

    for (size_t i = 0; i <= JOURNAL_FIELDS_MAX; i++) {
        fields[i] = field("NAME=\n", 6); /* of the most parts */
    }
    assert_int_equal(journal_send(fields, JOURNAL_FIELDS_MAX + 1, &note), -E2BIG);
    assert_int_equal(note.msg_len, 0);
    assert_int_equal(journal_send(fields, JOURNAL_FIELDS_MAX, &note), 0);
    assert_int_equal(own_journal_take(*(int *)*state, PATIENCE_MSEC, buffer, sizeof(buffer)),
                     JOURNAL_FIELDS_MAX * (sizeof("NAME\n") - 1 + sizeof(uint64_t) + 2));
}

/* --- the note --- */

static void what_nobody_takes_is_not_noted(void **state)
{
    struct iovec fields[] = {field("A=1", 3)};
    struct mmsghdr note = {.msg_len = 99}; /* of another entry */
    int *fd = *state;

    *fd = fd_close(*fd);
    assert_int_equal(journal_send(fields, 1, &note), -ECONNREFUSED);
    assert_int_equal(note.msg_len, 0);
    assert_int_equal(unlink(OWN_JOURNAL_SOCKET), 0);
    assert_int_equal(journal_send(fields, 1, &note), -ENOENT);
    assert_int_equal(note.msg_len, 0);
}

#define MANY 3000

/* "Blocks for as long as the journal does not read": nothing is thrown away. */
static void a_journal_that_is_full_is_waited_for(void **state)
{
    int fd = *(int *)*state;
    pid_t pid = child_start();
    char buffer[SIZE], expected[32];

    if (pid == 0) {
        for (int i = 0; i < MANY; i++) {
            int length = snprintf(expected, sizeof(expected), "N=%d", i);
            struct iovec fields[] = {field(expected, (size_t)length)};
            struct mmsghdr note = {0};

            if (journal_send(fields, 1, &note) < 0 || (int)note.msg_len != length + 1) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(expected, sizeof(expected), "N=%d\n", i);
        assert_true(own_journal_take(fd, PATIENCE_MSEC, buffer, sizeof(buffer)) > 0);
        assert_string_equal(buffer, expected);
    }
    assert_int_equal(child_wait(pid), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-journal")
{
    const struct CMUnitTest tests[] = {
        TEST(a_field_is_a_line),
        TEST(a_value_with_a_newline_has_its_length),
        TEST(any_byte_may_be_in_a_value),
        TEST(there_is_room_for_as_many_fields_as_is_said),
        TEST(what_nobody_takes_is_not_noted),
        TEST(a_journal_that_is_full_is_waited_for),
    };

    if (!own_run()) {
        (void)printf("1..0 # SKIP no mount namespace of its own: %s\n", strerror(errno));
        return EXIT_SUCCESS;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
