/* SPDX-License-Identifier: MIT
 *
 * Starts that come to nothing are counted, and the next one waits for its turn.
 */
#include "daemon/starts.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "group.h"

struct fixture {
    char *directory;
    char *path;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char pid[16];

    *state = f;
    f->directory = private_directory_new();
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (!f->directory || asprintf(&f->path, "%s/unit.starts", f->directory) < 0 ||
        setenv("RUNTIME_DIRECTORY", f->directory, 1) < 0 ||
        setenv("SYSTEMD_EXEC_PID", pid, 1) < 0) {
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)unlink(f->path);
    private_directory_free(f->directory);
    free(f->path);
    free(f);
    return 0;
}

/* How many count; -1: there is no mark. */
static int counted(const struct fixture *f)
{
    struct stat st;

    return stat(f->path, &st) < 0 ? -1 : (int)st.st_size;
}

/* As so many starts have left it, the last one so many seconds ago. */
static void left(const struct fixture *f, int count, time_t seconds_ago)
{
    struct timespec times[2];

    starts_begin("unit");
    assert_int_equal(truncate(f->path, count), 0);
    (void)clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds_ago;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, f->path, times, 0), 0);
}

/* Why it failed can be read by everybody, until one is ready. */
static void why_it_failed_stays_until_one_is_ready(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = NULL;
    char why[64] = "";
    struct stat st;
    FILE *file;

    assert_true(asprintf(&path, "%s/unit.failed", f->directory) > 0);
    starts_failed("unit", "a long story that is cut short later");
    starts_failed("unit", "no memory");
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(why, sizeof(why), file));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(why, "no memory\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    starts_end("unit");
    assert_int_equal(access(path, F_OK), 0);
    starts_ready("unit");
    assert_int_equal(access(path, F_OK), -1);
    starts_end("unit");
}

static void pauses_grow_up_to_a_limit(void **state)
{
    (void)state;
    assert_int_equal(starts_pause(0), 0);
    assert_int_equal(starts_pause(STARTS_FREE - 1), 0);
    assert_int_equal(starts_pause(STARTS_FREE), STARTS_PAUSE_MIN);
    assert_int_equal(starts_pause(STARTS_FREE + 1), 2 * STARTS_PAUSE_MIN);
    assert_true(starts_pause(STARTS_READY_MAX) <= USEC_PER_SEC);
    assert_int_equal(starts_pause(STARTS_FREE + 20), STARTS_PAUSE_MAX);
    assert_int_equal(starts_pause(UINT32_MAX), STARTS_PAUSE_MAX);
}

static void each_start_counts_until_an_orderly_end(void **state)
{
    struct fixture *f = *state;

    for (int i = 1; i <= (int)STARTS_FREE; i++) {
        starts_begin("unit");
        assert_int_equal(counted(f), i);
    }
    starts_ready("unit");
    assert_int_equal(counted(f), STARTS_FREE);
    starts_end("unit");
    assert_int_equal(counted(f), -1);
    starts_ready("unit");
    assert_int_equal(counted(f), -1);
}

static void who_was_ready_is_soon_tried_again(void **state)
{
    struct fixture *f = *state;

    left(f, 1000, 60);
    starts_begin("unit");
    assert_int_equal(counted(f), 1001);
    starts_ready("unit");
    assert_int_equal(counted(f), STARTS_READY_MAX);
}

static void what_is_long_ago_does_not_count(void **state)
{
    struct fixture *f = *state;

    left(f, 1000, STARTS_FORGOTTEN / USEC_PER_SEC + 1);
    starts_begin("unit");
    assert_int_equal(counted(f), 1);
    left(f, 1000, -1000); /* the clock was set */
    starts_begin("unit");
    assert_int_equal(counted(f), 1);
}

/* Not before its turn. (The clock of files is a few milliseconds behind.) */
static void a_start_waits_for_its_turn(void **state)
{
    struct fixture *f = *state;
    uint64_t began;

    left(f, STARTS_FREE, 0);
    began = clock_usec();
    starts_begin("unit");
    assert_true(clock_usec() - began >= STARTS_PAUSE_MIN / 2);
    assert_int_equal(counted(f), STARTS_FREE + 1);
}

/* Whoever starts it by hand decides when. */
static void by_hand_nothing_counts(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("SYSTEMD_EXEC_PID", "1", 1), 0); /* that was another process */
    starts_begin("unit");
    assert_int_equal(counted(f), -1);
    assert_int_equal(unsetenv("SYSTEMD_EXEC_PID"), 0);
    starts_begin("unit");
    assert_int_equal(counted(f), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-starts")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_up_to_a_limit),
        TEST(why_it_failed_stays_until_one_is_ready),
        TEST(each_start_counts_until_an_orderly_end),
        TEST(who_was_ready_is_soon_tried_again),
        TEST(what_is_long_ago_does_not_count),
        TEST(a_start_waits_for_its_turn),
        TEST(by_hand_nothing_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
