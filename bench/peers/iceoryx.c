/* SPDX-License-Identifier: MIT
 *
 * Eclipse iceoryx with its C binding, and a RouDi of its own: records are made in chunks that are
 * lent, copied out of them, and acknowledged through a publisher of each subscriber's own.
 */
#include "bench/peer.h"

#include <fcntl.h>
#include <iceoryx_binding_c/api.h>
#include <signal.h>
#include <sys/stat.h>

#define DEPTH 128 /* below what a queue of its holds */

static iox_pub_storage_t publisher_storage;
static iox_sub_storage_t subscriber_storage[SUBSCRIBERS_MAX];
static iox_ws_storage_t set_storage;
static iox_pub_t mine;
static iox_sub_t theirs[SUBSCRIBERS_MAX];
static iox_ws_t set;
static uint64_t heard_of[SUBSCRIBERS_MAX], least;

static void prepare(struct exchange *x)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)x;
    if (child_fork() == 0) {
        (void)dup2(null, STDOUT_FILENO);
        (void)execlp("iox-roudi", "iox-roudi", "-l", "off", "-m", "off", (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    (void)close(null);
    (void)usleep(300000);
}

static iox_pub_t publisher_new(const char *kind)
{
    iox_pub_options_t options;

    iox_pub_options_init(&options);
    options.historyCapacity = 0;
    options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
    return iox_pub_init(&publisher_storage, "shmd", "bench", kind, &options);
}

static iox_sub_t subscriber_new(unsigned index, const char *kind)
{
    iox_sub_options_t options;

    iox_sub_options_init(&options);
    options.queueCapacity = 2 * DEPTH;
    options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
    return iox_sub_init(&subscriber_storage[index], "shmd", "bench", kind, &options);
}

static void on_data(iox_sub_t subscriber)
{
    (void)subscriber;
}

static void watch(iox_sub_t subscriber)
{
    if (!set) {
        set = iox_ws_init(&set_storage);
    }
    (void)iox_ws_attach_subscriber_event(set, subscriber, SubscriberEvent_DATA_RECEIVED, 0,
                                         on_data);
}

static void wait_for_data(void)
{
    iox_notification_info_t information[SUBSCRIBERS_MAX];
    uint64_t missed;

    (void)iox_ws_wait(set, information, SUBSCRIBERS_MAX, &missed);
}

static void publisher(struct exchange *x)
{
    iox_runtime_init("publisher");
    mine = publisher_new("records");
    for (unsigned i = 0; i < x->subscribers; i++) {
        char kind[32];

        (void)snprintf(kind, sizeof(kind), "words-%u", i);
        theirs[i] = subscriber_new(i, kind);
        if (x->sleeps) {
            watch(theirs[i]);
        }
        while (iox_sub_get_subscription_state(theirs[i]) != SubscribeState_SUBSCRIBED) {
            (void)usleep(1000);
        }
    }
}

static void subscriber(struct exchange *x)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "subscriber-%u", x->index);
    iox_runtime_init(name);
    theirs[0] = subscriber_new(0, "records");
    if (x->sleeps) {
        watch(theirs[0]);
    }
    (void)snprintf(name, sizeof(name), "words-%u", x->index);
    mine = publisher_new(name);
    while (iox_sub_get_subscription_state(theirs[0]) != SubscribeState_SUBSCRIBED ||
           !iox_pub_has_subscribers(mine)) {
        (void)usleep(1000);
    }
}

static bool send(struct exchange *x)
{
    void *chunk;

    if (iox_pub_loan_chunk(mine, &chunk, (uint32_t)x->size) != AllocationResult_SUCCESS) {
        return false;
    }
    pattern_write(&x->pattern, chunk, x->size);
    iox_pub_publish_chunk(mine, chunk);
    return true;
}

static bool hear(struct exchange *x)
{
    const void *chunk;
    bool any = false;

    for (unsigned i = 0; i < x->subscribers; i++) {
        while (iox_sub_take_chunk(theirs[i], &chunk) == ChunkReceiveResult_SUCCESS) {
            least = least_of(heard_of, x->subscribers, i, *(const uint64_t *)chunk);
            iox_sub_release_chunk(theirs[i], chunk);
            any = true;
        }
    }
    return any;
}

static uint64_t heard(struct exchange *x)
{
    if (!hear(x) && x->sleeps) {
        wait_for_data();
        (void)hear(x);
    }
    return least;
}

static bool receive(struct exchange *x)
{
    const void *chunk;

    if (iox_sub_take_chunk(theirs[0], &chunk) != ChunkReceiveResult_SUCCESS) {
        if (x->sleeps) {
            wait_for_data();
        }
        return false;
    }
    memcpy(x->buffer, chunk, x->size);
    iox_sub_release_chunk(theirs[0], chunk);
    return true;
}

static void acknowledge(struct exchange *x, uint64_t number)
{
    void *chunk;

    (void)x;
    while (iox_pub_loan_chunk(mine, &chunk, sizeof(number)) != AllocationResult_SUCCESS) {
        relax();
    }
    memcpy(chunk, &number, sizeof(number));
    iox_pub_publish_chunk(mine, chunk);
}

const struct peer peer = {
    .name = "iceoryx",
    .rows = ROW_HOP | ROW_STREAM | ROW_ASLEEP,
    .subscribers_max = SUBSCRIBERS_MAX,
    .window_max = DEPTH,
    .prepare = prepare,
    .publisher = publisher,
    .subscriber = subscriber,
    .send = send,
    .heard = heard,
    .receive = receive,
    .acknowledge = acknowledge,
};
