/* SPDX-License-Identifier: MIT
 *
 * What a daemon's sources are given, in a form that tells of each record that is published whether
 * it is one of those, and whole: a file and its versions, what is written into a FIFO, what
 * publishers hand in.
 *
 *      mark  letters, of which the number says where they begin and how far apart they are  end
 *
 * Of a publisher, and of the FIFO, records come in order, and none of them twice. In a FIFO,
 * whoever reads decides what a record is; so it is looked for in all that was written, and is one
 * that was meant as such unless reader and writer were of different minds, or a writer left in the
 * middle.
 */
#pragma once

#include "../unit/private.h"
#include "daemon/board.h"
#include "base/pattern.h"
#include "conf/conf.h"
#include "source/source.h"

#define ORIGIN_VERSIONS   64  /* of the file */
#define ORIGIN_HANDED_IN  512 /* publishers' records */
#define ORIGIN_PUBLISHERS 26
#define ORIGIN_LONGEST    ((size_t)128 << 10) /* record in the FIFO */
#define ORIGIN_FRAME      4                   /* bytes around a record there */
#define ORIGIN_WRITTEN    ((size_t)512 << 10) /* bytes in all, there */
#define ORIGIN_FILE       '<'
#define ORIGIN_FIFO       '('
#define ORIGIN_END        ')'
#define ORIGIN_LETTERS    ((size_t)53) /* from '0' on: none is a mark, NUL, '*' or a newline */

struct handed_in {
    size_t publisher, number, length;
};

struct origin {
    char *file, *new_file, *fifo; /* paths */

    size_t versions;
    ssize_t lengths[ORIGIN_VERSIONS];

    int writer;                                 /* of the FIFO; -1: none */
    char written[ORIGIN_WRITTEN];               /* all that was */
    size_t length;                              /* of that, … */
    size_t read;                                /* … and up to where records have come of it */
    char record[ORIGIN_LONGEST + ORIGIN_FRAME]; /* that is being written: … */
    size_t whole, sent;
    size_t records;
    uint64_t framing, frame_size; /* of what was written */
    bool unclear;                 /* where a record begins or ends */

    struct handed_in handed_in[ORIGIN_HANDED_IN];
    size_t count;
    size_t published[ORIGIN_PUBLISHERS]; /* up to this one of all of them, counted from 1 */
};

/* --- content --- */

static inline void content_write(char *bytes, size_t length, char mark, size_t number)
{
    size_t letter = number % ORIGIN_LETTERS, step = 1 + number % (ORIGIN_LETTERS - 1);

    for (size_t i = 0; i < length; i++) {
        bytes[i] = (char)('0' + letter);
        letter = letter + step < ORIGIN_LETTERS ? letter + step : letter + step - ORIGIN_LETTERS;
    }
    if (length > 1) {
        bytes[length - 1] = ORIGIN_END;
    }
    if (length > 0) {
        bytes[0] = mark;
    }
}

static inline bool content_is(const char *bytes, size_t length, char mark, size_t number)
{
    char *expected = malloc(length + 1);
    bool same;

    content_write(expected, length, mark, number);
    same = memcmp(bytes, expected, length) == 0;
    free(expected);
    return same;
}

/* --- the file --- */

/* Another version of it, in the place of the one before or in a file of its own. */
static inline void origin_write_file(struct origin *origin, size_t length, bool in_place)
{
    const char *path = in_place ? origin->file : origin->new_file;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)origin->versions + 1}};
    char *bytes;
    int fd;

    if (origin->versions == ORIGIN_VERSIONS) {
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bytes = malloc(length + 1);
    content_write(bytes, length, ORIGIN_FILE, origin->versions);
    assert(write(fd, bytes, length) == (ssize_t)length && ftruncate(fd, (off_t)length) == 0);
    assert(futimens(fd, times) == 0); /* the clock of a file system is too slow for us */
    free(bytes);
    (void)fd_close(fd);
    assert(in_place || rename(path, origin->file) == 0);
    origin->lengths[origin->versions++] = (ssize_t)length;
}

static inline bool file_made(const struct origin *origin, const char *bytes, size_t length)
{
    for (size_t i = origin->versions; i-- > 0;) {
        if (origin->lengths[i] == (ssize_t)length && content_is(bytes, length, ORIGIN_FILE, i)) {
            return true;
        }
    }
    return false;
}

/* --- the FIFO --- */

