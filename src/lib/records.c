/* SPDX-License-Identifier: MIT
 *
 * Taking records and acknowledging them: memory only, as long as there is a session.
 */
#include "lib/subscriber.h"
#include "proto/plain.h"

#include <errno.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

#define IDLE_LOOKS 1024

/* Takes the record of a plain segment, whose page says its number, length and first byte. */
static int plain_next(struct shmd_subscriber *subscriber, struct shmd_record *ret)
{
    struct link *link = &subscriber->member.link;
    /* Acquire: pairs with the daemon's release store, behind which the record is published. */
    uint64_t number = atomic_load_explicit(&link->page->published, memory_order_acquire);
    uint32_t length = link->page->length;

    if (number <= subscriber->returned) {
        /* Nothing in the segment or the page would tell that the daemon has died. */
        if (++subscriber->idle % IDLE_LOOKS == 0 && !link_lives(link)) {
            subscriber->member.hung_up = true;
        }
        return -EAGAIN;
    }
    if (length == 0 || length >= link->welcome.segment_size) {
        return -EPROTO;
    }
    if (length <= PAGE_RECORD_MAX) {
        memcpy(subscriber->buffer, link->page->record, length);
    } else {
        /* Byte 0 may be an anonymous client's '*'. */
        memcpy(subscriber->buffer, link->segment, length);
        subscriber->buffer[0] = (char)link->page->first;
    }
    atomic_thread_fence(memory_order_acquire); /* the second look is later than the copy */
    if (atomic_load_explicit(&link->page->published, memory_order_relaxed) != number) {
        return -EAGAIN;
    }
    /* The page of a daemon that was killed says nothing of what the next one puts into the segment.
     */
    if (length > PAGE_RECORD_MAX && link_state(link) == PAGE_ACTIVE && !link_lives(link)) {
        subscriber->member.hung_up = true;
        return -EAGAIN;
    }
    *ret = (struct shmd_record){.number = number, .data = subscriber->buffer, .length = length};
    return 0;
}

/* It was overtaken: goes on with the oldest record that is whole. */
static void catch_up(struct shmd_subscriber *subscriber)
{
    struct ring_reader *reader = &subscriber->member.link.reader;
    uint64_t expected = reader->number;
    uint64_t oldest = ring_seek_oldest(reader);

    if (expected <= subscriber->returned) {
        expected = subscriber->returned + 1;
    }
    if (oldest > expected) {
        gaps_add(&subscriber->gaps, oldest, oldest - expected);
        subscriber->lost_new += oldest - expected;
    }
}

void subscriber_skip_returned(struct shmd_subscriber *subscriber)
{
    struct ring_reader *reader = &subscriber->member.link.reader;
    const struct ring_record *record;

    while (reader->number <= subscriber->returned) {
        enum ring_look look = ring_look(reader, &record);
        uint32_t length = look == RING_RECORD ? ring_length(record) : 0;

        if (look == RING_NOTHING) {
            return;
        }
        if (look == RING_OVERTAKEN || ring_overtaken(reader)) {
            catch_up(subscriber);
        } else {
            ring_advance(reader, length);
        }
    }
}

static int ring_next(struct shmd_subscriber *subscriber, struct shmd_record *ret)
{
    struct ring_reader *reader = &subscriber->member.link.reader;
    const struct ring_record *record = NULL;
    size_t length;

    for (;;) {
        uint64_t number = reader->number;
        const char *data;

        switch (ring_look(reader, &record)) {
        case RING_NOTHING:
            return -EAGAIN;
        case RING_OVERTAKEN:
            if (link_is_kept(&subscriber->member.link)) {
                /* Evicted: the page says so. Or the daemon was killed, and another one goes on
                 * without us: there will be another session. */
                if (link_state(&subscriber->member.link) == PAGE_ACTIVE) {
                    subscriber_disconnect(subscriber);
                }
                return -EAGAIN;
            }
            catch_up(subscriber);
            continue;
        case RING_RECORD:
            break;
        }
        if (link_is_kept(&subscriber->member.link)) {
            record = ring_look_kept(reader, &length);
            if (!record) { /* it was just there: nothing waits for us any more */
                return -EAGAIN;
            }
            data = record->bytes;
        } else if (ring_copy(reader, record, subscriber->buffer, &length)) {
            data = subscriber->buffer;
        } else {
            catch_up(subscriber);
            continue;
        }
        ring_advance(reader, length);
        *ret = (struct shmd_record){.number = number, .data = data, .length = length};
        return 0;
    }
}

static int take_next(struct shmd_subscriber *subscriber, struct shmd_record *ret)
{
    return link_is_ring(&subscriber->member.link) ? ring_next(subscriber, ret)
                                                  : plain_next(subscriber, ret);
}

/* Has its daemon died, and the next one does not have this session? No page says so. */
static bool is_abandoned(struct member *member)
{
    if (!member->hung_up && link_is_taken_over(&member->link)) {
        member->hung_up = !link_lives(&member->link);
    }
    return member->hung_up;
}

