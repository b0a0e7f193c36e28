/* SPDX-License-Identifier: MIT
 *
 * The letters a–z, repeated to fill the segment: what the original server wrote. It is always the
 * same record, and it answers at once.
 */
#include "source/drivers.h"

#include <errno.h>
#include <stdlib.h>

struct alphabet {
    struct source source;
    char record[];
};

static int alphabet_open(const struct source_context *context, struct source **ret)
{
    struct alphabet *alphabet = malloc(sizeof(*alphabet) + context->capacity);

    if (!alphabet) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < context->capacity; i++) {
        alphabet->record[i] = (char)('a' + i % 26);
    }
    *ret = &alphabet->source;
    return 0;
}

static void alphabet_ask(struct source *source)
{
    const struct alphabet *alphabet = (struct alphabet *)source;
    const struct source_context *context = &source->context;

    context->answer(context->userdata, 0, alphabet->record, context->capacity);
}

static void alphabet_close(struct source *source)
{
    free(source);
}

const struct source_driver source_alphabet = {
    .name = "alphabet",
    .open = alphabet_open,
    .ask = alphabet_ask,
    .close = alphabet_close,
};
