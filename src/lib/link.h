/* SPDX-License-Identifier: MIT
 *
 * A link: what one session consists of. It is thrown away when the daemon goes, or when it says
 * that another segment has come, and made anew.
 */
#pragma once

#include "lib/connection.h"
#include "proto/page.h"
#include "proto/reader.h"

struct link {
    int socket, doorbell, daemon_doorbell;
    struct page *page;
    void *segment;             /* of a subscriber; … */
    struct ring_reader reader; /* … where it is a ring */
    uint32_t generation;       /* of the ring, when the session began */
    void *queue;               /* of a publisher, welcome.segment_size bytes */
    struct message_welcome welcome;
};

#define LINK_CLOSED                                                                                \
    (struct link)                                                                                  \
    {                                                                                              \
        .socket = -1, .doorbell = -1, .daemon_doorbell = -1                                        \
    }

/* A new session. What the HELLO asks for is the caller's to say. */
int link_open(const struct shmd_options *options, const struct message_hello *hello,
              struct link *ret);

/* What the last WELCOME said remains what is known. */
void link_close(struct link *link);

static inline bool link_is_ring(const struct link *link)
{
    return link->welcome.layout == MESSAGE_RING;
}

/* Are records used where they stand, in a ring that keeps them for us? */
static inline bool link_is_in_place(const struct link *link)
{
    return link_is_ring(link) && link->welcome.when_full == RING_WAIT;
}

/* Does the daemon keep a record until we have acknowledged it? */
static inline bool link_is_kept(const struct link *link)
{
    return !link_is_ring(link) || link_is_in_place(link);
}

/* A ring: is the next record not there yet, and one look at its place enough to know? */
static inline bool link_is_blank(const struct link *link)
{
    return link_is_kept(link) && ring_is_blank(&link->reader);
}

/*
 * Has another daemon taken the ring over? Then it may have taken the session over, too, or not:
 * link_lives() tells.
 */
static inline bool link_is_taken_over(const struct link *link)
{
    /* Acquire: pairs with stream_open() in the daemon. */
    return link_is_ring(link) && atomic_load_explicit(&link->reader.header->generation,
                                                      memory_order_acquire) != link->generation;
}

/* Of a session that is over: will nothing be written in its segment any more? */
static inline bool link_is_final(const struct link *link)
{
    /* Acquire: pairs with stream_announce() in the daemon; all records are there. */
    return !link_is_ring(link) || atomic_load_explicit(&link->reader.header->state,
                                                       memory_order_acquire) >= RING_SUPERSEDED;
}

/* Does the daemon, whichever it is now, still have the other end? Asks the kernel. */
bool link_lives(struct link *link);

static inline enum page_state link_state(const struct link *link)
{
    /* Acquire: pairs with the release store of session_end() in the daemon. */
    return (enum page_state)atomic_load_explicit(&link->page->state, memory_order_acquire);
}
