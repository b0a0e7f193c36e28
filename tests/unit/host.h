/* SPDX-License-Identifier: MIT
 *
 * A host for a source in a test: it remembers what it was answered.
 *
 * Its place is what a place may be: each time that the loop was returned to, it is somewhere else,
 * with what was written there; where it was before, there is rubbish.
 */
#pragma once

#include "base/clock.h"
#include "source/source.h"
#include "private.h"

#include <systemd/sd-event.h>

/* Texts of a command, which nobody changes. */
static inline char *word(const char *text)
{
    union {
        const char *text;
        char *word;
    } same = {.text = text};

    return same.word;
}

#define SHELL(script) ((char *const[]){word("/bin/sh"), word("-c"), word(script), NULL})

#define HOST_ROOM    ((size_t)4 << 20)
#define HOST_EXCERPT ((size_t)4096) /* of a record that is too long */
#define HOST_RECORDS 4096
#define HOST_USEC    PATIENCE_USEC /* for anything that is waited for */

struct host {
    sd_event *event;
    struct source *source;
    size_t longest; /* record that fits, in bytes; a test may change it at any time */
    char *places[2];
    unsigned here;
    size_t held;

    unsigned answers; /* of each kind, and in all */
    unsigned delivered;
    unsigned failed;
    unsigned ended;
    unsigned outdated;
    unsigned said;
    char *records[HOST_RECORDS]; /* as much of each as fits */
    size_t lengths[HOST_RECORDS];
    char reason[1024];
    char *command[4]; /* as long as the host lives */
    char words[8192]; /* the lines that were said, each with a newline */
    size_t words_length;
};

static inline size_t host_longest(void *userdata)
{
    return ((struct host *)userdata)->longest;
}

static inline char *host_place(void *userdata, size_t *length)
{
    struct host *host = userdata;
    size_t room = host->longest > HOST_EXCERPT ? host->longest : HOST_EXCERPT;

    assert_true(room <= HOST_ROOM);
    *length = *length < room ? *length : room;
    host->held = *length;
    return host->places[host->here];
}

static inline void host_deliver(void *userdata, size_t length)
{
    struct host *host = userdata;
    size_t kept = length < host->held ? length : host->held;

    if (host->held > host->longest) {
        assert_true(length > host->longest);
    }
    host->answers++;
    if (host->delivered < HOST_RECORDS) {
        char *copy = malloc(kept + 1);

        assert_non_null(copy);
        memcpy(copy, host->places[host->here], kept);
        copy[kept] = '\0';
        host->records[host->delivered] = copy;
        host->lengths[host->delivered] = length;
    }
    host->delivered++;
    host->held = 0;
}

static inline void host_fail(void *userdata, const char *reason)
{
    struct host *host = userdata;

    host->answers++;
    host->failed++;
    host->held = 0;
    (void)snprintf(host->reason, sizeof(host->reason), "%s", reason);
}

static inline void host_end(void *userdata, const char *reason)
{
    struct host *host = userdata;

    host->answers++;
    host->ended++;
    (void)snprintf(host->reason, sizeof(host->reason), "%s", reason);
}

static inline void host_outdate(void *userdata)
{
    ((struct host *)userdata)->outdated++;
}

static inline void host_say(void *userdata, const char *line, size_t length)
{
    struct host *host = userdata;

    host->said++;
    if (host->words_length + length + 2 < sizeof(host->words)) {
        memcpy(host->words + host->words_length, line, length);
        host->words_length += length;
        host->words[host->words_length++] = '\n';
        host->words[host->words_length] = '\0';
    }
}

static inline struct source_context host_context(struct host *host, size_t longest)
{
    static const struct source_host functions = {
        .longest = host_longest,
        .filling = host_longest,
        .place = host_place,
        .deliver = host_deliver,
        .fail = host_fail,
        .end = host_end,
        .outdate = host_outdate,
        .say = host_say,
    };

    host->longest = longest;
    return (struct source_context){
        .event = host->event,
        .host = &functions,
        .userdata = host,
        .settings = {.directory = "/", .timeout_usec = HOST_USEC},
    };
}

static inline struct host *host_new(void)
{
    struct host *host = calloc(1, sizeof(*host));

    assert_non_null(host);
    assert_true(sd_event_new(&host->event) >= 0);
    for (int i = 0; i < 2; i++) {
        host->places[i] = malloc(HOST_ROOM);
        assert_non_null(host->places[i]);
    }
    return host;
}

