/* SPDX-License-Identifier: MIT
 *
 * A client leaves something that takes as long as it likes to be got rid of: nobody waits for it.
 */
#include "daemon/disposal.h"

#include "base/sealed.h"
#include "holdup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    int client;
    struct disposal disposal;
    char *page; /* where the client maps it */
    int page_fd;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int pair[2];

    *state = f;
    f->page_fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    f->client = pair[0];
    f->disposal = (struct disposal){.socket = pair[1]};
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)fd_close(f->client);
    (void)fd_close(f->page_fd);
    if (f->page) {
        (void)munmap(f->page, PAGE_SIZE);
    }
    disposal_abandon(&f->disposal);
    free(f);
    return 0;
}

/* Sends a socket that lingers. */
static void send_holdup(struct fixture *f)
{
    int fd = lingering_socket();

    if (fd < 0) {
        SKIP("there is no loopback network");
    }
    assert_true(holdup_send(f->client, "x", 1, fd));
}

/* As the daemon does before. */
static void shut_down(struct fixture *f)
{
    assert_int_equal(shutdown(f->disposal.socket, SHUT_RDWR), 0);
}

static void dispose(struct fixture *f)
{
    while (!disposal_proceed(&f->disposal)) {
        (void)usleep(1000);
    }
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void what_carries_nothing_is_done_at_once(void **state)
{
    struct fixture *f = *state;
    int socket = f->disposal.socket;

    assert_int_equal(send(f->client, "", 0, 0), 0);
    assert_int_equal(send(f->client, "x", 1, 0), 1);
    shut_down(f);
    assert_true(disposal_proceed(&f->disposal));
    assert_false(is_open(socket));
}

/* Whether its client is there or gone, at the begin or behind others; also an empty one. */
static void a_socket_that_lingers_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    int socket = f->disposal.socket;

    assert_int_equal(send(f->client, "x", 1, 0), 1);
    assert_int_equal(send(f->client, "", 0, 0), 0);
    send_holdup(f);
    assert_int_equal(send(f->client, "", 0, 0), 0);
    send_holdup(f);
    shut_down(f);
    holdup_watch(0);
    assert_false(disposal_proceed(&f->disposal));
    dispose(f);
    assert_true(holdup_passed());
    assert_false(is_open(socket));
}

/* An error is told first, and the messages are still there. */
static void nor_does_it_when_its_client_has_reset_the_connection(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send(f->disposal.socket, "unread", 6, 0), 6);
    send_holdup(f);
    f->client = fd_close(f->client);
    shut_down(f);
    holdup_watch(0);
    assert_false(disposal_proceed(&f->disposal));
    dispose(f);
    assert_true(holdup_passed());
}

static void map_page(struct fixture *f)
{
    assert_int_equal(sealed_new("page", PAGE_SIZE, &f->page_fd, &f->disposal.page), 0);
    f->page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->page_fd, 0);
    assert_true(f->page != MAP_FAILED);
    f->page[0] = 'x';
}

static void a_page_is_emptied(void **state)
{
    struct fixture *f = *state;

    map_page(f);
    shut_down(f);
    dispose(f);
    assert_int_equal(f->page[0], 0);
}

/* write(2) holds the lock of the memfd while it waits for the memory. */
static void a_page_that_is_written_to_for_ever_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    pid_t writer;

    map_page(f);
    shut_down(f);
    writer = holdup_process(f->page_fd, true);
    if (writer < 0) {
        SKIP("there is no memory to be had that does not come");
    }
    holdup_watch(writer);
    assert_false(disposal_proceed(&f->disposal));
    assert_false(disposal_proceed(&f->disposal));
    assert_int_equal(f->page[0], 'x');
    holdup_end(writer);
    dispose(f);
    assert_true(holdup_passed());
    assert_int_equal(f->page[0], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-disposal")
{
    const struct CMUnitTest tests[] = {
        TEST(what_carries_nothing_is_done_at_once),
        TEST(a_socket_that_lingers_holds_nobody_up),
        TEST(nor_does_it_when_its_client_has_reset_the_connection),
        TEST(a_page_is_emptied),
        TEST(a_page_that_is_written_to_for_ever_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
