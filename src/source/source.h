/* SPDX-License-Identifier: MIT
 *
 * A source yields the next record when asked: demand drives it, never the other way round.
 *
 * A driver is a const struct of functions in a table found by name; a new source is one file and
 * one line (source.c). It knows neither segment nor sessions. It is asked for one record at a time
 * and answers its host once for each time, at once or later from the daemon's event loop (unless it
 * makes its records up, see `make`):
 *
 *      host ──ask──▶ source ──deliver──▶ host      the record stands in the host's place for it
 *                      ├─────fail──────▶           there is none now: it is asked again, later
 *                      └─────end───────▶           there will be none any more
 *
 * The place is where the record will be published: what is written there is not copied again,
 * unless it is a few bytes. A source that is closed answers no more.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;
struct sd_event;

enum source_framing {
    FRAMING_LINE,   /* a record ends with a newline, which is not part of it */
    FRAMING_FIXED,  /* each record has frame_size bytes */
    FRAMING_LENGTH, /* its length comes before it: 32 bits, little-endian */
    FRAMING_WHOLE,  /* all that comes is one record; for drivers, not a setting */
};

/* What the configuration says; the texts outlive the source. Lists end with NULL. */
struct source_settings {
    const char *path;
    bool watch;
    char *const *command;
    char *const *environment; /* NAME=value */
    const char *directory;
    uint64_t timeout_usec;
    uint64_t output_max; /* bytes of one run; 0: as many as fit into a record */
    enum source_framing framing;
    uint64_t frame_size;
};

/* Who asks. Functions that answer may be called from within ask. */
struct source_host {
    /*
     * How long a record may be, and how long one should be that is made up to fill the segment, in
     * bytes. They change whenever another segment takes the place of this one, so they are asked
     * for at each use and kept nowhere.
     */
    size_t (*longest)(void *userdata);
    size_t (*filling)(void *userdata);

    /*
     * Room for a record of *length bytes. *length becomes how much there is: less than that only
     * where it is more than the longest record. It may move and shrink: ask again, with what there
     * was, whenever the event loop has been returned to; what was written has moved along.
     */
    char *(*place)(void *userdata, size_t *length);

    /*
     * The record stands in the place. One that is longer than the longest is rejected; the place
     * has its beginning, as much as there was room for.
     */
    void (*deliver)(void *userdata, size_t length);
    void (*fail)(void *userdata, const char *reason);
    void (*end)(void *userdata, const char *reason);

    /* No answer: what was delivered last is out of date, there is something newer. */
    void (*outdate)(void *userdata);

    /* push: publishes what a publisher has handed in, which is a delivery; false: there is none. */
    bool (*collect)(void *userdata);

    /* No answer: a line for the log, without a newline, of any bytes. */
    void (*say)(void *userdata, const char *line, size_t length);
};

/* What a source is given when it is opened. */
struct source_context {
    struct sd_event *event;
    const struct source_host *host;
    void *userdata;
    struct source_settings settings;
};

struct source_driver {
    const char *name;

    /* Its records come one after the other: after one that was rejected, the next may be good. */
    bool is_sequence;

    /* Asked, it answers at once or not at all: without a system call, or waiting for anybody. */
    bool is_prompt;

    /* What is wrong with the settings: a static text, and whose it is; NULL: nothing. Optional. */
    const char *(*check)(const struct source_settings *settings, const char **ret_setting);

    /*
     * A negative errno: it cannot be had at all. What may come right later fails when asked.
     * Nobody else notices yet: it may be closed without its turn ever having come.
     */
    int (*open)(const struct source_context *context, struct source **ret);

    /* Its turn has come, while the one before is still open. Optional. */
    void (*start)(struct source *source);
    void (*ask)(struct source *source); /* or measure and make */

    /*
     * Instead of ask, where records are made up, at once: how long the next ones are, and what
     * makes one of them, or its first `length` bytes. A host may have several made in a row.
     */
    size_t (*measure)(const struct source *source);
    void (*make)(struct source *source, char *place, size_t length);

    /* It has been asked, and its host may have something for it now. Optional. */
    void (*poke)(struct source *source);

    /*
     * Somebody came who may not have seen what was delivered last: it may be delivered once more.
     * For those that answer only when there is something new. Optional.
     */
    void (*repeat)(struct source *source);

    /*
     * Another source will take its place: it takes nothing more in, yields what it has already
     * taken in when asked, and then ends. False: there is nothing left. Optional.
     */
    bool (*retire)(struct source *source);
    void (*close)(struct source *source);
};

/* Every source begins with this. */
struct source {
    const struct source_driver *driver;
    struct source_context context;
    bool live; /* its records come about by themselves, wanted or not: the driver's word */
};

/* NULL if there is no source of that type. */
const struct source_driver *source_find(const char *type);

/* Types, for messages: NULL past the last. */
const char *source_type(size_t i);

const char *source_check(const struct source_driver *driver, const struct source_settings *settings,
                         const char **ret_setting);
int source_open(const struct source_driver *driver, const struct source_context *context,
                struct source **ret);
void source_start(struct source *source);
void source_ask(struct source *source);
void source_poke(struct source *source);
void source_repeat(struct source *source);
bool source_retire(struct source *source);
struct source *source_close(struct source *source);

DEFINE_CLEANUP(struct source, source_close)

/* --- for drivers: their host --- */

static inline size_t source_longest(const struct source *source)
{
    return source->context.host->longest(source->context.userdata);
}

static inline size_t source_filling(const struct source *source)
{
    return source->context.host->filling(source->context.userdata);
}

static inline char *source_place(const struct source *source, size_t *length)
{
    return source->context.host->place(source->context.userdata, length);
}

static inline void source_deliver(const struct source *source, size_t length)
{
    source->context.host->deliver(source->context.userdata, length);
}

static inline void source_fail(const struct source *source, const char *reason)
{
    source->context.host->fail(source->context.userdata, reason);
}

static inline void source_end(const struct source *source, const char *reason)
{
    source->context.host->end(source->context.userdata, reason);
}

static inline void source_outdate(const struct source *source)
{
    source->context.host->outdate(source->context.userdata);
}

static inline bool source_collect(const struct source *source)
{
    return source->context.host->collect(source->context.userdata);
}

static inline void source_say(const struct source *source, const char *line, size_t length)
{
    source->context.host->say(source->context.userdata, line, length);
}
