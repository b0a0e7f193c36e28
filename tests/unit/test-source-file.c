/* SPDX-License-Identifier: MIT
 *
 * The source "file": what is delivered is what stands in the file, and nothing else ever.
 */
#include "source/source.h"
#include "source/drivers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

struct scene {
    struct host *host;
    char *directory;
    char *path;
    char *other;
};

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scene->host = host_new();
    scene->directory = private_directory_new();
    assert_true(asprintf(&scene->path, "%s/file", scene->directory) > 0);
    assert_true(asprintf(&scene->other, "%s/other", scene->directory) > 0);
    return scene;
}

static struct scene *scene_free(struct scene *scene)
{
    if (!scene) {
        return NULL;
    }
    scene->host = host_free(scene->host);
    scene->directory = private_directory_free(scene->directory);
    free(scene->path);
    free(scene->other);
    free(scene);
    return NULL;
}

DEFINE_CLEANUP(struct scene, scene_free)

static void open_file(struct scene *scene, bool watch, size_t capacity)
{
    struct source_settings settings = {.path = scene->path, .watch = watch};

    host_open(scene->host, "file", &settings, capacity);
}

static void put(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text)));
}

/* Another file in its place, as an editor or a package manager does it. */
static void put_by_rename(struct scene *scene, const char *text)
{
    put(scene->other, text);
    assert_int_equal(rename(scene->other, scene->path), 0);
}

/* "each refill is the file's content now" */
static void each_record_is_the_content_now(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();

    (void)state;
    put(scene->path, "first\n");
    open_file(scene, false, 26);
    host_ask(scene->host);
    ASSERT_RECORD(scene->host, "first\n");
    host_ask(scene->host);
    ASSERT_RECORD(scene->host, "first\n");
    put(scene->path, "second");
    host_ask(scene->host);
    ASSERT_RECORD(scene->host, "second");
    put_by_rename(scene, "");
    host_ask(scene->host);
    host_asserts_record(scene->host, "", 0);
    put(scene->path, "abcdefghijklmnopqrstuvwxyz");
    host_ask(scene->host);
    ASSERT_RECORD(scene->host, "abcdefghijklmnopqrstuvwxyz");
    assert_int_equal(scene->host->failed, 0);
}

static void what_is_too_long_keeps_its_length(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    static char text[10000];

    (void)state;
    memset(text, 'x', sizeof(text));
    put(scene->path, "abcdefghijklmnopqrstuvwxyz.");
    open_file(scene, false, 26);
    host_ask(scene->host);
    ASSERT_RECORD(scene->host, "abcdefghijklmnopqrstuvwxyz.");
    assert_true(file_write(scene->path, text, sizeof(text)));
    host_ask(scene->host);
    assert_int_equal(scene->host->lengths[1], sizeof(text));
    assert_memory_equal(scene->host->records[1], text, 4096);
}

/* Read in several parts, in between which the place moves. */
static void a_large_file_is_whole(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    CLEANUP(free_cleanup) char *text = malloc(HOST_ROOM);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < HOST_ROOM; i++) {
        text[i] = (char)(i % 251);
    }
    assert_true(file_write(scene->path, text, HOST_ROOM));
    open_file(scene, false, HOST_ROOM);
    host_ask(scene->host);
    host_asserts_record(scene->host, text, HOST_ROOM);
}

/* Opened for a small segment, or for a large one, it is read for the one that there is. */
static void it_is_read_for_the_segment_that_there_is(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    static char text[10000];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_true(file_write(scene->path, text, sizeof(text)));
    open_file(scene, false, 26);
    scene->host->longest = sizeof(text);
    host_ask(scene->host);
    host_asserts_record(scene->host, text, sizeof(text));
    scene->host->longest = 26;
    host_ask(scene->host);
    assert_int_equal(scene->host->lengths[1], sizeof(text)); /* to be rejected */
    assert_int_equal(scene->host->failed, 0);
}

/* In the midst of reading, what has been read of it is no record of the other segment. */
static void another_segment_begins_it_anew(void **state)
{
    static const size_t sizes[][2] = {{HOST_ROOM, 100}, {HOST_ROOM, HOST_ROOM - 1}};
    CLEANUP(free_cleanup) char *text = malloc(HOST_ROOM);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', HOST_ROOM);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();

        assert_true(file_write(scene->path, text, HOST_ROOM));
        open_file(scene, false, sizes[i][0]);
        source_ask(scene->host->source); /* a part of it */
        assert_int_equal(scene->host->answers, 0);
        scene->host->longest = sizes[i][1];
        host_wait(scene->host, scene->host->answers > 0);
        assert_int_equal(scene->host->failed, 1);
        assert_non_null(strstr(scene->host->reason, "the segment became another one"));
        host_ask(scene->host);
        assert_int_equal(scene->host->lengths[0], HOST_ROOM); /* to be rejected */
    }
}

/* They say that they are empty. */
static void files_of_the_kernel_are_read(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = host_new();
    struct source_settings settings = {.path = "/proc/self/comm"};

    (void)state;
    host_open(host, "file", &settings, 100);
    host_ask(host);
    ASSERT_RECORD(host, "test-source-fil\n");
}

/* "A FIFO/directory/device as path must not hang" */
static void what_is_no_file_fails(void **state)
{
    static const struct {
        const char *path, *reason;
    } cases[] = {
        {"/no/such/file", "/no/such/file: No such file or directory"},
        {"/etc", "/etc: Is a directory"},
        {"/dev/zero", "/dev/zero: is not a regular file"},
        {NULL, "is not a regular file"},
    };
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();

    (void)state;
    assert_int_equal(mkfifo(scene->path, 0600), 0);
    for (size_t i = 0; i < 8; i++) {
        CLEANUP(host_free_cleanup) struct host *host = host_new();
        const char *path = cases[i % 4].path;
        struct source_settings settings = {.path = path ? path : scene->path, .watch = i >= 4};

        host_open(host, "file", &settings, 100);
        host_ask(host);
        assert_int_equal(host->failed, 1);
        assert_non_null(strstr(host->reason, cases[i % 4].reason));
    }
}

