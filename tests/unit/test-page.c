/* SPDX-License-Identifier: MIT
 *
 * What a subscriber says in its page; and sleeping and waking: two threads that wait for each other
 * all the time, so that one lost wake-up stops both. (All interleavings there are:
 * tests/model/doorbell.pml.)
 */
#include "proto/page.h"

#include "private.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#define ROUNDS    20000
#define STEPS     200000
#define STEP_WAIT 512

static void who_sleeps_must_be_rung(void **state)
{
    _Atomic uint32_t sleeps = 0;

    (void)state;
    assert_false(page_must_ring(&sleeps));
    page_announce_sleep(&sleeps);
    assert_true(page_must_ring(&sleeps));
    assert_true(page_must_ring(&sleeps)); /* until it wakes */
    page_announce_awake(&sleeps);
    assert_false(page_must_ring(&sleeps));
}

/* A hostile page may hold any value. */
static void any_flag_but_zero_is_sleep(void **state)
{
    _Atomic uint32_t sleeps = 0xdeadbeef;

    (void)state;
    assert_true(page_must_ring(&sleeps));
}

/* Each side may write its own lines without touching the other's. */
static void no_line_is_written_by_both(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct page, published) / 64, 0);
    assert_int_equal(offsetof(struct page, state) / 64, 0);
    assert_int_equal(offsetof(struct page, daemon_sleeps) / 64, 1);
    assert_int_equal(offsetof(struct page, acknowledged) / 64, 2);
    assert_int_equal(offsetof(struct page, lost) / 64, 2);
    assert_int_equal(offsetof(struct page, client_sleeps) / 64, 3);
}

/* What was lost is told with the acknowledgement that it belongs to. */
static void losses_belong_to_an_acknowledgement(void **state)
{
    struct page page = {0};
    uint64_t lost = 99;

    (void)state;
    for (uint64_t number = 1; number < 10; number++) {
        page_acknowledge(&page, number, number / 2);
        assert_int_equal(page.acknowledged, number);
        assert_true(page_lost_at(&page, number, &lost));
        assert_int_equal(lost, number / 2);
        assert_false(page_lost_at(&page, number + 1, &lost));
    }
    page_acknowledge(&page, 20, 3);
    page_acknowledge(&page, 30, 4);
    assert_false(page_lost_at(&page, 9, &lost));
}

static void acknowledge_more(void *userdata)
{
    page_acknowledge(userdata, 30, 7);
    page_acknowledge(userdata, 40, 8);
}

static bool losses_match(void *userdata)
{
    const struct page *page = userdata;
    uint64_t number = page->acknowledged, lost = 0;

    return page_lost_at(page, number, &lost) && lost == (number == 40   ? 8U
                                                         : number == 30 ? 7U
                                                                        : 5U);
}

/* "whoever loads `acknowledged` finds the `lost` that goes with it, wherever we are killed" */
static void killed_anywhere_losses_match_what_is_acknowledged(void **state)
{
    struct page *page = shared_new(sizeof(*page));
    long steps;

    (void)state;
    page_acknowledge(page, 20, 5);
    steps = step_through(acknowledge_more, losses_match, page);
    if (steps < 0) {
        SKIP("no process can be stepped through");
    }
    assert_true(steps > 0);
    assert_int_equal(page->acknowledged, 40);
    assert_int_equal(munmap(page, sizeof(*page)), 0);
}

struct side {
    _Atomic uint64_t *mine, *theirs; /* news */
    _Atomic uint32_t *my_sleep, *their_sleep;
    int my_bell, their_bell;
    bool broken;
};

/* Waits until the other's count is n. */
static bool wait_for(struct side *side, uint64_t n)
{
    while (atomic_load_explicit(side->theirs, memory_order_acquire) < n) {
        struct pollfd bell = {.fd = side->my_bell, .events = POLLIN};
        uint64_t rings;

        (void)!read(side->my_bell, &rings, sizeof(rings));
        page_announce_sleep(side->my_sleep);
        if (atomic_load_explicit(side->theirs, memory_order_acquire) < n &&
            poll(&bell, 1, PATIENCE_MSEC) == 0) {
            return false;
        }
        page_announce_awake(side->my_sleep);
    }
    return true;
}

