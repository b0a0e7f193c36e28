/* SPDX-License-Identifier: MIT
 *
 * A record is printed first and acknowledged then: whatever goes wrong in between, the record is
 * still there for the next one who asks. A ring is only looked at.
 */
#include "client/anonymous.h"
#include "client/reading.h"

#include "base/cleanup.h"
#include "lib/shmd.h"

#include <errno.h>
#include <string.h>

DEFINE_CLEANUP(struct shmd_anonymous, shmd_anonymous_close)

/* What is read, and where to. */
struct source {
    struct reading reading;
    struct shmd_anonymous *segment;
    struct shmd_anonymous_info info;
    char *buffer;
};

enum exit_status anonymous_explain(const struct options *options, uint32_t key, int error)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *read_only = NULL;

    if (error == -ENOENT || error == -ENOLINK) {
        return output_nobody(options, key, "no segment");
    }
    if (error == -EACCES && options->acknowledge &&
        shmd_anonymous_open(key, false, &read_only) == 0) {
        output_error("the mode of the segment with key 0x%08x does not let this user acknowledge: "
                     "read it with --no-ack, or with the verb peek",
                     key);
    } else if (error == -EACCES) {
        output_error("the mode of the segment with key 0x%08x does not let this user read it: "
                     "see mode, owner and group in shmd.conf(5)",
                     key);
    } else if (error == -EPROTO) {
        output_error("the segment with key 0x%08x is a ring of another version: use the shm-client "
                     "of the same version as its shmd",
                     key);
    } else {
        output_error("cannot attach the segment with key 0x%08x: %s: see shmat(2)", key,
                     strerror(-error));
    }
    return EXIT_FAILED;
}

/* Does the key lead to another segment by now? */
static bool is_replaced(const struct source *source)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *now = NULL;
    struct shmd_anonymous_info info;

    return shmd_anonymous_open(source->info.key, false, &now) == 0 &&
           shmd_anonymous_info(now, &info) == 0 && info.id != source->info.id;
}

/* Says why no record came, or why it could not be acknowledged. */
static enum exit_status failed(struct source *source, int error)
{
    progress_clear(&source->reading.progress);
    if (error == -ENOLINK && is_replaced(source)) {
        output_error(
            "another segment has taken the place of the one with key 0x%08x: run this again",
            source->info.key);
        return EXIT_NOBODY;
    }
    if (error == -ENOLINK) {
        return output_nobody(source->reading.options, source->info.key,
                             "nobody any more serves the segment");
    }
    output_error("cannot read the segment with key 0x%08x: %s: see shm-client(1)", source->info.key,
                 strerror(-error));
    return EXIT_FAILED;
}

static void add(struct source *source, size_t length)
{
    struct output_record record = {
        .key = source->info.key,
        .segment = source->info.id,
        .bytes = source->buffer,
        .length = length,
    };

    shmd_anonymous_place(source->segment, &record.number, &record.lost);
    reading_add(&source->reading, &record);
}

/* Hands over all records so far, and acknowledges them: in a plain segment that is one. */
static enum exit_status settle(struct source *source)
{
    enum exit_status status = EXIT_DONE;
    int r = 0;

    if (source->reading.held_records == 0) {
        return EXIT_DONE;
    }
    status = reading_hand_over(&source->reading);
    if (status == EXIT_DONE && source->reading.options->acknowledge && !source->info.ring) {
        /* That somebody else was first is no failure: this record was read all the same. */
        r = shmd_anonymous_acknowledge(source->segment);
    }
    return r < 0 ? failed(source, r) : status;
}

static enum exit_status read_all(struct source *source)
{
    enum exit_status status = EXIT_DONE;

    while (status == EXIT_DONE && reading_goes_on(&source->reading)) {
        bool idle = source->reading.held_records == 0;
        uint64_t usec = idle ? reading_wait_usec(&source->reading) : 0;
        size_t length;
        int r = shmd_anonymous_read(source->segment, source->buffer, source->info.record_max, usec,
                                    &length);

        if (r == 0) {
            add(source, length);
            status = !source->info.ring || reading_is_full(&source->reading) ? settle(source)
                                                                             : EXIT_DONE;
        } else if (r == -ETIMEDOUT && !idle) {
            status = settle(source);
        } else if (r == -ETIMEDOUT && usec == 0) {
            status = reading_timed_out(&source->reading, NULL);
        } else if (r != -ETIMEDOUT && r != -EINTR) {
            status = settle(source);
            status = status == EXIT_DONE ? failed(source, r) : status;
        }
    }
    return status == EXIT_DONE ? settle(source) : status;
}

/* Where to begin: who follows a ring that overwrites wants what is new. */
static bool begins_with_next(const struct options *options, const struct shmd_anonymous_info *info)
{
    if (options->start == SHMD_START_DEFAULT) {
        return options->verb == VERB_FOLLOW && info->overwrite;
    }
    return options->start == SHMD_START_NEXT;
}

enum exit_status anonymous_read(const struct options *options, uint32_t key)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *segment = NULL;
    CLEANUP(free_cleanup) char *buffer = NULL;
    struct source source = {0};
    int r = shmd_anonymous_open(key, options->acknowledge, &segment);

    if (r == 0) {
        r = shmd_anonymous_info(segment, &source.info);
    }
    if (r < 0) {
        return anonymous_explain(options, key, r);
    }
    if (source.info.ring && options->acknowledge && !options->anonymous) {
        output_error("no daemon's socket is there, and the ring with key 0x%08x is acknowledged "
                     "only through one: is shmd running? Or look with --no-ack",
                     key);
        return EXIT_NOBODY;
    }
    buffer = malloc(source.info.record_max);
    r = buffer ? reading_start(&source.reading, options) : -ENOMEM;
    source.segment = segment;
    source.buffer = buffer;
    if (r == 0 && begins_with_next(options, &source.info)) {
        r = shmd_anonymous_skip(segment);
    }
    return reading_end(&source.reading, r < 0 ? failed(&source, r) : read_all(&source));
}
