/* SPDX-License-Identifier: MIT
 *
 * The socket, and who comes through it: what is a message and what ends a session, who may and how
 * many. The owner of the sessions is played by the test, which writes down what it is told.
 */
#include "daemon/sessions.h"

#include "base/clock.h"
#include "daemon/listen.h"
#include "daemon/parting.h"
#include "holdup.h"
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

#define REPORT "{\"a\":1}"
#define ALICE  ((uid_t)4000000001)
#define BOB    ((uid_t)4000000002)
#define STAFF  ((gid_t)4000000003)

struct fixture {
    sd_event *event;
    char *directory;
    char path[100];
    struct sessions *sessions;
    struct sessions_limits limits;
    struct access *allowed;
    uint32_t last_id;
    int hello_error;

    size_t joined, left, ended;
    enum session_reason reason; /* of the last end */
    int error;
    bool subscribed;
    char name[ACK_NAME_SIZE];
};

static int on_hello(void *userdata, struct session *session, const struct message_hello *hello,
                    struct message_welcome *welcome)
{
    struct fixture *f = userdata;

    (void)hello;
    session->first = 42;
    welcome->key = 5678;
    return f->hello_error;
}

static void on_joined(void *userdata, struct session *session)
{
    struct fixture *f = userdata;

    f->joined++;
    memcpy(f->name, session->identity.name, sizeof(f->name));
}

static void on_leaving(void *userdata, struct session *session)
{
    struct fixture *f = userdata;

    f->left++;
    f->subscribed = session_subscribes(session);
}

static void on_ended(void *userdata, struct session *session, enum session_reason reason, int error)
{
    struct fixture *f = userdata;

    f->ended++;
    f->reason = reason;
    f->error = error;
    f->subscribed = session_subscribes(session);
}

static char *on_report(void *userdata, const struct session *session)
{
    (void)userdata;
    (void)session;
    return strdup(REPORT);
}

static void allow(struct fixture *f, const char *list)
{
    const char *name;
    size_t length;

    free(f->allowed);
    assert_int_equal(access_resolve(list, &f->allowed, &name, &length), 0);
    f->limits.subscribers = f->allowed;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sessions_hooks hooks = {on_hello, on_joined, on_leaving, on_ended, on_report, f};
    int fd;

    *state = f;
    f->limits = (struct sessions_limits){.sessions = 10, .sessions_per_user = 5};
    allow(f, "*");
    f->directory = private_directory_new();
    (void)chmod(f->directory, 0755);
    (void)snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
    if (sd_event_new(&f->event) < 0 || listen_open(f->path, &fd) < 0 ||
        sessions_new(f->event, fd, NULL, &hooks, &f->last_id, &f->sessions) < 0) {
        return -1;
    }
    sessions_configure(f->sessions, &f->limits);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)sessions_free(f->sessions);
    (void)sd_event_unref(f->event);
    (void)private_directory_free(f->directory);
    free(f->allowed);
    free(f);
    return 0;
}

static void connect_peer(struct fixture *f, struct peer *peer)
{
    assert_true(peer_connect(peer, f->path));
    run_loop(f->event);
}

static void need_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

static void connect_as(struct fixture *f, struct peer *peer, uid_t uid)
{
    assert_true(peer_connect_as(peer, f->path, uid, uid, NULL, 0));
    run_loop(f->event);
}

static int subscribe(struct fixture *f, struct peer *peer)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

    return peer_subscribe(peer, f->event, &hello);
}

/* --- the handshake --- */

static void a_subscriber_is_welcome(void **state)
{
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    assert_int_equal(f->joined, 1);
    assert_string_equal(f->name, "peer");
    assert_int_equal(peer.welcome.first, 42);
    assert_int_equal(peer.welcome.key, 5678);
    assert_int_equal(peer.page->acknowledged, 41);
    assert_int_equal(peer.page->state, PAGE_ACTIVE);
    assert_int_equal(sessions_count(f->sessions, MESSAGE_SUBSCRIBER), 1);
    assert_int_equal(f->sessions->first->identity.pid, getpid());
    peer_leave(&peer);
    run_loop(f->event);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->reason, SESSION_LEFT);
    assert_int_equal(f->sessions->count, 0);
}

static void a_name_is_printable_and_has_an_end(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peer;

    memset(hello.name, 'x', sizeof(hello.name));
    memcpy(hello.name, "a b\n\x1b[1m\x7f\xff\"\\", 12);
    connect_peer(f, &peer);
    assert_int_equal(peer_subscribe(&peer, f->event, &hello), 0);
    assert_string_equal(f->name, "a_b__[1m__\"\\xxxxxxxxxxxxxxxxxxx");
    peer_leave(&peer);
}

