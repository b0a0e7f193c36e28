/* SPDX-License-Identifier: MIT
 *
 * The command line of shm-client.
 */
#pragma once

#include "lib/shmd.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OPTIONS_NAME_MAX 31 /* bytes of --name: what the protocol has room for */

enum verb {
    VERB_READ,
    VERB_FOLLOW,
    VERB_PEEK,
    VERB_PUBLISH,
    VERB_STATUS,
    VERB_AUDIT,
    VERB_HELP, /* this one is an option, too, to the user, and the next one only that */
    VERB_VERSION,
};

enum format {
    FORMAT_TEXT,
    FORMAT_JSON,
    FORMAT_HEX,
    FORMAT_RAW,
};

enum framing {
    FRAMING_LINE,
    FRAMING_LENGTH,
    FRAMING_WHOLE,
};

struct options {
    enum verb verb;
    enum format format;
    enum shmd_start start;
    enum framing framing;
    const char *file;     /* what is published; NULL: standard input */
    uint32_t key;         /* 0: not given */
    const char *config;   /* NULL: not given */
    const char *instance; /* NULL: not given */
    const char *socket;   /* NULL: not given */
    const char *name;     /* what to be called in the journal */
    uint64_t count;
    uint64_t timeout_usec;
    bool acknowledge;
    bool anonymous; /* no session */
    bool watch;

    /* Of help. */
    const char *help_verb; /* NULL: all verbs */
    enum verb help_about;

    /* Of audit. */
    const char *directory; /* of journal files; NULL: this machine's journal */
    uint64_t since_usec;   /* since 1970 */
    uint64_t until_usec;
    bool user_given;
    uid_t user; /* as which the daemon runs */
};

/* Prints what --help asks for. */
void help_write(const struct options *options);

/* Parses the command line. Returns 0, or -EINVAL after an error message. */
int options_parse(int argc, char **argv, struct options *ret);
