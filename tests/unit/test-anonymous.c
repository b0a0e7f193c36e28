/* SPDX-License-Identifier: MIT
 *
 * Anonymous clients of the plain layout. The test plays the daemon: it has the segment attached
 * itself, and where something has to happen during a wait, a child process does it.
 */
#include "lib/shmd.h"
#include "../patience.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/plain.h"
#include "private.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

#define KEY      UINT32_C(0xf1e2d3c4) /* above INT32_MAX: a key has 32 bits */
#define SIZE     27
#define NO_WAIT  UINT64_C(0)
#define A_WHILE  PATIENCE_USEC
#define LETTERS  "abcdefghijklmnopqrstuvwxyz"
#define NOBODY   65534
#define A_MOMENT (30 * USEC_PER_MSEC) /* long enough for the other process to be waiting */

DEFINE_CLEANUP(struct shmd_anonymous, shmd_anonymous_close)

struct fixture {
    int id;
    char *segment; /* NULL: the daemon is not there */
    struct shmd_anonymous *client;
    char buffer[SIZE];
    size_t length;
};

static void detach(struct fixture *f)
{
    if (f->segment) {
        assert_int_equal(shmdt(f->segment), 0);
        f->segment = NULL;
    }
}

static void attach(struct fixture *f)
{
    f->segment = shmat(f->id, NULL, 0);
    assert_ptr_not_equal(f->segment, (void *)-1);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->id = shmget((key_t)KEY, SIZE, IPC_CREAT | IPC_EXCL | 0600);
    assert_true(f->id >= 0);
    attach(f);
    assert_int_equal(shmd_anonymous_open(KEY, true, &f->client), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    detach(f);
    shmd_anonymous_close(f->client);
    (void)shmctl(f->id, IPC_RMID, NULL);
    free(f);
    return 0;
}

static void publish(struct fixture *f, const char *record)
{
    char image[SIZE] = {0};

    memcpy(image, record, strlen(record));
    plain_publish(f->segment, image, SIZE);
}

static int read_record(struct fixture *f, uint64_t timeout_usec)
{
    return shmd_anonymous_read(f->client, f->buffer, sizeof f->buffer, timeout_usec, &f->length);
}

static void assert_reads(struct fixture *f, uint64_t timeout_usec, const char *record)
{
    assert_int_equal(read_record(f, timeout_usec), 0);
    assert_int_equal(f->length, strlen(record));
    assert_memory_equal(f->buffer, record, f->length);
}

static void sleep_usec(uint64_t usec)
{
    struct timespec pause = clock_timespec(usec);

    (void)nanosleep(&pause, NULL);
}

static void test_open_refuses(void **state)
{
    struct shmd_anonymous *client = NULL;

    (void)state;
    assert_int_equal(shmd_anonymous_open(0, false, &client), -EINVAL);
    assert_int_equal(shmd_anonymous_open(KEY + 1, false, &client), -ENOENT);
    assert_null(client);
}

/* The mode decides who may read, and who may acknowledge. */
static void test_open_permissions(void **state)
{
    struct fixture *f = *state;
    struct shmid_ds ds;
    pid_t pid;

    if (geteuid() != 0) {
        skip();
    }
    pid = child_start();
    if (pid == 0) {
        struct shmd_anonymous *client = NULL;
        bool fine = setgid(NOBODY) == 0 && setuid(NOBODY) == 0 &&
                    shmd_anonymous_open(KEY, false, &client) == -EACCES &&
                    shmd_anonymous_open(KEY, true, &client) == -EACCES && !client;

        _exit(fine ? 0 : 1);
    }
    assert_int_equal(child_wait(pid), 0);

    assert_int_equal(shmctl(f->id, IPC_STAT, &ds), 0);
    ds.shm_perm.mode = 0644;
    assert_int_equal(shmctl(f->id, IPC_SET, &ds), 0);
    pid = child_start();
    if (pid == 0) {
        struct shmd_anonymous *client = NULL;
        bool fine = setgid(NOBODY) == 0 && setuid(NOBODY) == 0 &&
                    shmd_anonymous_open(KEY, true, &client) == -EACCES && !client &&
                    shmd_anonymous_open(KEY, false, &client) == 0;

        _exit(fine ? 0 : 1);
    }
    assert_int_equal(child_wait(pid), 0);
}

static void test_close_nothing(void **state)
{
    (void)state;
    assert_null(shmd_anonymous_close(NULL));
}

static void test_read_first_record(void **state)
{
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    assert_string_equal(f->segment, LETTERS);
}

/* A foreign daemon may fill the last byte too: no NUL is looked for behind the segment. */
static void test_read_record_without_nul(void **state)
{
    struct fixture *f = *state;

    memset(f->segment, 'x', SIZE);
    assert_int_equal(read_record(f, NO_WAIT), 0);
    assert_int_equal(f->length, SIZE);
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
    assert_int_equal(shmd_anonymous_acknowledge(f->client), 0);
    assert_int_equal(f->segment[0], '*');
}

/* The buffer's size is checked before anything is taken. */
static void test_read_into_small_buffer(void **state)
{
    struct fixture *f = *state;
    char small[SIZE - 1];

    publish(f, "record");
    assert_int_equal(shmd_anonymous_read(f->client, small, sizeof small, NO_WAIT, &f->length),
                     -EMSGSIZE);
    assert_reads(f, NO_WAIT, "record");
}

/* Never `*bcd…`: an acknowledged record is none, and a fresh segment has none either. */
static void test_read_without_record(void **state)
{
    struct fixture *f = *state;

    f->length = 99;
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
    publish(f, LETTERS);
    f->segment[0] = '*';
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
    assert_int_equal(read_record(f, A_MOMENT), -ETIMEDOUT);
    assert_int_equal(f->length, 99);
}

static void test_read_times_out_in_time(void **state)
{
    struct fixture *f = *state;
    uint64_t start = clock_usec();

    assert_int_equal(read_record(f, 100 * USEC_PER_MSEC), -ETIMEDOUT);
    assert_in_range(clock_usec() - start, 100 * USEC_PER_MSEC, A_WHILE);
}

static void test_read_waits_for_refill(void **state)
{
    struct fixture *f = *state;
    pid_t pid;

    publish(f, "*ld record");
    pid = child_start();
    if (pid == 0) {
        sleep_usec(A_MOMENT);
        publish(f, "new record");
        _exit(0);
    }
    assert_reads(f, SHMD_FOREVER, "new record");
    assert_int_equal(child_wait(pid), 0);
}

static void test_read_returns_each_record_once(void **state)
{
    struct fixture *f = *state;

    publish(f, "first");
    assert_reads(f, NO_WAIT, "first");
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
    /* Different bytes, the last one of them only. */
    publish(f, "firsT");
    assert_reads(f, NO_WAIT, "firsT");
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
    /* A longer and a shorter record, with the old one as their beginning. */
    publish(f, "firsT one");
    assert_reads(f, NO_WAIT, "firsT one");
    publish(f, "firsT");
    assert_reads(f, NO_WAIT, "firsT");
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
}

/* The very same bytes are a new record if they came after an acknowledgement. */
static void test_read_same_bytes_again(void **state)
{
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    /* Somebody else's, seen. */
    f->segment[0] = '*';
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    /* Our own, refilled before we look again. */
    assert_int_equal(shmd_anonymous_acknowledge(f->client), 0);
    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    assert_int_equal(read_record(f, NO_WAIT), -ETIMEDOUT);
}

static void ignore(int number)
{
    (void)number;
}

static void test_read_interrupted(void **state)
{
    struct fixture *f = *state;
    const struct itimerval soon = {.it_interval.tv_usec = 10000, .it_value.tv_usec = 10000};
    const struct itimerval never = {{0, 0}, {0, 0}};
    const struct sigaction action = {.sa_handler = ignore};

    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(read_record(f, A_WHILE), -EINTR);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}

/* Waiting for a daemon that never comes back ends; a restart of it does not end a wait. */
static void test_read_while_nobody_serves(void **state)
{
    struct fixture *f = *state;
    uint64_t *attached =
        mmap(NULL, sizeof(*attached), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t start = clock_usec();
    pid_t pid;
    int r;

    assert_true(attached != MAP_FAILED);
    publish(f, "*");
    detach(f);
    assert_int_equal(read_record(f, 100 * USEC_PER_MSEC), -ETIMEDOUT);
    assert_int_equal(read_record(f, A_WHILE), -ENOLINK);
    assert_in_range(clock_usec() - start, USEC_PER_SEC, A_WHILE - 1);

    f->client = shmd_anonymous_close(f->client);
    assert_int_equal(shmd_anonymous_open(KEY, true, &f->client), 0);
    start = clock_usec();
    pid = child_start();
    if (pid == 0) {
        sleep_usec(300 * USEC_PER_MSEC);
        f->segment = shmat(f->id, NULL, 0);
        *attached = clock_usec();
        sleep_usec(900 * USEC_PER_MSEC);
        publish(f, "after the restart");
        _exit(0);
    }
    r = read_record(f, A_WHILE);
    assert_int_equal(child_wait(pid), 0);
    if (r == -ENOLINK && *attached - start >= USEC_PER_SEC) {
        print_message("# inconclusive: the restart took longer than a second\n");
        skip();
    }
    assert_int_equal(r, 0);
    assert_string_equal(f->buffer, "after the restart");
    (void)munmap(attached, sizeof(*attached));
}

/* A child that was forked, and lives on, is no one who serves. */
static void test_read_with_a_child(void **state)
{
    struct fixture *f = *state;
    struct shmd_anonymous_info info;
    pid_t child;

    detach(f);
    child = child_start();
    if (child == 0) {
        for (;;) {
            (void)pause();
        }
    }
    assert_true(child > 0);
    assert_int_equal(shmd_anonymous_info(f->client, &info), 0);
    assert_int_equal(info.attached, 0);
    assert_int_equal(read_record(f, A_WHILE), -ENOLINK);
    assert_int_equal(kill(child, SIGKILL), 0);
    (void)child_wait(child);
}

/* The record that a killed daemon has left is one. */
static void test_read_record_left_behind(void **state)
{
    struct fixture *f = *state;

    publish(f, "left behind");
    detach(f);
    assert_reads(f, NO_WAIT, "left behind");
    assert_int_equal(shmd_anonymous_acknowledge(f->client), 0);
    attach(f);
    assert_int_equal(f->segment[0], '*');
}

/* The daemon has ended for good: its last record is none any more, and the wait ends at once. */
static void test_read_after_removal(void **state)
{
    struct fixture *f = *state;
    uint64_t start = clock_usec();
    pid_t pid;

    publish(f, "*");
    pid = child_start();
    if (pid == 0) {
        sleep_usec(A_MOMENT);
        (void)shmctl(f->id, IPC_RMID, NULL);
        _exit(0);
    }
    assert_int_equal(read_record(f, A_WHILE), -ENOLINK);
    assert_in_range(clock_usec() - start, A_MOMENT, A_WHILE - 1);
    assert_int_equal(child_wait(pid), 0);
    publish(f, "never to be read");
    assert_int_equal(read_record(f, NO_WAIT), -ENOLINK);
}

static void test_acknowledge(void **state)
{
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_int_equal(shmd_anonymous_acknowledge(f->client), -ENODATA);
    assert_string_equal(f->segment, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    assert_int_equal(shmd_anonymous_acknowledge(f->client), 0);
    assert_string_equal(f->segment, "*bcdefghijklmnopqrstuvwxyz");
    /* Once is enough: the next record is not ours. */
    publish(f, LETTERS);
    assert_int_equal(shmd_anonymous_acknowledge(f->client), -ENODATA);
    assert_string_equal(f->segment, LETTERS);
}

static void test_acknowledge_read_only(void **state)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *reader = NULL;
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_int_equal(shmd_anonymous_open(KEY, false, &reader), 0);
    assert_int_equal(shmd_anonymous_read(reader, f->buffer, sizeof f->buffer, NO_WAIT, &f->length),
                     0);
    assert_int_equal(shmd_anonymous_acknowledge(reader), -EROFS);
    assert_string_equal(f->segment, LETTERS);
}

static void test_acknowledge_second(void **state)
{
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    f->segment[0] = '*';
    assert_int_equal(shmd_anonymous_acknowledge(f->client), SHMD_ALREADY_ACKNOWLEDGED);
    assert_int_equal(shmd_anonymous_acknowledge(f->client), -ENODATA);
}

/* The daemon has closed it: the segment is about to go. */
static void test_acknowledge_too_late(void **state)
{
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    assert_true(plain_close(f->segment));
    assert_int_equal(shmd_anonymous_acknowledge(f->client), -ENOLINK);
    assert_true(plain_close(f->segment)); /* no '*' */
}

/* A record that was never read is never acknowledged, even if it begins like the one that was. */
static void test_acknowledge_only_what_was_read(void **state)
{
    static const char *const later[] = {"other", "resembling", "rec", "record and more"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        publish(f, "record");
        assert_reads(f, NO_WAIT, "record");
        publish(f, later[i]);
        assert_int_equal(shmd_anonymous_acknowledge(f->client), SHMD_ALREADY_ACKNOWLEDGED);
        assert_string_equal(f->segment, later[i]);
        assert_reads(f, NO_WAIT, later[i]);
    }
}

static void test_acknowledge_after_removal(void **state)
{
    struct fixture *f = *state;

    publish(f, LETTERS);
    assert_reads(f, NO_WAIT, LETTERS);
    assert_int_equal(shmctl(f->id, IPC_RMID, NULL), 0);
    assert_int_equal(shmd_anonymous_acknowledge(f->client), -ENOLINK);
    assert_string_equal(f->segment, LETTERS);
}

static void test_info(void **state)
{
    struct fixture *f = *state;
    struct shmd_anonymous_info info;

    assert_int_equal(shmd_anonymous_info(f->client, &info), 0);
    assert_int_equal(info.key, KEY);
    assert_int_equal(info.id, f->id);
    assert_int_equal(info.size, SIZE);
    assert_int_equal(info.mode, 0600);
    assert_int_equal(info.owner_uid, geteuid());
    assert_int_equal(info.owner_gid, getegid());
    assert_int_equal(info.creator_pid, getpid());
    assert_int_equal(info.last_pid, getpid());
    assert_int_equal(info.attached, 1);
    assert_false(info.record_waits);
    assert_int_equal(info.record_length, 0);

    publish(f, "record");
    assert_int_equal(shmd_anonymous_info(f->client, &info), 0);
    assert_true(info.record_waits);
    assert_int_equal(info.record_length, 6);

    f->segment[0] = '*';
    detach(f);
    assert_int_equal(shmd_anonymous_info(f->client, &info), 0);
    assert_int_equal(info.attached, 0);
    assert_false(info.record_waits);
    assert_int_equal(info.record_length, 0);

    assert_int_equal(shmctl(f->id, IPC_RMID, NULL), 0);
    assert_int_equal(shmd_anonymous_info(f->client, &info), -ENOLINK);
}

/* Opening the segment attaches it: that must not hide who was there before. */
static void test_info_last_pid(void **state)
{
    struct fixture *f = *state;
    struct shmd_anonymous_info info;
    pid_t pid = child_start();

    if (pid == 0) {
        struct shmd_anonymous *client;
        bool fine = shmd_anonymous_open(KEY, false, &client) == 0 &&
                    shmd_anonymous_info(client, &info) == 0 && info.last_pid == getppid() &&
                    !shmd_anonymous_close(client);

        _exit(fine ? 0 : 1);
    }
    assert_int_equal(child_wait(pid), 0);
    /* The child was the last one to detach. */
    assert_int_equal(shmd_anonymous_info(f->client, &info), 0);
    assert_int_equal(info.last_pid, pid);
}

TEST_GROUP("test-anonymous")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_permissions, set_up, tear_down),
        cmocka_unit_test(test_close_nothing),
        cmocka_unit_test_setup_teardown(test_read_first_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_record_without_nul, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_into_small_buffer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_without_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_times_out_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_waits_for_refill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_returns_each_record_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_same_bytes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_while_nobody_serves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_with_a_child, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_record_left_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_after_removal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledge_read_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledge_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledge_too_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledge_only_what_was_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledge_after_removal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_info, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_info_last_pid, set_up, tear_down),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
