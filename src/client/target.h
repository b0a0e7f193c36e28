/* SPDX-License-Identifier: MIT
 *
 * Whom the command line means: which daemon, which segment.
 *
 * A daemon is found by its socket, a segment by its key. --key and --config name a segment; then a
 * session is only had with a daemon that serves this segment. --socket alone names a daemon;
 * then there is no segment to fall back to.
 */
#pragma once

#include "client/options.h"
#include "client/output.h"
#include "lib/shmd.h"

struct target {
    uint32_t key;               /* 0: not looked for yet */
    char *instance;             /* whose configuration it comes from; NULL: none was looked at */
    struct options options;     /* the command line, with that instance: hints name that one */
    struct shmd_options daemon; /* to ask, for shmd_subscribe() and the like */
};

/*
 * Whom the command line means; for the key is only looked if it names a segment. Points into the
 * command line. Anything but EXIT_DONE after an error message.
 */
enum exit_status target_choose(const struct options *command_line, struct target *ret);

/* Looks for the key; anything but EXIT_DONE after an error message. */
enum exit_status target_find(const struct options *options, struct target *target);

void target_free(struct target *target);

/* Is this document about the segment with this key? */
bool target_serves(const char *document, uint32_t key);

/* Without a daemon: is there a key, by which to go on? */
bool target_has_key(const struct options *options);

/* Does this error mean that there is no daemon? */
bool target_is_absent(int error);
