/* SPDX-License-Identifier: MIT
 *
 * A limit: one process makes a record, copies it in, out, and verifies it. Nothing is exchanged.
 */
#include "bench/peer.h"

static char *between;

static void prepare(struct exchange *x)
{
    between = shared_new(x->size);
}

static bool send(struct exchange *x)
{
    pattern_write(&x->pattern, between, x->size);
    return true;
}

static bool receive(struct exchange *x)
{
    memcpy(x->buffer, between, x->size);
    return true;
}

const struct peer peer = {
    .name = "memcpy",
    .rows = ROW_COPY,
    .subscribers_max = 1,
    .prepare = prepare,
    .send = send,
    .receive = receive,
};
