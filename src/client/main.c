/* SPDX-License-Identifier: MIT
 *
 * shm-client: command line, key, segment, verb.
 */
#include "client/options.h"
#include "client/output.h"
#include "client/read.h"
#include "client/status.h"

#include "base/cleanup.h"
#include "conf/conf.h"
#include "lib/shmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct shmd_anonymous, shmd_anonymous_close)

static enum exit_status find_key(const struct options *options, uint32_t *ret)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    CLEANUP(free_cleanup) char *default_path = NULL;
    CLEANUP(free_cleanup) char *message = NULL;
    int r;

    if (options->key) {
        *ret = options->key;
        return EXIT_DONE;
    }
    if (!options->config) {
        r = conf_path(options->instance, &default_path);
        if (r == -EINVAL) {
            output_error("'%s' cannot be an instance: see shm-client --help", options->instance);
            return EXIT_USAGE;
        }
        if (r < 0) {
            output_error("cannot find the configuration: %s: name the key with --key",
                         strerror(-r));
            return EXIT_FAILED;
        }
    }
    r = conf_load(options->config ? options->config : default_path, &conf, &message);
    if (r == -ENOENT && !options->config && !options->instance) {
        *ret = CONF_KEY_DEFAULT;
        return EXIT_DONE;
    }
    if (r < 0) {
        output_error("%s: mend that, or name the key with --key", message ? message : strerror(-r));
        return EXIT_FAILED;
    }
    *ret = (uint32_t)conf->key;
    return EXIT_DONE;
}

/* Why the segment cannot be opened. If that is for writing only, there is a way to read it. */
static enum exit_status explain(const struct options *options, uint32_t key, int error)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *read_only = NULL;

    if (error == -ENOENT) {
        return output_nobody(options, key, "no segment");
    }
    if (error == -EACCES && options->acknowledge &&
        shmd_anonymous_open(key, false, &read_only) == 0) {
        output_error("the mode of the segment with key 0x%08x does not let this user acknowledge: "
                     "read it with --no-ack, or with the verb peek",
                     key);
    } else if (error == -EACCES) {
        output_error("the mode of the segment with key 0x%08x does not let this user read it: "
                     "see mode, owner and group in shmd.conf(5)",
                     key);
    } else {
        output_error("cannot attach the segment with key 0x%08x: %s: see shmat(2)", key,
                     strerror(-error));
    }
    return EXIT_FAILED;
}

static enum exit_status run(const struct options *options)
{
    CLEANUP(shmd_anonymous_close_cleanup) struct shmd_anonymous *segment = NULL;
    struct shmd_anonymous_info info;
    enum exit_status status;
    uint32_t key;
    int r;

    status = find_key(options, &key);
    if (status != EXIT_DONE) {
        return status;
    }
    r = shmd_anonymous_open(key, options->acknowledge, &segment);
    if (r == 0) {
        r = shmd_anonymous_info(segment, &info);
    }
    if (r < 0) {
        /* Removed right after it was opened: there is none. */
        return explain(options, key, r == -ENOLINK ? -ENOENT : r);
    }
    if (options->verb == VERB_STATUS) {
        return status_show(options, &info);
    }
    return read_records(options, segment, &info);
}

int main(int argc, char **argv)
{
    struct options options;

    /* A reader of our output that has gone is an error like others, and must prevent the
     * acknowledgement; and an error is one line, written at once. */
    (void)signal(SIGPIPE, SIG_IGN);
    setlinebuf(stderr);

    if (options_parse(argc, argv, &options) < 0) {
        return EXIT_USAGE;
    }
    switch (options.verb) {
    case VERB_HELP:
        (void)fputs(options_help, stdout);
        return (int)output_end();
    case VERB_VERSION:
        (void)puts("shm-client " PACKAGE_VERSION);
        return (int)output_end();
    case VERB_READ:
    case VERB_PEEK:
    case VERB_STATUS:
        break;
    }
    return (int)run(&options);
}
