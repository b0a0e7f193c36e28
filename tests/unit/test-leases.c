/* SPDX-License-Identifier: MIT
 *
 * Leases in a whole daemon: who waits for whom, and who is evicted for it. Time passes when a test
 * says so.
 */
#include "daemon/leases.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING   "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define PUSH   "source = { type = \"push\"; }; "
#define LEASE  (86400000 * USEC_PER_MSEC)
#define LONG   "lease_ms = 86400000; "
#define NUMBER 77 /* which a subscriber calls itself */
#define TIMES  20
#define ALICE  ((uid_t)4000000001)

/* A tenth of a lease passes, so many times. */
static void tenths_pass(struct fixture *f, unsigned tenths)
{
    struct manager *manager = f->daemon.manager;

    manager->state->file->lease_clock.paused -= tenths * LEASE / 10;
    assert_true(sd_event_source_set_time(manager->lease_source, 1) >= 0);
    turn(f);
}

static bool is_evicted(const struct peer *peer)
{
    return peer->page->state == PAGE_EVICTED;
}

static void assert_evicted(struct fixture *f, const struct peer *peer, const char *why)
{
    assert_true(is_evicted(peer));
    daemon_flush(&f->daemon);
    assert_non_null(
        strstr(mock_journal_field((size_t)daemon_logged("session-evicted"), "MESSAGE"), why));
}

static struct message_hello hello_of(uint32_t role, uint32_t client)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

    hello.role = role;
    hello.client = client;
    hello.start = role == MESSAGE_PUBLISHER ? 0 : hello.start;
    return hello;
}

static void say(struct fixture *f, struct peer *peer, const struct message_hello *hello)
{
    assert_true(peer_connect(peer, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(peer, f->daemon.manager->event, hello), 0);
    turn(f);
}

static void subscribe(struct fixture *f, struct peer *peer)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);

    say(f, peer, &hello);
}

/* A publisher hands in more than there is room for. */
static void fill(struct fixture *f, struct peer *publisher)
{
    size_t size = publisher->welcome.segment_size;

    publisher->queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, publisher->fds[3], 0);
    publisher->writer = queue_writer(publisher->queue, size, publisher->welcome.first);
    while (queue_put(&publisher->writer, "record", 6)) {
        turn(f);
        queue_release(&publisher->writer, publisher->page->position);
    }
}

/* `b` has all that there is, and waits for what `a` owes. */
static void let_one_wait(struct fixture *f)
{
    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f));
}

/* a has one record done in nine tenths of each lease, and b does at once all that there is. */
static void one_word_a_lease_does_not_hold_up_the_others(void **state)
{
    struct fixture *f = *state;

    let_one_wait(f);
    for (uint64_t number = 1; number <= 2; number++) {
        assert_false(is_evicted(&f->a));
        tenths_pass(f, 9);
        acknowledge(f, &f->a, number);
        acknowledge(f, &f->b, newest(f));
    }
    assert_evicted(f, &f->a, "others have waited for it");
    assert_false(is_evicted(&f->b));
    acknowledge(f, &f->b, newest(f));
    assert_true(oldest(f) > 3); /* the ring goes on */
}

/* In a moment in which b is busy, a begins nothing anew. */
static void two_words_at_a_time_do_not_either(void **state)
{
    struct fixture *f = *state;

    let_one_wait(f);
    for (uint64_t number = 1; number <= 3; number += 2) {
        tenths_pass(f, 9);
        acknowledge(f, &f->a, number);
        acknowledge(f, &f->a, number + 1);
        acknowledge(f, &f->b, newest(f));
    }
    assert_true(is_evicted(&f->a));
}

/* Nor do sessions that take turns. */
static void two_who_take_turns_do_not_either(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->reader);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 6);
    acknowledge(f, &f->a, 20);
    tenths_pass(f, 3);
    acknowledge(f, &f->reader, 10);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 2);
    assert_true(is_evicted(&f->a));
    assert_true(is_evicted(&f->reader));
}

static void coming_back_does_not_either(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, NUMBER);
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    say(f, &f->a, &hello);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 9);
    memcpy(hello.epoch, f->a.welcome.epoch, sizeof(hello.epoch));
    say(f, &f->reader, &hello);
    assert_int_equal(f->reader.welcome.first, 1);
    tenths_pass(f, 2);
    assert_evicted(f, &f->reader, "others have waited for it");
}

