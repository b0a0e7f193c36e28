/* SPDX-License-Identifier: MIT
 *
 * What publishers push. It has nothing itself: its host collects from the publishers, with which
 * this source has nothing to do, and publishes at once what it finds. Where it finds nothing, the
 * question stays open until there is something.
 */
#include "source/drivers.h"

#include <errno.h>
#include <stdlib.h>

struct push {
    struct source source;
    bool asked;
    bool retiring;
};

static int push_open(const struct source_context *context, struct source **ret)
{
    struct push *push = calloc(1, sizeof(*push));

    (void)context;
    if (!push) {
        return -ENOMEM;
    }
    push->source.live = true;
    *ret = &push->source;
    return 0;
}

static void push_poke(struct source *source)
{
    struct push *push = (struct push *)source;

    if (push->asked && source_collect(source)) {
        push->asked = false;
    } else if (push->asked && push->retiring) {
        push->asked = false;
        source_end(source, "what publishers had handed in is published");
    }
}

static void push_ask(struct source *source)
{
    ((struct push *)source)->asked = true;
    push_poke(source);
}

static bool push_retire(struct source *source)
{
    ((struct push *)source)->retiring = true;
    return true;
}

static void push_close(struct source *source)
{
    free(source);
}

const struct source_driver source_push = {
    .name = "push",
    .is_prompt = true,
    .open = push_open,
    .ask = push_ask,
    .poke = push_poke,
    .retire = push_retire,
    .close = push_close,
};
