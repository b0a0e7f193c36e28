/* SPDX-License-Identifier: MIT
 *
 * A record is printed first and acknowledged then: whatever goes wrong in between, the record is
 * still there for the next one who asks.
 */
#include "client/read.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

/* Says why no record came, or why it could not be acknowledged. */
static enum exit_status explain(const struct options *options, uint32_t key, int error)
{
    if (error == -ETIMEDOUT && options->timeout_usec == 0) {
        output_error("no new record is there now: wait for one with --timeout SECONDS");
        return EXIT_TIMED_OUT;
    }
    if (error == -ETIMEDOUT) {
        output_error("no new record within %g s: see shm-client status, or wait longer with "
                     "--timeout SECONDS",
                     (double)options->timeout_usec / (double)USEC_PER_SEC);
        return EXIT_TIMED_OUT;
    }
    if (error == -ENOLINK) {
        return output_nobody(options, key, "nobody any more serves the segment");
    }
    output_error("cannot read the segment with key 0x%08x: %s: see shm-client(1)", key,
                 strerror(-error));
    return EXIT_FAILED;
}

static enum exit_status read_record(const struct options *options, struct shmd_anonymous *segment,
                                    const struct shmd_anonymous_info *info, char *buffer)
{
    size_t length;
    int r;

    r = shmd_anonymous_read(segment, buffer, info->size, options->timeout_usec, &length);
    if (r < 0) {
        return explain(options, info->key, r);
    }
    r = output_record(options->format, info->key, info->id, buffer, length);
    if (r < 0) {
        output_error("cannot write the record to standard output: %s: it was not acknowledged, "
                     "so read it again",
                     strerror(-r));
        return EXIT_FAILED;
    }
    if (options->acknowledge) {
        /* That somebody else was first is no failure: this record was read all the same. */
        r = shmd_anonymous_acknowledge(segment);
        if (r < 0) {
            return explain(options, info->key, r);
        }
    }
    return EXIT_DONE;
}

enum exit_status read_records(const struct options *options, struct shmd_anonymous *segment,
                              const struct shmd_anonymous_info *info)
{
    CLEANUP(free_cleanup) char *buffer = malloc(info->size);

    if (!buffer) {
        return explain(options, info->key, -ENOMEM);
    }
    for (uint64_t i = 0; i < options->count; i++) {
        enum exit_status status = read_record(options, segment, info, buffer);

        if (status != EXIT_DONE) {
            return status;
        }
    }
    return EXIT_DONE;
}
