/* SPDX-License-Identifier: MIT
 *
 * A command: each record is what one run of a program writes, byte for byte.
 *
 * It is run when a record is asked for, never before. The record is delivered when the program has
 * ended with status 0, within its time and within its limit; anything else is a failure with a
 * reason, and what was written goes nowhere.
 */
#include "base/clock.h"
#include "base/shortage.h"
#include "base/text.h"
#include "source/drivers.h"
#include "source/frames.h"
#include "source/program.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#define READS_MAX 32 /* of what is in the pipe when it has ended: more than that holds */

struct command {
    struct source source;
    struct frames frames;
    struct program *program; /* the run, as long as there is one */
    int output;
    sd_event_source *output_source;
    sd_event_source *timer;
};

static struct command *of(struct source *source)
{
    return (struct command *)(void *)source;
}

static int command_open(const struct source_context *context, struct source **ret)
{
    struct command *command = calloc(1, sizeof(*command));
    int r;

    (void)context;
    if (!command) {
        return -ENOMEM;
    }
    command->output = -1;
    r = frames_new(&command->frames, &command->source, FRAMING_WHOLE, 0);
    if (r < 0) {
        free(command);
        return r;
    }
    *ret = &command->source;
    return 0;
}

/* Ends the run, if there is one, and forgets what has come of it. */
static void end_run(struct command *command)
{
    command->output_source = sd_event_source_disable_unref(command->output_source);
    command->timer = sd_event_source_disable_unref(command->timer);
    command->output = fd_close(command->output);
    command->program = program_free(command->program);
    frames_reset(&command->frames);
}

static void fail(struct command *command, const char *reason)
{
    end_run(command);
    source_fail(&command->source, reason);
}

static void deliver(struct command *command)
{
    uint64_t dropped;
    size_t length;

    (void)frames_finish(&command->frames, &length, &dropped);
    end_run(command);
    source_deliver(&command->source, length);
}

/* False: it wrote too much, and that has been answered. */
static bool is_within_limit(struct command *command)
{
    uint64_t limit = command->source.context.settings.output_max;
    char text[PROGRAM_TEXT_MAX];

    if (limit == 0 && frames_pending(&command->frames) > source_longest(&command->source)) {
        deliver(command); /* to be rejected, and its beginning shown */
        return false;
    }
    if (limit == 0 || frames_pending(&command->frames) <= limit) {
        return true;
    }
    (void)snprintf(text, sizeof(text),
                   "%s wrote more than source.output_max allows, %" PRIu64 " %s",
                   command->source.context.settings.command[0], limit, text_bytes(limit));
    fail(command, text);
    return false;
}

/* Reads once; as read(2), and -ECANCELED if the run is over with that. */
static ssize_t take_in(struct command *command)
{
    ssize_t n = frames_read(&command->frames, command->output, false);
    size_t length;

    if (n > 0) {
        (void)frames_next(&command->frames, &length); /* makes room */
        return is_within_limit(command) ? n : -ECANCELED;
    }
    return n;
}

static int on_output(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct command *command = userdata;

    (void)fd;
    (void)events;
    if (take_in(command) == 0) {
        (void)sd_event_source_set_enabled(s, SD_EVENT_OFF); /* it will end soon, or has to */
    }
    return 0;
}

static void on_run_end(void *userdata)
{
    struct command *command = userdata;
    char text[PROGRAM_TEXT_MAX];
    ssize_t n = 1;

    /* What it has written is in the pipe. */
    for (int i = 0; i < READS_MAX && n > 0; i++) {
        n = take_in(command);
    }
    if (n == -ECANCELED) {
        return;
    }
    if (program_is_well(command->program)) {
        deliver(command);
    } else {
        program_describe(command->program, text);
        fail(command, text);
    }
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct command *command = userdata;
    const struct source_settings *settings = &command->source.context.settings;
    char text[PROGRAM_TEXT_MAX];

    (void)s;
    (void)usec;
    (void)snprintf(text, sizeof(text),
                   "%s took longer than source.timeout_ms allows, %" PRIu64 " ms, and was killed",
                   settings->command[0], settings->timeout_usec / USEC_PER_MSEC);
    fail(command, text);
    return 0;
}

static void command_ask(struct source *source)
{
    struct command *command = of(source);
    sd_event *event = source->context.event;
    char text[PROGRAM_TEXT_MAX];
    int r = program_start(source, on_run_end, command, &command->program, &command->output, text);

    if (r < 0) {
        fail(command, text);
        return;
    }
    r = sd_event_add_io(event, &command->output_source, command->output, EPOLLIN, on_output,
                        command);
    if (r >= 0) {
        r = sd_event_add_time_relative(event, &command->timer, CLOCK_MONOTONIC,
                                       source->context.settings.timeout_usec, 0, on_timeout,
                                       command);
    }
    if (r < 0) {
        fail(command, error_text(r));
    }
}

static void command_close(struct source *source)
{
    struct command *command = of(source);

    end_run(command);
    frames_free(&command->frames);
    free(command);
}

const struct source_driver source_command = {
    .name = "command",
    .check = program_check,
    .open = command_open,
    .ask = command_ask,
    .close = command_close,
};
