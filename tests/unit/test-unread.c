/* SPDX-License-Identifier: MIT
 *
 * Records that are let go although nobody has acknowledged them: which the journal names, and which
 * it does not.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING      "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define LARGER    "layout = \"ring\"; mode = \"0644\"; size = 8192; spin_us = 0; "
#define OVERWRITE RING "when_full = \"overwrite\"; "
#define PLAIN     "spin_us = 0; "

static void subscribe(struct fixture *f, struct peer *peer, enum message_start start)
{
    assert_int_equal(daemon_subscribe_from(&f->daemon, peer, start), 0);
    turn(f);
}

/* All that is told by now is of so many of these records: one entry. */
static void assert_told_of(struct fixture *f, uint64_t first, uint64_t last, uint64_t records)
{
    int i;

    assert_true(daemon_has_told(&f->daemon));
    i = mock_journal_find("records-unread");
    assert_true(i >= 0);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_RECORD_FIRST"), first);
    /* In one entry, or in several: the log has sent what there was before. */
    for (size_t j = (size_t)i; j < mock_journal_count(); j++) {
        if (strcmp(mock_journal_field(j, "SHMD_EVENT"), "records-unread") == 0) {
            records -= mock_journal_number(j, "SHMD_RECORDS");
            i = (int)j;
        }
    }
    assert_int_equal(records, 0);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_RECORD_LAST"), last);
}

/* … of all of these; or (0) there is none. */
static void assert_told(struct fixture *f, uint64_t first, uint64_t last)
{

    if (first > 0) {
        assert_told_of(f, first, last, last - first + 1);
        return;
    }
    assert_true(daemon_has_told(&f->daemon));
    assert_int_equal(mock_journal_find("records-unread"), -1);
}

static void who_wants_the_next_lets_go_what_was_held(void **state)
{
    static const char *const layouts[] = {RING, PLAIN};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        uint64_t held;

        (void)start(f, layouts[i]);
        held = newest(f);
        subscribe(f, &f->a, MESSAGE_START_NEXT);
        assert_told(f, 1, held);
        peer_leave(&f->a);
        daemon_free(&f->daemon);
        mock_journal_reset();
    }
}

/* Also where it comes and goes at once. */
static void a_short_visit_is_told(void **state)
{
    struct fixture *f = *state;
    uint64_t held;

    (void)start(f, RING);
    held = newest(f);
    assert_int_equal(daemon_subscribe_from(&f->daemon, &f->a, MESSAGE_START_NEXT), 0);
    peer_leave(&f->a);
    turn(f);
    assert_told(f, 1, held);
}

static void what_was_acknowledged_is_not_told(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a, MESSAGE_START_OLDEST);
    acknowledge(f, &f->a, 9);
    subscribe(f, &f->b, MESSAGE_START_NEXT);
    acknowledge(f, &f->a, f->b.welcome.first - 1);
    acknowledge(f, &f->a, newest(f));
    assert_told(f, 0, 0);
}

/* One of them has acknowledged nine records, the other one five of these. */
static void two_come_and_go(struct fixture *f)
{
    subscribe(f, &f->a, MESSAGE_START_OLDEST);
    subscribe(f, &f->b, MESSAGE_START_OLDEST);
    acknowledge(f, &f->a, 9);
    peer_leave(&f->a);
    turn(f);
    acknowledge(f, &f->b, 5);
    peer_leave(&f->b);
    turn(f);
}

/* Who has acknowledged and left counts, as long as there is no gap. */
static void nor_is_what_one_did_who_left(void **state)
{
    struct fixture *f = *state;
    uint64_t held;

    (void)start(f, RING);
    two_come_and_go(f);
    held = newest(f);
    assert_told(f, 0, 0);
    subscribe(f, &f->a, MESSAGE_START_NEXT);
    assert_told(f, 10, held);
}

/* The slow one goes, and who is left began behind what it owed. */
static void what_one_owed_who_goes_is_told(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    (void)start(f, RING);
    subscribe(f, &f->a, MESSAGE_START_OLDEST);
    acknowledge(f, &f->a, 5);
    subscribe(f, &f->b, MESSAGE_START_NEXT);
    first = f->b.welcome.first;
    assert_told(f, 0, 0);
    peer_leave(&f->a);
    turn(f);
    assert_told(f, 6, first - 1);
    acknowledge(f, &f->b, newest(f));
    assert_true(untold_is_empty(&f->daemon.manager->state->file->untold));
}

