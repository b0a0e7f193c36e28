/* SPDX-License-Identifier: MIT
 *
 * Sessions that outlive their daemon: with what systemd has kept of them, and without. Whatever
 * happens, each record is acknowledged in the journal once, and nobody takes what is another's.
 */
#include "base/clock.h"
#include "daemon/leases.h"
#include "fixture.h"
#include "proto/reader.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING        "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define LARGER      "layout = \"ring\"; mode = \"0644\"; size = 8192; spin_us = 0; "
#define OVERWRITE   RING "when_full = \"overwrite\"; "
#define PLAIN       "spin_us = 0; "
#define BRIEF       "lease_ms = 200; "
#define LEASE       (200 * USEC_PER_MSEC)
#define SESSION_FDS 4  /* that are kept of a subscriber */
#define LISTENERS   1  /* kept beside the sessions */
#define LETTERS     26 /* bytes of each record */
#define DEATHS      30
#define NUMBER      77 /* which a subscriber calls itself */
#define ALICE       ((uid_t)4000000001)

/* The next daemon comes, and gets nothing. */
static void go_on_alone(struct fixture *f)
{
    store_clear(&f->store);
    go_on(f);
}

/* For the first time. Only a will come back. */
static struct message_hello first_hello(const struct fixture *f, const struct peer *peer)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

    hello.client = peer == &f->a ? NUMBER : 0;
    return hello;
}

static void say_hello(struct fixture *f, struct peer *peer, const struct message_hello *hello)
{
    assert_true(peer_connect(peer, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(peer, f->daemon.manager->event, hello), 0);
    turn(f);
}

static void subscribe(struct fixture *f, struct peer *peer)
{
    struct message_hello hello = first_hello(f, peer);

    say_hello(f, peer, &hello);
}

static struct session *find(const struct fixture *f, uint32_t id)
{
    return sessions_find(f->daemon.manager->sessions, id);
}

static bool is_away(const struct fixture *f, uint32_t id)
{
    const struct session *session = find(f, id);

    return session && session_is_away(session);
}

static size_t cursors(const struct fixture *f)
{
    size_t count = 0;

    for (size_t i = 0; i < CURSORS_MAX; i++) {
        count += f->daemon.manager->state->file->cursors.all[i].session != 0;
    }
    return count;
}

/* What a client says that was `old`, and has acknowledged all up to `after`. */
static struct message_hello hello_again(const struct peer *old, uint64_t after)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

    memcpy(hello.epoch, old->welcome.epoch, sizeof(hello.epoch));
    hello.client = NUMBER;
    hello.after = after;
    return hello;
}

/* b says it; the number of the first record that it gets. */
static uint64_t come_back(struct fixture *f, const struct message_hello *hello)
{
    peer_leave(&f->b);
    turn(f);
    say_hello(f, &f->b, hello);
    return f->b.welcome.first;
}

/* --- what the journal says --- */

/* Of a session: records first…last, each once, `lost` of them lost; and no number is missing. */
static void assert_logged_with(struct fixture *f, uint32_t session, uint64_t first, uint64_t last,
                               uint64_t lost)
{
    uint64_t next = first, records = 0, bytes = 0, sequence = 0;
    size_t count;

    daemon_flush(&f->daemon);
    count = mock_journal_count();
    for (size_t i = 0; i < count; i++) {
        if (strcmp(mock_journal_field(i, "SHMD_EVENT"), "acknowledged") != 0) {
            continue;
        }
        assert_int_equal(mock_journal_number(i, "SHMD_ACK_SEQ"), ++sequence);
        if (mock_journal_number(i, "SHMD_SESSION") == session) {
            assert_int_equal(mock_journal_number(i, "SHMD_RECORD_FIRST"), next);
            next = mock_journal_number(i, "SHMD_RECORD_LAST") + 1;
            records += mock_journal_number(i, "SHMD_RECORDS");
            bytes += mock_journal_number(i, "SHMD_BYTES");
        }
    }
    assert_int_equal(next, last + 1);
    assert_int_equal(records, last + 1 - first - lost);
    assert_int_equal(bytes, records * LETTERS);
}

static void assert_logged(struct fixture *f, const struct peer *peer, uint64_t first, uint64_t last)
{
    assert_logged_with(f, peer->welcome.session, first, last, 0);
}

static size_t logged(const char *event)
{
    int i = daemon_logged(event);

    assert_true(i >= 0);
    return (size_t)i;
}

/* Turns of the loop, with waiting, until there is no subscriber any more, here or away. */
static bool nobody_is_expected(struct fixture *f)
{
    for (uint64_t end = clock_usec() + PATIENCE_USEC; clock_usec() < end;) {
        turn(f);
        if (sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER) == 0) {
            return true;
        }
        (void)sd_event_run(f->daemon.manager->event, USEC_PER_MSEC);
    }
    return false;
}

/* --- with what systemd has kept --- */

static void assert_goes_on(struct fixture *f, struct peer *peer, uint64_t acknowledged)
{
    const struct session *session = find(f, peer->welcome.session);

    assert_non_null(session);
    assert_true(session_subscribes(session));
    assert_int_equal(session->acknowledged, acknowledged);
    assert_int_equal(session->identity.pid, getpid());
    assert_string_equal(session->identity.name, "peer");
    assert_int_equal(peer->page->state, PAGE_ACTIVE);
    assert_false(peer_is_dropped(peer));
}

/* Who comes and goes is no business of systemd's; who has acknowledged is. */
static void it_is_kept_from_its_first_acknowledgement_on(void **state)
{
    struct fixture *f = *state;
    uint64_t begun = clock_usec();

    (void)start(f, RING);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    peer_leave(&f->b);
    turn(f);
    assert_true(f->store.count == LISTENERS || clock_usec() - begun >= SESSION_KEEP_USEC);
    acknowledge(f, &f->a, 1);
    assert_int_equal(f->store.count, LISTENERS + SESSION_FDS);
}