static void who_asks_is_told_as_often_as_he_likes(void **state)
{
    struct message question = message_head(MESSAGE_STATUS, sizeof(question));
    struct fixture *f = *state;
    struct peer peer;
    char answer[100];

    connect_peer(f, &peer);
    for (int i = 0; i < 3; i++) {
        assert_true(peer_say(&peer, &question, sizeof(question)));
        run_loop(f->event);
        assert_int_equal(peer_hear(&peer, answer, sizeof(answer)),
                         sizeof(question) + strlen(REPORT));
        assert_true(message_is(answer, sizeof(question) + strlen(REPORT), MESSAGE_REPORT,
                               sizeof(question) + strlen(REPORT)));
        assert_memory_equal(answer + sizeof(question), REPORT, strlen(REPORT));
    }
    assert_int_equal(subscribe(f, &peer), 0); /* and may still subscribe */
    assert_true(peer_say(&peer, &question, sizeof(question)));
    run_loop(f->event);
    assert_true(peer_hear(&peer, answer, sizeof(answer)) > 0);
    peer_leave(&peer);
}

/* Nobody who asks and does not listen is waited for. */
static void who_does_not_listen_is_dropped(void **state)
{
    struct message question = message_head(MESSAGE_STATUS, sizeof(question));
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    for (int i = 0; i < 100000 && f->ended == 0; i++) {
        (void)peer_say(&peer, &question, sizeof(question));
        run_loop(f->event);
    }
    assert_int_equal(f->ended, 1);
    peer_leave(&peer);
}

static void run_until_one_ended(struct fixture *f)
{
    for (uint64_t end = clock_usec() + PATIENCE_USEC; f->ended == 0 && clock_usec() < end;) {
        (void)sd_event_run(f->event, 100 * USEC_PER_MSEC);
    }
    assert_int_equal(f->ended, 1);
}

static void who_says_nothing_is_dropped_in_time(void **state)
{
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    run_until_one_ended(f);
    assert_int_equal(f->reason, SESSION_SILENT);
    assert_true(peer_is_dropped(&peer));
    peer_leave(&peer);
}

/* Says HELLO, and reads nothing. */
static void say_hello_deaf(struct fixture *f, struct peer *peer)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

    assert_true(peer_say(peer, &hello, sizeof(hello)));
    run_loop(f->event);
}

/* … and goes on to count for its user, until it has read what there is, or hung up. */
static void who_does_not_read_its_welcome_is_sent_away_in_time(void **state)
{
    struct fixture *f = *state;
    struct peer peer, gone;

    connect_peer(f, &peer);
    say_hello_deaf(f, &peer);
    connect_peer(f, &gone);
    say_hello_deaf(f, &gone);
    assert_int_equal(f->joined, 2);
    while (f->left < 2) {
        assert_true(sd_event_run(f->event, PATIENCE_USEC) > 0);
    }
    assert_int_equal(f->ended, 0);
    assert_int_equal(parting_count(f->sessions, geteuid(), false), 2);
    peer_leave(&gone);
    run_loop(f->event);
    assert_int_equal(parting_count(f->sessions, geteuid(), false), 1);
    assert_int_equal(peer_welcomed(&peer), 0);
    run_loop(f->event);
    assert_int_equal(peer.page->state, PAGE_CLOSING);
    assert_true(peer_is_dropped(&peer));
    assert_int_equal(parting_count(f->sessions, geteuid(), false), 0);
    peer_leave(&peer);
}

/* The kernel counts as ours the descriptors that somebody leaves unread, for all who have our uid.
 */
static void a_user_leaves_no_more_unread_than_it_may_have_sessions(void **state)
{
    struct fixture *f = *state;
    struct peer peers[40];

    need_root();
    for (size_t i = 0; i < 40; i++) {
        connect_as(f, &peers[i], ALICE);
        for (int twice = 0; twice < 2; twice++) {
            struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);

            (void)peer_say(&peers[i], &hello, sizeof(hello)); /* the second one ends it */
            run_loop(f->event);
        }
    }
    assert_in_range(f->joined, 0, f->limits.sessions_per_user);
    assert_in_range(parting_count(f->sessions, ALICE, false), 1, f->limits.sessions_per_user);
    assert_in_range(parting_count(f->sessions, ALICE, true), 1, 40);
    for (size_t i = 0; i < 40; i++) {
        peer_leave(&peers[i]);
    }
    run_loop(f->event);
    assert_int_equal(parting_count(f->sessions, ALICE, false), 0);
    assert_int_equal(parting_count(f->sessions, ALICE, true), 0);
}

