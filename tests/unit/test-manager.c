/* SPDX-License-Identifier: MIT
 *
 * The manager: what it does with what a source answers, with acknowledgements, with a segment that
 * is taken away, and with a reload. Its segments are real ones, in a namespace of their own; its
 * sources are played by the tests.
 */
#include "daemon/manager.h"

#include "base/clock.h"
#include "daemon.h"
#include "daemon/statename.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/sem.h>
#include <sysexits.h>

#include <cmocka.h>

#define KEY     0x162e
#define OTHER   0x162f
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define SHMMNI  "/proc/sys/kernel/shmmni"

struct answer {
    int error;
    const char *record;
    size_t length;
};

/* A source that answers what a test has written down, and then nothing. */
struct script {
    struct source source;
    const struct answer *answers;
    size_t count;
    size_t asked;
};

struct fixture {
    char *directory;
    char *path;
    struct manager *manager;
    struct script script;
};

static void script_ask(struct source *source)
{
    struct script *script = (struct script *)source;
    const struct answer *answer;
    size_t room;
    char *place;

    if (script->asked++ >= script->count) {
        return;
    }
    answer = &script->answers[script->asked - 1];
    if (answer->error < 0) {
        source_fail(source, strerror(-answer->error));
        return;
    }
    room = answer->length;
    place = source_place(source, &room);
    memcpy(place, answer->record, room);
    source_deliver(source, answer->length);
}

static void script_close(struct source *source)
{
    (void)source;
}

static const struct source_driver script_driver = {
    .name = "script", .ask = script_ask, .close = script_close};

/* Puts a script in the place of the manager's source. */
static void play(struct fixture *f, const struct answer *answers, size_t count)
{
    f->script = (struct script){
        .source = {.driver = &script_driver, .context = f->manager->intake.feed.source->context},
        .answers = answers,
        .count = count};
    (void)source_close(f->manager->intake.feed.source);
    f->manager->intake.feed.source = &f->script.source;
    f->manager->intake.refill = (struct refill){0};
}

/* Writes the configuration file. */
static void configure(const struct fixture *f, const char *text)
{
    assert_true(file_write(f->path, text, strlen(text)));
}

/* Starts a manager; the exit status if it does not start. */
static int start(struct fixture *f)
{
    CLEANUP(free_cleanup) char *message = NULL;
    struct conf *conf = NULL;
    int status = EXIT_SUCCESS;

    assert_int_equal(conf_load(f->path, &conf, &message), 0);
    assert_int_equal(manager_check(conf, &message), 0);
    return manager_new(conf, "unit", NULL, &f->manager, &status) < 0 ? status : EXIT_SUCCESS;
}

/* A look, and what the loop does next. */
static void look(struct manager *manager)
{
    (void)manager_look(manager);
    (void)manager_refill(manager);
    log_wake(manager->log);
}

static void stop(struct fixture *f)
{
    f->manager = manager_free(f->manager);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f) {
        return -1;
    }
    *state = f;
    mock_journal_reset();
    mock_shmget = NULL;
    f->directory = private_directory_new();
    if (!f->directory || asprintf(&f->path, "%s/shmd.conf", f->directory) < 0 ||
        !daemon_set_environment(f->directory)) {
        return -1;
    }
    configure(f, "");
    return start(f) == EXIT_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    const uint32_t keys[] = {KEY, OTHER};

    mock_journal_reset();
    mock_shmget = NULL;
    stop(f);
    for (size_t i = 0; i < 2; i++) {
        int id = shmget((key_t)keys[i], 0, 0);

        if (id >= 0) {
            (void)shmctl(id, IPC_RMID, NULL);
        }
    }
    f->directory = private_directory_free(f->directory);
    free(f->path);
    free(f);
    return 0;
}

static uint64_t number(const struct fixture *f)
{
    return state_number(f->manager->state->file);
}

static void acknowledge(struct fixture *f)
{
    assert_true(plain_acknowledge(f->manager->segment.map, f->manager->segment.map[0]));
    look(f->manager);
}

/* Runs the loop until the script was asked that often. */
static void run_until_asked(struct fixture *f, size_t times)
{
    uint64_t end = clock_usec() + PATIENCE_USEC;

    while (f->script.asked < times && clock_usec() < end) {
        assert_true(sd_event_run(f->manager->event, USEC_PER_SEC) >= 0);
    }
    assert_int_equal(f->script.asked, times);
}

/* Waits for an entry of an event, and returns its index. */
static size_t logged(const char *event)
{
    int i = daemon_logged(event);

    assert_true(i >= 0);
    return (size_t)i;
}

/* How many entries of an event there are, when all have arrived: stops the manager. */
static size_t logged_in_all(struct fixture *f, const char *event)
{
    size_t count = 0;

    stop(f);
    for (size_t i = 0; i < mock_journal_count(); i++) {
        count += strcmp(mock_journal_field(i, "SHMD_EVENT"), event) == 0;
    }
    return count;
}

static void assert_segment(const struct fixture *f, uint32_t key, size_t size, int mode)
{
    struct segment_stat stat;

    assert_int_equal(f->manager->segment.key, key);
    assert_int_equal(f->manager->segment.size, size);
    assert_int_equal(shmget((key_t)key, 0, 0), f->manager->segment.id);
    assert_int_equal(segment_query(f->manager->segment.id, &stat), 0);
    assert_int_equal(stat.size, size);
    assert_int_equal(stat.mode, mode);
    assert_false(stat.removed);
    assert_int_equal(f->manager->state->file->image_size, size);
}

/* --- the main job --- */

