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
    uint32_t key;   /* 0: not looked for yet */
    char *instance; /* whose configuration it comes from; NULL: as the command line says */
};

/* Looks for the key; anything but EXIT_DONE after an error message. */
enum exit_status target_find(const struct options *options, struct target *target);

void target_free(struct target *target);

/* The command line, with the instance that its configuration is of: so that hints name that one. */
struct options target_options(const struct options *options, const struct target *target);

/* The daemon to ask, for shmd_subscribe() and shmd_status(). Points into both. */
struct shmd_options target_daemon(const struct options *options, const struct target *target);

/* Does the command line name a segment, of which a daemon's document (shmd_status()) may not be? */
bool target_names_segment(const struct options *options);

/* Is this document about the segment with this key? */
bool target_serves(const char *document, uint32_t key);

/* Without a daemon: is there a key, by which to go on? */
bool target_has_key(const struct options *options);

/* Does this error mean that there is no daemon? */
bool target_is_absent(int error);