/* It is stopped after its HELLO. It has 2 seconds to read the answer, which pass. */
static void say_and_stop(struct fixture *f, struct peer *peer, const struct message_hello *hello)
{
    struct session *session;
    bool deaf;

    run_loop(f->daemon.manager->event);
    assert_true(peer_say(peer, hello, sizeof(*hello)));
    turn(f);
    session = f->daemon.manager->sessions->first;
    assert_true(session_is_welcome(session));
    do { /* at first it is kept, if it was not at once */
        deaf = session->is_kept || session->to_be_kept;
        assert_true(sd_event_source_set_time(session->deadline_source, 1) >= 0);
        turn(f);
    } while (!deaf);
}

static void come_and_stop(struct fixture *f, struct peer *peer, const struct message_hello *hello)
{
    assert_true(peer_connect(peer, f->daemon.socket_path));
    say_and_stop(f, peer, hello);
    assert_true(session_is_away(f->daemon.manager->sessions->first));
}

/* P6: stopped at any instruction, nobody loses its place before its lease is over. */
static void who_is_stopped_while_it_comes_back_keeps_its_place(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, NUMBER);
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    say(f, &f->a, &hello);
    acknowledge(f, &f->a, 5);
    subscribe(f, &f->b);
    hello.after = 5;
    memcpy(hello.epoch, f->a.welcome.epoch, sizeof(hello.epoch));
    come_and_stop(f, &f->reader, &hello);
    acknowledge(f, &f->b, newest(f));
    assert_int_equal(oldest(f), 6);
    peer_leave(&f->reader);
    peer_leave(&f->a);
    say(f, &f->a, &hello);
    assert_int_equal(f->a.welcome.first, 6);
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 2);
}

/* A publisher does not either: what it had handed in is not published twice. */
static void a_publisher_that_is_stopped_keeps_its_place(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_PUBLISHER, NUMBER);
    struct fixture *f = *state;

    (void)start(f, RING LONG PUSH);
    say(f, &f->a, &hello);
    f->a.queue =
        mmap(NULL, f->a.welcome.segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, f->a.fds[3], 0);
    f->a.writer = queue_writer(f->a.queue, f->a.welcome.segment_size, f->a.welcome.first);
    assert_true(queue_put(&f->a.writer, "record", 6));
    turn(f);
    assert_int_equal(newest(f), 1); /* of which it does not know yet */
    memcpy(hello.epoch, f->a.welcome.epoch, sizeof(hello.epoch));
    come_and_stop(f, &f->reader, &hello);
    peer_leave(&f->reader);
    peer_leave(&f->a);
    say(f, &f->a, &hello);
    assert_int_equal(f->a.welcome.first, 2);
}

/* … but it is as if it had read the answer and been silent then: nobody waits longer for it. */
static void being_stopped_while_it_comes_back_is_no_excuse(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, NUMBER);
    struct fixture *f = *state;
    struct session *session;

    (void)start(f, RING LONG);
    subscribe(f, &f->b);
    session = f->daemon.manager->sessions->first;
    assert_int_equal(leases_length(f->daemon.manager, session), LEASE);
    come_and_stop(f, &f->a, &hello);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 9);
    acknowledge(f, &f->b, newest(f));
    assert_int_equal(oldest(f), 1);
    tenths_pass(f, 2);
    acknowledge(f, &f->b, newest(f));
    assert_true(oldest(f) > 1);
    assert_int_equal(leases_length(f->daemon.manager, session), LEASE / 4);
}

static void a_publisher_waits_too(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_PUBLISHER, 0);
    struct fixture *f = *state;

    (void)start(f, RING LONG PUSH);
    subscribe(f, &f->a);
    say(f, &f->b, &hello);
    fill(f, &f->b);
    for (uint64_t number = 1; number <= 2; number++) {
        assert_false(is_evicted(&f->a));
        tenths_pass(f, 9);
        acknowledge(f, &f->a, number);
    }
    assert_evicted(f, &f->a, "others have waited for it");
}

static void who_has_let_the_others_go_on_has_a_new_lease(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    for (int i = 0; i < TIMES; i++) {
        acknowledge(f, &f->b, newest(f));
        tenths_pass(f, 9);
        acknowledge(f, &f->a, newest(f));
    }
    assert_false(is_evicted(&f->a));
}