static void a_start_publishes_and_each_acknowledgement_refills(void **state)
{
    struct fixture *f = *state;

    assert_segment(f, KEY, 27, 0666);
    manager_refill(f->manager);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(number(f), i);
        assert_string_equal(f->manager->segment.map, LETTERS);
        acknowledge(f);
    }
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 3);
    assert_int_equal(logged_in_all(f, "acknowledged"), 3);
}

static void without_an_acknowledgement_nothing_happens(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    manager_refill(f->manager);
    look(f->manager);
    assert_int_equal(number(f), 1);
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 0);
}

/* The pid is the kernel's word, shm_lpid; our own is no client's. */
static void the_last_one_who_attached_is_the_client(void **state)
{
    struct fixture *f = *state;
    int id = f->manager->segment.id;
    pid_t pid;

    manager_refill(f->manager);
    pid = child_start();
    if (pid == 0) {
        char *map = shmat(id, NULL, 0);

        _exit(map != (char *)-1 && plain_acknowledge(map, 'a') && shmdt(map) == 0 ? 0 : 1);
    }
    assert_int_equal(child_wait(pid), 0);
    look(f->manager);
    assert_int_equal(mock_journal_number(logged("acknowledged"), "SHMD_CLIENT_PID"), pid);
}

/* "Killed between the log and record_done(), an earlier daemon has logged it already." */
static void an_acknowledgement_is_never_logged_twice(void **state)
{
    struct fixture *f = *state;
    struct ack ack;

    manager_refill(f->manager);
    acknowledge(f);
    f->manager->segment.map[0] = '*';
    ack = record_ack(&f->manager->board.record, 1);
    record_note_star(&f->manager->board.record);
    log_acknowledgement(f->manager->log, &ack);
    log_wake(f->manager->log);
    f->manager->leave = true;
    stop(f);
    assert_int_equal(start(f), EXIT_SUCCESS);
    look(f->manager);
    assert_int_equal(number(f), 3);
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 2);
    f->manager->segment.map[0] = '*'; /* but the next record's is another one */
    look(f->manager);
    assert_int_equal(number(f), 4);
    assert_int_equal(logged_in_all(f, "acknowledged"), 3);
}

/* "someone scribbled: journal it (rate-limited), restore the record" */
static void scribbles_are_restored_and_reported_once_in_a_while(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    for (unsigned i = 0; i < 5; i++) {
        f->manager->segment.map[i] = '!';
        look(f->manager);
        assert_string_equal(f->manager->segment.map, LETTERS);
    }
    assert_int_equal(logged_in_all(f, "scribbled"), 1);
}

/* --- what a source answers --- */

/* "It is rejected: journaled at warning priority …, counted, and the next one is fetched." */
static void what_cannot_be_published_is_rejected_and_the_next_is_asked(void **state)
{
    static const struct answer answers[] = {
        {0, "", 0}, {0, "*abc", 4}, {0, "a\0b", 3}, {0, LETTERS "a", 27}, {0, "fine", 4}};
    struct fixture *f = *state;

    play(f, answers, 5);
    manager_refill(f->manager);
    run_until_asked(f, 5);
    assert_int_equal(number(f), 1);
    assert_string_equal(f->manager->segment.map, "fine");
    assert_int_equal(f->manager->state->file->rejected, 4);
    assert_int_equal(logged_in_all(f, "record-rejected"), 4);
}

/* "with its first 4 KiB and its length in fields" */
static void a_rejected_record_is_in_its_entry_up_to_4_kib(void **state)
{
    static char bytes[5001];
    const struct answer answers[] = {{0, bytes, 5000}};
    struct fixture *f = *state;
    size_t i;

    memset(bytes, 'x', 5000);
    play(f, answers, 1);
    manager_refill(f->manager);
    i = logged("record-rejected");
    assert_int_equal(mock_journal_number(i, "SHMD_BYTES"), 5000);
    assert_int_equal(strlen(mock_journal_field(i, "SHMD_RECORD")), 4096);
    assert_string_equal(mock_journal_field(i, "PRIORITY"), "4");
}

/* "a failing source is retried with back-off and journaled, the daemon stays up" */
static void a_source_that_fails_is_asked_again(void **state)
{
    static const struct answer answers[] = {
        {-EIO, NULL, 0}, {-ENOENT, NULL, 0}, {-EIO, NULL, 0}, {0, "at last", 7}};
    struct fixture *f = *state;
    uint64_t begin = clock_usec();

    play(f, answers, 4);
    manager_refill(f->manager);
    assert_int_equal(f->script.asked, 1); /* never from within its own answer */
    run_until_asked(f, 4);
    /* At once, after 10 and after 20 ms. */
    assert_in_range(clock_usec() - begin, 2 * REFILL_PAUSE_MIN, PATIENCE_USEC);
    assert_string_equal(f->manager->segment.map, "at last");
    assert_int_equal(f->manager->intake.refill.failures, 0);
    assert_int_equal(f->manager->state->file->rejected, 0);
    assert_int_equal(logged_in_all(f, "source-failed"), 3);
}

/* An answer may come later: until then nobody asks again, and nothing stands in the segment. */
static void a_source_may_answer_later(void **state)
{
    struct fixture *f = *state;
    struct source *source = &f->script.source;
    size_t room = 4;

    play(f, NULL, 0);
    manager_refill(f->manager);
    manager_refill(f->manager);
    look(f->manager);
    assert_int_equal(f->script.asked, 1);
    assert_int_equal(number(f), 0);
    memcpy(source_place(source, &room), "late", 4);
    source_deliver(source, 4);
    assert_int_equal(number(f), 1);
    assert_string_equal(f->manager->segment.map, "late");
}

static bool take_key(void *userdata)
{
    const uint32_t *key = userdata;

    return shmget((key_t)*key, 27, IPC_CREAT | IPC_EXCL | 0600) >= 0;
}

static void foreign(uint32_t key)
{
    assert_int_equal(check_as(PRIVATE_NOBODY, take_key, &key), 0);
}

