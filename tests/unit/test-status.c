/* SPDX-License-Identifier: MIT
 *
 * The status: what it says, and who is told what.
 */
#include "daemon/status.h"

#include "fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define RING  "layout = \"ring\"; mode = \"0644\"; size = 4096; spin_us = 0; "
#define ALICE ((uid_t)4000000001)

static int set_up_daemon(void **state)
{
    int r = set_up(state);

    (void)start(*state, RING);
    return r;
}

/* As this user is told; freed by the caller. */
static char *ask(const struct fixture *f, uid_t uid)
{
    struct session asker = {.identity = {.uid = uid}};
    char *json = status_json(f->daemon.manager, &asker);

    assert_non_null(json);
    return json;
}

static bool says(const struct fixture *f, uid_t uid, const char *part)
{
    CLEANUP(free_cleanup) char *json = ask(f, uid);

    return strstr(json, part) != NULL;
}

static void it_says_how_the_daemon_is(void **state)
{
    struct fixture *f = *state;
    const struct manager *manager = f->daemon.manager;
    CLEANUP(free_cleanup) char *expected = NULL;
    CLEANUP(free_cleanup) char *json = ask(f, 0);

    assert_true(asprintf(&expected,
                         "{\"instance\":\"unit\",\"layout\":\"ring\",\"when_full\":\"wait\","
                         "\"key\":\"0x0000162e\",\"segment\":%d,\"size\":4096,\"mode\":\"0644\","
                         "\"version\":\"" PACKAGE_VERSION "\",\"uptime_s\":0,\"lease_ms\":10000,"
                         "\"allow_subscribe\":\"*\",\"allow_publish\":\"\","
                         "\"source\":\"alphabet\","
                         "\"epoch\":\"%s\",\"records\":%" PRIu64 ",\"acknowledged\":0,"
                         "\"rejected\":0,\"subscribers\":0,\"publishers\":0,\"sessions\":[]}",
                         manager->segment.id, SD_ID128_TO_STRING(manager->state->file->epoch),
                         board_newest(&manager->board)) > 0);
    assert_string_equal(json, expected);
}

static void it_says_how_a_subscriber_is(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *expected = NULL;
    uint64_t last;

    assert_int_equal(daemon_subscribe(&f->daemon, &f->a), 0);
    peer_acknowledge(&f->a, 5);
    daemon_turn(&f->daemon);
    last = newest(f);
    assert_true(
        asprintf(
            &expected,
            "\"acknowledged\":5,\"rejected\":0,\"subscribers\":1,\"publishers\":0,\"sessions\":[{"
            "\"role\":\"subscriber\",\"pid\":%d,\"uid\":%u,\"gid\":%u,\"name\":\"peer\","
            "\"acknowledged\":5,"
            "\"behind\":%" PRIu64 ",\"lost\":0,\"lease_left_ms\":",
            (int)getpid(), (unsigned)geteuid(), (unsigned)getegid(), last - 5) > 0);
    daemon_flush(&f->daemon);
    assert_true(says(f, 0, expected));
}

/* "Anyone is told the totals and its own sessions; others' only root and the daemon's own user". */
static void others_are_shown_to_root_only(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;

    if (geteuid() != 0) {
        skip();
    }
    assert_true(peer_connect_as(&f->a, f->daemon.socket_path, ALICE, ALICE, NULL, 0));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(&f->a, f->daemon.manager->event, &hello), 0);
    assert_true(says(f, 0, "\"name\":\"peer\""));
    assert_true(says(f, geteuid(), "\"name\":\"peer\""));
    assert_true(says(f, ALICE, "\"name\":\"peer\""));
    assert_false(says(f, ALICE + 1, "peer"));
    assert_true(says(f, ALICE + 1, "\"subscribers\":1,\"publishers\":0,\"sessions\":[]"));
}

