/* SPDX-License-Identifier: MIT
 *
 * The backlog: what a publisher has handed in, and is not confirmed, when its session ends. It is
 * taken out of the queue of that session, which goes with it, and handed in anew in the next one,
 * as far as that has room.
 *
 *      bytes ──▶ first ─ handed in anew ─▶ next ─ yet to be handed in ─▶ end
 *
 * It is kept until it is confirmed. For a record that does not fit into one session, only its
 * number is handed in there; in the session after, it may fit again.
 */
#pragma once

#include "proto/queue.h"

/* One of its records: where it stands there, behind its length. */
struct backlog_place {
    uint64_t number;
    size_t at;
};

struct backlog {
    char *bytes; /* records, one after the other, each behind its length */
    struct backlog_place first, next, end;
};

/*
 * The session is over: what is not confirmed, up to `last`, is to be handed in anew. What there is
 * of it is kept; the others are those that stand in the queue. -ENOMEM: nothing has changed.
 */
int backlog_gather(struct backlog *backlog, const void *queue, size_t size, uint64_t confirmed,
                   uint64_t last);

/* Is there nothing to hand in? */
static inline bool backlog_is_empty(const struct backlog *backlog)
{
    return backlog->next.at == backlog->end.at;
}

/* The record that comes next; there is one. */
const char *backlog_peek(const struct backlog *backlog, size_t *ret_length);
void backlog_advance(struct backlog *backlog);

/* All records up to this one are confirmed. */
void backlog_confirm(struct backlog *backlog, uint64_t number);

void backlog_clear(struct backlog *backlog);
