/* SPDX-License-Identifier: MIT
 *
 * What shm-client says, and how it ends.
 *
 * Records are written into memory first, and handed over to the system together, as many as come at
 * once. A record is handed over when the system has taken its last byte: only then may it be
 * acknowledged. And what turns out to be uncertain before that can be discarded.
 */
#pragma once

#include "client/options.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The exit statuses, as in the manual. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOBODY = 3, /* no such segment, or nobody serves it */
    EXIT_TIMED_OUT = 4,
    EXIT_LOST = 5,    /* evicted, or records lost */
    EXIT_FOREIGN = 6, /* audit: whole, and there are entries of others that claim to be ours */
};

/* One line `shm-client: what happened: what to do` on standard error. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Is it a terminal on which what was written can be written over? */
bool output_is_screen(int fd);

/* What is no error, and said on a terminal only. */
void output_note(const char *text);

#define OUTPUT_HINT_SIZE 2048

/* Why nobody serves, if the service has left a cause; or where to look. Returns `hint`. */
const char *output_hint(const struct options *options, char hint[OUTPUT_HINT_SIZE]);

/* The error that `what` (the segment, or who serves it) is missing; names the service to look at.
 */
enum exit_status output_nobody(const struct options *options, uint32_t key, const char *what);

/* A record, and where it came from. */
struct output_record {
    uint32_t key;
    int segment;
    uint64_t number; /* 0: the layout has none */
    uint64_t lost;   /* before it */
    const char *bytes;
    size_t length;
};

struct output {
    enum format format;
    bool terminal; /* standard output is one, … */
    bool utf8;     /* … and this is what it reads */
    FILE *stream;  /* writes to memory: */
    char *memory;
    size_t size;
};

/* -ENOMEM. */
int output_open(struct output *output, enum format format);
void output_close(struct output *output);

/* Writes a record into memory. */
void output_write(struct output *output, const struct output_record *record);

/* Hands over what lies in memory. A negative errno value, -EINTR for a signal that ends us: some of
 * it is lost. */
int output_hand_over(struct output *output);

/* Throws away what lies in memory. */
void output_discard(struct output *output);

/* Has the reader of standard output gone? Then there is nothing to do any more, and nothing to say.
 */
bool output_is_unread(void);

/* How the program ends: by SIGPIPE, as others do, where output_is_unread() has said so. */
int output_status(enum exit_status status);

/* Hands over what was written to `stdout`, not through the above, and says so if that fails. */
enum exit_status output_end(void);
