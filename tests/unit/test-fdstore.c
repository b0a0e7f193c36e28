/* SPDX-License-Identifier: MIT
 *
 * What systemd keeps for a session, and how it is found again.
 */
#include "daemon/fdstore.h"
#include "proto/page.h"
#include "proto/queue.h"

#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    char *directory;
    struct store store;
    struct notifier *notifier;
    struct inherited *inherited;
    int fds[KEPT_FDS]; /* of a session */
    int others[3];     /* its client's: the other ends of socket and doorbell */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int sockets[2], ends[2], rings[2];

    *state = f;
    f->directory = private_directory_new();
    if (!f->directory || !store_open(&f->store, f->directory) || notifier_new(&f->notifier) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, rings) < 0) {
        return -1;
    }
    f->fds[KEPT_SOCKET] = sockets[0];
    f->fds[KEPT_PAGE] = memfd_create("page", MFD_CLOEXEC);
    f->fds[KEPT_QUEUE] = memfd_create("queue", MFD_CLOEXEC);
    if (ftruncate(f->fds[KEPT_PAGE], PAGE_SIZE) < 0 ||
        ftruncate(f->fds[KEPT_QUEUE], QUEUE_SIZE_MIN) < 0) {
        return -1;
    }
    f->fds[KEPT_DOORBELL] = rings[0];
    f->fds[KEPT_CLIENT_DOORBELL] = ends[0];
    f->others[0] = sockets[1];
    f->others[1] = ends[1];
    f->others[2] = rings[1];
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)inherited_free(f->inherited);
    (void)notifier_close(f->notifier, PATIENCE_USEC);
    for (size_t i = 0; i < KEPT_FDS; i++) {
        (void)fd_close(f->fds[i]);
    }
    (void)fd_close(f->others[0]);
    (void)fd_close(f->others[1]);
    (void)fd_close(f->others[2]);
    store_close(&f->store);
    (void)private_directory_free(f->directory);
    free(f);
    return 0;
}

/* systemd does what it is asked for. */
static void work(struct fixture *f)
{
    store_settle(&f->store, f->notifier);
}

static void keep(struct fixture *f, uint32_t session)
{
    assert_true(fdstore_keep(f->notifier, session, f->fds));
    work(f);
}

/* As the next daemon begins. */
static void start(struct fixture *f)
{
    store_pass(&f->store);
    assert_int_equal(inherited_new(&f->inherited), 0);
}

static bool is_same(int a, int b)
{
    struct stat sa, sb;

    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static void close_all(int fds[KEPT_FDS])
{
    for (size_t i = 0; i < KEPT_FDS; i++) {
        fds[i] = fd_close(fds[i]);
    }
}

/* Takes a session that must be whole. */
static void assert_taken(struct fixture *f, uint32_t session)
{
    int fds[KEPT_FDS];

    assert_true(inherited_take_session(f->inherited, session, fds));
    assert_true(is_same(fds[KEPT_SOCKET], f->fds[KEPT_SOCKET]));
    assert_true(is_same(fds[KEPT_PAGE], f->fds[KEPT_PAGE]));
    assert_true(is_same(fds[KEPT_QUEUE], f->fds[KEPT_QUEUE]));
    assert_true(is_same(fds[KEPT_CLIENT_DOORBELL], f->fds[KEPT_CLIENT_DOORBELL]));
    assert_true(is_same(fds[KEPT_DOORBELL], f->fds[KEPT_DOORBELL]));
    for (size_t i = 0; i < KEPT_FDS; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    }
    close_all(fds);
}

static void assert_none(struct fixture *f, uint32_t session)
{
    int fds[KEPT_FDS];

    assert_false(inherited_take_session(f->inherited, session, fds));
    for (size_t i = 0; i < KEPT_FDS; i++) {
        assert_int_equal(fds[i], -1);
    }
}

/* --- keeping --- */

static void a_session_is_kept_under_its_name_until_it_is_forgotten(void **state)
{
    struct fixture *f = *state;

    keep(f, 7);
    assert_int_equal(f->store.count, KEPT_FDS);
    for (size_t i = 0; i < KEPT_FDS; i++) {
        assert_string_equal(f->store.kept[i].name, "session-7");
    }
    fdstore_forget(f->notifier, 70);
    work(f);
    assert_int_equal(f->store.count, KEPT_FDS);
    fdstore_forget(f->notifier, 7);
    work(f);
    assert_int_equal(f->store.count, 0);
}

static void without_systemd_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    bool own;

    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    f->notifier = notifier_close(f->notifier, PATIENCE_USEC);
    assert_int_equal(notifier_new(&f->notifier), 0);
    assert_false(fdstore_keep_listener(f->notifier, f->fds[KEPT_SOCKET]));
    assert_true(fdstore_keep(f->notifier, 7, f->fds));
    fdstore_forget(f->notifier, 7);
    work(f);
    assert_int_equal(f->store.count, 0);
    assert_int_equal(inherited_new(&f->inherited), 0);
    assert_int_equal(inherited_take_listener(f->inherited, &own), -1);
    assert_none(f, 7);
}

