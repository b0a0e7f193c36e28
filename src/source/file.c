/* SPDX-License-Identifier: MIT
 *
 * A file: each record is its content, as it is when a record is asked for.
 *
 * Watched, it is read once, and then again when it has changed:
 *
 *      asked ──read──▶ delivered        changed, and asked for: read
 *        └─unchanged─▶ waits            changed, and not: what was delivered is out of date
 *
 * It is read right into the place of the record, a large one in parts, so that nobody waits long.
 * A file whose size or time of modification is another one afterwards was written to meanwhile:
 * what was read may be half of each, and goes nowhere.
 */
#include "source/drivers.h"
#include "base/shortage.h"
#include "source/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#define PART_MAX    ((size_t)1 << 20) /* bytes that are read before others have their turn */
#define EXCERPT_MAX ((size_t)4096)    /* of one that is too long */
#define UNKNOWN_MAX ((size_t)65536)   /* of one that does not say how long it is, as in /proc */
#define REASON_MAX  ((size_t)512)

static const char replaced[] = "the segment became another one while it was read";

struct file {
    struct source source;
    struct watch *watch; /* NULL: each record is read anew */
    bool asked;
    bool known;       /* one was delivered: … */
    struct stat seen; /* … this one */
    bool changed;     /* since then */
    int silent;       /* watched: the failure that was told, and is not told again */

    /* While it is read. */
    int fd;
    struct stat before;
    size_t held; /* the place */
    size_t kept; /* bytes in it */
    sd_event_source *more;
};

static struct file *of(struct source *source)
{
    return (struct file *)(void *)source;
}

static const char *file_check(const struct source_settings *settings, const char **ret_setting)
{
    *ret_setting = "source.path";
    if (!settings->path || !*settings->path) {
        return "is empty, expected the path of a file";
    }
    return settings->path[0] == '/' ? NULL : "is not a path from / on";
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* --- answers --- */

static void stop_reading(struct file *file)
{
    file->more = sd_event_source_disable_unref(file->more);
    file->fd = fd_close(file->fd);
}

static void fail(struct file *file, const char *cause)
{
    char text[REASON_MAX];

    stop_reading(file);
    file->asked = false;
    file->changed = true; /* whatever was delivered before, asked again it is read again */
    (void)snprintf(text, sizeof(text), "%s: %s", file->source.context.settings.path, cause);
    source_fail(&file->source, text);
}

static void deliver(struct file *file, size_t length)
{
    stop_reading(file);
    file->asked = false;
    file->known = true;
    file->silent = 0;
    file->seen = file->before;
    source_deliver(&file->source, length);
}

/* It cannot be had. Watched, it is enough to say that once: we hear when that changes. */
static void miss(struct file *file, int error, bool heard)
{
    if (heard && file->silent == error) {
        return;
    }
    file->silent = error;
    fail(file, error == -ENXIO ? "is not a regular file" : error_text(error));
}

/* --- reading --- */

static int file_begin(struct file *file)
{
    size_t longest = source_longest(&file->source);
    size_t size;

    /* O_NONBLOCK: a FIFO would wait for a writer. */
    file->fd =
        open(file->source.context.settings.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &file->before) < 0) {
        return -errno;
    }
    if (!S_ISREG(file->before.st_mode)) {
        return S_ISDIR(file->before.st_mode) ? -EISDIR : -ENXIO;
    }
    size = (size_t)file->before.st_size;
    if (size > longest) {
        size = EXCERPT_MAX;
    } else if (size == 0) { /* one byte more than fits tells that it is too long */
        size = longest < UNKNOWN_MAX ? longest : UNKNOWN_MAX;
    }
    file->held = size;
    file->kept = 0;
    return 0;
}

