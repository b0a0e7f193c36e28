/* SPDX-License-Identifier: MIT
 *
 * The load generator: numbered records of one size with a content that can be checked
 * (base/pattern.h), as fast as they are wanted. It answers at once.
 *
 * Its numbers are its own: they begin with 1 when it is opened.
 */
#include "source/drivers.h"
#include "base/pattern.h"

#include <errno.h>
#include <stdlib.h>

struct generator {
    struct source source;
    struct pattern pattern;
};

static int pattern_open(const struct source_context *context, struct source **ret)
{
    struct generator *generator = calloc(1, sizeof(*generator));

    (void)context;
    if (!generator) {
        return -ENOMEM;
    }
    pattern_begin(&generator->pattern, 1);
    *ret = &generator->source;
    return 0;
}

static size_t pattern_measure(const struct source *source)
{
    size_t size = source->context.settings.frame_size;

    return size > 0 ? size : source_filling(source);
}

static void pattern_make(struct source *source, char *place, size_t length)
{
    pattern_write(&((struct generator *)(void *)source)->pattern, place, length);
}

static void pattern_close(struct source *source)
{
    free((struct generator *)(void *)source);
}

const struct source_driver source_pattern = {
    .name = "pattern",
    .open = pattern_open,
    .measure = pattern_measure,
    .make = pattern_make,
    .close = pattern_close,
};
