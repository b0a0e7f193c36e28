/* SPDX-License-Identifier: MIT
 *
 * Programs that sources run: what they are given, how their end is told, and that none is left.
 */
#include "source/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

struct run {
    struct host *host;
    struct source source;
    struct program *program;
    int output;
    unsigned ends;
    char text[PROGRAM_TEXT_MAX];
    char written[65536];
    size_t length;
};

static void on_exit_of(void *userdata)
{
    ((struct run *)userdata)->ends++;
}

static int start(struct run *run, char *const *command, char *const *environment)
{
    *run = (struct run){.host = host_new(), .output = -1};
    run->source.context = host_context(run->host, 100);
    run->source.context.settings.command = command;
    run->source.context.settings.environment = environment;
    return program_start(&run->source, on_exit_of, run, &run->program, &run->output, run->text);
}

static void run_free(struct run *run)
{
    run->program = program_free(run->program);
    run->output = fd_close(run->output);
    run->host = host_free(run->host);
}

static void finish(struct run *run)
{
    ssize_t n;

    host_wait(run->host, run->ends > 0);
    assert_int_equal(run->ends, 1);
    assert_true(program_is_over(run->program));
    while ((n = read(run->output, run->written + run->length,
                     sizeof(run->written) - 1 - run->length)) > 0) {
        run->length += (size_t)n;
    }
    run->written[run->length] = '\0';
    program_describe(run->program, run->text);
}

static void what_it_writes_and_says_comes(void **state)
{
    CLEANUP(run_free) struct run run;

    (void)state;
    assert_int_equal(start(&run, SHELL("echo out; echo one >&2; echo; printf two >&2"), NULL), 0);
    finish(&run);
    assert_string_equal(run.written, "out\n\n");
    assert_string_equal(run.host->words, "one\ntwo\n");
    assert_true(program_is_well(run.program));
    assert_string_equal(run.text, "/bin/sh exited with status 0");
}

static void its_end_is_described(void **state)
{
    CLEANUP(run_free) struct run first;
    CLEANUP(run_free) struct run second;

    (void)state;
    assert_int_equal(start(&first, SHELL("exit 3"), NULL), 0);
    finish(&first);
    assert_false(program_is_well(first.program));
    assert_string_equal(first.text, "/bin/sh exited with status 3");
    assert_int_equal(start(&second, SHELL("kill -TERM $$"), NULL), 0);
    finish(&second);
    assert_false(program_is_well(second.program));
    assert_string_equal(second.text, "/bin/sh was ended by signal 15 (SIGTERM)");
}

/* "environment and working directory from the configuration" */
static void the_environment_is_the_configured_one(void **state)
{
    char *const environment[] = {word("A=1"), word("B=two words"), NULL};
    CLEANUP(run_free) struct run run;

    (void)state;
    assert_int_equal(setenv("SHMD_UNIT", "secret", 1), 0);
    assert_int_equal(start(&run, (char *const[]){word("/usr/bin/env"), NULL}, environment), 0);
    finish(&run);
    assert_string_equal(run.written, "A=1\nB=two words\n");
}

static void it_runs_in_the_configured_directory(void **state)
{
    CLEANUP(private_directory_free_cleanup) char *directory = private_directory_new();
    CLEANUP(free_cleanup) char *expected = NULL;
    CLEANUP(run_free) struct run run = {.host = host_new(), .output = -1};

    (void)state;
    run.source.context = host_context(run.host, 100);
    run.source.context.settings.command = SHELL("pwd -P");
    run.source.context.settings.directory = directory;
    assert_int_equal(
        program_start(&run.source, on_exit_of, &run, &run.program, &run.output, run.text), 0);
    finish(&run);
    assert_true(asprintf(&expected, "%s\n", directory) > 0);
    assert_string_equal(run.written, expected);
}

