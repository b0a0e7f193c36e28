/* SPDX-License-Identifier: MIT
 *
 * Subscribers of a whole daemon: who gets what, who owes what, what becomes of it, and what the
 * journal says of it. Their side is played by peer.h, the loop by daemon.h.
 */
#include "base/clock.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING      "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define OVERWRITE RING "when_full = \"overwrite\"; "
#define PLAIN     "spin_us = 0; "
#define OTHER_KEY PLAIN "key = 0x162f; "
#define LETTERS   26 /* bytes of each record */
#define LEASE     (200 * USEC_PER_MSEC)
#define BRIEF     "lease_ms = 200; "
#define EPOCH     sizeof(sd_id128_t)

static void subscribe(struct fixture *f, struct peer *peer)
{
    assert_int_equal(daemon_subscribe(&f->daemon, peer), 0);
    daemon_turn(&f->daemon);
}

/* What the journal says of acknowledgements: how many records, how many bytes, verified or not. */
struct account {
    uint64_t entries, records, bytes, last;
};

static struct account account_of(struct fixture *f, const char *verified)
{
    struct account account = {0};
    size_t count;

    daemon_flush(&f->daemon);
    count = mock_journal_count();
    for (size_t i = 0; i < count; i++) {
        if (strcmp(mock_journal_field(i, "SHMD_EVENT"), "acknowledged") == 0 &&
            strcmp(mock_journal_field(i, "SHMD_CLIENT_VERIFIED"), verified) == 0) {
            account.entries++;
            account.records += mock_journal_number(i, "SHMD_RECORDS");
            account.bytes += mock_journal_number(i, "SHMD_BYTES");
            account.last = mock_journal_number(i, "SHMD_RECORD_LAST");
        }
    }
    return account;
}

/* --- who gets what --- */

static void a_subscriber_gets_what_is_held(void **state)
{
    struct fixture *f = *state;
    const struct manager *manager = start(f, RING);

    subscribe(f, &f->a);
    assert_int_equal(f->a.welcome.layout, MESSAGE_RING);
    assert_int_equal(f->a.welcome.first, 1);
    assert_int_equal(f->a.welcome.position, 0);
    assert_int_equal(f->a.welcome.segment_id, manager->segment.id);
    assert_int_equal(f->a.welcome.segment_size, 4096);
    assert_memory_equal(f->a.welcome.epoch, &manager->state->file->epoch, EPOCH);
    acknowledge(f, &f->a, 7);
    subscribe(f, &f->b);
    assert_int_equal(f->b.welcome.first, 8);
    assert_int_equal(f->b.welcome.position, 7 * RING_LINE);
}

static void or_what_comes_next(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    (void)start(f, RING);
    before = newest(f);
    assert_int_equal(daemon_subscribe_from(&f->daemon, &f->a, MESSAGE_START_NEXT), 0);
    assert_int_equal(f->a.welcome.first, before + 1);
    daemon_turn(&f->daemon);
    assert_true(newest(f) > before); /* what it does not owe, does not hold up the next */
}

/* Where records wait, none is left out; where the newest wins, it is what is wanted. */
static void who_does_not_say_gets_what_fits(void **state)
{
    static const char *const layouts[] = {RING, PLAIN, OVERWRITE};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        (void)start(f, layouts[i]);
        assert_true(newest(f) >= 1);
        assert_int_equal(daemon_subscribe_from(&f->daemon, &f->a, MESSAGE_START_DEFAULT), 0);
        assert_int_equal(f->a.welcome.first, i < 2 ? 1 : newest(f));
        peer_leave(&f->a);
        daemon_free(&f->daemon);
    }
}

static uint64_t resume(struct fixture *f, const uint8_t *epoch, uint64_t after)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

    memcpy(hello.epoch, epoch, EPOCH);
    hello.after = after;
    peer_leave(&f->b);
    assert_true(peer_connect(&f->b, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(&f->b, f->daemon.manager->event, &hello), 0);
    return f->b.welcome.first;
}

static void who_comes_again_goes_on_where_it_was(void **state)
{
    static const uint8_t other[EPOCH] = "another epoch..";
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 10);
    assert_int_equal(resume(f, f->a.welcome.epoch, 15), 16);
    assert_int_equal(resume(f, f->a.welcome.epoch, 10), 11);
    assert_int_equal(resume(f, f->a.welcome.epoch, 3), 11); /* what is gone, is gone */
    assert_int_equal(resume(f, f->a.welcome.epoch, newest(f)), newest(f) + 1);
    assert_int_equal(resume(f, f->a.welcome.epoch, newest(f) + 1), 11); /* that cannot be */
    assert_int_equal(resume(f, f->a.welcome.epoch, UINT64_MAX), 11);
    assert_int_equal(resume(f, other, 15), 11);
}

