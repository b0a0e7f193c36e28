/* SPDX-License-Identifier: MIT
 *
 * Two tables: the options, and which of them each verb takes. An option that a verb would have to
 * ignore is refused, so that nobody relies on it.
 */
#include "client/options.h"
#include "client/output.h"
#include "client/when.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "base/parse.h"
#include "conf/conf.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_DEFAULT_USEC (5 * USEC_PER_SEC)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char short_options[] = ":k:c:i:s:n:t:o:hV";

/* The last column names the option in the table of verbs; capitals have no short form. */
static const struct option long_options[] = {
    {"key", required_argument, NULL, 'k'},
    {"config", required_argument, NULL, 'c'},
    {"instance", required_argument, NULL, 'i'},
    {"socket", required_argument, NULL, 's'},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},
    {"output", required_argument, NULL, 'o'},
    {"from", required_argument, NULL, 'F'},
    {"name", required_argument, NULL, 'N'},
    {"anonymous", no_argument, NULL, 'X'},
    {"no-ack", no_argument, NULL, 'A'},
    {"json", no_argument, NULL, 'J'},
    {"watch", no_argument, NULL, 'W'},
    {"since", required_argument, NULL, 'S'},
    {"until", required_argument, NULL, 'U'},
    {"directory", required_argument, NULL, 'D'},
    {"user", required_argument, NULL, 'P'},
    {"framing", required_argument, NULL, 'G'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const struct {
    const char *name;
    enum verb verb;
    const char *takes;
} verbs[] = {
    {"read", VERB_READ, "kcisntoFNXA"},
    {"follow", VERB_FOLLOW, "kcisntoFNXA"},
    {"peek", VERB_PEEK, "kcintoF"},
    {"publish", VERB_PUBLISH, "cistNG"},
    {"status", VERB_STATUS, "kcisoJW"},
    {"audit", VERB_AUDIT, "ioJSUDP"}, /* of the journal, not of a segment */
    {"help", VERB_HELP, ""},
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

static const struct {
    const char *name;
    enum framing framing;
} framings[] = {
    {"line", FRAMING_LINE},
    {"length", FRAMING_LENGTH},
    {"whole", FRAMING_WHOLE},
};

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

static int framing_take(struct options *options, const char *value)
{
    for (size_t i = 0; i < COUNT(framings); i++) {
        if (strcmp(framings[i].name, value) == 0) {
            options->framing = framings[i].framing;
            return 0;
        }
    }
    return refuse_value("framing", value, "line, length or whole");
}

static int instance_take(struct options *options, const char *value)
{
    CLEANUP(free_cleanup) char *path = NULL;

    /* The main one has that name in the journal, and no other instance may have it. */
    if (strcmp(value, CONF_MAIN_INSTANCE) != 0 && conf_path(value, &path) == -EINVAL) {
        output_error("'%s' cannot be an instance: see shm-client --help", value);
        return -EINVAL;
    }
    options->instance = value;
    return 0;
}

static int start_take(struct options *options, const char *value)
{
    if (strcmp(value, "oldest") == 0) {
        options->start = SHMD_START_OLDEST;
    } else if (strcmp(value, "next") == 0) {
        options->start = SHMD_START_NEXT;
    } else {
        return refuse_value("from", value, "oldest or next");
    }
    return 0;
}

static int name_take(struct options *options, const char *value)
{
    if (strlen(value) > OPTIONS_NAME_MAX) {
        return refuse_value("name", value, "at most 31 bytes");
    }
    options->name = value;
    return 0;
}

static int when_take(const char *option, const char *value, uint64_t *ret_usec)
{
    return when_parse(value, clock_usec_since_1970(), ret_usec) < 0
               ? refuse_value(option, value, WHEN_EXPECTED)
               : 0;
}

static int user_take(struct options *options, const char *value)
{
    const struct passwd *user = getpwnam(value);
    uint64_t uid;

    if (user) {
        options->user = user->pw_uid;
    } else if (parse_u64_range(value, 0, UINT32_MAX - 1, &uid) == 0) {
        options->user = (uid_t)uid;
    } else {
        return refuse_value("user", value, "the name or the number of a user");
    }
    options->user_given = true;
    return 0;
}

/* Behind what is unknown: what may have been meant. */
static int refuse_unknown(const char *what, const char *subject, const char *dashes,
                          const char *nearest)
{
    if (!nearest) {
        return refuse(what, subject);
    }
    output_error("%s '%s', did you mean %s%s? See shm-client --help", what, subject, dashes,
                 nearest);
    return -EINVAL;
}

static int refuse_verb(const char *word)
{
    const char *found = NULL;
    size_t nearest = NEAREST_MAX + 1;

    for (size_t i = 0; i < COUNT(verbs); i++) {
        size_t distance = nearest_distance(word, verbs[i].name);

        if (distance < nearest) {
            found = verbs[i].name;
            nearest = distance;
        }
    }
    return refuse_unknown("unknown verb", word, "", found);
}

/*
 * An option that is not like the table says; `argument` is the one that getopt_long() looked at,
 * and `group` the one that it looks at still, if it is in the midst of short options.
 */
static int option_refuse(int problem, const char *argument, const char *group)
{
    const char short_form[] = {'-', (char)optopt, '\0'};

    if (problem == ':') {
        return refuse("no value after option", argument);
    }
    /* In a group of short options `argument` may be the one before; and only options that take no
     * value can have one too many. */
    if (strncmp(argument, "--", 2) != 0 || (optopt != 0 && !strchr("XAJWhV", optopt))) {
        return refuse_unknown("unknown option", short_form, "--",
                              group && group[0] == '-' && strlen(group) > 3
                                  ? nearest_option(long_options, group)
                                  : NULL);
    }
    return optopt == 0 ? refuse_unknown("unknown or ambiguous option", argument, "--",
                                        nearest_option(long_options, argument))
                       : refuse("unexpected value in option", argument);
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
        return instance_take(options, value);
    case 's':
        options->socket = value;
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
    case 'G':
        return framing_take(options, value);
    case 'F':
        return start_take(options, value);
    case 'N':
        return name_take(options, value);
    case 'X':
        options->anonymous = true;
        return 0;
    case 'A':
        options->acknowledge = false;
        return 0;
    case 'W':
        options->watch = true;
        return 0;
    case 'S':
        return when_take("since", value, &options->since_usec);
    case 'U':
        return when_take("until", value, &options->until_usec);
    case 'D':
        options->directory = value;
        return 0;
    case 'P':
        return user_take(options, value);
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
    if ((given['X'] || given['A']) && (given['s'] || given['N'])) {
        output_error("--anonymous and --no-ack use no session: they go with no --socket or --name");
        return -EINVAL;
    }
    if ((verbs[verb].verb == VERB_STATUS || verbs[verb].verb == VERB_AUDIT) &&
        options->format != FORMAT_TEXT && options->format != FORMAT_JSON) {
        output_error("%s has no such --output: give it text or json", verbs[verb].name);
        return -EINVAL;
    }
    if (options->since_usec > options->until_usec) {
        output_error("--since lies behind --until: exchange them");
        return -EINVAL;
    }
    return 0;
}

static int verb_find(const char *word, size_t *ret)
{
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, word) == 0) {
            *ret = i;
            return 0;
        }
    }
    return refuse_verb(word);
}

