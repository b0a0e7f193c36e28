/* SPDX-License-Identifier: MIT */
#include "daemon/acklog.h"

#include <string.h>

#define CROWDED (ACKLOG_ENTRIES / 4 * 3) /* with one entry for each session: too many of them */

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

/* Whose entries become one. */
enum merging {
    OF_ANONYMOUS,
    OF_ONE_SESSION,
    OF_ONE_USER,
    OF_ALL_USERS,
    MERGINGS,
};

/* Anonymous clients cannot be told apart: together they are one client. */
static bool belong_together(const struct ack *a, const struct ack *b, enum merging merging)
{
    if (!a->verified || !b->verified) {
        return !a->verified && !b->verified;
    }
    return merging == OF_ALL_USERS ||
           (a->uid == b->uid && (merging == OF_ONE_USER || a->session == b->session));
}

static void merge(struct ack *into, const struct ack *later)
{
    struct ack both = *later;

    both.records += into->records;
    both.bytes += into->bytes;
    both.record_first =
        into->record_first < later->record_first ? into->record_first : later->record_first;
    both.record_last =
        into->record_last > later->record_last ? into->record_last : later->record_last;
    if (both.session != into->session) {
        both.session = 0;
        both.pid = 0;
        memset(both.name, 0, sizeof(both.name));
    }
    if (both.uid != into->uid) {
        both.uid = both.gid = ACK_SEVERAL;
    }
    *into = both;
}

/*
 * Copies the queue into the other array, where what belongs together behind the entry at the tail
 * becomes one; returns the head that it has there.
 */
static uint64_t compact(const struct acklog *acklog, struct ack *entries, enum merging merging)
{
    uint64_t end = acklog->tail;

    for (uint64_t from = acklog->tail; from < head(acklog); from++) {
        const struct ack *ack = at(acklog, from);
        bool stays = merging == OF_ANONYMOUS && ack->verified;
        uint64_t into = stays ? end : acklog->tail + 1;

        while (into < end && !belong_together(&entries[into % ACKLOG_ENTRIES], ack, merging)) {
            into++;
        }
        if (into < end) {
            merge(&entries[into % ACKLOG_ENTRIES], ack);
        } else {
            entries[end % ACKLOG_ENTRIES] = *ack;
            end++;
        }
    }
    return end;
}

/* Is it time to compact, and did that help when it was done last? */
static bool is_too_long(const struct acklog *acklog, size_t limit)
{
    uint64_t again = 2 * acklog->stubborn < CROWDED ? 2 * acklog->stubborn : CROWDED;

    return acklog_waiting(acklog) >= limit && acklog_waiting(acklog) >= again;
}

/* Behind all others, at the end that they have in this array. */
static void append(struct acklog *acklog, uint64_t array, uint64_t end, const struct ack *ack)
{
    struct ack *pushed = &acklog->entries[array][end % ACKLOG_ENTRIES];
    uint64_t total = acklog_total(acklog) + ack->records;

    *pushed = *ack;
    pushed->total = total;
    commit(acklog, end + 1, array);
}

void acklog_push(struct acklog *acklog, size_t limit, const struct ack *ack)
{
    uint64_t array = acklog->commit & 1;
    uint64_t end = head(acklog);

    if (is_too_long(acklog, limit)) {
        array = !array;
        end = compact(acklog, acklog->entries[array], OF_ONE_SESSION);
        for (int merging = OF_ONE_USER; merging < MERGINGS && end - acklog->tail >= CROWDED;
             merging++) {
            end = compact(acklog, acklog->entries[array], (enum merging)merging);
        }
        acklog->stubborn = end - acklog->tail > limit ? end - acklog->tail : 0;
    } else if (end - acklog->tail < limit) {
        acklog->stubborn = 0;
    }
    /* There is room: at most the one at the tail and two others are left, or fewer than CROWDED. */
    append(acklog, array, end, ack);
}

void acklog_push_gathered(struct acklog *acklog, size_t limit, const struct ack *ack)
{
    uint64_t array = !(acklog->commit & 1);

    if (is_too_long(acklog, limit)) {
        acklog_push(acklog, limit, ack);
    } else {
        append(acklog, array, compact(acklog, acklog->entries[array], OF_ANONYMOUS), ack);
    }
}

uint64_t acklog_total(const struct acklog *acklog)
{
    const struct ack *newest = acklog_newest(acklog);

    return newest ? newest->total : 0;
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
