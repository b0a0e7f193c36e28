/* SPDX-License-Identifier: MIT */
#include "source/source.h"
#include "source/drivers.h"

#include <string.h>

static const struct source_driver *const drivers[] = {
    &source_alphabet, &source_file, &source_command, &source_stream, &source_push, &source_pattern,
};

#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

const char *source_type(size_t i)
{
    return i < DRIVERS ? drivers[i]->name : NULL;
}

const struct source_driver *source_find(const char *type)
{
    for (size_t i = 0; i < DRIVERS; i++) {
        if (strcmp(drivers[i]->name, type) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

const char *source_check(const struct source_driver *driver, const struct source_settings *settings,
                         const char **ret_setting)
{
    return driver->check ? driver->check(settings, ret_setting) : NULL;
}

int source_open(const struct source_driver *driver, const struct source_context *context,
                struct source **ret)
{
    struct source *source;
    int r = driver->open(context, &source);

    if (r < 0) {
        return r;
    }
    source->driver = driver;
    source->context = *context;
    *ret = source;
    return 0;
}

void source_start(struct source *source)
{
    if (source->driver->start) {
        source->driver->start(source);
    }
}

static void make(struct source *source)
{
    size_t length = source->driver->measure(source);
    size_t shown = length;
    char *place = source_place(source, &shown);

    /* One that does not fit is rejected: what there is room for shows what it would have been. */
    source->driver->make(source, place, shown);
    source_deliver(source, length);
}

void source_ask(struct source *source)
{
    if (source->driver->make) {
        make(source);
    } else {
        source->driver->ask(source);
    }
}

void source_poke(struct source *source)
{
    if (source->driver->poke) {
        source->driver->poke(source);
    }
}

void source_repeat(struct source *source)
{
    if (source->driver->repeat) {
        source->driver->repeat(source);
    }
}

bool source_retire(struct source *source)
{
    return source->driver->retire && source->driver->retire(source);
}

struct source *source_close(struct source *source)
{
    if (source) {
        source->driver->close(source);
    }
    return NULL;
}
