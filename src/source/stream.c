/* SPDX-License-Identifier: MIT
 *
 * A stream: each record is the next frame of what a program writes that keeps running, or of what
 * is written into a FIFO.
 *
 * It is read only when a record is asked for. While none is, the pipe fills, and then the producer
 * waits: it feels the back-pressure without a word of protocol.
 *
 *      asked ──a frame is there──▶ delivered
 *        │
 *        ├── nothing to read ──▶ the loop looks, and goes on here
 *        └── nothing to come ──▶ what is left of a line is delivered; asked again, it ends
 *
 * What is left of a line is a record only if its writer has ended well: it may be half of one.
 *
 * A program's stream is over when its pipe is at its end, or when the program has ended and the
 * pipe is empty. A FIFO is never over. When its last writer leaves, the rest of a line is a record,
 * so that the next writer begins one; to hear of the next one, it has to be opened anew.
 *
 * When it retires, it yields what the producer has got rid of. A program is killed, and its pipe
 * emptied. What is still in a FIFO belongs to whoever reads it next, but not the second half of a
 * record of which the first has been read here: so much is still read, and waited for, if its
 * writer does not take too long over it.
 */
#include "base/clock.h"
#include "base/shortage.h"
#include "base/text.h"
#include "source/drivers.h"
#include "source/frames.h"
#include "source/program.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#define READS_MAX  16           /* for one record, before others have their turn */
#define GRACE_USEC USEC_PER_SEC /* for a program to end that has closed its end of the pipe, … */
                                /* … and for the second half of a record in a FIFO to come */

struct stream {
    struct source source;
    struct frames frames;
    struct program *program; /* NULL: a FIFO */
    int fd;
    sd_event_source *input;
    sd_event_source *timer;
    sd_event_source *grace; /* a FIFO that retires waits for the second half of a record */
    bool asked;
    bool retired;
    bool over; /* nothing more will be read */
    int error; /* why, if reading has failed */
};

static struct stream *of(struct source *source)
{
    return (struct stream *)(void *)source;
}

static bool has_command(const struct source_settings *settings)
{
    return settings->command && settings->command[0];
}

static const char *stream_check(const struct source_settings *settings, const char **ret_setting)
{
    bool command = has_command(settings);
    bool path = settings->path && *settings->path;

    *ret_setting = "source.frame_size";
    if (settings->framing == FRAMING_FIXED && settings->frame_size == 0) {
        return "is 0, expected the bytes of each record, for source.framing is \"fixed\"";
    }
    *ret_setting = "source.path";
    if (command == path) {
        return command ? "and source.command are both there, expected one of them"
                       : "is empty, expected the path of a FIFO, or a program in source.command";
    }
    if (path) {
        return settings->path[0] == '/' ? NULL : "is not a path from / on";
    }
    return program_check(settings, ret_setting);
}

