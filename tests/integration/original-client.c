/* SPDX-License-Identifier: MIT
 *
 * The client side of the contract that shmd keeps: it finds the segment by key, size and mode,
 * prints what stands there up to the NUL, whatever that is, and replaces the first byte with '*'.
 */
#include <stdio.h>
#include <sys/shm.h>

int main(void)
{
    int id = shmget(5678, 27, 0666);
    char *segment;

    if (id < 0) {
        perror("original-client: shmget");
        return 1;
    }
    segment = shmat(id, NULL, 0);
    if (segment == (void *)-1) {
        perror("original-client: shmat");
        return 1;
    }
    (void)puts(segment);
    segment[0] = '*';
    return 0;
}