/* Nobody waits for it: it is alone, … */
static void who_is_slow_and_alone_stays(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    for (uint64_t number = 1; number <= TIMES; number++) {
        tenths_pass(f, 9);
        acknowledge(f, &f->a, number);
    }
    assert_false(is_evicted(&f->a));
}

/* … or beside one that is as slow, … */
static void two_who_are_slow_stay(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    for (uint64_t number = 1; number <= TIMES; number++) {
        tenths_pass(f, 9);
        acknowledge(f, &f->b, number);
        acknowledge(f, &f->a, number);
    }
    assert_false(is_evicted(&f->a));
    assert_false(is_evicted(&f->b));
}

/* … or any more: who has waited for it has left. */
static void who_is_slow_and_alone_again_stays(void **state)
{
    struct fixture *f = *state;

    let_one_wait(f);
    tenths_pass(f, 5);
    acknowledge(f, &f->a, 1);
    peer_leave(&f->b);
    turn(f);
    for (uint64_t number = 2; number <= TIMES; number++) {
        tenths_pass(f, 9);
        acknowledge(f, &f->a, number);
    }
    assert_false(is_evicted(&f->a));
}

/* Each plain record has a lease: it stands there alone. */
static void a_plain_record_at_a_time_is_all_that_is_owed(void **state)
{
    struct fixture *f = *state;

    (void)start(f, "spin_us = 0; " LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    for (uint64_t number = 1; number <= TIMES; number++) {
        acknowledge(f, &f->b, number);
        tenths_pass(f, 9);
        acknowledge(f, &f->a, number);
    }
    assert_false(is_evicted(&f->a));
    tenths_pass(f, 10);
    assert_evicted(f, &f->a, "acknowledged nothing");
}

/* --- sessions of one user, which take turns --- */

/* One comes, and the one before it goes: others wait no longer for that. */
static void a_user_has_one_lease_for_all_of_its_sessions(void **state)
{
    struct fixture *f = *state;

    let_one_wait(f);
    tenths_pass(f, 4);
    subscribe(f, &f->reader);
    assert_int_equal(f->reader.welcome.first, 1);
    peer_leave(&f->a);
    tenths_pass(f, 5);
    acknowledge(f, &f->reader, 1);
    acknowledge(f, &f->b, newest(f));
    assert_false(is_evicted(&f->reader));
    tenths_pass(f, 2);
    assert_evicted(f, &f->reader, "others have waited for it");
    acknowledge(f, &f->b, newest(f));
    assert_true(oldest(f) > 1);
}

static void nor_does_it_help_to_say_that_it_goes_on(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);
    struct fixture *f = *state;

    let_one_wait(f);
    tenths_pass(f, 9);
    memcpy(hello.epoch, f->a.welcome.epoch, sizeof(hello.epoch));
    say(f, &f->reader, &hello);
    assert_int_equal(f->reader.welcome.first, 1);
    peer_leave(&f->a);
    tenths_pass(f, 1);
    assert_true(is_evicted(&f->reader));
}

/* A plain record is no different. */
static void nor_where_there_is_one_record(void **state)
{
    struct fixture *f = *state;

    (void)start(f, "spin_us = 0; " LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, 1);
    tenths_pass(f, 4);
    subscribe(f, &f->reader);
    assert_int_equal(f->reader.welcome.first, 1);
    peer_leave(&f->a);
    tenths_pass(f, 6);
    assert_true(is_evicted(&f->reader));
    assert_int_equal(newest(f), 2);
}

/* Nor to be stopped in between: a is away, because it does not read its WELCOME. */
static void nor_to_be_away(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, NUMBER);
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    subscribe(f, &f->reader);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 4);
    come_and_stop(f, &f->a, &hello);
    peer_leave(&f->reader);
    tenths_pass(f, 5);
    assert_int_equal(oldest(f), 1);
    tenths_pass(f, 1);
    acknowledge(f, &f->b, newest(f));
    assert_true(oldest(f) > 1);
}

