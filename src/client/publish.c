/* SPDX-License-Identifier: MIT
 *
 * What is read is handed in record by record, as soon as each is whole: a producer that trickles is
 * not held up. Where there is no room, nothing more is read, so that the producer feels it. While
 * the input has nothing, the daemon is listened to as well: what is not confirmed may have to be
 * handed in anew. The end is reached when all is confirmed.
 */
#include "client/publish.h"
#include "client/absence.h"
#include "client/frame.h"
#include "client/progress.h"
#include "client/session.h"
#include "client/stop.h"
#include "client/target.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "lib/shmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE     ((size_t)64 * 1024) /* bytes at a time */
#define WAIT_MAX_USEC (USEC_PER_SEC / 5)  /* then the progress line has its turn */

struct publish {
    const struct options *options;
    struct shmd_publisher *publisher;
    struct progress progress;
    struct absence absence;
    int input;
    bool ended; /* the input has */
    char *buffer;
    size_t size, begin, end; /* of the buffer: what was read and not handed in */
    size_t searched;         /* so many bytes of that, and no record ends there */
    uint64_t records, bytes; /* handed in */
    uint64_t moved_usec;     /* when anything was confirmed last */
    uint64_t confirmed;
};

DEFINE_CLEANUP(struct shmd_publisher, shmd_publisher_close)

static enum exit_status explain(struct publish *publish, int error)
{
    progress_clear(&publish->progress);
    switch (error) {
    case -EPERM:
        output_error("the daemon does not let this user publish: see allow.publish in "
                     "shmd.conf(5)");
        return EXIT_FAILED;
    case -EOPNOTSUPP:
        output_error("the daemon takes no records from publishers: set source.type to \"push\", "
                     "see shmd.conf(5)");
        return EXIT_FAILED;
    case -EMSGSIZE:
        output_error("record %" PRIu64 " is longer than the segment can hold by now: see size in "
                     "shmd.conf(5)",
                     publish->records + 1);
        return EXIT_FAILED;
    case -EBADMSG:
        output_error("record %" PRIu64 " cannot lie in a plain segment, because it is empty, "
                     "begins with '*' or contains a NUL byte: leave it out, or set layout to "
                     "\"ring\"",
                     publish->records + 1);
        return EXIT_FAILED;
    default:
        return session_explain(publish->options, error);
    }
}

static uint64_t record_max(const struct publish *publish)
{
    struct shmd_publication publication;

    shmd_publisher_describe(publish->publisher, &publication);
    return publication.record_max;
}

/*
 * Something may have been confirmed: the patience begins anew. EXIT_TIMED_OUT if it is over.
 * `idle`: it is the input that we wait for, and where all is confirmed that may take its time.
 */
static enum exit_status look(struct publish *publish, bool idle)
{
    struct shmd_publication publication;
    uint64_t confirmed, now = clock_usec();
    int r = shmd_publisher_confirmed(publish->publisher, &confirmed);

    if (r < 0) {
        return explain(publish, r);
    }
    shmd_publisher_describe(publish->publisher, &publication);
    absence_tell(&publish->absence, !publication.connected, &publish->progress);
    idle = idle && confirmed == publish->records;
    if (idle || confirmed != publish->confirmed) {
        publish->confirmed = confirmed;
        publish->moved_usec = now;
    }
    progress_update(&publish->progress, publish->records, publish->bytes);
    if (idle || now - publish->moved_usec < publish->options->timeout_usec) {
        return EXIT_DONE;
    }
    progress_clear(&publish->progress);
    output_error("%" PRIu64 " of %" PRIu64 " %s confirmed, and no more within %g s: %s, or wait "
                 "longer with --timeout SECONDS",
                 confirmed, publish->records, publish->records == 1 ? "record is" : "records are",
                 (double)publish->options->timeout_usec / (double)USEC_PER_SEC,
                 publication.connected ? "see shm-client status for who holds them up"
                                       : "the daemon is away: see systemctl status shmd");
    return EXIT_TIMED_OUT;
}

static uint64_t patience_usec(const struct publish *publish)
{
    return publish->options->timeout_usec < WAIT_MAX_USEC ? publish->options->timeout_usec
                                                          : WAIT_MAX_USEC;
}

/* Hands one record in, however long that takes. */
static enum exit_status hand_in(struct publish *publish, const struct frame *frame)
{
    enum exit_status status = EXIT_DONE;

    while (status == EXIT_DONE && !stop_wanted()) {
        int r = shmd_publisher_publish(publish->publisher, frame->record, frame->length,
                                       patience_usec(publish), NULL);

        if (r == 0) {
            publish->records++;
            publish->bytes += frame->length;
            publish->begin += frame->taken;
            publish->searched = 0;
            return EXIT_DONE;
        }
        status = r == -ETIMEDOUT || r == -EAGAIN || r == -EINTR ? look(publish, false)
                                                                : explain(publish, r);
    }
    return status;
}

/* Hands in all that is whole. */
static enum exit_status hand_in_all(struct publish *publish)
{
    enum exit_status status = EXIT_DONE;
    struct frame frame;

