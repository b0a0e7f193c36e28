/* SPDX-License-Identifier: MIT */
#include "daemon/feed.h"
#include "base/clock.h"

#include <string.h>

static struct source_settings settings_of(const struct conf *conf)
{
    return (struct source_settings){
        .path = conf->source_path,
        .watch = conf->source_watch,
        .command = conf->source_command,
        .environment = conf->source_environment,
        .directory = conf->source_directory,
        .timeout_usec = conf->source_timeout_ms * USEC_PER_MSEC,
        .output_max = conf->source_output_max,
        .framing = (enum source_framing)conf->source_framing,
        .frame_size = conf->source_frame_size,
    };
}

int feed_check(const struct conf *conf, char **ret_message)
{
    const struct source_driver *driver = source_find(conf->source_type);
    struct source_settings settings = settings_of(conf);
    const char *setting, *objection;
    char types[256] = "";

    if (driver) {
        objection = source_check(driver, &settings, &setting);
        return objection ? conf_refuse(conf, setting, ret_message, "%s %s", setting, objection) : 0;
    }
    for (size_t i = 0; source_type(i); i++) {
        strncat(types, i ? ", " : "", sizeof(types) - strlen(types) - 1);
        strncat(types, source_type(i), sizeof(types) - strlen(types) - 1);
    }
    return conf_refuse(conf, "source.type", ret_message, "source.type is \"%s\", expected: %s",
                       conf->source_type, types);
}

int feed_open(struct feed *feed, const char *type, struct conf *conf,
              const struct source_context *context)
{
    struct source_context whole = *context;
    int r;

    whole.settings = settings_of(conf);
    r = source_open(source_find(type), &whole, &feed->source);
    if (r == 0) {
        feed->conf = conf_ref(conf);
    }
    return r;
}

struct feed feed_close(struct feed *feed)
{
    (void)source_close(feed->source);
    (void)conf_free(feed->conf);
    return (struct feed){0};
}

void feed_close_cleanup(struct feed *feed)
{
    *feed = feed_close(feed);
}

bool feed_collects(const struct feed *feed)
{
    return feed->source && strcmp(feed->source->driver->name, FEED_PUSH) == 0;
}

bool feed_is_push(const struct conf *conf)
{
    return strcmp(conf->source_type, FEED_PUSH) == 0;
}
