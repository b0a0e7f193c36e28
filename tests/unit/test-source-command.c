/* SPDX-License-Identifier: MIT
 *
 * The source "command": one run, one record, or a reason why not.
 */
#include "source/source.h"
#include "source/drivers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

static struct host *open_command(const char *script, const struct source_settings *more,
                                 size_t capacity)
{
    return host_run("command", script, more, capacity);
}

static const struct source_settings none = {0};

static void assert_fails(struct host *host, const char *reason)
{
    unsigned before = host->failed;

    host_ask(host);
    assert_int_equal(host->failed, before + 1);
    host_asserts_reason(host, reason);
}

/* "one run for each refill" */
static void each_record_is_the_output_of_one_run(void **state)
{
    CLEANUP(private_directory_free_cleanup) char *directory = private_directory_new();
    CLEANUP(host_free_cleanup)
    struct host *host = open_command("echo >>runs; wc -l <runs; printf end",
                                     &(struct source_settings){.directory = directory}, 100);

    (void)state;
    assert_int_equal(host->answers, 0);
    host_ask(host);
    ASSERT_RECORD(host, "1\nend");
    host_is_silent(host);
    host_ask(host);
    ASSERT_RECORD(host, "2\nend");
    host_wait(host, is_childless());
}

static void no_output_is_a_record_without_bytes(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = open_command("exit 0", &none, 100);

    (void)state;
    host_ask(host);
    host_asserts_record(host, "", 0);
}

static void a_large_output_is_whole(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_command("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); "
                                     "done",
                                     &none, HOST_ROOM);
    CLEANUP(free_cleanup) char *expected = malloc(HOST_ROOM);
    size_t length = 0;

    (void)state;
    assert_non_null(expected);
    for (int i = 0; i < 20000; i++) {
        length += (size_t)snprintf(expected + length, HOST_ROOM - length, "line %d\n", i);
    }
    host_ask(host);
    host_asserts_record(host, expected, length);
}

/* "non-zero exit or signal, timeout, too much output: failed with the reason" */
static void a_run_that_is_not_well_fails(void **state)
{
    static const struct {
        const char *script, *reason;
        struct source_settings settings;
    } cases[] = {
        {"echo half; exit 7", "/bin/sh exited with status 7", {0}},
        {"echo half; kill -SEGV $$", "/bin/sh was ended by signal 11 (SIGSEGV)", {0}},
        {"echo half; sleep 1000",
         "/bin/sh took longer than source.timeout_ms allows, 200 ms, and was killed",
         {.timeout_usec = 200000}},
        {"exec >&-; sleep 1000", "took longer", {.timeout_usec = 200000}},
        {"trap '' TERM HUP INT; while :; do sleep 1; done",
         "took longer",
         {.timeout_usec = 200000}},
        {"echo 12345", "wrote more than source.output_max allows, 5 bytes", {.output_max = 5}},
        {"while :; do echo flood; done", "wrote more than", {.output_max = 50}},
        {"while :; do echo flood; done", "wrote more than", {.output_max = 5000000}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(host_free_cleanup)
        struct host *host = open_command(cases[i].script, &cases[i].settings, 100);

        assert_fails(host, cases[i].reason);
        assert_fails(host, cases[i].reason); /* and again */
        assert_int_equal(host->delivered, 0);
    }
}

static void what_does_not_fit_is_cut_off_and_too_long(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_command("while :; do echo flood; done", &none, 26);

    (void)state;
    host_ask(host);
    assert_int_equal(host->delivered, 1);
    assert_true(host->lengths[0] > 26);
    assert_memory_equal(host->records[0], "flood\nflood\nflood\nflood\nflo", 27);
    host_wait(host, is_childless());
}

static void what_it_says_is_for_the_log(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_command("echo one >&2; printf out; echo two >&2; exit 1", &none, 26);

    (void)state;
    assert_fails(host, "status 1");
    assert_int_equal(host->said, 2);
    assert_int_equal(host->words_length, 8);
    assert_memory_equal(host->words, "one\ntwo\n", 8);
}

static void what_it_leaves_behind_does_not_hold_it_up(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_command("sleep 1000 & printf text", &none, 26);

    (void)state;
    host_ask(host);
    ASSERT_RECORD(host, "text");
}

static void closed_in_the_middle_it_is_gone(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_command("echo $$ >&2; echo half; sleep 1000", &none, 26);
    pid_t pid;

    (void)state;
    source_ask(host->source);
    host_wait(host, host->said > 0);
    pid = (pid_t)atoi(host->words);
    assert_int_equal(kill(pid, 0), 0);
    host->source = source_close(host->source);
    assert_int_equal(host->answers, 0);
    host_wait(host, is_childless());
    assert_int_equal(kill(pid, 0), -1);
}

static void a_program_that_is_not_there_fails(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = host_new();
    char *const command[] = {word("/no/such/program"), NULL};
    struct source_settings settings = {.command = command};

    (void)state;
    host_open(host, "command", &settings, 26);
    assert_fails(host, "/no/such/program: No such file or directory");
}

TEST_GROUP("test-source-command")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_the_output_of_one_run),
        cmocka_unit_test(no_output_is_a_record_without_bytes),
        cmocka_unit_test(a_large_output_is_whole),
        cmocka_unit_test(a_run_that_is_not_well_fails),
        cmocka_unit_test(what_does_not_fit_is_cut_off_and_too_long),
        cmocka_unit_test(what_it_says_is_for_the_log),
        cmocka_unit_test(what_it_leaves_behind_does_not_hold_it_up),
        cmocka_unit_test(closed_in_the_middle_it_is_gone),
        cmocka_unit_test(a_program_that_is_not_there_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
