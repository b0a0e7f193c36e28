/* SPDX-License-Identifier: MIT
 *
 * The outbox: whenever the daemon is killed, each acknowledgement arrives exactly once, at a
 * journal and in a file.
 */
#include "daemon/outbox.h"

#include "own-journal.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

#define DEATHS  300
#define SOME    200 /* entries that are to arrive between two deaths, at most */
#define LINE    "shmd: record 1 acknowledged\n"
#define ENTRIES 3
#define MOST    (4 * SOME) /* that one daemon sends */
#define SEQ_MAX (DEATHS * MOST + 10)
#define BYTES   65536

/* What outlives a daemon. */
struct estate {
    struct outbox outbox;
    struct acklog acklog;
};

struct fixture {
    struct estate *estate;
    char *directory;
    char *path; /* of the file that is standard error */
    int old_stderr;
};

static void push(struct acklog *acklog)
{
    struct ack ack = {.record_first = 1, .record_last = 1, .records = 1};

    acklog_push(acklog, ACKLOG_ENTRIES, &ack);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    f->estate = shared_new(sizeof(*f->estate));
    f->directory = private_directory_new();
    f->old_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < ENTRIES; i++) {
        push(&f->estate->acklog);
    }
    return f->directory && asprintf(&f->path, "%s/log", f->directory) > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)dup2(f->old_stderr, STDERR_FILENO);
    (void)close(f->old_stderr);
    (void)munmap(f->estate, sizeof(*f->estate));
    (void)private_directory_free(f->directory);
    free(f->path);
    free(f);
    return 0;
}

static bool redirect(const char *path, int flags)
{
    CLEANUP(fd_close_cleanup)
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

    return dup2(fd, STDERR_FILENO) >= 0;
}

static struct entry *make(uint64_t number)
{
    struct entry *entry = entry_new(EVENT_ACKNOWLEDGED, "record %" PRIu64 " acknowledged", number);

    entry_add(entry, "SHMD_ACK_SEQ=%" PRIu64, number);
    return entry;
}

/* Sends the entry at the tail as a line, and is killed before it is popped. */
static void send_line(struct fixture *f)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = make(1);

    assert_int_equal(outbox_send(&f->estate->outbox, entry, 1, SINK_STDERR), 0);
}

/* After a settlement, this many entries have left the queue. */
static void assert_settled(struct fixture *f, uint64_t count)
{
    assert_int_equal(outbox_settle(&f->estate->outbox, &f->estate->acklog), 0);
    assert_int_equal(f->estate->acklog.tail, count);
    assert_int_equal(outbox_settle(&f->estate->outbox, &f->estate->acklog),
                     0); /* killed right behind it */
    assert_int_equal(f->estate->acklog.tail, count);
}

/* What is asked about another entry, which took the place of that one, is not answered for it. */
static void what_was_noted_of_another_entry_is_no_answer(void **state)
{
    struct fixture *f = *state;

    f->estate->outbox.sequence = OUTBOX_UNTOLD | 10;
    f->estate->outbox.note.msg_len = 1;
    assert_int_equal(outbox_has_sent(&f->estate->outbox, OUTBOX_UNTOLD | 10), 1);
    assert_int_equal(outbox_has_sent(&f->estate->outbox, OUTBOX_UNTOLD | 20), 0);
    assert_settled(f, 0);
}

/* --- the journal's note --- */

static void what_was_never_sent_stays(void **state)
{
    struct fixture *f = *state;

    assert_settled(f, 0);
    f->estate->outbox.sequence = 1; /* about to be sent */
    assert_settled(f, 0);
}

static void what_was_noted_leaves(void **state)
{
    struct fixture *f = *state;

    f->estate->outbox.sequence = 1;
    f->estate->outbox.note.msg_len = 300;
    assert_settled(f, 1);
}

/* Sent and popped, and the next one was not begun yet; or damaged. */
static void the_note_of_another_entry_is_none(void **state)
{
    struct fixture *f = *state;

    f->estate->outbox.note.msg_len = 300;
    assert_settled(f, 0); /* of none */
    f->estate->outbox.sequence = 3;
    assert_settled(f, 0);
    f->estate->outbox.sequence = UINT64_MAX;
    assert_settled(f, 0);
    acklog_pop(&f->estate->acklog);
    f->estate->outbox.sequence = 1;
    assert_settled(f, 1);
}

