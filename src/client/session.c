/* SPDX-License-Identifier: MIT
 *
 * A record is printed first and acknowledged then: whatever goes wrong in between, it is delivered
 * again.
 *
 * Records that are there at once are handed over together, and acknowledged with one cumulative
 * acknowledgement. Where they are used in place (a ring that waits for us), our copy of them is
 * certain only if our lease had not run out when it was made; so the subscriber is asked for the
 * next record before the others are handed over, which tells that too.
 *
 * When the daemon was restarted, what was printed and could not be acknowledged any more is
 * delivered again. We know it by its number, and only acknowledge it.
 */
#include "client/session.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "client/absence.h"
#include "client/reading.h"
#include "client/stop.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define LATE_USEC    (2 * USEC_PER_SEC) /* for a daemon that is being restarted */
#define PASSES_USEC  (2 * USEC_PER_SEC) /* for a shortage to pass, … */
#define PASSES_TRIES 20                 /* … looking so often */

struct session {
    struct reading reading;
    const struct shmd_options *daemon;
    struct shmd_subscriber *subscriber;
    struct shmd_record ahead; /* asked for already */
    bool has_ahead;
    bool owes;         /* records were returned since the last acknowledgement, … */
    uint64_t returned; /* … up to this one */
    bool postponed;    /* that acknowledgement failed, because the daemon was away */
    uint64_t printed;  /* the last record that was printed, … */
    uint8_t epoch[16]; /* … and the epoch that its number belongs to */
    struct absence absence;
};

bool session_passes(int error, unsigned *tries)
{
    const struct timespec pause = clock_timespec(PASSES_USEC / PASSES_TRIES);

    if ((error != -ENFILE && error != -ETOOMANYREFS && error != -ENOBUFS && error != -EAGAIN) ||
        *tries == PASSES_TRIES || stop_wanted()) {
        return false;
    }
    ++*tries;
    (void)nanosleep(&pause, NULL);
    return true;
}

enum exit_status session_explain(const struct options *options, int error)
{
    char hint[OUTPUT_HINT_SIZE];

    switch (error) {
    case -EPERM:
        output_error("the daemon does not let this user subscribe: see allow.subscribe in "
                     "shmd.conf(5)");
        return EXIT_FAILED;
    case -EUSERS:
        output_error(
            "the daemon has too many sessions: try again, or see limits in shmd.conf(5); or "
            "it may have no more files open, which its log says");
        return EXIT_FAILED;
    case -EACCES:
        output_error("the daemon's socket, or its segment, is not for this user: see mode, owner "
                     "and group in shmd.conf(5)");
        return EXIT_FAILED;
    case -ENOENT:
    case -ECONNREFUSED:
        output_error("no daemon listens on %s: %s",
                     options->socket ? options->socket : "its socket", output_hint(options, hint));
        return EXIT_NOBODY;
    case -ECONNRESET:
    case -EPIPE:
        output_error(
            "the daemon has closed the connection; it may have ended, or it speaks another "
            "version of the protocol: %s",
            output_hint(options, hint));
        return EXIT_NOBODY;
    case -ETIMEDOUT:
        output_error("the daemon does not answer: %s", output_hint(options, hint));
        return EXIT_NOBODY;
    case -EPROTO:
        output_error("what answers on %s is no shmd, or one that speaks another version of the "
                     "protocol: see shmd --version",
                     options->socket ? options->socket : "its socket");
        return EXIT_FAILED;
    case -EINVAL:
        output_error("a name or a path is too long: see --socket and --name in shm-client(1)");
        return EXIT_FAILED;
    case -EXDEV:
        output_error(
            "the daemon's segment is not here: this is another IPC namespace than its own, "
            "such as a container's: run this where the daemon runs, or let them share one");
        return EXIT_FAILED;
    case -EMFILE:
        output_error("this program may have no more files open: raise its limit (ulimit -n)");
        return EXIT_FAILED;
    case -ENFILE:
        output_error("the system may have no more files open: try again, or raise fs.file-max, see "
                     "proc(5)");
        return EXIT_FAILED;
    case -ETOOMANYREFS:
        output_error("too many descriptors of the daemon's user are on their way to others, who do "
                     "not take them: try again");
        return EXIT_FAILED;
    default:
        output_error("no session with the daemon: %s: see shm-client(1)", strerror(-error));
        return EXIT_FAILED;
    }
}

static enum exit_status failed(struct session *session, int error)
{
    progress_clear(&session->reading.progress);
    if (error == -ETIME) {
        output_error("evicted: the lease of this session ran out before a record was "
                     "acknowledged: see lease_ms in shmd.conf(5)");
        return EXIT_LOST;
    }
    return session_explain(session->reading.options, error);
}

/* --- one record --- */