/* --- who owes what --- */

static void the_slowest_holds_the_ring(void **state)
{
    struct fixture *f = *state;
    uint64_t full;

    (void)start(f, RING);
    full = newest(f);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    acknowledge(f, &f->a, full);
    assert_int_equal(newest(f), full);
    acknowledge(f, &f->b, 30);
    assert_true(newest(f) > full);
    assert_int_equal(board_oldest(&f->daemon.manager->board), 31);
    peer_leave(&f->b); /* and who goes, holds nothing */
    daemon_turn(&f->daemon);
    assert_int_equal(board_oldest(&f->daemon.manager->board), full + 1);
}

static void what_nobody_acknowledged_is_held_for_the_next(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    peer_leave(&f->a);
    daemon_turn(&f->daemon);
    subscribe(f, &f->b);
    assert_int_equal(f->b.welcome.first, 6);
}

/* Turns of the loop, with waiting, until the condition holds. */
static bool turns_until(struct fixture *f, bool (*holds)(const struct fixture *f))
{
    for (uint64_t end = clock_usec() + PATIENCE_USEC; clock_usec() < end;) {
        daemon_turn(&f->daemon);
        if (holds(f)) {
            return true;
        }
        (void)sd_event_run(f->daemon.manager->event, USEC_PER_MSEC);
    }
    return false;
}

static bool a_is_evicted(const struct fixture *f)
{
    return f->a.page->state == PAGE_EVICTED;
}

static void who_does_not_acknowledge_is_evicted(void **state)
{
    struct fixture *f = *state;
    uint64_t before, owes;

    (void)start(f, RING BRIEF);
    before = clock_usec();
    subscribe(f, &f->a);
    owes = clock_usec();
    subscribe(f, &f->b);
    acknowledge(f, &f->b, newest(f)); /* owes nothing */
    INCONCLUSIVE_AFTER(owes, LEASE);
    assert_true(turns_until(f, a_is_evicted));
    assert_true(clock_usec() - before >= LEASE);
    assert_int_equal(f->b.page->state, PAGE_ACTIVE);
    assert_true(peer_is_dropped(&f->a));
    peer_acknowledge(&f->b, newest(f));
    daemon_turn(&f->daemon);
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 1);
    assert_true(board_oldest(&f->daemon.manager->board) > 1); /* the ring goes on */
    assert_true(daemon_logged("session-evicted") >= 0);
}

static void who_acknowledges_now_and_then_is_not(void **state)
{
    struct fixture *f = *state;
    uint64_t end;

    (void)start(f, RING BRIEF);
    subscribe(f, &f->a);
    end = clock_usec() + 4 * LEASE;
    for (uint64_t number = 1; clock_usec() < end; number++) {
        acknowledge(f, &f->a, number);
        (void)usleep((useconds_t)LEASE / 10);
    }
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
}

/* What it has acknowledged is seen only when its lease is looked at. */
static void who_acknowledges_at_the_last_moment_is_not(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING BRIEF);
    subscribe(f, &f->a);
    (void)usleep((useconds_t)(LEASE + LEASE / 2));
    peer_acknowledge(&f->a, 5);
    run_loop(f->daemon.manager->event);
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 1);
}

static void where_records_are_written_over_nobody_is_evicted(void **state)
{
    struct fixture *f = *state;
    uint64_t end;

    (void)start(f, OVERWRITE BRIEF);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    end = clock_usec() + 2 * LEASE;
    while (clock_usec() < end) {
        acknowledge(f, &f->b, newest(f));
        (void)usleep((useconds_t)LEASE / 10);
    }
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
}

static void who_lies_is_dropped(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 10);
    acknowledge(f, &f->a, newest(f) + 1);
    assert_int_equal(f->a.page->state, PAGE_EVICTED);
    assert_true(peer_is_dropped(&f->a));
    assert_int_equal(account_of(f, "yes").records, 10);
    assert_true(daemon_logged("session-refused") >= 0);
}

/* What was acknowledged before the connection was closed counts, seen or not. */
static void a_last_word_counts(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    peer_acknowledge(&f->a, 9);
    peer_leave(&f->a);
    daemon_turn(&f->daemon);
    assert_int_equal(account_of(f, "yes").records, 9);
}

/* --- the bells --- */

static void who_sleeps_is_woken_by_news(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, newest(f));
    assert_false(peer_is_rung(&f->a));
    page_announce_sleep(&f->a.page->client_sleeps);
    acknowledge(f, &f->a, newest(f));
    assert_true(peer_is_rung(&f->a));
}

