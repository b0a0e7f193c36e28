/* SPDX-License-Identifier: MIT
 *
 * One session: what a client may claim in its page, and what it is told.
 */
#include "daemon/session.h"

#include "private.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define RINGS_MAX 16 /* that lie in a bell unheard; shmd(8) tells how many there are */

struct fixture {
    struct session *session;
    int fds[MESSAGE_WELCOME_FDS]; /* what the client gets */
    struct page *page;            /* where it maps it */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->session = calloc(1, sizeof(*f->session));
    f->session->socket = f->session->doorbell = f->session->client_doorbell = f->session->page_fd =
        -1;
    if (session_equip(f->session) < 0 || session_share(f->session, f->fds) < 0) {
        return -1;
    }
    f->fds[0] = dup(f->fds[0]);
    f->page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fds[0], 0);
    *state = f;
    return f->page == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)munmap(f->page, PAGE_SIZE);
    for (size_t i = 0; i < MESSAGE_WELCOME_FDS; i++) {
        (void)fd_close(f->fds[i]);
    }
    (void)session_free(f->session);
    free(f);
    return 0;
}

static void claim(struct fixture *f, uint64_t acknowledged, uint64_t lost)
{
    page_acknowledge(f->page, acknowledged, lost);
}

static bool is_rung(const struct fixture *f)
{
    struct pollfd bell = {.fd = f->fds[1], .events = POLLIN};

    return poll(&bell, 1, 0) == 1 && (bell.revents & POLLIN);
}

/* --- the page --- */

static void a_fresh_page_is_all_zeros(void **state)
{
    static const char zeros[PAGE_SIZE];
    struct fixture *f = *state;

    assert_memory_equal(f->page, zeros, PAGE_SIZE);
}

/* Nobody can make the daemon's mapping end in SIGBUS. */
static void the_page_can_neither_shrink_nor_grow(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ftruncate(f->fds[0], 0), -1);
    assert_int_equal(ftruncate(f->fds[0], 2 * PAGE_SIZE), -1);
    assert_int_equal(fcntl(f->fds[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
}

/* A hole is zeros: a claim like another. */
static void a_hole_in_the_page_goes_backwards(void **state)
{
    struct fixture *f = *state;

    claim(f, 5, 0);
    assert_int_equal(session_look(f->session, 5, false), CLAIM_PROGRESS);
    assert_int_equal(fallocate(f->fds[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_SIZE),
                     0);
    assert_int_equal(session_look(f->session, 5, false), CLAIM_FALSE);
}

/* --- claims --- */

static void nothing_new_is_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(session_look(f->session, 10, true), CLAIM_NOTHING);
    claim(f, 0, 7); /* what it lost counts with what it acknowledges */
    assert_int_equal(session_look(f->session, 10, true), CLAIM_NOTHING);
    assert_int_equal(f->session->lost, 0);
}

static void progress_is_added_up(void **state)
{
    struct fixture *f = *state;

    claim(f, 3, 0);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_PROGRESS);
    claim(f, 10, 0);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_PROGRESS);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_NOTHING);
    assert_int_equal(f->session->acknowledged, 10);
    assert_int_equal(f->session->lost, 0);
}

static void backwards_is_a_lie(void **state)
{
    struct fixture *f = *state;

    claim(f, 5, 0);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_PROGRESS);
    claim(f, 4, 0);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_FALSE);
    claim(f, 0, 0);
    assert_int_equal(session_look(f->session, 10, true), CLAIM_FALSE);
    assert_int_equal(f->session->acknowledged, 5);
}

static void beyond_what_was_published_is_a_lie(void **state)
{
    struct fixture *f = *state;

    claim(f, 11, 0);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_FALSE);
    claim(f, UINT64_MAX, UINT64_MAX);
    assert_int_equal(session_look(f->session, 10, true), CLAIM_FALSE);
    assert_int_equal(f->session->acknowledged, 0);
    assert_int_equal(f->session->lost, 0);
}

static void what_was_lost_is_not_counted_as_acknowledged(void **state)
{
    struct fixture *f = *state;

    claim(f, 100, 60);
    assert_int_equal(session_look(f->session, 100, true), CLAIM_PROGRESS);
    assert_int_equal(f->session->acknowledged, 100);
    assert_int_equal(f->session->lost, 60);
    claim(f, 110, 65);
    assert_int_equal(session_look(f->session, 200, true), CLAIM_PROGRESS);
    assert_int_equal(f->session->acknowledged, 110);
    assert_int_equal(f->session->lost, 65);
}

/* However it lies about losses, they only grow, and by no more than what it acknowledged. */
static void lost_claims_are_bounded(void **state)
{
    static const uint64_t claims[] = {0, 5, 4, UINT64_MAX, 11, 1000, 0, 12, UINT64_MAX - 5, 13};
    struct fixture *f = *state;
    uint64_t acknowledged = 0;

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        uint64_t before = f->session->lost;

        acknowledged += 1 + i % 3;
        claim(f, acknowledged, claims[i]);
        assert_int_equal(session_look(f->session, 1000, true), CLAIM_PROGRESS);
        assert_int_equal(f->session->acknowledged, acknowledged);
        assert_in_range(f->session->lost, before, before + 1 + i % 3);
    }
}

