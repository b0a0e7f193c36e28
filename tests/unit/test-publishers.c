/* SPDX-License-Identifier: MIT
 *
 * Publishers of a whole daemon: each of their records is published once, whatever becomes of the
 * daemon; they have their turns; and nobody who hands in nonsense harms the others. Their side is
 * played by peer.h and queue.h, the loop by daemon.h.
 */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING      "layout = \"ring\"; mode = \"0644\"; size = 65536; spin_us = 0; "
#define SMALL     "layout = \"ring\"; mode = \"0644\"; size = 32768; spin_us = 0; "
#define PLAIN     "spin_us = 0; "
#define OVERWRITE "when_full = \"overwrite\"; "
#define PUSH      "source = { type = \"push\"; }; "
#define NUMBER    77 /* which a publisher calls itself */
#define DEATHS    30

/* The daemon ends, and the next one gets what was kept. */
static void start_again(struct fixture *f)
{
    stop(f);
    go_on(f);
}

static struct message_hello hello_of(uint64_t after)
{
    return (struct message_hello){
        .head = message_head(MESSAGE_HELLO, sizeof(struct message_hello)),
        .role = MESSAGE_PUBLISHER,
        .after = after,
        .client = NUMBER,
        .name = "peer",
    };
}

/* Its error, or 0. */
static int say_hello(struct fixture *f, struct peer *publisher, const struct message_hello *hello)
{
    struct message_welcome *welcome = &publisher->welcome;
    int r;

    assert_true(peer_connect(publisher, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    r = peer_subscribe(publisher, f->daemon.manager->event, hello);
    if (r < 0) {
        return r;
    }
    publisher->queue =
        mmap(NULL, welcome->segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, publisher->fds[3], 0);
    assert_ptr_not_equal(publisher->queue, MAP_FAILED);
    publisher->writer = queue_writer(publisher->queue, welcome->segment_size, welcome->first);
    turn(f);
    return 0;
}

/* One that is another one than all before. */
static void publishes(struct fixture *f, struct peer *publisher)
{
    struct message_hello hello = hello_of(0);

    hello.client = 0;
    assert_int_equal(say_hello(f, publisher, &hello), 0);
}

static void hand_in(struct peer *publisher, const char *record)
{
    assert_true(ring_has_room(&publisher->writer, strlen(record)));
    memcpy(ring_reserve(&publisher->writer, strlen(record)), record, strlen(record));
    (void)ring_commit(&publisher->writer, strlen(record));
}

static uint64_t confirmed(const struct peer *publisher)
{
    return publisher->page->published;
}

/* A record of the ring, with a NUL. */
static const char *published(const struct fixture *f, uint64_t number)
{
    static char text[256];
    struct stream *stream = &f->daemon.manager->board.stream;
    const struct ring_record *record =
        ring_writer_at(&stream->writer, stream_position(stream, number));

    assert_int_equal(record->number, number);
    (void)snprintf(text, sizeof(text), "%.*s", (int)record->length, record->bytes);
    return text;
}

static size_t sessions(const struct fixture *f)
{
    return sessions_count(f->daemon.manager->sessions, MESSAGE_PUBLISHER);
}

/* --- coming and going --- */

static void who_may_not_publish_is_refused(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;

    (void)start(f, RING);
    assert_int_equal(say_hello(f, &f->a, &hello), -EOPNOTSUPP);
    peer_leave(&f->a);
    hello.start = MESSAGE_START_NEXT;
    assert_int_equal(say_hello(f, &f->a, &hello), -EPROTO);
    peer_leave(&f->a);
    hello = hello_of(UINT64_MAX);
    assert_int_equal(say_hello(f, &f->a, &hello), -EPROTO);
}

static void another_user_is_refused_unless_it_is_allowed(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;

    if (geteuid() != 0) {
        skip();
    }
    (void)start(f, RING PUSH "allow = { publish = \"4000000001\"; };");
    assert_true(peer_connect_as(&f->a, f->daemon.socket_path, 4000000002, 1, NULL, 0));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(&f->a, f->daemon.manager->event, &hello), -EPERM);
    peer_leave(&f->a);
    assert_true(peer_connect_as(&f->a, f->daemon.socket_path, 4000000001, 1, NULL, 0));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(&f->a, f->daemon.manager->event, &hello), 0);
}