/* Nor more bytes of reports, on however many connections. */
static void unread_reports_are_bounded(void **state)
{
    struct message question = message_head(MESSAGE_STATUS, sizeof(question));
    struct fixture *f = *state;
    struct peer peers[20];

    f->limits.sessions = f->limits.sessions_per_user = 20;
    sessions_configure(f->sessions, &f->limits);
    for (size_t i = 0; i < 20; i++) {
        connect_peer(f, &peers[i]);
        for (int j = 0; j < 1000 && peer_say(&peers[i], &question, sizeof(question)); j++) {
            run_loop(f->event);
        }
    }
    assert_in_range(parting_unread(f->sessions, geteuid()), 1,
                    SESSIONS_UNREAD_MAX + 4096 /* of the last one */);
    for (size_t i = 0; i < 20; i++) {
        peer_leave(&peers[i]);
    }
}

/* Until what is left of sessions that have ended is done with. */
static void run_until_parted(struct fixture *f)
{
    while (f->sessions->partings) {
        assert_true(sd_event_run(f->event, PATIENCE_USEC) > 0);
    }
}

/* Whoever holds the page of a session that it has left, holds no memory of ours. */
static void the_page_of_who_has_left_is_emptied(void **state)
{
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    assert_null(f->sessions->first->groups); /* there may be many */
    peer.page->client_sleeps = 1;
    assert_int_equal(close(peer.socket), 0);
    peer.socket = -1;
    run_loop(f->event);
    assert_int_equal(f->ended, 1);
    run_until_parted(f);
    assert_int_equal(peer.page->client_sleeps, 0);
    peer_leave(&peer);
}

/* Whom we have ended finds out why, while no more of its user's were ended than it may have. */
static void the_oldest_page_of_those_we_ended_is_emptied(void **state)
{
    struct fixture *f = *state;
    struct peer peers[3];

    f->limits.sessions = f->limits.sessions_per_user = 2;
    sessions_configure(f->sessions, &f->limits);
    for (unsigned i = 0; i < 3; i++) {
        connect_peer(f, &peers[i]);
        assert_int_equal(subscribe(f, &peers[i]), 0);
        assert_true(peer_say(&peers[i], "nonsense", 8));
        run_loop(f->event);
        assert_int_equal(f->ended, i + 1);
        run_until_parted(f);
        assert_int_equal(peers[0].page->state, i < 2 ? PAGE_EVICTED : PAGE_ACTIVE);
        assert_int_equal(peers[i].page->state, PAGE_EVICTED);
    }
    assert_int_equal(peers[1].page->state, PAGE_EVICTED);
    for (size_t i = 0; i < 3; i++) {
        peer_leave(&peers[i]);
    }
}

/* Who has left before it could be welcome, costs nothing more. */
static void who_is_gone_is_not_welcomed(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    assert_true(peer_say(&peer, &hello, sizeof(hello)));
    peer_leave(&peer);
    run_loop(f->event);
    assert_int_equal(f->joined, 0);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->reason, SESSION_LEFT);
}

/* The deadline is for HELLO: a subscriber need never say anything again. Who came later is dropped.
 */
static void a_subscriber_may_be_silent(void **state)
{
    struct fixture *f = *state;
    struct peer peer, silent;

    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    connect_peer(f, &silent);
    run_until_one_ended(f);
    run_loop(f->event);
    assert_int_equal(f->ended, 1);
    assert_true(peer_is_dropped(&silent));
    assert_false(peer_is_dropped(&peer));
    peer_leave(&silent);
    peer_leave(&peer);
}

