/* SPDX-License-Identifier: MIT
 *
 * shm-client: command line, daemon or segment, verb.
 */
#include "client/anonymous.h"
#include "client/audit.h"
#include "client/options.h"
#include "client/output.h"
#include "client/publish.h"
#include "client/session.h"
#include "client/status.h"
#include "client/target.h"

#include "base/cleanup.h"
#include "base/patient.h"
#include "base/process.h"
#include "lib/shmd.h"

#include <signal.h>
#include <stdio.h>

DEFINE_CLEANUP(struct shmd_subscriber, shmd_unsubscribe)

/*
 * Is there a daemon to have a session with, and is it the one that is meant? A negative errno
 * value: that cannot be known, and a session is not to be replaced by none without a word.
 */
static int wants_session(const struct options *options, const struct shmd_options *daemon,
                         uint32_t key)
{
    CLEANUP(free_cleanup) char *document = NULL;
    int r;

    if (!options->acknowledge || options->anonymous) {
        return false;
    }
    if (key == 0) {
        return true;
    }
    r = shmd_status(daemon, &document);
    return r == 0 ? target_serves(document, key) : target_is_absent(r) ? false : r;
}

static enum exit_status read_records(const struct options *command_line)
{
    CLEANUP(shmd_unsubscribe_cleanup) struct shmd_subscriber *subscriber = NULL;
    CLEANUP(target_free) struct target target = {0};
    const struct options *options = &target.options;
    enum exit_status status = target_choose(command_line, &target);
    int r;

    if (status != EXIT_DONE) {
        return status;
    }
    r = wants_session(options, &target.daemon, target.key);
    if (r < 0) {
        return session_explain(options, r);
    }
    if (r > 0) {
        unsigned tries = 0;

        do {
            r = shmd_subscribe(&target.daemon, &subscriber);
        } while (session_passes(r, &tries));
        if (r == 0) {
            return session_read(options, &target.daemon, subscriber);
        }
        if (!target_is_absent(r) || !target_has_key(options)) {
            return session_explain(options, r);
        }
    }
    status = target.key ? EXIT_DONE : target_find(options, &target);
    return status == EXIT_DONE ? anonymous_read(options, target.key) : status;
}

static enum exit_status run(const struct options *options)
{
    switch (options->verb) {
    case VERB_HELP:
        help_write(options);
        return output_end();
    case VERB_VERSION:
        (void)puts("shm-client " PACKAGE_VERSION);
        return output_end();
    case VERB_STATUS:
        return status_show(options);
    case VERB_AUDIT:
        return audit_show(options);
    case VERB_PUBLISH:
        return publish(options);
    case VERB_READ:
    case VERB_FOLLOW:
    case VERB_PEEK:
        break;
    }
    return read_records(options);
}

int main(int argc, char **argv)
{
    struct options options;

    /* A reader of our output that has gone must prevent the acknowledgement before it ends us; and
     * an error is one line, written at once. */
    (void)signal(SIGPIPE, SIG_IGN);
    process_open_standard();
    patient_streams();

    if (options_parse(argc, argv, &options) < 0) {
        return EXIT_USAGE;
    }
    return output_status(run(&options));
}
