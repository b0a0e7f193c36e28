/* SPDX-License-Identifier: MIT */
#include "lib/backlog.h"

#include <stdlib.h>

/*
 * Walks the records of a queue that come after `known`; with `to`, copies them there. Returns how
 * many bytes they take.
 */
static size_t walk(const void *queue, size_t size, uint64_t known, uint64_t last, char *to)
{
    struct ring_reader reader = queue_reader(queue, size, 0, 0);
    size_t total = 0;

    for (ring_seek_oldest(&reader); reader.number != 0 && reader.number <= last;) {
        const char *bytes;
        size_t length, left_out;

        if (queue_look(&reader, &bytes, &length, &left_out) != QUEUE_RECORD) {
            break;
        }
        if (reader.number > known) {
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

static const char *look(const struct backlog *backlog, const struct backlog_place *place,
                        size_t *ret_length)
{
    memcpy(ret_length, backlog->bytes + place->at, sizeof(*ret_length));
    return backlog->bytes + place->at + sizeof(*ret_length);
}

static void step(const struct backlog *backlog, struct backlog_place *place)
{
    size_t length;

    (void)look(backlog, place, &length);
    place->at += sizeof(length) + length;
    place->number++;
}

int backlog_gather(struct backlog *backlog, const void *queue, size_t size, uint64_t confirmed,
                   uint64_t last)
{
    size_t kept, queued;
    uint64_t known;
    char *bytes;

    backlog_confirm(backlog, confirmed);
    kept = backlog->end.at - backlog->first.at;
    known = kept > 0 ? backlog->end.number - 1 : confirmed;
    queued = walk(queue, size, known, last, NULL);
    if (queued == 0) {
        backlog->next = backlog->first;
        return 0;
    }
    bytes = malloc(kept + queued);
    if (!bytes) {
        return -ENOMEM;
    }
    if (kept > 0) {
        memcpy(bytes, backlog->bytes + backlog->first.at, kept);
    }
    (void)walk(queue, size, known, last, bytes + kept);
    free(backlog->bytes);
    *backlog = (struct backlog){
        .bytes = bytes,
        .first = {.number = confirmed + 1},
        .next = {.number = confirmed + 1},
        .end = {.number = last + 1, .at = kept + queued},
    };
    return 0;
}

const char *backlog_peek(const struct backlog *backlog, size_t *ret_length)
{
    return look(backlog, &backlog->next, ret_length);
}

void backlog_advance(struct backlog *backlog)
{
    step(backlog, &backlog->next);
}

void backlog_confirm(struct backlog *backlog, uint64_t number)
{
    while (backlog->first.at < backlog->end.at && backlog->first.number <= number) {
        step(backlog, &backlog->first);
    }
    if (backlog->next.at < backlog->first.at) {
        backlog->next = backlog->first;
    }
    if (backlog->first.at == backlog->end.at) {
        backlog_clear(backlog);
    }
}

void backlog_clear(struct backlog *backlog)
{
    free(backlog->bytes);
    *backlog = (struct backlog){0};
}