/* Superseded, closing, or its daemon has died for good: there will be another session. */
static bool is_over(struct shmd_subscriber *subscriber)
{
    struct member *member = &subscriber->member;

    if (link_state(&member->link) == PAGE_EVICTED) {
        return false; /* for good */
    }
    return is_abandoned(member) || link_state(&member->link) > PAGE_EVICTED;
}

/*
 * In a session that is over. What stands in a segment that nobody goes on with, no other session
 * would bring: it is taken first, and acknowledged. Where the segment goes on, the records wait for
 * us there.
 */
static int take_rest(struct shmd_subscriber *subscriber, struct shmd_record *ret)
{
    int r;

    if (!link_is_final(&subscriber->member.link) || !subscriber_may_stay(subscriber)) {
        subscriber_disconnect(subscriber);
        return -EAGAIN;
    }
    r = take_next(subscriber, ret);
    if (r == -EAGAIN && subscriber->member.connected) {
        subscriber_part(subscriber);
    }
    return r;
}

/* Everything but the usual; apart from it, so that the usual saves no registers for this. */
__attribute__((noinline)) static int next(struct shmd_subscriber *subscriber,
                                          struct shmd_record *ret)
{
    int r = -EAGAIN;

    if (subscriber->member.connected) {
        r = is_over(subscriber) ? take_rest(subscriber, ret) : take_next(subscriber, ret);
    }
    if (!subscriber->member.connected) {
        r = subscriber_reconnect(subscriber);
        if (r < 0) {
            return r;
        }
        r = take_next(subscriber, ret);
    }
    if (subscriber->member.connected && link_state(&subscriber->member.link) == PAGE_EVICTED) {
        /* What was just read may have been written over already. */
        return member_fail(&subscriber->member, -ETIME);
    }
    if (r < 0) {
        return r;
    }
    if (subscriber->retired) {
        (void)shmdt(subscriber->retired);
        subscriber->retired = NULL;
    }
    member_disarm(&subscriber->member);
    ret->lost = subscriber->lost_new;
    subscriber->lost_new = 0;
    subscriber->returned = ret->number;
    subscriber->settled = link_is_in_place(&subscriber->member.link);
    return 0;
}

/*
 * The usual: the session that there was, in a ring that is kept for us, whose next record is there,
 * or nothing. 1: it is something else.
 */
static int next_as_usual(struct shmd_subscriber *subscriber, struct shmd_record *ret)
{
    struct link *link = &subscriber->member.link;
    const struct ring_record *record;
    size_t length;

    if (!subscriber->settled || subscriber->member.armed) {
        return 1;
    }
    record = ring_look_kept(&link->reader, &length);
    /* Afterwards: where nothing waits for us any more, it may have been written over already. */
    if (link_state(link) != PAGE_ACTIVE || link_is_taken_over(link)) {
        return 1;
    }
    if (!record) {
        return ring_is_blank(&link->reader) && !subscriber->member.hung_up ? -EAGAIN : 1;
    }
    *ret = (struct shmd_record){
        .number = link->reader.number, .data = record->bytes, .length = length};
    ring_advance(&link->reader, length);
    subscriber->returned = ret->number;
    return 0;
}

int shmd_next(struct shmd_subscriber *subscriber, struct shmd_record *ret)
{
    int r = next_as_usual(subscriber, ret);

    return r <= 0 ? r : next(subscriber, ret);
}

int shmd_acknowledge(struct shmd_subscriber *subscriber, uint64_t number)
{
    struct link *link = &subscriber->member.link;
    enum page_state state;
    uint64_t lost;

    if (number > subscriber->returned || number <= subscriber->before) {
        return -EINVAL;
    }
    if (number <= subscriber->uncertain) {
        return -ETIME;
    }
    if (number <= subscriber->acknowledged) {
        return 0;
    }
    /*
     * Before the daemon learns that it may let go of them: are they what was read, still? What
     * another daemon has written over them is seen with its generation. Acquire: after all that was
     * read.
     */
    atomic_thread_fence(memory_order_acquire);
    if (subscriber->member.connected && is_abandoned(&subscriber->member) &&
        !subscriber_is_certain(subscriber)) {
        subscriber->settled = false; /* from now on, nothing is as usual */
        return -ETIME;
    }
    lost = gaps_settle(&subscriber->gaps, number);
    if (!subscriber->member.connected) {
        subscriber->acknowledged = number;
        if (subscriber->owes && number == subscriber->returned) {
            subscriber->owes = false;
            (void)member_pause(&subscriber->member, 0);
        }
        subscriber->late = true;
        return SHMD_LATER;
    }
    if (link_is_kept(link)) {
        page_acknowledge_all(link->page, number);
    } else {
        page_acknowledge(link->page, number, lost);
    }
    if (page_must_ring(&link->page->daemon_sleeps)) {
        (void)!write(link->daemon_doorbell, "", 1);
    }
    /* After the full fence of page_must_ring(): see session_end() in the daemon. */
    state = link_state(link);
    if (state == PAGE_EVICTED) {
        subscriber->settled = false;
        return -ETIME;
    }
    subscriber->acknowledged = number;
    if (state == PAGE_ACTIVE && !subscriber->member.hung_up) {
        return 0;
    }
    subscriber->settled = false;
    subscriber->late = true; /* who looked last has seen it, or is told in the next session */
    return SHMD_LATER;
}