static void the_daemon_says_when_it_sleeps(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, RING);

    subscribe(f, &f->a);
    assert_int_equal(f->a.page->daemon_sleeps, 0);
    subscribers_announce_sleep(manager);
    assert_int_equal(f->a.page->daemon_sleeps, 1);
    subscribers_announce_awake(manager);
    assert_int_equal(f->a.page->daemon_sleeps, 0);
}

/* Each ring wakes the loop, however many there are. */
static void each_ring_wakes(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, RING);

    subscribe(f, &f->a);
    for (int i = 0; i < 1000; i++) {
        run_loop(manager->event);
        assert_true(peer_ring(&f->a));
        assert_true(sd_event_run(manager->event, PATIENCE_USEC) > 0);
    }
}

/* --- the journal --- */

static void an_entry_says_who_and_what(void **state)
{
    struct fixture *f = *state;
    int i;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 3);
    assert_int_equal(account_of(f, "yes").entries, 1);
    i = daemon_logged("acknowledged");
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_RECORD_FIRST"), 1);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_RECORD_LAST"), 3);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_RECORDS"), 3);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_BYTES"), 3 * LETTERS);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_ACK_SEQ"), 1);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_CLIENT_PID"), getpid());
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_CLIENT_UID"), geteuid());
    assert_string_equal(mock_journal_field((size_t)i, "SHMD_CLIENT_NAME"), "peer");
    assert_true(mock_journal_number((size_t)i, "SHMD_LATENCY_USEC") < PATIENCE_USEC);
}

/* More than the log has a budget for: entries cover ranges, and the sums are exact. */
static void faster_than_the_journal_the_sums_are_exact(void **state)
{
    struct fixture *f = *state;
    struct account account;
    uint64_t begun, now = clock_usec();
    bool more = true;

    (void)start(f, RING);
    subscribe(f, &f->a);
    begun = clock_usec();
    for (uint64_t number = 1; number <= 20000; number++) {
        peer_acknowledge(&f->a, number);
        (void)manager_work(f->daemon.manager, &more, &now);
    }
    INCONCLUSIVE_AFTER(begun, USEC_PER_SEC); /* then it is not that fast */
    account = account_of(f, "yes");
    assert_int_equal(account.records, 20000);
    assert_int_equal(account.bytes, 20000 * LETTERS);
    assert_int_equal(account.last, 20000);
    assert_true(account.entries < 10000);
}

/* … and who is answered before he is logged, is only one who gets ranges anyway. */
static void an_entry_of_its_own_comes_before_the_next_record(void **state)
{
    struct fixture *f = *state;
    struct manager *manager;
    bool more = true;
    uint64_t begun = clock_usec(), now = begun;

    (void)start(f, RING);
    manager = f->daemon.manager;
    subscribe(f, &f->a);
    assert_int_equal(subscribers_listen(manager, now), HEARD_NOTHING);
    peer_acknowledge(&f->a, 1);
    assert_int_equal(subscribers_listen(manager, now), HEARD_ENTRIES);
    for (uint64_t number = 2; number <= 20000; number++) {
        peer_acknowledge(&f->a, number);
        (void)manager_work(manager, &more, &now);
    }
    peer_acknowledge(&f->a, 20001);
    INCONCLUSIVE_AFTER(begun, USEC_PER_SEC); /* then it is not that fast */
    assert_int_equal(subscribers_listen(manager, now), HEARD_RANGES);
    peer_acknowledge(&f->a, 20002);
    assert_int_equal(subscribers_listen(manager, now + 10 * USEC_PER_SEC), HEARD_ENTRIES);
}

/* The budget is for all: while one acknowledges all the time, the others are logged, too. */
static void no_subscriber_uses_up_the_budget_of_all(void **state)
{
    struct fixture *f = *state;
    const struct session *session;
    uint64_t end, now = clock_usec();
    bool more = true;

    (void)start(f, RING);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    end = clock_usec() + 2 * USEC_PER_SEC;
    for (uint64_t number = 1; clock_usec() < end; number++) {
        peer_acknowledge(&f->a, number);
        peer_acknowledge(&f->b, number);
        (void)manager_work(f->daemon.manager, &more, &now);
        run_loop(f->daemon.manager->event);
    }
    for (session = f->daemon.manager->sessions->first; session; session = session->next) {
        assert_true(session->acknowledged - session->cursor->logged < session->acknowledged / 10);
    }
}

