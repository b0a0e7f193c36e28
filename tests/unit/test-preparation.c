/* SPDX-License-Identifier: MIT
 *
 * What a reload has to wait for, nobody else waits for: a slow directory of groups, memory.
 */
#include "daemon/preparation.h"
#include "daemon/touch.h"
#include "fixture.h"

#include <dirent.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

#define RING  "layout = \"ring\"; mode = \"0644\"; size = 65536; spin_us = 0; "
#define PLAIN "size = 67108864; spin_us = 0; "
#define SLOW  RING "allow = { subscribe = \"@slow\"; }; "
#define LARGE ((size_t)64 << 20)
#define PAGE  ((size_t)4096)

static sem_t asked, answers; /* the directory was asked; it may answer */

static struct group *answer_late(const char *name)
{
    (void)name;
    (void)sem_post(&asked);
    (void)sem_wait(&answers);
    return __real_getgrnam("root");
}

static void begin_reload(struct fixture *f, const char *conf)
{
    assert_true(file_write(f->daemon.conf_path, conf, strlen(conf)));
    manager_reload(f->daemon.manager);
}

static int set_up_slow(void **state)
{
    (void)sem_init(&asked, 0, 0);
    (void)sem_init(&answers, 0, 0);
    mock_getgrnam = answer_late;
    return set_up(state);
}

static int tear_down_slow(void **state)
{
    mock_getgrnam = NULL;
    return tear_down(state);
}

static void wait_until_asked(void)
{
    struct timespec end = clock_timespec(clock_usec() + PATIENCE_USEC);

    assert_int_equal(sem_clockwait(&asked, CLOCK_MONOTONIC, &end), 0);
}

static void wait_for_the_end(struct fixture *f)
{
    daemon_end_reload(f->daemon.manager);
    turn(f);
}

static void a_slow_directory_holds_up_nobody(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    begin_reload(f, SLOW);
    wait_until_asked();
    assert_int_equal(daemon_subscribe(&f->daemon, &f->a), 0);
    turn(f);
    acknowledge(f, &f->a, 5);
    assert_int_equal(f->daemon.manager->sessions->first->acknowledged, 5);
    assert_string_equal(f->daemon.manager->conf->allow_subscribe, "*");
    (void)sem_post(&answers);
    wait_for_the_end(f);
    assert_string_equal(f->daemon.manager->conf->allow_subscribe, "@slow");
    assert_true(daemon_logged("reload-done") >= 0);
}

/* What was read may be old by then: it is read once more, and not put in force. */
static void one_that_comes_meanwhile_reads_anew(void **state)
{
    struct fixture *f = *state;

    (void)start(f, RING);
    begin_reload(f, SLOW);
    wait_until_asked();
    begin_reload(f, RING "lease_ms = 777; ");
    begin_reload(f, RING "lease_ms = 888; ");
    (void)sem_post(&answers);
    wait_for_the_end(f);
    assert_string_equal(f->daemon.manager->conf->allow_subscribe, "*");
    assert_int_equal(f->daemon.manager->conf->lease_ms, 888);
}

/* Until there is no thread but this one. */
static void wait_for_threads(void)
{
    size_t count = 0;

    for (uint64_t end = clock_usec() + PATIENCE_USEC; count != 1 && clock_usec() < end;) {
        DIR *tasks = opendir("/proc/self/task");

        assert_non_null(tasks);
        for (count = 0; readdir(tasks); count++) {
        }
        (void)closedir(tasks);
        count -= 2; /* . and .. */
        (void)usleep(1000);
    }
    assert_int_equal(count, 1);
}

/* A stop does not wait for it; the thread finds nothing of ours, and frees what is its own. */
static void a_stop_does_not_wait(void **state)
{
    struct fixture *f = *state;
    int lent;

    (void)start(f, RING);
    begin_reload(f, SLOW);
    wait_until_asked();
    lent = f->daemon.manager->state->fd;
    daemon_stop(&f->daemon, false);
    (void)sem_post(&answers);
    wait_for_threads();
    assert_int_equal(close(lent), 0); /* until then it may need the state's file */
}