static void the_welcome_says_what_fits(void **state)
{
    struct message_hello hello = hello_of(41);
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    assert_int_equal(say_hello(f, &f->a, &hello), 0);
    assert_int_equal(f->a.welcome.first, 42);
    assert_int_equal(f->a.welcome.position, board_longest(&f->daemon.manager->board));
    assert_int_equal(f->a.welcome.segment_size, queue_size(f->a.welcome.position));
    assert_int_equal(confirmed(&f->a), 41);
}

static void what_is_handed_in_is_published_and_confirmed(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    assert_int_equal(newest(f), 0);
    hand_in(&f->a, "one");
    hand_in(&f->a, "");
    hand_in(&f->a, "three");
    turn(f);
    assert_int_equal(newest(f), 3);
    assert_string_equal(published(f, 1), "one");
    assert_string_equal(published(f, 2), "");
    assert_string_equal(published(f, 3), "three");
    assert_int_equal(confirmed(&f->a), 3);
    assert_int_equal(f->a.page->position, 3 * RING_LINE);
    assert_int_equal(f->a.page->rejected, 0);
}

static void what_one_that_goes_has_handed_in_is_published(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    hand_in(&f->a, "last");
    peer_leave(&f->a);
    turn(f);
    assert_int_equal(newest(f), 1);
    assert_int_equal(sessions(f), 0);
    assert_true(daemon_logged("session-ended") >= 0);
}

/* --- turns --- */

static void publishers_have_their_turns(void **state)
{
    struct fixture *f = *state;
    size_t of_a = 0;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    publishes(f, &f->b);
    for (int i = 0; i < 100; i++) {
        hand_in(&f->a, "a");
        hand_in(&f->b, "b");
    }
    turn(f);
    assert_int_equal(newest(f), 200);
    /* Of any two turns in a row, one is the other's: within half of all, nobody has all. */
    for (uint64_t number = 1; number <= 64; number++) {
        of_a += strcmp(published(f, number), "a") == 0;
    }
    assert_int_equal(of_a, 32);
    assert_int_equal(confirmed(&f->a), 100);
    assert_int_equal(confirmed(&f->b), 100);
}

static void nothing_is_taken_for_which_there_is_no_room(void **state)
{
    struct fixture *f = *state;
    uint64_t full, taken;

    (void)start(f, SMALL PUSH);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->reader), 0);
    publishes(f, &f->a);
    while (ring_has_room(&f->a.writer, 5)) {
        hand_in(&f->a, "fills");
    }
    turn(f);
    full = newest(f);
    taken = confirmed(&f->a);
    assert_int_equal(taken, full);
    assert_true(taken < f->a.writer.number - 1);
    assert_int_equal(f->a.page->daemon_sleeps, 0); /* of no news to it */
    peer_acknowledge(&f->reader, full);
    turn(f);
    assert_true(newest(f) > full);
    assert_int_equal(confirmed(&f->a), newest(f));
}

/* --- nonsense --- */

static void what_cannot_lie_there_is_rejected_and_the_rest_goes_on(void **state)
{
    struct fixture *f = *state;
    int i;

    (void)start(f, PLAIN PUSH);
    publishes(f, &f->a);
    hand_in(&f->a, "");
    hand_in(&f->a, "*");
    hand_in(&f->a, "longer than 26 bytes, so it is");
    hand_in(&f->a, "good");
    turn(f);
    assert_int_equal(newest(f), 1);
    assert_int_equal(confirmed(&f->a), 4);
    assert_int_equal(f->a.page->rejected, 3);
    assert_int_equal(f->daemon.manager->state->file->rejected, 3);
    i = daemon_logged("record-rejected");
    assert_true(i >= 0);
}