static void add(struct session *session, const struct shmd_record *record)
{
    struct shmd_subscription subscription;
    uint64_t printed = session->printed;
    uint64_t lost = record->lost;

    shmd_describe(session->subscriber, &subscription);
    if (memcmp(subscription.epoch, session->epoch, sizeof(session->epoch)) != 0) {
        memcpy(session->epoch, subscription.epoch, sizeof(session->epoch));
        printed = 0;
    }
    session->returned = record->number;
    session->owes = true;
    if (record->number <= printed) {
        return;
    }
    /* Of what the daemon calls lost, we may have printed some. */
    if (printed > 0 && lost > record->number - printed - 1) {
        lost = record->number - printed - 1;
    }
    session->printed = record->number;
    reading_add(&session->reading, &(struct output_record){
                                       .key = subscription.key,
                                       .segment = subscription.segment_id,
                                       .number = record->number,
                                       .lost = lost,
                                       .bytes = record->data,
                                       .length = record->length,
                                   });
}

static int next(struct session *session, struct shmd_record *ret)
{
    if (session->has_ahead) {
        *ret = session->ahead;
        session->has_ahead = false;
        return 0;
    }
    return shmd_next(session->subscriber, ret);
}

/* --- many --- */

/* Are our copies of the records certain? -ETIME if they are not. */
static int confirm(struct session *session)
{
    struct shmd_subscription subscription;
    int r;

    shmd_describe(session->subscriber, &subscription);
    if (!subscription.ring || subscription.overwrite || session->has_ahead) {
        return 0;
    }
    r = shmd_next(session->subscriber, &session->ahead);
    session->has_ahead = r == 0;
    return r == -EAGAIN ? 0 : r;
}

/* Hands over and acknowledges all records so far. */
static enum exit_status settle(struct session *session)
{
    enum exit_status status;
    int r;

    if (!session->owes) {
        return EXIT_DONE;
    }
    r = confirm(session);
    if (r < 0) {
        return failed(session, r);
    }
    status = reading_hand_over(&session->reading);
    if (status != EXIT_DONE) {
        return status;
    }
    session->owes = false;
    if (session->has_ahead && session->ahead.number <= session->returned) {
        r = -EINVAL; /* the next record is from another epoch, in which it means nothing */
    } else {
        r = shmd_acknowledge(session->subscriber, session->returned);
    }
    session->postponed = r == SHMD_LATER || r == -EINVAL;
    return r < 0 && !session->postponed ? failed(session, r) : EXIT_DONE;
}

/* Gives the daemon a while to be back, and to be told. */
static void settle_late(struct session *session)
{
    struct shmd_subscription subscription;
    struct shmd_record record;
    uint64_t until = clock_usec() + LATE_USEC;

    while (session->postponed && clock_usec() < until) {
        (void)shmd_wait(session->subscriber, LATE_USEC / 10);
        (void)shmd_next(session->subscriber, &record); /* which connects */
        shmd_describe(session->subscriber, &subscription);
        session->postponed = !subscription.connected;
    }
}

static enum exit_status gone(struct session *session)
{
    struct shmd_subscription subscription;

    shmd_describe(session->subscriber, &subscription);
    progress_clear(&session->reading.progress);
    return output_nobody(session->reading.options, subscription.key,
                         session->postponed ? "the last records are not acknowledged, as nobody "
                                              "any more serves the segment"
                                            : "nobody any more serves the segment");
}

static enum exit_status wait_for_news(struct session *session)
{
    CLEANUP(free_cleanup) char *document = NULL;
    struct shmd_subscription subscription;
    uint64_t usec = reading_wait_usec(&session->reading);
    int r;

    shmd_describe(session->subscriber, &subscription);
    if (session->reading.options->verb == VERB_FOLLOW) {
        absence_tell(&session->absence, !subscription.connected, &session->reading.progress);
    }
    if (usec > 0) {
        r = shmd_wait(session->subscriber, usec);
        return r == 0 || r == -ETIMEDOUT || r == -EINTR ? EXIT_DONE : failed(session, r);
    }
    if (output_is_unread()) {
        return EXIT_FAILED;
    }
    if (!subscription.connected) {
        return gone(session);
    }
    (void)shmd_status(session->daemon, &document); /* it knows why nothing comes */
    return reading_timed_out(&session->reading, document);
}

static enum exit_status read_all(struct session *session)
{
    enum exit_status status = EXIT_DONE;

    while (status == EXIT_DONE && reading_goes_on(&session->reading)) {
        struct shmd_record record;
        int r = next(session, &record);

        if (r == 0) {
            add(session, &record);
            status = reading_is_full(&session->reading) ? settle(session) : EXIT_DONE;
        } else if (r == -EAGAIN) {
            bool idle = !session->owes;

            status = idle ? wait_for_news(session) : settle(session);
        } else {
            status = failed(session, r);
        }
    }
    if (status == EXIT_DONE) {
        status = settle(session);
    }
    if (status == EXIT_DONE) {
        settle_late(session);
    }
    return status == EXIT_DONE && session->postponed ? gone(session) : status;
}

enum exit_status session_read(const struct options *options, const struct shmd_options *daemon,
                              struct shmd_subscriber *subscriber)
{
    struct session session = {.daemon = daemon, .subscriber = subscriber};
    int r = reading_start(&session.reading, options);

    if (r < 0) {
        return failed(&session, r);
    }
    return reading_end(&session.reading, read_all(&session));
}
