/* SPDX-License-Identifier: MIT
 *
 * The configuration file, as the daemon and the client read it.
 *
 * One table (settings.c) holds each setting's name, type, default, range and line of help; parsing,
 * --dump-config and the tests of the manual go through that table, so that they cannot disagree.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/un.h>

#define CONF_FILE_MAX     ((size_t)64 * 1024) /* bytes; libconfig is slow on long input */
#define CONF_SETTINGS_MAX 64                  /* rows of the table */
#define CONF_KEY_DEFAULT  5678                /* the original program's */

#define CONF_MAIN_INSTANCE "shmd" /* what the one is called that was given no name */

/* How long the name of an instance may be: so that its socket, /run/shmd/NAME.sock, has a path. */
#define CONF_INSTANCE_MAX                                                                          \
    (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof(RUNSTATEDIR "/shmd/.sock"))

/* A user or group that is not set: the daemon's own. */
#define CONF_OWN ((uint32_t)-1)

struct conf {
    /* The settings, in the order of the table. */
    uint64_t key; /* 1…UINT32_MAX */
    uint64_t size;
    bool allow_large;
    uint64_t layout;    /* enum layout */
    uint64_t when_full; /* enum ring_when_full */
    uint64_t mode;
    char *owner;
    char *group;
    uint64_t poll_interval_ms;
    uint64_t lease_ms;
    uint64_t spin_us;
    bool keep;
    bool lock_memory;
    char *allow_subscribe;
    char *allow_publish;
    uint64_t sessions;
    uint64_t sessions_per_user;
    char *source_type;
    char *source_path;
    bool source_watch;
    char **source_command;
    char **source_environment;
    char *source_directory;
    uint64_t source_timeout_ms;
    uint64_t source_output_max;
    uint64_t source_framing; /* enum source_framing */
    uint64_t source_frame_size;
    uint64_t source_on_end; /* enum on_end */
    uint64_t log_level;     /* a syslog(3) priority */
    uint64_t log_queue;
    uint64_t log_rate;

    /* Looked up from owner and group: a number, or CONF_OWN. */
    uid_t uid;
    gid_t gid;

    /* Who is meant by allow_subscribe and allow_publish: the daemon's, see manager_check(). */
    struct access *subscribers;
    struct access *publishers;

    /* Where it was read: the file, and the line of each setting (0: not in the file). */
    char *path;
    char *instance; /* whose file it is: NAME for …/NAME.conf */
    unsigned lines[CONF_SETTINGS_MAX];

    unsigned others; /* who hold it, besides one */
};

/*
 * The path of an instance's file, the caller's to free: SYSCONFDIR/shmd.conf for NULL,
 * SYSCONFDIR/shmd/NAME.conf for a name. -EINVAL: not a name for an instance; "shmd" is the main
 * one's.
 */
int conf_path(const char *instance, char **ret);

/*
 * Reads and validates a file. On failure *ret is untouched, and *ret_message (the caller's to free)
 * says `path:line: what is wrong, what was expected`. -EINVAL: refused; others: cannot be read.
 */
int conf_load(const char *path, struct conf **ret, char **ret_message);

/*
 * For a reload: refuses a file in which no setting stands. It was emptied, or is only half written:
 * a daemon that runs takes that for no wish to have all its defaults, and a mode that lets
 * everybody in.
 */
int conf_refuse_empty(const struct conf *conf, char **ret_message);

/* All settings at their defaults. -ENOMEM. */
int conf_new(struct conf **ret);

/* One more who holds it, and will free it. */
struct conf *conf_ref(struct conf *conf);

struct conf *conf_free(struct conf *conf);

DEFINE_CLEANUP(struct conf, conf_free)

/*
 * Refuses the value of a setting that only the caller can judge: makes the message that conf_load()
 * would make, and returns -EINVAL.
 */
int conf_refuse(const struct conf *conf, const char *setting, char **ret_message,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Have both the same values of all settings whose names begin so? */
bool conf_same(const struct conf *a, const struct conf *b, const char *prefix);

/* Writes the effective configuration in the file's own format, with the help as comments. */
void conf_dump(const struct conf *conf, FILE *file);