static void where_the_newest_wins_nobody_is_told(void **state)
{
    struct fixture *f = *state;

    (void)start(f, OVERWRITE);
    subscribe(f, &f->a, MESSAGE_START_NEXT);
    acknowledge(f, &f->a, newest(f));
    assert_told(f, 0, 0);
}

static void a_restart_forgets_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t held;

    (void)start(f, RING);
    two_come_and_go(f);
    daemon_stop(&f->daemon, true);
    assert_true(daemon_start(&f->daemon));
    turn(f);
    held = newest(f);
    subscribe(f, &f->a, MESSAGE_START_NEXT);
    assert_told(f, 10, held);
}

static void reload(struct fixture *f, const char *conf)
{
    assert_true(file_write(f->daemon.conf_path, conf, strlen(conf)));
    daemon_reload(f->daemon.manager);
    turn(f);
}

/* Nobody owes it, and the ring that takes its place has other records. */
static void what_a_replaced_ring_held_is_told(void **state)
{
    static const char *const others[] = {OVERWRITE, LARGER, PLAIN};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        uint64_t held;

        (void)start(f, RING);
        held = newest(f);
        reload(f, others[i]);
        assert_told(f, 1, held);
        daemon_free(&f->daemon);
        mock_journal_reset();
    }
}

static void come(struct fixture *f, struct peer *peer, const struct message_hello *hello)
{
    assert_true(peer_connect(peer, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(peer, f->daemon.manager->event, hello), 0);
    turn(f);
}

/* Who was `a`, and has acknowledged so much. */
static void come_back(struct fixture *f, struct message_hello *hello, uint64_t after)
{
    memcpy(hello->epoch, f->a.welcome.epoch, sizeof(hello->epoch));
    hello->after = after;
    come(f, &f->b, hello);
}

/* What one owes who was sent away is hers; if she has read half of it, the other half is told. */
static void what_a_replaced_ring_held_is_told_when_nobody_owes_it(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    uint64_t held;

    (void)start(f, RING);
    hello.client = 7;
    come(f, &f->a, &hello);
    acknowledge(f, &f->a, 5);
    held = newest(f);
    reload(f, OVERWRITE);
    assert_told(f, 0, 0);
    come_back(f, &hello, 9);
    assert_told(f, 10, held);
}

/*
 * One acknowledges the first records, and another one some that come behind a gap. What stands in
 * the gap, and behind them, nobody has had. Returns how many records those are.
 */
static uint64_t one_leaves_a_gap(struct fixture *f)
{
    uint64_t first;

    subscribe(f, &f->a, MESSAGE_START_OLDEST);
    subscribe(f, &f->b, MESSAGE_START_NEXT);
    first = f->b.welcome.first;
    acknowledge(f, &f->a, 20);
    assert_true(newest(f) >= first + 2);
    acknowledge(f, &f->b, first + 2);
    peer_leave(&f->b);
    turn(f);
    peer_leave(&f->a);
    turn(f);
    assert_told(f, 0, 0);
    return newest(f) - 20 - 3;
}

static void what_one_did_behind_a_gap_is_not_told(void **state)
{
    static const char *const layouts[] = {RING, OVERWRITE};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        uint64_t unread, held;

        (void)start(f, layouts[i]);
        unread = one_leaves_a_gap(f);
        held = newest(f);
        if (i == 0) {
            assert_int_equal(oldest(f), 21);
        }
        daemon_stop(&f->daemon, true); /* a restart forgets nothing */
        assert_true(daemon_start(&f->daemon));
        reload(f, LARGER);
        assert_told_of(f, 21, held, unread);
        daemon_free(&f->daemon);
        mock_journal_reset();
    }
}

static void stretches_grow_together(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, RING);
    const struct state_file *file = manager->state->file;

    unread_forget(manager, 10, 12);
    unread_forget(manager, 20, 22);
    unread_forget(manager, 15, 15);
    unread_forget(manager, 13, 19);
    unread_forget(manager, 1, 3);
    assert_int_equal(file->covered, 3);
    unread_forget(manager, 4, 9);
    assert_int_equal(file->covered, 22);
}

/* More is told than has to be, rather than less. */
static void of_too_many_stretches_the_first_is_told(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, RING);
    uint64_t last = 0;

    for (int i = 0; i <= STRETCHES_MAX; i++) {
        unread_forget(manager, last + 8, last + 10);
        last += 10;
    }
    unread_release(manager, last);
    assert_told_of(f, 1, last - 3, last - UINT64_C(3) * STRETCHES_MAX);
}