/* What was handed in for a larger segment keeps its number, and nothing else. */
static void what_does_not_fit_any_more_is_rejected(void **state)
{
    struct fixture *f = *state;
    int i;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    queue_leave_out(&f->a.writer, 70000);
    hand_in(&f->a, "good");
    turn(f);
    assert_int_equal(newest(f), 1);
    assert_string_equal(published(f, 1), "good");
    assert_int_equal(confirmed(&f->a), 2);
    assert_int_equal(f->a.page->rejected, 1);
    i = daemon_logged("record-rejected");
    assert_true(i >= 0);
    assert_int_equal(mock_journal_number((size_t)i, "SHMD_BYTES"), 70000);
}

static void who_breaks_its_queue_is_thrown_out(void **state)
{
    static const struct {
        uint64_t number;
        uint32_t length;
    } nonsense[] = {
        {2, 1}, {1, UINT32_MAX}, {1, 40000}, {RING_WRAP - 1, 0}, {UINT64_C(1) << 63, 5},
    };
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->b);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        struct ring_record *record;

        publishes(f, &f->a);
        record = ring_writer_at(&f->a.writer, 0);
        record->length = nonsense[i].length;
        atomic_store(&record->number, nonsense[i].number);
        turn(f);
        assert_int_equal(f->a.page->state, PAGE_EVICTED);
        assert_true(peer_is_dropped(&f->a));
        peer_leave(&f->a);
        hand_in(&f->b, "goes on");
        turn(f);
        assert_int_equal(confirmed(&f->b), i + 1);
    }
    assert_int_equal(newest(f), sizeof(nonsense) / sizeof(nonsense[0]));
}

/* As with one that does not read the reports that it asks for: it has done nothing wrong. */
static void who_is_taken_to_have_left_may_come_again(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    assert_int_equal(shutdown(f->a.socket, SHUT_RDWR), 0);
    turn(f);
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_int_equal(sessions(f), 0);
}

/* Markers that lead from one to the next, for ever. */
static void who_only_wraps_is_thrown_out(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    atomic_store(&ring_writer_at(&f->a.writer, 0)->number, RING_WRAP);
    turn(f);
    assert_int_equal(f->a.page->state, PAGE_EVICTED);
    assert_int_equal(sessions(f), 0);
}

/* --- the next daemon --- */

/* Dies, again and again, and is followed by one that gets what was kept, or not. */
static void live_and_die(struct fixture *f, const char *conf, bool kept)
{
    uint64_t number = 0;

    (void)start(f, conf);
    for (int i = 0; i < DEATHS; i++) {
        struct message_hello hello = hello_of(f->a.queue ? confirmed(&f->a) : 0);
        char record[16];

        if (f->a.queue && !kept) {
            memcpy(hello.epoch, &f->daemon.manager->state->file->epoch, sizeof(hello.epoch));
            peer_leave(&f->a);
        }
        if (!f->a.queue) {
            assert_int_equal(say_hello(f, &f->a, &hello), 0);
            assert_int_equal(f->a.welcome.first, number + 1);
        }
        (void)snprintf(record, sizeof(record), "%d", i);
        hand_in(&f->a, record);
        number++;
        turn(f);
        assert_int_equal(newest(f), number);
        assert_string_equal(published(f, number), record);
        assert_int_equal(confirmed(&f->a), number);
        daemon_stop(&f->daemon, true);
        store_work(&f->store);
        if (!kept) {
            store_clear(&f->store);
        }
        store_pass(&f->store);
        assert_true(daemon_start(&f->daemon));
        turn(f);
        assert_int_equal(newest(f), number);
        assert_int_equal(sessions(f), 1);
        if (kept) {
            queue_release(&f->a.writer, f->a.page->position);
        }
    }
}

static void a_publisher_that_was_kept_goes_on(void **state)
{
    live_and_die(*state, RING PUSH, true);
}

static void a_publisher_that_comes_back_goes_on(void **state)
{
    live_and_die(*state, RING PUSH, false);
}

