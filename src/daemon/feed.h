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

#define FEED_PUSH "push" /* the type of the source that publishers are */

/* Opens a source of this type, as a configuration wants it. `context` lacks the settings only. */
int feed_open(struct feed *feed, const char *type, struct conf *conf,
              const struct source_context *context);

struct feed feed_close(struct feed *feed);
void feed_close_cleanup(struct feed *feed);

/* Does it take what publishers hand in? And is it they that a configuration wants records from? */
bool feed_collects(const struct feed *feed);
bool feed_is_push(const struct conf *conf);
