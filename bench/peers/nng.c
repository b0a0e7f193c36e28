/* SPDX-License-Identifier: MIT
 *
 * nng over ipc://: pub0/sub0 for records, push0/pull0 for acknowledgements.
 */
#include "bench/peer.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdatomic.h>

#define DEPTH 1024 /* of its queues; what does not fit into them is lost */

struct word {
    uint64_t index, number;
};

static nng_socket records, words;
static char records_at[300], words_at[300];
static uint64_t heard_of[SUBSCRIBERS_MAX], least;
static atomic_uint came;

static void check(int r, const char *what)
{
    if (r != 0) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(r));
        exit(EXIT_FAILURE);
    }
}

static void prepare(struct exchange *x)
{
    (void)x;
    (void)snprintf(records_at, sizeof(records_at), "ipc://%s/records", scratch());
    (void)snprintf(words_at, sizeof(words_at), "ipc://%s/words", scratch());
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *userdata)
{
    (void)pipe;
    (void)event;
    (void)userdata;
    atomic_fetch_add(&came, 1);
}

static void publisher(struct exchange *x)
{
    check(nng_pub0_open(&records), "nng_pub0_open");
    check(nng_pull0_open(&words), "nng_pull0_open");
    check(nng_socket_set_int(records, NNG_OPT_SENDBUF, DEPTH), "NNG_OPT_SENDBUF");
    check(nng_pipe_notify(records, NNG_PIPE_EV_ADD_POST, on_pipe, NULL), "nng_pipe_notify");
    check(nng_listen(words, words_at, NULL, 0), "nng_listen");
    check(nng_listen(records, records_at, NULL, 0), "nng_listen");
    while (atomic_load(&came) < x->subscribers) {
        (void)usleep(1000);
    }
}

static int dial(nng_socket socket, const char *at)
{
    int r;

    while ((r = nng_dial(socket, at, NULL, 0)) == NNG_ECONNREFUSED || r == NNG_ENOENT) {
        (void)usleep(1000);
    }
    return r;
}

static void subscriber(struct exchange *x)
{
    (void)x;
    check(nng_sub0_open(&records), "nng_sub0_open");
    check(nng_push0_open(&words), "nng_push0_open");
    check(nng_socket_set_int(records, NNG_OPT_RECVBUF, DEPTH), "NNG_OPT_RECVBUF");
    check(nng_socket_set(records, NNG_OPT_SUB_SUBSCRIBE, "", 0), "NNG_OPT_SUB_SUBSCRIBE");
    check(dial(words, words_at), "nng_dial");
    check(dial(records, records_at), "nng_dial");
}

static bool send(struct exchange *x)
{
    record_make(x);
    check(nng_send(records, x->buffer, x->size, 0), "nng_send");
    return true;
}

static uint64_t heard(struct exchange *x)
{
    struct word word;
    size_t size = sizeof(word);

    while (nng_recv(words, &word, &size, x->sleeps ? 0 : NNG_FLAG_NONBLOCK) == 0) {
        least = least_of(heard_of, x->subscribers, (unsigned)word.index, word.number);
        if (x->sleeps) {
            break;
        }
    }
    return least;
}

static bool receive(struct exchange *x)
{
    size_t size = x->size;

    return nng_recv(records, x->buffer, &size, x->sleeps ? 0 : NNG_FLAG_NONBLOCK) == 0;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    struct word word = {.index = x->index, .number = number};

    check(nng_send(words, &word, sizeof(word), 0), "nng_send");
}

const struct peer peer = {
    .name = "nng",
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP,
    .subscribers_max = SUBSCRIBERS_MAX,
    .sleeps_in_crowd = true,
    .window_max = DEPTH / 2,
    .prepare = prepare,
    .publisher = publisher,
    .subscriber = subscriber,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