/* … or once it has lived for a moment. */
static void it_is_kept_after_a_moment(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         f->store.count == LISTENERS && clock_usec() < end;) {
        (void)sd_event_run(f->daemon.manager->event, 100 * USEC_PER_MSEC);
        turn(f);
    }
    assert_int_equal(f->store.count, LISTENERS + SESSION_FDS);
}

/* The user's turn to have a session kept, after a while. */
static void turns_come(struct fixture *f, struct usage *usage, uint64_t kept_until)
{
    usage->kept_until = kept_until;
    assert_true(sd_event_source_set_time(f->daemon.manager->sessions->keep_source, 1) >= 0);
    turn(f);
}

/* Whoever comes, acknowledges and leaves without end keeps systemd busy only now and then. */
static void a_user_has_so_many_kept_at_once_and_then_one_now_and_then(void **state)
{
    struct fixture *f = *state;
    struct usage *usage;
    uint64_t begun = clock_usec(), burst = 5, number = 0, kept = 0;

    (void)start(f, RING "limits = { sessions = 5; sessions_per_user = 5; }; ");
    do {
        subscribe(f, &f->a);
        usage = find(f, f->a.welcome.session)->usage;
        acknowledge(f, &f->a, f->a.welcome.first);
        number++;
        kept += f->store.count > LISTENERS;
        peer_leave(&f->a);
        turn(f);
        assert_int_equal(f->store.count, LISTENERS);
    } while (number < 100);
    assert_true(kept <= burst + 2 + (clock_usec() - begun) / (50 * USEC_PER_MSEC));
    assert_true(kept >= burst);
    assert_true(usage->kept_until > begun);
}

/* It is heard and logged before it is its turn, and exactly once if that never comes. */
static void who_is_to_be_kept_later_is_logged_at_once(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    struct usage *usage;

    (void)start(f, RING);
    subscribe(f, &f->a);
    usage = find(f, f->a.welcome.session)->usage;
    usage->kept_until = UINT64_MAX;
    acknowledge(f, &f->a, 5);
    assert_logged(f, &f->a, 1, 5);
    turns_come(f, usage, UINT64_MAX);
    assert_int_equal(f->store.count, LISTENERS);
    turns_come(f, usage, 0);
    assert_int_equal(f->store.count, LISTENERS + SESSION_FDS);
    peer_leave(&f->a);
    turn(f);
    assert_int_equal(f->store.count, LISTENERS);

    /* Killed before that: its client goes on from where it is. */
    hello = first_hello(f, &f->a);
    say_hello(f, &f->a, &hello);
    usage->kept_until = UINT64_MAX;
    acknowledge(f, &f->a, 9);
    daemon_flush(&f->daemon);
    find(f, f->a.welcome.session)->is_kept = true; /* so much for the rest of this life */
    stop(f);
    peer_acknowledge(&f->a, 12);
    go_on(f);
    assert_true(is_away(f, f->a.welcome.session));
    assert_true(peer_is_dropped(&f->a));
    hello = hello_again(&f->a, 12);
    assert_int_equal(come_back(f, &hello), 13);
    assert_logged(f, &f->a, 6, 12);
}

/* However many come after it: its turn comes when it would have. */
static void who_waits_to_be_kept_is_not_put_off(void **state)
{
    const uint64_t late = UINT64_MAX / 2;
    struct fixture *f = *state;
    sd_event_source *turn_source;
    uint64_t due;

    (void)start(f, RING);
    turn_source = f->daemon.manager->sessions->keep_source;
    subscribe(f, &f->a);
    find(f, f->a.welcome.session)->usage->kept_until = UINT64_MAX;
    acknowledge(f, &f->a, 1);
    assert_true(find(f, f->a.welcome.session)->to_be_kept);
    assert_true(sd_event_source_set_time(turn_source, late) >= 0);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, f->b.welcome.first);
    assert_true(find(f, f->b.welcome.session)->to_be_kept);
    assert_true(sd_event_source_get_time(turn_source, &due) >= 0);
    assert_int_equal(due, late);
}

/* PID 1 is busy, or somebody else has filled its socket. */
static void a_systemd_that_does_not_read_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    size_t others = NOTIFIER_STORES_MAX + 1;

    (void)start(f, RING);
    assert_true(store_fill(&f->store));
    for (size_t i = 0; i < others; i++) {
        assert_int_equal(daemon_subscribe(&f->daemon, &f->b), 0);
        peer_acknowledge(&f->b, f->b.welcome.first);
        daemon_turn(&f->daemon);
        peer_leave(&f->b);
        daemon_turn(&f->daemon);
    }
    /* What was to be kept and to be forgotten is not told, but for one that is on its way. */
    assert_true(notifier_waiting(f->daemon.manager->notifier) <= 4);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->a), 0);
    peer_acknowledge(&f->a, f->a.welcome.first);
    daemon_turn(&f->daemon);
    assert_int_equal(manager_on_tick(f->daemon.manager->tick_source, 0, f->daemon.manager), 0);
    turn(f); /* it reads */
    assert_int_equal(f->store.count, LISTENERS + SESSION_FDS);
    stop(f);
    go_on(f);
    assert_goes_on(f, &f->a, f->a.welcome.first);
}

/* "a client notices a pause": the same page, and all that it says meanwhile counts, once. */
static void a_session_goes_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    for (uint64_t number = 9; number < 60; number += 10) {
        stop(f);
        peer_acknowledge(&f->a, number);
        go_on(f);
        assert_goes_on(f, &f->a, number);
        acknowledge(f, &f->a, number + 2);
        assert_goes_on(f, &f->a, number + 2);
        assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 1);
        assert_int_equal(oldest(f), number + 3); /* the ring goes on */
    }
    assert_logged(f, &f->a, 1, 61);
    assert_int_equal(cursors(f), 1);
}