/* "help VERB", or "VERB --help". */
static int help_take(int argc, char **argv, size_t verb, struct options *ret)
{
    int r = verbs[verb].verb == VERB_HELP && optind < argc ? verb_find(argv[optind], &verb) : 0;

    if (r < 0) {
        return r;
    }
    *ret = (struct options){.verb = VERB_HELP};
    if (verbs[verb].verb != VERB_HELP) {
        ret->help_verb = verbs[verb].name;
        ret->help_about = verbs[verb].verb;
    }
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct options options = {.name = "shm-client", .acknowledge = true, .until_usec = UINT64_MAX};
    bool given[UCHAR_MAX + 1] = {false};
    size_t verb = 0;
    int option;
    int r;

    opterr = 0;
    while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            return option_refuse(option, argv[optind - 1], argv[optind]);
        }
        given[option] = true;
        if (option == 'h') {
            continue; /* a verb may come behind it */
        }
        if (option == 'V') {
            *ret = (struct options){.verb = VERB_VERSION};
            return 0;
        }
        r = option_take(&options, option, optarg);
        if (r < 0) {
            return r;
        }
    }
    if (optind < argc) {
        r = verb_find(argv[optind], &verb);
        if (r < 0) {
            return r;
        }
        optind++;
        if (verbs[verb].verb == VERB_HELP || given['h']) {
            return help_take(argc, argv, verb, ret);
        }
        if (verbs[verb].verb == VERB_PUBLISH && optind < argc) {
            options.file = strcmp(argv[optind], "-") == 0 ? NULL : argv[optind];
            optind++;
        }
        if (optind < argc) {
            return refuse(verbs[verb].verb == VERB_PUBLISH ? "more than one file:"
                                                           : "more than one verb:",
                          argv[optind]);
        }
    }
    if (given['h']) {
        *ret = (struct options){.verb = VERB_HELP};
        return 0;
    }
    r = verb_judge(verb, given, &options);
    if (r < 0) {
        return r;
    }
    options.verb = verbs[verb].verb;
    options.acknowledge = options.acknowledge && options.verb != VERB_PEEK;
    if (!given['n']) {
        options.count = options.verb == VERB_FOLLOW ? UINT64_MAX : 1;
    }
    if (!given['t']) {
        options.timeout_usec = options.verb == VERB_FOLLOW || options.verb == VERB_PUBLISH
                                   ? UINT64_MAX
                                   : TIMEOUT_DEFAULT_USEC;
    }
    *ret = options;
    return 0;
}