/* --- coming back --- */

static void what_was_kept_comes_back_once(void **state)
{
    struct fixture *f = *state;
    bool own;

    keep(f, UINT32_MAX);
    start(f);
    assert_null(getenv("LISTEN_FDS")); /* it is not for those whom we start */
    assert_int_equal(inherited_take_listener(f->inherited, &own), -1);
    assert_none(f, 429496729);
    assert_taken(f, UINT32_MAX);
    assert_none(f, UINT32_MAX);
    f->inherited = inherited_free(f->inherited);
    work(f);
    assert_int_equal(f->store.count, KEPT_FDS); /* it is kept on */
}

static void sessions_are_told_apart(void **state)
{
    struct fixture *f = *state;

    keep(f, 12);
    keep(f, 1);
    keep(f, 123);
    start(f);
    assert_none(f, 0);
    assert_taken(f, 1);
    assert_taken(f, 123);
    assert_none(f, 2);
    assert_taken(f, 12);
}

/* It may take time to close what its client has left: that is not for systemd to wait for. */
static void a_connection_that_has_hung_up_comes_back(void **state)
{
    struct fixture *f = *state;

    keep(f, 7);
    f->others[0] = fd_close(f->others[0]);
    f->others[1] = fd_close(f->others[1]);
    work(f);
    start(f);
    assert_taken(f, 7);
}

/* Of a session that nobody knows any more. */
static void a_connection_that_nobody_took_is_handed_out(void **state)
{
    struct fixture *f = *state;
    int fd;

    keep(f, 7);
    keep(f, 8);
    start(f);
    assert_taken(f, 8);
    inherited_forget(f->inherited, f->notifier);
    fd = inherited_take_connection(f->inherited);
    assert_true(is_same(fd, f->fds[KEPT_SOCKET]));
    assert_int_equal(inherited_take_connection(f->inherited), -1);
    (void)close(fd);
}

/* Two pages of one name: none of them is left open. */
static void one_of_a_kind_is_taken_and_the_others_are_closed(void **state)
{
    struct fixture *f = *state;
    int fds[KEPT_FDS];

    keep(f, 7);
    keep(f, 7);
    start(f);
    assert_true(inherited_take_session(f->inherited, 7, fds));
    close_all(fds);
    for (int i = 0; i < 2 * KEPT_FDS; i++) {
        assert_int_equal(fcntl(STORE_FIRST + i, F_GETFD), -1);
    }
}

static void what_nobody_took_is_closed_and_forgotten(void **state)
{
    struct fixture *f = *state;

    keep(f, 7);
    keep(f, 8);
    start(f);
    assert_taken(f, 7);
    inherited_forget(f->inherited, f->notifier);
    f->inherited = inherited_free(f->inherited);
    for (int i = 0; i < 2 * KEPT_FDS; i++) {
        assert_int_equal(fcntl(STORE_FIRST + i, F_GETFD), -1);
    }
    work(f);
    assert_int_equal(f->store.count, KEPT_FDS);
    assert_string_equal(f->store.kept[0].name, "session-7");
}

