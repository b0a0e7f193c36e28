/* SPDX-License-Identifier: MIT */
#include "source/frames.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#define LENGTH_SIZE ((size_t)4)         /* of the length before a record */
#define LONG_RECORD (FRAMES_BUFFER / 4) /* it begins in its place, if its length is known */

int frames_new(struct frames *frames, const struct source *source, enum source_framing framing,
               uint64_t frame_size)
{
    *frames = (struct frames){
        .source = source,
        .framing = framing,
        .frame_size = frame_size,
        .buffer = malloc(FRAMES_BUFFER),
    };
    return frames->buffer ? 0 : -ENOMEM;
}

void frames_free(struct frames *frames)
{
    free(frames->buffer);
    frames->buffer = NULL;
}

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

static size_t waiting(const struct frames *frames)
{
    return frames->to - frames->from;
}

static void skip(struct frames *frames, size_t length)
{
    frames->from += length;
    frames->searched = 0;
}

/* Is the length known before the record has come? */
static bool is_counted(const struct frames *frames)
{
    return frames->framing == FRAMING_FIXED || frames->framing == FRAMING_LENGTH;
}

/* --- a record that has begun in its place --- */

static void begin(struct frames *frames, uint64_t length)
{
    frames->begun = true;
    frames->length = length;
    frames->come = 0;
    frames->kept = 0;
    frames->held = smaller(length, SIZE_MAX);
}

/* Where it goes on. Another segment may have less room than when it began. */
static char *place(struct frames *frames, size_t *ret_room)
{
    char *begins = source_place(frames->source, &frames->held);

    frames->kept = smaller(frames->kept, frames->held);
    *ret_room = frames->held - frames->kept;
    return begins + frames->kept;
}

/* Moves bytes from the buffer; what does not fit is left out. */
static void append(struct frames *frames, size_t length)
{
    size_t room;
    char *to = place(frames, &room);

    memcpy(to, frames->buffer + frames->from, smaller(length, room));
    frames->kept += smaller(length, room);
    frames->come += length;
    skip(frames, length);
}

/* What was cut is longer than what fits, even if more fits by now. */
static size_t complete(struct frames *frames)
{
    size_t longest = source_longest(frames->source);
    bool cut = frames->kept < frames->come;

    frames->begun = false;
    return cut && frames->come <= longest ? longest + 1 : (size_t)frames->come;
}

/* --- records in the buffer --- */

/* A whole record. */
static void put(struct frames *frames, size_t length)
{
    size_t held = length;
    char *to = source_place(frames->source, &held);

    memcpy(to, frames->buffer + frames->from, held);
    skip(frames, length);
}

/* Its length, unless that has not come yet. */
static bool count(struct frames *frames, uint64_t *ret_length, size_t *ret_header)
{
    const unsigned char *bytes = (const unsigned char *)frames->buffer + frames->from;

    if (frames->framing == FRAMING_FIXED) {
        *ret_length = frames->frame_size;
        *ret_header = 0;
        return true;
    }
    if (waiting(frames) < LENGTH_SIZE) {
        return false;
    }
    *ret_length =
        bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24;
    *ret_header = LENGTH_SIZE;
    return true;
}

static bool next_counted(struct frames *frames, size_t *ret_length)
{
    uint64_t length;
    size_t header;

    if (!frames->begun) {
        if (!count(frames, &length, &header)) {
            return false;
        }
        if (waiting(frames) - header >= length) {
            skip(frames, header);
            put(frames, (size_t)length);
            *ret_length = (size_t)length;
            return true;
        }
        if (length <= LONG_RECORD) {
            return false;
        }
        skip(frames, header);
        begin(frames, length);
    }
    append(frames, smaller(waiting(frames), frames->length - frames->come));
    if (frames->come < frames->length) {
        return false;
    }
    *ret_length = complete(frames);
    return true;
}

/* Up to a newline; or, where there is none to be looked for, up to the end. */
static bool next_delimited(struct frames *frames, size_t *ret_length)
{
    const char *begins = frames->buffer + frames->from;
    const char *newline = NULL;

    if (frames->framing == FRAMING_LINE) {
        newline = memchr(begins + frames->searched, '\n', waiting(frames) - frames->searched);
    }
    if (newline && !frames->begun) {
        *ret_length = (size_t)(newline - begins);
        put(frames, *ret_length);
        skip(frames, 1);
        return true;
    }
    if (newline) {
        append(frames, (size_t)(newline - begins));
        skip(frames, 1);
        *ret_length = complete(frames);
        return true;
    }
    frames->searched = waiting(frames);
    if (!frames->begun && waiting(frames) == FRAMES_BUFFER) {
        begin(frames, UINT64_MAX);
    }
    if (frames->begun) {
        append(frames, waiting(frames));
    }
    return false;
}

bool frames_next(struct frames *frames, size_t *ret_length)
{
    return is_counted(frames) ? next_counted(frames, ret_length)
                              : next_delimited(frames, ret_length);
}

bool frames_finish(struct frames *frames, size_t *ret_length, uint64_t *ret_dropped)
{
    bool record = frames->framing == FRAMING_WHOLE ||
                  (frames->framing == FRAMING_LINE && frames_pending(frames) > 0);

    *ret_dropped = record ? 0 : frames_pending(frames);
    if (record && frames->begun) {
        *ret_length = complete(frames);
    } else if (record) {
        *ret_length = waiting(frames);
        put(frames, *ret_length);
    }
    frames_reset(frames);
    return record;
}

void frames_reset(struct frames *frames)
{
    frames->begun = false;
    skip(frames, waiting(frames));
}

uint64_t frames_pending(const struct frames *frames)
{
    return (frames->begun ? frames->come : 0) + waiting(frames);
}

/* --- reading --- */

/* How much may be read, at most, if nothing beyond the record is to be. */
static size_t missing(struct frames *frames)
{
    uint64_t length;
    size_t header;

    if (!is_counted(frames)) {
        return 1;
    }
    if (frames->begun) {
        return smaller(frames->length - frames->come, SIZE_MAX);
    }
    return count(frames, &length, &header) ? (size_t)length + header - waiting(frames)
                                           : LENGTH_SIZE - waiting(frames);
}

ssize_t frames_read(struct frames *frames, int fd, bool sparing)
{
    struct iovec parts[2];
    size_t direct = 0, room;
    int count = 0;
    ssize_t n;

    memmove(frames->buffer, frames->buffer + frames->from, waiting(frames));
    frames->to -= frames->from;
    frames->from = 0;
    if (frames->begun && is_counted(frames)) {
        char *to = place(frames, &room);

        direct = smaller(room, frames->length - frames->come);
        parts[count++] = (struct iovec){.iov_base = to, .iov_len = direct};
    }
    room = FRAMES_BUFFER - frames->to;
    if (sparing) {
        room = smaller(room, missing(frames) - direct);
    }
    parts[count++] = (struct iovec){.iov_base = frames->buffer + frames->to, .iov_len = room};
    do {
        n = readv(fd, parts, count);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return -errno;
    }
    direct = smaller((uint64_t)n, direct);
    frames->kept += direct;
    frames->come += direct;
    frames->to += (size_t)n - direct;
    return n;
}