static int fifo_open(const char *path, const char **ret_cause)
{
    /* Without O_NONBLOCK this would wait for a writer. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0) {
        *ret_cause = error_text(-errno);
        return -1;
    }
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        *ret_cause = "is not a FIFO";
        return fd_close(fd);
    }
    return fd;
}

static int stream_open(const struct source_context *context, struct source **ret)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    int r;

    if (!stream) {
        return -ENOMEM;
    }
    r = frames_new(&stream->frames, &stream->source, context->settings.framing,
                   context->settings.frame_size);
    if (r < 0) {
        free(stream);
        return r;
    }
    stream->fd = -1;
    stream->source.live = true;
    *ret = &stream->source;
    return 0;
}

static bool is_fifo(const struct stream *stream)
{
    return !has_command(&stream->source.context.settings);
}

/*
 * From now on a writer finds a reader at any time, before it is asked for something, too. No
 * sooner: what it writes would be lost if its turn never came.
 */
static void stream_start(struct source *source)
{
    struct stream *stream = of(source);
    const char *cause;

    if (is_fifo(stream)) {
        stream->fd = fifo_open(source->context.settings.path, &cause); /* or else when asked */
    }
}

/* --- answers --- */

static void fail(struct stream *stream, const char *reason)
{
    stream->asked = false;
    source_fail(&stream->source, reason);
}

static void deliver(struct stream *stream, size_t length)
{
    stream->asked = false;
    source_deliver(&stream->source, length);
}

static void tell_dropped(struct stream *stream, uint64_t dropped)
{
    char text[128];
    int length;

    if (dropped > 0) {
        length = snprintf(text, sizeof(text),
                          "%" PRIu64 " %s of a record that is not complete %s dropped", dropped,
                          text_bytes(dropped), dropped == 1 ? "is" : "are");
        source_say(&stream->source, text, (size_t)length);
    }
}

/* What is left when no more comes. True: it was a record, and is delivered. */
static bool deliver_rest(struct stream *stream)
{
    bool cut = stream->retired || (stream->program && !program_is_well(stream->program));
    uint64_t dropped = frames_pending(&stream->frames);
    size_t length;

    if (!cut && frames_finish(&stream->frames, &length, &dropped)) {
        deliver(stream, length);
        return true;
    }
    frames_reset(&stream->frames);
    tell_dropped(stream, dropped);
    return false;
}

static void end(struct stream *stream)
{
    char text[PROGRAM_TEXT_MAX];

    if (deliver_rest(stream)) {
        return;
    }
    if (stream->retired) {
        (void)snprintf(text, sizeof(text), "another source takes its place");
    } else if (stream->error) {
        (void)snprintf(text, sizeof(text), "reading failed: %s", error_text(stream->error));
    } else {
        program_describe(stream->program, text);
    }
    stream->asked = false;
    source_end(&stream->source, text);
}

/* --- where the bytes come from --- */

static void stop_reading(struct stream *stream)
{
    stream->input = sd_event_source_disable_unref(stream->input);
    stream->fd = fd_close(stream->fd);
}

static void read_no_more(struct stream *stream)
{
    stop_reading(stream);
    stream->over = true;
}

static void fail_fifo(struct stream *stream, const char *cause)
{
    char text[PROGRAM_TEXT_MAX];

    stop_reading(stream);
    (void)snprintf(text, sizeof(text), "%s: %s", stream->source.context.settings.path, cause);
    fail(stream, text);
}

/* The last writer has left. Opened anew before it is closed, so that nothing in it is lost. */
static void reopen(struct stream *stream)
{
    const char *cause;
    int fd = fifo_open(stream->source.context.settings.path, &cause);
    int r;

    if (fd < 0) {
        if (stream->asked) {
            fail_fifo(stream, cause);
        } else {
            stop_reading(stream); /* asked again, it says the same */
        }
        return;
    }
    r = sd_event_source_set_io_fd(stream->input, fd);
    if (r < 0) {
        (void)fd_close(fd);
        stream->error = r;
        stream->over = true;
        return;
    }
    (void)fd_close(stream->fd);
    stream->fd = fd;
}

static void pump(struct stream *stream);

static void on_program_end(void *userdata)
{
    pump(userdata);
}

static int on_input(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct stream *stream = userdata;

    (void)fd;
    (void)events;
    if (stream->asked) {
        pump(stream);
    } else {
        /* Only now: where the next record is asked for soon, this would be a call for each. */
        (void)sd_event_source_set_enabled(s, SD_EVENT_OFF);
    }
    return 0;
}

/* True: there is something to read from. Otherwise that has been answered. */
static bool begin(struct stream *stream)
{
    const struct source_context *context = &stream->source.context;
    char text[PROGRAM_TEXT_MAX];
    const char *cause;
    int r;

    if (is_fifo(stream)) {
        stream->fd = stream->fd >= 0 ? stream->fd : fifo_open(context->settings.path, &cause);
        if (stream->fd < 0) {
            fail_fifo(stream, cause);
            return false;
        }
    } else if (program_start(&stream->source, on_program_end, stream, &stream->program, &stream->fd,
                             text) < 0) {
        fail(stream, text);
        return false;
    }
    r = sd_event_add_io(context->event, &stream->input, stream->fd, EPOLLIN, on_input, stream);
    if (r < 0) {
        stop_reading(stream);
        stream->program = program_free(stream->program);
        fail(stream, error_text(r));
        return false;
    }
    return true;
}

static int on_grace_end(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct stream *stream = userdata;

    (void)s;
    (void)usec;
    program_kill(stream->program);
    return 0;
}

/* The pipe is at its end. How the program has ended will be known soon. */
static void wait_for_program(struct stream *stream)
{
    read_no_more(stream);
    if (!program_is_over(stream->program) && !stream->timer) {
        (void)sd_event_add_time_relative(stream->source.context.event, &stream->timer,
                                         CLOCK_MONOTONIC, GRACE_USEC, 0, on_grace_end, stream);
    }
}

static int on_later(sd_event_source *s, void *userdata)
{
    (void)s;
    pump(userdata);
    return 0;
}

/* Goes on as soon as others have had their turn. */
static int pump_later(struct stream *stream)
{
    stream->timer = sd_event_source_disable_unref(stream->timer);
    return sd_event_add_defer(stream->source.context.event, &stream->timer, on_later, stream);
}

/* --- reading --- */

/* The second half does not come. */
static int on_half(sd_event_source *s, uint64_t usec, void *userdata)
{
    struct stream *stream = userdata;

    (void)s;
    (void)usec;
    read_no_more(stream);
    pump(stream);
    return 0;
}

/* Retired, what a FIFO has belongs to another one; but for what a record has begun with here. */
static bool waits_for_half(struct stream *stream)
{
    return frames_pending(&stream->frames) > 0 &&
           (stream->grace ||
            sd_event_add_time_relative(stream->source.context.event, &stream->grace,
                                       CLOCK_MONOTONIC, GRACE_USEC, 0, on_half, stream) >= 0);
}

/* Nothing to read now: nothing more at all, or the loop looks. */
static void wait_for_input(struct stream *stream)
{
    if ((stream->program && program_is_over(stream->program)) ||
        (is_fifo(stream) && stream->retired && !waits_for_half(stream))) {
        read_no_more(stream);
    } else {
        (void)sd_event_source_set_enabled(stream->input, SD_EVENT_ON);
    }
}

/* True: something has changed. */
static bool take_in(struct stream *stream)
{
    bool sparing = is_fifo(stream) && stream->retired;
    ssize_t n = frames_read(&stream->frames, stream->fd, sparing);

    if (n > 0) {
        return true;
    }
    if (n == -EAGAIN) {
        wait_for_input(stream);
        return stream->over;
    }
    if (n < 0) {
        read_no_more(stream);
        stream->error = (int)n;
        if (stream->program) {
            program_kill(stream->program);
        }
        return true;
    }
    if (!is_fifo(stream)) {
        wait_for_program(stream);
        return true;
    }
    if (stream->retired) {
        read_no_more(stream);
        return true;
    }
    (void)deliver_rest(stream);
    reopen(stream);
    if (stream->asked && !stream->over) {
        wait_for_input(stream);
    }
    return stream->over;
}

/* Answers, if it was asked and there is an answer. */
static void pump(struct stream *stream)
{
    size_t length;

    for (int reads = 0; stream->asked; reads++) {
        if (frames_next(&stream->frames, &length)) {
            deliver(stream, length);
        } else if (stream->over ||
                   (stream->retired && frames_pending(&stream->frames) == 0 && is_fifo(stream))) {
            if (stream->program && !program_is_over(stream->program)) {
                return; /* it will come back here */
            }
            end(stream);
        } else if (!stream->input && !begin(stream)) {
            return;
        } else if (reads == READS_MAX && pump_later(stream) >= 0) {
            return;
        } else if (!take_in(stream)) {
            return;
        }
    }
}

static void stream_ask(struct source *source)
{
    struct stream *stream = of(source);

    stream->asked = true;
    pump(stream);
}

/* How many bytes wait in the pipe. */
static int in_pipe(const struct stream *stream)
{
    int count;

    return stream->fd >= 0 && ioctl(stream->fd, FIONREAD, &count) == 0 ? count : 0;
}

static bool stream_retire(struct source *source)
{
    struct stream *stream = of(source);
    bool some = frames_pending(&stream->frames) > 0;

    stream->retired = true;
    if (stream->program) {
        program_kill(stream->program);
        some = some || in_pipe(stream) > 0;
    }
    if (some && stream->asked) {
        some = pump_later(stream) >= 0;
    }
    return some;
}

static void stream_close(struct source *source)
{
    struct stream *stream = of(source);

    stop_reading(stream);
    stream->timer = sd_event_source_disable_unref(stream->timer);
    stream->grace = sd_event_source_disable_unref(stream->grace);
    stream->program = program_free(stream->program);
    frames_free(&stream->frames);
    free(stream);
}

const struct source_driver source_stream = {
    .name = "stream",
    .is_sequence = true,
    .check = stream_check,
    .open = stream_open,
    .start = stream_start,
    .ask = stream_ask,
    .retire = stream_retire,
    .close = stream_close,
};