static void what_is_refused_changes_nothing(void **state)
{
    struct fixture *f = *state;

    mock_getgrnam = NULL;
    (void)start(f, RING);
    begin_reload(f, RING "allow = { subscribe = \"@no-such-group\"; }; ");
    wait_for_the_end(f);
    assert_true(daemon_logged("reload-refused") >= 0);
    assert_string_equal(f->daemon.manager->conf->allow_subscribe, "*");
}

/* The system has no memory for another segment. */
static int make_none(key_t key, size_t size, int flags)
{
    if (flags & IPC_CREAT) {
        errno = ENOMEM;
        return -1;
    }
    return __real_shmget(key, size, flags);
}

static size_t resident(const struct segment *segment)
{
    unsigned char *pages = malloc(segment->size / PAGE);
    size_t count = 0;

    assert_non_null(pages);
    assert_int_equal(mincore(segment->map, segment->size, pages), 0);
    for (size_t i = 0; i < segment->size / PAGE; i++) {
        count += pages[i] & 1;
    }
    free(pages);
    return count;
}

/* Not at once, but all of them, and what is written there meanwhile stays. */
static void the_pages_of_a_large_segment_come_by_and_by(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, RING);

    mock_getgrnam = NULL;
    begin_reload(f, "layout = \"ring\"; mode = \"0644\"; size = 67108864; spin_us = 0; ");
    wait_for_the_end(f);
    assert_int_equal(manager->segment.size, LARGE);
    assert_int_equal(daemon_subscribe(&f->daemon, &f->a), 0);
    while (manager->touched < LARGE) {
        (void)sd_event_run(manager->event, UINT64_MAX);
    }
    assert_int_equal(resident(&manager->segment), LARGE / PAGE);
    acknowledge(f, &f->a, f->a.welcome.first + 4);
    assert_int_equal(manager->sessions->first->acknowledged, f->a.welcome.first + 4);
}

/* Waits, without a turn of the loop, until the state's file is that long, and has no hole. */
static bool state_is_stretched(const struct fixture *f, size_t size)
{
    struct stat st = {0};

    for (uint64_t end = clock_usec() + PATIENCE_USEC;
         (size_t)st.st_blocks * 512 < size && clock_usec() < end;) {
        assert_int_equal(fstat(f->daemon.manager->state->fd, &st), 0);
        (void)usleep(1000);
    }
    return (size_t)st.st_size >= size && (size_t)st.st_blocks * 512 >= size;
}

/* The image of a plain segment is memory, too. What the loop itself touches is what it writes. */
static void the_image_of_a_large_segment_is_got_beside_the_loop(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, "spin_us = 0; ");
    CLEANUP(free_cleanup) char *conf = NULL;
    struct rusage before, after;

    mock_getgrnam = NULL;
    assert_true(asprintf(&conf, PLAIN "source = { type = \"file\"; path = \"%s\"; }; ",
                         f->daemon.conf_path) > 0);
    begin_reload(f, conf);
    assert_true(state_is_stretched(f, LARGE));
    assert_int_equal(manager->segment.size, 27);
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    daemon_end_reload(manager);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_int_equal(manager->segment.size, LARGE);
    assert_string_equal(manager->segment.map, conf);
    assert_true(after.ru_minflt - before.ru_minflt < (long)(LARGE / PAGE / 10));
}

/* There is room for the image, but not for the segment: both are as they were. */
static void what_was_got_in_vain_is_given_back(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = start(f, "spin_us = 0; ");
    struct stat before, after;

    mock_getgrnam = NULL;
    assert_int_equal(fstat(manager->state->fd, &before), 0);
    mock_shmget = make_none;
    begin_reload(f, PLAIN);
    assert_true(state_is_stretched(f, LARGE));
    wait_for_the_end(f);
    mock_shmget = NULL;
    assert_true(daemon_logged("reload-refused") >= 0);
    assert_int_equal(fstat(manager->state->fd, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_slow, tear_down_slow)

TEST_GROUP("test-preparation")
{
    const struct CMUnitTest tests[] = {
        TEST(a_slow_directory_holds_up_nobody),
        TEST(one_that_comes_meanwhile_reads_anew),
        TEST(a_stop_does_not_wait),
        TEST(what_is_refused_changes_nothing),
        TEST(the_pages_of_a_large_segment_come_by_and_by),
        TEST(the_image_of_a_large_segment_is_got_beside_the_loop),
        TEST(what_was_got_in_vain_is_given_back),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