    while (status == EXIT_DONE && !stop_wanted()) {
        size_t longest = record_max(publish);

        switch (frame_find(publish->options->framing, publish->buffer + publish->begin,
                           publish->end - publish->begin, publish->searched, publish->ended,
                           longest, &frame)) {
        case FRAME_NONE:
            publish->searched = publish->end - publish->begin;
            return EXIT_DONE;
        case FRAME_RECORD:
            status = hand_in(publish, &frame);
            if (publish->options->framing == FRAMING_WHOLE) {
                return status;
            }
            break;
        case FRAME_TOO_LONG:
            progress_clear(&publish->progress);
            output_error("record %" PRIu64 " is longer than the %zu %s that the segment can "
                         "hold: see size in shmd.conf(5)",
                         publish->records + 1, longest, text_bytes(longest));
            return EXIT_FAILED;
        case FRAME_CUT:
            progress_clear(&publish->progress);
            output_error("the input ends in the middle of record %" PRIu64 ": mend the input",
                         publish->records + 1);
            return EXIT_FAILED;
        }
    }
    return status;
}

/* Makes room for what is to be read next. */
static int make_room(struct publish *publish)
{
    size_t held = publish->end - publish->begin;
    char *buffer;

    if (publish->begin > 0) {
        memmove(publish->buffer, publish->buffer + publish->begin, held);
        publish->begin = 0;
        publish->end = held;
    }
    if (publish->size - held >= READ_SIZE) {
        return 0;
    }
    buffer = realloc(publish->buffer, 2 * publish->size + READ_SIZE);
    if (!buffer) {
        return -ENOMEM;
    }
    publish->buffer = buffer;
    publish->size = 2 * publish->size + READ_SIZE;
    return 0;
}

/* Waits for the input, and listens to the daemon meanwhile. */
static enum exit_status wait_for_input(struct publish *publish)
{
    struct pollfd fds[] = {
        {.fd = publish->input, .events = POLLIN},
        {.fd = shmd_publisher_get_fd(publish->publisher), .events = POLLIN},
    };

    if (poll(fds, 1, 0) == 0) {
        int armed = shmd_publisher_arm(publish->publisher, publish->confirmed);

        (void)poll(fds, 2, armed == SHMD_NEWS ? 0 : (int)(WAIT_MAX_USEC / USEC_PER_MSEC));
    }
    return look(publish, true);
}

static enum exit_status read_some(struct publish *publish)
{
    enum exit_status status = wait_for_input(publish);
    struct pollfd input = {.fd = publish->input, .events = POLLIN};
    ssize_t n;
    int r;

    if (status != EXIT_DONE || poll(&input, 1, 0) <= 0) {
        return status;
    }
    r = make_room(publish);
    if (r < 0) {
        return explain(publish, r);
    }
    n = read(publish->input, publish->buffer + publish->end, READ_SIZE);
    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        r = -errno;
        progress_clear(&publish->progress);
        output_error("cannot read the input: %s: what was read before is published", strerror(-r));
        return EXIT_FAILED;
    }
    publish->ended = n == 0;
    publish->end += n > 0 ? (size_t)n : 0;
    return EXIT_DONE;
}

/* Until all is confirmed; a second signal ends us at once. */
static enum exit_status settle(struct publish *publish)
{
    enum exit_status status = EXIT_DONE;
    int r = -ETIMEDOUT;

    while (status == EXIT_DONE && r < 0) {
        r = shmd_publisher_flush(publish->publisher, patience_usec(publish));
        status =
            r == 0 || r == -ETIMEDOUT || r == -EINTR ? look(publish, false) : explain(publish, r);
    }
    return r == 0 ? EXIT_DONE : status;
}

static enum exit_status publish_all(struct publish *publish)
{
    enum exit_status status = EXIT_DONE, settled;
    struct shmd_publication publication;

    while (status == EXIT_DONE && !publish->ended && !stop_wanted()) {
        status = read_some(publish);
        if (status == EXIT_DONE) {
            status = hand_in_all(publish);
        }
    }
    /* Whatever went wrong with the input: what was handed in before counts. */
    settled = status == EXIT_DONE || status == EXIT_FAILED ? settle(publish) : status;
    status = status == EXIT_DONE ? settled : status;
    shmd_publisher_describe(publish->publisher, &publication);
    progress_end(&publish->progress, publish->records, publish->bytes);
    if (status == EXIT_DONE && publication.rejected > 0) {
        output_error("%" PRIu64 " of %" PRIu64 " %s rejected: the journal of the daemon says why",
                     publication.rejected, publish->records,
                     publish->records == 1 ? "record was" : "records were");
        status = EXIT_FAILED;
    }
    return status;
}

enum exit_status publish(const struct options *command_line)
{
    CLEANUP(target_free) struct target target = {0};
    CLEANUP(shmd_publisher_close_cleanup) struct shmd_publisher *publisher = NULL;
    CLEANUP(fd_close_cleanup) int file = -1;
    struct publish publish = {.options = &target.options, .input = STDIN_FILENO};
    enum exit_status status;
    unsigned tries = 0;
    int r;

    if (command_line->file) {
        file = publish.input = open(command_line->file, O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            output_error("cannot open %s: %s", command_line->file, strerror(errno));
            return EXIT_FAILED;
        }
    }
    status = target_choose(command_line, &target);
    if (status != EXIT_DONE) {
        return status;
    }
    stop_catch();
    do {
        r = shmd_publisher_open(&target.daemon, &publisher);
    } while (session_passes(r, &tries));
    if (r < 0) {
        return explain(&publish, r);
    }
    r = make_room(&publish);
    if (r < 0) {
        return explain(&publish, r);
    }
    publish.publisher = publisher;
    publish.moved_usec = clock_usec();
    if (!isatty(publish.input)) { /* it would stand in what is typed there */
        progress_start(&publish.progress);
    }
    status = publish_all(&publish);
    free(publish.buffer);
    return status;
}
