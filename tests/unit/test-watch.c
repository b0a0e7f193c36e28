/* SPDX-License-Identifier: MIT
 *
 * A watched file: every way in which it can become another one is told.
 */
#include "source/watch.h"
#include "source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host.h"

struct scene {
    struct host *host;
    char *directory;
    char *path;
    char *other;
    struct watch *watch;
    unsigned told;
    unsigned written;
};

static void on_change(void *userdata, bool written)
{
    struct scene *scene = userdata;

    scene->told++;
    scene->written += written;
}

static void put(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text)));
}

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scene->host = host_new();
    scene->directory = private_directory_new();
    assert_true(asprintf(&scene->path, "%s/file", scene->directory) > 0);
    assert_true(asprintf(&scene->other, "%s/other", scene->directory) > 0);
    assert_int_equal(watch_new(scene->host->event, scene->path, on_change, scene, &scene->watch),
                     0);
    return scene;
}

static struct scene *scene_free(struct scene *scene)
{
    scene->watch = watch_free(scene->watch);
    scene->host = host_free(scene->host);
    scene->directory = private_directory_free(scene->directory);
    free(scene->path);
    free(scene->other);
    free(scene);
    return NULL;
}

DEFINE_CLEANUP(struct scene, scene_free)

/* It is told of one more change; from now on, it is that of the next one. */
static void is_told(struct scene *scene)
{
    host_wait(scene->host, scene->told > 0);
    assert_int_equal(watch_begin(scene->watch), 0);
    scene->told = scene->written = 0;
}

/* Until nothing follows any more. */
static void is_told_no_more(struct scene *scene)
{
    do {
        scene->told = scene->written = 0;
        for (int i = 0; i < 10; i++) {
            host_turn(scene->host, 10000);
        }
    } while (scene->told > 0);
}

static void is_told_nothing(struct scene *scene)
{
    for (int i = 0; i < 10; i++) {
        host_turn(scene->host, 10000);
    }
    assert_int_equal(scene->told, 0);
}

static void changes_of_every_kind_are_told(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    CLEANUP(fd_close_cleanup) int fd = -1;

    (void)state;
    assert_int_equal(watch_begin(scene->watch), 0); /* no file yet */
    put(scene->path, "made");
    is_told(scene);
    put(scene->path, "written");
    is_told(scene);
    put(scene->other, "renamed");
    (void)watch_begin(scene->watch);
    assert_int_equal(rename(scene->other, scene->path), 0);
    is_told(scene);
    put(scene->path, "written to the new one");
    is_told(scene);
    assert_int_equal(unlink(scene->path), 0);
    is_told(scene);
    put(scene->other, "linked");
    assert_int_equal(link(scene->other, scene->path), 0);
    is_told(scene);
    /* One who keeps it open is told of, too. */
    fd = open(scene->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "more", 4), 4);
    host_wait(scene->host, scene->told > 0);
    assert_true(scene->written > 0);
}

static void reading_is_no_change(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    char buffer[16];
    int fd;

    (void)state;
    put(scene->path, "text");
    assert_int_equal(watch_begin(scene->watch), 0);
    fd = open(scene->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, buffer, sizeof(buffer)), 4);
    (void)close(fd);
    is_told_nothing(scene);
}

/* Forgotten, because the file is read after that. */
static void what_was_before_is_not_told(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();

    (void)state;
    put(scene->path, "text");
    assert_int_equal(watch_begin(scene->watch), 0);
    put(scene->path, "other text");
    assert_int_equal(watch_begin(scene->watch), 0);
    is_told_nothing(scene);
}

/* As where a directory of versions is switched by a symbolic link. */
static void what_a_link_leads_to_is_watched(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    CLEANUP(private_directory_free_cleanup) char *elsewhere = private_directory_new();
    CLEANUP(free_cleanup) char *target = NULL;

    (void)state;
    assert_true(asprintf(&target, "%s/target", elsewhere) > 0);
    put(target, "text");
    assert_int_equal(symlink(target, scene->path), 0);
    assert_int_equal(watch_begin(scene->watch), 0);
    put(target, "other text");
    is_told(scene);
    assert_int_equal(symlink("/dev/null", scene->other), 0);
    (void)watch_begin(scene->watch);
    assert_int_equal(rename(scene->other, scene->path), 0);
    is_told(scene);
}

