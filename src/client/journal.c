/* SPDX-License-Identifier: MIT */
#include "client/journal.h"
#include "client/journalfile.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const machine_directories[] = {"/var/log/journal", "/run/log/journal"};

static void directory_close_cleanup(DIR **directory)
{
    if (*directory) {
        (void)closedir(*directory);
    }
}

/* What journal_check() looks for. */
struct check {
    uint64_t files;
    struct files *damaged;
    struct files *left_open;
};

static void files_add(struct files *files, const char *path)
{
    files->count++;
    if (!files->example) {
        files->example = strdup(path);
    }
}

/* Is it called as files of journald are? Others, compressed ones for example, it does not read. */
static bool is_named_journal(const char *name)
{
    size_t length = strlen(name);

    return (length > 8 && strcmp(name + length - 8, ".journal") == 0) ||
           (length > 9 && strcmp(name + length - 9, ".journal~") == 0);
}

static int file_check(struct check *check, const char *path)
{
    CLEANUP(fd_close_cleanup) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0 && errno == ENOENT) {
        if (lstat(path, &st) == 0) { /* a link that leads nowhere; else vacuumed just now */
            check->files++;
            files_add(check->damaged, path);
        }
        return 0;
    }
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return 0; /* nor does it read these */
    }
    check->files++;
    if (!journalfile_is_sound(fd)) {
        files_add(check->damaged, path);
    } else if (journalfile_was_left_open(path)) {
        files_add(check->left_open, path);
    }
    return 0;
}

static int directory_check(struct check *check, const char *path, bool below)
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
        if (is_named_journal(entry->d_name) && entry->d_type != DT_DIR) {
            r = file_check(check, name);
        } else if (below) {
            r = directory_check(check, name, false);
        }
        /* It is not always a directory. */
        if (r == -EACCES || r == -EPERM || r == -ENOMEM) {
            return r == -EPERM ? -EACCES : r;
        }
    }
    return 0;
}

static int machine_check(struct check *check)
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
        r = directory_check(check, path, false);
        if (r < 0 && r != -ENOENT) {
            return r;
        }
    }
    return 0;
}

int journal_check(const struct journal_options *options, struct files *damaged,
                  struct files *left_open)
{
    struct check check = {.damaged = damaged, .left_open = left_open};
    int r = options->directory ? directory_check(&check, options->directory, true)
                               : machine_check(&check);

    return r == 0 && check.files == 0 ? -ENODATA : r;
}

static int journal_open(const struct journal_options *options, sd_journal **ret)
{
    return options->directory ? sd_journal_open_directory(ret, options->directory, 0)
                              : sd_journal_open(ret, SD_JOURNAL_LOCAL_ONLY);
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

/* Where the entries that lie within the bounds begin, and how many come from there to the last one.
 */
struct extent {
    char *first; /* a cursor; NULL: none lies there */
    uint64_t count;
};

static void extent_free(struct extent *extent)
{
    free(extent->first);
}

static int extent_find(sd_journal *journal, const struct journal_options *options,
                       struct extent *extent)
{
    uint64_t usec, since_first = 0;
    int r = sd_journal_seek_head(journal);

    while (r >= 0 && (r = sd_journal_next(journal)) > 0) {
        bool inside;

        r = sd_journal_get_realtime_usec(journal, &usec);
        if (r < 0) {
            break;
        }
        inside = usec >= options->since_usec && usec <= options->until_usec;
        if (inside && !extent->first) {
            r = sd_journal_get_cursor(journal, &extent->first);
        }
        since_first += extent->first != NULL;
        if (inside) {
            extent->count = since_first;
        }
    }
    return r;
}

static int hand_over(sd_journal *journal, const struct journal_options *options, uint64_t most,
                     journal_hand hand, void *userdata)
{
    struct claim claim;
    int r = 0;

    for (uint64_t i = 0; i < most && (r = sd_journal_next(journal)) > 0; i++) {
        r = claim_read(journal, &claim);
        if (r == 0 && (!options->instance || claim_is(&claim, CLAIM_INSTANCE, options->instance))) {
            r = hand(userdata, &claim);
        }
        if (r != 0) {
            return r;
        }
    }
    return r < 0 ? r : 0;
}

int journal_read(const struct journal_options *options, journal_hand hand, void *userdata)
{
    CLEANUP(journal_close_cleanup) sd_journal *journal = NULL;
    CLEANUP(extent_free) struct extent extent = {.count = UINT64_MAX};
    bool bounded = options->since_usec > 0 || options->until_usec < UINT64_MAX;
    int r = journal_open(options, &journal);

    if (r < 0) {
        return r;
    }
    (void)sd_journal_set_data_threshold(journal, 2 * CLAIM_VALUE_SIZE);
    if (bounded) {
        extent.count = 0;
        r = extent_find(journal, options, &extent);
    }
    if (r >= 0) {
        r = extent.first ? sd_journal_seek_cursor(journal, extent.first)
                         : sd_journal_seek_head(journal);
    }
    return r < 0 ? r : hand_over(journal, options, extent.count, hand, userdata);
}

int journal_knows(const struct journal_options *options, uid_t daemon)
{
    CLEANUP(journal_close_cleanup) sd_journal *journal = NULL;
    char match[64 + CLAIM_VALUE_SIZE];
    int r = journal_open(options, &journal);

    (void)snprintf(match, sizeof(match), "_UID=%u", daemon);
    if (r >= 0) {
        r = sd_journal_add_match(journal, match, 0);
    }
    (void)snprintf(match, sizeof(match), "%s=%s",
                   options->instance ? "SHMD_INSTANCE" : "SYSLOG_IDENTIFIER",
                   options->instance ? options->instance : "shmd");
    if (r >= 0) {
        r = sd_journal_add_match(journal, match, 0);
    }
    if (r >= 0) {
        r = sd_journal_seek_head(journal);
    }
    return r < 0 ? r : sd_journal_next(journal);
}
