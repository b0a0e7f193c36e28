/* SPDX-License-Identifier: MIT
 *
 * What the daemon must not forget: what continues for certain goes on, anything else begins anew.
 */
#include "daemon/state.h"

#include "conf/conf.h"
#include "daemon/statefile.h"
#include "daemon/statename.h"
#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include <cmocka.h>

#define KEY   UINT64_C(0x162e)
#define OTHER UINT64_C(0x162f)
#define SIZE  ((uint64_t)27)
#define LARGE ((uint64_t)16 << 20)
#define PAGE  4096

struct fixture {
    char *directory;
    struct conf *conf;
    char *left; /* the path of the state that leave_state() left */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f) {
        return -1;
    }
    *state = f;
    f->directory = private_directory_new();
    if (!f->directory || setenv("RUNTIME_DIRECTORY", f->directory, 1) < 0 ||
        conf_new(&f->conf) < 0) {
        return -1;
    }
    f->conf->key = KEY;
    f->conf->size = SIZE;
    f->conf->path = strdup("/etc/one.conf");
    return f->conf->path ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->directory = private_directory_free(f->directory);
    f->conf = conf_free(f->conf);
    free(f->left);
    free(f);
    return 0;
}

static struct state *opened(struct fixture *f, enum history expected)
{
    struct state *state = NULL;
    enum history history;
    pid_t pid;

    assert_int_equal(state_open(f->conf, &state, &history, &pid), 0);
    assert_non_null(state);
    assert_int_equal(history, expected);
    return state;
}

static void assert_not_opened(struct fixture *f, int error)
{
    struct state *state = NULL;
    enum history history;
    pid_t pid;

    assert_int_equal(state_open(f->conf, &state, &history, &pid), error);
    assert_null(state);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void assert_fresh(const struct state *state)
{
    const struct state_file *file = state->file;

    assert_int_equal(file->key, KEY);
    assert_false(sd_id128_is_null(file->epoch));
    assert_int_equal(file->image_size, SIZE);
    assert_int_equal(state_number(file), 0);
    assert_int_equal(state_phase(file), PHASE_EMPTY);
    assert_int_equal(file->segment_id, -1);
    assert_int_equal(acklog_total(&file->acklog), 0);
    assert_int_equal(file->rejected, 0);
    assert_int_equal(acklog_waiting(&file->acklog), 0);
    assert_null(acklog_newest(&file->acklog));
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(state->image[i], 0);
    }
}

/* Leaves a state with some life in it, as a daemon that was killed, and returns its epoch. */
static sd_id128_t leave_state(struct fixture *f)
{
    CLEANUP(state_free_cleanup) struct state *state = opened(f, HISTORY_NONE);
    struct ack ack = {.record_first = 6, .record_last = 6, .records = 1, .bytes = 3};

    memcpy(state->image, "abc", 3);
    state->file->record_length = 3;
    state->file->extent = 4;
    state->file->segment_id = 42;
    acklog_push(&state->file->acklog, ACKLOG_ENTRIES, &ack);
    state_enter(state->file, 7, PHASE_PUBLISHED);
    free(f->left);
    f->left = strdup(state->path);
    return state->file->epoch;
}

static void assert_continues(const struct state *state, sd_id128_t epoch)
{
    assert_true(sd_id128_equal(state->file->epoch, epoch));
    assert_int_equal(state_number(state->file), 7);
    assert_int_equal(state_phase(state->file), PHASE_PUBLISHED);
    assert_string_equal(state->image, "abc");
    assert_int_equal(state->file->segment_id, 42);
    assert_int_equal(acklog_waiting(&state->file->acklog), 1);
}

/* --- history --- */

