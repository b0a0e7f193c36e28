/* SPDX-License-Identifier: MIT
 *
 * Quiet sessions: beside a busy one, a session that says nothing is looked at no more until it
 * rings; and what it then says, what it is told, and its end are those of any other.
 */
#include "daemon.h"
#include "daemon/membership.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING      "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define OVERWRITE RING "when_full = \"overwrite\"; "
#define STRETCHES 20 /* of work: enough to become quiet */

struct fixture {
    struct daemon daemon;
    struct peer busy, silent;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->busy = f->silent = (struct peer){.socket = -1, .fds = {-1, -1, -1, -1}};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_journal_reset();
    peer_leave(&f->busy);
    peer_leave(&f->silent);
    daemon_free(&f->daemon);
    free(f);
    return 0;
}

static uint64_t newest(const struct fixture *f)
{
    return board_newest(&f->daemon.manager->board);
}

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
        peer_acknowledge(&f->busy, newest(f));
        daemon_turn(&f->daemon);
        subscribers_quieten(f->daemon.manager);
    }
}

static struct manager *start(struct fixture *f, const char *conf)
{
    assert_true(daemon_new(&f->daemon, conf));
    daemon_turn(&f->daemon);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->busy), 0);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->silent), 0);
    work(f);
    return f->daemon.manager;
}

static void who_says_nothing_beside_a_busy_one_becomes_quiet(void **state)
{
    struct fixture *f = *state;

    (void)start(f, OVERWRITE);
    assert_false(is_quiet(f, &f->busy));
    assert_true(is_quiet(f, &f->silent));
    assert_int_equal(f->busy.page->daemon_sleeps, 0);
    assert_int_equal(f->silent.page->daemon_sleeps, 1); /* so it rings */
}

/* It is the one that all wait for. */
static void not_where_the_ring_waits_for_it(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    assert_false(is_quiet(f, &f->silent));
    assert_int_equal(f->silent.page->daemon_sleeps, 0);
}

static void it_is_heard_when_it_rings(void **state)
{
    struct fixture *f = *state;

    (void)start(f, OVERWRITE);
    peer_acknowledge(&f->silent, 1);
    daemon_turn(&f->daemon);
    assert_int_equal(session_of(f, &f->silent)->acknowledged, 0);
    assert_true(peer_ring(&f->silent));
    daemon_turn(&f->daemon);
    assert_int_equal(session_of(f, &f->silent)->acknowledged, 1);
    assert_false(is_quiet(f, &f->silent));
}

/* What it has not acknowledged is not what all have acknowledged. */
static void it_counts_as_slowest_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, OVERWRITE);
    struct progress progress = subscribers_progress(manager);

    assert_true(progress.subscribers);
    assert_int_equal(progress.slowest, 0);
    assert_int_equal(progress.fastest, session_of(f, &f->busy)->acknowledged);
    peer_leave(&f->silent);
    daemon_turn(&f->daemon);
    progress = subscribers_progress(manager);
    assert_int_equal(progress.slowest, session_of(f, &f->busy)->acknowledged);
}

static void if_it_sleeps_it_is_woken_a_little_later(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, OVERWRITE);

    subscribers_notify_quiet(manager);
    page_announce_sleep(&f->silent.page->client_sleeps);
    subscribers_notify_quiet(manager);
    assert_false(peer_is_rung(&f->silent)); /* there is no news */
    peer_acknowledge(&f->busy, newest(f));
    daemon_turn(&f->daemon);
    assert_false(peer_is_rung(&f->silent));
    subscribers_notify_quiet(manager);
    assert_true(peer_is_rung(&f->silent));
}

/* "crowded": only who takes part needs a processor. */
static void it_is_no_part_of_a_crowd(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, OVERWRITE);

    manager->processors = 2;
    subscribers_quieten(manager);
    assert_int_equal(f->busy.page->crowded, 0);
    assert_true(peer_ring(&f->silent));
    daemon_turn(&f->daemon);
    subscribers_quieten(manager);
    assert_int_equal(f->busy.page->crowded, 1);
    work(f);
    assert_int_equal(f->busy.page->crowded, 0);
}

/* What it has acknowledged without ringing counts at the end. */
static void its_last_words_are_heard(void **state)
{
    struct fixture *f = *state;

    (void)start(f, OVERWRITE);
    peer_acknowledge(&f->silent, 2);
    membership_send_away(f->daemon.manager);
    assert_int_equal(f->silent.page->state, PAGE_SUPERSEDED);
    assert_int_equal(session_of(f, &f->silent)->acknowledged, 2);
    assert_false(is_quiet(f, &f->silent));
}

static void a_stop_is_told(void **state)
{
    struct fixture *f = *state;

    (void)start(f, OVERWRITE);
    daemon_stop(&f->daemon, false);
    assert_int_equal(f->silent.page->state, PAGE_CLOSING);
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
