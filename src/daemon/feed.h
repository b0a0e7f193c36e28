/* SPDX-License-Identifier: MIT
 *
 * A feed: a source, and the configuration whose texts it uses, which stays as long as it does.
 */
#pragma once

#include "conf/conf.h"
#include "source/source.h"

struct feed {
    struct source *source;
    struct conf *conf;
};

/* Is it a source, and has it the settings that it needs? Otherwise -EINVAL and a message. */
int feed_check(const struct conf *conf, char **ret_message);

/* Opens the source that a configuration names. `context` is whole but for the settings. */
int feed_open(struct feed *feed, struct conf *conf, const struct source_context *context);

struct feed feed_close(struct feed *feed);
void feed_close_cleanup(struct feed *feed);

/* Is it publishers that a configuration wants records from? */
bool feed_is_push(const struct conf *conf);
