/* SPDX-License-Identifier: MIT */
#include "client/audit.h"
#include "client/journal.h"
#include "client/judge.h"
#include "client/verdict.h"

#include "base/clock.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#define DAEMON_USER "shmd"

/* Whose entries count: the user that the service runs as; without one, root. */
static uid_t daemon_uid(const struct options *options)
{
    const struct passwd *user;

    if (options->user_given) {
        return options->user;
    }
    user = getpwnam(DAEMON_USER);
    return user ? user->pw_uid : 0;
}

static enum exit_status explain(const struct options *options, int error)
{
    if (error == -ENOMEM) {
        output_error("out of memory: audit a shorter time with --since and --until");
    } else if (error == -EACCES) {
        output_error("cannot read all of the journal: no permission: root may, and the group "
                     "systemd-journal");
    } else if (error == -ENODATA) {
        output_error(
            "there is no journal file%s%s: nothing can be proven: is this the right place? "
            "(--directory)",
            options->directory ? " in " : "", options->directory ? options->directory : "");
    } else {
        output_error("cannot read the journal%s%s: %s: see journalctl --verify",
                     options->directory ? " in " : "", options->directory ? options->directory : "",
                     strerror(-error));
    }
    return EXIT_FAILED;
}

/* The time, or --until if that is over. */
static uint64_t now_until(const struct journal_options *journal)
{
    uint64_t now = clock_usec_since_1970();

    return now < journal->until_usec ? now : journal->until_usec;
}

static int hand_over(void *judge, const struct claim *claim)
{
    return judge_take(judge, claim);
}

enum exit_status audit_show(const struct options *options)
{
    CLEANUP(judge_free_cleanup) struct judge *judge = NULL;
    const struct journal_options journal = {
        .directory = options->directory,
        .instance = options->instance,
        .since_usec = options->since_usec,
        .until_usec = options->until_usec,
    };
    enum exit_status written;
    int r = judge_new(daemon_uid(options), now_until(&journal), &judge);

    if (r == 0) {
        r = journal_check(&journal, &judge->damaged, &judge->left_open);
    }
    if (r == 0) {
        judge->instance = options->instance;
        r = journal_read(&journal, hand_over, judge);
    }
    if (r == 0 && judge->entries == 0) {
        r = journal_knows(&journal, judge->daemon);
        judge->unheard = r == 0;
    }
    if (r < 0) {
        return explain(options, r);
    }
    judge->read_usec = now_until(&journal);
    judge_finish(judge);
    if (options->format == FORMAT_JSON) {
        verdict_write_json(judge, stdout);
    } else {
        verdict_write_text(judge, stdout);
    }
    written = output_end();
    if (written != EXIT_DONE || !judge_is_whole(judge)) {
        return EXIT_FAILED;
    }
    return judge->faults[FAULT_FOREIGN].places > 0 ? EXIT_FOREIGN : EXIT_DONE;
}
