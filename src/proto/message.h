/* SPDX-License-Identifier: MIT
 *
 * Messages on the daemon's socket (SOCK_SEQPACKET). A session needs one exchange; after that its
 * traffic is memory only, and the connection stands for the session: when it is closed, the session
 * ends.
 *
 *      client                              daemon
 *      HELLO  ───────────────────────────▶
 *             ◀─────────────────────────── WELCOME + page, client's doorbell, daemon's doorbell
 *                                          or REFUSED
 *
 *      STATUS ───────────────────────────▶
 *             ◀─────────────────────────── REPORT: a JSON document
 *
 * A publisher gets a fourth descriptor: the ring into which it writes its records, see queue.h.
 *
 * A client may have one session after another. What a subscriber has not acknowledged in the one
 * before is kept for it, and what a publisher has handed in is known: by its process and by the
 * number that it says in every HELLO, which is its own among those of its process. Whose HELLO has
 * neither an epoch nor a number in it is new, and takes nothing over.
 *
 * All numbers are in the machine's byte order: the socket does not leave it. Every message begins
 * with its magic, version, type and size. Anything else, descriptors sent to the daemon included,
 * ends the session.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAGIC       0x646d6873u /* "shmd" */
#define MESSAGE_VERSION     1
#define MESSAGE_NAME_SIZE   32
#define MESSAGE_NUMBER_MAX  (UINT64_MAX / 2)     /* of a publisher's records */
#define MESSAGE_REPORT_MAX  ((size_t)160 * 1024) /* bytes of a REPORT: below the socket's buffer */
#define MESSAGE_WELCOME_FDS 4                    /* at most; a subscriber's: one less */

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_WELCOME,
    MESSAGE_REFUSED,
    MESSAGE_STATUS,
    MESSAGE_REPORT,
};

enum message_role {
    MESSAGE_SUBSCRIBER = 1,
    MESSAGE_PUBLISHER,
};

enum message_start {
    MESSAGE_START_DEFAULT, /* where records wait: as OLDEST; where the newest wins: from that one */
    MESSAGE_START_NEXT,    /* what is published from now on */
    MESSAGE_START_OLDEST,  /* from the oldest record still held */
};

enum message_layout {
    MESSAGE_PLAIN = 1,
    MESSAGE_RING,
};

struct message {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t size; /* of the whole message, in bytes */
    uint32_t reserved;
};

struct message_hello {
    struct message head;
    uint32_t role;
    uint32_t start;               /* publisher: 0 */
    uint8_t epoch[16];            /* resuming: of the session before; else zeros */
    uint64_t after;               /* resuming: the last record acknowledged in it (publisher: the
                                     last one that it knows to be confirmed); else 0 */
    uint64_t lost;                /* resuming: records lost in it, as its page says; else 0 */
    uint32_t client;              /* of its own choice, see above; 0: it will not resume */
    uint32_t reserved;            /* 0 */
    char name[MESSAGE_NAME_SIZE]; /* what the client calls itself, NUL-padded */
};

struct message_welcome {
    struct message head;
    uint32_t layout;
    uint32_t when_full; /* enum ring_when_full */
    uint32_t key;
    int32_t segment_id;
    uint64_t segment_size; /* publisher: of its own ring */
    uint8_t epoch[16];
    uint64_t first;    /* number of the first record of this session; a publisher's own number */
    uint64_t position; /* ring: where it is, or will be; plain: when the segment was made or its
                          permission changed, shm_ctime of IPC_STAT, by which it is known;
                          publisher: bytes of the longest record */
    uint64_t lease_usec;
    uint32_t spin_usec;
    uint32_t session;
};

struct message_refused {
    struct message head;
    int32_t error; /* a negative errno value */
    char text[108];
};

_Static_assert(sizeof(struct message) == 16, "part of the protocol");
_Static_assert(sizeof(struct message_hello) == 96, "part of the protocol");
_Static_assert(sizeof(struct message_welcome) == 88, "part of the protocol");
_Static_assert(sizeof(struct message_refused) == 128, "part of the protocol");

/* Is this, of `length` bytes as received, a message of this type and size? */
static inline int message_is(const void *bytes, size_t length, enum message_type type, size_t size)
{
    const struct message *head = bytes;

    return length >= sizeof(*head) && head->magic == MESSAGE_MAGIC &&
           head->version == MESSAGE_VERSION && head->size == length && head->type == type &&
           length == size;
}

static inline struct message message_head(enum message_type type, size_t size)
{
    return (struct message){.magic = MESSAGE_MAGIC,
                            .version = MESSAGE_VERSION,
                            .type = (uint16_t)type,
                            .size = (uint32_t)size};
}