/* Where records are written over: of those up to *ret_last, a has acknowledged three. */
static uint64_t overtake(struct fixture *f, uint64_t *ret_last)
{
    (void)start(f, OVERWRITE);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    acknowledge(f, &f->a, 3);
    for (int i = 0; i < 200; i++) {
        acknowledge(f, &f->b, newest(f));
    }
    *ret_last = newest(f);
    f->a.lost = board_oldest(&f->daemon.manager->board) - 4;
    peer_leave(&f->b); /* so that only a is counted from here on */
    daemon_turn(&f->daemon);
    return f->a.lost;
}

/* Got and lost are all, and only what was got has bytes. */
static void what_was_lost_is_logged(void **state)
{
    struct fixture *f = *state;
    struct account account;
    uint64_t last, lost = overtake(f, &last);

    account = account_of(f, "yes");
    acknowledge(f, &f->a, last);
    peer_leave(&f->a);
    daemon_turn(&f->daemon);
    assert_int_equal(account_of(f, "yes").records - account.records, last - 3 - lost);
    assert_int_equal(account_of(f, "yes").bytes - account.bytes, (last - 3 - lost) * LETTERS);
    assert_int_equal(mock_journal_number((size_t)daemon_logged("records-lost"), "SHMD_RECORDS"),
                     lost);
}

/* Its user has had all the entries about sessions that it may have. */
static void what_was_lost_fills_no_journal(void **state)
{
    struct fixture *f = *state;
    uint64_t last;

    (void)overtake(f, &last);
    f->daemon.manager->sessions->first->usage->spending.until[BUDGET_SESSIONS] = UINT64_MAX;
    acknowledge(f, &f->a, last);
    peer_leave(&f->a);
    daemon_turn(&f->daemon);
    daemon_flush(&f->daemon);
    assert_int_equal(mock_journal_find("records-lost"), -1);
}

/* --- the end --- */

static void a_stop_is_told(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    peer_acknowledge(&f->a, 4);
    daemon_stop(&f->daemon, false);
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_true(peer_is_dropped(&f->a));
}

static void after_a_restart_all_goes_on(void **state)
{
    struct fixture *f = *state;
    uint64_t before;
    int id;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 12);
    before = newest(f);
    id = f->daemon.manager->segment.id;
    daemon_stop(&f->daemon, true);
    assert_true(daemon_start(&f->daemon));
    assert_int_equal(f->daemon.manager->segment.id, id);
    assert_int_equal(newest(f), before);
    assert_int_equal(resume(f, f->a.welcome.epoch, 12), 13);
    assert_memory_equal(f->b.welcome.epoch, f->a.welcome.epoch, EPOCH);
}

/* Nobody drives the source over a restart: what was not read is still there. */
static void a_restart_writes_over_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t oldest;

    (void)start(f, OVERWRITE);
    subscribe(f, &f->a);
    for (int i = 0; i < 10; i++) {
        acknowledge(f, &f->a, newest(f));
    }
    oldest = board_oldest(&f->daemon.manager->board);
    for (int i = 0; i < 10; i++) {
        daemon_stop(&f->daemon, true);
        assert_true(daemon_start(&f->daemon));
        daemon_turn(&f->daemon);
    }
    assert_int_equal(board_oldest(&f->daemon.manager->board), oldest);
}

static void another_segment_is_told(void **state)
{
    static const char conf[] = RING "key = 77; ";
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    assert_true(file_write(f->daemon.conf_path, conf, strlen(conf)));
    daemon_reload(f->daemon.manager);
    assert_int_equal(f->a.page->state, PAGE_SUPERSEDED);
    subscribe(f, &f->b);
    assert_int_equal(f->b.welcome.key, 77);
}

/* --- plain, with anonymous clients at the same time --- */

static char *segment(const struct fixture *f)
{
    return f->daemon.manager->segment.map;
}

static void a_plain_record_is_described_in_the_page(void **state)
{
    struct fixture *f = *state;

    (void)start(f, PLAIN);
    subscribe(f, &f->a);
    assert_int_equal(f->a.welcome.layout, MESSAGE_PLAIN);
    assert_int_equal(f->a.page->published, 1);
    assert_int_equal(f->a.page->length, LETTERS);
    assert_int_equal(f->a.page->first, 'a');
    acknowledge(f, &f->a, 1);
    assert_int_equal(f->a.page->published, 2);
}

static void an_anonymous_star_does_not_take_it_from_subscribers(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, PLAIN);

    subscribe(f, &f->a);
    segment(f)[0] = PLAIN_ACKNOWLEDGED;
    (void)manager_look(manager);
    daemon_turn(&f->daemon);
    assert_int_equal(newest(f), 1);
    assert_int_equal(segment(f)[0], 'a');
    acknowledge(f, &f->a, 1);
    assert_int_equal(newest(f), 2);
    assert_int_equal(account_of(f, "no").records, 1);
    assert_int_equal(account_of(f, "yes").records, 1);
}