static void an_empty_queue_stays_empty(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < ENTRIES; i++) {
        acklog_pop(&f->estate->acklog);
    }
    f->estate->outbox.sequence = ENTRIES + 1;
    f->estate->outbox.note.msg_len = 300;
    assert_settled(f, ENTRIES);
    assert_true(acklog_valid(&f->estate->acklog));
}

/* The one before was sent; this one was not even tried, for want of a descriptor. */
static void the_note_of_the_entry_before_is_none(void **state)
{
    struct fixture *f = *state;
    CLEANUP(entry_free_cleanup) struct entry *entry = make(2);
    struct rlimit old, none;

    f->estate->outbox.sequence = 1;
    f->estate->outbox.note.msg_len = 300;
    acklog_pop(&f->estate->acklog);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(outbox_send(&f->estate->outbox, entry, 2, SINK_JOURNAL), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_settled(f, 1);
}

/* --- a line in a file --- */

static void a_line_that_is_there_was_sent(void **state)
{
    static const int flags[] = {0, O_APPEND};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        f->estate->acklog.tail = 0;
        assert_true(redirect(f->path, flags[i]));
        send_line(f);
        assert_settled(f, 1);
    }
}

static void a_line_that_is_not_there_was_not_sent(void **state)
{
    static const int flags[] = {0, O_APPEND};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        struct stat st;

        assert_true(redirect(f->path, flags[i]));
        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        send_line(f);
        assert_int_equal(ftruncate(STDERR_FILENO, st.st_size), 0);
        assert_settled(f, 0);
        assert_int_equal(write(STDERR_FILENO, LINE, strlen(LINE)), strlen(LINE));
    }
}

/* The same line stands there already, of another entry; and so do half of it, and others'. */
static void only_its_own_line_counts(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_true(redirect(f->path, O_APPEND));
    assert_int_equal(write(STDERR_FILENO, LINE LINE, 2 * strlen(LINE)), 2 * strlen(LINE));
    send_line(f);
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    assert_int_equal(ftruncate(STDERR_FILENO, st.st_size - 1), 0);
    assert_settled(f, 0);
}

static void others_may_write_in_between(void **state)
{
    struct fixture *f = *state;
    static char noise[60000];

    memset(noise, 'x', sizeof(noise));
    assert_true(redirect(f->path, O_APPEND));
    send_line(f);
    assert_int_equal(truncate(f->path, 0), 0);
    assert_int_equal(write(STDERR_FILENO, noise, sizeof(noise)), sizeof(noise));
    assert_int_equal(write(STDERR_FILENO, LINE, strlen(LINE)), strlen(LINE));
    assert_settled(f, 1);
}

/* The next daemon has another standard error, with the same line in it. */
static void another_file_says_nothing(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *other = NULL;

    assert_true(asprintf(&other, "%s/other", f->directory) > 0);
    assert_true(redirect(f->path, O_APPEND));
    send_line(f);
    assert_true(redirect(other, O_APPEND));
    assert_int_equal(write(STDERR_FILENO, LINE, strlen(LINE)), strlen(LINE));
    assert_settled(f, 0);
}

/* --- a file that takes no more --- */

/* No file may grow beyond that. */
static void limit_files(rlim_t most)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Tries to send the entry at the tail while there is room for so many bytes more. */
static int try_line(struct fixture *f, uint64_t sequence, off_t room)
{
    CLEANUP(entry_free_cleanup) struct entry *entry = make(sequence);
    struct stat st;
    int r;

    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    limit_files((rlim_t)(st.st_size + room));
    r = outbox_send(&f->estate->outbox, entry, sequence, SINK_STDERR);
    limit_files(RLIM_INFINITY);
    return r;
}

static void assert_file(const struct fixture *f, const char *text)
{
    static char buffer[BYTES];
    CLEANUP(fd_close_cleanup) int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, buffer, BYTES - 1);

    assert_true(length >= 0);
    buffer[length] = '\0';
    assert_string_equal(buffer, text);
}