/* What it has handed in while there was no daemon, the next one finds. */
static void what_is_handed_in_meanwhile_is_published(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    hand_in(&f->a, "before");
    turn(f);
    daemon_stop(&f->daemon, true);
    store_work(&f->store);
    hand_in(&f->a, "meanwhile");
    store_pass(&f->store);
    assert_true(daemon_start(&f->daemon));
    turn(f);
    assert_int_equal(newest(f), 2);
    assert_string_equal(published(f, 2), "meanwhile");
    assert_int_equal(confirmed(&f->a), 2);
}

/* … even if it has died meanwhile, too. */
static void what_the_dead_leave_to_the_next_daemon_is_published(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    daemon_stop(&f->daemon, true);
    store_work(&f->store);
    hand_in(&f->a, "will");
    peer_leave(&f->a);
    store_work(&f->store);
    store_pass(&f->store);
    assert_true(daemon_start(&f->daemon));
    turn(f);
    assert_int_equal(newest(f), 1);
    assert_string_equal(published(f, 1), "will");
    assert_int_equal(sessions(f), 0);
}

/* Killed after records were published together, and before their publisher's cursor has moved. */
static void records_that_were_published_are_not_published_again(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;
    struct cursor *cursor;

    (void)start(f, RING PUSH);
    assert_int_equal(say_hello(f, &f->a, &hello), 0);
    hand_in(&f->a, "one");
    queue_leave_out(&f->a.writer, 70000);
    hand_in(&f->a, "two");
    hand_in(&f->a, "three");
    turn(f);
    cursor = f->daemon.manager->sessions->first->cursor;
    assert_int_equal(cursor->published, 4);
    cursor->published = 0;
    cursor->position = 0;
    cursor->rejected = 0;
    start_again(f);
    assert_int_equal(newest(f), 3);
    assert_int_equal(confirmed(&f->a), 4);
    assert_int_equal(f->a.page->rejected, 1);
    assert_int_equal(f->daemon.manager->state->file->rejected, 1);
    hand_in(&f->a, "four");
    turn(f);
    assert_int_equal(newest(f), 4);
    assert_string_equal(published(f, 4), "four");
}

/* Of two in one turn, each has its own note: what is published is no other's. */
static void what_several_hand_in_at_once_is_each_ones_own(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    publishes(f, &f->b);
    for (int i = 0; i < 20; i++) {
        hand_in(&f->a, "a");
    }
    for (int i = 0; i < 7; i++) {
        hand_in(&f->b, "b");
    }
    turn(f);
    assert_int_equal(newest(f), 27);
    start_again(f);
    assert_int_equal(newest(f), 27);
    assert_int_equal(confirmed(&f->a), 20);
    assert_int_equal(confirmed(&f->b), 7);
}

/* --- who comes with the number of another one --- */

#define HANDED_IN 1000 /* records, which do not fit into the ring */

/* A publisher dies before its records are published: somebody does not read. */
static struct session *die_too_early(struct fixture *f)
{
    struct message_hello hello = hello_of(0);

    (void)start(f, SMALL PUSH);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->reader), 0);
    assert_int_equal(say_hello(f, &f->a, &hello), 0);
    for (int i = 0; i < HANDED_IN; i++) {
        if (!ring_has_room(&f->a.writer, 1)) {
            turn(f);
            peer_acknowledge(&f->reader, newest(f));
            turn(f);
            queue_release(&f->a.writer, f->a.page->position);
        }
        hand_in(&f->a, "a");
    }
    turn(f);
    peer_leave(&f->a);
    turn(f);
    assert_int_equal(sessions(f), 1);
    assert_true(newest(f) < HANDED_IN);
    for (struct session *session = f->daemon.manager->sessions->first; session;
         session = session->next) {
        if (session_publishes(session)) {
            return session;
        }
    }
    return NULL;
}

/* Now somebody reads, and all that the dead one had handed in comes, besides the other's record. */
static void assert_all_come(struct fixture *f)
{
    if (f->b.queue) {
        hand_in(&f->b, "b");
    }
    for (uint64_t before = 0; before < newest(f);) {
        before = newest(f);
        acknowledge(f, &f->reader, before);
    }
    assert_int_equal(newest(f), HANDED_IN + (f->b.queue != NULL));
    assert_int_equal(sessions(f), f->b.queue != NULL);
}