/* P3: it was there before the subscriber's, though we come to look at both at once. */
/* The segment goes before the daemon has looked: the '*' counts, and the record goes on for them.
 */
static void nor_does_one_in_a_segment_that_is_replaced(void **state)
{
    struct fixture *f = *state;

    (void)start(f, PLAIN);
    subscribe(f, &f->a);
    segment(f)[0] = PLAIN_ACKNOWLEDGED;
    assert_true(file_write(f->daemon.conf_path, OTHER_KEY, strlen(OTHER_KEY)));
    daemon_reload(f->daemon.manager);
    assert_int_equal(newest(f), 1);
    assert_int_equal(segment(f)[0], 'a');
    segment(f)[0] = PLAIN_ACKNOWLEDGED;
    (void)manager_look(f->daemon.manager);
    assert_int_equal(account_of(f, "no").records, 2); /* another client, as far as anybody knows */
}

static void an_anonymous_star_is_logged_before_the_refill(void **state)
{
    struct fixture *f = *state;

    (void)start(f, PLAIN);
    subscribe(f, &f->a);
    segment(f)[0] = PLAIN_ACKNOWLEDGED;
    acknowledge(f, &f->a, 1);
    assert_int_equal(newest(f), 2);
    assert_int_equal(account_of(f, "yes").records, 1);
    assert_int_equal(account_of(f, "no").records, 1);
}

static void without_subscribers_a_star_is_enough(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, PLAIN);

    segment(f)[0] = PLAIN_ACKNOWLEDGED;
    (void)manager_look(manager);
    daemon_turn(&f->daemon);
    assert_int_equal(newest(f), 2);
    assert_int_equal(account_of(f, "no").records, 1);
}

static void a_plain_subscriber_is_evicted_too(void **state)
{
    struct fixture *f = *state;

    (void)start(f, PLAIN BRIEF);
    subscribe(f, &f->a);
    assert_true(turns_until(f, a_is_evicted));
    assert_int_equal(newest(f), 1); /* now it waits for '*', or for another one */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* "More processes than processors": whoever waits should let others run. */
static void a_crowd_is_told(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, RING);

    manager->processors = 2;
    subscribe(f, &f->a);
    assert_int_equal(f->a.page->crowded, 0);
    subscribe(f, &f->b);
    assert_int_equal(f->a.page->crowded, 1);
    assert_int_equal(f->b.page->crowded, 1);
    peer_leave(&f->b);
    daemon_turn(&f->daemon);
    assert_int_equal(f->a.page->crowded, 0);
}

TEST_GROUP("test-subscribers")
{
    const struct CMUnitTest tests[] = {
        TEST(a_subscriber_gets_what_is_held),
        TEST(or_what_comes_next),
        TEST(who_does_not_say_gets_what_fits),
        TEST(who_comes_again_goes_on_where_it_was),
        TEST(the_slowest_holds_the_ring),
        TEST(what_nobody_acknowledged_is_held_for_the_next),
        TEST(who_does_not_acknowledge_is_evicted),
        TEST(who_acknowledges_now_and_then_is_not),
        TEST(who_acknowledges_at_the_last_moment_is_not),
        TEST(where_records_are_written_over_nobody_is_evicted),
        TEST(who_lies_is_dropped),
        TEST(a_last_word_counts),
        TEST(who_sleeps_is_woken_by_news),
        TEST(the_daemon_says_when_it_sleeps),
        TEST(each_ring_wakes),
        TEST(an_entry_says_who_and_what),
        TEST(faster_than_the_journal_the_sums_are_exact),
        TEST(an_entry_of_its_own_comes_before_the_next_record),
        TEST(no_subscriber_uses_up_the_budget_of_all),
        TEST(what_was_lost_is_logged),
        TEST(what_was_lost_fills_no_journal),
        TEST(a_stop_is_told),
        TEST(after_a_restart_all_goes_on),
        TEST(a_restart_writes_over_nothing),
        TEST(another_segment_is_told),
        TEST(a_plain_record_is_described_in_the_page),
        TEST(an_anonymous_star_does_not_take_it_from_subscribers),
        TEST(nor_does_one_in_a_segment_that_is_replaced),
        TEST(an_anonymous_star_is_logged_before_the_refill),
        TEST(without_subscribers_a_star_is_enough),
        TEST(a_plain_subscriber_is_evicted_too),
        TEST(a_crowd_is_told),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
