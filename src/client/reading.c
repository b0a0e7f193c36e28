/* SPDX-License-Identifier: MIT */
#include "client/reading.h"
#include "client/document.h"
#include "client/stop.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HELD_RECORDS_MAX 64
#define HELD_BYTES_MAX   (UINT64_C(64) * 1024)
#define WAIT_MAX_USEC    (USEC_PER_SEC / 5)

static void deadline_start(struct reading *reading)
{
    uint64_t timeout = reading->options->timeout_usec;
    uint64_t now = clock_usec();

    reading->deadline_usec = timeout < UINT64_MAX - now ? now + timeout : UINT64_MAX;
}

int reading_start(struct reading *reading, const struct options *options)
{
    *reading = (struct reading){.options = options};
    if (options->verb == VERB_FOLLOW) {
        stop_catch();
        progress_start(&reading->progress);
    }
    deadline_start(reading);
    return output_open(&reading->output, options->format);
}

bool reading_goes_on(const struct reading *reading)
{
    return reading->records < reading->options->count && !stop_wanted();
}

void reading_add(struct reading *reading, const struct output_record *record)
{
    if (record->lost > 0) {
        progress_clear(&reading->progress);
        output_error("%" PRIu64 " %s lost before record %" PRIu64
                     ": written over, or removed with their segment, before they were read",
                     record->lost, text_records(record->lost), record->number);
        reading->lost += record->lost;
    }
    output_write(&reading->output, record);
    reading->records++;
    reading->bytes += record->length;
    reading->held_records++;
    reading->held_bytes += record->length;
}

bool reading_is_full(const struct reading *reading)
{
    return reading->held_records >= HELD_RECORDS_MAX || reading->held_bytes >= HELD_BYTES_MAX;
}

enum exit_status reading_hand_over(struct reading *reading)
{
    int r;

    if (reading->output.terminal) {
        progress_clear(&reading->progress);
    }
    r = output_hand_over(&reading->output);
    reading->held_records = reading->held_bytes = 0;
    if (r == -EPIPE && output_is_unread()) {
        return EXIT_FAILED;
    }
    if (r == -EINTR) {
        progress_clear(&reading->progress);
        output_error(
            "stopped while standard output took no more: what was not written whole was not "
            "acknowledged, so read it again");
        return EXIT_FAILED;
    }
    if (r < 0) {
        progress_clear(&reading->progress);
        output_error("cannot write the record to standard output: %s: it was not acknowledged, "
                     "so read it again",
                     strerror(-r));
        return EXIT_FAILED;
    }
    progress_update(&reading->progress, reading->records, reading->bytes);
    deadline_start(reading);
    return EXIT_DONE;
}

uint64_t reading_wait_usec(struct reading *reading)
{
    uint64_t now = clock_usec();
    uint64_t left = reading->deadline_usec > now ? reading->deadline_usec - now : 0;

    progress_update(&reading->progress, reading->records, reading->bytes);
    if (output_is_unread()) {
        return 0;
    }
    return left < WAIT_MAX_USEC ? left : WAIT_MAX_USEC;
}

enum exit_status reading_timed_out(struct reading *reading, const char *document)
{
    uint64_t timeout = reading->options->timeout_usec;
    struct piece since =
        document ? document_find(document, "source_fails_since") : (struct piece){0};
    CLEANUP(free_cleanup)
    char *cause = since.length > 0 ? document_text(document_find(document, "source_error")) : NULL;

    if (output_is_unread()) {
        return EXIT_FAILED;
    }
    progress_clear(&reading->progress);
    if (cause) {
        output_error("no new record: the source of the daemon has none since %.*s: %s",
                     (int)since.length, since.text, cause);
    } else if (timeout == 0) {
        output_error("no new record is there now: wait for one with --timeout SECONDS");
    } else {
        output_error("no new record within %g s: see shm-client status, or wait longer with "
                     "--timeout SECONDS",
                     (double)timeout / (double)USEC_PER_SEC);
    }
    return EXIT_TIMED_OUT;
}

enum exit_status reading_end(struct reading *reading, enum exit_status status)
{
    progress_end(&reading->progress, reading->records, reading->bytes);
    output_close(&reading->output);
    if (reading->lost > 0 && (status == EXIT_DONE || status == EXIT_TIMED_OUT)) {
        return EXIT_LOST;
    }
    return status;
}