/* "current -> r1" becomes "current -> r2", and the file behind it is another one. */
static void a_link_to_a_directory_on_the_way_is_watched(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    CLEANUP(watch_free_cleanup) struct watch *watch = NULL;
    char r1[PATH_MAX], r2[PATH_MAX], file[PATH_MAX + 8], current[PATH_MAX], next[PATH_MAX];

    (void)state;
    (void)snprintf(r1, sizeof(r1), "%s/r1", scene->directory);
    (void)snprintf(r2, sizeof(r2), "%s/r2", scene->directory);
    (void)snprintf(current, sizeof(current), "%s/current", scene->directory);
    (void)snprintf(next, sizeof(next), "%s/next", scene->directory);
    assert_true(mkdir(r1, 0700) == 0 && mkdir(r2, 0700) == 0 && symlink("r1", current) == 0);
    (void)snprintf(file, sizeof(file), "%s/data", r2);
    put(file, "two");
    (void)snprintf(file, sizeof(file), "%s/data", r1);
    put(file, "one");
    (void)snprintf(file, sizeof(file), "%s/data", current);
    assert_int_equal(watch_new(scene->host->event, file, on_change, scene, &watch), 0);
    assert_int_equal(watch_begin(watch), 0);
    assert_int_equal(symlink("r2", next), 0);
    assert_int_equal(rename(next, current), 0);
    host_wait(scene->host, scene->told > 0);
    /* From now on it is the other one that is watched, without a new begin. */
    is_told_no_more(scene);
    put(file, "two again");
    host_wait(scene->host, scene->told > 0);
    is_told_no_more(scene);
    /* Two renames with a pause, in which there is nothing. */
    assert_int_equal(rename(r2, next), 0);
    host_wait(scene->host, scene->told > 0);
    is_told_no_more(scene);
    assert_int_equal(rename(r1, r2), 0);
    host_wait(scene->host, scene->told > 0);
    is_told_no_more(scene);
    /* What else happens there is nobody's news. */
    put(scene->other, "other");
    is_told_nothing(scene);
}

/* The first name on the way that is not there is watched for. */
static void a_way_that_is_not_there_yet_is_watched(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();

    (void)state;
    assert_int_equal(rmdir(scene->directory), 0);
    assert_int_equal(watch_begin(scene->watch), 0);
    assert_int_equal(mkdir(scene->directory, 0700), 0);
    host_wait(scene->host, scene->told > 0);
    is_told_no_more(scene);
    put(scene->path, "text");
    is_told(scene);
    assert_int_equal(unlink(scene->path), 0);
    assert_int_equal(rmdir(scene->directory), 0);
    host_wait(scene->host, scene->told > 0);
    assert_int_equal(watch_begin(scene->watch), 0);
}

/* What we may not read, we cannot watch; that we may, only its directory tells. */
static void permission_is_news(struct scene *scene, const char *where, mode_t later)
{
    assert_int_equal(chmod(where, 0), 0);
    (void)watch_begin(scene->watch);
    is_told_no_more(scene);
    scene->told = 0;
    assert_int_equal(chmod(where, later), 0);
    is_told(scene);
    put(scene->path, "readable");
    is_told(scene);
}

static void what_becomes_readable_is_told(void **state)
{
    CLEANUP(scene_free_cleanup) struct scene *scene = scene_new();
    CLEANUP(free_cleanup) char *directory = NULL;
    CLEANUP(free_cleanup) char *file = NULL;
    bool root = geteuid() == 0;

    (void)state;
    assert_true(asprintf(&directory, "%s/way", scene->directory) > 0);
    assert_true(asprintf(&file, "%s/file", directory) > 0);
    assert_int_equal(chmod(scene->directory, 0777), 0);
    if (root) { /* who may read everything, whatever its mode */
        assert_int_equal(seteuid(PRIVATE_NOBODY), 0);
    }
    if (mkdir(directory, 0755) == 0) {
        put(scene->path, "text");
        permission_is_news(scene, scene->path, 0644);
        scene->watch = watch_free(scene->watch);
        assert_int_equal(watch_new(scene->host->event, file, on_change, scene, &scene->watch), 0);
        free(scene->path);
        scene->path = strdup(file);
        put(file, "text");
        permission_is_news(scene, directory, 0755);
        permission_is_news(scene, file, 0644);
    }
    assert_int_equal(seteuid(getuid()), 0);
    if (access(file, F_OK) < 0) {
        SKIP("nobody cannot reach the directory for temporary files");
    }
}

TEST_GROUP("test-watch")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_every_kind_are_told),
        cmocka_unit_test(reading_is_no_change),
        cmocka_unit_test(what_was_before_is_not_told),
        cmocka_unit_test(what_a_link_leads_to_is_watched),
        cmocka_unit_test(a_link_to_a_directory_on_the_way_is_watched),
        cmocka_unit_test(a_way_that_is_not_there_yet_is_watched),
        cmocka_unit_test(what_becomes_readable_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