static void a_plain_session_goes_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, PLAIN);
    subscribe(f, &f->a);
    for (uint64_t number = 1; number < 5; number++) {
        assert_int_equal(f->a.page->published, number);
        stop(f);
        peer_acknowledge(&f->a, number);
        go_on(f);
        assert_goes_on(f, &f->a, number);
    }
    assert_logged(f, &f->a, 1, 4);
}

static void its_bells_ring_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    stop(f);
    go_on(f);
    assert_false(peer_is_rung(&f->a));
    page_announce_sleep(&f->a.page->client_sleeps);
    acknowledge(f, &f->a, 5); /* makes room for more */
    assert_true(peer_is_rung(&f->a));
    assert_true(peer_ring(&f->a));
    assert_true(sd_event_run(f->daemon.manager->event, PATIENCE_USEC) > 0);
}

static void its_connection_is_heard_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    stop(f);
    go_on(f);
    peer_acknowledge(&f->a, 7);
    peer_leave(&f->a);
    turn(f);
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 0);
    assert_int_equal(cursors(f), 0);
    assert_int_equal(f->store.count, LISTENERS);
    assert_logged_with(f, 1, 1, 7, 0);
}

static void numbers_of_sessions_go_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    stop(f);
    go_on(f);
    subscribe(f, &f->b);
    assert_true(f->b.welcome.session > f->a.welcome.session);
}

static void who_lied_meanwhile_is_dropped(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    stop(f);
    peer_acknowledge(&f->a, 100000);
    go_on(f);
    assert_int_equal(f->a.page->state, PAGE_EVICTED);
    assert_true(peer_is_dropped(&f->a));
    assert_int_equal(cursors(f), 0);
    assert_int_equal(f->store.count, LISTENERS);
    assert_logged(f, &f->a, 1, 5);
}

/* It said what it has acknowledged, and died: "the rest of the session tells". */
static void who_died_meanwhile_has_its_last_word(void **state)
{
    struct fixture *f = *state;
    uint32_t session;

    (void)start(f, RING);
    subscribe(f, &f->a);
    session = f->a.welcome.session;
    acknowledge(f, &f->a, 5);
    stop(f);
    peer_acknowledge(&f->a, 9);
    peer_leave(&f->a);
    store_work(&f->store);
    go_on(f);
    assert_null(find(f, session));
    assert_int_equal(cursors(f), 0);
    assert_int_equal(f->store.count, LISTENERS);
    assert_logged_with(f, session, 1, 9, 0);
    assert_int_equal(mock_journal_number(logged("session-ended"), "SHMD_SESSION"), session);
}

/* Killed before it knew whether the WELCOME was sent. */
static void who_may_not_know_of_its_session_is_sent_away(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    find(f, f->a.welcome.session)->cursor->welcomed = false;
    stop(f);
    peer_acknowledge(&f->a, 9);
    go_on(f);
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_true(peer_is_dropped(&f->a));
    assert_true(is_away(f, f->a.welcome.session));
    assert_int_equal(f->store.count, LISTENERS);
    hello = hello_again(&f->a, 9);
    assert_int_equal(come_back(f, &hello), 10);
    assert_logged(f, &f->a, 1, 9);
}

/* Somebody has removed it while there was no daemon. */
static void a_segment_that_was_replaced_meanwhile_is_superseded(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    uint64_t before;
    int id;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    before = newest(f);
    id = f->daemon.manager->segment.id;
    stop(f);
    peer_acknowledge(&f->a, 9);
    assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
    go_on(f);
    assert_int_not_equal(f->daemon.manager->segment.id, id);
    assert_int_equal(f->a.page->state, PAGE_SUPERSEDED);
    assert_true(peer_is_dropped(&f->a));
    assert_true(is_away(f, f->a.welcome.session));
    hello = hello_again(&f->a, 9);
    assert_int_equal(come_back(f, &hello), before + 1); /* what it held went with the segment */
    assert_int_equal(f->b.welcome.segment_id, f->daemon.manager->segment.id);
    acknowledge(f, &f->b, before + 3);
    assert_logged_with(f, f->b.welcome.session, before + 1, before + 3, 0);
    assert_int_equal(mock_journal_number(logged("session-ended"), "SHMD_RECORD_LAST"), 9);
}

/* Its place would be one at which nothing comes any more; what is left there is in nobody's way. */
static void a_ring_that_is_damaged_is_superseded(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    struct ring_header *ring;
    uint64_t before;
    int id;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    before = newest(f);
    id = f->daemon.manager->segment.id;
    stop(f);
    ring = shmat(id, NULL, 0);
    ring->tail = 1;
    go_on(f);
    assert_int_not_equal(f->daemon.manager->segment.id, id);
    assert_int_equal(ring->state, RING_SUPERSEDED);
    assert_int_equal(ring->tail, 1);
    assert_int_equal(shmdt(ring), 0);
    assert_int_equal(f->a.page->state, PAGE_SUPERSEDED);
    assert_true(is_away(f, f->a.welcome.session));
    hello = hello_again(&f->a, 5);
    assert_int_equal(come_back(f, &hello), before + 1);
    acknowledge(f, &f->b, before + 3);
    assert_logged_with(f, f->b.welcome.session, before + 1, before + 3, 0);
}

/* Nothing is told of what others owe, and what they read of the old ring is logged as it was. */
static void assert_drained(struct fixture *f, uint64_t held, uint64_t begun)
{
    struct message_hello hello = hello_again(&f->a, held);
    size_t i;

    assert_true(is_away(f, f->a.welcome.session));
    assert_int_equal(come_back(f, &hello), held + 1);
    assert_logged(f, &f->a, 1, held);
    for (i = 0; i < mock_journal_count(); i++) {
        assert_true(mock_journal_number(i, "SHMD_LATENCY_USEC") <= clock_usec() - begun);
    }
    assert_true(daemon_has_told(&f->daemon));
    assert_int_equal(mock_journal_find("records-unread"), -1);
    assert_null(f->daemon.manager->pasts);
}