static void who_only_asks_is_no_subscriber(void **state)
{
    struct fixture *f = *state;

    assert_true(peer_connect(&f->a, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_true(says(f, 0, "\"subscribers\":0,\"publishers\":0,\"sessions\":[]"));
}

/* What a client calls itself ends no string and no object. */
static void names_are_escaped(void **state)
{
    struct message_hello hello = peer_hello(MESSAGE_START_OLDEST);
    struct fixture *f = *state;

    memcpy(hello.name, "\"}],\\\n\x01\xc3\xa9", 10);
    assert_true(peer_connect(&f->a, f->daemon.socket_path));
    run_loop(f->daemon.manager->event);
    assert_int_equal(peer_subscribe(&f->a, f->daemon.manager->event, &hello), 0);
    assert_true(says(f, 0, "\"name\":\"\\\"}],\\\\____\""));
}

/* As many sessions as there may be: the answer is still one message, and still JSON. */
static void a_crowd_fits_into_the_answer(void **state)
{
    struct fixture *f = *state;
    struct sessions *sessions = f->daemon.manager->sessions;
    struct session *crowd = calloc(CURSORS_MAX, sizeof(*crowd));
    struct page page = {0};
    struct cursor cursor = {0};
    CLEANUP(free_cleanup) char *json = NULL;

    for (size_t i = 0; i < CURSORS_MAX; i++) {
        crowd[i] =
            (struct session){.next = i ? &crowd[i - 1] : NULL, .page = &page, .cursor = &cursor};
        crowd[i].identity.pid = INT32_MAX;
        crowd[i].identity.uid = crowd[i].identity.gid = UINT32_MAX;
        memset(crowd[i].identity.name, '"', ACK_NAME_SIZE - 1);
        crowd[i].acknowledged = crowd[i].lost = UINT64_MAX;
    }
    sessions->first = &crowd[CURSORS_MAX - 1];
    json = ask(f, 0);
    sessions->first = NULL;
    free(crowd);
    assert_true(strlen(json) > 100000);
    assert_true(strlen(json) <= MESSAGE_REPORT_MAX);
    assert_string_equal(json + strlen(json) - 3, "}]}");
}

/* Since when, and the last reason; as soon as there is a record again, nothing. */
static void a_source_that_fails_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct manager *manager = f->daemon.manager;
    const struct source *source = manager->intake.feed.source;
    CLEANUP(free_cleanup) char *json = NULL;
    uint64_t since;

    source_fail(source, "one \"quote\"");
    since = manager->intake.trouble.since_usec;
    assert_true(since > 0);
    source_fail(source, "another one");
    assert_int_equal(manager->intake.trouble.since_usec, since);
    json = ask(f, ALICE);
    assert_non_null(strstr(json, "\"source\":\"alphabet\",\"source_fails_since\":\"20"));
    assert_non_null(strstr(json, "Z\",\"source_error\":\"another one\",\"epoch\""));
    status_notify(manager);
    assert_non_null(
        strstr(manager->status, "source alphabet yields no record: another one; ring, "));
    intake_note(manager, false);
    assert_false(says(f, 0, "source_error"));
    status_notify(manager);
    assert_null(strstr(manager->status, "another one"));
}

/* The whole of a long setting, or of a reason, would leave no room for the rest. */
static void what_is_long_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct conf *conf = f->daemon.manager->conf;
    CLEANUP(free_cleanup) char *json = NULL;

    free(conf->allow_publish);
    conf->allow_publish = calloc(1, CONF_FILE_MAX);
    memset(conf->allow_publish, '\x01', CONF_FILE_MAX - 1);
    json = ask(f, 0);
    assert_true(strlen(json) < 8192);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_daemon, tear_down)

TEST_GROUP("test-status")
{
    const struct CMUnitTest tests[] = {
        TEST(it_says_how_the_daemon_is),
        TEST(it_says_how_a_subscriber_is),
        TEST(others_are_shown_to_root_only),
        TEST(who_only_asks_is_no_subscriber),
        TEST(names_are_escaped),
        TEST(a_crowd_fits_into_the_answer),
        TEST(a_source_that_fails_is_told_of),
        TEST(what_is_long_is_cut_off),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