/* --- the socket's name --- */

static void look_after_the_socket(struct fixture *f)
{
    mock_journal_reset();
    assert_true(manager_on_tick(f->manager->tick_source, 0, f->manager) >= 0);
}

static void assert_lost_socket_is_said(const char *words)
{
    assert_non_null(strstr(mock_journal_field(logged("socket-lost"), "MESSAGE"), words));
}

static void assert_listens(const struct fixture *f, bool listens)
{
    struct peer peer = {.socket = -1};

    assert_int_equal(peer_connect(&peer, f->manager->socket_path), listens);
    assert_int_equal(strstr(f->manager->status, "nobody can connect") == NULL, listens);
    (void)fd_close(peer.socket);
}

/* Somebody cleans up in the runtime directory: who comes then still finds the daemon. */
static void a_socket_that_was_removed_is_made_anew(void **state)
{
    struct fixture *f = *state;
    const char *path = f->manager->socket_path;

    look_after_the_socket(f);
    assert_int_equal(mock_journal_find("socket-lost"), -1);
    assert_int_equal(unlink(path), 0);
    look_after_the_socket(f);
    assert_lost_socket_is_said("it is made anew");
    assert_listens(f, true);
    /* Where that cannot be, it is said once, and tried again. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    look_after_the_socket(f);
    assert_lost_socket_is_said("something else has that name, a directory for example: remove it");
    assert_listens(f, false);
    look_after_the_socket(f);
    assert_int_equal(mock_journal_find("socket-lost"), -1);
    assert_int_equal(rmdir(path), 0);
    look_after_the_socket(f);
    assert_lost_socket_is_said("it is made anew");
    assert_listens(f, true);
}

/* One that systemd made, only systemd can make again. */
static void a_socket_of_systemd_that_was_removed_is_told_of(void **state)
{
    struct fixture *f = *state;

    f->manager->listener.bound = false;
    assert_int_equal(unlink(f->manager->socket_path), 0);
    look_after_the_socket(f);
    assert_lost_socket_is_said("systemctl restart shmd@unit.socket");
    assert_listens(f, false);
    look_after_the_socket(f);
    assert_int_equal(mock_journal_find("socket-lost"), -1);
}

/* --- start and stop --- */

/* "A key that someone else's segment holds: … exit 69 …; the segment is not touched." */
static void a_foreign_segment_refuses_the_start(void **state)
{
    struct fixture *f = *state;
    size_t i;

    SKIP_UNLESS_ROOT();
    stop(f);
    foreign(KEY);
    assert_int_equal(start(f), EX_UNAVAILABLE);
    assert_null(f->manager);
    i = logged("segment-foreign");
    assert_int_equal(mock_journal_number(i, "SHMD_OWNER_UID"), PRIVATE_NOBODY);
    assert_non_null(strstr(mock_journal_field(i, "MESSAGE"), "ipcrm -m"));
    assert_true(shmget(KEY, 0, 0) >= 0);
}

/* The segment of another program of ours, with its record. */
static int strange_segment(const char *record)
{
    int id = shmget(KEY, 27, IPC_CREAT | IPC_EXCL | 0666);
    char *map = shmat(id, NULL, 0);

    assert_true(map != (char *)-1);
    (void)strcpy(map, record);
    (void)shmdt(map);
    return id;
}

static void assert_holds(int id, const char *record)
{
    char *map = shmat(id, NULL, SHM_RDONLY);

    assert_true(map != (char *)-1);
    assert_string_equal(map, record);
    (void)shmdt(map);
}

/* "A start that fails … takes nothing away that was": neither the segment nor what stands in it. */
static void a_start_that_fails_leaves_the_segment_that_was_there(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *socket_path = NULL;
    int id;

    stop(f);
    assert_true(asprintf(&socket_path, "%s/unit.sock", f->directory) > 0);
    assert_int_equal(mkdir(socket_path, 0755), 0);
    id = strange_segment("not ours");
    assert_int_equal(start(f), EX_UNAVAILABLE);
    (void)logged("start-failed");
    assert_holds(id, "not ours");
    assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
    assert_int_equal(start(f), EX_UNAVAILABLE);
    assert_int_equal(shmget(KEY, 0, 0), -1); /* and makes none */
    assert_int_equal(rmdir(socket_path), 0);
}

/* Starts on the segment of another program, without a state. */
static void start_on(struct fixture *f, const char *record, const char *conf)
{
    stop(f);
    mock_journal_reset();
    (void)strange_segment(record);
    configure(f, conf);
    assert_int_equal(start(f), EXIT_SUCCESS);
}

static void assert_epoch_says(const char *text)
{
    assert_non_null(strstr(mock_journal_field(logged("epoch-started"), "MESSAGE"), text));
}

/* "adopted with the record in it": it waits for its acknowledgement, as any other. */
static void a_record_in_an_adopted_segment_goes_on(void **state)
{
    struct fixture *f = *state;

    start_on(f, "an original record", "");
    assert_epoch_says("the record that stands in its segment is record 1");
    manager_refill(f->manager);
    look(f->manager);
    assert_int_equal(number(f), 1);
    assert_string_equal(f->manager->segment.map, "an original record");
    acknowledge(f);
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 1);
    assert_string_equal(f->manager->segment.map, LETTERS);
    assert_int_equal(logged_in_all(f, "scribbled"), 0);
    assert_int_equal(mock_journal_find("records-unread"), -1);
}

/* No source makes it anew. */
static void what_nobody_reads_of_it_is_told(void **state)
{
    struct fixture *f = *state;

    start_on(f, "an original record", "");
    manager_refill(f->manager);
    assert_int_equal(logged_in_all(f, "records-unread"), 1);
}

