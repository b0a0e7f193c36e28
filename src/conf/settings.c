/* SPDX-License-Identifier: MIT */
#include "conf/settings.h"
#include "base/nearest.h"
#include "conf/conf.h"

#include <string.h>
#include <strings.h>
#include <sys/syslog.h>

#define FIELD(name)    offsetof(struct conf, name)
#define BYTES_MAX      (UINT64_C(1) << 40)
#define MINUTE_MSEC    60000
#define QUEUE_LIMIT    4096
#define RATE_LIMIT     10000
#define SESSIONS_LIMIT 2000
#define HOUR_MSEC      3600000

static const struct choice levels[] = {
    {"err", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO}, {"debug", LOG_DEBUG},     {NULL, 0},
};

static const struct choice layouts[] = {{"plain", 0}, {"ring", 1}, {NULL, 0}};
static const struct choice framings[] = {{"line", 0}, {"fixed", 1}, {"length", 2}, {NULL, 0}};
static const struct choice on_end[] = {{"hold", 0}, {"restart", 1}, {"exit", 2}, {NULL, 0}};
static const struct choice when_full[] = {{"wait", 0}, {"overwrite", 1}, {NULL, 0}};

const struct setting settings[] = {
    {"key", SETTING_NUMBER, FIELD(key), CONF_KEY_DEFAULT, NULL, 1, UINT32_MAX, NULL,
     "Key of the shared-memory segment."},
    {"size", SETTING_NUMBER, FIELD(size), 27, NULL, 2, BYTES_MAX, NULL,
     "Size of the segment in bytes; plain: of the longest record, and one more."},
    {"allow_large", SETTING_BOOL, FIELD(allow_large), false, NULL, 0, 0, NULL,
     "Allow a segment of more than 1 GiB."},
    {"layout", SETTING_CHOICE, FIELD(layout), 0, NULL, 0, 0, layouts,
     "How records lie in the segment: one at a time (plain), or a stream of them (ring)."},
    {"when_full", SETTING_CHOICE, FIELD(when_full), 0, NULL, 0, 0, when_full,
     "A full ring waits for its slowest subscriber (wait), or the newest data wins (overwrite)."},
    {"mode", SETTING_MODE, FIELD(mode), 0666, NULL, 0, 0, NULL,
     "Permissions, octal, as a string; plain: who can write can acknowledge; a ring: \"0644\"."},
    {"owner", SETTING_TEXT, FIELD(owner), 0, "", 0, 0, NULL,
     "Owner of the segment, a user's name or number; empty: the daemon's own user."},
    {"group", SETTING_TEXT, FIELD(group), 0, "", 0, 0, NULL,
     "Group of the segment, a name or number; empty: the daemon's own group."},
    {"poll_interval_ms", SETTING_NUMBER, FIELD(poll_interval_ms), 10, NULL, 1, MINUTE_MSEC, NULL,
     "How often to look for an acknowledgement where others may write, in ms; idle: an eighth as "
     "often."},
    {"lease_ms", SETTING_NUMBER, FIELD(lease_ms), 10000, NULL, 10, UINT64_C(86400000), NULL,
     "How long a subscriber may be silent, or hold up others, before it is evicted, in ms."},
    {"spin_us", SETTING_NUMBER, FIELD(spin_us), 50, NULL, 0, 10000, NULL,
     "How long to look for news before sleeping, in microseconds; 0 on one processor."},
    {"keep", SETTING_BOOL, FIELD(keep), false, NULL, 0, 0, NULL,
     "Keep the segment when the daemon is stopped."},
    {"lock_memory", SETTING_BOOL, FIELD(lock_memory), false, NULL, 0, 0, NULL,
     "Keep the segment's pages in memory: never swap them out."},
    {"allow.subscribe", SETTING_TEXT, FIELD(allow_subscribe), 0, "*", 0, 0, NULL,
     "Who may subscribe: users and @groups, separated by spaces; * is everybody."},
    {"allow.publish", SETTING_TEXT, FIELD(allow_publish), 0, "", 0, 0, NULL,
     "Who may publish, where the source is push; besides root and the daemon's own user."},
    {"limits.sessions", SETTING_NUMBER, FIELD(sessions), 256, NULL, 1, SESSIONS_LIMIT, NULL,
     "How many sessions there may be."},
    {"limits.sessions_per_user", SETTING_NUMBER, FIELD(sessions_per_user), 128, NULL, 1,
     SESSIONS_LIMIT, NULL, "How many of them one user may have; root is not bound by it."},
    {"source.type", SETTING_TEXT, FIELD(source_type), 0, "alphabet", 0, 0, NULL,
     "Where records come from: alphabet, file, command, stream, push, pattern."},
    {"source.path", SETTING_TEXT, FIELD(source_path), 0, "", 0, 0, NULL,
     "file: which one; stream: a FIFO."},
    {"source.watch", SETTING_BOOL, FIELD(source_watch), false, NULL, 0, 0, NULL,
     "file: publish it anew when it changes, and not before."},
    {"source.command", SETTING_LIST, FIELD(source_command), 0, NULL, 0, 0, NULL,
     "command, stream: the program's path and its arguments; there is no shell."},
    {"source.environment", SETTING_LIST, FIELD(source_environment), 0, NULL, 0, 0, NULL,
     "command, stream: all of the program's environment, \"NAME=value\" each."},
    {"source.directory", SETTING_TEXT, FIELD(source_directory), 0, "/", 0, 0, NULL,
     "command, stream: where the program runs."},
    {"source.timeout_ms", SETTING_NUMBER, FIELD(source_timeout_ms), 10000, NULL, 1, HOUR_MSEC, NULL,
     "command: how long one run may take, in ms."},
    {"source.output_max", SETTING_NUMBER, FIELD(source_output_max), 0, NULL, 0, BYTES_MAX, NULL,
     "command: bytes that one run may write; 0: as many as fit into a record."},
    {"source.framing", SETTING_CHOICE, FIELD(source_framing), 0, NULL, 0, 0, framings,
     "stream: what a record is: a line, frame_size bytes (fixed), or what its length says."},
    {"source.frame_size", SETTING_NUMBER, FIELD(source_frame_size), 0, NULL, 0, BYTES_MAX, NULL,
     "stream with framing fixed, pattern: bytes of each record; pattern, 0: as alphabet."},
    {"source.on_end", SETTING_CHOICE, FIELD(source_on_end), 0, NULL, 0, 0, on_end,
     "When a stream has ended: hold what there is, restart it, or exit when all is acknowledged."},
    {"log.level", SETTING_CHOICE, FIELD(log_level), LOG_INFO, NULL, 0, 0, levels,
     "Least priority that is logged; acknowledgements are logged always."},
    {"log.queue", SETTING_NUMBER, FIELD(log_queue), QUEUE_LIMIT, NULL, 2, QUEUE_LIMIT, NULL,
     "How many acknowledgements may wait for the journal before one entry covers several."},
    {"log.rate", SETTING_NUMBER, FIELD(log_rate), 20, NULL, 1, RATE_LIMIT, NULL,
     "How many acknowledgements of a session are logged one by one, a second, after the first "
     "1000."},
};