static void without_a_file_an_epoch_begins(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *fresh = opened(f, HISTORY_NONE);
    CLEANUP(free_cleanup) char *described = state_describe(f->conf);
    struct stat st;

    assert_fresh(fresh);
    assert_int_equal(strncmp(fresh->path, f->directory, strlen(f->directory)), 0);
    assert_non_null(strstr(fresh->path, "/key-0000162e."));
    assert_string_equal(described, fresh->path);
    assert_int_equal(stat(fresh->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void two_epochs_are_never_the_same(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch;

    for (unsigned i = 0; i < 2; i++) {
        CLEANUP(state_free_cleanup) struct state *fresh = opened(f, HISTORY_NONE);

        assert_false(i > 0 && sd_id128_equal(fresh->file->epoch, epoch));
        epoch = fresh->file->epoch;
        state_remove(fresh);
    }
}

static void what_was_left_goes_on(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *next = opened(f, HISTORY_CONTINUED);

    assert_string_equal(next->path, f->left);
    assert_continues(next, epoch);
}

static void what_was_removed_is_forgotten(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *first = opened(f, HISTORY_NONE);

    state_remove(first);
    assert_false(exists(first->path));
    first = state_free(first);
    first = opened(f, HISTORY_NONE);
    assert_null(state_free(NULL));
}

/* "Stores into the mapping are in the kernel's hands at once, so SIGKILL loses none of them." */
static void a_kill_loses_nothing(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *next = NULL;
    pid_t pid = child_start();

    if (pid == 0) {
        struct state *mine;
        enum history history;
        pid_t holder;

        if (state_open(f->conf, &mine, &history, &holder) == 0) {
            memcpy(mine->image, "last", 4);
            state_enter(mine->file, 1234, PHASE_FILLED);
        }
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(child_wait(pid), 128 + SIGKILL);
    next = opened(f, HISTORY_CONTINUED);
    assert_int_equal(state_number(next->file), 1234);
    assert_int_equal(state_phase(next->file), PHASE_FILLED);
    assert_string_equal(next->image, "last");
}

/* Killed after an entry about events has arrived, and before that counted; or before it arrived. */
static void what_the_journal_knows_of_is_not_left_out(void **state)
{
    for (int sent = 0; sent < 2; sent++) {
        struct fixture *f = *state;
        struct state *mine = opened(f, sent ? HISTORY_CONTINUED : HISTORY_NONE);
        struct state_file *file = mine->file;

        file->tally.came[EVENT_SCRIBBLED] = 10;
        file->tally.told[EVENT_SCRIBBLED] = 3;
        file->outbox.sequence = tally_sequence(&file->tally, EVENT_SCRIBBLED, 5);
        file->outbox.note.msg_len = sent ? 300 : 0;
        (void)state_free(mine);
        for (int once = 0; once < 2; once++) { /* killed right behind it */
            mine = opened(f, HISTORY_CONTINUED);
            assert_int_equal(tally_untold(&mine->file->tally, EVENT_SCRIBBLED), sent ? 2 : 7);
            assert_int_equal(tally_untold(&mine->file->tally, EVENT_STARTED), 0);
            (void)state_free(mine);
        }
    }
}

/* It comes out of a file. */
static void a_damaged_tally_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct state *mine = opened(f, HISTORY_NONE);
    struct tally *tally = &mine->file->tally;

    tally->told[EVENT_STARTED] = 5;
    assert_int_equal(tally_untold(tally, EVENT_STARTED), 0);
    mine->file->outbox.sequence = OUTBOX_EVENT | (OUTBOX_EVENT - 1);
    mine->file->outbox.note.msg_len = 300;
    (void)state_free(mine);
    (void)state_free(opened(f, HISTORY_CONTINUED));
}

/* "a file that is missing, cut, of another version or from before a reboot begins a new epoch" */
#define FIELD_AT(member, type, number)                                                             \
    {                                                                                              \
        offsetof(struct state_file, member), sizeof(type), (uint64_t)(number)                      \
    }

static void what_makes_no_sense_begins_a_new_epoch(void **state)
{
    static const struct {
        size_t offset, length;
        uint64_t value;
    } damages[] = {
        FIELD_AT(magic, uint64_t, 0),
        FIELD_AT(magic, uint64_t, UINT64_C(0x7374617473686d65)),
        FIELD_AT(version, uint32_t, 0),
        FIELD_AT(version, uint32_t, STATE_VERSION - 1),
        FIELD_AT(version, uint32_t, STATE_VERSION + 1),
        FIELD_AT(boot, uint64_t, 1), /* another boot */
        FIELD_AT(progress, uint64_t, 7 << 2 | 3),
        FIELD_AT(image_size, uint64_t, 0),
        FIELD_AT(image_size, uint64_t, 1),
        FIELD_AT(image_size, uint64_t, 1 << 20), /* longer than the file */
        FIELD_AT(image_size, uint64_t, UINT64_MAX),
        FIELD_AT(image_size, uint64_t, UINT64_MAX - 4096),
        FIELD_AT(extent, uint64_t, SIZE + 1),
        FIELD_AT(record_length, uint64_t, SIZE),
        FIELD_AT(record_length, uint64_t, UINT64_MAX),
        FIELD_AT(acklog.tail, uint64_t, 2),
        FIELD_AT(acklog.commit, uint64_t, (ACKLOG_ENTRIES + 1) << 1),
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        CLEANUP(fd_close_cleanup) int fd = -1;
        CLEANUP(state_free_cleanup) struct state *next = NULL;
        enum history history;
        sd_id128_t epoch = leave_state(f);
        pid_t pid;

        fd = open(f->left, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, &damages[i].value, damages[i].length, (off_t)damages[i].offset),
                         damages[i].length);
        fd = fd_close(fd);
        assert_int_equal(state_open(f->conf, &next, &history, &pid), 0);
        if (history != HISTORY_LOST) {
            print_error("damage %zu went on\n", i);
        }
        assert_int_equal(history, HISTORY_LOST);
        assert_false(sd_id128_equal(next->file->epoch, epoch));
        assert_fresh(next);
        state_remove(next);
    }
}

static void a_configuration_path_without_an_end_begins_a_new_epoch(void **state)
{
    struct fixture *f = *state;
    (void)leave_state(f);
    CLEANUP(fd_close_cleanup) int fd = open(f->left, O_WRONLY | O_CLOEXEC);
    CLEANUP(state_free_cleanup) struct state *next = NULL;
    char junk[PATH_MAX];

    memset(junk, 'x', sizeof(junk));
    assert_int_equal(pwrite(fd, junk, sizeof(junk), offsetof(struct state_file, conf_path)),
                     sizeof(junk));
    fd = fd_close(fd);
    next = opened(f, HISTORY_LOST);
    assert_fresh(next);
}

static void a_file_that_was_cut_begins_a_new_epoch(void **state)
{
    static const off_t lengths[] = {0, 1, 100, sizeof(struct state_file) - 1,
                                    sizeof(struct state_file)};
    struct fixture *f = *state;

    for (size_t i = 0; i <= sizeof(lengths) / sizeof(lengths[0]); i++) {
        CLEANUP(state_free_cleanup) struct state *next = NULL;
        (void)leave_state(f);
        struct stat st;

        assert_int_equal(stat(f->left, &st), 0);
        /* The last one: by a byte of the image. */
        assert_int_equal(truncate(f->left, i < sizeof(lengths) / sizeof(lengths[0])
                                               ? lengths[i]
                                               : st.st_size - 1),
                         0);
        next = opened(f, HISTORY_LOST);
        assert_fresh(next);
        state_remove(next);
    }
}

/* --- who has it --- */

/* Holds the state in a child. */
static pid_t hold(struct fixture *f)
{
    int ready[2];
    char byte = '-';
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = child_start();
    if (pid == 0) {
        struct state *mine;
        enum history history;
        pid_t holder;

        (void)!write(ready[1], state_open(f->conf, &mine, &history, &holder) == 0 ? "+" : "-", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, '+');
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

/* "-EBUSY: another daemon has it, *ret_pid says which" */
static void a_second_daemon_on_one_key_is_told_who_has_it(void **state)
{
    struct fixture *f = *state;
    struct state *mine = NULL;
    enum history history;
    pid_t pid = hold(f);
    pid_t holder = 0;

    assert_int_equal(state_open(f->conf, &mine, &history, &holder), -EBUSY);
    assert_int_equal(holder, pid);
    assert_null(mine);
    /* Its death frees it. */
    child_end(pid);
    mine = opened(f, HISTORY_CONTINUED);
    mine = state_free(mine);
}

static void a_strangers_file_is_refused(void **state)
{
    struct fixture *f = *state;
    (void)leave_state(f);

    SKIP_UNLESS_ROOT();
    assert_int_equal(chown(f->left, PRIVATE_NOBODY, PRIVATE_NOBODY), 0);
    assert_not_opened(f, -EPERM);
    assert_true(exists(f->left));
}

/* A symbolic link would have us write where somebody else wants. */
static void what_is_no_plain_file_is_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *path = state_describe(f->conf);
    CLEANUP(free_cleanup) char *target = NULL;
    struct stat st;

    assert_true(asprintf(&target, "%s/target", f->directory) > 0);
    assert_true(file_write(target, "mine", 4));
    assert_int_equal(symlink(target, path), 0);
    assert_not_opened(f, -ELOOP);
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_not_opened(f, -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_not_opened(f, -ENXIO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_not_opened(f, -EISDIR);
    assert_int_equal(rmdir(path), 0);
}

/* --- the configuration's key changes --- */

static void a_daemon_with_another_key_inherits_from_its_configuration(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *next = NULL;

    f->conf->key = OTHER;
    next = opened(f, HISTORY_CONTINUED);
    assert_continues(next, epoch);
    assert_int_equal(next->file->key, KEY); /* where its segment still is */
    assert_non_null(strstr(next->path, "/key-0000162f."));
    assert_true(exists(next->path));
    assert_false(exists(f->left));
}

static void another_configuration_inherits_nothing(void **state)
{
    struct fixture *f = *state;
    (void)leave_state(f);
    CLEANUP(state_free_cleanup) struct state *next = NULL;

    f->conf->key = OTHER;
    free(f->conf->path);
    f->conf->path = strdup("/etc/two.conf");
    next = opened(f, HISTORY_NONE);
    assert_true(exists(f->left));
}

/* Another daemon that starts at that moment would find its state locked, and take us for its rival.
 * A file is locked only by who may write it. */
static void a_state_of_another_configuration_is_not_locked(void **state)
{
    struct fixture *f = *state;
    CLEANUP(fd_close_cleanup) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CLEANUP(state_free_cleanup) struct state *next = NULL;
    char event[sizeof(struct inotify_event) + NAME_MAX + 1];

    (void)leave_state(f);
    assert_true(inotify_add_watch(watch, f->left, IN_CLOSE_WRITE) >= 0);
    f->conf->key = OTHER;
    free(f->conf->path);
    f->conf->path = strdup("/etc/two.conf");
    next = opened(f, HISTORY_NONE);
    assert_int_equal(read(watch, event, sizeof(event)), -1);
    assert_int_equal(errno, EAGAIN);
}

/* A relative path means another file in another directory, and the same one in the same. */
static void a_path_of_another_directory_inherits_nothing(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *next = NULL;

    free(f->conf->path);
    f->conf->path = strdup("shmd.conf");
    assert_int_equal(chdir("/"), 0);
    (void)leave_state(f);
    f->conf->key = OTHER;
    assert_int_equal(chdir(f->directory), 0);
    next = opened(f, HISTORY_NONE);
    assert_true(exists(f->left));
    state_remove(next);
    next = state_free(next);
    assert_int_equal(chdir("/"), 0);
    next = opened(f, HISTORY_CONTINUED);
}

static void nothing_is_inherited_from_a_daemon_that_runs(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *mine = NULL;
    pid_t pid = hold(f);

    f->conf->key = OTHER;
    mine = opened(f, HISTORY_NONE);
    child_end(pid);
}

/* "A key means something only" in its IPC namespace, and a segment's id, too. */
static void nothing_is_inherited_from_another_ipc_namespace(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *mine = NULL;
    pid_t pid = child_start();

    if (pid == 0) {
        enum history history;
        struct state *elsewhere;
        pid_t holder;

        _exit(unshare(CLONE_NEWIPC) == 0 && state_open(f->conf, &elsewhere, &history, &holder) == 0
                  ? 0
                  : 1);
    }
    assert_int_equal(child_wait(pid), 0);
    mine = opened(f, HISTORY_NONE);
}

static void moving_to_another_key_keeps_everything(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);

    assert_int_equal(state_rekey(mine, OTHER), 0);
    assert_false(exists(f->left));
    assert_true(exists(mine->path));
    assert_non_null(strstr(mine->path, "/key-0000162f."));
    assert_continues(mine, epoch);
    mine = state_free(mine);
    f->conf->key = OTHER;
    mine = opened(f, HISTORY_CONTINUED);
    assert_continues(mine, epoch);
}

/* "-EBUSY: another daemon has that key." */
static void a_key_that_another_daemon_has_is_not_taken(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *mine = NULL;
    CLEANUP(free_cleanup) char *path = NULL;
    pid_t pid = hold(f);

    f->conf->key = OTHER;
    mine = opened(f, HISTORY_NONE);
    path = strdup(mine->path);
    assert_int_equal(state_rekey(mine, KEY), -EBUSY);
    assert_string_equal(mine->path, path);
    assert_true(exists(path));
    child_end(pid);
}

/* Acknowledgements that a daemon of another configuration has not logged yet are not thrown away.
 */
static void a_key_where_a_state_waits_for_its_daemon_is_not_taken(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = NULL;

    f->conf->key = OTHER;
    free(f->conf->path);
    f->conf->path = strdup("/etc/two.conf");
    mine = opened(f, HISTORY_NONE);
    (void)state_rekey(mine, KEY);
    mine = state_free(mine);
    free(f->conf->path);
    f->conf->path = strdup("/etc/one.conf");
    f->conf->key = KEY;
    mine = opened(f, HISTORY_CONTINUED);
    assert_continues(mine, epoch);
}

/* --- resize --- */

static void assert_resized(const struct state *state, sd_id128_t epoch, size_t size)
{
    assert_true(sd_id128_equal(state->file->epoch, epoch));
    assert_int_equal(state->file->image_size, size);
    assert_int_equal(state->file->record_length, 0);
    assert_int_equal(state_number(state->file), 7);
    assert_int_equal(state_phase(state->file), PHASE_EMPTY);
    assert_int_equal(acklog_waiting(&state->file->acklog), 1);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(state->image[i], 0);
    }
}

/* "Makes an image of another size, all NUL: the record in it is given up." */
static void a_resize_keeps_epoch_number_and_queue(void **state)
{
    static const size_t sizes[] = {1000, 100000, 2, 5000, SIZE};
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);

        assert_int_equal(state_make_room(mine, sizes[i]), 0);
        state_resize(mine, sizes[i]);
        assert_resized(mine, epoch, sizes[i]);
        memset(mine->image, 'x', sizes[i]);
        mine = state_free(mine);
        mine = opened(f, HISTORY_CONTINUED);
        assert_int_equal(mine->file->image_size, sizes[i]);
        assert_int_equal(mine->image[sizes[i] - 1], 'x');
        memset(mine->image, 0, sizes[i]);
        assert_resized(mine, epoch, sizes[i]);
    }
}

/* Until it is certain that the other segment can be had, everything may stay as it is. */
static void room_for_another_image_changes_nothing(void **state)
{
    static const size_t sizes[] = {100000, 2, 50000};
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);

        assert_int_equal(state_make_room(mine, sizes[i]), 0);
        assert_int_equal(mine->file->image_size, SIZE);
        assert_continues(mine, epoch);
    }
}

