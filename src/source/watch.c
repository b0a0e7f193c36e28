/* SPDX-License-Identifier: MIT */
#include "source/watch.h"
#include "source/way.h"
#include "base/shortage.h"
#include "base/timer.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <systemd/sd-event.h>

#define EVENTS_SIZE ((size_t)4096) /* bytes that are read at a time, … */
#define EVENTS_READ 64             /* … and how often before others have their turn */

#define COMPLETE (IN_CLOSE_WRITE | IN_MOVED_TO)
#define OF_FILE  (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
#define OF_DIRECTORY                                                                               \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |            \
     IN_MOVE_SELF | IN_ONLYDIR) /* IN_ATTRIB: what we may not read yet has no watch of its own */

#define PLACES_MAX 64 /* names on the way to a file, links and what they lead to included */

_Static_assert(EVENTS_SIZE >= sizeof(struct inotify_event) + NAME_MAX + 1, "room for an event");

/* A name on the way to the file, and inotify's number for the directory where it stands. */
struct place {
    int directory;
    char *name;
};

struct places {
    struct place all[PLACES_MAX];
    size_t count;
    int error; /* why one of them is not watched */
};

struct watch {
    char *path;
    watch_fn changed;
    void *userdata;
    int fd;
    int of_file; /* inotify's number; -1: none */
    struct places places;
    bool written;
    sd_event_source *events;
    sd_event_source *pause;
};

/* What some events come to. */
struct news {
    bool any;
    bool complete;
    bool written;
};

/* Is it about a name on the way? All others in these directories are none of our business. */
static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
    const struct places *places = &watch->places;

    if (event->wd == watch->of_file || (event->mask & IN_Q_OVERFLOW)) {
        return true;
    }
    for (size_t i = 0; i < places->count; i++) {
        if (places->all[i].directory == event->wd &&
            (event->len == 0 || strcmp(places->all[i].name, event->name) == 0)) {
            return true;
        }
    }
    return false;
}

static void judge(struct watch *watch, const struct inotify_event *event, struct news *news)
{
    if (!concerns(watch, event)) {
        return;
    }
    news->any = true;
    if (event->wd == watch->of_file && (event->mask & IN_IGNORED)) {
        watch->of_file = -1;
    }
    if (event->mask & COMPLETE) {
        news->complete = true;
    }
    if ((event->mask & IN_Q_OVERFLOW) ||
        (event->wd == watch->of_file && (event->mask & IN_MODIFY))) {
        news->written = true;
    }
}

static struct news read_events(struct watch *watch)
{
    char buffer[EVENTS_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
    struct news news = {0};

    for (int i = 0; i < EVENTS_READ; i++) {
        ssize_t n = read(watch->fd, buffer, sizeof(buffer));

        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(buffer + at);

            judge(watch, event, &news);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
        if (n <= 0) {
            break;
        }
    }
    return news;
}

/* Where another one stands now, the number is another one, and the old one is given back. */
static int follow_file(struct watch *watch)
{
    int now = inotify_add_watch(watch->fd, watch->path, OF_FILE);
    int r = now < 0 ? -errno : 0;

    if (watch->of_file >= 0 && watch->of_file != now) {
        (void)inotify_rm_watch(watch->fd, watch->of_file);
    }
    watch->of_file = now;
    return r;
}

static void on_step(void *userdata, const char *directory, const char *name)
{
    struct watch *watch = userdata;
    struct places *places = &watch->places;
    int number = inotify_add_watch(watch->fd, directory, OF_DIRECTORY);
    char *own = number < 0 || places->count == PLACES_MAX ? NULL : strdup(name);

    if (own) {
        places->all[places->count++] = (struct place){.directory = number, .name = own};
    } else if (number < 0 && errno != EACCES && errno != ENOENT) {
        places->error = -errno; /* one that we may not read is like one where nothing happens */
    }
}

static bool is_on_the_way(const struct places *places, int directory)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->all[i].directory == directory) {
            return true;
        }
    }
    return false;
}

static void places_free(struct places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        free(places->all[i].name);
    }
    *places = (struct places){0};
}

/* The way to the file may be another one now: what is not on it any more is given back. */
static int follow_way(struct watch *watch)
{
    struct places before = watch->places;

    watch->places = (struct places){0};
    way_walk(watch->path, on_step, watch);
    for (size_t i = 0; i < before.count; i++) {
        if (!is_on_the_way(&watch->places, before.all[i].directory)) {
            (void)inotify_rm_watch(watch->fd, before.all[i].directory);
        }
    }
    places_free(&before);
    return watch->places.error ? watch->places.error : watch->places.count == 0 ? -ENOENT : 0;
}

static void tell(struct watch *watch)
{
    bool written = watch->written;

    watch->written = false;
    (void)sd_event_source_set_enabled(watch->pause, SD_EVENT_OFF);
    (void)follow_way(watch);
    (void)follow_file(watch);
    watch->changed(watch->userdata, written);
}

static int on_events(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    struct watch *watch = userdata;
    struct news news = read_events(watch);
    int enabled;

    (void)s;
    (void)fd;
    (void)events;
    watch->written |= news.written;
    if (news.complete) {
        tell(watch);
    } else if (news.any && sd_event_source_get_enabled(watch->pause, &enabled) == 0) {
        /* Not put off by what follows: who writes all the time is told of, too. */
        (void)timer_start(watch->pause, WATCH_PAUSE);
    }
    return 0;
}

static int on_pause_end(sd_event_source *s, uint64_t usec, void *userdata)
{
    (void)s;
    (void)usec;
    tell(userdata);
    return 0;
}

int watch_new(struct sd_event *event, const char *path, watch_fn changed, void *userdata,
              struct watch **ret)
{
    CLEANUP(watch_free_cleanup) struct watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch) {
        return -ENOMEM;
    }
    watch->changed = changed;
    watch->userdata = userdata;
    watch->of_file = -1;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        return -errno;
    }
    watch->path = strdup(path);
    if (!watch->path) {
        return -ENOMEM;
    }
    r = sd_event_add_io(event, &watch->events, watch->fd, EPOLLIN, on_events, watch);
    if (r >= 0) {
        r = timer_new(event, 1, on_pause_end, watch, &watch->pause);
    }
    if (r < 0) {
        return r;
    }
    *ret = take(watch);
    return 0;
}

int watch_begin(struct watch *watch)
{
    int r, of_file;

    (void)read_events(watch); /* what comes after this is told */
    watch->written = false;
    (void)sd_event_source_set_enabled(watch->pause, SD_EVENT_OFF);
    r = follow_way(watch);
    of_file = follow_file(watch);
    return r < 0 && (watch->places.error || of_file < 0) ? r : 0;
}

const char *watch_cause(int error)
{
    CLEANUP(fd_close_cleanup) int fd = error == -EMFILE ? dup(STDERR_FILENO) : -1;

    if (fd >= 0) { /* descriptors there are */
        return "this user has as many inotify instances as it may: see sysctl "
               "fs.inotify.max_user_instances";
    }
    return error == -ENOSPC ? "this user has as many inotify watches as it may: see sysctl "
                              "fs.inotify.max_user_watches"
                            : error_text(error);
}

struct watch *watch_free(struct watch *watch)
{
    if (!watch) {
        return NULL;
    }
    (void)sd_event_source_disable_unref(watch->events);
    (void)sd_event_source_disable_unref(watch->pause);
    watch->fd = fd_close(watch->fd);
    free(watch->path);
    places_free(&watch->places);
    free(watch);
    return NULL;
}
