/* SPDX-License-Identifier: MIT
 *
 * A subscriber whose daemon was killed, without systemd to keep its session: its page says for ever
 * that all is well. What it reads and acknowledges then is certain nevertheless, or it is told that
 * it is not; and what it has acknowledged, the next daemon hears.
 */
#include "daemon.h"
#include "lib/shmd.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SOURCE    "source = { type = \"pattern\"; frame_size = 26; }; "
#define RING      "layout = \"ring\"; mode = \"0644\"; size = 4096; " SOURCE
#define OVERWRITE RING "when_full = \"overwrite\"; "
#define LENGTH    26
/* Records that are not in the session page. */
#define PLAIN "size = 8192; source = { type = \"pattern\"; frame_size = 5000; }; "

struct fixture {
    struct daemon daemon;
    const char *conf;
    struct shmd_subscriber *subscriber;
    struct peer other;
    struct shmd_record record;
    int result;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->other = PEER_NONE;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_journal_reset();
    peer_leave(&f->other);
    daemon_free(&f->daemon);
    (void)shmd_unsubscribe(f->subscriber); /* waits for nobody */
    free(f);
    return 0;
}

/* --- what waits for the daemon --- */

static void *subscribe(void *argument)
{
    struct fixture *f = argument;
    struct shmd_options options = {.socket = f->daemon.socket_path, .start = SHMD_START_OLDEST};

    f->result = shmd_subscribe(&options, &f->subscriber);
    return NULL;
}

static void *take_next(void *argument)
{
    struct fixture *f = argument;

    f->result = shmd_next(f->subscriber, &f->record);
    return NULL;
}

static void *leave(void *argument)
{
    struct fixture *f = argument;

    f->subscriber = shmd_unsubscribe(f->subscriber);
    return NULL;
}

/* --- what becomes of it --- */

/* It has taken so many records. */
static void begin(struct fixture *f, const char *conf, uint64_t count)
{
    f->conf = conf;
    assert_true(daemon_new(&f->daemon, conf));
    daemon_turn(&f->daemon);
    assert_true(daemon_serve(&f->daemon, subscribe, f));
    assert_int_equal(f->result, 0);
    daemon_turn(&f->daemon);
    for (uint64_t i = 1; i <= count; i++) {
        assert_int_equal(shmd_next(f->subscriber, &f->record), 0);
        assert_int_equal(f->record.number, i);
    }
}

static void kill_daemon(struct fixture *f)
{
    daemon_stop(&f->daemon, true);
}

static void go_on(struct fixture *f)
{
    assert_true(daemon_start(&f->daemon));
    daemon_turn(&f->daemon);
}

/* The next daemon's lease is over, and somebody else has all records up to the one with this
 * number. */
static void go_on_without_it(struct fixture *f, uint64_t number)
{
    struct manager *manager;
    char conf[512];
    int length = snprintf(conf, sizeof(conf), "%slease_ms = 100; ", f->conf);

    assert_true(file_write(f->daemon.conf_path, conf, (size_t)length));
    go_on(f);
    manager = f->daemon.manager;
    assert_int_equal(daemon_subscribe(&f->daemon, &f->other), 0);
    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         board_newest(&manager->board) < number && clock_usec() < end;) {
        peer_acknowledge(&f->other, board_newest(&manager->board));
        daemon_turn(&f->daemon);
        (void)sd_event_run(manager->event, USEC_PER_MSEC);
    }
    assert_true(board_newest(&manager->board) >= number);
}

/* Far enough that nothing is left of what stood in the ring of 4096 bytes. */
#define FAR 200

/* How many acknowledged records the journal accounts for, of all subscribers. */
static unsigned long long logged(struct fixture *f)
{
    daemon_turn(&f->daemon);
    return daemon_logged_records(&f->daemon);
}

/* --- what it reads --- */

static void what_was_written_over_is_not_acknowledged(void **state)
{
    struct fixture *f = *state;
    char was[LENGTH];

    begin(f, RING, 3);
    assert_int_equal(shmd_acknowledge(f->subscriber, 2), 0);
    memcpy(was, f->record.data, sizeof(was));
    kill_daemon(f);
    go_on_without_it(f, FAR);
    assert_memory_not_equal(was, f->record.data, sizeof(was)); /* or nothing follows from this */
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), -ETIME);
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), -ETIME);
    assert_int_equal(shmd_acknowledge(f->subscriber, 2), 0); /* it was certain, and is known */
    assert_int_equal(shmd_next(f->subscriber, &f->record), -ETIME);
}

/* … nor taken for certain by who asks for the next one before it uses its copies. */
static void the_next_one_tells_that_what_was_read_is_not_certain(void **state)
{
    struct fixture *f = *state;

    begin(f, RING, 3);
    kill_daemon(f);
    go_on_without_it(f, FAR);
    assert_int_equal(shmd_next(f->subscriber, &f->record), -ETIME);
    assert_int_equal(shmd_wait(f->subscriber, SHMD_FOREVER), -ETIME);
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), -ETIME);
}