/* What it lost by an acknowledgement that we did not see is not taken for what it lost by now. */
static void losses_count_with_their_own_acknowledgement(void **state)
{
    struct fixture *f = *state;

    claim(f, 10, 5);
    atomic_store(&f->page->acknowledged, 20);
    assert_int_equal(session_look(f->session, 100, true), CLAIM_PROGRESS);
    assert_int_equal(f->session->acknowledged, 20);
    assert_int_equal(f->session->lost, 0);
    claim(f, 30, 7);
    assert_int_equal(session_look(f->session, 100, true), CLAIM_PROGRESS);
    assert_int_equal(f->session->lost, 7);
}

static void where_nothing_is_written_over_nothing_is_lost(void **state)
{
    struct fixture *f = *state;

    claim(f, 10, 5);
    assert_int_equal(session_look(f->session, 10, false), CLAIM_PROGRESS);
    assert_int_equal(f->session->lost, 0);
    assert_int_equal(f->session->acknowledged, 10);
}

/* The daemon's own words are not what it goes by. */
static void what_it_writes_into_our_lines_changes_nothing(void **state)
{
    struct fixture *f = *state;

    f->page->published = 99;
    f->page->length = 99;
    f->page->state = f->page->daemon_sleeps = 99;
    assert_int_equal(session_look(f->session, 10, true), CLAIM_NOTHING);
    claim(f, 11, 0);
    assert_int_equal(session_look(f->session, 10, true), CLAIM_FALSE);
}

/* --- bells --- */

static void who_sleeps_is_rung(void **state)
{
    struct fixture *f = *state;

    session_notify(f->session);
    assert_false(is_rung(f));
    page_announce_sleep(&f->page->client_sleeps);
    session_notify(f->session);
    assert_true(is_rung(f));
}

/* It says that it sleeps, and never listens: that costs us nothing but a try. */
static void a_bell_that_is_full_does_not_hold_us_up(void **state)
{
    struct fixture *f = *state;

    f->page->client_sleeps = 77;
    assert_int_equal(fcntl(f->fds[1], F_SETFL, 0), 0); /* its end, not ours */
    for (int i = 0; i < 200000; i++) {
        session_notify(f->session);
    }
    assert_true(is_rung(f));
}

/* They are memory of the kernel's for as long as the client holds its end, also when we are gone.
 */
static void few_rings_lie_there_unheard(void **state)
{
    struct fixture *f = *state;
    int rings = 0;

    for (int i = 0; i < 200000; i++) {
        session_wake(f->session);
    }
    assert_int_equal(ioctl(f->fds[1], FIONREAD, &rings), 0);
    assert_in_range(rings, 1, RINGS_MAX);
}

/* Neither bytes nor descriptors: who closes our end would have to wait until these are closed. */
static void nothing_can_be_sent_to_our_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send(f->fds[1], "", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
}

/* As long as its alarm lets it: in the midst of reading its bell, for there is room for nothing. */
static _Noreturn void hold_bell(int bell)
{
    static const char bytes[4096];
    int sockets[2], ends[2];

    (void)alarm(PATIENCE_SEC);
    (void)fcntl(bell, F_SETFL, 0);
    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    while (send(sockets[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0 ||
           send(sockets[0], bytes, 1, MSG_DONTWAIT) > 0) {
    }
    (void)splice(bell, NULL, sockets[0], NULL, 1, 0); /* a pipe's lock would be held meanwhile */
    (void)!pipe2(ends, O_NONBLOCK);
    while (write(ends[1], bytes, sizeof(bytes)) > 0) {
    }
    (void)fcntl(ends[1], F_SETFL, 0);
    (void)splice(bell, NULL, ends[1], NULL, 1, 0);
    _exit(0);
}

static char state_of(pid_t pid)
{
    char path[32], line[64] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)!read(fd, line, sizeof(line) - 1);
    (void)close(fd);
    return *(strchr(line, ')') + 2);
}

/* Its process is still in its call when we are done. */
static void who_holds_its_bell_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    pid_t pid;

    session_wake(f->session);
    pid = fork();
    if (pid == 0) {
        (void)close(f->session->client_doorbell);
        hold_bell(f->fds[1]);
    }
    while (state_of(pid) == 'R') {
        (void)usleep(1000);
    }
    session_wake(f->session);
    f->session->client_doorbell = fd_close(f->session->client_doorbell);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void a_bell_that_is_gone_does_no_harm(void **state)
{
    struct fixture *f = *state;

    f->fds[1] = fd_close(f->fds[1]);
    f->page->client_sleeps = 1;
    session_notify(f->session);
    session_end(f->session, PAGE_CLOSING);
    session_wake(f->session);
    assert_int_equal(f->page->state, PAGE_CLOSING);
}

static void the_end_is_told_awake_or_asleep(void **state)
{
    struct fixture *f = *state;

    session_end(f->session, PAGE_EVICTED);
    assert_int_equal(f->page->state, PAGE_EVICTED);
    session_wake(f->session);
    assert_true(is_rung(f));
}

/* When the daemon dies, the client's end hangs up. */
static void the_bell_hangs_up_with_us(void **state)
{
    struct fixture *f = *state;
    struct pollfd bell = {.fd = f->fds[1], .events = POLLIN};

    f->session->client_doorbell = fd_close(f->session->client_doorbell);
    assert_int_equal(poll(&bell, 1, 0), 1);
    assert_true(bell.revents & POLLHUP);
}

/* It never blocks, and when we have heard it, there is room for more. */
static void our_bell_can_be_filled_and_still_be_heard(void **state)
{
    struct fixture *f = *state;
    struct pollfd bell = {.fd = f->session->doorbell, .events = POLLIN};

    while (write(f->fds[2], "", 1) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(poll(&bell, 1, 0), 1);
    assert_true(session_hear(f->session));
    assert_int_equal(write(f->fds[2], "", 1), 1);
    while (poll(&bell, 1, 0) == 1) {
        assert_true(session_hear(f->session));
    }
}

/* Since Linux 6.16 they cannot be sent. */
static void descriptors_are_no_ring(void **state)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct msghdr message = {.msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int))};
    struct fixture *f = *state;

    assert_int_equal(write(f->fds[2], "", 1), 1);
    assert_true(session_hear(f->session));
    if (sendmsg(f->fds[2], &message, MSG_DONTWAIT) < 0) {
        assert_int_equal(errno, EPERM);
        return;
    }
    assert_false(session_hear(f->session));
    assert_false(session_hear(f->session)); /* it is not taken */
}

