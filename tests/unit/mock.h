/* SPDX-License-Identifier: MIT
 *
 * The border to the system, where tests take its place: some calls of the tested code come here
 * (see --wrap in tests.am), and go on to the system unless a test has switched them.
 *
 *   - journal_send(): caught from the first mock_journal_reset() on. What it is given is kept, to
 *     be looked at; it can be made to block, as it does while journald is stopped, and to fail, as
 *     it does while its socket is gone.
 *   - shmget(), shmctl(), getgrnam(): a test may set a function that is called instead.
 */
#pragma once

#include <grp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/shm.h>

/* Catches entries; forgets those that came so far; nothing blocks or fails any more. */
void mock_journal_reset(void);

/* From now on (false: no more), whoever sends waits; what waits has not arrived yet. */
void mock_journal_block(bool block);

/* The next `times` entries are refused with a negative errno. */
void mock_journal_fail(int error, unsigned times);

/* Waits for the n-th entry (counted from 1) to arrive; false if it does not come. */
bool mock_journal_wait(size_t n);

/* Waits until somebody is being kept waiting; false if nobody comes. */
bool mock_journal_wait_blocked(void);

/* How many entries have arrived; how often sending was tried. */
size_t mock_journal_count(void);
size_t mock_journal_tries(void);

/* The value of a field in the i-th entry (from 0), valid until the reset; NULL if it has none. */
const char *mock_journal_field(size_t i, const char *name);

/* As a number; 0 if there is no such field. */
unsigned long long mock_journal_number(size_t i, const char *name);

/* The index of the first entry of an event (SHMD_EVENT=), or -1. */
int mock_journal_find(const char *event);

/* NULL: the system's. */
extern int (*mock_shmget)(key_t key, size_t size, int flags);
extern int (*mock_shmctl)(int id, int command, struct shmid_ds *ds);
extern struct group *(*mock_getgrnam)(const char *name);

int __real_shmget(key_t key, size_t size, int flags);
int __real_shmctl(int id, int command, struct shmid_ds *ds);
struct group *__real_getgrnam(const char *name);
int __real_pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
                                const struct timespec *deadline);