static void what_is_no_record_does_not(void **state)
{
    static const char *const left[] = {"", "*cknowledged"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        start_on(f, left[i], "");
        assert_null(
            strstr(mock_journal_field(logged("epoch-started"), "MESSAGE"), "the record that"));
        assert_int_equal(number(f), 0);
        manager_refill(f->manager);
        assert_string_equal(f->manager->segment.map, LETTERS);
    }
}

/* Not in silence. */
static void a_record_that_cannot_go_on_is_given_up(void **state)
{
    static const char *const texts[] = {"size = 100;",
                                        "size = 8192; layout = \"ring\"; mode = \"0644\";"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        start_on(f, "an original record", texts[i]);
        assert_epoch_says("the record that stands in its segment is given up");
        manager_refill(f->manager);
        assert_int_not_equal(f->manager->segment.map[0], '\0');
    }
}

/* It is retired, and its bytes are nobody's record. */
static void a_ring_in_an_adopted_segment_is_no_record(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = NULL;
    int id;

    stop(f);
    configure(f, "size = 8192; layout = \"ring\"; mode = \"0644\";");
    assert_int_equal(start(f), EXIT_SUCCESS);
    manager_refill(f->manager);
    id = f->manager->segment.id;
    path = strdup(f->manager->state->path);
    f->manager->leave = true;
    stop(f);
    assert_int_equal(unlink(path), 0);
    configure(f, "size = 8192; mode = \"0644\";");
    assert_int_equal(start(f), EXIT_SUCCESS);
    assert_int_not_equal(f->manager->segment.id, id);
    assert_int_equal(number(f), 0);
}

/* The state file of the namespace that this process was in, under the number of the one it is in.
 */
static void rename_state(const struct fixture *f, ino_t before)
{
    CLEANUP(free_cleanup) char *from = NULL;
    CLEANUP(free_cleanup) char *to = NULL;
    struct stat now;

    assert_int_equal(stat("/proc/self/ns/ipc", &now), 0);
    assert_true(asprintf(&from, "%s/key-%08x.ipc-%lu.state", f->directory, KEY, before) > 0);
    assert_true(asprintf(&to, "%s/key-%08x.ipc-%lu.state", f->directory, KEY, now.st_ino) > 0);
    assert_int_equal(rename(from, to), 0);
}

/* The kernel gives the number of a namespace again, and in each one the first segment has id 0. */
static void in_another_namespace_the_same_id_is_another_segment(void **state)
{
    struct fixture *f = *state;
    struct stat before;

    manager_refill(f->manager);
    f->manager->leave = true;
    stop(f);
    if (unshare(CLONE_NEWIPC) < 0) {
        SKIP("no further IPC namespace");
    }
    /* Once more, so that this is the first segment of its namespace, as the next one will be. */
    assert_int_equal(start(f), EXIT_SUCCESS);
    manager_refill(f->manager);
    assert_int_equal(f->manager->segment.id, 0);
    f->manager->leave = true;
    stop(f);
    assert_int_equal(stat("/proc/self/ns/ipc", &before), 0);
    assert_int_equal(unshare(CLONE_NEWIPC), 0);
    rename_state(f, before.st_ino);
    assert_int_equal(start(f), EXIT_SUCCESS);
    assert_int_equal(f->manager->segment.id, 0);
    assert_int_equal(number(f), 1);
    assert_string_equal(f->manager->segment.map, LETTERS);
}

/* --- reload --- */

static void reload(struct fixture *f, const char *text)
{
    configure(f, text);
    daemon_reload(f->manager);
}

static void a_reload_can_change_the_size(void **state)
{
    struct fixture *f = *state;
    int id = f->manager->segment.id;

    manager_refill(f->manager);
    acknowledge(f);
    for (unsigned size = 1000; size >= 10; size /= 10) {
        char text[64];

        (void)snprintf(text, sizeof(text), "size = %u;", size);
        reload(f, text);
        assert_segment(f, KEY, size, 0666);
        assert_int_not_equal(f->manager->segment.id, id);
        assert_int_equal(strlen(f->manager->segment.map), size - 1);
        assert_int_equal(strncmp(f->manager->segment.map, LETTERS, size < 27 ? size - 1 : 26), 0);
        acknowledge(f);
        assert_int_equal(strlen(f->manager->segment.map), size - 1);
    }
    assert_int_equal(logged_in_all(f, "reload-done"), 3);
    assert_true(mock_journal_find("segment-replaced") >= 0);
}

/* Somebody is attached who would keep the right to write: the segment is another one. */
static void taking_rights_from_who_is_attached_replaces(void **state)
{
    struct fixture *f = *state;
    int id = f->manager->segment.id;
    char *client = shmat(id, NULL, 0);

    assert_true(client != (char *)-1);
    manager_refill(f->manager);
    reload(f, "mode = \"0644\";");
    assert_int_not_equal(f->manager->segment.id, id);
    assert_segment(f, KEY, 27, 0644);
    assert_string_equal(f->manager->segment.map, LETTERS);
    assert_string_equal(client, "");              /* no record that he could acknowledge … */
    assert_string_equal(client + 1, &LETTERS[1]); /* … but what he has begun to read */
    assert_int_equal(shmdt(client), 0);
}

static void *latecomer;
static int wanted; /* segment */

static int attach_in_time(int id, int command, struct shmid_ds *ds)
{
    if (id == wanted && command == IPC_SET && !latecomer) {
        latecomer = shmat(id, NULL, 0);
    }
    return __real_shmctl(id, command, ds);
}

