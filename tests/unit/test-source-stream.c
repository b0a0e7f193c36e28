/* SPDX-License-Identifier: MIT
 *
 * The source "stream": each record once and in order, whatever the producer does.
 */
#include "source/source.h"
#include "source/drivers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

static const struct source_settings lines = {.framing = FRAMING_LINE};

static struct host *open_program(const char *script, const struct source_settings *more,
                                 size_t capacity)
{
    return host_run("stream", script, more, capacity);
}

static void assert_ends(struct host *host, const char *reason)
{
    host_ask(host);
    assert_int_equal(host->ended, 1);
    host_asserts_reason(host, reason);
}

/* --- a program --- */

static void each_record_is_the_next_line(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = open_program("seq 3; exit 4", &lines, 26);

    (void)state;
    assert_int_equal(host->answers, 0);
    host_ask(host);
    ASSERT_RECORD(host, "1");
    host_ask(host);
    ASSERT_RECORD(host, "2");
    host_ask(host);
    ASSERT_RECORD(host, "3");
    assert_ends(host, "/bin/sh exited with status 4");
}

static void many_records_come_in_order(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = open_program("seq 300000", &lines, 26);
    char expected[16];

    (void)state;
    for (unsigned i = 1; i <= 300000; i++) {
        if (i % 3000 == 0) {
            host_turn(host, 0);
        }
        source_ask(host->source);
        host_wait(host, host->answers == i);
        if (i <= HOST_RECORDS) {
            (void)snprintf(expected, sizeof(expected), "%u", i);
            ASSERT_RECORD(host, expected);
        }
    }
    assert_int_equal(host->delivered, 300000);
    assert_ends(host, "status 0");
}

/* What is left without a newline is a record, as it is for all who read lines. */
static void the_rest_of_a_line_is_a_record(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = open_program("printf 'a\\nrest'", &lines, 26);

    (void)state;
    host_ask(host);
    host_ask(host);
    ASSERT_RECORD(host, "rest");
    assert_ends(host, "status 0");
    assert_int_equal(host->said, 0);
}

/* … unless it may have been cut. */
static void the_rest_of_a_line_of_one_that_failed_is_none(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("printf 'a\\nre'; exit 1", &lines, 26);

    (void)state;
    host_ask(host);
    assert_ends(host, "status 1");
    assert_int_equal(host->delivered, 1);
    assert_string_equal(host->words, "2 bytes of a record that is not complete are dropped\n");
}

static void the_rest_of_a_frame_is_none(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host =
        open_program("printf abcdefgh",
                     &(struct source_settings){.framing = FRAMING_FIXED, .frame_size = 3}, 26);

    (void)state;
    host_ask(host);
    host_ask(host);
    ASSERT_RECORD(host, "def");
    assert_ends(host, "status 0");
    assert_string_equal(host->words, "2 bytes of a record that is not complete are dropped\n");
}

static long count_in(const char *path)
{
    CLEANUP(file_close_cleanup) FILE *file = fopen(path, "re");
    char text[32] = "";

    if (file) {
        (void)!fgets(text, sizeof(text), file);
    }
    return strtol(text, NULL, 10);
}

/* "read only when asked": the producer is as far as the pipe and the buffer are full. */
static void the_producer_waits(void **state)
{
    CLEANUP(private_directory_free_cleanup) char *directory = private_directory_new();
    CLEANUP(host_free_cleanup)
    struct host *host = open_program(
        "i=0; while :; do i=$((i+1)); echo $i >count; mv count counted; printf %01000d $i; done",
        &(struct source_settings){
            .framing = FRAMING_FIXED, .frame_size = 2, .directory = directory},
        26);
    CLEANUP(free_cleanup) char *path = NULL;
    long before = -1, now = 0;

    (void)state;
    assert_true(asprintf(&path, "%s/counted", directory) > 0);
    host_ask(host);
    for (uint64_t until = clock_usec() + HOST_USEC; now == 0 || now != before;) {
        assert_true(clock_usec() < until);
        before = now;
        for (int i = 0; i < 20; i++) {
            host_turn(host, 20000);
        }
        now = count_in(path);
    }
    assert_int_equal(host->delivered, 1);
}

static void a_byte_at_a_time_is_a_record_in_the_end(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("for c in s l o w; do printf $c; sleep 0.02; done; echo; "
                                     "sleep 1000",
                                     &lines, 26);

    (void)state;
    host_ask(host);
    ASSERT_RECORD(host, "slow");
}