static void damaged_stretches_say_nothing(void **state)
{
    struct fixture *f = *state;
    struct state_file *file;

    (void)start(f, RING);
    file = f->daemon.manager->state->file;
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        file->stretches[i] = (struct stretch){.first = i, .last = UINT64_MAX - i};
    }
    daemon_stop(&f->daemon, true);
    assert_true(daemon_start(&f->daemon));
    unread_forget(f->daemon.manager, 8, 9);
    unread_release(f->daemon.manager, 9);
    assert_told(f, 1, 7);
}

/* Two rings later: who was sent away from the first one still owes what stood there. */
static void what_is_owed_of_an_old_ring_is_not_forgotten_with_the_next(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    uint64_t held;

    (void)start(f, OVERWRITE);
    hello.client = 7;
    come(f, &f->a, &hello);
    acknowledge(f, &f->a, 5);
    reload(f, LARGER "when_full = \"overwrite\"; ");
    held = newest(f);
    reload(f, OVERWRITE);
    assert_told(f, 0, 0);
    come_back(f, &hello, 9);
    assert_told(f, 10, held);
}

/* Somebody has removed it, and another program of ours has made one under its key, or nobody has.
 */
static void what_a_removed_ring_held_is_held_by_the_next(void **state)
{
    static const size_t sizes[] = {0, 100, 4096};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct manager *manager = start(f, RING);
        uint64_t held = newest(f);
        int id = manager->segment.id;

        assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
        assert_true(sizes[i] == 0 ||
                    shmget((key_t)manager->segment.key, sizes[i], IPC_CREAT | 0600) >= 0);
        (void)manager_on_tick(manager->tick_source, 0, manager);
        assert_int_not_equal(manager->segment.id, id);
        assert_int_equal(oldest(f), 1);
        assert_int_equal(newest(f), held);
        turn(f);
        assert_told(f, 0, 0);
        subscribe(f, &f->a, MESSAGE_START_OLDEST);
        assert_int_equal(f->a.welcome.first, 1);
        peer_leave(&f->a);
        daemon_free(&f->daemon);
        mock_journal_reset();
    }
}

/* A watched file has changed, and nobody was there. */
static void what_is_out_of_date_is_told(void **state)
{
    struct fixture *f = *state;

    (void)start(f, PLAIN);
    f->daemon.manager->intake.outdated = true;
    turn(f);
    assert_int_equal(newest(f), 2);
    assert_told(f, 1, 1);
}

/* However often it happens, there is an entry a second, and what it tells adds up. */
static void often_is_told_together(void **state)
{
    struct fixture *f = *state;
    uint64_t told = 0, held = 0;
    size_t entries = 0;

    (void)start(f, RING);
    for (int i = 0; i < 20; i++) {
        held = newest(f);
        subscribe(f, &f->a, MESSAGE_START_NEXT);
        peer_leave(&f->a);
        turn(f);
    }
    daemon_stop(&f->daemon, true); /* all entries have arrived */
    for (size_t i = 0; i < mock_journal_count(); i++) {
        if (strcmp(mock_journal_field(i, "SHMD_EVENT"), "records-unread") == 0) {
            told += mock_journal_number(i, "SHMD_RECORDS");
            entries++;
        }
    }
    assert_int_equal(told, held);
    assert_true(entries < 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-unread")
{
    const struct CMUnitTest tests[] = {
        TEST(who_wants_the_next_lets_go_what_was_held),
        TEST(a_short_visit_is_told),
        TEST(what_was_acknowledged_is_not_told),
        TEST(nor_is_what_one_did_who_left),
        TEST(what_one_owed_who_goes_is_told),
        TEST(where_the_newest_wins_nobody_is_told),
        TEST(a_restart_forgets_nothing),
        TEST(what_a_replaced_ring_held_is_told),
        TEST(what_a_replaced_ring_held_is_told_when_nobody_owes_it),
        TEST(what_one_did_behind_a_gap_is_not_told),
        TEST(stretches_grow_together),
        TEST(of_too_many_stretches_the_first_is_told),
        TEST(damaged_stretches_say_nothing),
        TEST(what_is_owed_of_an_old_ring_is_not_forgotten_with_the_next),
        TEST(what_a_removed_ring_held_is_held_by_the_next),
        TEST(what_is_out_of_date_is_told),
        TEST(often_is_told_together),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
