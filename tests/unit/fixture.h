/* SPDX-License-Identifier: MIT
 *
 * What the tests of a whole daemon have in common: each has a daemon, which start() starts, up to
 * three clients, and systemd's store if it is set up with one.
 */
#pragma once

#include "daemon.h"
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct daemon daemon;
    bool stored;
    struct store store;
    struct peer a, b, reader;
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->a = f->b = f->reader = PEER_NONE;
    *state = f;
    return 0;
}

/* The group was set up by store_set_up(). */
static inline int set_up_with_store(void **state)
{
    int r = set_up(state);

    ((struct fixture *)*state)->stored = true;
    return r;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_journal_reset();
    peer_leave(&f->a);
    peer_leave(&f->b);
    peer_leave(&f->reader);
    daemon_free(&f->daemon);
    if (f->stored) {
        store_close(&f->store);
    }
    free(f);
    return 0;
}

static inline void turn(struct fixture *f)
{
    daemon_turn(&f->daemon);
    if (f->stored) {
        store_settle(&f->store, f->daemon.manager->notifier);
    }
}

static inline struct manager *start(struct fixture *f, const char *conf)
{
    assert_true(daemon_prepare(&f->daemon, conf));
    assert_true(!f->stored || store_open(&f->store, f->daemon.directory));
    assert_true(daemon_start(&f->daemon));
    turn(f);
    return f->daemon.manager;
}

/* The daemon goes, as if it were killed with nothing left to do. */
static inline void stop(struct fixture *f)
{
    daemon_stop(&f->daemon, true);
    store_work(&f->store);
}

/* The next daemon comes, and gets what was kept. */
static inline void go_on(struct fixture *f)
{
    store_pass(&f->store);
    assert_true(daemon_start(&f->daemon));
    turn(f);
}

static inline uint64_t newest(const struct fixture *f)
{
    return board_newest(&f->daemon.manager->board);
}

static inline uint64_t oldest(const struct fixture *f)
{
    return board_oldest(&f->daemon.manager->board);
}

static inline void acknowledge(struct fixture *f, const struct peer *peer, uint64_t number)
{
    peer_acknowledge(peer, number);
    turn(f);
}