/* … and not even after that daemon was killed, too. */
static void nor_when_nobody_is_there_any_more(void **state)
{
    struct fixture *f = *state;

    begin(f, RING, 3);
    kill_daemon(f);
    go_on_without_it(f, FAR);
    kill_daemon(f);
    assert_int_equal(shmd_next(f->subscriber, &f->record), -ETIME);
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), -ETIME);
}

/* What still stands is certain, whoever is there now. */
static void what_stands_is_acknowledged_later(void **state)
{
    struct fixture *f = *state;
    char was[LENGTH];

    begin(f, RING, 3);
    memcpy(was, f->record.data, sizeof(was));
    kill_daemon(f);
    go_on(f);
    assert_int_equal(shmd_acknowledge(f->subscriber, 2), SHMD_LATER);
    assert_memory_equal(was, f->record.data, sizeof(was));
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), SHMD_LATER);
    assert_true(daemon_serve(&f->daemon, take_next, f));
    assert_int_equal(f->result, 0);
    assert_int_equal(f->record.number, 4);
    assert_int_equal(logged(f), 3);
}

/* Who has acknowledged all that it was given has lost only what it has not seen. */
static void who_owes_nothing_goes_on_behind_what_is_lost(void **state)
{
    struct fixture *f = *state;

    begin(f, RING, 3);
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), 0);
    kill_daemon(f);
    go_on_without_it(f, FAR);
    assert_true(daemon_serve(&f->daemon, take_next, f));
    assert_int_equal(f->result, 0);
    assert_true(f->record.number > 4);
    assert_int_equal(f->record.lost, f->record.number - 4);
}

/* A copy is certain; but the daemon that is there now has not heard of it. */
static void what_was_copied_is_acknowledged_later(void **state)
{
    struct fixture *f = *state;

    begin(f, OVERWRITE, 1);
    kill_daemon(f);
    go_on_without_it(f, FAR);
    assert_int_equal(shmd_acknowledge(f->subscriber, 1), SHMD_LATER);
}

/* The page has number and length of the one before. */
static void a_record_of_the_next_daemon_is_not_taken_for_that_of_the_one_before(void **state)
{
    struct fixture *f = *state;

    begin(f, PLAIN, 0);
    kill_daemon(f);
    go_on_without_it(f, 2);
    assert_int_equal(shmd_next(f->subscriber, &f->record), -EAGAIN);
    assert_true(daemon_serve(&f->daemon, take_next, f));
    assert_int_equal(f->result, 0);
    assert_true(f->record.number > 1);
    assert_int_equal(f->record.lost, f->record.number - 1);
}

/* --- what it has acknowledged --- */

static void leaves_and_is_heard(struct fixture *f, unsigned long long records)
{
    go_on(f);
    assert_true(daemon_serve(&f->daemon, leave, f));
    assert_int_equal(logged(f), records);
}

static void who_leaves_tells_what_it_has_acknowledged(void **state)
{
    struct fixture *f = *state;

    begin(f, RING, 3);
    kill_daemon(f);
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), 0); /* nobody is there to be seen */
    leaves_and_is_heard(f, 3);
}

/* … having found that nobody is there. */
static void who_knows_that_nobody_is_there_tells_it_too(void **state)
{
    struct fixture *f = *state;

    begin(f, RING, 3);
    kill_daemon(f);
    assert_int_equal(shmd_acknowledge(f->subscriber, 2), 0);
    assert_int_equal(shmd_arm(f->subscriber), SHMD_NEWS);
    assert_int_equal(shmd_acknowledge(f->subscriber, 3), SHMD_LATER);
    while ((f->result = shmd_next(f->subscriber, &f->record)) == 0) {
    }
    assert_int_equal(f->result, -EAGAIN);
    leaves_and_is_heard(f, 3);
}

/* … in the plain layout. */
static void who_leaves_a_plain_segment_tells_it_too(void **state)
{
    struct fixture *f = *state;

    begin(f, SOURCE, 1);
    kill_daemon(f);
    assert_int_equal(shmd_acknowledge(f->subscriber, 1), 0);
    leaves_and_is_heard(f, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-abandoned")
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_over_is_not_acknowledged),
        TEST(the_next_one_tells_that_what_was_read_is_not_certain),
        TEST(nor_when_nobody_is_there_any_more),
        TEST(what_stands_is_acknowledged_later),
        TEST(who_owes_nothing_goes_on_behind_what_is_lost),
        TEST(what_was_copied_is_acknowledged_later),
        TEST(a_record_of_the_next_daemon_is_not_taken_for_that_of_the_one_before),
        TEST(who_leaves_tells_what_it_has_acknowledged),
        TEST(who_knows_that_nobody_is_there_tells_it_too),
        TEST(who_leaves_a_plain_segment_tells_it_too),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