/* No descriptor but three, no signal blocked or ignored, a session of its own, no input. */
static void it_inherits_nothing(void **state)
{
    /* (Two signals of its own, the C library leaves ignored: those above the last seven digits.) */
    static const char script[] =
        "i=0; while [ $i -lt 256 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i + 1)); done;"
        "read -r pid x x x x sid rest </proc/$$/stat; [ $sid = $pid ] && echo leads;"
        "read line || echo end;"
        "while read name value; do case $name in SigBlk:|SigIgn:) "
        "echo $name ${value#?????????};; esac; done </proc/$$/status";
    CLEANUP(run_free) struct run run;
    CLEANUP(fd_close_cleanup) int leak = open("/dev/null", O_RDONLY);
    sigset_t set;
    int high = fcntl(leak, F_DUPFD, 200);

    (void)state;
    assert_true(leak >= 0 && high >= 0);
    (void)sigfillset(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(start(&run, SHELL(script), NULL), 0);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    finish(&run);
    (void)close(high);
    assert_string_equal(run.written, "0\n1\n2\nleads\nend\nSigBlk: 0000000\n"
                                     "SigIgn: 0000000\n");
}

static void what_cannot_be_run_is_named(void **state)
{
    CLEANUP(run_free) struct run first, second, third;

    (void)state;
    assert_int_equal(start(&first, (char *const[]){word("/no/such"), NULL}, NULL), -ENOENT);
    assert_string_equal(first.text, "/no/such: No such file or directory");
    assert_int_equal(start(&second, (char *const[]){word("/etc/passwd"), NULL}, NULL), -EACCES);
    assert_non_null(strstr(second.text, "/etc/passwd: Permission denied for "));
    third = (struct run){.host = host_new(), .output = -1};
    third.source.context = host_context(third.host, 100);
    third.source.context.settings.command = SHELL("true");
    third.source.context.settings.directory = "/no/directory";
    assert_int_equal(
        program_start(&third.source, on_exit_of, &third, &third.program, &third.output, third.text),
        -ENOENT);
    assert_string_equal(third.text, "/no/directory: No such file or directory");
}

/* "the whole process group is killed and reaped" */
static bool is_gone(const char *pid)
{
    char path[64], status[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    file = fopen(path, "re");
    if (!file) {
        return true;
    }
    (void)!fgets(status, sizeof(status), file);
    (void)fclose(file);
    return strstr(status, ") Z ") != NULL;
}

static void nobody_is_left(void **state)
{
    static const char *const scripts[] = {
        "sleep 1000 & echo $!; exit 0", /* it ends, what it started does not */
        "trap '' TERM HUP; sleep 1000 & echo $!; wait",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(run_free) struct run run;
        char *newline;

        assert_int_equal(start(&run, SHELL(scripts[i]), NULL), 0);
        while (!strchr(run.written, '\n')) {
            ssize_t n = read(run.output, run.written + run.length, 100);

            run.length += n > 0 ? (size_t)n : 0;
            host_turn(run.host, 1000);
        }
        newline = strchr(run.written, '\n');
        *newline = '\0';
        if (i == 0) {
            finish(&run);
        } else {
            assert_false(is_gone(run.written));
            run.program = program_free(run.program);
            assert_int_equal(run.ends, 0);
        }
        host_wait(run.host, is_gone(run.written) && is_childless());
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
    }
}

static void killed_it_tells_its_end(void **state)
{
    CLEANUP(run_free) struct run run;

    (void)state;
    assert_int_equal(start(&run, SHELL("echo before >&2; sleep 1000"), NULL), 0);
    host_wait(run.host, run.host->said > 0);
    program_kill(run.program);
    finish(&run);
    assert_string_equal(run.text, "/bin/sh was ended by signal 9 (SIGKILL)");
}

static void settings_are_checked(void **state)
{
    const struct {
        char *command, *environment;
        const char *directory, *setting;
    } cases[] = {
        {NULL, NULL, "/", "source.command"},
        {word("date"), NULL, "/", "source.command"},
        {word(""), NULL, "/", "source.command"},
        {word("/bin/date"), word("NAME"), "/", "source.environment"},
        {word("/bin/date"), word("=value"), "/", "source.environment"},
        {word("/bin/date"), word("NAME="), "tmp", "source.directory"},
        {word("/bin/date"), word("NAME="), "", "source.directory"},
        {word("/bin/date"), word("NAME=a=b"), "/", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *const command[] = {cases[i].command, NULL};
        char *const environment[] = {cases[i].environment, NULL};
        struct source_settings settings = {
            .command = command, .environment = environment, .directory = cases[i].directory};
        const char *setting;
        const char *objection = program_check(&settings, &setting);

        if (cases[i].setting) {
            assert_non_null(objection);
            assert_string_equal(setting, cases[i].setting);
        } else {
            assert_null(objection);
        }
    }
}

TEST_GROUP("test-program")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_and_says_comes),
        cmocka_unit_test(its_end_is_described),
        cmocka_unit_test(the_environment_is_the_configured_one),
        cmocka_unit_test(it_runs_in_the_configured_directory),
        cmocka_unit_test(it_inherits_nothing),
        cmocka_unit_test(what_cannot_be_run_is_named),
        cmocka_unit_test(nobody_is_left),
        cmocka_unit_test(killed_it_tells_its_end),
        cmocka_unit_test(settings_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