/* The next daemon finds another size in the configuration. Returns the last record in the ring. */
static uint64_t stop_and_want_a_larger_ring(struct fixture *f)
{
    uint64_t held;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    held = newest(f);
    stop(f);
    assert_true(file_write(f->daemon.conf_path, LARGER, strlen(LARGER)));
    return held;
}

/* With what systemd has kept, … */
static void a_ring_of_another_size_after_a_restart(void **state)
{
    struct fixture *f = *state;
    uint64_t begun = clock_usec();
    uint64_t held = stop_and_want_a_larger_ring(f);

    peer_acknowledge(&f->a, 8);
    go_on(f);
    assert_int_equal(f->a.page->state, PAGE_SUPERSEDED);
    assert_drained(f, held, begun);
}

/* … and without. */
static void a_ring_of_another_size_after_a_restart_by_hand(void **state)
{
    struct fixture *f = *state;
    uint64_t begun = clock_usec();
    uint64_t held = stop_and_want_a_larger_ring(f);

    go_on_alone(f);
    assert_drained(f, held, begun);
}

static void two_rings_of_another_size_by_reload(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    assert_true(file_write(f->daemon.conf_path, LARGER, strlen(LARGER)));
    daemon_reload(f->daemon.manager);
    assert_true(file_write(f->daemon.conf_path, RING, strlen(RING)));
    daemon_reload(f->daemon.manager);
    turn(f);
    hello = hello_again(&f->a, 9); /* it has read a part only */
    (void)come_back(f, &hello);
    assert_logged(f, &f->a, 1, 9);
    assert_true(daemon_has_told(&f->daemon));
    assert_int_equal(mock_journal_number(logged("records-unread"), "SHMD_RECORD_FIRST"), 10);
}

/* Nobody waits for anybody: a reader may be as slow after a restart as before. */
static void where_records_are_written_over_nobody_is_evicted(void **state)
{
    struct fixture *f = *state;
    uint64_t end;

    (void)start(f, OVERWRITE BRIEF);
    subscribe(f, &f->a);
    subscribe(f, &f->b);
    stop(f);
    go_on(f);
    end = clock_usec() + 3 * LEASE;
    while (clock_usec() < end) {
        acknowledge(f, &f->b, newest(f));
        (void)usleep((useconds_t)LEASE / 10);
    }
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
    assert_int_equal(f->b.page->state, PAGE_ACTIVE);
}

/* … not even while somebody else is expected back. */
static void where_records_are_written_over_a_slow_reader_stays(void **state)
{
    struct fixture *f = *state;
    uint64_t end;

    (void)start(f, OVERWRITE BRIEF);
    subscribe(f, &f->b);
    stop(f);
    go_on_alone(f);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 1); /* and is behind */
    end = clock_usec() + 3 * LEASE;
    while (clock_usec() < end) {
        turn(f);
        (void)sd_event_run(f->daemon.manager->event, USEC_PER_MSEC);
    }
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 1);
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
}

/* P6: it acknowledged something while there was no daemon, and nothing since. */
static void who_goes_on_and_stops_is_evicted(void **state)
{
    struct fixture *f = *state;
    uint64_t begun;

    (void)start(f, RING BRIEF);
    begun = clock_usec();
    subscribe(f, &f->a);
    stop(f);
    peer_acknowledge(&f->a, 9);
    go_on(f);
    INCONCLUSIVE_AFTER(begun, LEASE);
    assert_goes_on(f, &f->a, 9);
    assert_true(nobody_is_expected(f));
    assert_int_equal(f->a.page->state, PAGE_EVICTED);
}

/* --- with half of it --- */

/* systemd was told to forget it, and the daemon was killed before that was sent. */
static void who_was_sent_away_is_expected_whatever_was_kept(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    struct stat st = {0};
    size_t page;
    char name[STORE_NAME_MAX];
    int fd;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    for (page = f->store.count; page > 0 && !S_ISREG(st.st_mode); page--) {
        assert_int_equal(fstat(f->store.kept[page - 1].fd, &st), 0);
    }
    (void)strcpy(name, f->store.kept[page].name);
    fd = fcntl(f->store.kept[page].fd, F_DUPFD_CLOEXEC, STORE_FIRST + STORE_MAX);
    assert_true(file_write(f->daemon.conf_path, LARGER, strlen(LARGER)));
    daemon_reload(f->daemon.manager);
    turn(f);
    assert_int_equal(f->store.count, LISTENERS);
    stop(f);
    f->store.kept[f->store.count].fd = fd;
    (void)strcpy(f->store.kept[f->store.count++].name, name);
    go_on(f);
    assert_true(is_away(f, f->a.welcome.session));
    assert_int_equal(f->store.count, LISTENERS);
    hello = hello_again(&f->a, 9); /* it has read a part only of the old ring */
    (void)come_back(f, &hello);
    assert_int_equal(daemon_logged_records(&f->daemon), 9);
}

#define PAGE (-1)

/* Throws away what is kept of this kind: a type of sockets, or the page. */
static void lose(struct fixture *f, int kind)
{
    size_t before = f->store.count;

    for (size_t i = before; i > 0; i--) {
        socklen_t length = sizeof(int);
        int type = PAGE;

        (void)getsockopt(f->store.kept[i - 1].fd, SOL_SOCKET, SO_TYPE, &type, &length);
        if (type == kind) {
            store_drop(&f->store, i - 1);
        }
    }
    assert_int_equal(f->store.count, before - 1);
}

