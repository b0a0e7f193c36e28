/* SPDX-License-Identifier: MIT */
#include "daemon/acklog.h"

#include <string.h>

static uint64_t head(const struct acklog *acklog)
{
    return acklog->commit >> 1;
}

static const struct ack *at(const struct acklog *acklog, uint64_t position)
{
    return &acklog->entries[acklog->commit & 1][position % ACKLOG_ENTRIES];
}

/*
 * Release: the entries are in memory before the word that makes them count. It pairs with nothing
 * but the death of this process: the kernel keeps what was stored, in the order of this thread.
 */
static void commit(struct acklog *acklog, uint64_t new_head, uint64_t array)
{
    __atomic_store_n(&acklog->commit, new_head << 1 | array, __ATOMIC_RELEASE);
}

uint64_t acklog_waiting(const struct acklog *acklog)
{
    return head(acklog) - acklog->tail;
}

bool acklog_valid(const struct acklog *acklog)
{
    return acklog->tail <= head(acklog) && acklog_waiting(acklog) <= ACKLOG_ENTRIES;
}

const struct ack *acklog_newest(const struct acklog *acklog)
{
    return head(acklog) ? at(acklog, head(acklog) - 1) : NULL;
}

/* Anonymous clients cannot be told apart: together they are one client. */
static bool same_client(const struct ack *a, const struct ack *b)
{
    if (!a->verified || !b->verified) {
        return !a->verified && !b->verified;
    }
    return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid &&
           memcmp(a->name, b->name, sizeof(a->name)) == 0;
}

static void merge(struct ack *into, const struct ack *later)
{
    uint64_t first = into->record_first;
    uint64_t records = into->records + later->records;
    uint64_t bytes = into->bytes + later->bytes;

    *into = *later;
    into->record_first = first;
    into->records = records;
    into->bytes = bytes;
}

/* Copies the queue into the other array, one entry for each client behind the one at the tail. */
static void compact(struct acklog *acklog)
{
    uint64_t other = !(acklog->commit & 1);
    struct ack *entries = acklog->entries[other];
    uint64_t end = acklog->tail;

    for (uint64_t from = acklog->tail; from < head(acklog); from++) {
        const struct ack *ack = at(acklog, from);
        uint64_t into = acklog->tail + 1;

        while (into < end && !same_client(&entries[into % ACKLOG_ENTRIES], ack)) {
            into++;
        }
        if (into < end) {
            merge(&entries[into % ACKLOG_ENTRIES], ack);
        } else {
            entries[end % ACKLOG_ENTRIES] = *ack;
            end++;
        }
    }
    commit(acklog, end, other);
}

void acklog_push(struct acklog *acklog, size_t limit, const struct ack *ack)
{
    if (acklog_waiting(acklog) >= limit) {
        compact(acklog);
    }
    /* There is room: at most one entry for each client and the one at the tail are left. */
    acklog->entries[acklog->commit & 1][head(acklog) % ACKLOG_ENTRIES] = *ack;
    commit(acklog, head(acklog) + 1, acklog->commit & 1);
}

bool acklog_peek(const struct acklog *acklog, struct ack *ret, uint64_t *ret_sequence)
{
    if (acklog_waiting(acklog) == 0) {
        return false;
    }
    *ret = *at(acklog, acklog->tail);
    *ret_sequence = acklog->tail + 1;
    return true;
}

void acklog_pop(struct acklog *acklog)
{
    __atomic_store_n(&acklog->tail, acklog->tail + 1, __ATOMIC_RELEASE);
}