static void a_line_that_is_too_long_keeps_its_length(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host =
        open_program("echo a; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo b", &lines, 26);

    (void)state;
    host_ask(host);
    ASSERT_RECORD(host, "a");
    host_ask(host);
    assert_int_equal(host->lengths[1], 3000000);
    host_ask(host);
    ASSERT_RECORD(host, "b");
}

/* Others have their turn meanwhile: ask returns, and the loop goes round. */
static void a_flood_without_an_end_holds_nobody_up(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("tr '\\0' x </dev/zero", &lines, 26);

    (void)state;
    source_ask(host->source);
    for (int i = 0; i < 100; i++) {
        host_turn(host, 10000);
    }
    assert_int_equal(host->answers, 0);
    host->source = source_close(host->source);
    host_wait(host, is_childless());
}

static void one_that_goes_on_without_its_output_is_ended(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("echo last; exec >&-; sleep 1000", &lines, 26);

    (void)state;
    host_ask(host);
    ASSERT_RECORD(host, "last");
    assert_ends(host, "ended by signal 9");
}

static void what_it_leaves_behind_does_not_hold_it_up(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("sleep 1000 & echo text; exit 2", &lines, 26);

    (void)state;
    host_ask(host);
    ASSERT_RECORD(host, "text");
    assert_ends(host, "status 2");
}

/* Whenever it is killed: what it has written is delivered, once and whole. */
static void killed_it_loses_nothing_that_it_has_written(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        CLEANUP(host_free_cleanup)
        struct host *host =
            open_program("echo $$; i=0; while :; do i=$((i+1)); echo $i; done", &lines, 26);
        unsigned count = 37 * i;
        pid_t pid;

        host_ask(host);
        pid = (pid_t)atoi(host->records[0]);
        for (unsigned j = 1; j <= count; j++) {
            host_ask(host);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (!host->ended) {
            host_ask(host);
        }
        for (unsigned j = 1; j < host->delivered && j < HOST_RECORDS; j++) {
            assert_int_equal(strtoul(host->records[j], NULL, 10), j);
        }
        assert_true(host->delivered > count);
        assert_non_null(strstr(host->reason, "signal 9 (SIGKILL)"));
    }
}

static void a_program_that_is_not_there_fails(void **state)
{
    CLEANUP(host_free_cleanup) struct host *host = host_new();
    char *const command[] = {word("/no/such/program"), NULL};
    struct source_settings settings = {.command = command};

    (void)state;
    host_open(host, "stream", &settings, 26);
    for (unsigned i = 1; i <= 2; i++) {
        host_ask(host);
        assert_int_equal(host->failed, i);
        assert_string_equal(host->reason, "/no/such/program: No such file or directory");
    }
}

/* --- retiring --- */

static void retired_a_program_yields_what_it_has_written(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host =
        open_program("seq 20000; echo said >&2; printf cut; sleep 1000", &lines, 26);
    unsigned count = 1;

    (void)state;
    host_ask(host);
    assert_true(source_retire(host->source));
    while (!host->ended) {
        host_ask(host);
        count += !host->ended;
    }
    assert_int_equal(host->delivered, count);
    for (unsigned i = 0; i < count && i < HOST_RECORDS; i++) {
        assert_int_equal(strtoul(host->records[i], NULL, 10), i + 1);
    }
    assert_string_equal(host->reason, "another source takes its place");
    host_wait(host, is_childless());
}

static void retired_with_nothing_left_it_says_so(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *idle = open_program("echo one; sleep 1000", &lines, 26);
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("echo one; sleep 1000", &lines, 26);

    (void)state;
    assert_false(source_retire(idle->source)); /* never asked */
    host_ask(host);
    source_ask(host->source);
    host_is_silent(host);
    assert_false(source_retire(host->source));
}

static void retired_in_the_middle_of_a_record_it_ends(void **state)
{
    CLEANUP(host_free_cleanup)
    struct host *host = open_program("echo one; printf half; sleep 1000", &lines, 26);

    (void)state;
    host_ask(host);
    source_ask(host->source);
    host_is_silent(host);
    if (source_retire(host->source)) {
        host_wait(host, host->ended == 1);
        assert_string_equal(host->words, "4 bytes of a record that is not complete are dropped\n");
    }
}

/* --- a FIFO --- */

struct fifo {
    struct host *host;
    char *directory;
    char *path;
};

static struct fifo *fifo_new(void)
{
    struct fifo *fifo = calloc(1, sizeof(*fifo));

    assert_non_null(fifo);
    fifo->host = host_new();
    fifo->directory = private_directory_new();
    assert_true(asprintf(&fifo->path, "%s/fifo", fifo->directory) > 0);
    assert_int_equal(mkfifo(fifo->path, 0600), 0);
    return fifo;
}