static void assert_is_told_to_come_again(struct fixture *f)
{
    struct message_hello hello = hello_again(&f->a, 9);

    assert_true(peer_is_dropped(&f->a));
    assert_true(is_away(f, f->a.welcome.session));
    assert_int_equal(f->store.count, LISTENERS);
    assert_int_equal(oldest(f), 6); /* nothing is given up */
    assert_int_equal(come_back(f, &hello), 10);
    assert_logged(f, &f->a, 1, 9);
}

/* Its connection must not stay open with nobody who looks at its page. */
static void without_its_page_it_is_told_to_come_again(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    stop(f);
    lose(f, PAGE);
    go_on(f);
    assert_is_told_to_come_again(f);
}

/* A page whose size could be changed under our eyes, or has another one. */
static void with_a_page_that_is_none_it_is_told_to_come_again(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    stop(f);
    lose(f, PAGE);
    f->store.kept[f->store.count].fd = memfd_create("page", MFD_CLOEXEC);
    assert_int_equal(ftruncate(f->store.kept[f->store.count].fd, PAGE_SIZE), 0);
    (void)strcpy(f->store.kept[f->store.count].name, f->store.kept[f->store.count - 1].name);
    f->store.count++;
    go_on(f);
    assert_is_told_to_come_again(f);
}

/* Then it could not wake us; its page tells what it has acknowledged. */
static void without_our_bell_it_is_told_to_come_again(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    stop(f);
    peer_acknowledge(&f->a, 9);
    lose(f, SOCK_DGRAM);
    go_on(f);
    assert_true(peer_is_dropped(&f->a));
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    hello = hello_again(&f->a, 9);
    assert_int_equal(come_back(f, &hello), 10);
    assert_logged(f, &f->a, 1, 9);
}

/* A client that has closed its bell wakes itself. */
static void without_its_own_bell_it_goes_on(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    stop(f);
    lose(f, SOCK_STREAM);
    go_on(f);
    acknowledge(f, &f->a, 9);
    assert_goes_on(f, &f->a, 9);
}

/* --- with nothing --- */

/* A subscriber has acknowledged 5 and, unseen, 9; the next daemon knows nothing of its descriptors.
 */
static void lose_all(struct fixture *f, const char *conf)
{
    (void)start(f, conf);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    stop(f);
    peer_acknowledge(&f->a, 9);
    go_on_alone(f);
    assert_true(peer_is_dropped(&f->a));
    assert_true(is_away(f, f->a.welcome.session));
    assert_int_equal(sessions_count(f->daemon.manager->sessions, MESSAGE_SUBSCRIBER), 1);
}

/* "expected back": the ring does not go on without it. */
static void what_it_has_not_acknowledged_is_held(void **state)
{
    struct fixture *f = *state;

    lose_all(f, RING);
    subscribe(f, &f->b);
    assert_int_equal(f->b.welcome.first, 6);
    acknowledge(f, &f->b, newest(f));
    assert_int_equal(oldest(f), 6);
    assert_logged(f, &f->a, 1, 5);
}

static void a_plain_record_is_held(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    (void)start(f, PLAIN);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 1);
    stop(f);
    go_on_alone(f);
    subscribe(f, &f->b);
    acknowledge(f, &f->b, 2);
    assert_int_equal(newest(f), 2);
    hello = hello_again(&f->a, 2);
    assert_int_equal(come_back(f, &hello), 3);
    turn(f);
    assert_int_equal(newest(f), 3);
    assert_logged(f, &f->a, 1, 2);
}

/* It is logged for exactly what it acknowledged: what the old one was not is the new one's. */
static void who_comes_back_goes_on(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    size_t i;

    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    assert_int_equal(come_back(f, &hello), 10);
    assert_int_not_equal(f->b.welcome.session, f->a.welcome.session);
    assert_null(find(f, f->a.welcome.session));
    assert_int_equal(cursors(f), 1);
    assert_int_equal(oldest(f), 10);
    acknowledge(f, &f->b, 12);
    assert_logged(f, &f->a, 1, 9);
    assert_logged(f, &f->b, 10, 12);
    for (i = mock_journal_count() - 1; !mock_journal_field(i, "SHMD_RESUMES"); i--) {
        assert_true(i > 0);
    }
    assert_int_equal(mock_journal_number(i, "SHMD_RESUMES"), f->a.welcome.session);
    assert_int_equal(mock_journal_number(i, "SHMD_SESSION"), f->b.welcome.session);
}

static void who_comes_back_twice_goes_on_from_the_second(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    uint32_t second;

    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    (void)come_back(f, &hello);
    second = f->b.welcome.session;
    hello.after = 11;
    stop(f);
    go_on_alone(f);
    assert_int_equal(come_back(f, &hello), 12);
    assert_int_equal(cursors(f), 1);
    assert_logged(f, &f->a, 1, 9);
    assert_logged_with(f, second, 10, 11, 0);
}

/* It was not gone at all: what its page says counts, and not what it claims. */
static void who_comes_back_before_it_went_is_heard_once_more(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    peer_acknowledge(&f->a, 9);
    hello = hello_again(&f->a, 9);
    assert_int_equal(come_back(f, &hello), 10);
    assert_null(find(f, f->a.welcome.session));
    assert_true(peer_is_dropped(&f->a));
    assert_logged(f, &f->a, 1, 9);
}

static void assert_is_not_taken(struct fixture *f)
{
    turn(f);
    assert_true(is_away(f, f->a.welcome.session));
    assert_int_equal(oldest(f), 6);
    assert_logged(f, &f->a, 1, 5);
}