/* It is the daemon that is late: it was stopped, or others had the processor. */
static void who_said_it_in_time_is_not_dropped_when_we_are_late(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct message question = message_head(MESSAGE_STATUS, sizeof(question));
    struct fixture *f = *state;
    struct peer peers[6];

    for (size_t i = 0; i < 6; i++) {
        connect_peer(f, &peers[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_true(peer_say(&peers[i], &hello, sizeof(hello)));
    }
    assert_true(peer_say(&peers[4], &question, sizeof(question)));
    (void)usleep(SESSION_HELLO_USEC + USEC_PER_SEC / 10);
    run_loop(f->event);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(peer_welcomed(&peers[i]), 0);
    }
    assert_int_equal(f->joined, 4);
    assert_true(peer_hear(&peers[4], (char[1024]){0}, 1024) > 0); /* and is then sent away */
    assert_true(peer_is_dropped(&peers[4]));
    assert_true(peer_is_dropped(&peers[5]));
    assert_int_equal(f->ended, 2);
    for (size_t i = 0; i < 6; i++) {
        peer_leave(&peers[i]);
    }
}

/* --- what ends a session --- */

static void assert_ends(struct fixture *f, const void *bytes, size_t length)
{
    size_t before = f->ended;
    struct peer peer;

    connect_peer(f, &peer);
    assert_true(peer_say(&peer, bytes, length));
    run_loop(f->event);
    assert_int_equal(f->ended, before + 1);
    assert_int_equal(f->reason, SESSION_MALFORMED);
    assert_true(peer_is_dropped(&peer));
    peer_leave(&peer);
}

static void messages_that_are_none_end_it(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    char longer[2 * sizeof(hello)] = {0};
    struct fixture *f = *state;

    memcpy(longer, &hello, sizeof(hello));
    assert_ends(f, "", 0);
    assert_ends(f, "x", 1);
    assert_ends(f, &hello, sizeof(struct message));
    assert_ends(f, &hello, sizeof(hello) - 1);
    assert_ends(f, longer, sizeof(hello) + 1);
    assert_ends(f, longer, sizeof(longer));
    hello.head.version = 99;
    assert_ends(f, &hello, sizeof(hello));
    hello = peer_hello(MESSAGE_START_OLDEST);
    hello.head.type = MESSAGE_WELCOME;
    assert_ends(f, &hello, sizeof(hello));
    hello.head.type = 0xffff;
    assert_ends(f, &hello, sizeof(hello));
}

static void descriptors_end_it(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peer;
    int before, after;

    connect_peer(f, &peer);
    holdup_permit(f->sessions->first->socket);
    before = open("/dev/null", O_RDONLY);
    assert_true(holdup_send(peer.socket, &hello, sizeof(hello), before));
    run_loop(f->event);
    assert_int_equal(f->reason, SESSION_MALFORMED);
    assert_int_equal(f->joined, 0);
    peer_leave(&peer);
    run_until_parted(f);
    after = open("/dev/null", O_RDONLY);
    assert_in_range(after, 0, before); /* none was kept */
    (void)close(after);
}

/* Since Linux 6.16 the kernel refuses them at the sender's, from its connect() on. */
static void descriptors_are_not_sent(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peer;
    int refuses;
    socklen_t length = sizeof(refuses);

    assert_true(peer_connect(&peer, f->path));
    if (getsockopt(peer.socket, SOL_SOCKET, SO_PASSRIGHTS, &refuses, &length) < 0) {
        peer_leave(&peer);
        SKIP("this kernel does not refuse descriptors");
    }
    for (int twice = 0; twice < 2; twice++) {
        assert_false(holdup_send(peer.socket, &hello, sizeof(hello), open("/dev/null", O_RDONLY)));
        assert_int_equal(errno, EPERM);
        run_loop(f->event);
    }
    assert_int_equal(f->ended, 0);
    peer_leave(&peer);
}

/* --- who holds others up --- */

/* Says something, with a socket that lingers. */
static void hold_up(const struct peer *peer, const void *bytes, size_t length)
{
    int fd = lingering_socket();

    if (fd < 0) {
        SKIP("there is no loopback network");
    }
    assert_true(holdup_send(peer->socket, bytes, length, fd));
}

/* Somebody else is served meanwhile, and when they have gone, nothing is left of any of them. */
static void assert_nobody_is_held_up(struct fixture *f, struct peer *peers, size_t count)
{
    struct peer other;

    connect_peer(f, &other);
    assert_int_equal(subscribe(f, &other), 0);
    peer_leave(&other);
    for (size_t i = 0; i < count; i++) {
        peer_leave(&peers[i]);
    }
    run_until_parted(f);
    assert_true(holdup_passed());
}

/* It comes with a HELLO, and behind one; to who has a session, and to who has not. */
static void a_descriptor_that_lingers_holds_nobody_up(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peers[3];

    holdup_watch(0);
    holdup_permit(f->sessions->listen_fd); /* it is as before Linux 6.16 */
    for (size_t i = 0; i < 3; i++) {
        assert_true(peer_connect(&peers[i], f->path));
    }
    hold_up(&peers[0], &hello, sizeof(hello));
    assert_true(peer_say(&peers[1], &hello, sizeof(hello)));
    assert_true(peer_say(&peers[1], "", 0));
    hold_up(&peers[1], &hello, sizeof(hello));
    hold_up(&peers[2], "", 0);
    peers[2].socket = fd_close(peers[2].socket);
    run_loop(f->event);
    assert_int_equal(f->ended, 3);
    assert_nobody_is_held_up(f, peers, 3);
}

/* It lies there unread when its client is refused, and when the daemon ends. */
static void a_descriptor_that_is_never_received_holds_nobody_up(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer refused, waiting;

    holdup_watch(0);
    holdup_permit(f->sessions->listen_fd);
    f->hello_error = -EACCES;
    assert_true(peer_connect(&refused, f->path));
    assert_true(peer_say(&refused, &hello, sizeof(hello)));
    hold_up(&refused, &hello, sizeof(hello));
    run_loop(f->event);
    assert_int_equal(f->reason, SESSION_REFUSED);
    assert_int_equal(peer_welcomed(&refused), -EACCES);
    run_until_parted(f);
    assert_true(peer_connect(&waiting, f->path));
    hold_up(&waiting, &hello, sizeof(hello));
    sessions_stop_listening(f->sessions);
    run_until_parted(f);
    assert_true(peer_is_dropped(&waiting));
    assert_true(holdup_passed());
    peer_leave(&refused);
    peer_leave(&waiting);
}

/* It reads its doorbell into memory that does not come, and writes to its page from there. */
static void memory_that_does_not_come_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    pid_t reader, writer;
    struct peer peer;

    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    session_wake(f->sessions->first);
    reader = holdup_process(peer.fds[1], false);
    if (reader < 0) {
        peer_leave(&peer);
        SKIP("there is no memory to be had that does not come");
    }
    holdup_watch(reader);
    session_wake(f->sessions->first);
    assert_true(holdup_passed());
    writer = holdup_process(peer.fds[0], true);
    holdup_watch(writer);
    assert_int_equal(shutdown(peer.socket, SHUT_RDWR), 0);
    run_loop(f->event);
    assert_int_equal(f->ended, 1);
    assert_non_null(f->sessions->partings);
    holdup_end(reader);
    holdup_end(writer);
    assert_nobody_is_held_up(f, &peer, 1);
}