/* … also who attaches just before they are taken away. */
static void rights_are_taken_from_who_attaches_in_the_last_moment(void **state)
{
    struct fixture *f = *state;
    int id = f->manager->segment.id;

    latecomer = NULL;
    wanted = id;
    mock_shmctl = attach_in_time;
    reload(f, "mode = \"0644\";");
    mock_shmctl = NULL;
    assert_true(latecomer && latecomer != (void *)-1);
    assert_int_not_equal(f->manager->segment.id, id);
    assert_segment(f, KEY, 27, 0644);
    assert_int_equal(shmdt(latecomer), 0);
}

static void a_reload_can_change_the_level_of_the_log(void **state)
{
    struct fixture *f = *state;

    reload(f, "log = { level = \"err\"; };");
    manager_refill(f->manager);
    acknowledge(f);
    assert_int_equal(logged_in_all(f, "reload-done"), 0);
    assert_true(mock_journal_find("acknowledged") >= 0);
}

/* All that a refused reload must not change. */
struct snapshot {
    struct conf *conf;
    struct source *source;
    struct segment segment;
    uint64_t progress;
    char bytes[27];
    char state_path[256];
    sd_id128_t epoch;
};

static struct snapshot snapshot(const struct fixture *f)
{
    struct snapshot taken = {
        .conf = f->manager->conf,
        .source = f->manager->intake.feed.source,
        .segment = f->manager->segment,
        .progress = f->manager->state->file->progress,
        .epoch = f->manager->state->file->epoch,
    };

    (void)snprintf(taken.state_path, sizeof(taken.state_path), "%s", f->manager->state->path);
    memcpy(taken.bytes, f->manager->segment.map, sizeof(taken.bytes));
    return taken;
}

static void assert_as_before(struct fixture *f, const struct snapshot *before)
{
    struct snapshot now = snapshot(f);

    assert_segment(f, KEY, 27, 0666);
    assert_ptr_equal(now.conf, before->conf);
    assert_ptr_equal(now.source, before->source);
    assert_int_equal(now.segment.id, before->segment.id);
    assert_ptr_equal(now.segment.map, before->segment.map);
    assert_int_equal(now.progress, before->progress);
    assert_memory_equal(now.bytes, before->bytes, sizeof(now.bytes));
    assert_string_equal(now.state_path, before->state_path);
    assert_int_equal(access(now.state_path, F_OK), 0);
    assert_true(sd_id128_equal(now.epoch, before->epoch));
    /* And it goes on. */
    acknowledge(f);
    assert_string_equal(f->manager->segment.map, LETTERS);
    assert_int_equal(number(f), (before->progress >> 2) + 1);
}

/* No room for a second segment: neither under another key, nor to rehearse another size. */
static void a_reload_without_room_changes_nothing(void **state)
{
    static const char *const texts[] = {"size = 1000;", "key = 0x162f;"};
    struct fixture *f = *state;
    char old[32] = "";

    {
        CLEANUP(file_close_cleanup) FILE *file = fopen(SHMMNI, "re");

        assert_true(file && fgets(old, sizeof(old), file));
    }
    manager_refill(f->manager);
    for (size_t i = 0; i < 2; i++) {
        struct snapshot before;

        if (!file_write(SHMMNI, "1", 1)) {
            SKIP("the limits of the namespace cannot be set");
        }
        before = snapshot(f);
        mock_journal_reset();
        reload(f, texts[i]);
        assert_true(file_write(SHMMNI, old, strlen(old)));
        assert_non_null(strstr(mock_journal_field(logged("reload-refused"), "MESSAGE"), "ENOSPC"));
        assert_as_before(f, &before);
    }
}

static char *fifo;

static bool fifo_has_reader(void)
{
    CLEANUP(fd_close_cleanup) int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    return fd >= 0;
}

/* It would also end who waits for a reader, and drop what that one writes. */
static int no_reader_and_no_segment(key_t key, size_t size, int flags)
{
    if (key == OTHER && (flags & IPC_CREAT)) {
        assert_false(fifo_has_reader());
        errno = ENOSPC;
        return -1;
    }
    return __real_shmget(key, size, flags);
}

/* Nobody outside notices the source of a reload that is refused; once it is done, they do. */
static void a_refused_reload_reads_no_fifo(void **state)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct fixture *f = *state;
    struct snapshot before;

    assert_true(asprintf(&fifo, "%s/fifo", f->directory) > 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_true(
        asprintf(&text, "key = 0x162f; source = { type = \"stream\"; path = \"%s\"; };", fifo) > 0);
    manager_refill(f->manager);
    before = snapshot(f);
    mock_shmget = no_reader_and_no_segment;
    reload(f, text);
    mock_shmget = NULL;
    assert_non_null(strstr(mock_journal_field(logged("reload-refused"), "MESSAGE"), "ENOSPC"));
    assert_as_before(f, &before);
    reload(f, text);
    assert_true(fifo_has_reader());
    free(fifo);
}

/* A reload while a failed source has its pause: the new one is asked once, and its record stays. */
static void a_pause_of_the_old_source_does_not_ask_the_new_one(void **state)
{
    static const struct answer answers[] = {{-EIO, NULL, 0}, {-EIO, NULL, 0}, {-EIO, NULL, 0}};
    struct fixture *f = *state;
    uint64_t end;

    play(f, answers, 3);
    manager_refill(f->manager);
    run_until_asked(f, 3);
    reload(f, "source = { directory = \"/tmp\"; };");
    assert_int_equal(number(f), 1);
    /* The pause of 20 ms would end now. */
    end = clock_usec() + 3 * REFILL_PAUSE_MIN;
    while (clock_usec() < end) {
        assert_true(sd_event_run(f->manager->event, REFILL_PAUSE_MIN) >= 0);
    }
    assert_int_equal(number(f), 1);
}

/* Looks after the segment, as it does once in a while. */
static void look_after(struct fixture *f)
{
    f->manager->health_usec = 0;
    assert_int_equal(manager_on_poll(NULL, f->manager->poll_fd, 0, f->manager), 0);
}

