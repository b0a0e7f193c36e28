/* SPDX-License-Identifier: MIT
 *
 * The backlog: what a publisher has handed in, and is not confirmed, when its session ends. It is
 * taken out of the queue of that session, which goes with it, and handed in anew in the next one,
 * as far as that has room.
 */
#pragma once

#include "proto/queue.h"

struct backlog {
    char *bytes; /* records, one after the other, each behind its length */
    size_t size;
    size_t taken;  /* of these bytes, by the new queue */
    uint64_t next; /* the number of the record there */
};

/*
 * Puts the records that stand in a queue behind `confirmed`, and up to `last`, in front of what
 * there is. -ENOMEM: nothing has changed.
 */
int backlog_gather(struct backlog *backlog, const void *queue, size_t size, uint64_t confirmed,
                   uint64_t last);

static inline bool backlog_is_empty(const struct backlog *backlog)
{
    return backlog->taken == backlog->size;
}

/* The record that comes next; there is one. */
const char *backlog_peek(const struct backlog *backlog, size_t *ret_length);
void backlog_advance(struct backlog *backlog);

/* Leaves out all records up to this one. */
void backlog_drop(struct backlog *backlog, uint64_t number);

void backlog_clear(struct backlog *backlog);