/* Grown and shrunk by turns in one life: there is a file behind all of the image. */
static void an_image_that_was_small_grows_again(void **state)
{
    static const size_t sizes[] = {100000, 2, 50000, 3, 200000};
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(state_make_room(mine, sizes[i]), 0);
        state_resize(mine, sizes[i]);
        memset(mine->image, 'x', sizes[i]);
        memset(mine->image, 0, sizes[i]);
        assert_resized(mine, epoch, sizes[i]);
    }
}

/* It comes in the midst of the loop: what nobody has written to is not touched either. */
static void a_resize_touches_what_was_written(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);
    struct rusage before, after;

    assert_int_equal(state_stretch(mine->fd, SIZE, LARGE), 0);
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    assert_int_equal(state_make_room(mine, LARGE), 0);
    state_resize(mine, LARGE);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_true(after.ru_minflt - before.ru_minflt < (long)(LARGE / PAGE / 10));
    assert_resized(mine, epoch, LARGE);
}

/* Stretched in vain, by a daemon that was killed then. */
static void what_lies_behind_the_image_goes(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);
    struct stat st;

    assert_int_equal(state_stretch(mine->fd, SIZE, LARGE), 0);
    mine = state_free(mine);
    mine = opened(f, HISTORY_CONTINUED);
    assert_int_equal(fstat(mine->fd, &st), 0);
    assert_int_equal(st.st_size, STATE_IMAGE_OFFSET + SIZE);
    assert_continues(mine, epoch);
}