/* "a file may take a part of it, and then no more" */
static void a_line_goes_on_where_it_ended(void **state)
{
    static const int flags[] = {0, O_APPEND};
    struct fixture *f = *state;

    (void)signal(SIGXFSZ, SIG_IGN); /* as the daemon does */
    for (size_t i = 0; i < 2; i++) {
        f->estate->acklog.tail = 0;
        (void)unlink(f->path);
        assert_true(redirect(f->path, flags[i]));
        assert_int_equal(try_line(f, 1, 0), -EFBIG);
        assert_settled(f, 0);
        assert_int_equal(try_line(f, 1, 10), -EFBIG);
        assert_int_equal(try_line(f, 1, 7), -EFBIG);
        assert_settled(f, 0); /* killed with a part of it */
        assert_int_equal(try_line(f, 1, 1000), 0);
        assert_file(f, LINE);
        assert_settled(f, 1);
        assert_int_equal(try_line(f, 2, 1000), 0);
        assert_file(f, LINE "shmd: record 2 acknowledged\n");
    }
}

/* What others have written behind a part of it is not torn further: the line follows as a whole. */
static void behind_others_a_line_is_written_anew(void **state)
{
    struct fixture *f = *state;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_true(redirect(f->path, O_APPEND));
    assert_int_equal(try_line(f, 1, 10), -EFBIG);
    assert_int_equal(write(STDERR_FILENO, "hello\n", 6), 6);
    assert_int_equal(try_line(f, 1, 1000), 0);
    assert_file(f, "shmd: recohello\n" LINE);
    assert_settled(f, 1);
}

/* The entry that comes next is another one: it does not begin in the midst. */
static void another_entry_is_written_as_a_whole(void **state)
{
    struct fixture *f = *state;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_true(redirect(f->path, O_APPEND));
    assert_int_equal(try_line(f, 1, 10), -EFBIG);
    assert_int_equal(try_line(f, 2, 1000), 0);
    assert_file(f, "shmd: recoshmd: record 2 acknowledged\n");
}

/* Nobody will ever read it; but it was not sent. */
static void a_line_that_nobody_can_read_is_not_sent(void **state)
{
    struct fixture *f = *state;
    CLEANUP(entry_free_cleanup) struct entry *entry = make(1);
    int ends[2];

    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(outbox_send(&f->estate->outbox, entry, 1, SINK_STDERR), -EPIPE);
    assert_settled(f, 0);
}

/* Of a pipe nobody can know: the line is written once more. */
static void a_pipe_says_nothing(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char line[100] = "";

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    send_line(f);
    assert_settled(f, 0);
    assert_int_equal(read(ends[0], line, sizeof(line)), strlen(LINE));
    assert_string_equal(line, LINE);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* It comes out of a file. */
static void a_damaged_outbox_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct outbox *outbox = &f->estate->outbox;

    assert_true(redirect(f->path, O_APPEND));
    send_line(f);
    outbox->line.length = UINT64_MAX;
    assert_settled(f, 0);
    outbox->line.length = 0;
    assert_settled(f, 0);
    outbox->line.length = ENTRY_LINE_MAX;
    outbox->line.place = UINT64_MAX;
    assert_settled(f, 0);
    outbox->line.place = INT64_MAX;
    assert_settled(f, 0);
}

/* --- killed at any moment --- */

/* A daemon: settles, and sends what it pushes until it is killed, or has sent enough. */
static void serve(struct estate *estate, enum sink sink)
{
    assert_int_equal(outbox_settle(&estate->outbox, &estate->acklog), 0);
    for (int i = 0; i < MOST; i++) {
        CLEANUP(entry_free_cleanup) struct entry *entry = NULL;
        uint64_t sequence;
        struct ack ack;

        if (acklog_waiting(&estate->acklog) < ENTRIES) {
            push(&estate->acklog);
        }
        (void)acklog_peek(&estate->acklog, &ack, &sequence);
        entry = make(sequence);
        if (outbox_send(&estate->outbox, entry, sequence, sink) < 0) {
            _exit(1);
        }
        acklog_pop(&estate->acklog);
    }
    for (;;) {
        (void)pause();
    }
}

/*
 * Notes the arrival of each entry that a text names, between these words. Of a line that crosses a
 * page of the file, a kill may leave the begin; the whole line follows.
 */
static void count_arrivals(unsigned char *arrived, const char *text, const char *before,
                           const char *after)
{
    while ((text = strstr(text, before))) {
        char *end;
        uint64_t sequence = strtoull(text += strlen(before), &end, 10);

        if (strncmp(end, after, strlen(after)) == 0) {
            assert_in_range(sequence, 1, SEQ_MAX - 1);
            arrived[sequence]++;
        }
    }
}

