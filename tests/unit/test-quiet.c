/* SPDX-License-Identifier: MIT
 *
 * Quiet sessions: beside a busy one, a session that says nothing is looked at no more until it
 * rings; and what it then says, what it is told, and its end are those of any other. In each test,
 * a is busy, and b says nothing.
 */
#include "daemon/membership.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING      "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define OVERWRITE RING "when_full = \"overwrite\"; "
#define STRETCHES 20 /* of work: enough to become quiet */

static const struct session *session_of(const struct fixture *f, const struct peer *peer)
{
    return sessions_find(f->daemon.manager->sessions, peer->welcome.session);
}

static bool is_quiet(const struct fixture *f, const struct peer *peer)
{
    return session_of(f, peer)->quiet;
}

/* The busy one acknowledges all there is, again and again. */
static void work(struct fixture *f)
{
    for (int i = 0; i < STRETCHES; i++) {
        peer_acknowledge(&f->a, newest(f));
        daemon_turn(&f->daemon);
        subscribers_quieten(f->daemon.manager);
    }
}

static struct manager *start_both(struct fixture *f, const char *conf)
{
    (void)start(f, conf);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->a), 0);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->b), 0);
    work(f);
    return f->daemon.manager;
}

static void who_says_nothing_beside_a_busy_one_becomes_quiet(void **state)
{
    struct fixture *f = *state;

    (void)start_both(f, OVERWRITE);
    assert_false(is_quiet(f, &f->a));
    assert_true(is_quiet(f, &f->b));
    assert_int_equal(f->a.page->daemon_sleeps, 0);
    assert_int_equal(f->b.page->daemon_sleeps, 1); /* so it rings */
}

/* It is the one that all wait for. */
static void not_where_the_ring_waits_for_it(void **state)
{
    struct fixture *f = *state;

    (void)start_both(f, RING);
    assert_false(is_quiet(f, &f->b));
    assert_int_equal(f->b.page->daemon_sleeps, 0);
}

static void it_is_heard_when_it_rings(void **state)
{
    struct fixture *f = *state;

    (void)start_both(f, OVERWRITE);
    peer_acknowledge(&f->b, 1);
    daemon_turn(&f->daemon);
    assert_int_equal(session_of(f, &f->b)->acknowledged, 0);
    assert_true(peer_ring(&f->b));
    daemon_turn(&f->daemon);
    assert_int_equal(session_of(f, &f->b)->acknowledged, 1);
    assert_false(is_quiet(f, &f->b));
}

/* What it has not acknowledged is not what all have acknowledged. */
static void it_counts_as_slowest_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start_both(f, OVERWRITE);
    struct progress progress = subscribers_progress(manager);

    assert_true(progress.subscribers);
    assert_int_equal(progress.slowest, 0);
    assert_int_equal(progress.fastest, session_of(f, &f->a)->acknowledged);
    peer_leave(&f->b);
    daemon_turn(&f->daemon);
    progress = subscribers_progress(manager);
    assert_int_equal(progress.slowest, session_of(f, &f->a)->acknowledged);
}

static void if_it_sleeps_it_is_woken_a_little_later(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start_both(f, OVERWRITE);

    subscribers_notify_quiet(manager);
    page_announce_sleep(&f->b.page->client_sleeps);
    subscribers_notify_quiet(manager);
    assert_false(peer_is_rung(&f->b)); /* there is no news */
    peer_acknowledge(&f->a, newest(f));
    daemon_turn(&f->daemon);
    assert_false(peer_is_rung(&f->b));
    subscribers_notify_quiet(manager);
    assert_true(peer_is_rung(&f->b));
}

/* "crowded": only who takes part needs a processor. */
static void it_is_no_part_of_a_crowd(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start_both(f, OVERWRITE);

    manager->processors = 2;
    subscribers_quieten(manager);
    assert_int_equal(f->a.page->crowded, 0);
    assert_true(peer_ring(&f->b));
    daemon_turn(&f->daemon);
    subscribers_quieten(manager);
    assert_int_equal(f->a.page->crowded, 1);
    work(f);
    assert_int_equal(f->a.page->crowded, 0);
}

/* What it has acknowledged without ringing counts at the end. */
static void its_last_words_are_heard(void **state)
{
    struct fixture *f = *state;

    (void)start_both(f, OVERWRITE);
    peer_acknowledge(&f->b, 2);
    membership_send_away(f->daemon.manager);
    assert_int_equal(f->b.page->state, PAGE_SUPERSEDED);
    assert_int_equal(session_of(f, &f->b)->acknowledged, 2);
    assert_false(is_quiet(f, &f->b));
}

static void a_stop_is_told(void **state)
{
    struct fixture *f = *state;

    (void)start_both(f, OVERWRITE);
    daemon_stop(&f->daemon, false);
    assert_int_equal(f->b.page->state, PAGE_CLOSING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-quiet")
{
    const struct CMUnitTest tests[] = {
        TEST(who_says_nothing_beside_a_busy_one_becomes_quiet),
        TEST(not_where_the_ring_waits_for_it),
        TEST(it_is_heard_when_it_rings),
        TEST(it_counts_as_slowest_all_the_same),
        TEST(if_it_sleeps_it_is_woken_a_little_later),
        TEST(it_is_no_part_of_a_crowd),
        TEST(its_last_words_are_heard),
        TEST(a_stop_is_told),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
