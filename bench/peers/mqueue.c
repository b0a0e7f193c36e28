/* SPDX-License-Identifier: MIT
 *
 * A POSIX message queue for each subscriber, of the depth that an ordinary user may have, and one
 * for all acknowledgements.
 */
#include "bench/peer.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/stat.h>

#define DEPTH 10

struct word {
    uint64_t index, number;
};

static mqd_t there[SUBSCRIBERS_MAX], back;
static uint64_t heard_of[SUBSCRIBERS_MAX], least;

static mqd_t queue_new(size_t size)
{
    struct mq_attr attributes = {.mq_maxmsg = DEPTH, .mq_msgsize = (long)size};
    char name[64];
    mqd_t queue;

    (void)snprintf(name, sizeof(name), "/shmd-bench-%d", (int)getpid());
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (queue == (mqd_t)-1) {
        unsupported("no message queue of that size is allowed");
    }
    (void)mq_unlink(name);
    return queue;
}

static void prepare(struct exchange *x)
{
    struct mq_attr attributes = {.mq_flags = x->sleeps ? 0 : O_NONBLOCK};

    for (unsigned i = 0; i < x->subscribers; i++) {
        there[i] = queue_new(x->size);
        (void)mq_setattr(there[i], &attributes, NULL);
    }
    back = queue_new(sizeof(struct word));
    (void)mq_setattr(back, &attributes, NULL);
}

static void nothing(struct exchange *x)
{
    (void)x;
}

static bool send(struct exchange *x)
{
    record_make(x);
    for (unsigned i = 0; i < x->subscribers; i++) {
        while (mq_send(there[i], x->buffer, x->size, 0) < 0) {
            relax();
        }
    }
    return true;
}

static uint64_t heard(struct exchange *x)
{
    struct word word;

    while (mq_receive(back, (char *)&word, sizeof(word), NULL) > 0) {
        least = least_of(heard_of, x->subscribers, (unsigned)word.index, word.number);
        if (x->sleeps) {
            break;
        }
    }
    return least;
}

static bool receive(struct exchange *x)
{
    return mq_receive(there[x->index], x->buffer, x->size, NULL) == (ssize_t)x->size;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    struct word word = {.index = x->index, .number = number};

    while (mq_send(back, (const char *)&word, sizeof(word), 0) < 0) {
        relax();
    }
}

const struct peer peer = {
    .name = "mqueue",
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP,
    .subscribers_max = SUBSCRIBERS_MAX,
    .sleeps_in_crowd = true,
    .window_max = DEPTH,
    .prepare = prepare,
    .publisher = nothing,
    .subscriber = nothing,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