/* The next record, as it is framed; or, raw, only its bytes. */
static inline void make_record(struct origin *origin, const struct conf *conf, size_t length,
                               bool raw)
{
    const struct source_settings framed = {.framing = (enum source_framing)conf->source_framing,
                                           .frame_size = conf->source_frame_size};
    size_t head = 0;

    if (framed.framing == FRAMING_FIXED && !raw) {
        length = framed.frame_size;
    }
    length = length < ORIGIN_LONGEST ? length : ORIGIN_LONGEST;
    if (framed.framing == FRAMING_LENGTH && !raw) {
        for (; head < 4; head++) {
            origin->record[head] = (char)(length >> 8 * head);
        }
    }
    content_write(origin->record + head, length, ORIGIN_FIFO, origin->records);
    origin->whole = head + length;
    if (framed.framing == FRAMING_LINE && !raw) {
        origin->record[origin->whole++] = '\n';
    }
    origin->sent = 0;
    origin->unclear |= raw || (framed.framing == FRAMING_FIXED && length != framed.frame_size) ||
                       (origin->records > 0 && (origin->framing != framed.framing ||
                                                origin->frame_size != framed.frame_size));
    origin->framing = framed.framing;
    origin->frame_size = framed.frame_size;
    origin->records++;
}

/* Writes a record, or what is left of one that has begun; of that, `part` of 256 parts. */
static inline void origin_write_fifo(struct origin *origin, const struct conf *conf, size_t length,
                                     size_t part, bool raw)
{
    size_t left;
    ssize_t n;

    if (origin->writer < 0) {
        origin->writer = open(origin->fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    }
    if (origin->writer < 0) {
        return; /* nobody reads */
    }
    if (origin->sent == origin->whole) {
        make_record(origin, conf, length, raw);
    }
    left = (origin->whole - origin->sent) * part / 256;
    if (left > ORIGIN_WRITTEN - origin->length) {
        return;
    }
    n = write(origin->writer, origin->record + origin->sent, left);
    if (n > 0) {
        memcpy(origin->written + origin->length, origin->record + origin->sent, (size_t)n);
        origin->length += (size_t)n;
        origin->sent += (size_t)n;
    }
}

static inline void origin_leave_fifo(struct origin *origin)
{
    origin->unclear |= origin->sent > 0 && origin->sent < origin->whole;
    origin->sent = origin->whole = 0;
    origin->writer = fd_close(origin->writer);
}

/* What is none for one configuration may be one for another: only one that is found is past. */
static inline bool fifo_made(struct origin *origin, const struct conf *conf, const char *bytes,
                             size_t length)
{
    const char *found = length == 0 ? origin->written
                                    : memmem(origin->written + origin->read,
                                             origin->length - origin->read, bytes, length);
    bool made;

    if (!found) {
        return false;
    }
    if (conf->source_framing != origin->framing || conf->source_frame_size != origin->frame_size) {
        origin->unclear = true;
    }
    made = origin->unclear || length == 0 ||
           (bytes[0] == ORIGIN_FIFO && (length == 1 || bytes[length - 1] == ORIGIN_END) &&
            (length == 1 || !memchr(bytes, ORIGIN_END, length - 1)));
    if (made && length > 0) {
        origin->read = (size_t)(found - origin->written) + length;
    }
    return made;
}

/* --- publishers --- */

static inline bool publishers_made(struct origin *origin, const char *bytes, size_t length)
{
    for (size_t i = 0; i < origin->count; i++) {
        const struct handed_in *one = &origin->handed_in[i];

        if (i >= origin->published[one->publisher] && one->length == length &&
            content_is(bytes, length, (char)('A' + one->publisher), one->number)) {
            if (length > 0) { /* else it may have been anybody's */
                origin->published[one->publisher] = i + 1;
            }
            return true;
        }
    }
    return false;
}

/* --- records that are made up --- */

static inline bool are_letters(const char *bytes, size_t length, size_t first)
{
    size_t letter = first % 26;

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != (char)('a' + letter)) {
            return false;
        }
        letter = letter == 25 ? 0 : letter + 1;
    }
    return true;
}

static inline bool is_pattern(const char *bytes, size_t length)
{
    size_t number = 0, digits = length < PATTERN_DIGITS ? length : PATTERN_DIGITS;

    for (size_t i = 0; i < digits; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') {
            return false;
        }
        number = number * 10 + (size_t)(bytes[i] - '0');
    }
    return are_letters(bytes + digits, length - digits, number + digits);
}

/* Can a source with this configuration have made this record for this board? */
static inline bool origin_made(struct origin *origin, const struct conf *conf,
                               const struct board *board, const char *bytes, size_t length)
{
    const char *type = conf->source_type;

    if (strcmp(type, "alphabet") == 0) {
        return length == board_filling(board) && are_letters(bytes, length, 0);
    }
    if (strcmp(type, "pattern") == 0) {
        return length ==
                   (conf->source_frame_size ? conf->source_frame_size : board_filling(board)) &&
               is_pattern(bytes, length);
    }
    if (strcmp(type, "file") == 0) {
        return file_made(origin, bytes, length);
    }
    return strcmp(type, "push") == 0 ? publishers_made(origin, bytes, length)
                                     : fifo_made(origin, conf, bytes, length);
}
