/* SPDX-License-Identifier: MIT */
#include "daemon/record.h"
#include "base/clock.h"
#include "base/step.h"

#include <string.h>

bool record_waits(const struct record *record)
{
    return state_phase(record->state->file) == PHASE_PUBLISHED;
}

static void publish(struct record *record)
{
    struct state_file *file = record->state->file;

    file->published_usec = clock_usec();
    STEP("record.publish");
    plain_publish(record->segment->map, record->state->image, file->extent);
    STEP("record.published");
    file->extent = file->record_length + 1;
    state_enter(file, state_number(file), PHASE_PUBLISHED);
}

char *record_place(struct record *record, size_t length)
{
    struct state_file *file = record->state->file;

    /* While the image is being filled, its first bytes may be anything. */
    if (file->record_length < length) {
        file->record_length = length;
    }
    return record->state->image;
}

void record_publish(struct record *record, size_t length)
{
    struct state_file *file = record->state->file;
    char *image = record->state->image;

    memset(image + length, 0, file->record_length + 1 - length);
    file->record_length = length;
    /* The segment is covered as far as anything may stand there. */
    if (file->extent < length + 1) {
        file->extent = length + 1;
    }
    plain_prepare(record->segment->map, image);
    record->length = length;
    state_enter(file, state_number(file) + 1, PHASE_FILLED);
    STEP("record.filled");
    publish(record);
}

static void forget_star(struct record *record)
{
    /* Release: pairs with our own death only; what came before is there. */
    __atomic_store_n(&record->state->file->starred.record, 0, __ATOMIC_RELEASE);
}

/* Has an earlier daemon logged the '*' that stands there, and come no further? */
static bool is_logged(const struct record *record)
{
    const struct state_file *file = record->state->file;

    return record_waits(record) && record_star_is_logged(record) &&
           acklog_total(&file->acklog) > file->starred.total &&
           plain_first(record->segment->map) == PLAIN_ACKNOWLEDGED;
}

void record_adopt(const struct segment *segment, struct state *state)
{
    struct state_file *file = state->file;
    ssize_t length;

    if (file->segment_id == segment->id || file->layout != LAYOUT_PLAIN ||
        state_phase(file) != PHASE_EMPTY) {
        return;
    }
    length = plain_read(segment->map, segment->size, state->image);
    if (length <= 0 || (size_t)length == segment->size) {
        memset(state->image, 0, segment->size);
        return;
    }
    memset(state->image + length, 0, segment->size - (size_t)length);
    file->record_length = (size_t)length;
    file->extent = segment->size;
    file->published_usec = clock_usec();
    file->live = state_number(file) + 1; /* no source makes it anew */
    state_enter(file, file->live, PHASE_PUBLISHED);
    file->segment_id = segment->id;
}

void record_resume(struct record *record)
{
    struct state_file *file = record->state->file;
    bool same = file->segment_id == record->segment->id;
    /* NUL: killed while another segment was about to take its place. */
    bool published = same && plain_first(record->segment->map) != '\0' &&
                     plain_is_published(record->segment->map, record->state->image);

    if (!published || !is_logged(record)) {
        forget_star(record);
    }
    record->compared = 0;
    record->length = state_phase(file) != PHASE_EMPTY ? file->record_length : 0;
    if (!same) {
        uint64_t own = file->record_length > 0 ? file->record_length + 1 : PLAIN_SIZE_MIN;

        file->extent = record->segment->blank ? own : record->segment->size;
        /* What stands there is no record of ours: nobody reads half of it. */
        (void)plain_withdraw(record->segment->map, record->state->image);
        plain_prepare(record->segment->map, record->state->image);
    }
    if (state_phase(file) != PHASE_EMPTY && published) {
        state_enter(file, state_number(file), PHASE_PUBLISHED);
    } else if (state_phase(file) != PHASE_EMPTY) {
        publish(record);
    }
}

/* Compares and restores bytes from…from+length-1, which do not include byte 0. */
static bool restore(struct record *record, size_t from, size_t length)
{
    char *segment = record->segment->map + from;
    const char *image = record->state->image + from;

    if (memcmp(segment, image, length) == 0) {
        return false;
    }
    memcpy(segment, image, length);
    return true;
}

static bool compare_slice(struct record *record)
{
    size_t size = record->segment->size;
    size_t from = record->compared;
    size_t length = size - from < RECORD_SLICE ? size - from : RECORD_SLICE;

    if (from == 0) {
        from++;
        length--;
    }
    record->compared = from + length == size ? 0 : from + length;
    return restore(record, from, length);
}

struct findings record_look(struct record *record)
{
    char first = plain_first(record->segment->map);
    char expected = record->state->image[0];
    struct findings found = {0};

    if (!record_waits(record)) {
        return found;
    }
    found.acknowledged = first == PLAIN_ACKNOWLEDGED;
    found.scribbled = compare_slice(record);
    if (!found.acknowledged && first != expected) {
        found.scribbled = true;
        /* Unless a '*' has come in the meantime: that must not be overwritten. */
        (void)__atomic_compare_exchange_n(record->segment->map, &first, expected, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    return found;
}

void record_describe(const struct record *record, struct page *page)
{
    const struct state_file *file = record->state->file;

    if (!record_waits(record)) {
        return;
    }
    page->length = (uint32_t)file->record_length;
    page->first = (unsigned char)record->state->image[0];
    if (file->record_length <= PAGE_RECORD_MAX) {
        memcpy(page->record, record->state->image, file->record_length);
    }
    /* Release: pairs with the subscriber's acquire load; segment and page are written. */
    atomic_store_explicit(&page->published, state_number(file), memory_order_release);
}

void record_restore_first(struct record *record)
{
    char *map = record->segment->map;

    plain_prepare(map, record->state->image); /* killed from here on: published again */
    forget_star(record);
    plain_stand(map, record->state->image);
}

struct ack record_ack(const struct record *record, pid_t pid)
{
    const struct state_file *file = record->state->file;
    uint64_t now = clock_usec();

    return (struct ack){
        .record_first = state_number(file),
        .record_last = state_number(file),
        .records = 1,
        .bytes = file->record_length,
        .latency_usec = now > file->published_usec ? now - file->published_usec : 0,
        .key = record->segment->key,
        .segment_id = record->segment->id,
        .pid = pid,
    };
}

void record_note_star(struct record *record)
{
    struct state_file *file = record->state->file;

    file->starred.total = acklog_total(&file->acklog);
    /* Release: pairs with our own death only; the total is there when it counts. */
    __atomic_store_n(&file->starred.record, state_number(file), __ATOMIC_RELEASE);
}

bool record_star_is_logged(const struct record *record)
{
    return record->state->file->starred.record == state_number(record->state->file);
}

bool record_withdraw(struct record *record)
{
    return plain_withdraw(record->segment->map, record->state->image);
}

bool record_close(struct record *record)
{
    return plain_close(record->segment->map);
}

void record_reopen(struct record *record)
{
    if (record_waits(record)) {
        plain_reopen(record->segment->map, record->state->image[0]);
    }
}

void record_done(struct record *record)
{
    state_enter(record->state->file, state_number(record->state->file), PHASE_EMPTY);
    STEP("record.done");
    forget_star(record);
}