/* A resize that is stepped through, and what the next daemon would find after each instruction. */
struct resize {
    struct fixture *fixture;
    struct state *state;
    size_t size;
    sd_id128_t epoch;
    char *elsewhere; /* a directory */
    char *copy;      /* … with a copy of the file */
    char seen[offsetof(struct state_file, conf_path)];
};

static void act_resize(void *userdata)
{
    struct resize *resize = userdata;

    if (state_make_room(resize->state, resize->size) == 0) {
        state_resize(resize->state, resize->size);
    }
}

static bool file_copy(const char *from, const char *to)
{
    CLEANUP(fd_close_cleanup) int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_close_cleanup) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct stat st;
    ssize_t n;

    if (in < 0 || out < 0 || fstat(in, &st) < 0) {
        return false;
    }
    while ((n = copy_file_range(in, NULL, out, NULL, (size_t)st.st_size, 0)) > 0) {
        ;
    }
    return n == 0;
}

static bool the_epoch_goes_on(void *userdata)
{
    struct resize *resize = userdata;
    struct state *next = NULL;
    enum history history;
    pid_t pid;
    bool fine;

    if (memcmp(resize->seen, resize->state->file, sizeof(resize->seen)) == 0) {
        return true;
    }
    memcpy(resize->seen, resize->state->file, sizeof(resize->seen));
    (void)setenv("RUNTIME_DIRECTORY", resize->elsewhere, 1);
    fine = file_copy(resize->state->path, resize->copy) &&
           state_open(resize->fixture->conf, &next, &history, &pid) == 0 &&
           history == HISTORY_CONTINUED && sd_id128_equal(next->file->epoch, resize->epoch) &&
           state_number(next->file) == 7 && acklog_waiting(&next->file->acklog) == 1;
    next = state_free(next);
    (void)setenv("RUNTIME_DIRECTORY", resize->fixture->directory, 1);
    return fine;
}