/* In the midst of hearing what happens there: where it is told that, it takes no page fault. */
static _Noreturn void watch_bells(const int bells[2], int parent)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register pages = {.mode = UFFDIO_REGISTER_MODE_MISSING, .range.len = PAGE_SIZE};
    struct epoll_event event = {.events = EPOLLOUT};
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    int watch = epoll_create1(EPOLL_CLOEXEC);
    void *nothing =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool able;

    (void)alarm(PATIENCE_SEC);
    (void)!read(parent, &able, sizeof(able)); /* it has closed them */
    pages.range.start = (uintptr_t)nothing;
    able = ioctl(faults, UFFDIO_API, &api) == 0 && ioctl(faults, UFFDIO_REGISTER, &pages) == 0;
    (void)epoll_ctl(watch, EPOLL_CTL_ADD, bells[0], &event);
    (void)epoll_ctl(watch, EPOLL_CTL_ADD, bells[1], &event);
    (void)close(bells[0]);
    (void)close(bells[1]);
    (void)!write(parent, &able, sizeof(able));
    (void)epoll_wait(watch, nothing, 1, -1);
    _exit(0);
}

/* As for who_holds_its_bell_holds_nobody_up(); here it has closed what it got. */
static void who_watches_its_bells_holds_nobody_up(void **state)
{
    struct fixture *f = *state;
    bool able = false;
    int ready[2];
    pid_t pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ready), 0);
    pid = fork();
    if (pid == 0) {
        (void)close(f->session->doorbell);
        (void)close(f->session->client_doorbell);
        watch_bells(f->fds + 1, ready[1]);
    }
    f->fds[1] = fd_close(f->fds[1]);
    f->fds[2] = fd_close(f->fds[2]);
    (void)!write(ready[0], &able, sizeof(able));
    (void)!read(ready[0], &able, sizeof(able));
    while (able && state_of(pid) == 'R') {
        (void)usleep(1000);
    }
    session_detach(f->session);
    if (able) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    if (!able) {
        skip(); /* who is not root may not hold up the kernel's own page faults */
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-session")
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_page_is_all_zeros),
        TEST(the_page_can_neither_shrink_nor_grow),
        TEST(a_hole_in_the_page_goes_backwards),
        TEST(nothing_new_is_nothing),
        TEST(progress_is_added_up),
        TEST(backwards_is_a_lie),
        TEST(beyond_what_was_published_is_a_lie),
        TEST(what_was_lost_is_not_counted_as_acknowledged),
        TEST(lost_claims_are_bounded),
        TEST(losses_count_with_their_own_acknowledgement),
        TEST(where_nothing_is_written_over_nothing_is_lost),
        TEST(what_it_writes_into_our_lines_changes_nothing),
        TEST(who_sleeps_is_rung),
        TEST(a_bell_that_is_full_does_not_hold_us_up),
        TEST(few_rings_lie_there_unheard),
        TEST(nothing_can_be_sent_to_our_end),
        TEST(who_holds_its_bell_holds_nobody_up),
        TEST(a_bell_that_is_gone_does_no_harm),
        TEST(the_end_is_told_awake_or_asleep),
        TEST(the_bell_hangs_up_with_us),
        TEST(our_bell_can_be_filled_and_still_be_heard),
        TEST(descriptors_are_no_ring),
        TEST(who_watches_its_bells_holds_nobody_up),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
