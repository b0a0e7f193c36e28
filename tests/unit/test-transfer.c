/* SPDX-License-Identifier: MIT
 *
 * "Each pushed record is published exactly once": killed after any instruction, the note says
 * whether the record counts, and the cursor is never between two records.
 */
#include "daemon/transfer.h"
#include "private.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SESSION 7
#define NEWEST  40 /* record of the segment, before */

/* What a daemon leaves behind. */
struct scene {
    struct transfer transfer;
    struct cursors cursors;
    uint64_t newest; /* the segment's, which the next daemon finds there */
};

static struct scene *scene_new(void)
{
    struct scene *scene = shared_new(sizeof(*scene));

    scene->newest = NEWEST;
    scene->cursors.all[3] = (struct cursor){
        .session = SESSION,
        .role = MESSAGE_PUBLISHER,
        .published = 9,
        .rejected = 2,
        .position = 640,
    };
    return scene;
}

static const struct transfer about = {
    .record = NEWEST + 1, .own = 10, .position = 704, .rejected = 2, .session = SESSION};

static void publish(void *userdata)
{
    struct scene *scene = userdata;

    transfer_note(&scene->transfer, &about);
    __atomic_store_n(&scene->newest, NEWEST + 1, __ATOMIC_RELEASE);
    transfer_done(&scene->transfer, &scene->cursors.all[3]);
}

/* Of a copy: what would the next daemon make of it? */
static bool counts_what_is_published(void *userdata)
{
    CLEANUP(free_cleanup) struct scene *copy = malloc(sizeof(*copy));
    const struct cursor *cursor = &copy->cursors.all[3];

    memcpy(copy, userdata, sizeof(*copy));
    transfer_settle(&copy->transfer, &copy->cursors, copy->newest);
    if (copy->newest == NEWEST) {
        return cursor->published == 9 && cursor->position == 640 && cursor->rejected == 2;
    }
    return cursor->published == 10 && cursor->position == 704 && cursor->rejected == 2;
}

static void killed_anywhere_it_counts_what_is_published(void **state)
{
    struct scene *scene = scene_new();
    long steps = step_through(publish, counts_what_is_published, scene);

    (void)state;
    if (steps < 0) {
        SKIP("nothing can be stepped through here");
    }
    assert_true(steps > 0);
}

/* The next one is noted over the one before, which is done. */
static void publish_next(void *userdata)
{
    struct scene *scene = userdata;
    struct transfer next = about;

    next.record++;
    next.own++;
    next.position += 64;
    transfer_note(&scene->transfer, &next);
}

static bool counts_only_the_first(void *userdata)
{
    CLEANUP(free_cleanup) struct scene *copy = malloc(sizeof(*copy));

    memcpy(copy, userdata, sizeof(*copy));
    transfer_settle(&copy->transfer, &copy->cursors, copy->newest);
    return copy->cursors.all[3].published == 10 && copy->cursors.all[3].position == 704;
}

static void killed_while_it_is_noted_it_is_no_note(void **state)
{
    struct scene *scene = scene_new();
    long steps;

    (void)state;
    publish(scene);
    steps = step_through(publish_next, counts_only_the_first, scene);
    if (steps < 0) {
        SKIP("nothing can be stepped through here");
    }
    assert_true(steps > 0);
}

/* Its number was given to somebody else's record. */
static void a_note_that_came_to_nothing_is_forgotten(void **state)
{
    struct scene *scene = scene_new();

    (void)state;
    transfer_note(&scene->transfer, &about);
    transfer_settle(&scene->transfer, &scene->cursors, NEWEST);
    transfer_settle(&scene->transfer, &scene->cursors, NEWEST + 5);
    assert_int_equal(scene->cursors.all[3].published, 9);
}

/* Rejected: under the number of a record that is there. */
static void a_rejected_record_counts_at_once(void **state)
{
    struct scene *scene = scene_new();
    struct transfer rejected = about;

    (void)state;
    rejected.record = NEWEST;
    rejected.rejected = 3;
    transfer_note(&scene->transfer, &rejected);
    transfer_settle(&scene->transfer, &scene->cursors, NEWEST);
    assert_int_equal(scene->cursors.all[3].published, 10);
    assert_int_equal(scene->cursors.all[3].rejected, 3);
}

static void nobody_elses_cursor_moves(void **state)
{
    struct scene *scene = scene_new();

    (void)state;
    scene->cursors.all[3].role = MESSAGE_SUBSCRIBER;
    scene->cursors.all[4] =
        (struct cursor){.session = SESSION + 1, .role = MESSAGE_PUBLISHER, .published = 1};
    transfer_note(&scene->transfer, &about);
    transfer_settle(&scene->transfer, &scene->cursors, NEWEST + 1);
    assert_int_equal(scene->cursors.all[3].published, 9);
    assert_int_equal(scene->cursors.all[4].published, 1);
}

TEST_GROUP("test-transfer")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_anywhere_it_counts_what_is_published),
        cmocka_unit_test(killed_while_it_is_noted_it_is_no_note),
        cmocka_unit_test(a_note_that_came_to_nothing_is_forgotten),
        cmocka_unit_test(a_rejected_record_counts_at_once),
        cmocka_unit_test(nobody_elses_cursor_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