static struct fifo *fifo_free(struct fifo *fifo)
{
    fifo->host = host_free(fifo->host);
    fifo->directory = private_directory_free(fifo->directory);
    free(fifo->path);
    free(fifo);
    return NULL;
}

DEFINE_CLEANUP(struct fifo, fifo_free)

static void open_fifo(struct fifo *fifo, enum source_framing framing, uint64_t frame_size)
{
    struct source_settings settings = {
        .path = fifo->path, .framing = framing, .frame_size = frame_size};

    host_open(fifo->host, "stream", &settings, 26);
}

static int writer_new(const struct fifo *fifo)
{
    int fd = open(fifo->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* It is asked, and there is a writer who has written this. */
static int begin_fifo(struct fifo *fifo, const char *text)
{
    int fd;

    open_fifo(fifo, FRAMING_LINE, 0);
    source_ask(fifo->host->source);
    fd = writer_new(fifo);
    put(fd, text);
    return fd;
}

static void a_fifo_outlives_its_writers(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;

    (void)state;
    open_fifo(fifo, FRAMING_LINE, 0);
    source_ask(host->source);
    host_is_silent(host);
    for (unsigned i = 0; i < 50; i++) {
        int fd = writer_new(fifo);
        char text[16];

        (void)snprintf(text, sizeof(text), "%u\n", i);
        put(fd, text);
        if (i % 2 == 0) {
            (void)close(fd);
        }
        host_wait(host, host->delivered == i + 1);
        assert_int_equal(strtoul(host->records[i], NULL, 10), i);
        if (i % 2 == 1) {
            (void)close(fd);
        }
        source_ask(host->source);
    }
    host_is_silent(host);
    assert_int_equal(host->failed + host->ended, 0);
}

static void what_a_writer_left_unfinished_is_a_record(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;
    int fd = begin_fifo(fifo, "no newline");

    (void)state;
    host_is_silent(host);
    (void)close(fd);
    host_wait(host, host->delivered == 1);
    ASSERT_RECORD(host, "no newline");
    source_ask(host->source);
    fd = writer_new(fifo);
    put(fd, "next\n");
    (void)close(fd);
    host_wait(host, host->delivered == 2);
    ASSERT_RECORD(host, "next");
}

/* The next writer begins a record, whatever the one before it has left. */
static void a_frame_that_a_writer_left_unfinished_is_dropped(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;
    int fd;

    (void)state;
    open_fifo(fifo, FRAMING_FIXED, 4);
    source_ask(host->source);
    fd = writer_new(fifo);
    put(fd, "abc");
    (void)close(fd);
    host_wait(host, host->said == 1);
    fd = writer_new(fifo);
    put(fd, "defg");
    (void)close(fd);
    host_wait(host, host->delivered == 1);
    ASSERT_RECORD(host, "defg");
}

static void what_is_no_fifo_fails_until_there_is_one(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;
    int fd;

    (void)state;
    open_fifo(fifo, FRAMING_LINE, 0);
    assert_int_equal(unlink(fifo->path), 0);
    host_ask(host);
    assert_int_equal(host->failed, 1);
    assert_non_null(strstr(host->reason, "No such file"));
    assert_true(file_write(fifo->path, "text\n", 5));
    host_ask(host);
    assert_int_equal(host->failed, 2);
    assert_non_null(strstr(host->reason, "is not a FIFO"));
    assert_int_equal(unlink(fifo->path), 0);
    assert_int_equal(mkfifo(fifo->path, 0600), 0);
    source_ask(host->source);
    host_is_silent(host);
    fd = writer_new(fifo);
    put(fd, "text\n");
    host_wait(host, host->delivered == 1);
    (void)close(fd);
}

static bool has_reader(const struct fifo *fifo)
{
    CLEANUP(fd_close_cleanup) int fd = open(fifo->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    return fd >= 0;
}

/* What a writer writes is lost if a source takes it whose turn never comes. */
static void before_its_turn_no_writer_notices(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();

    (void)state;
    open_fifo(fifo, FRAMING_LINE, 0);
    assert_false(has_reader(fifo));
    source_start(fifo->host->source);
    assert_true(has_reader(fifo));
}

/* What is in the FIFO is the next reader's; but none gets half a record. */
static void retired_it_takes_no_more_than_a_record(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;
    char rest[16] = "";
    int fd = begin_fifo(fifo, "one\ntwo\nthr");

    (void)state;
    host_wait(host, host->delivered == 1);
    assert_true(source_retire(host->source));
    put(fd, "ee\nfour\n");
    host_ask(host);
    ASSERT_RECORD(host, "two");
    host_ask(host);
    ASSERT_RECORD(host, "three");
    host_ask(host);
    assert_int_equal(host->ended, 1);
    assert_int_equal(host->said, 0);
    (void)close(fd);
    fd = open(fifo->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    (void)!read(fd, rest, sizeof(rest) - 1);
    (void)close(fd);
    /* (With its last reader, what was in it is gone: who comes next opens it before that.) */
    assert_true(strcmp(rest, "") == 0 || strcmp(rest, "four\n") == 0);
}

/* … nor a half that only comes when the other one has been waited for in vain at first. */
static void retired_it_waits_for_the_second_half(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;
    int fd = begin_fifo(fifo, "ha");
    uint64_t retired;

    (void)state;
    host_is_silent(host);
    retired = clock_usec();
    assert_true(source_retire(host->source));
    for (int i = 0; i < 10; i++) {
        host_turn(host, 10000);
    }
    put(fd, "lf\nnext\n");
    INCONCLUSIVE_AFTER(retired, USEC_PER_SEC); /* for so long it waits */
    assert_int_equal(host->answers, 0);
    host_wait(host, host->delivered == 1);
    ASSERT_RECORD(host, "half");
    host_ask(host);
    assert_int_equal(host->ended, 1);
    assert_int_equal(host->said, 0);
    (void)close(fd);
}

static void retired_it_does_not_wait_for_ever(void **state)
{
    CLEANUP(fifo_free_cleanup) struct fifo *fifo = fifo_new();
    struct host *host = fifo->host;
    int fd = begin_fifo(fifo, "half");

    (void)state;
    host_is_silent(host);
    assert_true(source_retire(host->source));
    host_wait(host, host->ended == 1);
    assert_string_equal(host->words, "4 bytes of a record that is not complete are dropped\n");
    (void)close(fd);
}

static void settings_are_checked(void **state)
{
    char *const command[] = {word("/bin/date"), NULL};
    char *const empty[] = {NULL};
    const struct {
        struct source_settings settings;
        const char *setting;
    } cases[] = {
        {{.command = empty, .path = ""}, "source.path"},
        {{.command = command, .path = "/fifo"}, "source.path"},
        {{.command = empty, .path = "fifo"}, "source.path"},
        {{.command = command, .directory = "tmp"}, "source.directory"},
        {{.command = command, .framing = FRAMING_FIXED}, "source.frame_size"},
        {{.command = command, .framing = FRAMING_FIXED, .frame_size = 1}, NULL},
        {{.command = command, .framing = FRAMING_LENGTH}, NULL},
        {{.path = "/fifo"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *setting;
        const char *objection = source_check(&source_stream, &cases[i].settings, &setting);

        if (cases[i].setting) {
            assert_non_null(objection);
            assert_string_equal(setting, cases[i].setting);
        } else {
            assert_null(objection);
        }
    }
}

TEST_GROUP("test-source-stream")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_the_next_line),
        cmocka_unit_test(many_records_come_in_order),
        cmocka_unit_test(the_rest_of_a_line_is_a_record),
        cmocka_unit_test(the_rest_of_a_line_of_one_that_failed_is_none),
        cmocka_unit_test(the_rest_of_a_frame_is_none),
        cmocka_unit_test(the_producer_waits),
        cmocka_unit_test(a_byte_at_a_time_is_a_record_in_the_end),
        cmocka_unit_test(a_line_that_is_too_long_keeps_its_length),
        cmocka_unit_test(a_flood_without_an_end_holds_nobody_up),
        cmocka_unit_test(one_that_goes_on_without_its_output_is_ended),
        cmocka_unit_test(what_it_leaves_behind_does_not_hold_it_up),
        cmocka_unit_test(killed_it_loses_nothing_that_it_has_written),
        cmocka_unit_test(a_program_that_is_not_there_fails),
        cmocka_unit_test(retired_a_program_yields_what_it_has_written),
        cmocka_unit_test(retired_with_nothing_left_it_says_so),
        cmocka_unit_test(retired_in_the_middle_of_a_record_it_ends),
        cmocka_unit_test(a_fifo_outlives_its_writers),
        cmocka_unit_test(what_a_writer_left_unfinished_is_a_record),
        cmocka_unit_test(a_frame_that_a_writer_left_unfinished_is_dropped),
        cmocka_unit_test(what_is_no_fifo_fails_until_there_is_one),
        cmocka_unit_test(before_its_turn_no_writer_notices),
        cmocka_unit_test(retired_it_takes_no_more_than_a_record),
        cmocka_unit_test(retired_it_waits_for_the_second_half),
        cmocka_unit_test(retired_it_does_not_wait_for_ever),
        cmocka_unit_test(settings_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
