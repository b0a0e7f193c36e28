/* SPDX-License-Identifier: MIT
 *
 * What systemd is told, while it does not read: nobody waits, and what is out of date is not told.
 */
#include "daemon/notifier.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include "mock.h"
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TEXT_MAX 4096
#define TWICE    " WATCHDOG=1 WATCHDOG=1"

struct fixture {
    char *directory;
    struct store store;
    struct notifier *notifier;
    int ends[2]; /* of a pipe; the second one is to be kept */
    char told[TEXT_MAX];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    f->directory = private_directory_new();
    return f->directory && store_open(&f->store, f->directory) && notifier_new(&f->notifier) == 0 &&
                   pipe2(f->ends, O_CLOEXEC) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_journal_reset();
    store_close(&f->store);
    (void)notifier_close(f->notifier, PATIENCE_USEC);
    (void)fd_close(f->ends[0]);
    (void)fd_close(f->ends[1]);
    (void)private_directory_free(f->directory);
    free(f);
    return 0;
}

/* From now on systemd does not read; the message that is on its way is of no account. */
static void stop_reading(struct fixture *f)
{
    assert_true(store_fill(&f->store));
    notifier_tell(f->notifier, "FIRST=1");
}

/* Reads all that there is; each message begins with a blank. What the socket was filled with does
 * not count. */
static const char *read_on(struct fixture *f)
{
    char text[512];

    f->told[0] = '\0';
    for (uint64_t end = clock_usec() + PATIENCE_USEC; clock_usec() < end;) {
        bool all = notifier_waiting(f->notifier) == 0;
        ssize_t length = recv(f->store.socket, text, sizeof(text) - 1, MSG_DONTWAIT);

        if (length > 0 && text[0] != 'X' && strncmp(text, "FIRST", strlen("FIRST")) != 0) {
            text[length] = '\0';
            (void)strcat(strcat(f->told, " "), text);
        } else if (length < 0 && all) {
            return f->told;
        }
    }
    return "it does not end";
}

static bool keep(struct fixture *f, const char *name)
{
    return notifier_keep(f->notifier, name, &f->ends[1], 1);
}

static void all_is_told_in_its_order(void **state)
{
    struct fixture *f = *state;

    notifier_tell(f->notifier, "RELOADING=1\nMONOTONIC_USEC=%d", 42);
    notifier_tell(f->notifier, "STATUS=%s", "fine");
    assert_true(keep(f, "a"));
    notifier_tell(f->notifier, "READY=1");
    notifier_forget(f->notifier, "b");
    assert_string_equal(read_on(f),
                        " RELOADING=1\nMONOTONIC_USEC=42 STATUS=fine"
                        " FDNAME=a\nFDSTORE=1\nFDPOLL=0 READY=1 FDNAME=b\nFDSTOREREMOVE=1");
}

static void of_a_state_the_last_one_is_told(void **state)
{
    struct fixture *f = *state;

    stop_reading(f);
    for (int i = 0; i < 100; i++) {
        notifier_tell(f->notifier, "STATUS=%d", i);
        notifier_tell(f->notifier, "RELOADING=1");
        notifier_tell(f->notifier, "READY=1");
    }
    assert_string_equal(read_on(f), " STATUS=99 RELOADING=1 READY=1");
}

static void the_watchdog_is_fed_first(void **state)
{
    struct fixture *f = *state;
    const char *told;

    stop_reading(f);
    notifier_tell(f->notifier, "STATUS=busy");
    notifier_feed_watchdog(f->notifier);
    assert_true(keep(f, "a"));
    notifier_feed_watchdog(f->notifier);
    told = read_on(f);
    if (strncmp(told, TWICE, strlen(TWICE)) == 0) {
        told += strlen(TWICE) / 2; /* it was on its way already, ahead of FIRST */
    }
    assert_string_equal(told, " WATCHDOG=1 STATUS=busy FDNAME=a\nFDSTORE=1\nFDPOLL=0");
}

static void what_was_to_be_kept_and_is_forgotten_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct pollfd other = {.fd = f->ends[0]};

    stop_reading(f);
    assert_true(keep(f, "a"));
    assert_true(keep(f, "ab"));
    assert_true(keep(f, "b"));
    notifier_forget(f->notifier, "a");
    notifier_forget(f->notifier, "b");
    notifier_forget(f->notifier, "kept-long-ago");
    assert_string_equal(read_on(f),
                        " FDNAME=ab\nFDSTORE=1\nFDPOLL=0 FDNAME=kept-long-ago\nFDSTOREREMOVE=1");
    f->ends[1] = fd_close(f->ends[1]);
    assert_int_equal(poll(&other, 1, PATIENCE_MSEC), 1); /* and no copy is left */
    assert_int_equal(other.revents, POLLHUP);
}

static void only_so_many_descriptors_wait(void **state)
{
    struct fixture *f = *state;
    char name[16];

    stop_reading(f);
    for (int i = 0; i < NOTIFIER_STORES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        assert_true(keep(f, name));
    }
    assert_false(keep(f, "one more"));
    assert_false(notifier_await_room(f->notifier, clock_usec() + USEC_PER_MSEC));
    notifier_forget(f->notifier, "7");
    assert_true(keep(f, "one more"));
    (void)read_on(f);
    assert_true(notifier_await_room(f->notifier, 0));
    assert_true(keep(f, "now"));
}

/* The thread goes down with the process then; here, when its socket is closed. */
static void a_stop_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;

    mock_journal_block(true); /* deadlines are what they are */
    stop_reading(f);
    assert_null(notifier_close(f->notifier, USEC_PER_MSEC));
}

static void without_systemd_nobody_is_told(void **state)
{
    struct notifier *notifier;

    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(notifier_new(&notifier), 0);
    assert_null(notifier);
    notifier_tell(notifier, "READY=1");
    notifier_feed_watchdog(notifier);
    notifier_forget(notifier, "a");
    assert_true(notifier_await_room(notifier, 0));
    assert_int_equal(notifier_waiting(notifier), 0);
    assert_null(notifier_close(notifier, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-notifier")
{
    const struct CMUnitTest tests[] = {
        TEST(all_is_told_in_its_order),
        TEST(of_a_state_the_last_one_is_told),
        TEST(the_watchdog_is_fed_first),
        TEST(what_was_to_be_kept_and_is_forgotten_is_not_told),
        TEST(only_so_many_descriptors_wait),
        TEST(a_stop_does_not_wait_for_ever),
        TEST(without_systemd_nobody_is_told),
    };

    return cmocka_run_group_tests(tests, store_set_up, store_tear_down);
}