static int nothing_under_our_key(key_t key, size_t size, int flags)
{
    if (key == KEY && (flags & IPC_CREAT)) {
        errno = ENOSPC;
        return -1;
    }
    return __real_shmget(key, size, flags);
}

/*
 * Between the rehearsal and the making, somebody has taken the key, or the room: the old segment
 * has lost its key, and there is no way back. The daemon goes on with it, with all that was before,
 * and takes the key as soon as it can.
 */
static void a_reload_that_loses_the_key_goes_on_with_the_old_segment(void **state)
{
    static const char *const texts[] = {"size = 2;", "size = 100000;",
                                        "size = 8192; layout = \"ring\"; mode = \"0644\";"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        struct snapshot before = snapshot(f);
        uint64_t last;

        configure(f, texts[i]);
        mock_shmget = nothing_under_our_key;
        daemon_reload(f->manager);
        assert_true(f->manager->keyless);
        assert_ptr_equal(f->manager->conf, before.conf);
        assert_ptr_equal(f->manager->intake.feed.source, before.source);
        assert_int_equal(f->manager->segment.id, before.segment.id);
        assert_string_equal(f->manager->segment.map, LETTERS);
        look_after(f); /* in vain */
        assert_true(f->manager->keyless);
        assert_non_null(strstr(f->manager->status, "the segment has lost its key; plain, key"));
        last = number(f);
        acknowledge(f); /* who is attached is served */
        assert_int_equal(number(f), last + 1);

        mock_shmget = NULL;
        look_after(f);
        assert_false(f->manager->keyless);
        assert_null(strstr(f->manager->status, "has lost its key"));
        assert_segment(f, KEY, 27, 0666);
        assert_int_equal(number(f), last + 1);
        assert_string_equal(f->manager->segment.map, LETTERS);
    }
}

/* As soon as our segment has gone, another user's is there, which we may not even look at. */
static int taken_once_it_is_free(key_t key, size_t size, int flags)
{
    if (key == KEY && __real_shmget(key, 0, 0) < 0) {
        errno = flags & IPC_CREAT ? EEXIST : EACCES;
        return -1;
    }
    return __real_shmget(key, size, flags);
}

/* … or somebody's comes and goes all the time. */
static int taken_while_it_is_made(key_t key, size_t size, int flags)
{
    if (key == KEY && __real_shmget(key, 0, 0) < 0 && flags & IPC_CREAT) {
        errno = EEXIST;
        return -1;
    }
    return __real_shmget(key, size, flags);
}

/* The same of a start that must replace the segment: no exit status would bring back what it held.
 */
static void a_start_that_loses_the_key_goes_on_without(void **state)
{
    static const struct {
        const char *text;
        int (*shmget)(key_t key, size_t size, int flags);
        const char *event;
    } cases[] = {{"size = 1000;", taken_once_it_is_free, "segment-foreign"},
                 {"size = 8192; layout = \"ring\";", taken_once_it_is_free, "segment-foreign"},
                 {"", taken_once_it_is_free, "segment-foreign"},
                 {"size = 1000;", taken_while_it_is_made, "segment-failed"}};
    struct fixture *f = *state;
    sd_id128_t epoch = f->manager->state->file->epoch;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t last;

        manager_refill(f->manager);
        last = number(f);
        f->manager->leave = true;
        stop(f);
        mock_journal_reset();
        configure(f, cases[i].text);
        mock_shmget = cases[i].shmget;
        assert_int_equal(start(f), EXIT_SUCCESS);
        assert_true(f->manager->keyless);
        assert_true(sd_id128_equal(f->manager->state->file->epoch, epoch));
        (void)logged(cases[i].event);
        manager_refill(f->manager);
        assert_true(number(f) > last); /* who has a session is served */
        look_after(f);                 /* in vain */
        assert_true(f->manager->keyless);

        last = number(f);
        mock_shmget = NULL;
        look_after(f);
        assert_false(f->manager->keyless);
        assert_int_equal(shmget(KEY, 0, 0), f->manager->segment.id);
        assert_int_equal(number(f), last);
    }
}

/* Where it was not ours, a start that cannot have it fails, as ever. */
static void a_start_that_never_had_the_key_fails(void **state)
{
    struct fixture *f = *state;

    stop(f);
    mock_shmget = taken_once_it_is_free;
    assert_int_equal(start(f), EX_UNAVAILABLE);
    mock_shmget = NULL;
}

/* A segment that cannot be made anew is no start that failed: whoever comes later is not told so.
 */
static void a_daemon_that_runs_leaves_no_cause_of_a_failed_start(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *cause = NULL;
    char pid[16];

    assert_true(asprintf(&cause, "%s/unit.failed", f->directory) > 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("SYSTEMD_EXEC_PID", pid, 1), 0); /* as a service */
    assert_int_equal(shmctl(f->manager->segment.id, IPC_RMID, NULL), 0);
    mock_shmget = nothing_under_our_key;
    look_after(f);
    mock_shmget = NULL;
    assert_int_equal(unsetenv("SYSTEMD_EXEC_PID"), 0);
    assert_true(f->manager->keyless);
    assert_true(daemon_logged("segment-failed") >= 0);
    assert_int_equal(access(cause, F_OK), -1);
}

/* Somebody removes all semaphores of the system. */
static void remove_lock(const struct fixture *f)
{
    assert_true(keylock_holds(&f->manager->keylock));
    assert_int_equal(semctl(f->manager->keylock.id, 0, IPC_RMID), 0);
}

