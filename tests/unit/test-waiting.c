/* SPDX-License-Identifier: MIT
 *
 * How a client waits: what is news to it, and how long it looks before it sleeps. The daemon is in
 * the same thread and does nothing by itself; the test stores its words into the page, one by one.
 */
#include "daemon.h"
#include "lib/member.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING                                                                                       \
    "layout = \"ring\"; mode = \"0644\"; size = 65536; spin_us = 50; "                             \
    "source = { type = \"push\"; }; "
#define LENGTH ((size_t)15000) /* four of them fit into the queue */

struct fixture {
    struct daemon daemon;
    struct shmd_publisher *publisher;
    int result;
    struct page *page; /* the daemon's mapping of it */
    uint64_t handed_in;
};

static void *open_publisher(void *argument)
{
    struct fixture *f = argument;
    struct shmd_options options = {.socket = f->daemon.socket_path};

    (void)shmd_publisher_open(&options, &f->publisher);
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    assert_true(daemon_new(&f->daemon, RING));
    assert_true(daemon_serve(&f->daemon, open_publisher, f));
    assert_non_null(f->publisher);
    f->page = f->daemon.manager->sessions->first->page;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_journal_reset();
    (void)shmd_publisher_close(f->publisher);
    daemon_free(&f->daemon);
    free(f);
    return 0;
}

static int publish(struct fixture *f)
{
    static const char record[LENGTH];

    return shmd_publisher_publish(f->publisher, record, LENGTH, 0, &f->handed_in);
}

/*
 * That all is confirmed, and that there is room where it was, are two stores: whoever waits for
 * room may have seen the first one alone, and nothing will ever be confirmed after it.
 */
static void room_is_news_by_itself(void **state)
{
    struct fixture *f = *state;
    uint64_t confirmed;

    while (publish(f) == 0) {
    }
    assert_int_equal(f->handed_in, 4);
    f->page->published = f->handed_in;
    assert_int_equal(shmd_publisher_confirmed(f->publisher, &confirmed), 0);
    assert_int_equal(confirmed, f->handed_in);
    assert_int_equal(publish(f), -EAGAIN);
    assert_int_equal(shmd_publisher_arm(f->publisher, confirmed), 0);
    f->page->position = f->handed_in * ring_footprint(LENGTH);
    assert_int_equal(shmd_publisher_arm(f->publisher, confirmed), SHMD_NEWS);
    assert_int_equal(publish(f), 0);
    assert_int_equal(shmd_publisher_arm(f->publisher, confirmed), 0); /* once */
}

/* However soon the wait ends: nothing has come. */
static void waiting_in_vain_teaches_not_to_look(void **state)
{
    struct fixture *f = *state;
    const struct member *member = (const struct member *)(const void *)f->publisher;

    assert_int_equal(member->spin_usec, 50);
    assert_int_equal(publish(f), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(shmd_publisher_flush(f->publisher, 1), -ETIMEDOUT);
    }
    assert_int_equal(member->spin_usec, 0);
}

static void *hand_in(void *argument)
{
    struct fixture *f = argument;

    f->result = shmd_publisher_publish(f->publisher, "x", 1, PATIENCE_USEC, &f->handed_in);
    return NULL;
}

static void reload(struct fixture *f, const char *conf)
{
    assert_true(file_write(f->daemon.conf_path, conf, strlen(conf)));
    daemon_reload(f->daemon.manager);
    daemon_turn(&f->daemon);
}

/* What it has handed in, and nobody has confirmed, is in its handle alone. */
static void who_was_refused_may_ask_anew(void **state)
{
    struct fixture *f = *state;
    uint64_t confirmed = 0;

    reload(f, "layout = \"ring\"; mode = \"0644\"; size = 65536; "
              "source = { type = \"file\"; path = \"/none\"; }; ");
    assert_true(daemon_serve(&f->daemon, hand_in, f));
    assert_int_equal(f->result, -EOPNOTSUPP);
    assert_int_equal(shmd_publisher_arm(f->publisher, 0), -EOPNOTSUPP);
    reload(f, RING);
    for (uint64_t end = clock_usec() + PATIENCE_USEC; f->result < 0 && clock_usec() < end;) {
        assert_int_equal(f->result, -EOPNOTSUPP);
        assert_true(daemon_serve(&f->daemon, hand_in, f));
    }
    assert_int_equal(f->result, 0);
    assert_int_equal(f->handed_in, 1);
    daemon_turn(&f->daemon);
    assert_int_equal(shmd_publisher_confirmed(f->publisher, &confirmed), 0);
    assert_int_equal(confirmed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-waiting")
{
    const struct CMUnitTest tests[] = {
        TEST(room_is_news_by_itself),
        TEST(waiting_in_vain_teaches_not_to_look),
        TEST(who_was_refused_may_ask_anew),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