/* After 2^32 of them: 0 is no number, and those that are in use are nobody else's. */
static void numbers_of_sessions_that_are_in_use_are_not_given_again(void **state)
{
    struct fixture *f = *state;
    struct peer peers[4];

    for (size_t i = 0; i < 4; i++) {
        f->last_id = i == 2 ? UINT32_MAX - 1 : f->last_id;
        connect_peer(f, &peers[i]);
        assert_int_equal(subscribe(f, &peers[i]), 0);
    }
    assert_int_equal(peers[2].welcome.session, UINT32_MAX);
    assert_int_equal(peers[3].welcome.session, 3);
    for (size_t i = 0; i < 4; i++) {
        peer_leave(&peers[i]);
    }
}

static void a_second_hello_ends_it(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    assert_true(peer_say(&peer, &hello, sizeof(hello)));
    run_loop(f->event);
    assert_int_equal(f->ended, 1);
    assert_int_equal(f->reason, SESSION_MALFORMED);
    assert_int_equal(peer.page->state, PAGE_EVICTED);
    assert_true(peer_is_dropped(&peer));
    peer_leave(&peer);
}

static void half_a_hangup_ends_it(void **state)
{
    struct fixture *f = *state;
    struct peer peer;

    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    (void)shutdown(peer.socket, SHUT_WR);
    run_loop(f->event);
    assert_int_equal(f->ended, 1);
    peer_leave(&peer);
}

static void an_impossible_wish_is_refused(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer peer;

    hello.role = 99;
    connect_peer(f, &peer);
    assert_int_equal(peer_subscribe(&peer, f->event, &hello), -EPROTO);
    peer_leave(&peer);
    hello = peer_hello((enum message_start)99);
    connect_peer(f, &peer);
    assert_int_equal(peer_subscribe(&peer, f->event, &hello), -EPROTO);
    assert_int_equal(f->reason, SESSION_REFUSED);
    assert_int_equal(f->error, -EPROTO);
    assert_int_equal(f->joined, 0);
    peer_leave(&peer);
}

static void the_owner_may_refuse(void **state)
{
    struct fixture *f = *state;
    struct peer peer;

    f->hello_error = -ENOMEM;
    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), -ENOMEM);
    assert_true(peer_is_dropped(&peer));
    assert_int_equal(f->sessions->count, 0);
    peer_leave(&peer);
}

static void each_subscriber_is_told_of_the_end(void **state)
{
    struct fixture *f = *state;
    struct peer peers[3], silent;

    for (size_t i = 0; i < 3; i++) {
        connect_peer(f, &peers[i]);
        assert_int_equal(subscribe(f, &peers[i]), 0);
    }
    connect_peer(f, &silent);
    sessions_drop_all(f->sessions, PAGE_SUPERSEDED);
    assert_int_equal(f->ended, 4);
    assert_int_equal(f->reason, SESSION_CLOSED);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(peers[i].page->state, PAGE_SUPERSEDED);
        assert_true(peer_is_dropped(&peers[i]));
        peer_leave(&peers[i]);
    }
    peer_leave(&silent);
}

