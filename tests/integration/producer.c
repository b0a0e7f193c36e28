/* SPDX-License-Identifier: MIT
 *
 * A publisher on the public API, as an application would write it: it publishes parcels, and does
 * nothing about a daemon that goes away but call the library again.
 *
 *      producer SOCKET NAME FILE [COUNT [LETTERS [PAUSE-USEC]]]
 *
 * It ends after COUNT records (0: no end), or when FILE is there, or with an error, and says what
 * has become of its records.
 */
#include "lib/shmd.h"
#include "../parcel.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_USEC  50000 /* between two looks whether the file is there */
#define LOOK_EVERY 256   /* records, likewise */

int main(int argc, char **argv)
{
    struct shmd_options options = {0};
    struct shmd_publisher *publisher;
    struct shmd_publication end;
    char record[PARCEL_HEAD_MAX + 4096];
    uint64_t count, number = 1;
    useconds_t pause;
    size_t letters;
    int r;

    if (argc < 4) {
        (void)fputs("usage: producer SOCKET NAME FILE [COUNT [LETTERS [PAUSE-USEC]]]\n", stderr);
        return 1;
    }
    setlinebuf(stdout);
    options.socket = argv[1];
    options.name = argv[2];
    count = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    letters = argc > 5 ? strtoul(argv[5], NULL, 10) : 200;
    pause = argc > 6 ? (useconds_t)atoi(argv[6]) : 0;
    r = shmd_publisher_open(&options, &publisher);
    if (r < 0) {
        printf("open: %s\n", strerror(-r));
        return 1;
    }
    puts("publishes");
    while (count == 0 || number <= count) {
        size_t length = parcel_make(record, argv[2], number, letters);

        r = shmd_publisher_publish(publisher, record, length, LOOK_USEC, NULL);
        if (r == 0) {
            number++;
        } else if (r != -ETIMEDOUT) {
            break;
        }
        if ((r < 0 || number % LOOK_EVERY == 0) && access(argv[3], F_OK) == 0) {
            r = 0;
            break;
        }
        if (pause) {
            (void)usleep(pause);
        }
    }
    if (r == 0 || r == -ETIMEDOUT) {
        r = shmd_publisher_flush(publisher, SHMD_FOREVER);
    }
    shmd_publisher_describe(publisher, &end);
    printf("handed in %llu, confirmed %llu, rejected %llu%s%s\n", (unsigned long long)end.handed_in,
           (unsigned long long)end.confirmed, (unsigned long long)end.rejected,
           r < 0 ? ", ended by " : "", r < 0 ? strerror(-r) : "");
    (void)shmd_publisher_close(publisher);
    return r < 0;
}
