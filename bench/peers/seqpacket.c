/* SPDX-License-Identifier: MIT
 *
 * A Unix socket of the kind that keeps messages apart, for each subscriber.
 */
#include "bench/descriptors.h"

#include <sys/socket.h>

static void prepare(struct exchange *x)
{
    for (unsigned i = 0; i < x->subscribers; i++) {
        int size = (int)RING_BYTES;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
            fail("socketpair", errno);
        }
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        ends[i] = (struct ends){
            .send = pair[0], .receive = pair[1], .acknowledge = pair[1], .heard = pair[0]};
    }
}

const struct peer peer = {.name = "seqpacket", .prepare = prepare, DESCRIPTORS_PEER};