static void a_lock_that_was_removed_is_taken_again(void **state)
{
    struct fixture *f = *state;
    int code;

    remove_lock(f);
    look_after(f);
    assert_true(keylock_holds(&f->manager->keylock));
    assert_int_equal(sd_event_get_exit_code(f->manager->event, &code), -ENODATA);
    assert_int_equal(logged_in_all(f, "segment-at-risk"), 0);
}

/* Two daemons never serve one segment, and what the first has is left for whoever comes. */
static void who_has_lost_its_lock_to_another_daemon_ends(void **state)
{
    struct fixture *f = *state;
    struct sembuf count = {.sem_op = 1};
    int rival, code;

    remove_lock(f);
    rival = semget((key_t)keylock_key(KEY), 1, IPC_CREAT | 0600);
    assert_int_equal(semop(rival, &count, 1), 0);
    look_after(f);
    assert_int_equal(semctl(rival, 0, IPC_RMID), 0);
    assert_int_equal(sd_event_get_exit_code(f->manager->event, &code), 0);
    assert_int_equal(code, EX_UNAVAILABLE);
    assert_non_null(strstr(mock_journal_field(logged("gave-up"), "MESSAGE"), "another shmd (pid"));
}

static bool make_semaphore(void *userdata)
{
    (void)userdata;
    return semget((key_t)keylock_key(KEY), 1, IPC_CREAT | IPC_EXCL | 0600) >= 0;
}

/* Said once; as soon as it can be had, it is. */
static void a_lock_that_another_user_has_taken_is_reported(void **state)
{
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    remove_lock(f);
    assert_int_equal(check_as(PRIVATE_NOBODY, make_semaphore, NULL), 0);
    look_after(f);
    look_after(f);
    assert_int_equal(semctl(semget((key_t)keylock_key(KEY), 0, 0), 0, IPC_RMID), 0);
    look_after(f);
    assert_true(keylock_holds(&f->manager->keylock));
    assert_int_equal(logged_in_all(f, "segment-at-risk"), 1);
}

/* The next daemon goes on, whoever has removed the state while this one ran, and whenever. */
static void a_state_that_was_removed_is_made_anew(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = f->manager->state->file->epoch;

    manager_refill(f->manager);
    for (int i = 0; i < 2; i++) {
        bool in_time = i == 0;

        assert_int_equal(unlink(f->manager->state->path), 0);
        if (in_time) {
            look_after(f);
            assert_true(state_is_named(f->manager->state));
            assert_non_null(strstr(mock_journal_field(logged("state-lost"), "MESSAGE"), "anew"));
        }
        acknowledge(f);
        f->manager->leave = true;
        stop(f);
        assert_int_equal(start(f), EXIT_SUCCESS);
        assert_true(sd_id128_equal(f->manager->state->file->epoch, epoch));
        assert_int_equal(number(f), i + 2);
    }
}

/* Said once, however often it is tried. */
static void a_state_that_cannot_be_made_anew_is_reported(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = strdup(f->manager->state->path);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    look_after(f);
    look_after(f);
    assert_false(state_is_named(f->manager->state));
    assert_int_equal(rmdir(path), 0);
    look_after(f);
    assert_true(state_is_named(f->manager->state));
    look_after(f);
    assert_int_equal(logged_in_all(f, "state-lost"), 2);
}

/* What is being sent is noted in the state: it waits for that, but not for the journal. */
/* It is blocked: the state, to which it writes when it goes on, stays where it is. */
static void assert_state_waits_for_the_journal(struct fixture *f)
{
    uint64_t end = clock_usec() + PATIENCE_USEC;

    assert_true(mock_journal_wait_blocked());
    assert_int_equal(unlink(f->manager->state->path), 0);
    look_after(f);
    assert_false(state_is_named(f->manager->state));
    acknowledge(f); /* who is attached is served */
    mock_journal_block(false);
    while (!state_is_named(f->manager->state) && clock_usec() < end) {
        look_after(f);
    }
    assert_true(state_is_named(f->manager->state));
}

static void a_journal_that_hangs_delays_only_the_state(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    (void)logged("segment-created"); /* the last one so far */
    mock_journal_block(true);
    acknowledge(f);
    assert_state_waits_for_the_journal(f);
}

/* In the midst of any entry. */
static void so_does_one_that_hangs_at_an_event(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    (void)logged("segment-created");
    mock_journal_block(true);
    reload(f, "");
    assert_state_waits_for_the_journal(f);
}

/* --- an acknowledgement in the last moment --- */

static char *client;        /* attached to the segment that goes */
static size_t acknowledged; /* by that client */

/* As any program may, at any time. */
static void acknowledge_if_possible(void)
{
    char first = plain_first(client);

    acknowledged += first != '*' && first != '\0' && plain_acknowledge(client, first);
}

static int acknowledge_and_shmctl(int id, int command, struct shmid_ds *ds)
{
    acknowledge_if_possible();
    return __real_shmctl(id, command, ds);
}

static int acknowledge_and_shmget(key_t key, size_t size, int flags)
{
    acknowledge_if_possible();
    return __real_shmget(key, size, flags);
}

/* From now on, at each call that the daemon makes for a segment. */
static void begin_to_acknowledge(struct fixture *f)
{
    acknowledged = 0;
    client = shmat(f->manager->segment.id, NULL, 0);
    assert_true(client != (char *)-1);
    mock_shmctl = acknowledge_and_shmctl;
    mock_shmget = acknowledge_and_shmget;
}

static void end_to_acknowledge(void)
{
    mock_shmctl = NULL;
    mock_shmget = NULL;
    acknowledge_if_possible();
    assert_int_equal(shmdt(client), 0);
}

/* P3: whatever a client could acknowledge, is logged. */
static void what_is_acknowledged_before_a_stop_is_logged(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    begin_to_acknowledge(f);
    stop(f);
    end_to_acknowledge();
    assert_int_equal(logged_in_all(f, "acknowledged"), acknowledged);
}