/* "SIGKILL the daemon at any instruction …: same epoch" */
static void killed_at_any_instruction_of_a_resize_the_epoch_goes_on(void **state)
{
    static const size_t sizes[] = {1000, 2};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        CLEANUP(state_free_cleanup) struct state *mine = NULL;
        CLEANUP(private_directory_free_cleanup) char *elsewhere = private_directory_new();
        CLEANUP(free_cleanup) char *copy = NULL;
        struct resize resize = {.fixture = f, .size = sizes[i], .elsewhere = elsewhere};
        long steps;

        resize.epoch = leave_state(f);
        mine = opened(f, HISTORY_CONTINUED);
        assert_true(asprintf(&copy, "%s%s", elsewhere, strrchr(f->left, '/')) > 0);
        resize.state = mine;
        resize.copy = copy;
        steps = step_through(act_resize, the_epoch_goes_on, &resize);
        if (steps < 0) {
            SKIP("no process can be stepped through");
        }
        assert_true(steps > 0);
        assert_int_equal(mine->file->image_size, sizes[i]);
        state_remove(mine);
    }
}

static void a_resize_that_has_no_room_changes_nothing(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);

    assert_true(state_make_room(mine, SIZE_MAX / 2 - ((size_t)4 << 20)) < 0);
    assert_int_equal(mine->file->image_size, SIZE);
    assert_continues(mine, epoch);
    mine = state_free(mine);
    mine = opened(f, HISTORY_CONTINUED);
    assert_continues(mine, epoch);
}

