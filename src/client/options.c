/* SPDX-License-Identifier: MIT
 *
 * Two tables: the options, and which of them each verb takes. An option that a verb would have to
 * ignore is refused, so that nobody relies on it.
 */
#include "client/options.h"
#include "client/output.h"

#include "base/clock.h"
#include "base/parse.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_DEFAULT_USEC (5 * USEC_PER_SEC)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char short_options[] = ":k:c:i:n:t:o:hV";

/* The last column names the option in the table of verbs; capitals have no short form. */
static const struct option long_options[] = {
    {"key", required_argument, NULL, 'k'},
    {"config", required_argument, NULL, 'c'},
    {"instance", required_argument, NULL, 'i'},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},
    {"output", required_argument, NULL, 'o'},
    {"no-ack", no_argument, NULL, 'A'},
    {"json", no_argument, NULL, 'J'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const struct {
    const char *name;
    enum verb verb;
    const char *takes;
} verbs[] = {
    {"read", VERB_READ, "kcintoA"},
    {"peek", VERB_PEEK, "kcinto"},
    {"status", VERB_STATUS, "kcioJ"},
};

static const struct {
    const char *name;
    enum format format;
} formats[] = {
    {"text", FORMAT_TEXT},
    {"json", FORMAT_JSON},
    {"hex", FORMAT_HEX},
    {"raw", FORMAT_RAW},
};

const char options_help[] =
    "Usage: shm-client [VERB] [OPTION]...\n"
    "Reads records from the shared-memory segment that shmd(8) serves.\n"
    "\n"
    "Verbs:\n"
    "  read    print the next record and acknowledge it; what happens without a verb\n"
    "  peek    print the next record and leave it for others\n"
    "  status  show what can be seen of the segment by its key alone\n"
    "\n"
    "Options:\n"
    "  -k, --key KEY          the segment's key, decimal or 0x...\n"
    "  -c, --config FILE      take the key from this configuration file\n"
    "  -i, --instance NAME    take the key from the configuration of shmd@NAME\n"
    "  -n, --count N          read, peek: stop after N records (default 1)\n"
    "  -t, --timeout SECONDS  read, peek: wait so long for each record, 0 for not at all\n"
    "                         (default 5; decimals are fine)\n"
    "  -o, --output FORMAT    text (default), json, hex or raw; status: text or json\n"
    "      --no-ack           read: do not acknowledge, as peek\n"
    "      --json             status: the same as --output json\n"
    "  -h, --help             print this and exit\n"
    "  -V, --version          print the version and exit\n"
    "\n"
    "Without --key, --config and --instance the key comes from the configuration of shmd, or is\n"
    "5678 if there is none.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such segment or nobody serves it,\n"
    "4 timed out, 5 evicted or records lost (reserved).\n";

static int refuse(const char *what, const char *subject)
{
    output_error("%s '%s': see shm-client --help", what, subject);
    return -EINVAL;
}

static int refuse_value(const char *option, const char *value, const char *expected)
{
    output_error("--%s cannot be '%s': give it %s", option, value, expected);
    return -EINVAL;
}

static int format_take(struct options *options, const char *value)
{
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (strcmp(formats[i].name, value) == 0) {
            options->format = formats[i].format;
            return 0;
        }
    }
    return refuse_value("output", value, "text, json, hex or raw");
}

/* An option that is not like the table says; `argument` is the one that getopt_long() looked at. */
static int option_refuse(int problem, const char *argument)
{
    const char short_form[] = {'-', (char)optopt, '\0'};

    if (problem == ':') {
        return refuse("no value after option", argument);
    }
    /* In a group of short options `argument` may be the one before; and only options that take no
     * value can have one too many. */
    if (strncmp(argument, "--", 2) != 0 || (optopt != 0 && !strchr("AJhV", optopt))) {
        return refuse("unknown option", short_form);
    }
    return refuse(optopt == 0 ? "unknown or ambiguous option" : "unexpected value in option",
                  argument);
}

static int option_take(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'k':
        return parse_key(value, &options->key) < 0
                   ? refuse_value("key", value, "a number from 1 to 0xffffffff")
                   : 0;
    case 'c':
        options->config = value;
        return 0;
    case 'i':
        options->instance = value;
        return 0;
    case 'n':
        return parse_u64_range(value, 1, UINT64_MAX, &options->count) < 0
                   ? refuse_value("count", value, "a number from 1 on")
                   : 0;
    case 't':
        return parse_seconds(value, &options->timeout_usec) < 0
                   ? refuse_value("timeout", value, "a number of seconds, such as 2 or 0.25")
                   : 0;
    case 'o':
        return format_take(options, value);
    case 'A':
        options->acknowledge = false;
        return 0;
    default: /* 'J', the only one left */
        options->format = FORMAT_JSON;
        return 0;
    }
}

/* Does the verb (an index of the table) take the options that were given? */
static int verb_judge(size_t verb, const bool *given, const struct options *options)
{
    for (size_t i = 0; long_options[i].name; i++) {
        int option = long_options[i].val;

        if (given[option] && !strchr(verbs[verb].takes, option)) {
            output_error("%s takes no --%s: see shm-client --help", verbs[verb].name,
                         long_options[i].name);
            return -EINVAL;
        }
    }
    if (verbs[verb].verb == VERB_STATUS && options->format != FORMAT_TEXT &&
        options->format != FORMAT_JSON) {
        output_error("status has no such --output: give it text or json");
        return -EINVAL;
    }
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct options options = {
        .count = 1,
        .timeout_usec = TIMEOUT_DEFAULT_USEC,
        .acknowledge = true,
    };
    bool given[UCHAR_MAX + 1] = {false};
    size_t verb = 0;
    int option;
    int r;

    opterr = 0;
    while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            return option_refuse(option, argv[optind - 1]);
        }
        if (option == 'h' || option == 'V') {
            *ret = (struct options){.verb = option == 'h' ? VERB_HELP : VERB_VERSION};
            return 0;
        }
        given[option] = true;
        r = option_take(&options, option, optarg);
        if (r < 0) {
            return r;
        }
    }
    if (optind < argc) {
        while (verb < COUNT(verbs) && strcmp(verbs[verb].name, argv[optind]) != 0) {
            verb++;
        }
        if (verb == COUNT(verbs)) {
            return refuse("unknown verb", argv[optind]);
        }
        if (optind + 1 < argc) {
            return refuse("more than one verb:", argv[optind + 1]);
        }
    }
    r = verb_judge(verb, given, &options);
    if (r < 0) {
        return r;
    }
    options.verb = verbs[verb].verb;
    options.acknowledge = options.acknowledge && options.verb == VERB_READ;
    *ret = options;
    return 0;
}
