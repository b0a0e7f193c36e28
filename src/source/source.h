/* SPDX-License-Identifier: MIT
 *
 * A source yields the next record when asked: demand drives it, never the other way round.
 *
 * A driver is a const struct of functions in a table found by name; a new source is one file and
 * one line (source.c). It knows neither segment nor sessions. It is asked for one record at a time
 * and answers through one callback, at once or later from the daemon's event loop, exactly once for
 * each time it was asked. A source that is closed answers no more.
 */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

struct source;
struct sd_event;

/*
 * error 0: a record of `length` bytes, valid until the callback returns. Negative errno: the source
 * could not make one; it may be asked again.
 */
typedef void source_answer_fn(void *userdata, int error, const char *record, size_t length);

/* What a source is given when it is opened; it outlives the source. */
struct source_context {
    struct sd_event *event;
    size_t capacity; /* the longest record that fits, in bytes */
    source_answer_fn *answer;
    void *userdata;
};

struct source_driver {
    const char *name;
    int (*open)(const struct source_context *context, struct source **ret);
    void (*ask)(struct source *source);
    void (*close)(struct source *source);
};

/* Every source begins with this. */
struct source {
    const struct source_driver *driver;
    struct source_context context;
};

/* NULL if there is no source of that type. */
const struct source_driver *source_find(const char *type);

/* Types, for messages: NULL past the last. */
const char *source_type(size_t i);

int source_open(const struct source_driver *driver, const struct source_context *context,
                struct source **ret);
void source_ask(struct source *source);
struct source *source_close(struct source *source);

DEFINE_CLEANUP(struct source, source_close)
