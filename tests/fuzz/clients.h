/* SPDX-License-Identifier: MIT
 *
 * Clients of a daemon that is in the same thread, for a fuzz target: what they are given is what
 * was published (struct seen), and each record comes once.
 */
#pragma once

#include "../unit/daemon.h"

#define SEEN_MAX 8192 /* more than any ring here has records */

/* What was found of each record when it became visible. */
struct seen {
    uint64_t number, length, digest;
};

struct subscriber {
    struct peer peer;
    void *segment;
    struct ring_reader reader;
    uint64_t taken; /* up to this record, in this session */
    uint64_t acknowledged;
    uint32_t client; /* so that it is known when it comes again */
    bool asleep;
    bool liar; /* nobody owes it anything */
};

struct publisher {
    struct peer peer;
    size_t index; /* among all that have come */
};

static inline uint64_t digest_of(const char *bytes, size_t length)
{
    uint64_t digest = length, word = 0;

    for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        digest ^= digest >> 32;
    }
    word = 0;
    memcpy(&word, bytes, length);
    return (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline void seen_note(struct seen *seen, uint64_t number, const char *bytes, size_t length)
{
    seen[number % SEEN_MAX] =
        (struct seen){.number = number, .length = length, .digest = digest_of(bytes, length)};
}

static inline bool seen_is(const struct seen *seen, uint64_t number, const char *bytes,
                           size_t length)
{
    const struct seen *noted = &seen[number % SEEN_MAX];

    return noted->number == number && noted->length == length &&
           noted->digest == digest_of(bytes, length);
}

/* --- subscribers --- */

static inline bool subscriber_is_ring(const struct subscriber *subscriber)
{
    return subscriber->peer.welcome.layout == MESSAGE_RING;
}

static inline enum page_state page_state_of(const struct peer *peer)
{
    return (enum page_state)atomic_load_explicit(&peer->page->state, memory_order_acquire);
}

static inline void subscriber_leave(struct subscriber *subscriber)
{
    if (subscriber->segment) {
        (void)shmdt(subscriber->segment);
        subscriber->segment = NULL;
    }
    peer_leave(&subscriber->peer);
    subscriber->asleep = false;
}

/* False: it was refused, or what it was to attach is gone. */
static inline bool subscriber_come(struct subscriber *subscriber, const struct daemon *daemon,
                                   enum message_start start)
{
    struct message_hello hello = peer_hello(start);
    struct peer *peer = &subscriber->peer;
    void *segment;
    int r;

    hello.client = subscriber->client;
    if (subscriber->acknowledged > 0 && !subscriber->liar) {
        hello.after = subscriber->acknowledged;
        memcpy(hello.epoch, &daemon->manager->state->file->epoch, sizeof(hello.epoch));
    }
    assert(peer_connect(peer, daemon->socket_path));
    run_loop(daemon->manager->event);
    r = peer_subscribe(peer, daemon->manager->event, &hello);
    assert(r == 0 || r == -EAGAIN);
    segment = r == 0 ? shmat(peer->welcome.segment_id, NULL, SHM_RDONLY) : (void *)-1;
    if (segment == (void *)-1) {
        subscriber_leave(subscriber);
        return false;
    }
    subscriber->segment = segment;
    assert(peer->welcome.first > hello.after);
    subscriber->taken = peer->welcome.first - 1;
    subscriber->acknowledged = subscriber->liar ? 0 : subscriber->acknowledged;
    subscriber->liar = false;
    if (subscriber_is_ring(subscriber)) {
        assert(ring_attach(&subscriber->reader, segment, peer->welcome.segment_size) == 0);
        ring_reader_go(&subscriber->reader, peer->welcome.position);
        subscriber->reader.number = peer->welcome.first;
    }
    return true;
}

static inline bool plain_take(struct subscriber *subscriber, const struct seen *seen)
{
    const struct page *page = subscriber->peer.page;
    uint64_t number = atomic_load_explicit(&page->published, memory_order_acquire);
    char *bytes;

    if (number <= subscriber->taken) {
        return false;
    }
    assert(page->length > 0 && page->length < subscriber->peer.welcome.segment_size);
    bytes = malloc(page->length);
    if (page->length <= PAGE_RECORD_MAX) {
        memcpy(bytes, page->record, page->length);
    } else {
        memcpy(bytes, subscriber->segment, page->length);
        bytes[0] = (char)page->first;
    }
    assert(seen_is(seen, number, bytes, page->length));
    free(bytes);
    subscriber->taken = number;
    return true;
}

static inline bool ring_take(struct subscriber *subscriber, const struct seen *seen)
{
    struct ring_reader *reader = &subscriber->reader;
    const struct ring_record *record;
    uint64_t expected = reader->number;

    switch (ring_look(reader, &record)) {
    case RING_NOTHING:
        return false;
    case RING_OVERTAKEN:
        assert(subscriber->peer.welcome.when_full == RING_OVERWRITE || subscriber->liar);
        if (ring_seek_oldest(reader) == 0) {
            reader->number = expected;
            return false;
        }
        assert(reader->number > subscriber->taken);
        subscriber->peer.lost += reader->number - expected;
        return true;
    case RING_RECORD:
        break;
    }
    assert(reader->number > subscriber->taken);
    assert(seen_is(seen, reader->number, record->bytes, record->length));
    subscriber->taken = reader->number;
    ring_advance(reader, record->length);
    return true;
}

/* Takes the next record, or finds out what it has lost; false: there is none. */
static inline bool subscriber_take(struct subscriber *subscriber, const struct seen *seen)
{
    subscriber->asleep = false;
    page_announce_awake(&subscriber->peer.page->client_sleeps);
    if (page_state_of(&subscriber->peer) != PAGE_ACTIVE) {
        return false;
    }
    return subscriber_is_ring(subscriber) ? ring_take(subscriber, seen)
                                          : plain_take(subscriber, seen);
}

static inline bool subscriber_has_news(const struct subscriber *subscriber)
{
    const struct peer *peer = &subscriber->peer;

    return page_state_of(peer) != PAGE_ACTIVE ||
           (subscriber_is_ring(subscriber)
                ? !ring_is_blank(&subscriber->reader)
                : atomic_load_explicit(&peer->page->published, memory_order_relaxed) >
                      subscriber->taken);
}

/* S1 to S3; its bell was heard before. */
static inline void subscriber_sleep(struct subscriber *subscriber)
{
    char rings[64];

    while (read(subscriber->peer.fds[1], rings, sizeof(rings)) > 0) {
    }
    page_announce_sleep(&subscriber->peer.page->client_sleeps);
    subscriber->asleep = !subscriber_has_news(subscriber);
}

static inline void subscriber_acknowledge(struct subscriber *subscriber, uint64_t number)
{
    if (number > subscriber->taken || number < subscriber->acknowledged) {
        subscriber->liar = true;
    } else {
        subscriber->acknowledged = number;
    }
    peer_acknowledge(&subscriber->peer, number);
    if (page_must_ring(&subscriber->peer.page->daemon_sleeps)) {
        (void)peer_ring(&subscriber->peer);
    }
}

/* --- publishers --- */

/* False: it was refused: the source is another one, or there is no segment at the moment. */
static inline bool publisher_come(struct publisher *publisher, const struct daemon *daemon)
{
    struct peer *peer = &publisher->peer;
    struct message_hello hello = peer_hello(MESSAGE_START_NEXT);
    int r;

    hello.role = MESSAGE_PUBLISHER;
    hello.start = 0;
    assert(peer_connect(peer, daemon->socket_path));
    run_loop(daemon->manager->event);
    r = peer_subscribe(peer, daemon->manager->event, &hello);
    assert(r == 0 || r == -EOPNOTSUPP);
    if (r < 0) {
        peer_leave(peer);
        return false;
    }
    peer->queue =
        mmap(NULL, peer->welcome.segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, peer->fds[3], 0);
    assert(peer->queue != MAP_FAILED);
    peer->writer = queue_writer(peer->queue, peer->welcome.segment_size, peer->welcome.first);
    return true;
}

/* Room for a record in its queue; NULL: there is none, or it was told to hand in no more. */
static inline char *publisher_place(struct publisher *publisher, size_t length)
{
    struct peer *peer = &publisher->peer;
    uint64_t confirmed = atomic_load_explicit(&peer->page->published, memory_order_acquire);

    assert(confirmed < peer->writer.number &&
           atomic_load_explicit(&peer->page->rejected, memory_order_relaxed) <= confirmed);
    queue_release(&peer->writer, atomic_load_explicit(&peer->page->position, memory_order_acquire));
    return page_state_of(peer) == PAGE_ACTIVE && length <= ring_length_max(peer->writer.capacity) &&
                   ring_has_room(&peer->writer, length)
               ? ring_reserve(&peer->writer, length)
               : NULL;
}

static inline void publisher_hand_in(struct publisher *publisher, size_t length)
{
    (void)ring_commit(&publisher->peer.writer, length);
    if (page_must_ring(&publisher->peer.page->daemon_sleeps)) {
        (void)peer_ring(&publisher->peer);
    }
}