static void what_may_not_be_read_fails(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = NULL;

    (void)state;
    if (geteuid() == 0) {
        SKIP("root may read everything");
    }
    scene = scene_new();
    put(scene->path, "text");
    assert_int_equal(chmod(scene->path, 0), 0);
    open_file(scene, false, 100);
    host_ask(scene->host);
    assert_int_equal(scene->host->failed, 1);
    assert_non_null(strstr(scene->host->reason, "Permission denied"));
    assert_int_equal(chmod(scene->path, 0600), 0);
    host_ask(scene->host);
    ASSERT_RECORD(scene->host, "text");
}

/* "publishes anew when it changes (replaced by rename, too) and not before" */
static void watched_it_is_delivered_when_it_changes(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    struct host *host = scene->host;

    (void)state;
    put(scene->path, "first");
    open_file(scene, true, 100);
    host_ask(host);
    ASSERT_RECORD(host, "first");
    source_ask(host->source);
    host_is_silent(host);
    put(scene->path, "second");
    host_wait(host, host->delivered == 2);
    ASSERT_RECORD(host, "second");
    source_ask(host->source);
    host_is_silent(host);
    put_by_rename(scene, "third");
    host_wait(host, host->delivered == 3);
    ASSERT_RECORD(host, "third");
    /* The same again is a change, too: somebody has written it. */
    source_ask(host->source);
    put_by_rename(scene, "third");
    host_wait(host, host->delivered == 4);
    assert_int_equal(host->outdated, 0);
    assert_int_equal(host->failed, 0);
}

static void a_change_that_nobody_asked_for_is_told(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    struct host *host = scene->host;

    (void)state;
    put(scene->path, "first");
    open_file(scene, true, 100);
    host_ask(host);
    put(scene->path, "second");
    host_wait(host, host->outdated > 0);
    assert_int_equal(host->delivered, 1);
    put(scene->path, "third");
    host_ask(host);
    ASSERT_RECORD(host, "third");
}

static void it_is_repeated_for_newcomers(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    struct host *host = scene->host;

    (void)state;
    put(scene->path, "text");
    open_file(scene, true, 100);
    host_ask(host);
    source_repeat(host->source); /* it stands there still */
    assert_int_equal(host->delivered, 1);
    source_ask(host->source);
    source_repeat(host->source);
    assert_int_equal(host->delivered, 2);
    ASSERT_RECORD(host, "text");
}

/* Told once, and then as soon as it is there again. */
static void watched_it_may_come_and_go(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    struct host *host = scene->host;

    (void)state;
    open_file(scene, true, 100);
    host_ask(host);
    assert_int_equal(host->failed, 1);
    source_ask(host->source); /* after a pause, the same */
    host_is_silent(host);
    put(scene->path, "here");
    host_wait(host, host->delivered == 1);
    ASSERT_RECORD(host, "here");
    source_ask(host->source);
    assert_int_equal(unlink(scene->path), 0);
    host_wait(host, host->failed == 2);
    assert_non_null(strstr(host->reason, "No such file"));
    source_ask(host->source);
    host_is_silent(host);
    put_by_rename(scene, "again");
    host_wait(host, host->delivered == 2);
    ASSERT_RECORD(host, "again");
}

/* Whatever a writer is doing, no record is half of one content and half of another. */
static void no_record_is_torn(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    struct host *host = scene->host;
    static char text[200000];
    pid_t writer;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(file_write(scene->path, text, sizeof(text)));
    open_file(scene, false, sizeof(text));
    writer = child_start();
    if (writer == 0) {
        for (char c = 'b';; c = c == 'z' ? 'a' : (char)(c + 1)) {
            memset(text, c, sizeof(text));
            (void)file_write(scene->other, text, sizeof(text));
            (void)rename(scene->other, scene->path);
        }
    }
    for (unsigned i = 0; i < 200; i++) {
        host_ask(host);
        assert_int_equal(host->delivered, i + 1);
        assert_int_equal(host->lengths[i], sizeof(text));
        assert_memory_equal(host->records[i], host->records[i] + 1, sizeof(text) - 1);
    }
    child_end(writer);
}

static void settings_are_checked(void **state)
{
    static const char *const paths[] = {NULL, "", "file", "./file"};
    struct source_settings settings = {0};
    const char *setting;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        settings.path = paths[i];
        assert_non_null(source_check(&source_file, &settings, &setting));
        assert_string_equal(setting, "source.path");
    }
    settings.path = "/file";
    assert_null(source_check(&source_file, &settings, &setting));
}

TEST_GROUP("test-source-file")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_the_content_now),
        cmocka_unit_test(what_is_too_long_keeps_its_length),
        cmocka_unit_test(a_large_file_is_whole),
        cmocka_unit_test(it_is_read_for_the_segment_that_there_is),
        cmocka_unit_test(another_segment_begins_it_anew),
        cmocka_unit_test(files_of_the_kernel_are_read),
        cmocka_unit_test(what_is_no_file_fails),
        cmocka_unit_test(what_may_not_be_read_fails),
        cmocka_unit_test(watched_it_is_delivered_when_it_changes),
        cmocka_unit_test(a_change_that_nobody_asked_for_is_told),
        cmocka_unit_test(it_is_repeated_for_newcomers),
        cmocka_unit_test(watched_it_may_come_and_go),
        cmocka_unit_test(no_record_is_torn),
        cmocka_unit_test(settings_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