/* The next daemon knows what others have waited for, and for how long. */
static void nor_that_the_daemon_is_another_one(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);
    struct fixture *f = *state;
    struct lease_clock *clock;

    let_one_wait(f);
    clock = &f->daemon.manager->state->file->lease_clock;
    clock->waited += 6 * LEASE / 10;
    daemon_stop(&f->daemon, true);
    assert_true(daemon_start(&f->daemon));
    turn(f); /* both are away */
    hello.after = newest(f);
    memcpy(hello.epoch, f->b.welcome.epoch, sizeof(hello.epoch));
    peer_leave(&f->b);
    say(f, &f->b, &hello);
    peer_leave(&f->a);
    subscribe(f, &f->a);
    tenths_pass(f, 5);
    acknowledge(f, &f->b, newest(f));
    assert_true(oldest(f) > 1);
}

/* It asks for what others have waited for through half a lease, and somebody has had it. */
static void who_comes_late_begins_behind_that(void **state)
{
    struct fixture *f = *state;
    uint64_t last;

    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    last = newest(f);
    acknowledge(f, &f->b, last);
    tenths_pass(f, 8);
    subscribe(f, &f->reader);
    assert_int_equal(f->reader.welcome.first, last + 1);
    assert_int_equal(f->reader.welcome.lease_usec, LEASE);
    tenths_pass(f, 2);
    assert_true(is_evicted(&f->a));
    acknowledge(f, &f->b, newest(f));
    assert_true(newest(f) > last);
    tenths_pass(f, 9);
    assert_false(is_evicted(&f->reader)); /* which has a lease of its own for what came then */
}

/* … but nobody goes without a record that nobody has had: b has begun behind them. */
static void who_comes_late_gets_what_nobody_has_acknowledged(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);
    struct fixture *f = *state;

    (void)start(f, RING LONG);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 2);
    hello.start = MESSAGE_START_NEXT;
    say(f, &f->b, &hello);
    tenths_pass(f, 8);
    subscribe(f, &f->reader);
    assert_int_equal(f->reader.welcome.first, 3);
}

/* There was nobody left: what others have waited for, they wait for no more. */
static void the_first_one_has_a_lease_of_its_own(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_PUBLISHER, 0);
    struct fixture *f = *state;

    (void)start(f, RING LONG PUSH);
    subscribe(f, &f->a);
    say(f, &f->b, &hello);
    fill(f, &f->b);
    tenths_pass(f, 10);
    assert_true(is_evicted(&f->a));
    peer_leave(&f->a);
    subscribe(f, &f->reader);
    assert_int_equal(f->reader.welcome.first, 1);
    assert_int_equal(f->reader.welcome.lease_usec, LEASE / 4);
    tenths_pass(f, 2);
    assert_false(is_evicted(&f->reader));
}

/* --- users --- */

static void subscribe_as(struct fixture *f, struct peer *peer, uid_t uid)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);

    (void)chmod(f->daemon.socket_path, 0666);
    assert_true(peer_connect_as(peer, f->daemon.socket_path, uid, uid, NULL, 0));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(peer, f->daemon.manager->event, &hello), 0);
    turn(f);
}

/* An eviction makes the leases of its user shorter, and nobody else's. */
static void nobody_has_a_shorter_lease_for_another_ones_sake(void **state)
{
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    (void)start(f, RING LONG);
    subscribe_as(f, &f->a, ALICE);
    tenths_pass(f, 10);
    assert_true(is_evicted(&f->a));
    subscribe_as(f, &f->b, ALICE + 256);
    assert_int_equal(f->b.welcome.lease_usec, LEASE);
    peer_leave(&f->a);
    subscribe_as(f, &f->a, ALICE);
    assert_int_equal(f->a.welcome.lease_usec, LEASE / 4);
}

/* What others have waited for Alice's, does not count against anybody else. */
static void each_user_has_a_lease(void **state)
{
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    (void)start(f, RING LONG);
    subscribe_as(f, &f->a, ALICE);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 9);
    subscribe_as(f, &f->reader, ALICE + 256);
    assert_int_equal(f->reader.welcome.first, 1);
    tenths_pass(f, 2);
    assert_true(is_evicted(&f->a));
    assert_false(is_evicted(&f->reader));
    tenths_pass(f, 8);
    assert_true(is_evicted(&f->reader));
}

/* What Alice's subscribers have had a lease for, they get no more, while others have it still. */
static void a_lease_that_is_over_stays_so(void **state)
{
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    (void)start(f, RING LONG);
    subscribe_as(f, &f->a, ALICE);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f));
    tenths_pass(f, 9);
    subscribe_as(f, &f->reader, ALICE + 256);
    tenths_pass(f, 1);
    assert_true(is_evicted(&f->a));
    peer_leave(&f->a);
    subscribe_as(f, &f->a, ALICE);
    assert_true(f->a.welcome.first > 1);
    tenths_pass(f, 8);
    assert_int_equal(oldest(f), 1);
    tenths_pass(f, 1);
    acknowledge(f, &f->b, newest(f));
    assert_true(oldest(f) > 1);
}