/* --- the name --- */

static bool removed(const struct state *mine)
{
    return unlink(mine->path) == 0;
}

static bool moved_away(const struct state *mine)
{
    CLEANUP(free_cleanup) char *away = NULL;

    return asprintf(&away, "%s.bak", mine->path) > 0 && rename(mine->path, away) == 0;
}

static bool replaced(const struct state *mine)
{
    return removed(mine) && file_write(mine->path, "", 0);
}

static bool replaced_by_a_link(const struct state *mine)
{
    return removed(mine) && symlink("/dev/null", mine->path) == 0;
}

/* Whatever became of the file: the state is there again, whole, and ours alone. */
static void a_state_that_lost_its_name_gets_it_again(void **state)
{
    static bool (*const ways[])(const struct state *) = {removed, moved_away, replaced,
                                                         replaced_by_a_link};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        sd_id128_t epoch = leave_state(f);
        CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);
        const struct state_file *file = mine->file;
        const char *image = mine->image;
        struct stat st;
        pid_t pid;

        assert_true(state_is_named(mine));
        assert_true(ways[i](mine));
        assert_false(state_is_named(mine));
        assert_int_equal(state_name_again(mine), 0);
        assert_true(state_is_named(mine));
        assert_ptr_equal(mine->file, file);
        assert_ptr_equal(mine->image, image);
        assert_continues(mine, epoch);
        assert_int_equal(lstat(mine->path, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        pid = child_start();
        if (pid == 0) {
            struct state *other = NULL;
            enum history history;
            pid_t holder;

            _exit(state_open(f->conf, &other, &history, &holder) == -EBUSY ? 0 : 1);
        }
        assert_int_equal(child_wait(pid), 0);

        state_enter(mine->file, 7, PHASE_EMPTY);
        state_enter(mine->file, 7, PHASE_PUBLISHED);
        memcpy(mine->image, "xyz", 3);
        memcpy(mine->image, "abc", 3);
        mine = state_free(mine);
        mine = opened(f, HISTORY_CONTINUED);
        assert_continues(mine, epoch);
        state_remove(mine);
        mine = state_free(mine);
    }
}