const size_t settings_count = sizeof(settings) / sizeof(settings[0]);

_Static_assert(sizeof(settings) / sizeof(settings[0]) <= CONF_SETTINGS_MAX, "room for lines");

const struct setting *setting_find(const char *path)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (strcmp(settings[i].path, path) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

const struct setting *setting_nearest(const char *path)
{
    const struct setting *found = NULL;
    size_t least = NEAREST_MAX + 1;

    for (size_t i = 0; i < settings_count; i++) {
        const char *dot = strchr(settings[i].path, '.');
        size_t distance = nearest_distance(path, settings[i].path);

        if (dot && strcasecmp(dot + 1, path) == 0) {
            distance = 0;
        }
        if (distance < least) {
            least = distance;
            found = &settings[i];
        }
    }
    return found;
}

/* Of users and @groups. */
static bool is_names(const struct setting *setting)
{
    return strncmp(setting->path, "allow.", strlen("allow.")) == 0;
}

const char *setting_expected(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_BOOL:
        return "true or false";
    case SETTING_NUMBER:
        return "an integer";
    case SETTING_MODE:
        return "a string of octal digits, such as \"0644\"";
    case SETTING_LIST:
        return "a list of strings, such as [\"one\", \"two\"]";
    case SETTING_TEXT:
        return is_names(setting)
                   ? "a string of names with spaces between them, such as \"alice bob\""
                   : "a string";
    default:
        return "a string";
    }
}

bool setting_is_group(const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < settings_count; i++) {
        if (strncmp(settings[i].path, path, length) == 0 && settings[i].path[length] == '.') {
            return true;
        }
    }
    return false;
}

static bool list_same(char *const *a, char *const *b)
{
    while (*a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return !*a && !*b;
}

static bool value_same(const struct setting *setting, const void *a, const void *b)
{
    switch (setting->type) {
    case SETTING_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case SETTING_TEXT:
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    case SETTING_LIST:
        return list_same(*(char *const *const *)a, *(char *const *const *)b);
    default:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    }
}

bool conf_same(const struct conf *a, const struct conf *b, const char *prefix)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings[i];

        if (strncmp(setting->path, prefix, strlen(prefix)) == 0 &&
            !value_same(setting, (const char *)a + setting->offset,
                        (const char *)b + setting->offset)) {
            return false;
        }
    }
    return true;
}