static void tell(struct side *side, uint64_t n)
{
    static const uint64_t one = 1;

    atomic_store_explicit(side->mine, n, memory_order_release);
    if (page_must_ring(side->their_sleep)) {
        (void)!write(side->their_bell, &one, sizeof(one));
    }
}

static void *answer(void *userdata)
{
    struct side *side = userdata;

    for (uint64_t n = 1; n <= ROUNDS && !side->broken; n++) {
        side->broken = !wait_for(side, n);
        tell(side, n);
    }
    return NULL;
}

static void no_wake_up_is_lost(void **state)
{
    static struct page page;
    int bells[] = {eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK)};
    struct side daemon = {&page.published,
                          &page.acknowledged,
                          &page.daemon_sleeps,
                          &page.client_sleeps,
                          bells[0],
                          bells[1],
                          false};
    struct side client = {&page.acknowledged,
                          &page.published,
                          &page.client_sleeps,
                          &page.daemon_sleeps,
                          bells[1],
                          bells[0],
                          false};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, answer, &client), 0);
    for (uint64_t n = 1; n <= ROUNDS && !daemon.broken; n++) {
        tell(&daemon, n);
        daemon.broken = !wait_for(&daemon, n);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(daemon.broken);
    assert_false(client.broken);
    (void)close(bells[0]);
    (void)close(bells[1]);
}

/*
 * Two threads in step, without a system call: one announces that it sleeps and looks for news, the
 * other has news and looks whether somebody sleeps. In each round at least one of them sees the
 * other; without a full fence on both sides, a processor lets both look before they speak.
 */
struct step {
    _Alignas(64) _Atomic uint64_t round; /* both are in this one, or have done it */
    _Alignas(64) _Atomic uint64_t done;  /* … the one who sleeps has */
    _Alignas(64) _Atomic uint64_t news;
    _Alignas(64) _Atomic uint32_t sleeps;
    bool saw_news; /* in the round that is done */
};

static void step_await(const _Atomic uint64_t *word, uint64_t value)
{
    for (unsigned looks = 1; atomic_load_explicit(word, memory_order_acquire) != value; looks++) {
        if (looks % 4096 == 0) {
            (void)sched_yield(); /* the other one may have no processor */
        }
    }
}

static void *step_sleeper(void *userdata)
{
    struct step *step = userdata;

    for (uint64_t i = 1; i <= STEPS; i++) {
        step_await(&step->round, i);
        page_announce_sleep(&step->sleeps);
        step->saw_news = atomic_load_explicit(&step->news, memory_order_relaxed) == i;
        atomic_store_explicit(&step->done, i, memory_order_release);
    }
    return NULL;
}

static void news_and_sleep_do_not_miss_each_other(void **state)
{
    static struct step step;
    unsigned missed = 0;
    pthread_t sleeper;

    (void)state;
    assert_int_equal(pthread_create(&sleeper, NULL, step_sleeper, &step), 0);
    for (uint64_t i = 1; i <= STEPS; i++) {
        bool must_ring;

        page_announce_awake(&step.sleeps);
        atomic_store_explicit(&step.round, i, memory_order_release);
        /* Until the other one has heard of the round: in some of them both are as fast. */
        for (volatile unsigned wait = (unsigned)i % STEP_WAIT; wait > 0; wait--) {
        }
        atomic_store_explicit(&step.news, i, memory_order_relaxed);
        must_ring = page_must_ring(&step.sleeps);
        step_await(&step.done, i);
        missed += !must_ring && !step.saw_news;
    }
    assert_int_equal(pthread_join(sleeper, NULL), 0);
    assert_int_equal(missed, 0);
}

TEST_GROUP("test-page")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sleeps_must_be_rung),
        cmocka_unit_test(any_flag_but_zero_is_sleep),
        cmocka_unit_test(no_line_is_written_by_both),
        cmocka_unit_test(losses_belong_to_an_acknowledgement),
        cmocka_unit_test(killed_anywhere_losses_match_what_is_acknowledged),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(news_and_sleep_do_not_miss_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