static void a_state_that_cannot_get_its_name_again_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    sd_id128_t epoch = leave_state(f);
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_CONTINUED);

    assert_true(removed(mine));
    assert_int_equal(mkdir(mine->path, 0700), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(state_name_again(mine), -EISDIR);
        assert_continues(mine, epoch);
    }
    assert_int_equal(rmdir(mine->path), 0);
    assert_int_equal(state_name_again(mine), 0);
    mine = state_free(mine);
    mine = opened(f, HISTORY_CONTINUED);
    assert_continues(mine, epoch);
}

/* A thread that has the descriptor never meets another file under it. */
static void a_state_that_is_lent_stays_where_it_is(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_NONE);
    int fd = mine->fd;

    assert_true(removed(mine));
    mine->lent = true;
    assert_int_equal(state_name_again(mine), -EAGAIN);
    assert_int_equal(mine->fd, fd);
    mine->lent = false;
    assert_int_equal(state_name_again(mine), 0);
    assert_true(state_is_named(mine));
}

/* Its name is another daemon's now, and stays that. */
static void a_name_that_another_daemon_has_is_left_to_it(void **state)
{
    struct fixture *f = *state;
    CLEANUP(state_free_cleanup) struct state *mine = opened(f, HISTORY_NONE);
    struct stat before, after;
    pid_t pid;

    assert_true(removed(mine));
    pid = hold(f);
    assert_int_equal(stat(mine->path, &before), 0);
    assert_int_equal(state_name_again(mine), -EBUSY);
    state_remove(mine);
    assert_int_equal(stat(mine->path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    child_end(pid);
}

/* --- the directory --- */

static void the_first_directory_of_systemd_is_used(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *several = NULL;
    CLEANUP(state_free_cleanup) struct state *mine = NULL;

    assert_true(asprintf(&several, "%s:/nonexistent", f->directory) > 0);
    assert_int_equal(setenv("RUNTIME_DIRECTORY", several, 1), 0);
    mine = opened(f, HISTORY_NONE);
    assert_string_equal(mine->directory, f->directory);
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("RUNTIME_DIRECTORY", "/nonexistent", 1), 0);
    assert_not_opened(f, -ENOENT);
}

/* As a user, in $XDG_RUNTIME_DIR/shmd: made for us alone, or refused. */
static bool opens_in_its_own_directory(void *userdata)
{
    struct fixture *f = userdata;
    CLEANUP(free_cleanup) char *own = NULL;
    struct state *mine = NULL;
    enum history history;
    struct stat st;
    pid_t holder;

    (void)umask(0);
    if (asprintf(&own, "%s/shmd", f->directory) < 0 ||
        state_open(f->conf, &mine, &history, &holder) < 0 || stat(own, &st) < 0 ||
        (st.st_mode & 07777) != 0700 || strcmp(mine->directory, own) != 0) {
        return false;
    }
    state_remove(mine);
    mine = state_free(mine);
    return rmdir(own) == 0;
}

static bool is_refused(void *userdata)
{
    struct fixture *f = userdata;
    struct state *mine = NULL;
    enum history history;
    pid_t holder;

    return state_open(f->conf, &mine, &history, &holder) == -EPERM && !mine;
}

static void the_directory_of_a_user_is_its_own(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_cleanup) char *own = NULL;

    SKIP_UNLESS_ROOT();
    assert_int_equal(unsetenv("RUNTIME_DIRECTORY"), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", f->directory, 1), 0);
    assert_int_equal(chmod(f->directory, 0777), 0);
    assert_true(asprintf(&own, "%s/shmd", f->directory) > 0);

    assert_int_equal(check_as(PRIVATE_NOBODY, opens_in_its_own_directory, f), 0);
    /* A stranger has made it first: a directory, a link to one of ours, a file. */
    assert_int_equal(mkdir(own, 0777), 0);
    assert_int_equal(check_as(PRIVATE_NOBODY, is_refused, f), 0);
    assert_int_equal(rmdir(own), 0);
    assert_int_equal(symlink("/tmp", own), 0);
    assert_int_equal(check_as(PRIVATE_NOBODY, is_refused, f), 0);
    assert_int_equal(unlink(own), 0);
    assert_true(file_write(own, "", 0));
    assert_int_equal(chown(own, PRIVATE_NOBODY, PRIVATE_NOBODY), 0);
    assert_int_equal(check_as(PRIVATE_NOBODY, is_refused, f), 0);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-state")
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_an_epoch_begins),
        TEST(two_epochs_are_never_the_same),
        TEST(what_was_left_goes_on),
        TEST(what_was_removed_is_forgotten),
        TEST(a_kill_loses_nothing),
        TEST(what_the_journal_knows_of_is_not_left_out),
        TEST(a_damaged_tally_does_no_harm),
        TEST(what_makes_no_sense_begins_a_new_epoch),
        TEST(a_configuration_path_without_an_end_begins_a_new_epoch),
        TEST(a_file_that_was_cut_begins_a_new_epoch),
        TEST(a_second_daemon_on_one_key_is_told_who_has_it),
        TEST(a_strangers_file_is_refused),
        TEST(what_is_no_plain_file_is_refused),
        TEST(a_daemon_with_another_key_inherits_from_its_configuration),
        TEST(another_configuration_inherits_nothing),
        TEST(a_state_of_another_configuration_is_not_locked),
        TEST(a_path_of_another_directory_inherits_nothing),
        TEST(nothing_is_inherited_from_a_daemon_that_runs),
        TEST(nothing_is_inherited_from_another_ipc_namespace),
        TEST(moving_to_another_key_keeps_everything),
        TEST(a_key_that_another_daemon_has_is_not_taken),
        TEST(a_key_where_a_state_waits_for_its_daemon_is_not_taken),
        TEST(a_resize_keeps_epoch_number_and_queue),
        TEST(a_resize_touches_what_was_written),
        TEST(what_lies_behind_the_image_goes),
        TEST(room_for_another_image_changes_nothing),
        TEST(an_image_that_was_small_grows_again),
        TEST(killed_at_any_instruction_of_a_resize_the_epoch_goes_on),
        TEST(a_resize_that_has_no_room_changes_nothing),
        TEST(a_state_that_lost_its_name_gets_it_again),
        TEST(a_state_that_cannot_get_its_name_again_stays_as_it_is),
        TEST(a_state_that_is_lent_stays_where_it_is),
        TEST(a_name_that_another_daemon_has_is_left_to_it),
        TEST(the_first_directory_of_systemd_is_used),
        TEST(a_directory_that_is_not_there_is_an_error),
        TEST(the_directory_of_a_user_is_its_own),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
