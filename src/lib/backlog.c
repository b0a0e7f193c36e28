/* SPDX-License-Identifier: MIT */
#include "lib/backlog.h"

#include <stdlib.h>

/* Walks the records of a queue; with `to`, copies them there. Returns how many bytes they take. */
static size_t walk(const void *queue, size_t size, uint64_t confirmed, uint64_t last, char *to)
{
    struct ring_reader reader = queue_reader(queue, size, 0, 0);
    size_t total = 0;

    for (ring_seek_oldest(&reader); reader.number != 0 && reader.number <= last;) {
        const char *bytes;
        size_t length, left_out;

        if (queue_look(&reader, &bytes, &length, &left_out) != QUEUE_RECORD) {
            break;
        }
        if (reader.number > confirmed) {
            if (to) {
                memcpy(to + total, &length, sizeof(length));
                memcpy(to + total + sizeof(length), bytes, length);
            }
            total += sizeof(length) + length;
        }
        ring_advance(&reader, length);
    }
    return total;
}

int backlog_gather(struct backlog *backlog, const void *queue, size_t size, uint64_t confirmed,
                   uint64_t last)
{
    size_t queued = walk(queue, size, confirmed, last, NULL);
    size_t rest = backlog->size - backlog->taken;
    char *bytes;

    if (queued == 0) {
        return 0;
    }
    bytes = malloc(queued + rest);
    if (!bytes) {
        return -ENOMEM;
    }
    (void)walk(queue, size, confirmed, last, bytes);
    if (rest > 0) {
        memcpy(bytes + queued, backlog->bytes + backlog->taken, rest);
    }
    free(backlog->bytes);
    *backlog = (struct backlog){.bytes = bytes, .size = queued + rest, .next = confirmed + 1};
    return 0;
}

const char *backlog_peek(const struct backlog *backlog, size_t *ret_length)
{
    const char *at = backlog->bytes + backlog->taken;

    memcpy(ret_length, at, sizeof(*ret_length));
    return at + sizeof(*ret_length);
}

void backlog_advance(struct backlog *backlog)
{
    size_t length;

    (void)backlog_peek(backlog, &length);
    backlog->taken += sizeof(length) + length;
    backlog->next++;
    if (backlog_is_empty(backlog)) {
        backlog_clear(backlog);
    }
}

void backlog_drop(struct backlog *backlog, uint64_t number)
{
    while (!backlog_is_empty(backlog) && backlog->next <= number) {
        backlog_advance(backlog);
    }
}

void backlog_clear(struct backlog *backlog)
{
    free(backlog->bytes);
    *backlog = (struct backlog){0};
}
