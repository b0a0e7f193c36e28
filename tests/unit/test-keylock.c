/* SPDX-License-Identifier: MIT
 *
 * The lock of a key, in an IPC namespace of the test's own.
 */
#include "segment/keylock.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/sem.h>

#include <cmocka.h>

#define KEY   UINT32_C(0xf0e1d2c3) /* above INT32_MAX: a key has 32 bits */
#define ALICE ((uid_t)4000000001)

/* How many sets of semaphores there are. */
static int semaphores(void)
{
    struct seminfo info;

    (void)semctl(0, 0, SEM_INFO, &info);
    return info.semusz;
}

/* A process that has it, if it can, and what it found. */
struct other {
    pid_t pid;
    int *result; /* 1: it has not tried yet */
};

static struct other other_takes(uint32_t key)
{
    struct other other = {.result = shared_new(sizeof(int))};

    *other.result = 1;
    other.pid = child_start();
    if (other.pid == 0) {
        struct keylock lock = KEYLOCK_NONE;
        pid_t holder;

        __atomic_store_n(other.result, keylock_take(key, &lock, &holder), __ATOMIC_RELEASE);
        (void)pause();
    }
    for (uint64_t i = 0; __atomic_load_n(other.result, __ATOMIC_ACQUIRE) == 1; i++) {
        (void)usleep(1000);
    }
    return other;
}

static void one_process_has_it(void **state)
{
    struct keylock lock = KEYLOCK_NONE;
    struct other other;
    pid_t pid = 0;

    (void)state;
    other = other_takes(KEY);
    assert_int_equal(*other.result, 0);
    assert_int_equal(keylock_take(KEY, &lock, &pid), -EBUSY);
    assert_int_equal(pid, other.pid);
    assert_int_equal(lock.id, -1);
    assert_int_equal(keylock_take(KEY + 1, &lock, &pid), 0); /* another key is another one's */
    keylock_release(&lock);
    child_end(other.pid);
    assert_int_equal(keylock_take(KEY, &lock, &pid), 0); /* whatever it dies of */
    assert_true(keylock_holds(&lock));
    other = other_takes(KEY);
    assert_int_equal(*other.result, -EBUSY);
    child_end(other.pid);
    keylock_release(&lock);
    assert_false(keylock_holds(&lock));
    keylock_release(&lock);
    assert_int_equal(semaphores(), 0);
}

/* Removed under our eyes: then it is whose who comes next. */
static void what_was_removed_is_not_held(void **state)
{
    struct keylock lock = KEYLOCK_NONE;
    struct other other;
    pid_t pid = 0;

    (void)state;
    assert_int_equal(keylock_take(KEY, &lock, &pid), 0);
    assert_int_equal(semctl(lock.id, 0, IPC_RMID), 0);
    other = other_takes(KEY);
    assert_int_equal(*other.result, 0);
    assert_false(keylock_holds(&lock));
    keylock_release(&lock); /* which is not the other's */
    assert_int_equal(keylock_take(KEY, &lock, &pid), -EBUSY);
    assert_int_equal(pid, other.pid);
    child_end(other.pid);
    assert_int_equal(keylock_take(KEY, &lock, &pid), 0);
    keylock_release(&lock);
}

static bool squat(void *userdata)
{
    int id = semget((key_t)keylock_key(KEY), 1, IPC_CREAT | IPC_EXCL | *(int *)userdata);

    return id >= 0 && (semctl(id, 0, SETVAL, 1) == 0 || *(int *)userdata == 0);
}

/* Whoever else has a semaphore there: it is left alone, and says nothing about who serves. */
static void another_users_is_no_lock(void **state)
{
    int modes[] = {0666, 0600, 0};

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct keylock lock = KEYLOCK_NONE;
        pid_t pid = 0;
        int id;

        assert_int_equal(check_as(ALICE, squat, &modes[i]), 0);
        id = semget((key_t)keylock_key(KEY), 0, 0);
        assert_int_equal(keylock_take(KEY, &lock, &pid), -EEXIST);
        assert_int_equal(lock.id, -1);
        keylock_release(&lock);
        assert_int_equal(semget((key_t)keylock_key(KEY), 0, 0), id);
        assert_int_equal(semctl(id, 0, IPC_RMID), 0);
    }
}

static void no_key_is_private(void **state)
{
    (void)state;
    assert_int_equal(keylock_key(KEYLOCK_MARK), KEYLOCK_MARK);
    assert_int_not_equal(keylock_key(5678), 5678);
    assert_int_not_equal(keylock_key(UINT32_MAX), 0);
}

TEST_GROUP("test-keylock")
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_has_it),
        cmocka_unit_test(what_was_removed_is_not_held),
        cmocka_unit_test(another_users_is_no_lock),
        cmocka_unit_test(no_key_is_private),
    };

    private_ipc_or_skip();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