/* A child says this HELLO. It ends when it has its answer. */
static pid_t say_elsewhere(const struct fixture *f, const struct message_hello *hello)
{
    pid_t pid = child_start();

    if (pid == 0) {
        struct pollfd answer = {.events = POLLIN};
        struct peer peer;

        answer.fd = peer_connect(&peer, f->daemon.socket_path) ? peer.socket : -1;
        _exit(peer_say(&peer, hello, sizeof(*hello)) && poll(&answer, 1, PATIENCE_MSEC) == 1 &&
                      peer_welcomed(&peer) == 0
                  ? 0
                  : 1);
    }
    return pid;
}

static void another_process_cannot_come_back_in_its_place(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    int status = 0;
    pid_t pid;

    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    pid = say_elsewhere(f, &hello);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        turn(f);
        (void)usleep(1000);
    }
    assert_int_equal(status, 0); /* it is welcome, but nobody's successor */
    assert_is_not_taken(f);
}

static void another_user_cannot_come_back_in_its_place(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    SKIP_UNLESS_ROOT();
    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    assert_true(peer_connect_as(&f->b, f->daemon.socket_path, ALICE, ALICE, NULL, 0));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(&f->b, f->daemon.manager->event, &hello), 0);
    assert_is_not_taken(f);
}

/* Whatever it says: it is logged for what is known, and begins with the oldest that is held. */
static void assert_begins_anew(struct fixture *f, const struct message_hello *hello)
{
    assert_int_equal(come_back(f, hello), 6);
    assert_int_equal(cursors(f), 1);
    assert_null(find(f, f->a.welcome.session));
    assert_logged(f, &f->a, 1, 5);
}

static void a_claim_beyond_what_was_published_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    lose_all(f, RING);
    hello = hello_again(&f->a, newest(f) + 1);
    assert_begins_anew(f, &hello);
    hello = hello_again(&f->a, UINT64_MAX);
    assert_begins_anew(f, &hello);
}

static void a_claim_of_another_epoch_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    hello.epoch[3] ^= 1;
    assert_begins_anew(f, &hello);
}

static void another_subscriber_of_its_process_is_not_it(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    hello.client = 0;
    assert_int_equal(come_back(f, &hello), 10); /* as it says; but it is nobody's successor */
    assert_is_not_taken(f);
    hello.client = NUMBER + 1;
    assert_int_equal(come_back(f, &hello), 10);
    assert_is_not_taken(f);
}

/* What was lost is not logged as acknowledged; what cannot have been lost, was not. */
static void what_it_lost_meanwhile_is_believed_as_far_as_it_can_be(void **state)
{
    static const struct {
        uint64_t claimed, believed;
    } losses[] = {{1, 1}, {3, 3}, {5, 0}, {UINT64_MAX, 0}, {0, 0}};

    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        void *fresh = *state;
        struct fixture *f = fresh;
        struct message_hello hello;

        lose_all(f, OVERWRITE);
        hello = hello_again(&f->a, 9);
        hello.lost = losses[i].claimed;
        (void)come_back(f, &hello);
        assert_logged_with(f, f->a.welcome.session, 1, 9, losses[i].believed);
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/*
 * Killed while one session took the place of another: what it says that it lost, it lost in the
 * later one, wherever the two cursors lie.
 */
static void what_it_lost_counts_in_the_session_that_took_over(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;
    struct cursor *cursor;
    uint32_t session;

    (void)start(f, OVERWRITE);
    subscribe(f, &f->reader);
    subscribe(f, &f->a);
    peer_leave(&f->reader); /* its cursor is free for the later session */
    turn(f);
    f->a.lost = 3;
    acknowledge(f, &f->a, 9);
    stop(f);
    go_on_alone(f);
    hello = hello_again(&f->a, 9);
    hello.lost = 3;
    hello.client = 0;
    say_hello(f, &f->b, &hello);
    session = f->b.welcome.session;
    cursor = find(f, session)->cursor;
    cursor->welcomed = false;
    cursor->takes_over = f->a.welcome.session;
    cursor->client = NUMBER;
    stop(f);
    go_on_alone(f);
    hello = hello_again(&f->a, 20);
    hello.lost = 2;
    (void)come_back(f, &hello);
    assert_logged_with(f, session, 10, 20, 2);
}

static void where_nothing_is_written_over_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct message_hello hello;

    lose_all(f, RING);
    hello = hello_again(&f->a, 9);
    hello.lost = 3;
    (void)come_back(f, &hello);
    assert_logged(f, &f->a, 1, 9);
}