/* Each entry that left the queue has arrived, and none has twice. */
static void assert_arrived_once(const struct estate *estate, const unsigned char *arrived)
{
    assert_true(estate->acklog.tail > DEATHS);
    for (uint64_t sequence = 1; sequence < SEQ_MAX; sequence++) {
        assert_int_equal(arrived[sequence], sequence <= estate->acklog.tail);
    }
}

/* Takes some entries, and whatever is left when the daemon that sent them is dead. */
static void take_entries(int journal, unsigned char *arrived, size_t some)
{
    static char buffer[BYTES];
    int msec = some > 0 ? PATIENCE_MSEC : 0;

    for (size_t i = 0; some == 0 || i < some; i++) {
        if (own_journal_take(journal, msec, buffer, sizeof(buffer)) <= 0) {
            assert_int_equal(some, 0);
            return;
        }
        count_arrivals(arrived, buffer, "SHMD_ACK_SEQ=", "\n");
    }
}

static void killed_at_any_moment_each_entry_arrives_once(void **state)
{
    static unsigned char arrived[SEQ_MAX];
    struct fixture *f = *state;
    unsigned seed = 1;
    int journal;

    if (!own_run()) {
        SKIP("no mount namespace of its own");
    }
    journal = own_journal_listen();
    assert_true(journal >= 0);
    for (int i = 0; i < DEATHS; i++) {
        pid_t pid = child_start();

        if (pid == 0) {
            serve(f->estate, SINK_JOURNAL);
        }
        take_entries(journal, arrived, 1 + (size_t)rand_r(&seed) % SOME);
        child_end(pid);
        take_entries(journal, arrived, 0);
    }
    assert_int_equal(outbox_settle(&f->estate->outbox, &f->estate->acklog), 0);
    assert_arrived_once(f->estate, arrived);
    own_journal_close(journal);
}

/* Reads what there is of the log file, from `from` on, whole lines only. */
static size_t read_lines(const char *path, size_t from, char *buffer)
{
    CLEANUP(fd_close_cleanup) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = pread(fd, buffer, BYTES - 1, (off_t)from);
    const char *end;

    buffer[length > 0 ? length : 0] = '\0';
    end = strrchr(buffer, '\n');
    buffer[end ? end - buffer + 1 : 0] = '\0';
    return strlen(buffer);
}

static void killed_at_any_moment_each_line_is_written_once(void **state)
{
    static unsigned char arrived[SEQ_MAX];
    static char buffer[BYTES];
    struct fixture *f = *state;
    unsigned seed = 1;
    size_t from = 0, length;

    for (int i = 0; i < DEATHS; i++) {
        uint64_t before = f->estate->acklog.tail, more = 1 + (uint64_t)rand_r(&seed) % SOME;
        pid_t pid = child_start();

        if (pid == 0) {
            (void)redirect(f->path, O_APPEND);
            serve(f->estate, SINK_STDERR);
        }
        while (__atomic_load_n(&f->estate->acklog.tail, __ATOMIC_ACQUIRE) < before + more) {
            (void)sched_yield();
        }
        child_end(pid);
    }
    assert_true(redirect(f->path, O_APPEND));
    assert_int_equal(outbox_settle(&f->estate->outbox, &f->estate->acklog), 0);
    while ((length = read_lines(f->path, from, buffer)) > 0) {
        count_arrivals(arrived, buffer, "shmd: record ", " acknowledged\n");
        from += length;
    }
    assert_arrived_once(f->estate, arrived);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-outbox")
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_never_sent_stays),
        TEST(what_was_noted_of_another_entry_is_no_answer),
        TEST(what_was_noted_leaves),
        TEST(the_note_of_another_entry_is_none),
        TEST(the_note_of_the_entry_before_is_none),
        TEST(an_empty_queue_stays_empty),
        TEST(a_line_that_is_there_was_sent),
        TEST(a_line_that_is_not_there_was_not_sent),
        TEST(only_its_own_line_counts),
        TEST(others_may_write_in_between),
        TEST(another_file_says_nothing),
        TEST(a_line_goes_on_where_it_ended),
        TEST(behind_others_a_line_is_written_anew),
        TEST(another_entry_is_written_as_a_whole),
        TEST(a_line_that_nobody_can_read_is_not_sent),
        TEST(a_pipe_says_nothing),
        TEST(a_damaged_outbox_does_no_harm),
        TEST(killed_at_any_moment_each_line_is_written_once),
        TEST(killed_at_any_moment_each_entry_arrives_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
