/* SPDX-License-Identifier: MIT
 *
 * ZeroMQ over ipc://: PUB/SUB for records, PUSH/PULL for acknowledgements.
 */
#include "bench/peer.h"

#include <zmq.h>

struct word {
    uint64_t index, number;
};

static void *context, *records, *words;
static char records_at[300], words_at[300];
static uint64_t heard_of[SUBSCRIBERS_MAX], least;

static void check(int r, const char *what)
{
    if (r < 0) {
        fail(what, zmq_errno());
    }
}

static void *socket_new(int type)
{
    void *socket = zmq_socket(context, type);
    int none = 0;

    if (!socket) {
        fail("zmq_socket", zmq_errno());
    }
    /* No limit: the window is one already. */
    check(zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof(none)), "ZMQ_SNDHWM");
    check(zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof(none)), "ZMQ_RCVHWM");
    check(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none)), "ZMQ_LINGER");
    return socket;
}

static void prepare(struct exchange *x)
{
    (void)x;
    (void)snprintf(records_at, sizeof(records_at), "ipc://%s/records", scratch());
    (void)snprintf(words_at, sizeof(words_at), "ipc://%s/words", scratch());
}

static void publisher(struct exchange *x)
{
    char subscription[8];

    context = zmq_ctx_new();
    records = socket_new(ZMQ_XPUB);
    words = socket_new(ZMQ_PULL);
    check(zmq_setsockopt(records, ZMQ_XPUB_VERBOSE, &(int){1}, sizeof(int)), "ZMQ_XPUB_VERBOSE");
    check(zmq_bind(records, records_at), "zmq_bind");
    check(zmq_bind(words, words_at), "zmq_bind");
    for (unsigned i = 0; i < x->subscribers; i++) {
        check(zmq_recv(records, subscription, sizeof(subscription), 0), "zmq_recv");
    }
}

static void subscriber(struct exchange *x)
{
    (void)x;
    context = zmq_ctx_new();
    records = socket_new(ZMQ_SUB);
    words = socket_new(ZMQ_PUSH);
    check(zmq_setsockopt(records, ZMQ_SUBSCRIBE, "", 0), "ZMQ_SUBSCRIBE");
    check(zmq_connect(words, words_at), "zmq_connect");
    check(zmq_connect(records, records_at), "zmq_connect");
}

static bool send(struct exchange *x)
{
    record_make(x);
    check(zmq_send(records, x->buffer, x->size, 0), "zmq_send");
    return true;
}

static uint64_t heard(struct exchange *x)
{
    struct word word;

    while (zmq_recv(words, &word, sizeof(word), x->sleeps ? 0 : ZMQ_DONTWAIT) > 0) {
        least = least_of(heard_of, x->subscribers, (unsigned)word.index, word.number);
        if (x->sleeps) {
            break;
        }
    }
    return least;
}

static bool receive(struct exchange *x)
{
    return zmq_recv(records, x->buffer, x->size, x->sleeps ? 0 : ZMQ_DONTWAIT) >= 0;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    struct word word = {.index = x->index, .number = number};

    check(zmq_send(words, &word, sizeof(word), 0), "zmq_send");
}

const struct peer peer = {
    .name = "zeromq",
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP,
    .subscribers_max = SUBSCRIBERS_MAX,
    .sleeps_in_crowd = true,
    .prepare = prepare,
    .publisher = publisher,
    .subscriber = subscriber,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
