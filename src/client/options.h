/* SPDX-License-Identifier: MIT
 *
 * The command line of shm-client.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum verb {
    VERB_READ,
    VERB_PEEK,
    VERB_STATUS,
    VERB_HELP, /* these two are options to the user */
    VERB_VERSION,
};

enum format {
    FORMAT_TEXT,
    FORMAT_JSON,
    FORMAT_HEX,
    FORMAT_RAW,
};

struct options {
    enum verb verb;
    enum format format;
    uint32_t key;         /* 0: not given */
    const char *config;   /* NULL: not given */
    const char *instance; /* NULL: not given */
    uint64_t count;
    uint64_t timeout_usec;
    bool acknowledge;
};

/* What --help prints. */
extern const char options_help[];

/* Parses the command line. Returns 0, or -EINVAL after an error message. */
int options_parse(int argc, char **argv, struct options *ret);