/* A command that runs a script, for the settings of a source. */
static inline char *const *host_shell(struct host *host, const char *script)
{
    host->command[0] = word("/bin/sh");
    host->command[1] = word("-c");
    host->command[2] = word(script);
    return host->command;
}

/* A source of that type with these settings. */
static inline void host_open(struct host *host, const char *type,
                             const struct source_settings *settings, size_t longest)
{
    struct source_context context = host_context(host, longest);
    const struct source_driver *driver = source_find(type);
    const char *setting;

    context.settings = *settings;
    context.settings.directory = settings->directory ? settings->directory : "/";
    context.settings.timeout_usec = settings->timeout_usec ? settings->timeout_usec : HOST_USEC;
    assert_non_null(driver);
    assert_null(source_check(driver, &context.settings, &setting));
    assert_int_equal(source_open(driver, &context, &host->source), 0);
}

/* A source of that type that runs a script. */
static inline struct host *host_run(const char *type, const char *script,
                                    const struct source_settings *more, size_t capacity)
{
    struct source_settings settings = *more;
    struct host *host = host_new();

    settings.command = host_shell(host, script);
    host_open(host, type, &settings, capacity);
    return host;
}

/* Is no child left, not even a dead one that the loop is still to hear of? */
static inline bool is_childless(void)
{
    siginfo_t status;

    return waitid(P_ALL, 0, &status, WEXITED | WNOHANG | WNOWAIT) < 0;
}

static inline struct host *host_free(struct host *host)
{
    if (!host) {
        return NULL;
    }
    host->source = source_close(host->source);
    /* A program that takes its time to end is left to the loop; another host may have one, too. */
    for (uint64_t end = clock_usec() + HOST_USEC; !is_childless() && clock_usec() < end;) {
        (void)sd_event_run(host->event, 100 * USEC_PER_MSEC);
    }
    (void)sd_event_unref(host->event);
    for (int i = 0; i < 2; i++) {
        free(host->places[i]);
    }
    for (unsigned i = 0; i < host->delivered && i < HOST_RECORDS; i++) {
        free(host->records[i]);
    }
    free(host);
    return NULL;
}

DEFINE_CLEANUP(struct host, host_free)

/* What the place does when the loop is returned to. */
static inline void host_move(struct host *host)
{
    unsigned there = !host->here;

    memcpy(host->places[there], host->places[host->here], host->held);
    memset(host->places[host->here], 0xee, host->held);
    host->here = there;
}

/* Runs the loop once, for at most this long. */
static inline void host_turn(struct host *host, uint64_t usec)
{
    host_move(host);
    assert_true(sd_event_run(host->event, usec) >= 0);
}

/* Runs the loop until the condition holds. */
#define host_wait(host, condition)                                                                 \
    do {                                                                                           \
        uint64_t until_ = clock_usec() + HOST_USEC;                                                \
        while (!(condition)) {                                                                     \
            assert_true(clock_usec() < until_);                                                    \
            host_turn(host, 20000);                                                                \
        }                                                                                          \
    } while (0)

/* Asks once, and waits for the answer. */
static inline void host_ask(struct host *host)
{
    unsigned before = host->answers;

    source_ask(host->source);
    host_wait(host, host->answers > before);
    assert_int_equal(host->answers, before + 1);
}

/* It gives no answer for a while. */
static inline void host_is_silent(struct host *host)
{
    unsigned before = host->answers;

    for (int i = 0; i < 10; i++) {
        host_turn(host, 10000);
    }
    assert_int_equal(host->answers, before);
}

static inline void host_asserts_record(const struct host *host, const char *text, size_t length)
{
    assert_true(host->delivered > 0);
    assert_int_equal(host->lengths[host->delivered - 1], length);
    assert_memory_equal(host->records[host->delivered - 1], text, length);
}

#define ASSERT_RECORD(host, text) host_asserts_record(host, text, strlen(text))

/* Its last answer was no record, because of that; and no program is left behind. */
static inline void host_asserts_reason(struct host *host, const char *reason)
{
    if (!strstr(host->reason, reason)) {
        print_message("%s\n", host->reason);
    }
    assert_non_null(strstr(host->reason, reason));
    host_wait(host, is_childless());
}