static void who_is_new_takes_nothing_over(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;

    (void)die_too_early(f);
    assert_int_equal(say_hello(f, &f->b, &hello), 0);
    assert_int_equal(f->b.welcome.first, 1);
    assert_all_come(f);
}

/* A pid is used again; its process's number is not. */
static void another_process_with_its_pid_takes_nothing_over(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;
    struct session *dead = die_too_early(f);

    if (dead->identity.process == 0) {
        skip(); /* an old kernel, without /proc */
    }
    dead->identity.process--;
    memcpy(hello.epoch, &f->daemon.manager->state->file->epoch, sizeof(hello.epoch));
    assert_int_equal(say_hello(f, &f->b, &hello), 0);
    assert_int_equal(f->b.welcome.first, 1);
    assert_all_come(f);
}

/* Where there are no such numbers, all of the first one is published before the second may come. */
static void where_processes_have_no_number_what_is_left_comes_first(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;

    die_too_early(f)->identity.process = 0;
    memcpy(hello.epoch, &f->daemon.manager->state->file->epoch, sizeof(hello.epoch));
    assert_int_equal(say_hello(f, &f->b, &hello), -EAGAIN);
    assert_all_come(f);
    peer_leave(&f->b);
    assert_int_equal(say_hello(f, &f->b, &hello), 0);
    assert_int_equal(f->b.welcome.first, 1);
}

static void who_comes_back_hands_in_the_rest_anew(void **state)
{
    struct message_hello hello = hello_of(0);
    struct fixture *f = *state;

    (void)die_too_early(f);
    memcpy(hello.epoch, &f->daemon.manager->state->file->epoch, sizeof(hello.epoch));
    assert_int_equal(say_hello(f, &f->b, &hello), 0);
    assert_int_equal(f->b.welcome.first, newest(f) + 1);
    assert_int_equal(sessions(f), 1);
}

