/* SPDX-License-Identifier: MIT
 *
 * An anonymous client of the plain layout that knows nothing but the key, like the original
 * one: it writes '*' over the first byte of each record that it finds.
 *
 *      star KEY FILE
 *
 * When FILE is there it waits until its last '*' was taken, says how many it wrote, and ends. A
 * segment that is removed is looked for anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/shm.h>
#include <unistd.h>

#define PAUSE_USEC 200
#define LOOK_EVERY 64 /* pauses */

/* NULL: there is none now. */
static char *attach(key_t key, int *id)
{
    void *segment;

    *id = shmget(key, 0, 0);
    segment = *id < 0 ? (void *)-1 : shmat(*id, NULL, 0);
    return segment == (void *)-1 ? NULL : segment;
}

int main(int argc, char **argv)
{
    char *segment = NULL;
    unsigned long long written = 0;
    int id = -1;

    if (argc != 3) {
        (void)fputs("usage: star KEY FILE\n", stderr);
        return 2;
    }
    for (unsigned i = 0;; i++) {
        char first;

        if (i % LOOK_EVERY == 0 && segment && shmget((key_t)atol(argv[1]), 0, 0) != id) {
            (void)shmdt(segment);
            segment = NULL;
        }
        if (!segment) {
            segment = attach((key_t)atol(argv[1]), &id);
        }
        first = segment ? __atomic_load_n(segment, __ATOMIC_ACQUIRE) : '\0';
        if (first != '*' && access(argv[2], F_OK) == 0) {
            break;
        }
        if (first != '*' && first != '\0') {
            __atomic_store_n(segment, '*', __ATOMIC_RELEASE);
            written++;
        }
        (void)usleep(PAUSE_USEC);
    }
    printf("wrote %llu\n", written);
    return 0;
}