/* There are cursors for all, however many do not listen. */
static void no_more_of_a_user_are_expected_back_than_it_may_have_sessions(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    (void)start(f, RING LONG "limits = { sessions_per_user = 2; }; ");
    (void)chmod(f->daemon.socket_path, 0666);
    for (int i = 0; i < 3; i++) {
        assert_true(peer_connect_as(&f->a, f->daemon.socket_path, ALICE, ALICE, NULL, 0));
        say_and_stop(f, &f->a, &hello);
        peer_leave(&f->a);
        turn(f);
    }
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 2);
    assert_non_null(strstr(mock_journal_field((size_t)daemon_logged("session-refused"), "MESSAGE"),
                           "did not read its WELCOME"));
}

/* Who has subordinate uids, uses another one each time. */
static void no_more_are_expected_back_than_there_may_be_sessions(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    (void)start(f, RING LONG "limits = { sessions = 3; }; ");
    (void)chmod(f->daemon.socket_path, 0666);
    for (uid_t i = 0; i < 6; i++) {
        assert_true(peer_connect_as(&f->a, f->daemon.socket_path, ALICE + i, ALICE, NULL, 0));
        say_and_stop(f, &f->a, &hello);
        peer_leave(&f->a);
        assert_int_equal(f->daemon.manager->sessions->count, i < 3 ? i + 1 : 3);
    }
}

/* Late is who was not back in time, and may still say what it has acknowledged: it gives way. */
static void who_is_late_takes_no_place_of_those_who_are_expected(void **state)
{
    struct message_hello hello = hello_of(MESSAGE_SUBSCRIBER, 0);
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    (void)start(f, RING LONG "limits = { sessions_per_user = 2; }; ");
    (void)chmod(f->daemon.socket_path, 0666);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(peer_connect_as(&f->a, f->daemon.socket_path, ALICE, ALICE, NULL, 0));
        say_and_stop(f, &f->a, &hello);
        assert_true(session_is_away(f->daemon.manager->sessions->first));
        assert_false(f->daemon.manager->sessions->first->cursor->late);
        assert_int_equal(f->daemon.manager->sessions->count, i < 2 ? i + 1 : 2);
        peer_leave(&f->a);
        tenths_pass(f, 10);
        assert_true(f->daemon.manager->sessions->first->cursor->late);
    }
}

TEST_GROUP("test-leases")
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_word_a_lease_does_not_hold_up_the_others),
        TEST(two_words_at_a_time_do_not_either),
        TEST(two_who_take_turns_do_not_either),
        TEST(coming_back_does_not_either),
        TEST(who_is_stopped_while_it_comes_back_keeps_its_place),
        TEST(a_publisher_that_is_stopped_keeps_its_place),
        TEST(being_stopped_while_it_comes_back_is_no_excuse),
        TEST(a_publisher_waits_too),
        TEST(who_has_let_the_others_go_on_has_a_new_lease),
        TEST(who_is_slow_and_alone_stays),
        TEST(two_who_are_slow_stay),
        TEST(who_is_slow_and_alone_again_stays),
        TEST(a_plain_record_at_a_time_is_all_that_is_owed),
        TEST(a_user_has_one_lease_for_all_of_its_sessions),
        TEST(nor_does_it_help_to_say_that_it_goes_on),
        TEST(nor_where_there_is_one_record),
        TEST(nor_to_be_away),
        TEST(nor_that_the_daemon_is_another_one),
        TEST(who_comes_late_begins_behind_that),
        TEST(who_comes_late_gets_what_nobody_has_acknowledged),
        TEST(the_first_one_has_a_lease_of_its_own),
        TEST(nobody_has_a_shorter_lease_for_another_ones_sake),
        TEST(each_user_has_a_lease),
        TEST(a_lease_that_is_over_stays_so),
        TEST(no_more_of_a_user_are_expected_back_than_it_may_have_sessions),
        TEST(no_more_are_expected_back_than_there_may_be_sessions),
        TEST(who_is_late_takes_no_place_of_those_who_are_expected),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