/* Its WELCOME cannot be sent: what it wanted to take over stays, and is published. */
static void who_is_not_welcomed_takes_nothing_over(void **state)
{
    struct message_hello hello = hello_of(1);
    struct fixture *f = *state;

    (void)die_too_early(f);
    assert_true(peer_connect(&f->b, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_true(peer_say(&f->b, &hello, sizeof(hello)));
    assert_int_equal(shutdown(f->b.socket, SHUT_RD), 0);
    turn(f);
    assert_int_equal(sessions(f), 1);
    assert_all_come(f);
}

/*
 * Killed while one session took the place of another. It is not known whether the client had its
 * WELCOME: only if it has handed something in, it has.
 */
static void killed_in_the_midst_of_a_succession_nothing_is_published_twice(void **state)
{
    for (int handed_in = 0; handed_in < 2; handed_in++) {
        struct message_hello hello = hello_of(0);
        struct fixture *f = *state;
        struct session *old = die_too_early(f);
        struct cursor before = *old->cursor, *cursor;

        memcpy(hello.epoch, &f->daemon.manager->state->file->epoch, sizeof(hello.epoch));
        hello.client = 0;
        assert_int_equal(say_hello(f, &f->b, &hello), 0);
        cursor = sessions_find(f->daemon.manager->sessions, f->b.welcome.session)->cursor;
        cursor->welcomed = false;
        cursor->takes_over = before.session;
        cursor->client = before.client;
        if (handed_in) {
            hand_in(&f->b, "b");
        }
        start_again(f);
        assert_int_equal(sessions(f), 1);
        assert_true(peer_is_dropped(&f->b));
        peer_leave(&f->b);
        if (!handed_in) {
            assert_all_come(f);
        }
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/* --- another source, another segment --- */

static void reload(struct fixture *f, const char *conf)
{
    assert_true(file_write(f->daemon.conf_path, conf, strlen(conf)));
    daemon_reload(f->daemon.manager);
}

static void another_source_comes_behind_what_was_handed_in(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    hand_in(&f->a, "first");
    reload(f, RING);
    turn(f);
    assert_string_equal(published(f, 1), "first");
    assert_string_equal(published(f, 2), "abcdefghijklmnopqrstuvwxyz");
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_int_equal(confirmed(&f->a), 1);
    assert_int_equal(sessions(f), 0);
}

static void fill(struct peer *publisher)
{
    queue_release(&publisher->writer, publisher->page->position);
    while (ring_has_room(&publisher->writer, 1)) {
        hand_in(publisher, "a");
    }
}

/* … and who goes on and on does not keep it away; nor does one whose connection has ended. */
static void who_hands_in_without_end_does_not_keep_another_source_away(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        struct fixture *f = *state;
        struct manager *manager = start(f, RING OVERWRITE PUSH);
        uint64_t now = 0;

        publishes(f, &f->a);
        publishes(f, &f->b);
        fill(&f->a);
        fill(&f->b);
        if (gone) {
            assert_int_equal(shutdown(f->a.socket, SHUT_RDWR), 0);
            assert_int_equal(shutdown(f->b.socket, SHUT_RDWR), 0);
            run_loop(manager->event);
        } else {
            reload(f, RING OVERWRITE);
        }
        for (int i = 0; i < 100; i++) {
            bool more = true;

            (void)manager_work(manager, &more, &now);
            fill(&f->a);
            fill(&f->b);
        }
        assert_int_equal(sessions(f), 0);
        assert_true(gone || strcmp(intake_source_type(manager), "alphabet") == 0);
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/* The entry of this event about a publisher. */
static size_t find_end(const char *event)
{
    for (size_t i = 0; mock_journal_wait(i + 1); i++) {
        const char *role = mock_journal_field(i, "SHMD_ROLE");

        if (role && strcmp(role, "publisher") == 0 &&
            strcmp(mock_journal_field(i, "SHMD_EVENT"), event) == 0) {
            return i;
        }
    }
    fail_msg("no publisher's session has ended");
    return 0;
}

/* … whatever is killed: the publisher, and each daemon on the way. */
static void another_source_of_the_next_daemon_comes_behind_it(void **state)
{
    struct fixture *f = *state;
    uint64_t all;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    stop(f);
    while (ring_has_room(&f->a.writer, 1000)) { /* more than the next segment holds */
        hand_in(&f->a, memset((char[1001]){0}, 'r', 1000));
    }
    all = f->a.writer.number - 1;
    peer_leave(&f->a);
    store_work(&f->store);
    assert_true(file_write(f->daemon.conf_path, SMALL, strlen(SMALL)));
    go_on(f);
    for (int i = 0; i < DEATHS && sessions(f) > 0; i++) {
        assert_string_equal(published(f, newest(f)), published(f, oldest(f)));
        assert_int_equal(daemon_subscribe(&f->daemon, &f->reader), 0);
        acknowledge(f, &f->reader, newest(f));
        peer_leave(&f->reader);
        start_again(f);
    }
    assert_int_equal(sessions(f), 0);
    assert_string_equal(published(f, newest(f)), "abcdefghijklmnopqrstuvwxyz");
    (void)daemon_logged("source-ended");
    assert_int_equal(mock_journal_number(find_end("session-ended"), "SHMD_RECORDS"), all);
    assert_int_equal(mock_journal_number(find_end("session-ended"), "SHMD_GIVEN_UP"), 0);
}

/* --- the account of what was handed in --- */

/* A publisher has handed in as much as its queue holds, which is more than the ring does. */
static uint64_t hand_in_too_much(struct fixture *f, const char *conf)
{
    struct message_hello hello = hello_of(0);

    (void)start(f, conf);
    assert_int_equal(say_hello(f, &f->a, &hello), 0);
    fill(&f->a);
    turn(f);
    assert_in_range(newest(f), 1, f->a.writer.number - 2);
    return f->a.writer.number - 1;
}

/* "handed in = published + rejected + given up, and what it hands in anew" */
static void assert_account(const char *event, const char *rest, uint64_t published, uint64_t all)
{
    size_t i = find_end(event);

    assert_int_equal(mock_journal_number(i, "SHMD_RECORDS"), published);
    assert_int_equal(mock_journal_number(i, "SHMD_REJECTED"), 0);
    assert_int_equal(mock_journal_number(i, "SHMD_GIVEN_UP") +
                         mock_journal_number(i, "SHMD_UNPUBLISHED"),
                     all - published);
    assert_int_equal(mock_journal_number(i, rest), all - published);
}

/* It has said all that it has to say, and stays to hear the rest. */
static void what_one_hands_in_that_shuts_down_its_side_is_published(void **state)
{
    struct fixture *f = *state;
    uint64_t all = hand_in_too_much(f, SMALL PUSH);

    assert_int_equal(shutdown(f->a.socket, SHUT_WR), 0);
    turn(f);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->reader), 0);
    while (newest(f) < all) {
        acknowledge(f, &f->reader, newest(f));
    }
    assert_int_equal(confirmed(&f->a), all);
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_account("session-ended", "SHMD_GIVEN_UP", all, all);
}

/* What it does not read is a REPORT: its WELCOME it has read, and it goes on. */
static void who_does_not_read_its_report_stays(void **state)
{
    struct message status = message_head(MESSAGE_STATUS, sizeof(status));
    struct fixture *f = *state;
    struct session *session;

    (void)hand_in_too_much(f, SMALL PUSH);
    session = f->daemon.manager->sessions->first;
    assert_true(peer_say(&f->a, &status, sizeof(status)));
    turn(f);
    while (session->deadline_source) {
        assert_true(sd_event_source_set_time(session->deadline_source, 1) >= 0);
        turn(f);
    }
    assert_true(session_publishes(session));
    assert_int_equal(f->a.page->state, PAGE_ACTIVE);
}

static void who_is_thrown_out_has_its_account(void **state)
{
    struct fixture *f = *state;
    uint64_t all = hand_in_too_much(f, SMALL PUSH), published = newest(f);

    assert_true(peer_say(&f->a, "nonsense", 8));
    turn(f);
    assert_int_equal(f->a.page->state, PAGE_EVICTED);
    assert_account("session-refused", "SHMD_GIVEN_UP", published, all);
}

static void a_stop_leaves_to_those_who_are_there_what_was_not_published(void **state)
{
    struct fixture *f = *state;
    uint64_t all = hand_in_too_much(f, SMALL PUSH), published = newest(f);

    daemon_stop(&f->daemon, false);
    assert_account("session-ended", "SHMD_UNPUBLISHED", published, all);
}

/* With the daemon, or a moment before; a service that stops keeps the segment, or does not. */
static void a_stop_gives_up_what_the_dead_have_handed_in(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct fixture *f = *state;
        uint64_t all = hand_in_too_much(f, i & 1 ? SMALL PUSH "keep = true;" : SMALL PUSH);
        uint64_t published = newest(f);

        peer_leave(&f->a);
        if (i & 2) {
            turn(f);
        }
        daemon_stop(&f->daemon, false);
        assert_account("session-ended", "SHMD_GIVEN_UP", published, all);
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/* Nothing was kept, and who had handed it in does not come back. */
static void what_the_next_daemon_does_not_find_is_given_up(void **state)
{
    for (int known = 0; known < 2; known++) {
        struct fixture *f = *state;
        uint64_t all = hand_in_too_much(f, SMALL PUSH "lease_ms = 10; "), published = newest(f);
        size_t i;

        stop(f);
        store_clear(&f->store);
        peer_leave(&f->a);
        go_on(f);
        if (!known) { /* the daemon before was killed */
            f->daemon.manager->sessions->first->cursor->left = 0;
            all = published;
        }
        while (sessions(f) > 0) {
            assert_true(sd_event_run(f->daemon.manager->event, PATIENCE_USEC) > 0);
        }
        assert_account("session-evicted", "SHMD_GIVEN_UP", published, all);
        i = find_end("session-evicted");
        assert_true(known == !strstr(mock_journal_field(i, "MESSAGE"), "besides is lost"));
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

/* … or it does, and hands in the rest anew. */
static void what_is_handed_in_anew_is_not_given_up(void **state)
{
    for (int kept = 0; kept < 2; kept++) {
        struct message_hello hello = hello_of(0);
        struct fixture *f = *state;
        uint64_t all = hand_in_too_much(f, SMALL PUSH), published = newest(f);

        stop(f);
        if (!kept) {
            store_clear(&f->store);
        }
        go_on(f);
        hello.after = published;
        memcpy(hello.epoch, &f->daemon.manager->state->file->epoch, sizeof(hello.epoch));
        assert_int_equal(say_hello(f, &f->b, &hello), 0);
        assert_int_equal(f->b.welcome.first, published + 1);
        assert_account("session-ended", "SHMD_UNPUBLISHED", published, all);
        (void)tear_down(state);
        (void)set_up_with_store(state);
    }
    (void)start(*state, RING);
}

static void another_key_has_publishers_connect_again(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    reload(f, RING PUSH "key = 77; ");
    turn(f);
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_true(peer_is_dropped(&f->a));
}

static void another_size_has_publishers_connect_again(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING PUSH);
    publishes(f, &f->a);
    hand_in(&f->a, "first");
    reload(f, SMALL PUSH);
    turn(f);
    assert_int_equal(newest(f), 1);
    assert_int_equal(f->a.page->state, PAGE_CLOSING);
    assert_int_equal(confirmed(&f->a), 1);
    assert_true(peer_is_dropped(&f->a));
}

TEST_GROUP("test-publishers")
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_store, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_may_not_publish_is_refused),
        TEST(another_user_is_refused_unless_it_is_allowed),
        TEST(the_welcome_says_what_fits),
        TEST(what_is_handed_in_is_published_and_confirmed),
        TEST(what_one_that_goes_has_handed_in_is_published),
        TEST(publishers_have_their_turns),
        TEST(nothing_is_taken_for_which_there_is_no_room),
        TEST(what_cannot_lie_there_is_rejected_and_the_rest_goes_on),
        TEST(what_does_not_fit_any_more_is_rejected),
        TEST(who_breaks_its_queue_is_thrown_out),
        TEST(who_is_taken_to_have_left_may_come_again),
        TEST(who_only_wraps_is_thrown_out),
        TEST(a_publisher_that_was_kept_goes_on),
        TEST(a_publisher_that_comes_back_goes_on),
        TEST(what_is_handed_in_meanwhile_is_published),
        TEST(what_the_dead_leave_to_the_next_daemon_is_published),
        TEST(records_that_were_published_are_not_published_again),
        TEST(what_several_hand_in_at_once_is_each_ones_own),
        TEST(who_is_new_takes_nothing_over),
        TEST(another_process_with_its_pid_takes_nothing_over),
        TEST(where_processes_have_no_number_what_is_left_comes_first),
        TEST(who_comes_back_hands_in_the_rest_anew),
        TEST(who_is_not_welcomed_takes_nothing_over),
        TEST(killed_in_the_midst_of_a_succession_nothing_is_published_twice),
        TEST(another_source_comes_behind_what_was_handed_in),
        TEST(who_hands_in_without_end_does_not_keep_another_source_away),
        TEST(another_source_of_the_next_daemon_comes_behind_it),
        TEST(what_one_hands_in_that_shuts_down_its_side_is_published),
        TEST(who_does_not_read_its_report_stays),
        TEST(who_is_thrown_out_has_its_account),
        TEST(a_stop_leaves_to_those_who_are_there_what_was_not_published),
        TEST(a_stop_gives_up_what_the_dead_have_handed_in),
        TEST(what_the_next_daemon_does_not_find_is_given_up),
        TEST(what_is_handed_in_anew_is_not_given_up),
        TEST(another_key_has_publishers_connect_again),
        TEST(another_size_has_publishers_connect_again),
    };
#undef TEST

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, store_set_up, store_tear_down);
}
