/* SPDX-License-Identifier: MIT */
#include "client/journal.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>

#define NAMES_MAX 256 /* of different events that are looked for one by one */

static const char *const machine_directories[] = {"/var/log/journal", "/run/log/journal"};

static void journal_close_cleanup(sd_journal **journal)
{
    if (*journal) {
        sd_journal_close(*journal);
    }
}

static void directory_close_cleanup(DIR **directory)
{
    if (*directory) {
        (void)closedir(*directory);
    }
}

/* May all journal files in a directory be read? sd-journal passes over those that may not. */
static int directory_check(const char *path, bool below)
{
    CLEANUP(directory_close_cleanup) DIR *directory = opendir(path);
    const struct dirent *entry;

    if (!directory) {
        return -errno;
    }
    while ((entry = readdir(directory))) {
        CLEANUP(free_cleanup) char *name = NULL;
        int r = 0;

        if (entry->d_name[0] == '.') {
            continue;
        }
        if (asprintf(&name, "%s/%s", path, entry->d_name) < 0) {
            name = NULL;
            return -ENOMEM;
        }
        if (strstr(entry->d_name, ".journal")) {
            r = access(name, R_OK) < 0 ? -errno : 0;
        } else if (below) {
            r = directory_check(name, false);
        }
        /* A file may be gone by now, and is not always a directory. */
        if (r == -EACCES || r == -EPERM || r == -ENOMEM) {
            return r == -EPERM ? -EACCES : r;
        }
    }
    return 0;
}

static int machine_check(void)
{
    char id[SD_ID128_STRING_MAX];
    sd_id128_t machine;
    int r = sd_id128_get_machine(&machine);

    if (r < 0) {
        return r;
    }
    (void)sd_id128_to_string(machine, id);
    for (size_t i = 0; i < sizeof(machine_directories) / sizeof(machine_directories[0]); i++) {
        CLEANUP(free_cleanup) char *path = NULL;

        if (asprintf(&path, "%s/%s", machine_directories[i], id) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        r = directory_check(path, false);
        if (r < 0 && r != -ENOENT) {
            return r;
        }
    }
    return 0;
}

static int journal_open(const struct journal_options *options, sd_journal **ret)
{
    int r = options->directory ? directory_check(options->directory, true) : machine_check();

    if (r < 0) {
        return r;
    }
    return options->directory ? sd_journal_open_directory(ret, options->directory, 0)
                              : sd_journal_open(ret, SD_JOURNAL_LOCAL_ONLY);
}

/* Looks for all that has an SHMD_EVENT, whichever, and for all that calls itself shmd. */
static int match_events(sd_journal *journal)
{
    const void *data;
    size_t length;
    size_t names = 0;
    int r = sd_journal_query_unique(journal, "SHMD_EVENT");

    while (r >= 0 && (r = sd_journal_enumerate_available_unique(journal, &data, &length)) > 0) {
        if (++names > NAMES_MAX) {
            sd_journal_flush_matches(journal); /* somebody plays games: look at everything */
            return 0;
        }
        r = sd_journal_add_match(journal, data, length);
    }
    if (r >= 0) {
        r = sd_journal_add_disjunction(journal);
    }
    return r < 0 ? r : sd_journal_add_match(journal, "SYSLOG_IDENTIFIER=shmd", 0);
}

static int claim_read(sd_journal *journal, struct claim *claim)
{
    const void *data;
    size_t length;
    uint64_t usec;
    int r = sd_journal_get_realtime_usec(journal, &usec);

    if (r < 0) {
        return r;
    }
    claim_clear(claim, usec);
    sd_journal_restart_data(journal);
    while ((r = sd_journal_enumerate_available_data(journal, &data, &length)) > 0) {
        claim_add(claim, data, length);
    }
    return r;
}

int journal_read(const struct journal_options *options, journal_hand hand, void *userdata)
{
    CLEANUP(journal_close_cleanup) sd_journal *journal = NULL;
    struct claim claim;
    int r = journal_open(options, &journal);

    if (r < 0) {
        return r;
    }
    (void)sd_journal_set_data_threshold(journal, 2 * CLAIM_VALUE_SIZE);
    r = match_events(journal);
    if (r >= 0) {
        r = sd_journal_seek_realtime_usec(journal, options->since_usec);
    }
    while (r >= 0 && (r = sd_journal_next(journal)) > 0) {
        r = claim_read(journal, &claim);
        if (r < 0) {
            break;
        }
        if (claim.usec > options->until_usec) {
            return 0;
        }
        if (claim.usec < options->since_usec ||
            (options->instance && !claim_is(&claim, CLAIM_INSTANCE, options->instance))) {
            continue;
        }
        r = hand(userdata, &claim);
        if (r != 0) {
            return r;
        }
    }
    return r;
}
