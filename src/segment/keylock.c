/* SPDX-License-Identifier: MIT */
#include "segment/keylock.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#define TAKE_TRIES 16 /* whoever stops removes it under our eyes; not for ever */

/* For semctl(), see there: nobody declares it. */
union argument {
    int value;
    struct semid_ds *ds;
};

/* The semaphore that stands there, if it is our user's. */
static int find(key_t key, int *ret)
{
    struct semid_ds ds;
    int id = semget(key, 0, 0);

    if (id < 0) {
        return -errno;
    }
    if (semctl(id, 0, IPC_STAT, (union argument){.ds = &ds}) < 0) {
        return errno == EACCES ? -EEXIST : -errno;
    }
    if (ds.sem_perm.cuid != geteuid() || ds.sem_nsems != 1) {
        return -EEXIST;
    }
    *ret = id;
    return 0;
}

/* Makes it 1, if it is 0, until this process ends. */
static int count(int id)
{
    struct sembuf steps[] = {
        {.sem_op = 0, .sem_flg = IPC_NOWAIT},
        {.sem_op = 1, .sem_flg = IPC_NOWAIT | SEM_UNDO},
    };

    if (semop(id, steps, sizeof(steps) / sizeof(steps[0])) < 0) {
        return errno == EAGAIN ? -EBUSY : -errno;
    }
    return 0;
}

int keylock_take(uint32_t key, struct keylock *ret, pid_t *ret_pid)
{
    key_t own = (key_t)keylock_key(key);
    int r = -EIDRM;

    for (int i = 0; i < TAKE_TRIES && (r == -EIDRM || r == -EINVAL || r == -ENOENT); i++) {
        int id = semget(own, 1, IPC_CREAT | IPC_EXCL | 0600); /* it begins with 0 */

        r = id < 0 ? -errno : 0;
        if (r == -EEXIST) {
            r = find(own, &id);
        }
        if (r == 0) {
            r = count(id);
        }
        if (r == -EBUSY) {
            int pid = semctl(id, 0, GETPID);

            *ret_pid = pid > 0 ? pid : 0;
        } else if (r == 0) {
            ret->id = id;
        }
    }
    return r;
}

bool keylock_holds(const struct keylock *lock)
{
    return lock->id >= 0 && semctl(lock->id, 0, GETVAL) == 1;
}

void keylock_release(struct keylock *lock)
{
    if (lock->id >= 0) {
        (void)semctl(lock->id, 0, IPC_RMID);
    }
    *lock = KEYLOCK_NONE;
}
