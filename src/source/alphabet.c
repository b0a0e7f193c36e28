/* SPDX-License-Identifier: MIT
 *
 * The letters a–z, repeated to fill the segment: what the original server wrote. It is always the
 * same record, and it answers at once.
 */
#include "source/drivers.h"

#include <errno.h>
#include <stdlib.h>

static int alphabet_open(const struct source_context *context, struct source **ret)
{
    (void)context;
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

static size_t alphabet_measure(const struct source *source)
{
    return source_filling(source);
}

static void alphabet_make(struct source *source, char *place, size_t length)
{
    (void)source;
    for (size_t i = 0; i < length; i++) {
        place[i] = (char)('a' + i % 26);
    }
}

static void alphabet_close(struct source *source)
{
    free(source);
}

const struct source_driver source_alphabet = {
    .name = "alphabet",
    .open = alphabet_open,
    .measure = alphabet_measure,
    .make = alphabet_make,
    .close = alphabet_close,
};
