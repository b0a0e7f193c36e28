/* SPDX-License-Identifier: MIT
 *
 * The acknowledgements that wait for the journal: a bounded queue that never drops one.
 *
 * It lies in the daemon's state file, so that it survives the daemon: whatever was acknowledged and
 * not yet logged is logged by the next one. The position of an entry in the queue, counted from 1
 * in each epoch, is its SHMD_ACK_SEQ: gap-free by construction.
 *
 *                 tail (sent)                     head (pushed)
 *      ────────────┬───────┬───────┬───────┬───────┬─────────────▶ position
 *       sent       │ entry │ entry │ entry │ entry │ free
 *      ────────────┴───────┴───────┴───────┴───────┴─────────────
 *                   being sent
 *
 * When the queue is full it is compacted: all waiting entries of one session become one, which
 * covers the sum of their records; where that does not make room, because sessions have come and
 * gone for as long as the journal did not read, those of one user, and at last those of all users.
 * The entry at the tail may be on its way to the journal and is left alone.
 *
 * Safe against SIGKILL at any instruction: an entry is written before the head that makes it count,
 * and a compacted queue is written into a second array before the one word `commit`, which holds
 * both the head and which array is meant, makes it valid. The newest entry is always the one that
 * was pushed last, as it was.
 *
 * Not safe for threads: the log locks around it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACKLOG_ENTRIES 4096
#define ACK_NAME_SIZE  32

/* Acknowledgements of one client, of one record or several. */
struct ack {
    uint64_t record_first;
    uint64_t record_last;
    uint64_t records;
    uint64_t bytes;
    uint64_t latency_usec; /* refill → acknowledgement seen, of the last record */
    uint64_t lost;         /* records that its session has lost since it began */
    uint64_t total;        /* records acknowledged by anybody in this epoch, with these */
    uint32_t key;
    int32_t segment_id;
    uint32_t session; /* 0: none, or several */
    int32_t pid;      /* 0: not known, or several */
    uint32_t uid;     /* ACK_SEVERAL: of several users */
    uint32_t gid;
    uint32_t verified; /* else pid is hearsay, and uid and gid are not known */
    uint32_t reserved;
    char name[ACK_NAME_SIZE];
};

#define ACK_SEVERAL UINT32_MAX

_Static_assert(sizeof(struct ack) == 120, "part of the state file");

struct acklog {
    uint64_t tail;   /* entries sent */
    uint64_t commit; /* head << 1 | which array */
    uint64_t
        stubborn; /* so many entries were left by a compaction that did not get down to the limit */
    struct ack entries[2][ACKLOG_ENTRIES];
};

uint64_t acklog_waiting(const struct acklog *acklog);

/* Do the positions make sense? For a queue that comes out of a file. */
bool acklog_valid(const struct acklog *acklog);

/*
 * Appends, compacting when more than `limit` (at most ACKLOG_ENTRIES) would wait. More sessions
 * than that keep one entry each; then it compacts again when there are twice as many entries.
 * `total` is filled in.
 */
void acklog_push(struct acklog *acklog, size_t limit, const struct ack *ack);

/* The same, but the anonymous entries that wait behind the tail become one first. */
void acklog_push_gathered(struct acklog *acklog, size_t limit, const struct ack *ack);

/* Records acknowledged by anybody in this epoch. */
uint64_t acklog_total(const struct acklog *acklog);

/* The newest entry that was ever pushed; NULL if there was none. */
const struct ack *acklog_newest(const struct acklog *acklog);

/* The entry to send next and its sequence number; false if none waits. */
bool acklog_peek(const struct acklog *acklog, struct ack *ret, uint64_t *ret_sequence);

/* The entry of acklog_peek() was sent. */
void acklog_pop(struct acklog *acklog);
