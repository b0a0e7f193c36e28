/* SPDX-License-Identifier: MIT */
#include "client/target.h"
#include "client/document.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "conf/conf.h"

#include <errno.h>
#include <string.h>

enum exit_status target_find(const struct options *options, struct target *target)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    CLEANUP(free_cleanup) char *default_path = NULL;
    CLEANUP(free_cleanup) char *message = NULL;
    const char *instance = options->instance;
    int r;

    if (instance && strcmp(instance, CONF_MAIN_INSTANCE) == 0) {
        instance = NULL;
    }

    if (options->key) {
        target->key = options->key;
        return EXIT_DONE;
    }
    if (!options->config) {
        r = conf_path(instance, &default_path);
        if (r < 0) {
            output_error("cannot find the configuration: %s: name the key with --key",
                         strerror(-r));
            return EXIT_FAILED;
        }
    }
    r = conf_load(options->config ? options->config : default_path, &conf, &message);
    if (r == -ENOENT && !options->config && !instance) {
        target->key = CONF_KEY_DEFAULT;
        return EXIT_DONE;
    }
    if (r < 0) {
        output_error("%s: mend that, or name the key with --key", message ? message : strerror(-r));
        return EXIT_FAILED;
    }
    target->key = (uint32_t)conf->key;
    free(target->instance);
    target->instance = take(conf->instance);
    return EXIT_DONE;
}

void target_free(struct target *target)
{
    free(target->instance);
    *target = (struct target){0};
}

/* Then a daemon's document (shmd_status()) may not be about it. */
static bool names_segment(const struct options *options)
{
    return options->key || options->config;
}

enum exit_status target_choose(const struct options *command_line, struct target *ret)
{
    enum exit_status status = EXIT_DONE;

    *ret = (struct target){.options = *command_line};
    if (names_segment(command_line)) {
        status = target_find(command_line, ret);
    }
    if (!ret->options.instance && !ret->options.socket) {
        ret->options.instance = ret->instance;
    }
    ret->daemon = (struct shmd_options){
        .instance = command_line->instance ? command_line->instance : ret->instance,
        .socket = command_line->socket,
        .name = command_line->name,
        .start = command_line->start,
    };
    return status;
}

bool target_serves(const char *document, uint32_t key)
{
    struct piece value = document_find(document, "key");
    char text[sizeof("0xffffffff")];
    uint32_t served;

    if (value.length == 0 || value.length >= sizeof(text)) {
        return false;
    }
    memcpy(text, value.text, value.length);
    text[value.length] = '\0';
    return parse_key(text, &served) == 0 && served == key;
}

bool target_has_key(const struct options *options)
{
    return names_segment(options) || options->instance || !options->socket;
}

bool target_is_absent(int error)
{
    return error == -ENOENT || error == -ECONNREFUSED;
}