/* --- who may, and how many --- */

static void the_list_decides(void **state)
{
    static const gid_t groups[] = {12345, STAFF};
    struct fixture *f = *state;
    struct peer peer;

    need_root();
    allow(f, "4000000001 @4000000003");
    sessions_configure(f->sessions, &f->limits);
    connect_as(f, &peer, ALICE);
    assert_int_equal(subscribe(f, &peer), 0);
    assert_int_equal(f->sessions->first->identity.uid, ALICE);
    peer_leave(&peer);
    connect_as(f, &peer, BOB);
    assert_int_equal(subscribe(f, &peer), -EPERM);
    assert_int_equal(f->reason, SESSION_REFUSED);
    assert_true(peer_is_dropped(&peer));
    peer_leave(&peer);
    assert_true(peer_connect_as(&peer, f->path, BOB, BOB, groups, 2));
    run_loop(f->event);
    assert_int_equal(subscribe(f, &peer), 0);
    peer_leave(&peer);
    connect_peer(f, &peer); /* root always may */
    assert_int_equal(subscribe(f, &peer), 0);
    peer_leave(&peer);
}

/* A process is in its own group, too, whether or not that is among the others. */
static void the_first_group_counts(void **state)
{
    struct fixture *f = *state;
    struct peer peer;

    need_root();
    allow(f, "@4000000003");
    sessions_configure(f->sessions, &f->limits);
    assert_true(peer_connect_as(&peer, f->path, BOB, STAFF, NULL, 0));
    run_loop(f->event);
    assert_int_equal(subscribe(f, &peer), 0);
    peer_leave(&peer);
}

static void who_is_in_many_groups_is_in_each_of_them(void **state)
{
    struct fixture *f = *state;
    struct peer peer;
    gid_t groups[1000];

    need_root();
    allow(f, "@4000000003");
    sessions_configure(f->sessions, &f->limits);
    for (size_t i = 0; i < 1000; i++) {
        groups[i] = (gid_t)(10000 + i);
    }
    groups[999] = STAFF;
    assert_true(peer_connect_as(&peer, f->path, BOB, BOB, groups, 1000));
    run_loop(f->event);
    assert_int_equal(subscribe(f, &peer), 0);
    peer_leave(&peer);
}

static void a_user_has_his_share(void **state)
{
    struct fixture *f = *state;
    struct peer peers[6], bob;

    need_root();
    for (size_t i = 0; i < 6; i++) {
        connect_as(f, &peers[i], ALICE);
        assert_int_equal(peer_welcomed(&peers[i]), i < 5 ? -EAGAIN : -EUSERS);
    }
    assert_int_equal(f->sessions->count, 5);
    assert_int_equal(f->reason, SESSION_REFUSED);
    assert_int_equal(f->error, -EUSERS);
    connect_as(f, &bob, BOB);
    assert_int_equal(subscribe(f, &bob), 0); /* nobody is kept out by that */
    peer_leave(&peers[0]);
    run_loop(f->event);
    connect_as(f, &peers[0], ALICE); /* there is room again */
    assert_int_equal(subscribe(f, &peers[0]), 0);
    for (size_t i = 0; i < 6; i++) {
        peer_leave(&peers[i]);
    }
    peer_leave(&bob);
}

static void there_is_a_limit_in_all(void **state)
{
    struct fixture *f = *state;
    struct peer peers[11];

    f->limits.sessions_per_user = 10;
    sessions_configure(f->sessions, &f->limits);
    for (size_t i = 0; i < 11; i++) {
        connect_peer(f, &peers[i]);
        assert_int_equal(subscribe(f, &peers[i]), i < 10 ? 0 : -EUSERS);
    }
    assert_int_equal(f->sessions->count, 10);
    for (size_t i = 0; i < 11; i++) {
        peer_leave(&peers[i]);
    }
}