/* It was lost where records were written over, whatever the next daemon does with its own. */
static void what_it_lost_counts_under_another_configuration(void **state)
{
    static const char *const confs[] = {RING, PLAIN};

    for (size_t i = 0; i < 2; i++) {
        void *fresh = *state;
        struct fixture *f = fresh;
        int entry;

        (void)start(f, OVERWRITE);
        subscribe(f, &f->a);
        stop(f);
        f->a.lost = 3;
        peer_acknowledge(&f->a, 9);
        assert_true(file_write(f->daemon.conf_path, confs[i], strlen(confs[i])));
        go_on(f);
        daemon_flush(&f->daemon);
        entry = daemon_logged("acknowledged");
        assert_true(entry >= 0);
        assert_int_equal(mock_journal_number((size_t)entry, "SHMD_RECORD_LAST"), 9);
        assert_int_equal(mock_journal_number((size_t)entry, "SHMD_RECORDS"), 6);
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/* … and not waited for; but what it says when it comes after all, is logged. */
static void who_does_not_come_back_is_evicted(void **state)
{
    static const char *const confs[] = {RING BRIEF, OVERWRITE BRIEF};

    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = *state;
        struct message_hello hello;
        uint64_t before = clock_usec();

        lose_all(f, confs[i]);
        assert_true(nobody_is_expected(f));
        assert_true(clock_usec() - before >= LEASE);
        assert_int_equal(cursors(f), 1);
        assert_int_equal(mock_journal_number(logged("session-evicted"), "SHMD_SESSION"),
                         f->a.welcome.session);
        assert_null(mock_journal_field(logged("session-evicted"), "SHMD_RECORD_LAST"));
        assert_non_null(
            strstr(mock_journal_field(logged("session-evicted"), "MESSAGE"), "did not come back"));
        assert_logged(f, &f->a, 1, 5);
        hello = hello_again(&f->a, 9); /* too late, but welcome */
        assert_int_equal(come_back(f, &hello), 10);
        assert_int_equal(cursors(f), 1);
        assert_logged(f, &f->a, 1, 9);
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/* No life of the daemon is as long as a lease, and nevertheless it is over one day. */
static void who_does_not_come_back_is_evicted_in_a_later_life(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING "lease_ms = 10000; ");
    f->daemon.manager->state->file->lease_clock.paused = clock_usec() / 2;
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    for (int life = 0; life < 3; life++) {
        stop(f);
        go_on_alone(f);
        assert_int_equal(cursors(f), 1);
        f->daemon.manager->state->file->lease_clock.paused -= 4 * USEC_PER_SEC; /* pass */
    }
    assert_true(sd_event_source_set_time(f->daemon.manager->lease_source, 1) >= 0);
    turn(f);
    assert_true(nobody_is_expected(f));
    assert_int_equal(cursors(f), 1);
    stop(f);
    go_on_alone(f);
    assert_true(nobody_is_expected(f));
    /* It is forgotten one day, too. */
    f->daemon.manager->conf->lease_ms = 1;
    leases_reconsider(f->daemon.manager);
    for (uint64_t end = clock_usec() + PATIENCE_USEC; cursors(f) > 0 && clock_usec() < end;) {
        (void)sd_event_run(f->daemon.manager->event, USEC_PER_MSEC);
    }
    assert_int_equal(cursors(f), 0);
    assert_int_equal(mock_journal_number(logged("session-ended"), "SHMD_RECORD_LAST"), 5);
}

/* Others do not wait for who is late; and where there is no place, it is forgotten. */
static void who_is_late_gives_way(void **state)
{
    struct fixture *f = *state;
    struct cursors *all;

    lose_all(f, RING BRIEF);
    assert_true(nobody_is_expected(f));
    all = &f->daemon.manager->state->file->cursors;
    for (size_t i = 0; i < CURSORS_MAX; i++) {
        all->all[i].session += all->all[i].session == 0 ? UINT32_MAX : 0;
    }
    subscribe(f, &f->b);
    assert_null(find(f, f->a.welcome.session));
    assert_int_equal(mock_journal_number(logged("session-ended"), "SHMD_SESSION"),
                     f->a.welcome.session);
    for (size_t i = 0; i < CURSORS_MAX; i++) {
        all->all[i].session = all->all[i].session == UINT32_MAX ? 0 : all->all[i].session;
    }
    acknowledge(f, &f->b, newest(f));
}

/* Those who are away do not keep out those who come. */
static void who_is_away_takes_nobodys_place(void **state)
{
    struct fixture *f = *state;

    lose_all(f, RING "limits = { sessions = 1; }; ");
    subscribe(f, &f->b);
}

static void a_stop_ends_who_is_away(void **state)
{
    struct fixture *f = *state;

    lose_all(f, RING);
    daemon_stop(&f->daemon, false);
    store_work(&f->store);
    assert_int_equal(mock_journal_number(logged("session-ended"), "SHMD_SESSION"),
                     f->a.welcome.session);
    assert_true(daemon_start(&f->daemon));
    assert_int_equal(cursors(f), 0);
}

/* --- damaged --- */

/* A cursor that knows more than there is. */
static void a_cursor_that_cannot_be_is_given_up(void **state)
{
    static const uint64_t absurd = 100000;
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = NULL;
    CLEANUP(fd_close_cleanup) int fd = -1;

    (void)start(f, RING);
    subscribe(f, &f->a);
    acknowledge(f, &f->a, 5);
    path = strdup(f->daemon.manager->state->path);
    stop(f);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(
        pwrite(fd, &absurd, sizeof(absurd), offsetof(struct state_file, cursors.all[0].logged)),
        sizeof(absurd));
    fd = fd_close(fd);
    go_on(f);
    assert_int_equal(cursors(f), 0);
    assert_true(peer_is_dropped(&f->a));
    assert_int_equal(f->store.count, LISTENERS);
    subscribe(f, &f->b);
}

/* Of another epoch: nothing is known of those who were there. */
static void without_the_state_everybody_begins_anew(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = NULL;
    struct message_hello hello;

    (void)start(f, RING);
    subscribe(f, &f->a);
    path = strdup(f->daemon.manager->state->path);
    stop(f);
    assert_int_equal(unlink(path), 0);
    go_on(f);
    assert_true(peer_is_dropped(&f->a));
    assert_int_equal(f->store.count, LISTENERS);
    assert_int_equal(cursors(f), 0);
    hello = hello_again(&f->a, 9);
    assert_int_equal(come_back(f, &hello), 1);
}

/* --- killed --- */

/* A daemon in a child, which gets what was kept, and works until it is killed. */
static pid_t start_child(struct fixture *f)
{
    pid_t pid = child_start();

    if (pid == 0) {
        store_pass(&f->store);
        if (!daemon_start(&f->daemon)) {
            _exit(1);
        }
        for (;;) {
            daemon_turn(&f->daemon);
            (void)sched_yield();
        }
    }
    return pid;
}

/* The daemon is another process. */
static void subscribe_to_child(struct fixture *f, struct peer *peer)
{
    struct message_hello hello = first_hello(f, peer);
    struct pollfd answer = {.events = POLLIN};
    uint64_t end = clock_usec() + PATIENCE_USEC;

    while (!peer_connect(peer, f->daemon.socket_path)) {
        assert_true(clock_usec() < end);
        peer_leave(peer);
        (void)usleep(1000);
    }
    assert_true(peer_say(peer, &hello, sizeof(hello)));
    answer.fd = peer->socket;
    assert_int_equal(poll(&answer, 1, PATIENCE_MSEC), 1);
    assert_int_equal(peer_welcomed(peer), 0);
    store_work(&f->store);
}

/* Reads and acknowledges that many records. */
static void read_on(struct fixture *f, struct ring_reader *reader, uint64_t count)
{
    uint64_t end = clock_usec() + PATIENCE_USEC;

    while (count > 0 && clock_usec() < end) {
        const struct ring_record *record;

        if (ring_look(reader, &record) != RING_RECORD) {
            store_work(&f->store);
            (void)sched_yield();
            continue;
        }
        assert_int_equal(ring_length(record), LETTERS);
        peer_acknowledge(&f->a, reader->number);
        ring_advance(reader, LETTERS);
        count--;
    }
    assert_int_equal(count, 0);
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
}

/* A session that is not kept yet ends with its daemon, and its client comes again: not this one. */
static void await_kept(struct fixture *f)
{
    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         f->store.count < LISTENERS + SESSION_FDS && clock_usec() < end;) {
        store_work(&f->store);
        (void)sched_yield();
    }
}

/*
 * "SIGKILL the daemon at any instruction, any number of times, under load": one session from the
 * first record to the last, and each of them is logged once. The journal does not read: all that
 * was logged is sent by the last daemon.
 */
static void killed_at_any_moment_nothing_is_lost_or_logged_twice(void **state)
{
    struct fixture *f = *state;
    struct ring_reader reader = {0};
    unsigned seed = 1;
    char *map;

    (void)start(f, RING);
    stop(f);
    mock_journal_block(true);
    for (int i = 0; i < DEATHS; i++) {
        pid_t pid = start_child(f);

        if (i == 0) {
            subscribe_to_child(f, &f->a);
            map = shmat(f->a.welcome.segment_id, NULL, SHM_RDONLY);
            assert_true(map != (char *)-1);
            assert_int_equal(ring_attach(&reader, map, f->a.welcome.segment_size), 0);
            ring_reader_go(&reader, f->a.welcome.position);
            reader.number = f->a.welcome.first;
        }
        /* More than fit into the ring: this daemon has taken part. */
        read_on(f, &reader, 100 + (uint64_t)rand_r(&seed) % 300);
        await_kept(f);
        child_end(pid);
    }
    mock_journal_block(false);
    go_on(f);
    assert_goes_on(f, &f->a, reader.number - 1);
    assert_logged(f, &f->a, 1, reader.number - 1);
    (void)shmdt(map);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_store, tear_down)

TEST_GROUP("test-membership")
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_kept_from_its_first_acknowledgement_on),
        TEST(it_is_kept_after_a_moment),
        TEST(a_user_has_so_many_kept_at_once_and_then_one_now_and_then),
        TEST(who_is_to_be_kept_later_is_logged_at_once),
        TEST(who_waits_to_be_kept_is_not_put_off),
        TEST(a_systemd_that_does_not_read_holds_up_nobody),
        TEST(a_session_goes_on),
        TEST(a_plain_session_goes_on),
        TEST(its_bells_ring_on),
        TEST(its_connection_is_heard_on),
        TEST(numbers_of_sessions_go_on),
        TEST(who_lied_meanwhile_is_dropped),
        TEST(who_died_meanwhile_has_its_last_word),
        TEST(who_may_not_know_of_its_session_is_sent_away),
        TEST(a_segment_that_was_replaced_meanwhile_is_superseded),
        TEST(a_ring_that_is_damaged_is_superseded),
        TEST(a_ring_of_another_size_after_a_restart),
        TEST(a_ring_of_another_size_after_a_restart_by_hand),
        TEST(two_rings_of_another_size_by_reload),
        TEST(where_records_are_written_over_nobody_is_evicted),
        TEST(where_records_are_written_over_a_slow_reader_stays),
        TEST(who_goes_on_and_stops_is_evicted),
        TEST(who_was_sent_away_is_expected_whatever_was_kept),
        TEST(without_its_page_it_is_told_to_come_again),
        TEST(with_a_page_that_is_none_it_is_told_to_come_again),
        TEST(without_our_bell_it_is_told_to_come_again),
        TEST(without_its_own_bell_it_goes_on),
        TEST(what_it_has_not_acknowledged_is_held),
        TEST(a_plain_record_is_held),
        TEST(who_comes_back_goes_on),
        TEST(who_comes_back_twice_goes_on_from_the_second),
        TEST(who_comes_back_before_it_went_is_heard_once_more),
        TEST(another_process_cannot_come_back_in_its_place),
        TEST(another_user_cannot_come_back_in_its_place),
        TEST(a_claim_beyond_what_was_published_is_ignored),
        TEST(a_claim_of_another_epoch_is_ignored),
        TEST(another_subscriber_of_its_process_is_not_it),
        TEST(what_it_lost_meanwhile_is_believed_as_far_as_it_can_be),
        TEST(what_it_lost_counts_in_the_session_that_took_over),
        TEST(where_nothing_is_written_over_nothing_is_lost),
        TEST(what_it_lost_counts_under_another_configuration),
        TEST(who_does_not_come_back_is_evicted),
        TEST(who_does_not_come_back_is_evicted_in_a_later_life),
        TEST(who_is_late_gives_way),
        TEST(who_is_away_takes_nobodys_place),
        TEST(a_stop_ends_who_is_away),
        TEST(a_cursor_that_cannot_be_is_given_up),
        TEST(without_the_state_everybody_begins_anew),
        TEST(killed_at_any_moment_nothing_is_lost_or_logged_twice),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, store_set_up, store_tear_down);
}
