/* SPDX-License-Identifier: MIT
 *
 * The server side of the contract that shmd keeps: a segment of 27 bytes under the key 5678, that
 * everyone may write to, holds the letters a to z and a NUL. When a client has replaced the first
 * letter with '*', the server ends, and leaves the segment behind.
 */
#include <stdio.h>
#include <sys/shm.h>
#include <time.h>

int main(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int id = shmget(5678, 27, IPC_CREAT | 0666);
    volatile char *segment;

    if (id < 0) {
        perror("original-server: shmget");
        return 1;
    }
    segment = shmat(id, NULL, 0);
    if (segment == (void *)-1) {
        perror("original-server: shmat");
        return 1;
    }
    /* From the end, so that a letter at the beginning means that all are there. */
    for (int i = 26; i >= 0; i--) {
        segment[i] = i < 26 ? (char)('a' + i) : '\0';
    }
    while (segment[0] != '*') {
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}
