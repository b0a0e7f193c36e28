/* SPDX-License-Identifier: MIT
 *
 * A pipe for each subscriber, with the largest buffer that an ordinary user may have, and one back.
 */
#include "bench/descriptors.h"

static void prepare(struct exchange *x)
{
    for (unsigned i = 0; i < x->subscribers; i++) {
        int there[2], back[2];

        if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0) {
            fail("pipe", errno);
        }
        (void)fcntl(there[1], F_SETPIPE_SZ, (int)RING_BYTES);
        ends[i] = (struct ends){
            .send = there[1], .receive = there[0], .acknowledge = back[1], .heard = back[0]};
    }
}

const struct peer peer = {.name = "pipe", .prepare = prepare, DESCRIPTORS_PEER};