static void what_is_acknowledged_before_a_segment_is_replaced_is_logged(void **state)
{
    static const char *const texts[] = {"size = 100;", "key = 0x162f;", "key = 0x162f; size = 100;",
                                        "mode = \"0644\";",
                                        "size = 8192; layout = \"ring\"; mode = \"0644\";"};
    struct fixture *f = *state;

    manager_refill(f->manager);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t logged_before;

        reload(f, "size = 27;");
        acknowledge(f);
        logged_before = acklog_total(&f->manager->state->file->acklog);
        begin_to_acknowledge(f);
        reload(f, texts[i]);
        end_to_acknowledge();
        assert_int_equal(acklog_total(&f->manager->state->file->acklog),
                         logged_before + acknowledged);
        assert_int_equal(acknowledged, 1);
    }
}

/* Somebody has removed it. */
static void what_is_acknowledged_in_a_removed_segment_is_logged(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    begin_to_acknowledge(f);
    assert_int_equal(__real_shmctl(f->manager->segment.id, IPC_RMID, NULL), 0);
    mock_shmctl = NULL; /* later than at the look that finds it removed */
    look_after(f);
    end_to_acknowledge();
    assert_int_equal(acknowledged, 1);
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 1);
    assert_int_equal(number(f), 1);
    manager_refill(f->manager);
    assert_int_equal(number(f), 2);
}

/* While no daemon ran; the next one has another configuration. */
static void what_is_acknowledged_before_a_start_replaces_it_is_logged(void **state)
{
    static const char *const texts[] = {"size = 100;", "key = 0x162f; size = 27;",
                                        "size = 8192; layout = \"ring\"; mode = \"0644\";"};
    struct fixture *f = *state;

    manager_refill(f->manager);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t total;

        reload(f, "size = 27;");
        manager_refill(f->manager);
        total = acklog_total(&f->manager->state->file->acklog);
        assert_true(plain_acknowledge(f->manager->segment.map, 'a'));
        f->manager->leave = true;
        stop(f);
        configure(f, texts[i]);
        assert_int_equal(start(f), EXIT_SUCCESS);
        assert_int_equal(acklog_total(&f->manager->state->file->acklog), total + 1);
        manager_refill(f->manager);
        (void)manager_look(f->manager);
        assert_int_equal(acklog_total(&f->manager->state->file->acklog), total + 1);
    }
}

/* Nobody but us writes it from now on, so nobody looks at it once in a while. */
static void what_was_acknowledged_before_nobody_may_is_logged(void **state)
{
    struct fixture *f = *state;

    manager_refill(f->manager);
    f->manager->segment.map[0] = '*';
    reload(f, "mode = \"0644\";");
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 1);
    f->manager->leave = true;
    f->manager->segment.map[0] = '*';
    stop(f);
    assert_int_equal(start(f), EXIT_SUCCESS);
    assert_int_equal(acklog_total(&f->manager->state->file->acklog), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-manager")
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_publishes_and_each_acknowledgement_refills),
        TEST(without_an_acknowledgement_nothing_happens),
        TEST(the_last_one_who_attached_is_the_client),
        TEST(an_acknowledgement_is_never_logged_twice),
        TEST(scribbles_are_restored_and_reported_once_in_a_while),
        TEST(what_cannot_be_published_is_rejected_and_the_next_is_asked),
        TEST(a_rejected_record_is_in_its_entry_up_to_4_kib),
        TEST(a_source_that_fails_is_asked_again),
        TEST(a_source_may_answer_later),
        TEST(a_foreign_segment_refuses_the_start),
        TEST(a_start_that_fails_leaves_the_segment_that_was_there),
        TEST(a_socket_that_was_removed_is_made_anew),
        TEST(a_socket_of_systemd_that_was_removed_is_told_of),
        TEST(a_record_in_an_adopted_segment_goes_on),
        TEST(what_nobody_reads_of_it_is_told),
        TEST(what_is_no_record_does_not),
        TEST(a_record_that_cannot_go_on_is_given_up),
        TEST(a_ring_in_an_adopted_segment_is_no_record),
        TEST(in_another_namespace_the_same_id_is_another_segment),
        TEST(a_reload_can_change_the_size),
        TEST(taking_rights_from_who_is_attached_replaces),
        TEST(rights_are_taken_from_who_attaches_in_the_last_moment),
        TEST(a_reload_can_change_the_level_of_the_log),
        TEST(a_reload_without_room_changes_nothing),
        TEST(a_refused_reload_reads_no_fifo),
        TEST(a_pause_of_the_old_source_does_not_ask_the_new_one),
        TEST(a_reload_that_loses_the_key_goes_on_with_the_old_segment),
        TEST(a_start_that_loses_the_key_goes_on_without),
        TEST(a_start_that_never_had_the_key_fails),
        TEST(a_daemon_that_runs_leaves_no_cause_of_a_failed_start),
        TEST(a_state_that_was_removed_is_made_anew),
        TEST(a_state_that_cannot_be_made_anew_is_reported),
        TEST(a_journal_that_hangs_delays_only_the_state),
        TEST(so_does_one_that_hangs_at_an_event),
        TEST(a_lock_that_was_removed_is_taken_again),
        TEST(who_has_lost_its_lock_to_another_daemon_ends),
        TEST(a_lock_that_another_user_has_taken_is_reported),
        TEST(what_is_acknowledged_before_a_stop_is_logged),
        TEST(what_is_acknowledged_before_a_segment_is_replaced_is_logged),
        TEST(what_is_acknowledged_in_a_removed_segment_is_logged),
        TEST(what_is_acknowledged_before_a_start_replaces_it_is_logged),
        TEST(what_was_acknowledged_before_nobody_may_is_logged),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