/* The place is full, or the file is at its end. */
static void finish(struct file *file, bool at_end)
{
    size_t size = (size_t)file->before.st_size;
    size_t longest = source_longest(&file->source);
    struct stat after;
    char next;

    if (fstat(file->fd, &after) < 0) {
        fail(file, error_text(-errno));
    } else if (!is_same(&file->before, &after)) {
        fail(file, "was written to while it was read");
    } else if (size > longest) {
        deliver(file, size); /* to be rejected, and its beginning shown */
    } else if (size > file->held) {
        fail(file, replaced); /* that began where it did not fit */
    } else if (at_end || read(file->fd, &next, 1) == 0) {
        deliver(file, file->kept);
    } else if (file->kept >= longest) {
        deliver(file, file->kept + 1); /* as above */
    } else {
        fail(file, "is longer than it says");
    }
}

static int on_more(sd_event_source *s, void *userdata);
static void on_change(void *userdata, bool written);

static void read_on(struct file *file)
{
    size_t read_now = 0, room = file->held;
    char *place = source_place(&file->source, &room);

    /* Of what is too long, there need only be room for some. */
    if (room < file->held && file->kept > 0) {
        fail(file, replaced);
        return;
    }
    file->held = room;
    while (file->kept < file->held) {
        size_t part = file->held - file->kept;
        ssize_t n;

        if (read_now >= PART_MAX) {
            file->more = sd_event_source_disable_unref(file->more);
            if (sd_event_add_defer(file->source.context.event, &file->more, on_more, file) >= 0) {
                return;
            }
        }
        n = read(file->fd, place + file->kept, part < PART_MAX ? part : PART_MAX);
        if (n < 0 && errno != EINTR) {
            fail(file, error_text(-errno));
            return;
        }
        if (n == 0) {
            finish(file, true);
            return;
        }
        if (n > 0) {
            file->kept += (size_t)n;
            read_now += (size_t)n;
        }
    }
    finish(file, false);
}

static int on_more(sd_event_source *s, void *userdata)
{
    (void)s;
    read_on(userdata);
    return 0;
}

/* 0: its changes will be told. -ENOENT: it cannot be watched, or shall not. Others pass. */
static int watch_anew(struct file *file)
{
    const struct source_context *context = &file->source.context;
    int r = 0;

    if (!context->settings.watch) {
        return -ENOENT;
    }
    if (!file->watch) {
        r = watch_new(context->event, context->settings.path, on_change, file, &file->watch);
    }
    return r < 0 ? r : watch_begin(file->watch);
}

static void answer(struct file *file)
{
    int watched = watch_anew(file);
    int r;

    stop_reading(file);
    if (is_shortage(watched) || watched == -ENOSPC) {
        fail(file, watch_cause(watched)); /* else its next change would go unnoticed */
        return;
    }
    file->changed = false;
    r = file_begin(file);
    if (r < 0) {
        stop_reading(file);
        miss(file, r, watched == 0);
        return;
    }
    read_on(file);
}

/* --- watching --- */

static void on_change(void *userdata, bool written)
{
    struct file *file = userdata;
    struct stat now;
    bool there = stat(file->source.context.settings.path, &now) == 0;

    if (file->known && !written && there && is_same(&file->seen, &now)) {
        return;
    }
    file->changed = true;
    if (file->fd >= 0) {
        return; /* it is being read; asked again, it will be read again */
    }
    if (file->asked) {
        answer(file);
    } else if (there) {
        source_outdate(&file->source);
    }
}

static int file_open(const struct source_context *context, struct source **ret)
{
    struct file *file = calloc(1, sizeof(*file));

    (void)context;
    if (!file) {
        return -ENOMEM;
    }
    file->fd = -1;
    file->source.live = context->settings.watch;
    *ret = &file->source;
    return 0;
}

static void file_ask(struct source *source)
{
    struct file *file = of(source);

    file->asked = true;
    if (!file->watch || !file->known || file->changed) {
        answer(file);
    }
}

static void file_repeat(struct source *source)
{
    struct file *file = of(source);

    if (file->asked && file->fd < 0) {
        answer(file);
    }
}

static void file_close(struct source *source)
{
    struct file *file = of(source);

    stop_reading(file);
    file->watch = watch_free(file->watch);
    free(file);
}

const struct source_driver source_file = {
    .name = "file",
    .check = file_check,
    .open = file_open,
    .ask = file_ask,
    .repeat = file_repeat,
    .close = file_close,
};
