/* SPDX-License-Identifier: MIT
 *
 * A client and the segment that it was told of: may it be gone, or was it never here? The daemon
 * replaces it while the client is about to look, or while it reads there.
 */
#include "daemon.h"
#include "lib/link.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CONF_FORMAT "layout = \"ring\"; mode = \"0644\"; size = %zu; "
#define SIZE        ((size_t)65536)
#define TAKEN       3

struct fixture {
    struct daemon daemon;
    struct shmd_subscriber *subscriber;
    int result;
    int taken;
};

static _Thread_local bool is_client;
static unsigned looks, missed; /* how often the client looks at a segment; so often, too late */
static sem_t looking, replaced;

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char conf[128];

    *state = f;
    looks = missed = 0;
    (void)snprintf(conf, sizeof(conf), CONF_FORMAT, SIZE);
    assert_true(daemon_new(&f->daemon, conf));
    assert_int_equal(sem_init(&looking, 0, 0), 0);
    assert_int_equal(sem_init(&replaced, 0, 0), 0);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    mock_shmctl = NULL;
    mock_journal_reset();
    if (f->subscriber) {
        (void)shmd_unsubscribe(f->subscriber);
    }
    daemon_free(&f->daemon);
    free(f);
    return 0;
}

static int looks_too_late(int id, int command, struct shmid_ds *ds)
{
    if (is_client && command == IPC_STAT && looks++ < missed) {
        (void)sem_post(&looking);
        (void)sem_wait(&replaced);
    }
    return __real_shmctl(id, command, ds);
}

static int looks_elsewhere(int id, int command, struct shmid_ds *ds)
{
    if (is_client && command == IPC_STAT) {
        looks++;
        errno = EINVAL;
        return -1;
    }
    return __real_shmctl(id, command, ds);
}

static void replace(struct fixture *f, unsigned times)
{
    char conf[128];
    int length = snprintf(conf, sizeof(conf), CONF_FORMAT, SIZE << times);

    assert_true(file_write(f->daemon.conf_path, conf, (size_t)length));
    daemon_reload(f->daemon.manager);
}

static void *subscribe(void *argument)
{
    struct fixture *f = argument;
    struct shmd_options options = {.socket = f->daemon.socket_path};

    is_client = true;
    f->result = shmd_subscribe(&options, &f->subscriber);
    return NULL;
}

/* What stands in the segment that was replaced is still to be had, and the daemon hears of it. */
static void *take_and_leave(void *argument)
{
    struct fixture *f = argument;
    struct shmd_record record;

    while (f->result == 0 && f->taken < TAKEN) {
        f->result = shmd_next(f->subscriber, &record);
        if (f->result == 0 && shmd_acknowledge(f->subscriber, record.number) == SHMD_LATER) {
            f->taken++;
        }
    }
    f->subscriber = shmd_unsubscribe(f->subscriber);
    return NULL;
}

static void serve(struct fixture *f)
{
    pthread_t thread;
    unsigned times = 0;

    assert_int_equal(pthread_create(&thread, NULL, subscribe, f), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
        run_loop(f->daemon.manager->event);
        if (sem_trywait(&looking) == 0) {
            replace(f, ++times);
            (void)sem_post(&replaced);
        }
    }
    assert_int_equal(times, missed);
}

static void the_segment_may_be_replaced_again_and_again(void **state)
{
    struct fixture *f = *state;
    struct shmd_subscription subscription;

    missed = 3;
    mock_shmctl = looks_too_late;
    serve(f);
    assert_int_equal(f->result, 0);
    shmd_describe(f->subscriber, &subscription);
    assert_int_equal(subscription.segment_size, SIZE << missed);
    assert_int_equal(looks, missed + 1);
}

static void what_is_named_again_and_not_here_is_elsewhere(void **state)
{
    struct fixture *f = *state;

    mock_shmctl = looks_elsewhere;
    serve(f);
    assert_int_equal(f->result, -EXDEV);
    assert_null(f->subscriber);
    assert_int_equal(looks, 2);
}

static void what_it_acknowledges_late_is_told_before_it_leaves(void **state)
{
    struct fixture *f = *state;

    serve(f);
    daemon_turn(&f->daemon); /* fills the ring */
    replace(f, 1);
    assert_true(daemon_serve(&f->daemon, take_and_leave, f));
    assert_int_equal(f->result, 0);
    assert_int_equal(f->taken, TAKEN);
    daemon_turn(&f->daemon);
    assert_int_equal(daemon_logged_records(&f->daemon), TAKEN);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* No descriptor is open after that, nor is one closed that was never its own: 0 is the caller's. */
static void what_cannot_be_asked_for_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char name[MESSAGE_NAME_SIZE + 1];
    char path[200];
    const struct {
        struct shmd_options options;
        bool only_subscriber;
    } wrong[] = {
        {{.start = (enum shmd_start)7}, true},
        {{.start = (enum shmd_start) - 1}, true},
        {{.name = name}, false},
        {{.socket = path}, false},
        {{.instance = path}, false},
    };
    int free_fd = dup(STDERR_FILENO);

    memset(name, 'n', sizeof(name) - 1);
    memset(path, 'p', sizeof(path) - 1);
    name[sizeof(name) - 1] = path[sizeof(path) - 1] = '\0';
    assert_true(free_fd > 0);
    (void)close(free_fd);
    if (!is_open(STDIN_FILENO)) {
        assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct shmd_publisher *publisher = NULL;

        assert_int_equal(shmd_subscribe(&wrong[i].options, &f->subscriber), -EINVAL);
        assert_null(f->subscriber);
        if (!wrong[i].only_subscriber) {
            assert_int_equal(shmd_publisher_open(&wrong[i].options, &publisher), -EINVAL);
            assert_null(publisher);
        }
        assert_true(is_open(STDIN_FILENO));
        assert_false(is_open(free_fd));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-link")
{
    const struct CMUnitTest tests[] = {
        TEST(the_segment_may_be_replaced_again_and_again),
        TEST(what_is_named_again_and_not_here_is_elsewhere),
        TEST(what_cannot_be_asked_for_leaves_nothing),
        TEST(what_it_acknowledges_late_is_told_before_it_leaves),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