/* Whoever has many uids takes many places, but not those of who has none, nor the last ones. */
static void some_places_are_for_newcomers_and_some_for_root(void **state)
{
    struct fixture *f = *state;
    struct peer peers[64];
    size_t alice = 0, others = 0;

    need_root();
    f->limits.sessions = f->limits.sessions_per_user = 64;
    sessions_configure(f->sessions, &f->limits);
    do {
        connect_as(f, &peers[alice], ALICE);
    } while (subscribe(f, &peers[alice++]) == 0);
    assert_int_equal(alice - 1, 64 - 4 - 2);
    peer_leave(&peers[--alice]);
    do {
        connect_as(f, &peers[alice + others], (uid_t)(BOB + others));
    } while (subscribe(f, &peers[alice + others++]) == 0);
    assert_int_equal(others - 1, 4);
    peer_leave(&peers[alice + --others]);
    for (size_t i = alice + others; i < 64; i++) {
        connect_peer(f, &peers[i]);
        assert_int_equal(subscribe(f, &peers[i]), 0);
    }
    for (size_t i = 0; i < 64; i++) {
        peer_leave(&peers[i]);
    }
}

/* So many connections of one user, who says nothing and reads nothing. */
static void crowd(struct fixture *f, struct peer *peers, size_t count, uid_t uid)
{
    for (size_t i = 0; i < count; i++) {
        connect_as(f, &peers[i], uid);
    }
}

/* Who is refused, and does not read it, takes no place from others. */
static void the_refused_take_no_places(void **state)
{
    struct fixture *f = *state;
    struct peer alice[64], bob[64], root;

    need_root();
    f->limits.sessions = 64;
    f->limits.sessions_per_user = 32;
    sessions_configure(f->sessions, &f->limits);
    crowd(f, alice, 64, ALICE);
    crowd(f, bob, 26, BOB);
    assert_in_range(parting_count(f->sessions, ALICE, true), 1, 16);
    connect_peer(f, &root);
    assert_int_equal(subscribe(f, &root), 0);
    peer_leave(&root);
    for (size_t i = 0; i < 64; i++) {
        peer_leave(&alice[i]);
        if (i < 26) {
            peer_leave(&bob[i]);
        }
    }
}

/*
 * Where all places are taken, the oldest one goes that says nothing: of who comes, or of who has
 * more. If that is not enough, none goes.
 */
static void the_silent_make_room_for_who_has_less(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;
    struct peer bob[4], alice[60];
    uint64_t began = clock_usec();

    need_root();
    f->limits.sessions = f->limits.sessions_per_user = 64;
    sessions_configure(f->sessions, &f->limits);
    crowd(f, bob, 2, BOB);
    crowd(f, alice, 60, ALICE); /* there are 58 places for them, but for newcomers */
    INCONCLUSIVE_AFTER(began, SESSION_HELLO_USEC);
    for (size_t i = 0; i < 60; i++) {
        assert_true(peer_is_dropped(&alice[i]) == (i < 4)); /* her own, not his older ones */
    }
    for (size_t i = 0; i < 2; i++) {
        assert_false(peer_is_dropped(&bob[i]));
        assert_int_equal(subscribe(f, &bob[i]), 0);
    }
    connect_as(f, &bob[2], BOB);
    assert_int_equal(subscribe(f, &bob[2]), 0);
    INCONCLUSIVE_AFTER(began, SESSION_HELLO_USEC);
    assert_true(peer_is_dropped(&alice[4])); /* hers, who has more */
    f->ended = 0;
    for (size_t i = 5; i < 60; i++) {
        assert_true(peer_say(&alice[i], &hello, sizeof(hello)));
    }
    connect_as(f, &bob[3], BOB);
    assert_int_equal(peer_welcomed(&bob[3]), -EUSERS);
    assert_int_equal(f->ended, 1); /* but for bob, nobody: they had said something */
    for (size_t i = 0; i < 60; i++) {
        peer_leave(&alice[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        peer_leave(&bob[i]);
    }
}

/* Without a descriptor left, whoever comes is turned away, and the loop has nothing to do. */
static void without_descriptors_nobody_waits_for_ever(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, none;
    struct peer peers[3];

    for (size_t i = 0; i < 3; i++) {
        assert_true(peer_connect(&peers[i], f->path));
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)peers[2].socket + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_loop(f->event);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(peer_is_dropped(&peers[i]));
        peer_leave(&peers[i]);
    }
    assert_int_equal(f->sessions->count, 0);
    assert_true(f->sessions->reserve_fd >= 0);
    connect_peer(f, &peers[0]);
    assert_int_equal(subscribe(f, &peers[0]), 0);
    peer_leave(&peers[0]);
}

/* The descriptors end while a subscriber is being made. */
static void without_descriptors_for_a_session_it_is_refused(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, few;
    struct peer peer;

    for (rlim_t more = 1; more <= 4; more++) { /* page, two bells */
        int r;

        connect_peer(f, &peer);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        few = old;
        few.rlim_cur = (rlim_t)f->sessions->first->socket + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        r = subscribe(f, &peer);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_true(r == -EMFILE || r == -EPROTO);
        peer_leave(&peer);
        run_loop(f->event);
        assert_int_equal(f->sessions->count, 0);
    }
}

/* --- the socket --- */

static void a_socket_that_is_served_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct peer peer;
    int fd;

    assert_int_equal(listen_open(f->path, &fd), -EADDRINUSE);
    run_loop(f->event);
    connect_peer(f, &peer);
    assert_int_equal(subscribe(f, &peer), 0);
    peer_leave(&peer);
}

