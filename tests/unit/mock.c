/* SPDX-License-Identifier: MIT */
#include "mock.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "../patience.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define ENTRIES_MAX 16384
#define FIELDS_MAX  32

struct sent {
    size_t count;
    char *fields[FIELDS_MAX]; /* "NAME=value", with a NUL behind it */
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool caught;
    bool blocking;
    size_t blocked; /* who is being kept waiting */
    int error;
    unsigned failures; /* still to come */
    size_t tries;
    size_t count;
    struct sent entries[ENTRIES_MAX];
} journal = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void lock(void)
{
    (void)pthread_mutex_lock(&journal.mutex);
}

static void unlock(void)
{
    (void)pthread_cond_broadcast(&journal.changed);
    (void)pthread_mutex_unlock(&journal.mutex);
}

/* Waits for a counter to reach a number. Called with the mutex. */
static bool wait_for(const size_t *counter, size_t n)
{
    struct timespec deadline = clock_timespec(clock_usec() + PATIENCE_USEC);
    int r = 0;

    while (*counter < n && r == 0) {
        r = pthread_cond_clockwait(&journal.changed, &journal.mutex, CLOCK_MONOTONIC, &deadline);
    }
    return *counter >= n;
}

static void keep(const struct iovec *fields, size_t count)
{
    struct sent *sent = &journal.entries[journal.count];

    for (size_t i = 0; i < count && i < FIELDS_MAX; i++) {
        char *field = malloc(fields[i].iov_len + 1);

        if (!field) {
            abort();
        }
        memcpy(field, fields[i].iov_base, fields[i].iov_len);
        field[fields[i].iov_len] = '\0';
        sent->fields[sent->count++] = field;
    }
    journal.count++;
}

/* Is given to the journal, which takes it, blocks or fails. */
static int deliver(const struct iovec *fields, size_t count)
{
    int r = 0;

    lock();
    journal.tries++;
    journal.blocked++;
    (void)pthread_cond_broadcast(&journal.changed);
    while (journal.blocking) {
        (void)pthread_cond_wait(&journal.changed, &journal.mutex);
    }
    journal.blocked--;
    if (journal.failures > 0) {
        journal.failures--;
        r = journal.error;
    } else if (journal.count < ENTRIES_MAX) {
        keep(fields, count);
    }
    unlock();
    return r;
}

static bool is_caught(void)
{
    bool caught;

    lock();
    caught = journal.caught;
    unlock();
    return caught;
}

int __real_journal_send(const struct iovec *fields, size_t count, struct mmsghdr *note);
int __wrap_journal_send(const struct iovec *fields, size_t count, struct mmsghdr *note);

int __wrap_journal_send(const struct iovec *fields, size_t count, struct mmsghdr *note)
{
    int r;

    if (!is_caught()) {
        return __real_journal_send(fields, count, note);
    }
    r = deliver(fields, count);
    note->msg_len = r == 0 ? 1 : 0;
    return r;
}

void mock_journal_reset(void)
{
    lock();
    for (size_t i = 0; i < journal.count; i++) {
        for (size_t j = 0; j < journal.entries[i].count; j++) {
            free(journal.entries[i].fields[j]);
        }
        journal.entries[i].count = 0;
    }
    journal.caught = true;
    journal.count = 0;
    journal.tries = 0;
    journal.blocking = false;
    journal.failures = 0;
    unlock();
}

void mock_journal_block(bool block)
{
    lock();
    journal.blocking = block;
    unlock();
}

void mock_journal_fail(int error, unsigned times)
{
    lock();
    journal.error = error;
    journal.failures = times;
    unlock();
}

bool mock_journal_wait(size_t n)
{
    bool there;

    lock();
    there = wait_for(&journal.count, n);
    unlock();
    return there;
}

bool mock_journal_wait_blocked(void)
{
    bool there;

    lock();
    there = wait_for(&journal.blocked, 1);
    unlock();
    return there;
}

size_t mock_journal_count(void)
{
    size_t count;

    lock();
    count = journal.count;
    unlock();
    return count;
}

size_t mock_journal_tries(void)
{
    size_t tries;

    lock();
    tries = journal.tries;
    unlock();
    return tries;
}

const char *mock_journal_field(size_t i, const char *name)
{
    const char *value = NULL;
    size_t length = strlen(name);

    lock();
    for (size_t j = 0; i < journal.count && j < journal.entries[i].count; j++) {
        const char *field = journal.entries[i].fields[j];

        if (strncmp(field, name, length) == 0 && field[length] == '=') {
            value = field + length + 1;
        }
    }
    unlock();
    return value;
}

unsigned long long mock_journal_number(size_t i, const char *name)
{
    const char *value = mock_journal_field(i, name);

    return value ? strtoull(value, NULL, 0) : 0;
}

int mock_journal_find(const char *event)
{
    for (size_t i = 0; i < mock_journal_count(); i++) {
        const char *value = mock_journal_field(i, "SHMD_EVENT");

        if (value && strcmp(value, event) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int __wrap_pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
                                const struct timespec *deadline);

/*
 * Of a thread that is late because the machine is busy, nobody shall think that it hangs: one that
 * does, hangs in a journal that blocks.
 */
__attribute__((weak)) int __wrap_pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
                                                      const struct timespec *deadline)
{
    struct timespec patient = clock_timespec(clock_usec() + PATIENCE_USEC);
    bool blocking;

    lock();
    blocking = journal.blocking;
    unlock();
    return __real_pthread_clockjoin_np(thread, ret, clock, blocking ? deadline : &patient);
}

int (*mock_shmget)(key_t key, size_t size, int flags);
int (*mock_shmctl)(int id, int command, struct shmid_ds *ds);

int __wrap_shmget(key_t key, size_t size, int flags);

int __wrap_shmget(key_t key, size_t size, int flags)
{
    return mock_shmget ? mock_shmget(key, size, flags) : __real_shmget(key, size, flags);
}

int __wrap_shmctl(int id, int command, struct shmid_ds *ds);

int __wrap_shmctl(int id, int command, struct shmid_ds *ds)
{
    return mock_shmctl ? mock_shmctl(id, command, ds) : __real_shmctl(id, command, ds);
}

struct group *(*mock_getgrnam)(const char *name);

struct group *__wrap_getgrnam(const char *name);

struct group *__wrap_getgrnam(const char *name)
{
    return mock_getgrnam ? mock_getgrnam(name) : __real_getgrnam(name);
}