/* Once, a start that was short of memory had systemd forget the sessions that it did not get to. */
static void a_start_that_fails_forgets_nothing(void **state)
{
    struct fixture *f = *state;

    keep(f, 7);
    keep(f, 8);
    start(f);
    assert_taken(f, 7);
    f->inherited = inherited_free(f->inherited);
    for (int i = 0; i < 2 * KEPT_FDS; i++) {
        assert_int_equal(fcntl(STORE_FIRST + i, F_GETFD), -1);
    }
    work(f);
    assert_int_equal(f->store.count, 2 * KEPT_FDS);
}

/* Another process's, which we have got its environment from. */
static void what_is_meant_for_another_is_left_alone(void **state)
{
    struct fixture *f = *state;

    keep(f, 7);
    store_pass(&f->store);
    assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
    assert_int_equal(inherited_new(&f->inherited), 0);
    assert_none(f, 7);
    f->inherited = inherited_free(f->inherited);
    for (int i = 0; i < KEPT_FDS; i++) {
        assert_true(is_same(STORE_FIRST + i, f->store.kept[i].fd));
    }
    work(f);
    assert_int_equal(f->store.count, KEPT_FDS);
}

/* --- the listener --- */

static int listener(struct fixture *f, int type, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", f->directory, name);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    f->store.kept[f->store.count].fd = fd;
    (void)strcpy(f->store.kept[f->store.count++].name, name);
    return fd;
}

static void the_socket_that_listens_is_found_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    int fd, expected;
    bool own;

    keep(f, 7);
    (void)listener(f, SOCK_STREAM, "stream"); /* of another protocol */
    expected = listener(f, SOCK_SEQPACKET, "shmd.socket");
    keep(f, 8);
    start(f);
    fd = inherited_take_listener(f->inherited, &own);
    assert_true(is_same(fd, expected));
    assert_false(own);
    assert_int_equal(inherited_take_listener(f->inherited, &own), -1);
    assert_taken(f, 7);
    assert_taken(f, 8);
    (void)close(fd);
}

/* Where there is no socket unit, the daemon's own socket is kept for the next one. */
static void a_listener_of_our_own_comes_back(void **state)
{
    struct fixture *f = *state;
    int fd, expected;
    bool own = false;

    expected = listener(f, SOCK_SEQPACKET, "own");
    assert_true(fdstore_keep_listener(f->notifier, expected));
    work(f);
    store_drop(&f->store, 0); /* as it was made, beside what was kept of it */
    start(f);
    fd = inherited_take_listener(f->inherited, &own);
    assert_true(fd >= 0 && own);
    (void)close(fd);
    fdstore_forget_listener(f->notifier);
    work(f);
    assert_int_equal(f->store.count, 0);
}

/* The socket unit was started while the service rested between two tries. */
static void the_socket_unit_s_comes_first(void **state)
{
    struct fixture *f = *state;
    int fd, expected;
    bool own;

    (void)listener(f, SOCK_SEQPACKET, "listener");
    expected = listener(f, SOCK_SEQPACKET, "shmd");
    (void)listener(f, SOCK_SEQPACKET, "other");
    start(f);
    fd = inherited_take_listener(f->inherited, &own);
    assert_true(is_same(fd, expected));
    assert_false(own);
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-fdstore")
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_kept_under_its_name_until_it_is_forgotten),
        TEST(without_systemd_nothing_is_kept),
        TEST(what_was_kept_comes_back_once),
        TEST(sessions_are_told_apart),
        TEST(a_connection_that_has_hung_up_comes_back),
        TEST(a_connection_that_nobody_took_is_handed_out),
        TEST(one_of_a_kind_is_taken_and_the_others_are_closed),
        TEST(what_nobody_took_is_closed_and_forgotten),
        TEST(a_start_that_fails_forgets_nothing),
        TEST(what_is_meant_for_another_is_left_alone),
        TEST(the_socket_that_listens_is_found_wherever_it_is),
        TEST(a_listener_of_our_own_comes_back),
        TEST(the_socket_unit_s_comes_first),
    };

    return cmocka_run_group_tests(tests, store_set_up, store_tear_down);
}