static void on_alarm(int number)
{
    (void)number;
}

/* Its daemon hangs, and nobody more can wait for it. */
static void a_socket_that_is_served_badly_does_not_hold_us_up(void **state)
{
    struct fixture *f = *state;
    struct sigaction interrupt = {.sa_handler = on_alarm}, old;
    struct peer peers[200];
    size_t count = 0;
    int fd;

    while (count < 200 && peer_connect(&peers[count], f->path)) {
        count++;
    }
    assert_true(count < 200);
    (void)fd_close(peers[count].socket);
    (void)sigaction(SIGALRM, &interrupt, &old); /* what would hang is interrupted */
    (void)alarm(PATIENCE_SEC);
    assert_int_equal(listen_open(f->path, &fd), -EADDRINUSE);
    (void)sigaction(SIGALRM, &old, NULL);
    (void)alarm(PRIVATE_SECONDS);
    while (count > 0) {
        peer_leave(&peers[--count]);
    }
}

static void a_socket_that_a_dead_daemon_left_is_replaced(void **state)
{
    struct fixture *f = *state;
    int fd = -1;

    f->sessions = sessions_free(f->sessions);
    assert_int_equal(listen_open(f->path, &fd), 0);
    (void)close(fd);
}

/* --socket names a file by mistake. */
static void what_is_no_socket_is_not_removed(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = NULL;
    int fd;

    assert_true(asprintf(&path, "%s/precious", f->directory) > 0);
    assert_true(file_write(path, "data", 4));
    assert_true(listen_open(path, &fd) < 0);
    assert_int_equal(access(path, R_OK), 0);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    char path[200];
    int fd;

    (void)state;
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listen_open(path, &fd), -ENAMETOOLONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-sessions")
{
    const struct CMUnitTest tests[] = {
        TEST(a_subscriber_is_welcome),
        TEST(a_name_is_printable_and_has_an_end),
        TEST(who_asks_is_told_as_often_as_he_likes),
        TEST(who_does_not_listen_is_dropped),
        TEST(who_says_nothing_is_dropped_in_time),
        TEST(who_does_not_read_its_welcome_is_sent_away_in_time),
        TEST(a_user_leaves_no_more_unread_than_it_may_have_sessions),
        TEST(unread_reports_are_bounded),
        TEST(the_page_of_who_has_left_is_emptied),
        TEST(the_oldest_page_of_those_we_ended_is_emptied),
        TEST(who_is_gone_is_not_welcomed),
        TEST(a_subscriber_may_be_silent),
        TEST(who_said_it_in_time_is_not_dropped_when_we_are_late),
        TEST(messages_that_are_none_end_it),
        TEST(descriptors_end_it),
        TEST(descriptors_are_not_sent),
        TEST(a_descriptor_that_lingers_holds_nobody_up),
        TEST(a_descriptor_that_is_never_received_holds_nobody_up),
        TEST(memory_that_does_not_come_holds_nobody_up),
        TEST(numbers_of_sessions_that_are_in_use_are_not_given_again),
        TEST(a_second_hello_ends_it),
        TEST(half_a_hangup_ends_it),
        TEST(an_impossible_wish_is_refused),
        TEST(the_owner_may_refuse),
        TEST(each_subscriber_is_told_of_the_end),
        TEST(the_list_decides),
        TEST(the_first_group_counts),
        TEST(who_is_in_many_groups_is_in_each_of_them),
        TEST(a_user_has_his_share),
        TEST(there_is_a_limit_in_all),
        TEST(some_places_are_for_newcomers_and_some_for_root),
        TEST(the_refused_take_no_places),
        TEST(the_silent_make_room_for_who_has_less),
        TEST(without_descriptors_nobody_waits_for_ever),
        TEST(without_descriptors_for_a_session_it_is_refused),
        TEST(a_socket_that_is_served_is_left_alone),
        TEST(a_socket_that_is_served_badly_does_not_hold_us_up),
        TEST(a_socket_that_a_dead_daemon_left_is_replaced),
        TEST(what_is_no_socket_is_not_removed),
        TEST(a_path_that_is_too_long_is_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
